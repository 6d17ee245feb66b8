"""All edges of an atlas: error rates under the null, power, and the time for 400 regions.

    python benchmarks/edgewise.py [--cohorts 1000] [--flips 199] [--no-time]

Null cohorts of 36 people and 25 regions (300 edges) whose edges share what their regions have in common. The last two
columns say in how many of them anything was found at 5 %.
"""

from __future__ import annotations

import argparse
import resource
import time
from itertools import combinations
from typing import Literal

import numpy as np

from rsconn.inference.edgewise import compare_edges, draw_arrangements

ALPHA, N_ROIS = 0.05, 25
Exchange = Literal["signs", "orders"]


def draw_edges(rng: np.random.Generator, n: int, pairs: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return Fisher z (n, n_edges): each region moves all of its edges, each edge has noise of its own."""
    regions = rng.standard_normal((n, pairs.max() + 1))
    shared = regions[:, pairs[:, 0]] + regions[:, pairs[:, 1]]
    return sd[:, np.newaxis] * (0.5 * shared + rng.standard_normal((n, len(pairs))))


def measure(
    name: str,
    sizes: tuple[int, int],
    ratio: float,
    exchange: Exchange,
    options: argparse.Namespace,
    effect: float = 0.0,
) -> None:
    """Print how often something is found: by any edge, by extent and by intensity."""
    rng, n = np.random.default_rng(20220401), sum(sizes)
    pairs = np.array(list(combinations(range(N_ROIS), 2)))
    sd = np.repeat([1.0, ratio], sizes)
    found = np.zeros(3)
    for seed in range(options.cohorts):
        group = np.repeat([0.0, 1.0], sizes)
        tested = group if name != "slope" else rng.exponential(1.0, n)
        age = rng.normal(40, 9, n)
        values = draw_edges(rng, n, pairs, sd)
        # a star of eight edges
        values[:, :8] += effect * (tested - tested.mean())[:, np.newaxis]
        nuisance = np.column_stack([np.ones(n), age])
        drawn = draw_arrangements(n, exchange, options.flips, seed, blocks=None, units=None)
        test = compare_edges(values, pairs, tested, nuisance, drawn, exchange, forming_p=0.01)
        least = [np.nanmin(test.p_fwe), *(min(p, default=1.0) for p in (test.size_p, test.intensity_p))]
        found += np.array(least) <= ALPHA
    rates = " | ".join(f"{100 * rate:.1f} %" for rate in found / options.cohorts)
    title = f"{name}, {sizes[0]} v {sizes[1]}, SD ratio {ratio:g}" + (
        f", effect {effect:g}" if effect else ""
    )
    print(f"| {title} | {exchange} | {rates} |", flush=True)


def measure_time(n_rois: int = 400, n_people: int = 36, n_flips: int = 10_000) -> None:
    """Print how long every edge of an atlas takes, and the memory."""
    rng = np.random.default_rng(0)
    pairs = np.array(list(combinations(range(n_rois), 2)))
    values = rng.normal(0, 0.3, (n_people, len(pairs))).astype(np.float32)
    tested = np.repeat([1.0, 0.0], n_people // 2)
    nuisance = np.column_stack([np.ones(n_people), rng.standard_normal((n_people, 3))])
    signs = draw_arrangements(n_people, "signs", n_flips, 1, blocks=None, units=None)
    start, used = time.perf_counter(), time.process_time()
    compare_edges(values, pairs, tested, nuisance, signs, "signs")
    wall, spent = time.perf_counter() - start, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(pairs)} edges x {n_people} people x {n_flips} flips: {wall:.1f} s ({spent:.1f} CPU s), {memory:.0f} MiB"
    )


def main() -> None:
    """Print the table and the time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=1000)
    parser.add_argument("--flips", type=int, default=199)
    parser.add_argument("--no-time", action="store_true", help="error rates alone")
    options = parser.parse_args()
    print("| cohorts | null outcomes | any edge | extent | intensity |\n|---|---|---|---|---|")
    measure("contrast", (18, 18), 1.0, "signs", options)
    measure("contrast", (18, 18), 1.0, "orders", options)
    measure("contrast", (18, 18), 2.0, "signs", options)
    measure("contrast", (18, 18), 2.0, "orders", options)
    measure("contrast", (24, 12), 2.0, "signs", options)
    measure("contrast", (24, 12), 2.0, "orders", options)
    measure("slope", (18, 18), 1.0, "orders", options)
    measure("contrast", (18, 18), 1.0, "signs", options, effect=1.2)
    if not options.no_time:
        measure_time()


if __name__ == "__main__":
    main()
