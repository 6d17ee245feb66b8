"""SVG made small: pictures by palette, which changes no colour, and paths to a hundredth of a point."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

_PATH = re.compile(rb' d="[^"]*"')
_LONG = re.compile(rb"(\.\d\d)\d+")
_PICTURE = re.compile(rb"data:image/png;base64,([A-Za-z0-9+/=\s]+)")


def shrink_pictures(svg: bytes) -> bytes:
    """Return an SVG whose embedded PNGs of at most 256 colours are stored by palette; others stay as they are."""
    return _PICTURE.sub(_shrink, svg)


def shorten_paths(svg: bytes) -> bytes:
    """Return an SVG whose paths have two decimals, less than any eye or screen resolves.

    Examples
    --------
    >>> shorten_paths(b'<path d="M 1.23456 -7.5" transform="scale(0.015625)"/>')
    b'<path d="M 1.23 -7.5" transform="scale(0.015625)"/>'
    """
    return _PATH.sub(lambda match: _LONG.sub(rb"\1", match[0]), svg)


def _shrink(match: re.Match[bytes]) -> bytes:
    with Image.open(io.BytesIO(base64.b64decode(match[1]))) as picture:
        pixels = np.asarray(picture.convert("RGBA"))
    colours, places = np.unique(pixels.reshape(-1, 4), axis=0, return_inverse=True)
    if len(colours) > 256:
        return match[0]
    stored = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8), mode="P")
    stored.putpalette(colours[:, :3].tobytes())
    stream = io.BytesIO()
    opacity = {} if (colours[:, 3] == 255).all() else {"transparency": colours[:, 3].tobytes()}
    stored.save(stream, format="png", optimize=True, **opacity)
    small = b"data:image/png;base64," + base64.b64encode(stream.getvalue())
    return min(match[0], small, key=len)
