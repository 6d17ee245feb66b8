"""What all mosaics of the brain share: where slices stand, their names, outlines, the colour bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from rsconn.report.map_slices import BOX, DIRECTIONS, Volume, blend
from rsconn.report.style import FAINT_INK, INK, make_figure
from rsconn.report.wording import format_number
from rsconn.study.figure_maps import AXES

N_SLICES = 6
WIDTH = 9.6
ROI_COLOUR = "#0B5D1E"
LEAST_RADIUS_MM = 3.0
# statistic: line style; solid is the strictest
LINES: dict[str, object] = {"max_t": "solid", "size": (0, (2.4, 0.8)), "tfce": (0, (0.8, 0.8))}
ROOM = {"top": 0.52, "bottom": 0.28, "bar": 0.85}
_TITLE_POINTS = 7
# letters of a slice's name, besides its place, that do not reach the next slice
MOST_LETTERS = 18
BACKGROUND_REMARK = "Background: MNI152 2009a T1 for orientation only. Left is left. Slices in MNI mm."


def get_width() -> float:
    """Return the width in inches of one of the slices of a row."""
    return (WIDTH - ROOM["bar"] - 0.1) / N_SLICES


def measure_row(axis: str) -> float:
    """Return the height in inches of a row of slices across an axis, room for their names included."""
    right, up = DIRECTIONS[axis]
    return 0.2 + get_width() * (BOX[up][1] - BOX[up][0]) / (BOX[right][1] - BOX[right][0])


def lay_out(heights: Sequence[float], *, simulated: bool) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its rows of axes; each row leaves 0.2 inches for what names the slices."""
    height = ROOM["top"] + sum(heights) + ROOM["bottom"]
    figure = make_figure(WIDTH, height, simulated=simulated, layout=None)
    top, rows, width = height - ROOM["top"], [], get_width()
    for each in heights:
        top -= each
        frames = [
            (0.08 / WIDTH + column * width / WIDTH, top / height, width * 0.97 / WIDTH, (each - 0.2) / height)
            for column in range(N_SLICES)
        ]
        rows.append([figure.add_axes(frame) for frame in frames])
    return figure, rows


def _get_extent(axis: str) -> tuple[float, float, float, float]:
    right, up = DIRECTIONS[axis]
    return (BOX[right][0] - 0.5, BOX[right][1] + 0.5, BOX[up][0] - 0.5, BOX[up][1] + 0.5)


def show_slice(axes: Axes, axis: str, colours: NDArray[np.float64]) -> None:
    """Draw a slice across an axis; colours (n_up, n_right, 3), 0 to 1."""
    axes.set_axis_off()
    picture = np.rint(colours * 255).astype(np.uint8)
    # none: an SVG holds the pixels as they are, and the reader's screen enlarges them
    axes.imshow(picture, origin="lower", extent=_get_extent(axis), interpolation="none")


def draw_survivors(
    axes: Axes, axis: str, survivors: Mapping[str, Volume], points: NDArray[np.float64]
) -> None:
    """Outline what survives each correction in a slice at these points."""
    right, up = (AXES.index(name) for name in DIRECTIONS[axis])
    across, upward = points[0, :, right], points[:, 0, up]
    for name, volume in survivors.items():
        mask = volume.sample(points) if name in LINES else np.zeros(1)  # mass: nearly as extent
        if mask.any():
            _outline(axes, across, upward, mask, name)


def _outline(
    axes: Axes, across: NDArray[np.float64], upward: NDArray[np.float64], mask: NDArray[np.float64], name: str
) -> None:
    """Draw an outline in ink on a white line, so that it is seen on every colour."""
    axes.contour(across, upward, mask, levels=[0.5], colors="white", linewidths=1.9)
    axes.contour(across, upward, mask, levels=[0.5], colors=INK, linewidths=0.9, linestyles=[LINES[name]])


def draw_rois(axes: Axes, axis: str, mm: float, rois: pd.DataFrame) -> None:
    """Draw where a slice cuts the regions' spheres."""
    right, up = DIRECTIONS[axis]
    for _, roi in rois.iterrows():
        radius = roi["radius_mm"] if pd.notna(roi["radius_mm"]) else LEAST_RADIUS_MM
        inside = radius**2 - (roi[f"{axis}_mm"] - mm) ** 2
        if inside > 0:
            place = (roi[f"{right}_mm"], roi[f"{up}_mm"])
            look = {"facecolor": "none", "zorder": 5}
            axes.add_patch(Circle(place, inside**0.5, edgecolor="white", linewidth=1.6, **look))
            axes.add_patch(Circle(place, inside**0.5, edgecolor=ROI_COLOUR, linewidth=0.9, **look))


def name_slice(axes: Axes, axis: str, mm: float, through: str) -> None:
    """Write above a slice where it lies and what it goes through, and L and R at its feet."""
    text = f"{axis} = {format_number(mm, 0)}"
    if through:
        text += f"  {_shorten(through)}"
    axes.text(0.5, 1.0, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=_TITLE_POINTS)
    if axis != "x":
        for place, letter in ((0.02, "L"), (0.98, "R")):
            axes.text(
                place, 0.02, letter, transform=axes.transAxes, ha="left" if letter == "L" else "right",
                va="bottom", fontsize=_TITLE_POINTS, color=FAINT_INK,
            )  # fmt: skip


def _shorten(through: str) -> str:
    """Return what a slice goes through as far as there is room for it."""
    names = through.replace("peak of cluster", "peak").split(" and ")
    while len(names) > 1 and len(", ".join(names)) > MOST_LETTERS:
        names.pop()
    return ", ".join(names)[:MOST_LETTERS]


def name_row(figure: Figure, first: Axes, name: str) -> None:
    """Write a name above the first slice of a row."""
    box = first.get_position()
    height = figure.get_figheight()
    figure.text(box.x0, box.y1 + 0.13 / height, name, fontsize=8.5, fontweight="bold", va="bottom")


def write_head(figure: Figure, title: str, remark: str) -> None:
    """Write the title, and under it what the colours mean."""
    height = figure.get_figheight()
    figure.text(0.1 / WIDTH, 1 - 0.08 / height, title, fontsize=10.5, fontweight="bold", va="top")
    figure.text(0.1 / WIDTH, 1 - 0.3 / height, remark, fontsize=8.5, va="top", color=FAINT_INK)


def add_bar(figure: Figure, limit: float, unit: str, marks: Mapping[str, float]) -> None:
    """Draw the symmetric colour scale with its unit; lines stand at the marks and their negatives."""
    height = figure.get_figheight()
    long = min(3.0, height - 1.5)
    left = (WIDTH - ROOM["bar"] + 0.22) / WIDTH
    axes = figure.add_axes((left, 0.5 - 0.5 * long / height, 0.13 / WIDTH, long / height))
    scale = ScalarMappable(Normalize(-limit, limit), _fade(limit, marks))
    bar = figure.colorbar(scale, cax=axes)
    bar.outline.set_edgecolor(FAINT_INK)
    bar.ax.set_title(unit, fontsize=9, fontweight="bold", loc="center")
    for value in marks.values():
        for place in (-value, value):
            axes.axhline(place, color=INK, linewidth=0.9)


def _fade(limit: float, marks: Mapping[str, float]) -> LinearSegmentedColormap:
    """Return the scale as it looks on the brain's grey."""
    opaque_at = next(iter(marks.values()), limit / 3)
    values = np.linspace(-limit, limit, 257)
    grey = np.full((257, 3), 0.85)
    return LinearSegmentedColormap.from_list(
        "rsconn-bar", blend(grey, values, limit=limit, opaque_at=opaque_at), N=257
    )
