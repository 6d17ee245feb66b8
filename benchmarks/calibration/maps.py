"""Null maps: smooth Gaussian fields of two groups with covariates, through the test that seed maps go through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from calibration.tallies import Tally
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.voxelwise import MapTest, flip_maps
from rsconn.simulate.anatomy import make_anatomy

VOXEL_MM = 4.0
FWHM_MM = 10.0
N_GROUP = 18
CHUNK = 20
STATISTICS = ("max-T", "cluster extent", "cluster mass", "TFCE")
# Any number B for which 5 % of B + 1 is whole gives a valid test an error rate of 5 %: TFCE, the slow one, has few.
N_PERMUTATIONS = {"clusters": 499, "tfce": 99}
_SEED = 20220401


def evaluate_null_maps(sd_ratio: float, kind: str, numbers: Sequence[int]) -> Tally:
    """Return the smallest corrected p of each statistic in the null cohorts of these numbers.

    Parameters
    ----------
    sd_ratio : float
        SD of the first group relative to the second.
    kind : {'clusters', 'tfce'}
        Without or with TFCE, which takes most of the time; NaN without.
    """
    tests = [run_null_maps(sd_ratio, number, kind) for number in numbers]
    return Tally(STATISTICS, {"p": np.array([find_smallest_p(test) for test in tests])})


def run_null_maps(sd_ratio: float, number: int, kind: str) -> MapTest:
    """Draw the cohort of this number and test its group difference, adjusted for age, sex and mean FD."""
    neighbours = get_mask()[1]
    rng = np.random.default_rng([_SEED, 11, number])
    group = np.repeat([1.0, 0.0], N_GROUP)
    maps = draw_fields(2 * N_GROUP, rng) * np.where(group == 1, sd_ratio, 1.0)[:, None].astype(np.float32)
    sex = np.tile([0.0, 1.0], N_GROUP)
    nuisance = np.column_stack([np.ones(2 * N_GROUP), rng.normal(size=(2 * N_GROUP, 2)), sex])
    return flip_maps(
        maps,
        group,
        nuisance,
        neighbours,
        n_flips=N_PERMUTATIONS[kind],
        seed=number,
        tfce=kind == "tfce",
    )


@cache
def get_mask() -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """Return the simulated brain's voxels (flat, in file order), their neighbours, and the grid."""
    anatomy = make_anatomy(VOXEL_MM)
    voxels = anatomy.voxels[anatomy.brain > 0.5]
    return voxels, find_neighbours(voxels, anatomy.shape), anatomy.shape


def draw_fields(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw stationary Gaussian fields of `FWHM_MM` in the mask, float32 (n, n_voxels)."""
    voxels, _, shape = get_mask()
    white = rng.standard_normal((n, *shape[::-1]), np.float32)  # z first: flat places are then in file order
    sigma = FWHM_MM / VOXEL_MM / (8 * np.log(2)) ** 0.5
    smooth = gaussian_filter(white, sigma=(0, sigma, sigma, sigma), mode="wrap", truncate=3.0)
    return smooth.reshape(n, -1)[:, voxels]


def find_smallest_p(test: MapTest) -> list[float]:
    """Return the smallest corrected p anywhere: by largest |t|, extent, mass, TFCE (1 without a cluster)."""
    tfce = np.nan if test.tfce_p is None else float(np.nanmin(test.tfce_p))
    clusters = [float(p.min()) if p.size else 1.0 for p in (test.size_p, test.mass_p)]
    return [float(np.nanmin(test.p)), *clusters, tfce]
