"""Mosaics of the seed maps: t with what survives the correction, and each group's mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from rsconn.report.map_slices import BOX, DIRECTIONS, SCALE, Volume, blend, list_points, paint_brain
from rsconn.report.style import FAINT_INK, INK, make_figure, use_style, write_remark
from rsconn.report.wording import format_number
from rsconn.study.figure_maps import AXES, STATISTICS

N_SLICES = 6
WIDTH = 9.6
ROI_COLOUR = "#0B5D1E"
LEAST_RADIUS_MM = 3.0
# statistic: line style; solid is the strictest
LINES: dict[str, object] = {"max_t": "solid", "size": (0, (2.4, 0.8)), "tfce": (0, (0.8, 0.8))}
_ROOM = {"top": 0.52, "bottom": 0.28, "bar": 0.85}
_TITLE_POINTS = 7


@dataclass(frozen=True, eq=False)
class MapPicture:
    """What one mosaic shows.

    Attributes
    ----------
    t : Volume
    survivors : mapping
        Name of a statistic (`LINES`) to a map of what survives its correction (0 or 1).
    limit : float
        End of the colour scale.
    forming_t : float
        Cluster-forming |t|.
    title, positive, negative : str
        What is shown; what positive and negative t mean.
    """

    t: Volume
    survivors: Mapping[str, Volume]
    limit: float
    forming_t: float
    title: str
    positive: str
    negative: str
    alpha: float


def plot_map(
    picture: MapPicture,
    background: Volume,
    slices: pd.DataFrame,
    rois: pd.DataFrame,
    *,
    simulated: bool = False,
) -> Figure:
    """Return slices of a t map, unthresholded, with outlines of what survives each correction.

    Parameters
    ----------
    picture : MapPicture
        The map.
    background : Volume
        From `read_background`; it helps to find one's way and is nobody's brain.
    slices : DataFrame
        From `study.figure_maps.choose_slices`.
    rois : DataFrame
        roi, x_mm, y_mm, z_mm, radius_mm.
    """
    heights = [_measure_row(axis) for axis in AXES]
    with use_style():
        figure, rows = _lay_out(heights, simulated=simulated)
        for axis, row in zip(AXES, rows, strict=True):
            for axes, (_, cut) in zip(row, slices[slices["axis"] == axis].iterrows(), strict=True):
                points = list_points(axis, cut["mm"])
                brain = paint_brain(background, points)
                values = picture.t.sample(points)
                _show(axes, axis, blend(brain, values, limit=picture.limit, opaque_at=picture.forming_t))
                _draw_survivors(axes, axis, picture.survivors, points)
                _draw_rois(axes, axis, cut["mm"], rois)
                _name_slice(axes, axis, cut["mm"], cut["through"])
        _head(figure, picture.title, f"blue: {picture.negative}      orange: {picture.positive}")
        _add_bar(figure, picture.limit, "t", {"cluster-forming": picture.forming_t})
        _add_key(figure, picture)
        write_remark(
            figure, "Background: MNI152 2009a T1 for orientation only. Left is left. Slices in MNI mm."
        )
    return figure


def plot_means(
    means: Mapping[str, Volume], background: Volume, slices: pd.DataFrame, rois: pd.DataFrame,
    *, title: str, limit: float, simulated: bool = False,
) -> Figure:  # fmt: skip
    """Return axial slices of the groups' mean maps in Fisher z, one row per group, on one colour scale."""
    cuts = slices[slices["axis"] == "z"]
    heights = [_measure_row("z")] * len(means)
    with use_style():
        figure, rows = _lay_out(heights, simulated=simulated)
        for row, (name, mean) in zip(rows, means.items(), strict=True):
            for axes, (_, cut) in zip(row, cuts.iterrows(), strict=True):
                points = list_points("z", cut["mm"])
                brain = paint_brain(background, points)
                _show(axes, "z", blend(brain, mean.sample(points), limit=limit, opaque_at=limit / 3))
                _draw_rois(axes, "z", cut["mm"], rois)
                _name_slice(axes, "z", cut["mm"], cut["through"])
            _name_row(figure, row[0], name)
        _head(figure, title, "mean over people; not tested")
        _add_bar(figure, limit, "Fisher z", {})
        write_remark(
            figure, "Background: MNI152 2009a T1 for orientation only. Left is left. Slices in MNI mm."
        )
    return figure


def choose_limit(values: NDArray[np.floating], step: float, share: float = 1.0) -> float:
    """Return the end of a symmetric scale: the |value| that a share of the voxels does not exceed, rounded up.

    Examples
    --------
    >>> choose_limit(np.array([0.0, -4.2, 1.0]), 0.5)
    4.5
    """
    present = np.abs(values[np.isfinite(values) & (values != 0)])
    top = float(np.quantile(present, share)) if present.size else step
    return float(np.ceil(top / step - 1e-9) * step)


def _get_width() -> float:
    return (WIDTH - _ROOM["bar"] - 0.1) / N_SLICES


def _measure_row(axis: str) -> float:
    right, up = DIRECTIONS[axis]
    return 0.2 + _get_width() * (BOX[up][1] - BOX[up][0]) / (BOX[right][1] - BOX[right][0])


def _lay_out(heights: Sequence[float], *, simulated: bool) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its rows of axes; each row leaves 0.2 inches for what names the slices."""
    height = _ROOM["top"] + sum(heights) + _ROOM["bottom"]
    figure = make_figure(WIDTH, height, simulated=simulated, layout=None)
    top, rows, width = height - _ROOM["top"], [], _get_width()
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


def _show(axes: Axes, axis: str, colours: NDArray[np.float64]) -> None:
    axes.set_axis_off()
    picture = np.rint(colours * 255).astype(np.uint8)
    axes.imshow(picture, origin="lower", extent=_get_extent(axis), interpolation="nearest")


def _draw_survivors(
    axes: Axes, axis: str, survivors: Mapping[str, Volume], points: NDArray[np.float64]
) -> None:
    right, up = (AXES.index(name) for name in DIRECTIONS[axis])
    across, upward = points[0, :, right], points[:, 0, up]
    for name, volume in survivors.items():
        mask = volume.sample(points)
        if mask.any():
            _outline(axes, across, upward, mask, name)


def _outline(
    axes: Axes, across: NDArray[np.float64], upward: NDArray[np.float64], mask: NDArray[np.float64], name: str
) -> None:
    """Draw an outline in ink on a white line, so that it is seen on every colour."""
    axes.contour(across, upward, mask, levels=[0.5], colors="white", linewidths=1.9)
    axes.contour(across, upward, mask, levels=[0.5], colors=INK, linewidths=0.9, linestyles=[LINES[name]])


def _draw_rois(axes: Axes, axis: str, mm: float, rois: pd.DataFrame) -> None:
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


def _name_slice(axes: Axes, axis: str, mm: float, through: str) -> None:
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
    while len(names) > 1 and len(" and ".join(names)) > 24:
        names.pop()
    return " and ".join(names)[:28]


def _name_row(figure: Figure, first: Axes, name: str) -> None:
    box = first.get_position()
    height = figure.get_figheight()
    figure.text(box.x0, box.y1 + 0.13 / height, name, fontsize=8.5, fontweight="bold", va="bottom")


def _head(figure: Figure, title: str, remark: str) -> None:
    height = figure.get_figheight()
    figure.text(0.1 / WIDTH, 1 - 0.08 / height, title, fontsize=10.5, fontweight="bold", va="top")
    figure.text(0.1 / WIDTH, 1 - 0.3 / height, remark, fontsize=8.5, va="top", color=FAINT_INK)


def _add_bar(figure: Figure, limit: float, unit: str, marks: Mapping[str, float]) -> None:
    height = figure.get_figheight()
    long = min(3.0, height - 1.5)
    left = (WIDTH - _ROOM["bar"] + 0.22) / WIDTH
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


def _add_key(figure: Figure, picture: MapPicture) -> None:
    """Say what the outlines mean, also where nothing survives."""
    handles = []
    for name, style in LINES.items():
        if name not in picture.survivors:
            continue
        passed = int(np.count_nonzero(picture.survivors[name].data))
        text = f"{passed} voxels" if passed else "none"
        label = f"corrected p ≤ {picture.alpha:g} by {STATISTICS[name][1]}: {text}"
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=style, label=label))
    circle = Line2D([], [], color="none", marker="o", markeredgecolor=ROI_COLOUR, markerfacecolor="none",
                    markersize=7, label="study's regions")  # fmt: skip
    height = figure.get_figheight()
    figure.legend(
        handles=[*handles, circle], loc="upper right", bbox_to_anchor=(1 - 0.05 / WIDTH, 1 - 0.02 / height),
        ncols=2, fontsize=7.5, handlelength=2.6, columnspacing=1.2, labelspacing=0.3, borderaxespad=0,
    )  # fmt: skip


__all__ = ["N_SLICES", "SCALE", "MapPicture", "choose_limit", "plot_map", "plot_means"]
