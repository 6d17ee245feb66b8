"""Cohorts for claims that compare slopes, differences and changes, for one mean, and for several levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rsconn.settings.claims import Claim
from rsconn.settings.config import Config

SIZES = {"therapist": 24, "control": 40}
SITES = {"X": 16, "Y": 20, "Z": 28}
# Of therapists, and of site X, relative to the others.
SD_RATIO = 1.5
# Correlation of two sessions of a person.
CORRELATION = 0.5
_GROUPS = {"column": "group", "a": "therapist", "b": "control"}
_SEXES = {"column": "sex", "a": "F", "b": "M"}
_KEYS = {
    "slopes": {"predictor": "FS", "contrast": _GROUPS},
    "contrasts": {"contrast": _SEXES, "between": _GROUPS},
    "changes": {"contrast": {"column": "session", "a": "2", "b": "1"}, "paired": True, "between": _GROUPS},
    "mean": {"than": 0},
    "levels": {"contrast": {"column": "site", "levels": list(SITES)}},
}
# kind, what is said, whether of an edge (with covariates)
CLAIMS = {
    "K1": ("slopes", "greater", False),
    "K2": ("slopes", "different", True),
    "K3": ("slopes", "equivalent", False),
    "K4": ("contrasts", "greater", False),
    "K5": ("contrasts", "different", True),
    "K6": ("contrasts", "equivalent", False),
    "K7": ("changes", "greater", False),
    "K8": ("changes", "different", True),
    "K9": ("changes", "equivalent", False),
    "K10": ("mean", "greater", True),
    "K11": ("mean", "equivalent", False),
    "K12": ("levels", "different", False),
    "K13": ("levels", "different", True),
}


@dataclass(frozen=True)
class Comparisons:
    """Where the truth lies.

    Attributes
    ----------
    g, partial_r : float
        Smallest effects of interest.
    at_bound : bool
        Every effect on its bound, with equal variances; else none but those of equivalent claims, with unequal ones.
    """

    g: float
    partial_r: float
    at_bound: bool

    @property
    def sd_ratio(self) -> float:
        """SD of therapists and site X."""
        return 1.0 if self.at_bound else SD_RATIO

    def list_effects(self) -> dict[str, float]:
        """Return each claim's effect: g, partial r or f."""
        scales = {"slopes": self.partial_r, "levels": self.g / 2}
        return {
            name: scales.get(kind, self.g) if self.at_bound or expect == "equivalent" else 0.0
            for name, (kind, expect, _) in CLAIMS.items()
        }

    def list_truth(self) -> dict[str, float]:
        """Return each claim's true estimate; that of several levels, which has no interval, is not asked for."""
        n = sum(SIZES.values())
        share, ratio = SIZES["therapist"] / n, self.sd_ratio
        unit = ((ratio**2 + 1) / 2) ** 0.5
        # the residual variance, which a partial r is a share of, is that of all people
        pooled = (share * ratio**2 + 1 - share) ** 0.5
        units = {"slopes": pooled / (share * (1 - share)) ** 0.5, "mean": pooled}
        effects = self.list_effects()
        slopes = {name: effect / (1 - effect**2) ** 0.5 for name, effect in effects.items()}
        return {
            name: (slopes if kind == "slopes" else effects)[name] * units.get(kind, unit)
            for name, (kind, _, _) in CLAIMS.items()
        }


def make_comparisons_config(config: Config) -> Config:
    """Return the study's config with these claims only."""
    claims = tuple(
        Claim(
            id=name,
            family=kind,
            text=f"{kind}: {expect}",
            outcome=name,
            expect=expect,
            sample="" if kind == "changes" else "session == '1'",
            **_KEYS[kind],
        )
        for name, (kind, expect, _) in CLAIMS.items()
    )
    edges = [name for name, (_, _, is_edge) in CLAIMS.items() if is_edge]
    return config.model_copy(update={"claims": claims, "edges": (*config.edges, *edges)})


def draw_comparisons(truth: Comparisons, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a cohort: one row per person and session; motion moves the edges."""
    group = np.repeat(list(SIZES), list(SIZES.values()))
    n = group.size
    sex, site = (
        np.array(["F", "M"])[np.arange(n) % 2],
        rng.permutation(np.repeat(list(SITES), list(SITES.values()))),
    )
    people = pd.DataFrame({"group": group, "sex": sex, "site": site, "FS": rng.standard_normal(n)})
    people["age"] = rng.normal(54.5, 7.2, n)
    fd = rng.standard_normal((2, n))
    columns: dict[str, np.ndarray] = {}
    for name, effect in truth.list_effects().items():
        kind, _, is_edge = CLAIMS[name]
        columns[name] = _PLANTED[kind](people, truth, name, effect, rng) - 0.5 * is_edge * fd
    sessions = [
        people.assign(
            participant_id=[f"sub-{index:03d}" for index in range(n)],
            session=str(session + 1),
            mean_fd=0.2 + 0.04 * fd[session],
            **{name: values[session] for name, values in columns.items()},
        )
        for session in (0, 1)
    ]
    return pd.concat(sessions, ignore_index=True)


def _draw_sessions(n: int, rng: np.random.Generator) -> np.ndarray:
    shared = rng.standard_normal(n)
    own = rng.standard_normal((2, n))
    return np.asarray(CORRELATION**0.5 * shared + (1 - CORRELATION) ** 0.5 * own)


def _spread(people: pd.DataFrame, truth: Comparisons, column: str, value: str) -> np.ndarray:
    return np.where(people[column] == value, truth.sd_ratio, 1.0)


def _plant_estimate(weights: Callable[[pd.DataFrame], np.ndarray]) -> Callable[..., np.ndarray]:
    """Return what plants a claim's true estimate times these weights of (sessions, people)."""

    def plant(
        people: pd.DataFrame, truth: Comparisons, name: str, effect: float, rng: np.random.Generator
    ) -> np.ndarray:
        del effect
        noise = _spread(people, truth, "group", "therapist") * _draw_sessions(len(people), rng)
        return np.asarray(noise + truth.list_truth()[name] * weights(people))

    return plant


def _plant_levels(
    people: pd.DataFrame, truth: Comparisons, name: str, effect: float, rng: np.random.Generator
) -> np.ndarray:
    del name
    steps = people["site"].map({"X": 0.0, "Y": 1.0, "Z": 2.0}).to_numpy()
    spread = _spread(people, truth, "site", "X")
    return np.asarray(
        spread * _draw_sessions(len(people), rng) + effect * (steps - steps.mean()) / steps.std()
    )


def _is(people: pd.DataFrame, column: str, value: str) -> np.ndarray:
    return np.asarray(people[column] == value, dtype=float)


_PLANTED: Mapping[str, Callable[..., np.ndarray]] = {
    "slopes": _plant_estimate(
        lambda people: people["FS"].to_numpy() * (_is(people, "group", "therapist") - 0.5)
    ),
    "contrasts": _plant_estimate(lambda people: _is(people, "group", "therapist") * _is(people, "sex", "F")),
    "changes": _plant_estimate(lambda people: np.outer([0.0, 1.0], _is(people, "group", "therapist"))),
    "mean": _plant_estimate(lambda people: np.ones(len(people))),
    "levels": _plant_levels,
}
