"""The people of the simulated study: group, sex, age, true coupling and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, root
from scipy.special import expit

from rsconn.simulate.truth import GROUPS, SCORES, SEXES, ScorePlan, StudyPlan

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


# 60 nodes integrate a logistic of a normal to 1e-12 for the slopes used here.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class Scale:
    """A sum score as a logistic function of a latent normal, and the latent mean of each group x sex cell.

    Attributes
    ----------
    low, high : float
        Smallest and largest possible sum.
    offset, slope : float
        sum = low + (high - low) * expit(offset + slope * latent), before rounding.
    shifts : mapping of (group, sex) to float
        Latent mean of the cell; the latent SD within a cell is 1.
    """

    low: float
    high: float
    offset: float
    slope: float
    shifts: Mapping[tuple[str, str], float]

    def transform(self, latent: np.ndarray) -> np.ndarray:
        """Turn latent values (any shape) into sums, not yet rounded."""
        return np.asarray(self.low + (self.high - self.low) * expit(self.offset + self.slope * latent))

    def compute_moments(self, shift: float) -> tuple[float, float]:
        """Return the mean and the variance of the rounded sum for a latent of mean `shift` and SD 1."""
        values = self.transform(_NODES + shift)
        mean = float(_WEIGHTS @ values)
        return mean, float(_WEIGHTS @ (values - mean) ** 2) + 1.0 / 12.0  # Sheppard: rounding to whole sums


def make_scale(plan: ScorePlan, n_therapists: int, n_controls: int) -> Scale:
    """Return the scale whose population effects equal the plan's.

    The mean and SD of `plan` hold for a control at the middle between the sexes. Women and men of the
    controls differ by `plan.sex_g` (women - men), the groups by `plan.group_g` (therapists - controls); both
    are standardised by the pooled SD, weighted as the sample will be, so they are what Hedges' g estimates.

    Parameters
    ----------
    plan : ScorePlan
    n_therapists, n_controls : int
        Sizes that weigh the pooled SD.

    Returns
    -------
    Scale
    """
    bare = _fit_logistic(plan)
    half = _solve(lambda h: compute_sex_g(bare, h, -h) - plan.sex_g)
    shifts = {("control", "F"): half, ("control", "M"): -half}
    control = _mix(bare, half, -half)
    group = _solve(
        lambda m: _standardise(bare.compute_moments(m), control, n_therapists, n_controls) - plan.group_g
    )
    shifts |= {("therapist", "F"): group, ("therapist", "M"): group}
    return Scale(bare.low, bare.high, bare.offset, bare.slope, shifts)


def compute_sex_g(scale: Scale, women: float, men: float) -> float:
    """Return the standardised difference of two cells of equal size with the given latent means."""
    return _standardise(scale.compute_moments(women), scale.compute_moments(men), 1, 1)


def compute_contrast_g(
    scale: Scale, a: Mapping[tuple[str, str], int], b: Mapping[tuple[str, str], int]
) -> float:
    """Return the population's standardised mean difference of two sets of cells, each a mapping to its n."""
    return _standardise(
        _combine(scale, a), _combine(scale, b), max(sum(a.values()) - 1, 1), max(sum(b.values()) - 1, 1)
    )


def simulate_items(
    sums: np.ndarray, plan: ScorePlan, *, rng: np.random.Generator, spread: float = 1.0
) -> np.ndarray:
    """Draw raw answers whose keyed sum is exactly the given one.

    Parameters
    ----------
    sums : int array (n_people,)
        Keyed sums, reversed items already turned round.
    plan : ScorePlan
        Names the items, their range and the reversed ones.
    rng : numpy.random.Generator
    spread : float
        SD of an item about the person's mean answer, in answer steps.

    Returns
    -------
    int array (n_people, n_items)
        Answers as given on the sheet: reversed items are *not* turned round.
    """
    low, high = plan.answer_range
    n_items = len(plan.items)
    deviations = rng.normal(0.0, spread, size=(len(sums), n_items))
    deviations -= deviations.mean(axis=1, keepdims=True)
    answers = np.clip(np.rint(sums[:, None] / n_items + deviations), low, high).astype(int)
    for row, total in zip(answers, sums, strict=True):
        _settle(row, int(total), low, high, rng)
    is_reversed = np.array([item in plan.reversed_items for item in plan.items])
    return np.where(is_reversed, low + high - answers, answers)


def _settle(row: np.ndarray, total: int, low: int, high: int, rng: np.random.Generator) -> None:
    """Change random answers of `row` by one, in place, until they add up to `total`."""
    while (missing := total - int(row.sum())) != 0:
        step = 1 if missing > 0 else -1
        free = np.flatnonzero(row < high if step > 0 else row > low)
        row[rng.choice(free)] += step


def _fit_logistic(plan: ScorePlan) -> Scale:
    low, high = plan.sum_range

    def miss(parameters: np.ndarray) -> list[float]:
        mean, variance = Scale(low, high, parameters[0], parameters[1], {}).compute_moments(0.0)
        return [mean - plan.mean, variance**0.5 - plan.sd]

    share = (plan.mean - low) / (high - low)
    start = [np.log(share / (1 - share)), plan.sd / ((high - low) * share * (1 - share))]
    found = root(miss, start)
    if not found.success:
        raise ValueError(f"no logistic scale has mean {plan.mean} and SD {plan.sd} on {low}-{high}")
    return Scale(low, high, float(found.x[0]), float(found.x[1]), {})


def _combine(scale: Scale, cells: Mapping[tuple[str, str], int]) -> tuple[float, float]:
    weights = np.array(list(cells.values()), dtype=float)
    weights /= weights.sum()
    moments = np.array([scale.compute_moments(scale.shifts[cell]) for cell in cells])
    mean = float(weights @ moments[:, 0])
    return mean, float(weights @ (moments[:, 1] + (moments[:, 0] - mean) ** 2))


def _mix(scale: Scale, first: float, second: float) -> tuple[float, float]:
    cells = Scale(scale.low, scale.high, scale.offset, scale.slope, {("", "F"): first, ("", "M"): second})
    return _combine(cells, {("", "F"): 1, ("", "M"): 1})


def _standardise(a: tuple[float, float], b: tuple[float, float], weight_a: float, weight_b: float) -> float:
    pooled = (weight_a * a[1] + weight_b * b[1]) / (weight_a + weight_b)
    return float((a[0] - b[0]) / pooled**0.5)


def _solve(miss: Callable[[float], float]) -> float:
    return float(brentq(miss, -6.0, 6.0, xtol=1e-10))
