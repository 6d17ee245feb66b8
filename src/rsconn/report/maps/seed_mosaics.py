"""Mosaics of the seed maps: t with what survives the correction, and each group's mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from rsconn.report.figures.style import INK, use_style, write_remark
from rsconn.report.maps.mosaics import (
    AXES,
    BACKGROUND_REMARK,
    LINES,
    N_SLICES,
    ROI_COLOUR,
    SCALE,
    STATISTICS,
    WIDTH,
    Volume,
    add_bar,
    blend,
    draw_rois,
    draw_survivors,
    lay_out,
    list_points,
    measure_row,
    name_row,
    name_slice,
    paint_brain,
    show_slice,
    write_head,
)

__all__ = ["N_SLICES", "SCALE", "MapPicture", "choose_limit", "plot_map", "plot_means"]


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
        From `report.maps.mosaics.choose_slices`.
    rois : DataFrame
        roi, x_mm, y_mm, z_mm, radius_mm.
    """
    heights = [measure_row(axis) for axis in AXES]
    with use_style():
        figure, rows = lay_out(heights, simulated=simulated)
        for axis, row in zip(AXES, rows, strict=True):
            for axes, (_, cut) in zip(row, slices[slices["axis"] == axis].iterrows(), strict=True):
                points = list_points(axis, cut["mm"])
                brain = paint_brain(background, points)
                values = picture.t.sample(points)
                show_slice(axes, axis, blend(brain, values, limit=picture.limit, opaque_at=picture.forming_t))
                draw_survivors(axes, axis, picture.survivors, points)
                draw_rois(axes, axis, cut["mm"], rois)
                name_slice(axes, axis, cut["mm"], cut["through"])
        write_head(figure, picture.title, f"blue: {picture.negative}      orange: {picture.positive}")
        add_bar(figure, picture.limit, "t", {"cluster-forming": picture.forming_t})
        _add_key(figure, picture)
        write_remark(figure, BACKGROUND_REMARK)
    return figure


def plot_means(
    means: Mapping[str, Volume], background: Volume, slices: pd.DataFrame, rois: pd.DataFrame,
    *, title: str, limit: float, simulated: bool = False,
) -> Figure:  # fmt: skip
    """Return axial slices of the groups' mean maps in Fisher z, one row per group, on one colour scale."""
    cuts = slices[slices["axis"] == "z"]
    heights = [measure_row("z")] * len(means)
    with use_style():
        figure, rows = lay_out(heights, simulated=simulated)
        for row, (name, mean) in zip(rows, means.items(), strict=True):
            for axes, (_, cut) in zip(row, cuts.iterrows(), strict=True):
                points = list_points("z", cut["mm"])
                brain = paint_brain(background, points)
                show_slice(axes, "z", blend(brain, mean.sample(points), limit=limit, opaque_at=limit / 3))
                draw_rois(axes, "z", cut["mm"], rois)
                name_slice(axes, "z", cut["mm"], cut["through"])
            name_row(figure, row[0], name)
        write_head(figure, title, "mean over people; not tested")
        add_bar(figure, limit, "Fisher z", {})
        write_remark(figure, BACKGROUND_REMARK)
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
