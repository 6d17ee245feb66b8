"""Pictures and arrays as text inside the page, so that it needs no other file."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_svg(svg: str) -> str:
    """Return an SVG as a data address, so that the page needs no other file and the picture no name of its own."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def compress_array(values: NDArray[Any]) -> str:
    """Return an array as base64 of raw deflate, little-endian, x fastest; every browser of today can inflate it.

    Examples
    --------
    >>> text = compress_array(np.array([1, 256], dtype=np.int16))
    >>> list(zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS))
    [1, 0, 0, 1]
    """
    little = values.astype(values.dtype.newbyteorder("<")).ravel(order="F").tobytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(little) + packer.flush()).decode()


def quantise(values: NDArray[np.floating], step: float) -> tuple[NDArray[np.int16], float]:
    """Return whole numbers and the scale that turns them back; the scale is `step` unless values are too large.

    Examples
    --------
    >>> stored, scale = quantise(np.array([0.0, -3.0, 1.5]), 0.01)
    >>> stored.tolist(), scale
    ([0, -300, 150], 0.01)
    """
    top = float(np.abs(values).max(initial=0.0))
    scale = max(step, top / 32767)
    return np.rint(values / scale).astype(np.int16), scale
