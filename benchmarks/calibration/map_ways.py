"""Null maps by both ways of making null outcomes: signs flipped, people permuted; where each errs, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special
from scipy.ndimage import gaussian_filter

from calibration.maps import STATISTICS, find_smallest_p
from calibration.tallies import Tally
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.voxelwise import MapTest, flip_maps, permute_maps

SHAPE, FWHM_VOXELS = (10, 10, 10), 2.5
FORMING_P = 0.005
# 5 % of B + 1 is whole
N_NULL, CHUNK = 59, 50
WAYS = ("flips", "permutation")
COLUMNS = tuple(f"{statistic}, {way}" for way in WAYS for statistic in STATISTICS)
_SEED = 20220401


@dataclass(frozen=True)
class WayCase:
    """Null cohorts: how many people, how they differ, and what is tested.

    Attributes
    ----------
    sizes : (int, int)
        People of the groups.
    sd_ratio : float
        SD of the first group relative to the second.
    skewed : bool
        Errors have an exponential distribution (skewness 2), of which the mean is taken off.
    slope : bool
        A skewed score's slope with the group adjusted for, instead of the group's difference.
    """

    sizes: tuple[int, int] = (18, 18)
    sd_ratio: float = 1.0
    skewed: bool = False
    slope: bool = False


CASES = {
    "18 v 18": WayCase(),
    "18 v 18, SD x 2": WayCase(sd_ratio=2.0),
    "12 v 24": WayCase((12, 24)),
    "12 v 24, small group's SD x 2": WayCase((12, 24), 2.0),
    "12 v 24, large group's SD x 2": WayCase((12, 24), 0.5),
    "18 v 18, skewed": WayCase(skewed=True),
    "12 v 24, skewed": WayCase((12, 24), skewed=True),
    "slope, 18 + 18": WayCase(slope=True),
    "slope, 18 + 18, SD x 2": WayCase(sd_ratio=2.0, slope=True),
    "slope, 12 + 24, small group's SD x 2": WayCase((12, 24), 2.0, slope=True),
    "slope, 18 + 18, skewed": WayCase(skewed=True, slope=True),
}


def name_part(name: str) -> str:
    """Return the name of the part that has a case's results."""
    return f"maps-ways-{list(CASES).index(name)}"


def evaluate_ways(name: str, numbers: Sequence[int]) -> Tally:
    """Return the smallest corrected p of each statistic by each way in the null cohorts of these numbers."""
    p = [[value for test in run_ways(name, number) for value in find_smallest_p(test)] for number in numbers]
    return Tally(COLUMNS, {"p": np.array(p)})


def run_ways(name: str, number: int) -> tuple[MapTest, MapTest]:
    """Draw the cohort of this number; test it by flips, and by permutation as the study's maps are permuted."""
    case, rng = CASES[name], np.random.default_rng([_SEED, 17, list(CASES).index(name), number])
    n = sum(case.sizes)
    group = np.repeat([1.0, 0.0], case.sizes)
    maps = draw_errors(n, case, rng) * np.where(group == 1, case.sd_ratio, 1.0)[:, None]
    covariates = (rng.normal(size=(n, 2)), rng.permuted(np.arange(n) % 2.0))
    score = rng.exponential(size=n)
    tested = score if case.slope else group
    nuisance = np.column_stack([np.ones(n), *covariates, *([group] if case.slope else [])])
    given = (maps, tested, nuisance, get_cube())
    blocks = group.astype(np.int64) if case.slope else None
    return (
        flip_maps(*given, n_flips=N_NULL, seed=number, cluster_forming_p=FORMING_P),
        permute_maps(*given, n_permutations=N_NULL, seed=number, cluster_forming_p=FORMING_P, blocks=blocks),
    )


@cache
def get_cube() -> np.ndarray:
    """Return the neighbours of a cube's voxels; their order, z fastest, is as good as any."""
    return find_neighbours(np.arange(int(np.prod(SHAPE))), SHAPE)


def draw_errors(n: int, case: WayCase, rng: np.random.Generator) -> np.ndarray:
    """Draw stationary fields of mean 0 and SD 1; (n, n_voxels)."""
    sigma = FWHM_VOXELS / (8 * np.log(2)) ** 0.5
    white = rng.standard_normal((n, *SHAPE))
    smooth = gaussian_filter(white, sigma=(0, sigma, sigma, sigma), mode="wrap", truncate=4.0)
    fields = smooth.reshape(n, -1) * _measure_scale(sigma)
    return -special.log_ndtr(-fields) - 1 if case.skewed else fields


@cache
def _measure_scale(sigma: float) -> float:
    """Return 1 / SD of smoothed white noise."""
    impulse = np.zeros((41, 41, 41))
    impulse[20, 20, 20] = 1
    return float((gaussian_filter(impulse, sigma, truncate=4.0) ** 2).sum() ** -0.5)
