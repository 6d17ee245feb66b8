"""Cohorts with a known truth: each claim exactly where a false verdict is most likely.

Under `null` every claim of a difference or association has an effect of exactly zero, and every claim of no
difference lies exactly on its smallest effect of interest, so that *any* "supported" is false. Under `sesoi` the
claims of a difference lie exactly on the smallest effect of interest in the claimed direction (S5 beyond it), so that
any "contradicted" is false.

Scores and edges have a within-cell SD of `Scenario.get_sd`; cells are group x sex, and the sexes halve each group.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rsconn.settings.claims import Claim
from rsconn.settings.config import Config

CELLS = (("therapist", "F"), ("therapist", "M"), ("control", "F"), ("control", "M"))
SCORES = ("FS", "PT", "EC", "PD", "ES", "CR")
EDGES = ("LAI-dmPFC", "rACC-oPFC")
# The study's own claims have no "unrelated"; this one has its truth on the bound as well.
UNRELATED = Claim(
    id="U1",
    family="added",
    text="Among controls, PD is unrelated to CR (added for the calibration).",
    sample="group == 'control'",
    outcome="PD",
    predictor="CR",
    expect="unrelated",
)


@dataclass(frozen=True)
class Scenario:
    """How the cohorts of a scenario are drawn.

    Attributes
    ----------
    name : str
    guarantee : bool
        Whether its rates have a pass mark.
    planting : {'null', 'sesoi'}
        Where the truth lies (see the module's text).
    cohorts : {'study', 'pairs', 'families', 'comparisons'}
        The study's people, people measured twice (`calibration.repeated`), families (`calibration.families`) or
        those of `calibration.comparisons`, for whom nothing below counts.
    n_scored, n_scanned : (int, int)
        Therapists, controls; even numbers.
    sd_therapists, sd_women : float
        SD relative to controls, and to men.
    gamma_shape : float or None
        Errors are standardised gamma of this shape (skew 2 / sqrt(shape)); None: normal.
    fd_shift : float
        Therapists' mean FD exceeds the controls' by so many SD.
    fd_effect : float
        Change of both edges, in SD, per SD of the true mean FD.
    fd_reliability : float
        Share of the measured mean FD's variance that is true.
    """

    name: str
    guarantee: bool = True
    planting: str = "null"
    cohorts: str = "study"
    n_scored: tuple[int, int] = (52, 92)
    n_scanned: tuple[int, int] = (18, 18)
    sd_therapists: float = 1.0
    sd_women: float = 1.0
    gamma_shape: float | None = None
    fd_shift: float = 0.0
    fd_effect: float = 0.0
    fd_reliability: float = 1.0

    def get_sd(self, cell: tuple[str, str]) -> float:
        """Return the SD of everything within a cell."""
        group, sex = cell
        return (self.sd_therapists if group == "therapist" else 1.0) * (self.sd_women if sex == "F" else 1.0)


SCENARIOS = (
    Scenario("normal"),
    Scenario("unequal", sd_therapists=2.0, sd_women=1.5),
    Scenario("skew", n_scored=(52, 52), gamma_shape=4.0),
    Scenario("sesoi", planting="sesoi"),
    Scenario("pairs", cohorts="pairs"),
    Scenario("families", cohorts="families"),
    Scenario("comparisons", cohorts="comparisons"),
    Scenario("comparisons-sesoi", cohorts="comparisons", planting="sesoi"),
    Scenario(
        "stress-cells", guarantee=False, n_scored=(12, 40), n_scanned=(8, 18), sd_therapists=3.0, gamma_shape=1.0
    ),
    Scenario(
        "stress-cells-small-sd", guarantee=False, n_scored=(12, 40), n_scanned=(8, 18), sd_therapists=1 / 3,
        gamma_shape=1.0,
    ),
    Scenario("stress-motion", guarantee=False, fd_shift=1.0, fd_effect=-0.5),
    Scenario("stress-noisy-fd", guarantee=False, fd_shift=1.0, fd_effect=-0.5, fd_reliability=0.5),
)  # fmt: skip


@dataclass(frozen=True)
class Planting:
    """Cell means of the scores, what the edges are made of, and each claim's true estimate.

    Attributes
    ----------
    means : mapping of score to mapping of cell to float
    edge_shifts : mapping of edge to float
        Therapists - controls.
    loadings : mapping of (edge, score) to float
        Change of the edge per unit of the score's error.
    pd_on_cr : float
        Correlation of the errors of PD and CR.
    truth : mapping of claim id to float
        In units of the estimate.
    """

    means: Mapping[str, Mapping[tuple[str, str], float]]
    edge_shifts: Mapping[str, float]
    loadings: Mapping[tuple[str, str], float]
    pd_on_cr: float
    truth: Mapping[str, float]


def plant(scenario: Scenario, *, g: float, partial_r: float) -> Planting:
    """Solve for the cell means that put each claim where the scenario wants it."""
    return (_plant_null if scenario.planting == "null" else _plant_sesoi)(scenario, g, partial_r)


def _plant_null(scenario: Scenario, g: float, partial_r: float) -> Planting:
    means = {
        name: _place_on_bound(scenario, g, sex=name in {"FS", "PT", "EC", "PD"}, group=name in {"EC", "PD", "CR"})
        for name in SCORES
    }  # fmt: skip
    slopes = dict.fromkeys(("B1", "B2", "B3", "B4", "B5"), 0.0)
    truth = {**_list_contrasts(means), "F1": 0.0, "F2": 0.0, **slopes, "U1": partial_r}
    return Planting(means, dict.fromkeys(EDGES, 0.0), {}, partial_r, truth)


def _plant_sesoi(scenario: Scenario, g: float, partial_r: float) -> Planting:
    """Place every effect on its bound; for within-cell SDs of 1 only.

    Of the sex x group interaction of ES, an additive model leaves a sixteenth of its square in the residual
    variance; the loading makes up for it.
    """
    means = {
        "FS": dict(zip(CELLS, (g, g, 0.0, 0.0), strict=True)),
        "PT": dict(zip(CELLS, (g, g, 0.0, 0.0), strict=True)),
        "EC": _place_on_bound(scenario, g, sex=True, group=True, controls=g),
        "PD": _place_on_bound(scenario, g, sex=True, group=True),
        "CR": _place_on_bound(scenario, g, sex=False, group=True),
        "ES": _place_suppression(scenario, g),
    }
    es = means["ES"]
    interaction = es[CELLS[0]] - es[CELLS[1]] - es[CELLS[2]] + es[CELLS[3]]
    left = 1 + interaction**2 / 16
    first, second = EDGES
    loadings = {
        (first, "PT"): -partial_r,
        (first, "FS"): partial_r,
        (second, "PT"): -partial_r,
        (second, "ES"): -partial_r * left**0.5,
    }
    slopes = {
        "B1": -partial_r,
        "B2": -partial_r,
        "B3": partial_r,
        "B4": -partial_r,
        "B5": -partial_r / left**0.5,
    }
    truth = {**_list_contrasts(means), "F1": g, "F2": -g, **slopes, "U1": partial_r}
    return Planting(means, {first: g, second: -g}, loadings, partial_r, truth)


def _place_on_bound(
    scenario: Scenario, g: float, *, sex: bool, group: bool, controls: float = 0.0
) -> dict[tuple[str, str], float]:
    """Put women - men among therapists, and therapists - controls, on g of the claims' own standardisers.

    The standardiser is the root mean of the two sides' variances; a group's variance is that within its cells
    plus a quarter of the squared difference between them. `controls` is women - men among controls.
    """
    variances = [scenario.get_sd(cell) ** 2 for cell in CELLS]
    within_t, within_c = (variances[0] + variances[1]) / 2, (variances[2] + variances[3]) / 2
    between = g * within_t**0.5 if sex else 0.0
    total = (within_t + between**2 / 4 + within_c + controls**2 / 4) / 2
    shift = g * total**0.5 if group else 0.0
    return dict(
        zip(CELLS, (shift + between / 2, shift - between / 2, controls / 2, -controls / 2), strict=True)
    )


def _place_suppression(scenario: Scenario, g: float) -> dict[tuple[str, str], float]:
    """Put P5, S3 and S4 on -g at once; S5 is then -2 g."""
    women_t = 0.0
    for _ in range(100):  # converges at once: the group's variance hardly depends on it
        variance = scenario.get_sd(CELLS[0]) ** 2 + (((women_t + g) / 2) ** 2 + (g / 2) ** 2) / 2
        women_t = 2 * (g / 2 - g * variance**0.5) + g
    return dict(zip(CELLS, (women_t, -g, 0.0, g), strict=True))


def _list_contrasts(means: Mapping[str, Mapping[tuple[str, str], float]]) -> dict[str, float]:
    """Return the true difference that each claim on scores contrasts."""
    t_f, t_m, c_f, c_m = CELLS
    groups = ([t_f, t_m], [c_f, c_m])
    sides = {
        **{name: (score, *groups) for name, score in zip(("P1", "P2", "P3", "P4", "P5", "P6"),
                                                         ("FS", "PT", "EC", "PD", "ES", "CR"), strict=True)},
        **{f"S1{letter}": (score, [t_f], [t_m]) for letter, score in zip("abcd", SCORES, strict=False)},
        "S2": ("EC", [c_f], [c_m]),
        "S3": ("ES", [c_f], [c_m]),
        "S4": ("ES", [t_m], [c_f]),
        "S5": ("ES", [t_m], [c_m]),
    }  # fmt: skip
    return {
        name: float(np.mean([means[score][cell] for cell in a]) - np.mean([means[score][cell] for cell in b]))
        for name, (score, a, b) in sides.items()
    }


def draw_cohort(scenario: Scenario, planting: Planting, number: int) -> pd.DataFrame:
    """Draw the cohort of this number; it depends on nothing else."""
    rng = np.random.default_rng([20220401, zlib.crc32(scenario.name.encode()), number])
    sizes = [n // 2 for n in scenario.n_scored for _ in "FM"]
    scanned_sizes = [n // 2 for n in scenario.n_scanned for _ in "FM"]
    cell = np.repeat(np.arange(4), sizes)
    scanned = np.concatenate([np.arange(n) < m for n, m in zip(sizes, scanned_sizes, strict=True)])
    sd = np.array([scenario.get_sd(each) for each in CELLS])[cell]
    group, sex = (np.array([each[side] for each in CELLS])[cell] for side in (0, 1))
    errors = dict(zip((*SCORES, *EDGES), _draw_errors(scenario, (8, cell.size), rng), strict=True))
    r = planting.pd_on_cr
    errors["PD"] = r * errors["CR"] + (1 - r**2) ** 0.5 * errors["PD"]
    scores = {
        name: np.array([planting.means[name][each] for each in CELLS])[cell] + sd * errors[name]
        for name in SCORES
    }
    true_fd, mean_fd = _draw_fd(scenario, group == "therapist", rng)
    edges = {}
    for edge in EDGES:
        loadings = {score: value for (name, score), value in planting.loadings.items() if name == edge}
        rest = (1 - sum(value**2 for value in loadings.values())) ** 0.5 * errors[edge]
        values = sd * (rest + sum(value * errors[score] for score, value in loadings.items()))
        values += planting.edge_shifts[edge] * (group == "therapist") + scenario.fd_effect * true_fd
        edges[edge] = np.where(scanned, values, np.nan)
    people = {
        "participant_id": [f"sub-{index:03d}" for index in range(cell.size)],
        "session": "n/a",
        "group": group,
        "sex": sex,
        "age": np.rint(rng.normal(54.5, 7.2, cell.size)),
    }
    return pd.DataFrame({**people, **scores, "mean_fd": np.where(scanned, mean_fd, np.nan), **edges})


def _draw_errors(scenario: Scenario, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw errors of mean 0 and SD 1."""
    k = scenario.gamma_shape
    return rng.standard_normal(shape) if k is None else (rng.standard_gamma(k, shape) - k) / k**0.5


def _draw_fd(
    scenario: Scenario, is_therapist: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the true mean FD in SD units, and the measured one in mm."""
    true = rng.standard_normal(is_therapist.size) + scenario.fd_shift * is_therapist
    noise_sd = (1 / scenario.fd_reliability - 1) ** 0.5
    return true, 0.2 + 0.04 * (true + noise_sd * rng.standard_normal(is_therapist.size))


def make_config(config: Config) -> Config:
    """Return the study's config with its own claims, the exploratory ones left out, and the added one."""
    own = [claim for claim in config.claims if not claim.exploratory]
    return config.model_copy(update={"claims": (*own, UNRELATED)})
