"""The people of the simulated study: group, sex, age, true coupling and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rsconn.simulate.scales import Scale, make_scale
from rsconn.simulate.truth import GROUPS, SCORES, SEXES, StudyPlan

# Ages of the scanned people (STUDY.md section 5): mean, SD, youngest, oldest.
AGES: Mapping[str, tuple[float, float, int, int]] = {
    "therapist": (54.7, 7.1, 42, 67),
    "control": (54.2, 7.4, 43, 68),
}

# Correlation of FS, PT, EC, PD, ES, CR beyond what the edges explain; signs as in the IRI norms.
_RESIDUAL = {
    ("FS", "PT"): -0.15,
    ("FS", "EC"): 0.30,
    ("FS", "PD"): 0.20,
    ("PT", "EC"): 0.30,
    ("PT", "PD"): -0.10,
    ("PT", "CR"): 0.15,
    ("EC", "PD"): 0.20,
    ("EC", "ES"): -0.10,
}


@dataclass(frozen=True)
class People:
    """One entry per person, in table order.

    Attributes
    ----------
    participant_id : tuple of str
    group, sex : str array (n_people,)
    age : int array (n_people,)
    scanned : bool array (n_people,)
    sums : mapping of score to int array (n_people,)
        Keyed sums.
    edges : mapping of edge to float array (n_people,)
        True coupling as Fisher z, also for people who are not scanned.
    """

    participant_id: tuple[str, ...]
    group: np.ndarray
    sex: np.ndarray
    age: np.ndarray
    scanned: np.ndarray
    sums: Mapping[str, np.ndarray]
    edges: Mapping[str, np.ndarray]


def make_scales(plan: StudyPlan, n_scored: tuple[int, int]) -> dict[str, Scale]:
    """Return the scale of every planned score for these group sizes (therapists, controls)."""
    return {score.name: make_scale(score, *n_scored) for score in plan.scores}


def simulate_people(
    plan: StudyPlan,
    *,
    n_scored: tuple[int, int],
    n_scanned: tuple[int, int],
    rng: np.random.Generator,
) -> People:
    """Draw a cohort.

    Within a group and sex the latent scores and the true edges are jointly normal; the sexes are balanced in
    the scored and in the scanned sample, as the study's are. Table order is random, so an id tells no group.

    Parameters
    ----------
    plan : StudyPlan
    n_scored, n_scanned : (int, int)
        Therapists and controls; the scanned are part of the scored.
    rng : numpy.random.Generator

    Returns
    -------
    People
    """
    group = np.repeat(GROUPS, n_scored)
    sex = np.concatenate([np.resize(SEXES, n) for n in n_scored])
    scanned = np.concatenate([np.arange(n) < m for n, m in zip(n_scored, n_scanned, strict=True)])
    order = rng.permutation(len(group))
    group, sex, scanned = group[order], sex[order], scanned[order]
    edge_latents, score_latents = _draw_latents(plan, len(group), rng)
    width = max(2, len(str(len(group))))
    return People(
        tuple(f"sub-{number:0{width}d}" for number in range(1, len(group) + 1)),
        group,
        sex,
        _draw_ages(group, rng),
        scanned,
        _draw_sums(plan, n_scored, group, sex, score_latents),
        _make_edges(plan, group, edge_latents),
    )


def _draw_latents(plan: StudyPlan, n_people: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal latents of edges (n_people, n_edges) and scores (n_people, n_scores)."""
    loadings = np.array([[score.loadings[edge.name] for edge in plan.edges] for score in plan.scores])
    residual_sd = np.sqrt(1.0 - (loadings**2).sum(axis=1))
    edges = rng.standard_normal((n_people, len(plan.edges)))
    residuals = rng.standard_normal((n_people, len(plan.scores))) @ np.linalg.cholesky(_make_residual()).T
    return edges, edges @ loadings.T + residuals * residual_sd


def _make_residual() -> np.ndarray:
    matrix = np.eye(len(SCORES))
    for (first, second), value in _RESIDUAL.items():
        i, j = SCORES.index(first), SCORES.index(second)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def _draw_ages(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw whole years from the beta distribution that has the given mean, SD, youngest and oldest."""
    ages = np.zeros(len(group), dtype=int)
    for name, (mean, sd, youngest, oldest) in AGES.items():
        members = group == name
        width = oldest - youngest + 1.0
        share = (mean - youngest + 0.5) / width
        total = share * (1.0 - share) / (sd / width) ** 2 - 1.0
        drawn = rng.beta(share * total, (1.0 - share) * total, size=int(members.sum()))
        ages[members] = youngest + np.minimum(np.floor(width * drawn), width - 1.0).astype(int)
    return ages


def _draw_sums(
    plan: StudyPlan, n_scored: tuple[int, int], group: np.ndarray, sex: np.ndarray, latents: np.ndarray
) -> dict[str, np.ndarray]:
    sums = {}
    for (name, scale), latent in zip(make_scales(plan, n_scored).items(), latents.T, strict=True):
        shifts = np.array([scale.shifts[cell] for cell in zip(group, sex, strict=True)])
        sums[name] = np.rint(scale.transform(latent + shifts)).astype(int)
    return sums


def _make_edges(plan: StudyPlan, group: np.ndarray, latents: np.ndarray) -> dict[str, np.ndarray]:
    return {
        edge.name: np.array([edge.get_group_mean(name) for name in group]) + edge.sd * latent
        for edge, latent in zip(plan.edges, latents.T, strict=True)
    }
