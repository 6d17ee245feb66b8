"""Simulate the small table of the R comparison: python tests/reference/make_people.py > tests/reference/people.tsv.

Sixty people with unequal groups, ties, skew, unequal variances and one far outlier. The table is kept, rounded, beside
this script, because NumPy may change what a seed draws.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray


def simulate_people(seed: int = 20220401, n: int = 60) -> dict[str, NDArray[np.float64]]:
    """Return the columns, each of shape (n,)."""
    rng = np.random.default_rng(seed)
    group = np.r_[np.ones(24), np.zeros(n - 24)]
    sex = rng.integers(0, 2, n).astype(float)
    age = rng.normal(54, 7, n).round(1)
    mean_fd = (0.05 + rng.gamma(3, 0.04, n) + 0.02 * group).round(4)
    site = rng.integers(0, 3, n).astype(float)
    edge = (0.3 * group + 0.01 * (age - 54) - mean_fd + rng.normal(0, 0.25, n)).round(4)
    bounded = np.clip(np.rint(17 + 3 * group + 4 * edge + rng.normal(0, 4, n)), 0, 28)
    skewed = (rng.lognormal(0, 0.7, n) + 0.4 * group).round(3)
    spread = (rng.normal(0, 1, n) * (1 + 2 * group)).round(3)
    before = (20 + 2 * sex + rng.normal(0, 3, n)).round(2)
    after = (before + 0.8 + rng.normal(0, 2, n)).round(2)
    outlier = edge.copy()
    outlier[7] = 4.2
    return {
        "group": group,
        "sex": sex,
        "age": age,
        "mean_fd": mean_fd,
        "site": site,
        "edge": edge,
        "bounded": bounded,
        "skewed": skewed,
        "spread": spread,
        "before": before,
        "after": after,
        "outlier": outlier,
    }


def main() -> None:
    """Write the table to standard output."""
    columns = simulate_people()
    lines = ["\t".join(columns)]
    lines += ["\t".join(f"{value:g}" for value in row) for row in zip(*columns.values(), strict=True)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
