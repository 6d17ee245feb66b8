"""Permutation: 10,000 Freedman-Lane permutations of 21 claims, and the same edges by nilearn's permuted_ols.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/permutation.py [--permutations 10000]

The comparison with nilearn is on its own ground: one design (36 people, 3 covariates), 6 edges, classical t, max-T.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from rsconn.inference.arrangements import draw_orders
from rsconn.inference.exceedances import compute_null_residuals, compute_statistics, make_kernel
from rsconn.inference.model import Model
from rsconn.inference.permutation import permute

N_PERMUTATIONS = 10_000
REPEATS = 3


def make_claims(rng: np.random.Generator) -> list[Model]:
    """Models of the sizes of the study's 21 claims."""
    contrasts = [(52, 92, 0)] * 6 + [(26, 26, 0)] * 4 + [(46, 46, 0)] * 2 + [(26, 46, 0), (26, 40, 0)]
    contrasts += [(18, 18, 3)] * 2
    slopes = [(18, 3)] * 2 + [(36, 4)] * 3
    return [_make_contrast(rng, *sizes) for sizes in contrasts] + [
        _make_slope(rng, *sizes) for sizes in slopes
    ]


def _make_contrast(rng: np.random.Generator, n_a: int, n_b: int, n_covariates: int) -> Model:
    group = np.repeat([1.0, 0.0], [n_a, n_b])
    estimator = "ols_hc3" if n_covariates else "welch"
    return Model(rng.normal(size=group.size), group, _make_nuisance(rng, group.size, n_covariates), "contrast",
                 estimator, np.arange(group.size))  # fmt: skip


def _make_slope(rng: np.random.Generator, n: int, n_covariates: int) -> Model:
    nuisance = _make_nuisance(rng, n, n_covariates)
    return Model(rng.normal(size=n), rng.normal(size=n), nuisance, "slope", "ols_hc3", np.arange(n))


def _make_nuisance(rng: np.random.Generator, n: int, n_covariates: int) -> np.ndarray:
    return np.column_stack([np.ones(n), rng.normal(size=(n, n_covariates))])


def permute_edges(models: list[Model], n_permutations: int, rng: np.random.Generator) -> np.ndarray:
    """Null distribution of the largest classical t over edges that share one design."""
    kernel = make_kernel(models[0], "ols")
    orders = draw_orders(models[0].n, None, n_permutations, rng)
    residuals = [compute_null_residuals(model, kernel) for model in models]
    return np.max([np.abs(compute_statistics(each[orders], kernel)) for each in residuals], axis=0)


def measure(function: Callable[[], object]) -> float:
    """Median wall time in seconds, after one call to warm up."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return median(times)


def measure_permutation(n_permutations: int = N_PERMUTATIONS) -> dict[str, float]:
    """Seconds of both, and the ratio to nilearn."""
    from nilearn.mass_univariate import permuted_ols

    rng = np.random.default_rng(0)
    claims = make_claims(rng)
    edges = [_make_contrast(rng, 18, 18, 3) for _ in range(6)]
    edges = [
        Model(edge.outcome, edge.tested, edges[0].nuisance, "contrast", "ols_hc3", edge.units)
        for edge in edges
    ]
    outcomes = np.column_stack([edge.outcome for edge in edges])
    ours = measure(lambda: permute_edges(edges, n_permutations, np.random.default_rng(1)))
    theirs = measure(
        lambda: permuted_ols(
            edges[0].tested, outcomes, edges[0].nuisance[:, 1:], n_perm=n_permutations, random_state=0
        )
    )
    return {
        "21 claims, studentised (s)": measure(lambda: permute(claims, n_permutations=n_permutations, seed=1)),
        "6 edges, classical max-T (s)": ours,
        "6 edges, nilearn permuted_ols (s)": theirs,
        "nilearn / rsconn": theirs / ours,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--permutations", type=int, default=N_PERMUTATIONS)
    for name, value in measure_permutation(parser.parse_args().permutations).items():
        print(f"{name:36s} {value:8.3f}")


if __name__ == "__main__":
    main()
