"""How every figure looks: one palette, one type, one frame, and the word simulated where it is due."""

from __future__ import annotations

import base64
import io
import re
import textwrap
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from rsconn.settings.claims import Verdict

# Okabe and Ito (2008): distinguishable with every common colour vision deficiency; shapes say the same again.
GROUP_COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#009E73", "#5F5F5F")
GROUP_MARKERS = ("o", "D", "s", "^", "v", "P")
INK = "#1B1F24"
FAINT_INK = "#5A6270"
RULE = "#D5D9E0"
ZONE = "#E6EAF0"
VERDICT_COLOURS = {
    Verdict.SUPPORTED: "#00704F",
    Verdict.NEGLIGIBLE: "#7B3F98",
    Verdict.CONTRADICTED: "#B34700",
    Verdict.INCONCLUSIVE: "#4D5663",
    Verdict.NOT_TESTABLE: "#7A6A00",
}
VERDICT_SYMBOLS = {
    Verdict.SUPPORTED: "✔",
    Verdict.NEGLIGIBLE: "≈",
    Verdict.CONTRADICTED: "✘",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_TESTABLE: "∅",
}
SIMULATED = "SIMULATED DATA"
MOST_PANELS = 12

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": FAINT_INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": FAINT_INK,
    "ytick.color": FAINT_INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # glyphs as paths: the same picture on a machine without the font; no dates and fixed ids: the same bytes
    "svg.fonttype": "path",
    "svg.hashsalt": "rsconn",
    "path.simplify": False,
}


@contextmanager
def use_style() -> Iterator[None]:
    """Apply the house style while a figure is drawn or saved, and leave matplotlib's own settings as they were."""
    with mpl.rc_context(STYLE):
        yield


def make_figure(
    width: float, height: float, *, simulated: bool, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return an empty figure (inches) that carries the simulated mark in its lower right corner if it must.

    `layout` is ``constrained`` (axes make room for each other's labels) or None (the caller places them).
    """
    figure = Figure(figsize=(width, height), layout=layout)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        # a strip at the bottom stays free for marks
        engine.set(rect=(0, 0.2 / height, 1, 1 - 0.2 / height))
    if simulated:
        figure.text(
            1 - 0.06 / width, 0.05 / height, SIMULATED, ha="right", va="bottom", fontsize=8,
            fontweight="bold", color=VERDICT_COLOURS[Verdict.CONTRADICTED],
        )  # fmt: skip
    return figure


def plot_nothing(reason: str, *, simulated: bool) -> Figure:
    """Return a figure that says why there is nothing to show."""
    figure = make_figure(6, 1.2, simulated=simulated, layout=None)
    figure.text(0.5, 0.55, reason, ha="center", va="center", color=FAINT_INK, wrap=True)
    return figure


def wrap(text: str, inches: float, points: float = 9) -> str:
    """Break a text into lines that fit a width; a letter is about 0.57 of its points wide."""
    return textwrap.fill(text, max(6, int(inches * 72 / (0.57 * points))))


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend above the axes, in as many rows as the figure's width makes necessary."""
    widest = max(len(str(handle.get_label())) for handle in handles)
    # a letter of 8.5 points is about 0.075 inches wide; sign and gaps take 0.65
    n_columns = int(figure.get_figwidth() / (0.075 * widest + 0.65))
    figure.legend(handles=list(handles), loc="outside upper left", ncols=max(1, min(n_columns, len(handles))))


def limit_panels(panels: Sequence[str]) -> tuple[list[str], str]:
    """Return the panels that a figure has room for, and a line that says so if some are left out."""
    shown = list(panels[:MOST_PANELS])
    left = len(panels) - len(shown)
    return shown, f"{len(shown)} of {len(panels)} panels are drawn; the table has all." if left else ""


def write_remark(figure: Figure, remark: str) -> None:
    """Write a line into the lower left corner."""
    if remark:
        width, height = figure.get_size_inches()
        figure.text(0.06 / width, 0.05 / height, remark, ha="left", va="bottom", fontsize=8, color=FAINT_INK)


def pick_group_colours(groups: Sequence[str]) -> dict[str, str]:
    """Return a colour for each group, in order; colours repeat after the sixth."""
    return {group: GROUP_COLOURS[index % len(GROUP_COLOURS)] for index, group in enumerate(groups)}


def pick_group_markers(groups: Sequence[str]) -> dict[str, str]:
    """Return a marker for each group, in order."""
    return {group: GROUP_MARKERS[index % len(GROUP_MARKERS)] for index, group in enumerate(groups)}


def spread_points(
    values: NDArray[np.float64], width: float, *, centred: bool = False, n_bins: int = 36
) -> NDArray[np.float64]:
    """Return horizontal offsets, the same every time, so that near-equal values stand side by side.

    Parameters
    ----------
    values : float array (n,)
        What is drawn vertically.
    width : float
        Widest offset.
    centred : bool
        Whether each row of points is centred on 0 instead of starting there.
    n_bins : int
        Values in the same bin of this many are spread.
    """
    offsets = np.zeros(values.size)
    if values.size < 2 or np.ptp(values) == 0:
        row = np.linspace(0, width, values.size) if values.size > 1 else offsets
        return row - row.mean() if centred and row.size else row
    bins = np.floor((values - values.min()) / np.ptp(values) * (n_bins - 1e-9)).astype(int)
    fullest = int(np.bincount(bins).max())
    step = min(width / max(fullest - 1, 1), width / 4)
    for number in np.unique(bins):
        members = np.flatnonzero(bins == number)
        order = members[np.argsort(values[members], kind="stable")]
        places = np.arange(order.size) * step
        offsets[order] = places - places.mean() if centred else places
    return offsets


def draw_grid(axes: Axes, axis: Literal["both", "x", "y"] = "y") -> None:
    """Draw faint guide lines behind the data."""
    axes.grid(visible=True, axis=axis, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)


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


def encode_svg(svg: str) -> str:
    """Return an SVG as a data address, so that the page needs no other file and the picture no name of its own.

    Signs that would end the address or the attribute are percent-encoded, which takes a quarter less than base64.

    Examples
    --------
    >>> encode_svg('<a  b="#1"/> <c/>')
    'data:image/svg+xml,%3Ca b=%22%231%22/%3E %3Cc/%3E'
    """
    return "data:image/svg+xml," + quote(" ".join(svg.split()), safe=" !$()*+,-./:;=?@_~")


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
