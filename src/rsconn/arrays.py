"""The kinds of array that travel between rooms, and numbers as JSON has them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# float64, whatever its shape; the shape stands in each docstring
FloatArray = NDArray[np.float64]


def drop_nan(value: float) -> float | None:
    """Return a number, or None where it is not finite, for which JSON has no word.

    Examples
    --------
    >>> drop_nan(np.float64(0.5)), drop_nan(math.nan)
    (0.5, None)
    """
    return float(value) if math.isfinite(value) else None
