"""How often a contrast with the default covariates is significant without an effect, by HC2 and by HC3.

    python benchmarks/calibration/standard_errors.py [--cohorts 20000]

Age and mean FD vary from person to person, sex is drawn for each; errors are normal, with one SD or with a second
side of twice the first's. HC2 goes with Bell-McCaffrey's degrees of freedom, HC3 with n - k. docs/decisions.md holds
the table, by which `rsconn.inference.model.choose_simple` chooses. Pairs adjust for the difference in motion.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from scipy import special

from rsconn.arrays import FloatArray

SIDES = ((12, 12), (18, 18), (10, 11), (20, 22), (15, 18), (20, 25), (12, 24))
RATIOS = (1.0, 2.0, 0.5)
PAIRS = (8, 12, 18, 24)
BATCH = 2_000


def main() -> None:
    """Print a line per design: p < 5 % and p < 1 % by either way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=20_000)
    options = parser.parse_args()
    print(f"{'':32} HC3: 5 %   1 %     HC2: 5 %   1 %    ({options.cohorts} cohorts each)")
    for n_a, n_b in SIDES:
        for ratio in RATIOS:
            rates = measure_sides(n_a, n_b, ratio, options.cohorts)
            print(f"{f'{n_a} and {n_b}, SDs {ratio:g} and 1':32} {_print(rates)}")
    for n in PAIRS:
        print(f"{f'{n} pairs':32} {_print(measure_pairs(n, options.cohorts))}")


def _print(rates: FloatArray) -> str:
    return "     ".join(f"{five:8.2%} {one:7.2%}" for five, one in rates)


def measure_sides(n_a: int, n_b: int, ratio: float, n_cohorts: int) -> FloatArray:
    """Return the rates (HC3 and HC2, below 5 % and 1 %) of a contrast whose first side has ``ratio`` times the SD."""
    rng, n = np.random.default_rng([11, n_a, n_b, int(10 * ratio)]), n_a + n_b
    tested = np.repeat([1.0, 0.0], [n_a, n_b])
    found = []
    for size in _split(n_cohorts):
        sex = rng.integers(0, 2, (size, n)).astype(float)
        motion = np.exp(rng.normal(0, 0.5, (size, n)))
        nuisance = np.stack([np.ones((size, n)), rng.normal(size=(size, n)), sex, motion], axis=2)
        outcome = rng.normal(size=(size, n)) * np.where(tested > 0, ratio, 1.0)
        lone = np.minimum(sex.sum(axis=1), n - sex.sum(axis=1)) < 2
        found.append(_test(outcome[~lone], tested, nuisance[~lone]))
    return _rate(np.concatenate(found))


def measure_pairs(n: int, n_cohorts: int) -> FloatArray:
    """Return the rates of a mean change, adjusted for a change in motion that is not centred."""
    rng = np.random.default_rng([12, n])
    found = []
    for size in _split(n_cohorts):
        motion = rng.normal(0.02, 0.05, (size, n, 1))
        found.append(_test(rng.normal(size=(size, n)), np.ones(n), motion))
    return _rate(np.concatenate(found))


def _split(count: int) -> Iterator[int]:
    yield from [BATCH] * (count // BATCH)
    if count % BATCH:
        yield count % BATCH


def _rate(p: FloatArray) -> FloatArray:
    return np.column_stack([(p < 0.05).mean(axis=0), (p < 0.01).mean(axis=0)])


def _test(outcome: FloatArray, tested: FloatArray, nuisance: FloatArray) -> FloatArray:
    """Return p by HC3 and by HC2 (n_cohorts, 2); see `rsconn.inference.estimators` for the formulas."""
    n, k = outcome.shape[1], nuisance.shape[2] + 1
    basis = np.linalg.qr(nuisance)[0]
    direction = _residualise(np.broadcast_to(tested, outcome.shape), basis)
    information = (direction**2).sum(axis=1)
    value = (direction * outcome).sum(axis=1) / information
    residuals = _residualise(outcome, basis) - value[:, None] * direction
    first = direction / np.sqrt(information)[:, None]
    whole = np.concatenate([first[:, :, None], basis], axis=2)
    free = 1 - (whole**2).sum(axis=2)
    weights = direction**2 / free
    outer = np.einsum("bn,bnk,bnl->bkl", weights, whole, whole, optimize=True)
    squares = (weights**2 * (2 * free - 1)).sum(axis=1) + (outer**2).sum(axis=(1, 2))
    p = []
    for dof, variance in (
        (np.full(len(value), float(n - k)), (weights * residuals**2 / free).sum(axis=1)),
        (information**2 / squares, (weights * residuals**2).sum(axis=1)),
    ):
        p.append(2 * special.stdtr(dof, -np.abs(value) * information / np.sqrt(variance)))
    return np.column_stack(p)


def _residualise(values: FloatArray, basis: FloatArray) -> FloatArray:
    return np.asarray(values - np.einsum("bnk,bk->bn", basis, np.einsum("bnk,bn->bk", basis, values)))


if __name__ == "__main__":
    main()
