"""Where the ROIs lie: a glass brain with all of them, their names and centres below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from rsconn.files.cifti import is_dense
from rsconn.files.image_headers import read_header
from rsconn.files.regions import build_weights
from rsconn.report.figures.style import (
    FAINT_INK,
    GROUP_COLOURS,
    INK,
    make_figure,
    plot_nothing,
    use_style,
    write_remark,
)
from rsconn.report.page.wording import format_number

# nilearn's glass brain: what each view shows horizontally and vertically
VIEWS = {"l": ("y_mm", "z_mm"), "y": ("x_mm", "z_mm"), "r": ("y_mm", "z_mm"), "z": ("x_mm", "y_mm")}
LEAST_RADIUS_MM = 3.0
# inches, and how many regions are listed by name
WIDTH, BRAIN_HEIGHT, ROW_HEIGHT = 9.6, 2.6, 0.42
PER_ROW, MOST_LISTED = 5, 30


@dataclass(frozen=True)
class Mark:
    """How a region is told apart: a number, for colours repeat and look alike to some."""

    number: int
    colour: str

    @property
    def text(self) -> dict[str, Any]:
        """The number's look, dark on light colours and light on dark ones."""
        light = sum(
            weight * part for weight, part in zip((0.3, 0.59, 0.11), to_rgb(self.colour), strict=True)
        )
        ink = INK if light > 0.5 else "white"
        return {"fontsize": 6, "fontweight": "bold", "color": ink, "ha": "center", "va": "center"}


def plot_roi_positions(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return the ROIs as circles of their true size on nilearn's glass brain, edges as lines between them."""
    rois = table[(table["kind"] == "roi") & table["x_mm"].notna()]
    if rois.empty:
        reason = "The ROIs came as columns of parcellated input: their positions are not known."
        return plot_nothing(reason, simulated=simulated)
    from nilearn.plotting import plot_glass_brain

    marks = {name: Mark(index + 1, _pick_colour(index)) for index, name in enumerate(rois["roi"])}
    edges = table[table["kind"] == "edge"]
    listed = rois.head(MOST_LISTED)
    strip = ROW_HEIGHT * ceil(len(listed) / PER_ROW) + 0.3
    height = BRAIN_HEIGHT + strip
    with use_style():
        figure = make_figure(WIDTH, height, simulated=simulated, layout=None)
        frame = (0, strip / height, 1, BRAIN_HEIGHT / height)
        display = plot_glass_brain(None, display_mode="lyrz", figure=figure, axes=frame, annotate=True)
        for view, panel in display.axes.items():
            _draw_view(panel.ax, view, rois, edges, marks)
        _list_rois(figure, listed, marks)
        left = len(rois) - len(listed)
        write_remark(figure, f"{left} more are drawn and stand in the table." if left else "")
    return figure


def _pick_colour(index: int) -> str:
    return GROUP_COLOURS[index % len(GROUP_COLOURS)]


def _draw_view(
    axes: Axes, view: str, rois: pd.DataFrame, edges: pd.DataFrame, marks: Mapping[str, Mark]
) -> None:
    across, up = VIEWS[view]
    places = {row["roi"]: (row[across], row[up]) for _, row in rois.iterrows()}
    # from the side, edges would cross into the half that is not shown
    for _, edge in edges.iterrows() if view in {"y", "z"} else ():
        ends = [places[name] for name in (edge["roi"], edge["other"]) if name in places]
        if len(ends) == 2:
            axes.plot(*zip(*ends, strict=True), color=FAINT_INK, linewidth=1.2, zorder=3)
    for _, roi in rois[_is_seen(rois["x_mm"], view)].iterrows():
        mark, place = marks[roi["roi"]], places[roi["roi"]]
        radius = max(roi["radius_mm"] if pd.notna(roi["radius_mm"]) else 0, LEAST_RADIUS_MM)
        axes.add_patch(Circle(place, radius, facecolor=mark.colour, edgecolor=INK, linewidth=0.7, zorder=4))
        axes.text(*place, str(mark.number), zorder=5, **mark.text)


def _is_seen(x: pd.Series, view: str) -> Any:
    """Return which ROIs a side view shows: its own half, the midline in both."""
    if view == "l":
        return x <= 0
    return x >= 0 if view == "r" else x.notna()


def _list_rois(figure: Figure, rois: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    """Write each region's number, name and centre below the brains."""
    width, height = figure.get_size_inches()
    columns = min(PER_ROW, len(rois))
    for index, (_, roi) in enumerate(rois.iterrows()):
        row, column = divmod(index, PER_ROW)
        left = (column + 0.1) / columns
        y = (height - BRAIN_HEIGHT - ROW_HEIGHT * row) / height
        mark = marks[roi["roi"]]
        dot = {"boxstyle": "circle,pad=0.3", "facecolor": mark.colour, "edgecolor": INK, "linewidth": 0.7}
        figure.text(left, y - 0.22 / height, str(mark.number), bbox=dot, **mark.text)
        # a long name is written smaller rather than over its neighbour
        size = min(8.5, 118 * (width / columns - 0.5) / len(roi["roi"]))
        beside = left + 0.16 / width
        position = ", ".join(format_number(roi[name], 0) for name in ("x_mm", "y_mm", "z_mm"))
        figure.text(beside, y - 0.18 / height, roi["roi"], color=INK, fontsize=size, fontweight="bold")
        figure.text(beside, y - 0.32 / height, f"{position} mm", color=INK, fontsize=7.5)


def locate_rois(rois: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return name, source, kind, center_mm and radius_mm of each region.

    A sphere's are its own. A mask, atlas region or map has the centre of its weight and the radius of a sphere of
    equal volume (of voxels with weight), on its own image's grid. A column of parcellated input has neither: None; nor
    has a region that a dense file (CIFTI) defines.

    Parameters
    ----------
    rois : sequence of mappings
        As ``RoiSet.model_dump(mode="json")`` gives them.
    """
    places = [_describe(roi) for roi in rois]
    images = [_find_image(roi) for roi in rois]
    for image in dict.fromkeys(path for path in images if path is not None and not is_dense(path)):
        members = [number for number, path in enumerate(images) if path == image]
        header = read_header(image)
        weights = build_weights([rois[number] for number in members], header)
        for row, number in enumerate(members):
            entries = slice(weights.starts[row], weights.starts[row + 1])
            centre, radius = measure_region(
                weights.voxels[entries],
                weights.values[entries],  # noqa: PD011
                weights.shape,
                header.affine,
            )
            places[number] |= {"center_mm": centre, "radius_mm": radius}
    return places


def measure_region(
    voxels: NDArray[np.intp],
    values: NDArray[np.float64],
    shape: tuple[int, int, int],
    affine: NDArray[np.float64],
) -> tuple[list[float], float]:
    """Return the centre of weight (world mm) and the radius (mm) of a sphere of equal volume.

    Parameters
    ----------
    voxels : int array (n,)
        Flat indices, x fastest.
    values : float64 array (n,)
        Their weights.
    shape : tuple of int
        Voxels of the grid along x, y, z.
    affine : float64 array (4, 4)
        Voxel indices to world mm.

    Examples
    --------
    >>> centre, radius = measure_region(np.array([0, 1]), np.ones(2), (2, 1, 1), np.diag([2.0, 2, 2, 1]))
    >>> centre, round(radius, 3)
    ([1.0, 0.0, 0.0], 1.563)
    """
    indices = np.column_stack(np.unravel_index(voxels, shape, order="F"))
    centre = np.average(indices, axis=0, weights=values) @ affine[:3, :3].T + affine[:3, 3]
    volume = voxels.size * abs(float(np.linalg.det(affine[:3, :3])))
    return [float(value) for value in centre], float((3 * volume / (4 * np.pi)) ** (1 / 3))


def _describe(roi: Mapping[str, Any]) -> dict[str, Any]:
    sphere = roi.get("sphere") or {}
    return {
        "name": roi["name"],
        "source": roi.get("source"),
        "kind": roi.get("kind") or ("sphere" if sphere else None),
        "center_mm": list(sphere["center_mm"]) if sphere else None,
        "radius_mm": sphere.get("radius_mm"),
    }


def _find_image(roi: Mapping[str, Any]) -> Path | None:
    for kind in ("atlas", "map"):
        if roi.get(kind):
            return Path(roi[kind]["image"])
    return Path(roi["mask"]) if roi.get("mask") else None
