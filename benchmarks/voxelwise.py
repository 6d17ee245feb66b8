"""Whole-brain maps: Freedman-Lane max-T, clusters and TFCE, against nilearn's permuted_ols on one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/voxelwise.py [--voxels 200000] [--full]

36 people, 3 covariates. rsconn runs all 10,000 permutations; nilearn runs some, in turns with rsconn's, and its
time is scaled up from those beyond the first ten (--full: all). CPU times are given beside wall times, because
wall times on a shared machine say more about the neighbours.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from rsconn.inference.arrangements import draw_orders
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.exceedances import compute_t_maps
from rsconn.inference.patches import split_patches
from rsconn.inference.tfce import compute_tfce
from rsconn.inference.voxelwise import permute_maps

N_PEOPLE, N_PERMUTATIONS = 36, 10_000
N_NILEARN = 200


def make_study(n_voxels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return maps, group and nuisance."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((N_PEOPLE, n_voxels), np.float32)
    group = np.repeat([1.0, 0.0], N_PEOPLE // 2)
    return maps, group, np.column_stack([np.ones(N_PEOPLE), rng.normal(size=(N_PEOPLE, 3))])


def make_brain(n_voxels: int) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Return the voxels of an ellipsoid of about the brain's proportions, and its grid."""
    shape = tuple(int(1.02 * side * (n_voxels / 200_000) ** (1 / 3)) + 1 for side in (73, 89, 60))
    grid = np.indices(shape)
    radius = sum(((grid[i] - (shape[i] - 1) / 2) / (shape[i] / 2)) ** 2 for i in range(3))
    inside = np.argsort(radius.ravel(order="F"), kind="stable")[:n_voxels]
    return np.sort(inside), shape


def measure(function: Callable[[], object]) -> np.ndarray:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def peak_mb() -> float:
    """Return the process's peak memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--voxels", type=int, default=200_000)
    parser.add_argument("--full", action="store_true", help="all permutations with nilearn, too")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("OMP_NUM_THREADS=1 needed: threads that wait for each other count as CPU time")
    maps, group, nuisance = make_study(options.voxels)
    voxels, shape = make_brain(options.voxels)
    neighbours = find_neighbours(voxels, shape)

    def ours(count: int = N_PERMUTATIONS) -> object:
        return permute_maps(maps, group, nuisance, neighbours, n_permutations=count, seed=1, tfce=False)

    first = measure(ours)
    peak = peak_mb()  # before nilearn is imported
    theirs = measure_nilearn(maps, group, nuisance, N_PERMUTATIONS if options.full else N_NILEARN)
    second = measure(ours)
    best = np.minimum(first, second)
    show("rsconn, max-T, size and mass", best)
    print(f"{'  peak memory of the process':44s} {peak:8.0f} MB")
    show("nilearn permuted_ols, max-T only", theirs)
    print(f"{'  nilearn / rsconn':44s} {theirs[0] / best[0]:8.1f} wall {theirs[1] / best[1]:8.1f} CPU")
    compare_tfce(maps, group, nuisance, voxels, shape)


def measure_nilearn(maps: np.ndarray, group: np.ndarray, nuisance: np.ndarray, count: int) -> np.ndarray:
    """Return seconds for all permutations, scaled from the difference of two counts."""
    from nilearn.mass_univariate import permuted_ols

    def run(n_perm: int) -> np.ndarray:
        return measure(
            lambda: permuted_ols(group, maps, nuisance[:, 1:], n_perm=n_perm, n_jobs=1, random_state=0)
        )

    few, many = run(10), run(count)
    return few + (many - few) / (count - 10) * (N_PERMUTATIONS - 10)


def compare_tfce(
    maps: np.ndarray, group: np.ndarray, nuisance: np.ndarray, voxels: np.ndarray, shape: tuple[int, int, int]
) -> None:
    """Print the time of one map's TFCE."""
    from nilearn.mass_univariate._utils import calculate_tfce
    from scipy.ndimage import generate_binary_structure

    patches = tuple(split_patches(maps, group, nuisance))
    orders = draw_orders(N_PEOPLE, None, 4, np.random.default_rng(1))
    t = compute_t_maps(patches, orders, len(voxels))
    neighbours = find_neighbours(voxels, shape)
    ours = measure(lambda: [compute_tfce(row[None], neighbours) for row in t]) / 4
    image = np.zeros(np.prod(shape))
    image[voxels] = t[0]
    volume = image.reshape(shape, order="F")[..., None]
    theirs = measure(lambda: calculate_tfce(volume, generate_binary_structure(3, 1)))
    show("rsconn, TFCE of one map", ours)
    show("nilearn, TFCE of one map", theirs)
    print(f"{'  nilearn / rsconn':44s} {theirs[0] / ours[0]:8.1f} wall {theirs[1] / ours[1]:8.1f} CPU")


def show(name: str, seconds: np.ndarray) -> None:
    """Print one line."""
    print(f"{name:44s} {seconds[0]:8.2f} s wall {seconds[1]:8.2f} s CPU", flush=True)


if __name__ == "__main__":
    main()
