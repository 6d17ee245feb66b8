"""The exclusion flow: how many people entered, who left at which stage by which rule, how many remain."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rsconn.report.style import (
    FAINT_INK,
    INK,
    make_figure,
    pick_group_colours,
    plot_nothing,
    use_style,
)

COLUMN_WIDTH = 4.6
LINE_HEIGHT = 0.17


def plot_exclusion_flow(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return one column of boxes per group; arrows to the right lead to those who left."""
    groups = list(dict.fromkeys(table["group"]))
    if not groups:
        return plot_nothing("Nobody was found.", simulated=simulated)
    stages = list(dict.fromkeys(table["stage"]))
    notes = {group: _write_notes(table[table["group"] == group], stages) for group in groups}
    heights = [max(_measure(notes[group][stage]) for group in groups) for stage in stages]
    total = sum(heights) + 0.5
    with use_style():
        figure = make_figure(COLUMN_WIDTH * len(groups), total, simulated=simulated)
        axes = figure.add_subplot()
        axes.set_xlim(0, COLUMN_WIDTH * len(groups))
        axes.set_ylim(total, 0)
        axes.set_axis_off()
        for column, group in enumerate(groups):
            _draw_column(axes, column, group, table[table["group"] == group], notes[group], heights)
            axes.texts[-1].set_color(pick_group_colours(groups)[group])
    return figure


def _write_notes(rows: pd.DataFrame, stages: Sequence[str]) -> dict[str, list[str]]:
    """Return the lines that name who left at each stage."""
    notes = {}
    for stage in stages:
        left = rows[(rows["stage"] == stage) & (rows["kind"] == "excluded")]
        lines = [
            line for row in left.itertuples() for line in textwrap.wrap(f"{int(row.n)}  {row.words}", 30)
        ]
        notes[stage] = lines
    return notes


def _measure(lines: Sequence[str]) -> float:
    return max(0.95, LINE_HEIGHT * len(lines) + 0.65)


def _draw_column(
    axes: Axes,
    column: int,
    group: str,
    rows: pd.DataFrame,
    notes: dict[str, list[str]],
    heights: Sequence[float],
) -> None:
    left, top, before = column * COLUMN_WIDTH, 0.4, None
    for (stage, lines), height in zip(notes.items(), heights, strict=True):
        kept = rows[(rows["stage"] == stage) & (rows["kind"] == "kept")]
        if not kept.empty:
            centre = top + height - 0.35
            if before is not None:
                _draw_arrow(axes, (left + 1.15, before + 0.26), (left + 1.15, centre - 0.26))
            _draw_box(axes, left + 1.15, centre, f"{stage}\nn = {int(kept['n'].iloc[0])}", bold=True)
            if lines:
                middle = centre - 0.35 - LINE_HEIGHT * len(lines) / 2
                _draw_arrow(axes, (left + 1.15, middle), (left + 2.3, middle))
                _draw_box(axes, left + 2.35, middle, "\n".join(lines), bold=False)
            before = centre
        top += height
    axes.text(left + 1.15, 0.2, group, ha="center", va="center", fontweight="bold", fontsize=11)


def _draw_box(axes: Axes, x: float, y: float, text: str, *, bold: bool) -> None:
    frame = {
        "boxstyle": "round,pad=0.45",
        "facecolor": "white" if bold else "#F4F6F9",
        "edgecolor": FAINT_INK,
        "linewidth": 0.9,
    }
    axes.text(
        x, y, text, ha="center" if bold else "left", va="center", fontsize=9 if bold else 8,
        color=INK, bbox=frame, linespacing=1.35,
    )  # fmt: skip


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": FAINT_INK, "linewidth": 0.9}
    )
