"""Figures that compare groups: every person a point, the distribution, the mean with its 95 % interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rsconn.report.style import (
    FAINT_INK,
    INK,
    add_legend,
    draw_grid,
    limit_panels,
    make_figure,
    pick_group_colours,
    pick_group_markers,
    plot_nothing,
    spread_points,
    use_style,
    wrap,
    write_remark,
)


def plot_scores_by_group(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return each score's distribution by group, on the questionnaire's whole possible range."""
    return _plot_panels(table, "No score was configured.", simulated=simulated)


def plot_scores_by_group_sex(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return each score's distribution by group and sex."""
    return _plot_panels(table, "No second column (sex) to divide the groups by.", simulated=simulated)


def plot_connectivity_by_group(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return each edge's Fisher z by group, with Pearson r on the right axis."""
    with use_style():
        figure = _plot_panels(table, "No person has a usable edge.", simulated=simulated)
        for axes in list(figure.axes):
            _add_r_axis(axes)
    return figure


def draw_cell(
    axes: Axes, position: float, cell: pd.DataFrame, colour: str, marker: str, *, column: str = "value"
) -> None:
    """Draw a cell around x = `position`: density right, people left, mean and interval between.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    position : float
        Horizontal place; the cell is about 0.8 wide.
    cell : DataFrame
        Rows of kinds person, density and mean.
    colour, marker : str
        Of the group.
    column : str
        The column that holds the values.
    """
    density, people = cell[cell["kind"] == "density"], cell[cell["kind"] == "person"]
    low = position + 0.07
    axes.fill_betweenx(
        density[column].to_numpy(dtype=float), low, low + 0.33 * density["density"].to_numpy(dtype=float),
        color=colour, alpha=0.35, linewidth=0,
    )  # fmt: skip
    values = people[column].to_numpy(dtype=float)
    axes.plot(
        position - 0.09 - spread_points(values, 0.29), values, linestyle="none", marker=marker, markersize=3.4,
        markerfacecolor=colour, markeredgecolor="white", markeredgewidth=0.4, alpha=0.9,
    )  # fmt: skip
    mean = cell[cell["kind"] == "mean"]
    axes.vlines(position, mean["ci_low"], mean["ci_high"], color=INK, linewidth=1.8)
    axes.plot([position] * len(mean), mean[column], marker="o", color=INK, markersize=4.5, linestyle="none")


def _plot_panels(table: pd.DataFrame, nothing: str, *, simulated: bool) -> Figure:
    panels, remark = limit_panels(list(dict.fromkeys(table["panel"])))
    if not panels:
        return plot_nothing(nothing, simulated=simulated)
    groups, levels = list(dict.fromkeys(table["group"])), list(dict.fromkeys(table["level"].dropna()))
    n_columns = min(3, len(panels))
    n_rows = ceil(len(panels) / n_columns)
    n_cells = len(groups) * max(1, len(levels))
    panel_width = max(2.6, 0.85 * n_cells + 0.5) if len(panels) > 1 else max(3.6, n_cells + 0.8)
    with use_style():
        figure = make_figure(max(panel_width * n_columns, 5.2), 2.9 * n_rows + 0.5, simulated=simulated)
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, table[table["panel"] == panel], groups, levels)
            axes.set_title(wrap(panel, panel_width - 0.7, 10.5))
        for axes in list(grid.flat)[len(panels) :]:
            axes.remove()
        _add_legend(figure, groups)
        write_remark(figure, remark)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, groups: Sequence[str], levels: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    draw_grid(axes)
    ticks: list[str] = []
    for group in groups:
        for level in levels or [""]:
            rows = panel[panel["group"] == group]
            rows = rows[rows["level"] == level] if level else rows
            draw_cell(axes, len(ticks), rows, colours[group], markers[group])
            size = rows.loc[rows["kind"] == "mean", "n"].sum()
            ticks.append(f"{wrap(level or group, 0.8, 8.5)}\nn = {int(size)}")
    axes.set_xticks(range(len(ticks)), ticks)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(ticks) - 0.4)
    axes.set_ylabel(wrap(panel["axis_label"].iloc[0], 2.4))
    low, high = panel["axis_low"].iloc[0], panel["axis_high"].iloc[0]
    if np.isfinite(low) and np.isfinite(high):
        axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))


def _add_r_axis(axes: Axes) -> None:
    if not axes.get_ylabel():
        return
    right = axes.secondary_yaxis("right", functions=(_tanh, _arctanh))
    right.set_ylabel("Pearson r", color=FAINT_INK)
    right.tick_params(labelsize=7.5)


def _tanh(z: Any) -> Any:
    return np.tanh(z)


def _arctanh(r: Any) -> Any:
    # matplotlib probes the function outside (-1, 1)
    return np.arctanh(np.clip(r, -0.999999, 0.999999))


def _add_legend(figure: Figure, groups: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    handles = [
        Line2D(
            [], [], linestyle="none", marker=markers[group], color=colours[group], markersize=6, label=group
        )
        for group in groups
    ]
    handles.append(
        Line2D([], [], marker="o", color=INK, markersize=4.5, linewidth=1.8, label="mean, 95 % interval")
    )
    add_legend(figure, handles)
