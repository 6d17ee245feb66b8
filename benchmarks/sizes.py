"""Why the tests are as docs/decisions.md says: error rates of what was chosen and of what was not.

    python benchmarks/sizes.py [--cohorts 6000] [--samples 20000]

First the permutation of B3 to B5 within and across the groups; then p < 5 % with the effect on the bound, by the
central and the noncentral t; then what families do that nobody heeds, and CR2, whole exchange and shared signs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from calibration.cases import get_scenario, read_study
from calibration.scenarios import draw_cohort, make_config

from rsconn.inference.effect_sizes import convert_sesoi
from rsconn.inference.estimators import (
    compute_minimum_effect_p,
    compute_minimum_size_p,
    compute_p,
    compute_tost_p,
    estimate_model,
)
from rsconn.inference.model import Model
from rsconn.inference.permutation import permute, sign_flip_maxt
from rsconn.study.claims.designs import build_model, read_terms
from rsconn.study.people.used_columns import make_columns

Draw = Callable[[np.random.Generator], Model]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=6_000, help="per scenario, 499 permutations each")
    parser.add_argument(
        "--samples", type=int, default=20_000, help="per design, with the effect on the bound"
    )
    options = parser.parse_args()
    print(f"permutation p < 5 %, {options.cohorts} null cohorts, B3 B4 B5")
    for name in ("normal", "unequal"):
        within, freely = measure_exchange(name, options.cohorts)
        print(f"{name:24} within the groups {_print(within)}   freely {_print(freely)}")
    print(f"p < 5 % on the bound, {options.samples} samples")
    for name, draw, sesoi in list_designs():
        print(f"{name:24} {measure_bounds(draw, sesoi, options.samples)}")
    print(f"p < 5 % without effect, members' errors correlated by 0.5, {options.cohorts} cohorts")
    for name, families, within in list_families():
        print(f"{name:32} {measure_families(families, within=within, n_cohorts=options.cohorts)}")


def _print(rates: np.ndarray) -> str:
    return " ".join(f"{rate:.2%}" for rate in rates)


def measure_exchange(name: str, n_cohorts: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how often B3, B4 and B5 have a permutation p below 5 %: exchanged within the groups, and freely."""
    scenario, planting = get_scenario(name)
    config = make_config(read_study(), n_permutations=0)
    terms = read_terms(config)
    claims = [claim for claim in config.claims if claim.id in {"B3", "B4", "B5"}]
    hits = np.zeros((2, len(claims)))
    for number in range(n_cohorts):
        columns = make_columns(draw_cohort(scenario, planting, number))
        models = [build_model(claim, columns, terms).model for claim in claims]
        for row, chosen in enumerate((models, [replace(model, blocks=None) for model in models])):
            tests = permute(chosen, n_permutations=499, seed=number)
            hits[row] += [test.p < 0.05 for test in tests]
    return hits[0] / n_cohorts, hits[1] / n_cohorts


def list_designs() -> Iterator[tuple[str, Draw, float]]:
    """Yield designs with the true effect on the smallest effect of interest."""
    yield "contrast 26 + 26", _contrast(26, 26), 0.5
    yield "contrast 52 + 92", _contrast(52, 92), 0.5
    yield "52 + 92, SD 2 and 1", _contrast(52, 92, sd=2.0), 0.5
    yield "18 + 18, 3 covariates", _contrast(18, 18, n_covariates=3), 0.5
    yield "slope, 92", _slope(92), 0.3
    yield "slope, 36, 3 covariates", _slope(36, n_covariates=3), 0.3
    yield "30 pairs, r 0.5", _pairs(30), 0.5


def measure_bounds(draw: Draw, sesoi: float, n_samples: int) -> str:
    """Describe how often each p is below 5 % when theta lies on the bound."""
    rng = np.random.default_rng(5)
    found = np.array([_compute_each_p(draw(rng), sesoi) for _ in range(n_samples)])
    names = ("|theta| <= D central", "noncentral", "TOST", "theta >= D")
    rates = (found < 0.05).mean(axis=0)
    return "   ".join(f"{name} {rate:.2%}" for name, rate in zip(names, rates, strict=True))


def _compute_each_p(model: Model, sesoi: float) -> tuple[float, ...]:
    estimate, bound = estimate_model(model), convert_sesoi(model, sesoi)
    return (
        compute_minimum_effect_p(estimate, bound),
        compute_minimum_size_p(estimate, bound),
        compute_tost_p(estimate, bound),
        compute_p(estimate, bound, "less"),
    )


def list_families() -> Iterator[tuple[str, np.ndarray, bool]]:
    """Yield designs: name, family of each person, and whether the sides are within families."""
    yield "16 pairs, each on one side", np.repeat(np.arange(16), 2), False
    yield "24 of 1 to 4, each on one side", np.repeat(np.arange(24), np.arange(24) // 2 % 4 + 1), False
    yield "16 pairs, one on each side", np.repeat(np.arange(16), 2), True


def measure_families(families: np.ndarray, *, within: bool, n_cohorts: int) -> str:
    """Describe how often each p of a contrast is below 5 %."""
    rng, n = np.random.default_rng(11), families.size
    tested = (np.arange(n) % 2 if within else families % 2).astype(float)
    found = []
    for seed in range(n_cohorts):
        outcome = (rng.normal(size=n)[families] + rng.normal(size=n)) / np.sqrt(2)
        one = np.ones((n, 1))
        aware = Model(outcome, tested, one, "contrast", "ols_cr2", families)
        unaware = Model(outcome, tested, one, "contrast", "welch", np.arange(n))
        settings = {"n_permutations": 199, "seed": seed}
        found.append([
            compute_p(estimate_model(unaware)),
            compute_p(estimate_model(aware)),
            permute([aware], **settings)[0].p,
            float(sign_flip_maxt([aware], [0], **settings)[0]),
        ])  # fmt: skip
    names = ("Welch, families ignored", "CR2", "whole exchange", "signs")
    # 199 permutations: p <= 5 % is 10 of 200
    rates = (np.array(found) <= 0.05).mean(axis=0)
    return "   ".join(f"{name} {rate:.2%}" for name, rate in zip(names, rates, strict=True))


def _contrast(n_a: int, n_b: int, *, sd: float = 1.0, n_covariates: int = 0) -> Draw:
    tested = np.repeat([1.0, 0.0], [n_a, n_b])
    theta = 0.5 * np.sqrt((sd**2 + 1) / 2)

    def draw(rng: np.random.Generator) -> Model:
        outcome = theta * tested + np.where(tested > 0, sd, 1.0) * rng.normal(size=tested.size)
        nuisance = np.hstack([np.ones((tested.size, 1)), rng.normal(size=(tested.size, n_covariates))])
        estimator = "ols_hc3" if n_covariates else "welch"
        return Model(outcome, tested, nuisance, "contrast", estimator, np.arange(tested.size))

    return draw


def _slope(n: int, *, n_covariates: int = 0) -> Draw:
    def draw(rng: np.random.Generator) -> Model:
        tested = rng.normal(size=n)
        outcome = 0.3 * tested + np.sqrt(1 - 0.3**2) * rng.normal(size=n)
        nuisance = np.hstack([np.ones((n, 1)), rng.normal(size=(n, n_covariates))])
        return Model(outcome, tested, nuisance, "slope", "ols_hc3", np.arange(n))

    return draw


def _pairs(n: int) -> Draw:
    def draw(rng: np.random.Generator) -> Model:
        both = rng.normal(size=(2, n)) + rng.normal(size=n)  # correlated by 0.5
        both[0] += 0.5 * np.sqrt(2)
        raw_sd = float(np.sqrt(both.var(axis=1, ddof=1).mean()))
        change = both[0] - both[1]
        return Model(change, np.ones(n), np.empty((n, 0)), "paired", "ols_hc3", np.arange(n), raw_sd=raw_sd)

    return draw


if __name__ == "__main__":
    main()
