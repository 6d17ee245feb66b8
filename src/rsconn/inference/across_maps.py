"""Several maps as one family: the smallest p of all maps under each null outcome (min-p, single step).

Each map's largest statistic under a null outcome is turned into its p among that map's own, so maps of other
degrees of freedom, smoothness or thresholds count alike. Where maps share their signs or orders the family-wise p
is exact; where they do not it is that of independent maps, and a little careful.

References
----------
Westfall & Young (1993), Resampling-based multiple testing, 2.3; Winkler et al. (2016), Human Brain Mapping
37:1486-1511.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsconn.inference.model import Floats
from rsconn.inference.voxelwise import TIE


def compute_null_p(null: Floats, observed_p: float) -> Floats:
    """Return the p of each null maximum among all and the observed one.

    Parameters
    ----------
    null : ndarray, shape (n_null,)
        Largest statistics.
    observed_p : float
        Smallest corrected p of the map: (b + 1) / (n_null + 1).

    Examples
    --------
    >>> (4 * compute_null_p(np.array([1.0, 3.0, 2.0]), 0.5)).tolist()
    [4.0, 1.0, 3.0]
    """
    smaller = np.searchsorted(np.sort(null), null * (1 - TIE), side="left")
    rank, larger = len(null) - smaller, round(observed_p * (len(null) + 1)) - 1
    return np.asarray((rank + (rank > larger)) / (len(null) + 1))


def combine_null_p(nulls: Sequence[Floats], observed_p: Sequence[float]) -> Floats:
    """Return the smallest p of all maps under each null outcome, shape (n_null,)."""
    p = [compute_null_p(null, smallest) for null, smallest in zip(nulls, observed_p, strict=True)]
    return np.asarray(np.min(p, axis=0))


def compute_across_p(p: float, smallest: Floats) -> float:
    """Return the family-wise p, over all maps, of a p that is corrected within its map.

    Examples
    --------
    >>> null = np.arange(19.0)
    >>> alone, twice = combine_null_p([null], [0.05]), combine_null_p([null, null[::-1]], [0.05, 0.5])
    >>> compute_across_p(0.05, alone), round(compute_across_p(0.05, twice), 2)
    (0.05, 0.1)
    """
    return float(((smallest <= p * (1 + TIE)).sum() + 1) / (len(smallest) + 1))


def find_level(smallest: Floats, alpha: float) -> float:
    """Return a p within a map up to which the family-wise p is at most alpha; 0 if no p is."""
    steps = len(smallest) + 1
    grid = np.arange(1, int(alpha * steps * (1 + TIE)) + 1) / steps
    passing = [p for p in grid if compute_across_p(float(p), smallest) <= alpha * (1 + TIE)]
    # between two p, so that no rounding decides
    return float(passing[-1] + 0.5 / steps) if passing else 0.0
