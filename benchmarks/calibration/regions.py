"""Regions that the data chose, without any effect: the usual p in the same data, without each person, and repeated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import stats
from scipy.ndimage import gaussian_filter

from calibration.tallies import Tally
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.folds import Selection, permute_left_out

SHAPE = (12, 12, 12)
FWHM_VOXELS = 2.5
N_GROUP = 18
# Cluster-forming p, two-sided: lenient enough that nearly every field has a region in nearly every fold
FORMING_P = 0.01
WAYS = ("same data", "without each person, usual p", "without each person, selection repeated")
_SEED = 20220401


# Any number B for which 5 % of B + 1 is whole gives a valid test an error rate of 5 %; few are enough for a rate.
N_PERMUTATIONS = 99


def evaluate_regions(numbers: Sequence[int]) -> Tally:
    """Return the p of each way in the null cohorts of these numbers; NaN where there is no region."""
    p = [_evaluate_one(number) for number in numbers]
    return Tally(WAYS, {"p": np.array(p)})


def _evaluate_one(number: int) -> list[float]:
    rng = np.random.default_rng([_SEED, 13, number])
    n = 2 * N_GROUP
    group = np.repeat([1.0, 0.0], N_GROUP)
    maps = gaussian_filter(
        rng.standard_normal((n, *SHAPE)), (0, *[FWHM_VOXELS / (8 * np.log(2)) ** 0.5] * 3), mode="wrap"
    ).reshape(n, -1)
    nuisance = np.column_stack([np.ones(n), rng.normal(size=(n, 2)), np.tile([0.0, 1.0], N_GROUP)])
    threshold = float(stats.t.isf(FORMING_P / 2, n - nuisance.shape[1] - 1))
    t = compute_t(maps, group, nuisance)
    chosen = t > threshold
    same = maps[:, chosen].mean(axis=1) if chosen.any() else np.full(n, np.nan)
    left_out = permute_left_out(
        maps,
        group,
        nuisance,
        _get_neighbours(),
        Selection(threshold),
        n_permutations=N_PERMUTATIONS,
        seed=number,
    )
    repeated = float(np.nanmin(left_out.p)) if np.isfinite(left_out.p).any() else np.nan
    return [
        compute_usual_p(same, group, nuisance),
        compute_usual_p(left_out.means[0], group, nuisance),
        repeated,
    ]


@cache
def _get_neighbours() -> np.ndarray:
    # the maps' last axis runs fastest, which of a cube with one size for all axes is as good as the first
    return find_neighbours(np.arange(int(np.prod(SHAPE))), SHAPE)


def compute_usual_p(values: np.ndarray, group: np.ndarray, nuisance: np.ndarray) -> float:
    """Return the two-sided p of the group's coefficient among the people with a value, NaN if they are too few."""
    present = np.isfinite(values)
    design = np.column_stack([group, nuisance])[present]
    dof = len(design) - design.shape[1]
    if dof < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        return np.nan
    t = compute_t(values[present, None], group[present], nuisance[present])[0]
    return float(2 * stats.t.sf(abs(t), dof))


def compute_t(outcomes: np.ndarray, tested: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """Return classical t of what is tested for each column of outcomes (n_people, n_outcomes)."""
    design = np.column_stack([tested, nuisance])
    coefficients = np.linalg.lstsq(design, outcomes, rcond=None)[0]
    residuals = outcomes - design @ coefficients
    variance = (residuals**2).sum(axis=0) / (len(tested) - design.shape[1])
    return coefficients[0] / np.sqrt(variance * np.linalg.inv(design.T @ design)[0, 0])
