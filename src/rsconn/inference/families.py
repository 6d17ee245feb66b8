"""Correction for the number of claims in a family."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rsconn.inference.model import Floats


def adjust_holm(p: ArrayLike) -> Floats:
    """Adjust the p values of one family by Holm's step-down method.

    The i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p_(j)).

    Parameters
    ----------
    p : array_like, shape (m,)
        NaN is a claim that could not be tested: it stays NaN and does not count in m.

    Returns
    -------
    ndarray, shape (m,)

    References
    ----------
    Holm (1979), Scand J Stat 6:65-70. R: ``p.adjust(p, "holm")``.

    Examples
    --------
    >>> adjust_holm([0.01, 0.04, np.nan, 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    values = np.asarray(p, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * values[order]))
    return adjusted
