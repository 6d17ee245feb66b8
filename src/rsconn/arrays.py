"""The kinds of array that travel between rooms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# float64, whatever its shape; the shape stands in each docstring
FloatArray = NDArray[np.float64]
