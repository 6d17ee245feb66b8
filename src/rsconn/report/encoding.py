"""Pictures and arrays as text inside the page, so that it needs no other file."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_svg(svg: str) -> str:
    """Return an SVG as a data address, so that the page needs no other file and the picture no name of its own."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def encode_array(values: NDArray[Any]) -> str:
    """Return an array as base64, little-endian, x fastest.

    Examples
    --------
    >>> encode_array(np.array([1, 256], dtype=np.int16))
    'AQAAAQ=='
    """
    little = values.astype(values.dtype.newbyteorder("<"))
    return base64.b64encode(little.ravel(order="F").tobytes()).decode()


def quantise(values: NDArray[np.floating]) -> tuple[NDArray[np.int16], float]:
    """Return whole numbers and the scale that turns them back; each is off by half a scale at most.

    Examples
    --------
    >>> stored, scale = quantise(np.array([0.0, -3.0, 1.5]))
    >>> stored.tolist(), bool(abs(stored[1] * scale + 3) < 1e-9)
    ([0, -32767, 16384], True)
    """
    top = float(np.abs(values).max(initial=0.0))
    scale = top / 32767 if top else 1.0
    return np.rint(values / scale).astype(np.int16), scale
