"""Motion, retained data, coverage and signal: every run a point, the limits drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rsconn.report.figures_groups import draw_cell
from rsconn.report.style import (
    INK,
    VERDICT_COLOURS,
    add_legend,
    draw_grid,
    make_figure,
    pick_group_colours,
    pick_group_markers,
    plot_nothing,
    spread_points,
    use_style,
    wrap,
)
from rsconn.report.wording import format_significant

LIMIT = VERDICT_COLOURS["contradicted"]


def plot_motion_coverage(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return motion, retained minutes and degrees of freedom by group; coverage and tSNR by ROI."""
    panels = list(dict.fromkeys(table["panel"]))
    if not panels:
        return plot_nothing("No run was read, so there is no quality to show.", simulated=simulated)
    groups = list(dict.fromkeys(table.loc[table["kind"] == "person", "group"].dropna()))
    n_columns = min(3, len(panels))
    with use_style():
        n_rows = ceil(len(panels) / n_columns)
        figure = make_figure(max(3.3 * n_columns, 4.6), 3.0 * n_rows + 0.4, simulated=simulated)
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, table[table["panel"] == panel], groups)
            axes.set_title(panel)
        for axes in list(grid.flat)[len(panels) :]:
            axes.remove()
        _add_legend(figure, groups)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, groups: Sequence[str]) -> None:
    draw_grid(axes)
    rois = list(dict.fromkeys(panel["roi"].dropna()))
    if rois:
        _draw_rois(axes, panel, rois, groups)
    else:
        _draw_groups(axes, panel)
    axes.set_ylabel(panel["axis_label"].iloc[0])
    if panel["axis_label"].iloc[0].startswith("Share"):
        axes.set_ylim(-0.04, 1.04)
    else:
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    threshold = panel["threshold"].iloc[0]
    if np.isfinite(threshold):
        axes.axhline(threshold, color=LIMIT, linewidth=1.2, linestyle=(0, (4, 2)))
        note = f"{panel['threshold_label'].iloc[0]}: {format_significant(threshold)}"
        axes.annotate(
            note, (1, threshold), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
            ha="right", va="bottom", color=LIMIT, fontsize=7.5, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )  # fmt: skip
        axes.margins(y=0.1)
        _make_room(axes, threshold)


def _make_room(axes: Axes, threshold: float) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, threshold + 0.1 * (max(high, threshold) - low)))


def _draw_groups(axes: Axes, panel: pd.DataFrame) -> None:
    groups = list(dict.fromkeys(panel["group"]))
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    labels = []
    for position, group in enumerate(groups):
        rows = panel[panel["group"] == group]
        draw_cell(axes, position, rows, colours[group], markers[group])
        n_runs = int(rows.loc[rows["kind"] == "mean", "n"].sum())
        labels.append(f"{wrap(group, 1, 8.5)}\n{n_runs} run{'' if n_runs == 1 else 's'}")
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="x", length=0)


def _draw_rois(axes: Axes, panel: pd.DataFrame, rois: Sequence[str], groups: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    for position, roi in enumerate(rois):
        people = panel[(panel["roi"] == roi) & (panel["kind"] == "person")]
        offsets = spread_points(people["value"].to_numpy(dtype=float), 0.6, centred=True)
        for group in groups:
            chosen = (people["group"] == group).to_numpy()
            axes.plot(
                position + offsets[chosen], people["value"][chosen], linestyle="none", marker=markers[group],
                markersize=3.4, markerfacecolor=colours[group], markeredgecolor="white", markeredgewidth=0.3,
            )  # fmt: skip
        mean = panel[(panel["roi"] == roi) & (panel["kind"] == "mean")]
        axes.plot([position - 0.34, position + 0.34], [mean["value"].iloc[0]] * 2, color=INK, linewidth=1.4)
    rotation = 0 if len(rois) <= 5 else 90
    axes.set_xticks(range(len(rois)), rois, rotation=rotation)
    axes.set_xlim(-0.6, len(rois) - 0.4)


def _add_legend(figure: Figure, groups: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    handles = [
        Line2D(
            [], [], linestyle="none", marker=markers[group], color=colours[group], markersize=6, label=group
        )
        for group in groups
    ]
    handles += [
        Line2D([], [], color=INK, linewidth=1.6, marker="o", markersize=4, label="mean"),
        Line2D([], [], color=LIMIT, linewidth=1.2, linestyle=(0, (4, 2)), label="limit of the config"),
    ]
    add_legend(figure, handles)
