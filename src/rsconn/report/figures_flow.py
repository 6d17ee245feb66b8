"""The exclusion flow: how many people entered, who left at which stage by which rule, how many remain."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

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
    wrap,
)

# inches: a column without and with room for those who left
BOX_WIDTH, NOTE_WIDTH = 2.6, 2.4
LINE_HEIGHT, HEAD_HEIGHT = 0.17, 0.6


@dataclass(frozen=True)
class Column:
    """One group's boxes: where the column starts (inches), and what it says at each stage."""

    group: str
    left: float
    kept: dict[str, int]
    notes: dict[str, list[str]]

    @property
    def middle(self) -> float:
        """Where the boxes of people kept stand."""
        return self.left + BOX_WIDTH / 2


def plot_exclusion_flow(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return one column of boxes per group; arrows to the right lead to those who left."""
    groups = list(dict.fromkeys(table["group"]))
    if not groups:
        return plot_nothing("Nobody was found.", simulated=simulated)
    stages = list(dict.fromkeys(table["stage"]))
    width = BOX_WIDTH + (NOTE_WIDTH if (table["kind"] == "excluded").any() else 0)
    columns = [
        _read_column(table[table["group"] == group], group, number * width, stages)
        for number, group in enumerate(groups)
    ]
    heights = [max(_measure(column.notes[stage]) for column in columns) for stage in stages]
    heights[0] = 0.75
    total = (max(width * len(groups), 4.6), sum(heights) + HEAD_HEIGHT + 0.2)
    with use_style():
        figure = make_figure(*total, simulated=simulated)
        axes = figure.add_subplot()
        axes.set_xlim(0, total[0])
        axes.set_ylim(total[1], 0)
        axes.set_axis_off()
        for column, colour in zip(columns, pick_group_colours(groups).values(), strict=True):
            _draw_column(axes, column, heights, colour)
    return figure


def _read_column(rows: pd.DataFrame, group: str, left: float, stages: Sequence[str]) -> Column:
    kept = rows[rows["kind"] == "kept"]
    counts = {str(stage): int(n) for stage, n in zip(kept["stage"], kept["n"], strict=True)}
    return Column(group, left, counts, _write_notes(rows, stages))


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


def _draw_column(axes: Axes, column: Column, heights: Sequence[float], colour: str) -> None:
    x, top, before = column.middle, HEAD_HEIGHT, None
    axes.plot([x - 0.9, x + 0.9], [HEAD_HEIGHT] * 2, color=colour, linewidth=3)
    axes.text(
        x,
        HEAD_HEIGHT - 0.1,
        wrap(column.group, BOX_WIDTH - 0.2, 11),
        ha="center",
        va="bottom",
        fontweight="bold",
        fontsize=11,
    )
    for (stage, lines), height in zip(column.notes.items(), heights, strict=True):
        top += height
        if stage not in column.kept:
            continue
        centre = top - 0.35
        if before is not None:
            _draw_arrow(axes, (x, before + 0.26), (x, centre - 0.26))
        _draw_box(axes, x, centre, f"{stage}\nn = {column.kept[stage]}", bold=True)
        if lines:
            middle = centre - 0.35 - LINE_HEIGHT * len(lines) / 2
            _draw_arrow(axes, (x, middle), (column.left + BOX_WIDTH - 0.15, middle))
            _draw_box(axes, column.left + BOX_WIDTH - 0.1, middle, "\n".join(lines), bold=False)
        before = centre


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
