"""Whole-brain maps: Freedman-Lane max-T, clusters and TFCE, against nilearn's permuted_ols on one thread.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/voxelwise.py [--voxels 200000] [--rounds 3] [--full]

36 people, 3 covariates. rsconn and nilearn take turns, and medians are printed. rsconn runs all 10,000
permutations; nilearn runs some, and its time is scaled up from those beyond the first ten (--full: all). TFCE is
scaled up from some permutations on both sides. CPU times are given beside wall times, because wall times on a
shared machine say more about the neighbours. The matrix products alone are the least that this way of computing
could take; their speed is that of the BLAS kernel, which is named (OPENBLAS_CORETYPE in the environment changes it).
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
from rsconn.inference.exceedances import TILE, choose_batch, compute_t_maps
from rsconn.inference.patches import STRIPE, split_patches
from rsconn.inference.voxelwise import permute_maps

N_PEOPLE, N_PERMUTATIONS, N_TFCE = 36, 10_000, 2_000
N_NILEARN = 200
SOME_TFCE = 48


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
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="all permutations with nilearn, too")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        sys.exit("OMP_NUM_THREADS=1 needed: threads that wait for each other count as CPU time")
    maps, group, nuisance = make_study(options.voxels)
    voxels, shape = make_brain(options.voxels)
    neighbours = find_neighbours(voxels, shape)

    def permute() -> np.ndarray:
        return measure(
            lambda: permute_maps(
                maps, group, nuisance, neighbours, n_permutations=N_PERMUTATIONS, seed=1, tfce=False
            )
        )

    ours, theirs, products = [], [], []
    peak = 0.0
    for _ in range(options.rounds):
        ours.append(permute())
        peak = peak or peak_mb()  # before nilearn is imported
        products.append(measure_products(maps, group, nuisance))
        theirs.append(measure_nilearn(maps, group, nuisance, N_PERMUTATIONS if options.full else N_NILEARN))
    print(f"BLAS kernel: {name_kernel()}; load {os.getloadavg()[0]:.1f}; medians of {options.rounds} rounds")
    show("rsconn, max-T, size and mass", np.median(ours, axis=0))
    show("  of which matrix products", np.median(products, axis=0))
    print(f"{'  peak memory of the process':44s} {peak:8.0f} MB")
    show("nilearn permuted_ols, max-T only", np.median(theirs, axis=0))
    show_ratio(np.array(theirs) / np.array(ours))
    compare_tfce(maps, group, nuisance, voxels, shape)


def name_kernel() -> str:
    """Return the processor that the matrix products' library was written for, as it says."""
    from threadpoolctl import threadpool_info

    found = {f"{pool['internal_api']} {pool.get('architecture', '')}" for pool in threadpool_info()}
    return ", ".join(sorted(found - {"openmp "}))


def measure_products(maps: np.ndarray, group: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """Return seconds of all matrix products of the search, scaled up from one batch."""
    [patch] = split_patches(maps, group, nuisance)
    batch = choose_batch(patch)
    orders = draw_orders(N_PEOPLE, None, batch, np.random.default_rng(1))
    tall = patch.make_rows(orders).astype(np.float32).reshape(-1, patch.stripes.shape[1])
    n_together = max(TILE // (len(tall) * STRIPE), 1)
    out = np.empty((len(tall), n_together, STRIPE), np.float32).transpose(1, 0, 2)

    def multiply() -> None:
        for start in range(0, len(patch.stripes), n_together):
            tile = patch.stripes[start : start + n_together]
            np.matmul(tall, tile, out=out[: len(tile)])

    return measure(multiply) * (N_PERMUTATIONS / batch)


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
    """Print the time of the maps with TFCE, and nilearn's for TFCE alone."""
    from nilearn.mass_univariate._utils import calculate_tfce
    from scipy.ndimage import generate_binary_structure

    neighbours = find_neighbours(voxels, shape)

    def permute(count: int) -> np.ndarray:
        return measure(
            lambda: permute_maps(maps, group, nuisance, neighbours, n_permutations=count, seed=1, tfce=True)
        )

    few, many = permute(2), permute(2 + SOME_TFCE)
    ours = few + (many - few) / SOME_TFCE * N_TFCE
    orders = draw_orders(N_PEOPLE, None, 2, np.random.default_rng(1))
    t = compute_t_maps(tuple(split_patches(maps, group, nuisance)), orders, len(voxels))
    volumes = np.zeros((np.prod(shape), 2))
    volumes[voxels] = t.T
    theirs = measure(
        lambda: calculate_tfce(
            volumes.reshape(*shape, 2, order="F"), generate_binary_structure(3, 1), two_sided_test=True
        )
    )
    show(f"rsconn, {N_TFCE} permutations with TFCE", ours)
    show(f"nilearn, TFCE alone of {N_TFCE} maps", theirs / 2 * N_TFCE)
    show_ratio((theirs / 2 * N_TFCE / ours)[None])


def show(name: str, seconds: np.ndarray) -> None:
    """Print one line."""
    print(f"{name:44s} {seconds[0]:8.2f} s wall {seconds[1]:8.2f} s CPU", flush=True)


def show_ratio(ratios: np.ndarray) -> None:
    """Print the median of the rounds' ratios, and their range."""
    wall, cpu = np.median(ratios, axis=0)
    spread = f"  rounds {ratios[:, 0].min():.1f} to {ratios[:, 0].max():.1f} wall" if len(ratios) > 1 else ""
    print(f"{'  nilearn / rsconn':44s} {wall:8.1f} wall   {cpu:8.1f} CPU{spread}")


if __name__ == "__main__":
    main()
