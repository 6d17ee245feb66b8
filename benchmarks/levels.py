"""Claims about several levels: how often a difference is found where there is none, or a true one ruled out.

    python benchmarks/levels.py [--cohorts 20000]

The last column is how often an effect of f = 0.25 is found too small when it is exactly that large.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from rsconn.inference.model import Model
from rsconn.inference.omnibus import LevelsKernel

ALPHA, F = 0.05, 0.25
# Sizes of the groups, their SDs, number of covariates.
DESIGNS = (
    ((20, 20, 20), (1, 1, 1), 0),
    ((5, 10, 40), (1, 1, 1), 0),
    ((5, 10, 40), (3, 1, 1), 0),
    ((10, 10, 10, 10, 10), (1, 1.5, 2, 2.5, 3), 0),
    ((20, 20, 20), (1, 1, 1), 3),
    ((12, 18, 30), (2, 1, 1), 3),
    ((6, 20, 90), (2, 1, 1), 3),
)


def make_kernel(sizes: tuple[int, ...], n_covariates: int, rng: np.random.Generator) -> LevelsKernel:
    """Return the kernel of groups of these sizes: Welch's without covariates, else HC3's."""
    cells = np.repeat(np.arange(len(sizes)), sizes)
    tested = (cells[:, np.newaxis] == np.arange(len(sizes) - 1)).astype(float)
    nuisance = np.column_stack([np.ones(len(cells)), rng.standard_normal((len(cells), n_covariates))])
    return LevelsKernel(
        Model(
            outcome=rng.standard_normal(len(cells)), tested=tested, nuisance=nuisance, kind="omnibus",
            estimator="ols_hc3" if n_covariates else "welch", units=np.arange(len(cells)), cells=cells,
        )
    )  # fmt: skip


def measure(sizes: tuple[int, ...], sds: tuple[float, ...], n_covariates: int, n_cohorts: int) -> str:
    """Return a row of the table."""
    rng = np.random.default_rng(20220401)
    kernel = make_kernel(sizes, n_covariates, rng)
    n_tested = len(sizes) - 1
    noise = rng.standard_normal((n_cohorts, sum(sizes))) * np.repeat(sds, sizes)
    statistics, dof = kernel.compute(noise)
    found = float((stats.f.sf(statistics, n_tested, dof) < ALPHA).mean())
    rates = f"{100 * found:.1f} %"
    if len(set(sds)) == 1:  # what f is where variances differ is a matter of definition
        effect = np.repeat(np.linspace(-1, 1, len(sizes)), sizes)
        effect -= effect.mean()
        statistics, dof = kernel.compute(noise + F * effect / effect.std())
        ruled_out = stats.ncf.cdf(statistics, n_tested, dof, kernel.n_effective * F**2) < ALPHA
        rates += f" | {100 * float(np.mean(ruled_out)):.1f} %"
    else:
        rates += " | "
    name = "HC3" if n_covariates else "Welch"
    return f"| {' v '.join(map(str, sizes))}, SD {', '.join(f'{sd:g}' for sd in sds)} | {name} | {rates} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=20_000)
    n_cohorts = parser.parse_args().cohorts
    print("| groups | test | no difference | f at the bound |\n| --- | --- | --- | --- |")
    for design in DESIGNS:
        print(measure(*design, n_cohorts), flush=True)


if __name__ == "__main__":
    main()
