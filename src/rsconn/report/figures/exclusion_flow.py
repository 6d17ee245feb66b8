"""The exclusion flow: how many people entered, who left at which stage by which rule, how many remain."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rsconn.analysis.usability import Threshold
from rsconn.report.figures.style import (
    FAINT_INK,
    INK,
    make_figure,
    pick_group_colours,
    plot_nothing,
    use_style,
    wrap,
)
from rsconn.study.people.ledger import PersonRule

# inches: a column without and with room for those who left
BOX_WIDTH, NOTE_WIDTH = 2.6, 2.4
LINE_HEIGHT, HEAD_HEIGHT = 0.17, 0.6


@dataclass(frozen=True)
class FlowColumn:
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


def _read_column(rows: pd.DataFrame, group: str, left: float, stages: Sequence[str]) -> FlowColumn:
    kept = rows[rows["kind"] == "kept"]
    counts = {str(stage): int(n) for stage, n in zip(kept["stage"], kept["n"], strict=True)}
    return FlowColumn(group, left, counts, _write_notes(rows, stages))


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


def _draw_column(axes: Axes, column: FlowColumn, heights: Sequence[float], colour: str) -> None:
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


FLOW_COLUMNS = ("stage", "group", "kind", "rule", "words", "n")
# the ledger names rules by their config keys; a picture has room for words
RULE_WORDS = {
    Threshold.MINUTES.value: "too little time retained",
    Threshold.DOF.value: "too few degrees of freedom",
    Threshold.MEAN_FD.value: "too much motion on average",
    PersonRule.LITTLE_COVERAGE.value: "too little of a region has signal",
    PersonRule.NO_RUN.value: "no images",
}


def tabulate_flow(flow: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Return group/flow.tsv as boxes: `kind` kept (n people after the stage) and excluded (n by each rule).

    Parameters
    ----------
    flow : DataFrame
        stage, group, n (people left after the stage), n_excluded, rule; several rows of a stage and group
        name several rules.
    groups : sequence of str
        In the order of the config; people of no group come last.
    """
    known = [group for group in groups if group in set(flow["group"].dropna())]
    others = [group for group in dict.fromkeys(flow["group"].dropna()) if group not in known]
    parts = [
        _tabulate_stage(flow[(flow["stage"] == stage) & (flow["group"] == group)])
        for stage in dict.fromkeys(flow["stage"])
        for group in [*known, *others]
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(FLOW_COLUMNS))


def _tabulate_stage(cell: pd.DataFrame) -> pd.DataFrame:
    """Return the box of one stage and group, and one row per rule that took somebody."""
    kept = cell.tail(1).assign(kind="kept", rule=None, words=None)
    lost = cell[cell["n_excluded"] > 0]
    words = [RULE_WORDS.get(str(rule), str(rule)) for rule in lost["rule"]]
    lost = lost.assign(kind="excluded", words=words, n=lost["n_excluded"])
    return pd.concat([kept, lost])[list(FLOW_COLUMNS)]


def tabulate_claim_flow(designs: Mapping[str, Any]) -> pd.DataFrame:
    """Return, for each claim, how many people were left after each condition of its test.

    Parameters
    ----------
    designs : mapping
        Claim id to its `study.claims.designs.Design`, whose `flow` holds rule, n and n_excluded.
    """
    rows = [
        {"claim": claim, "rule": step.rule, "n": step.n, "n_excluded": step.n_excluded}
        for claim, design in designs.items()
        for step in getattr(design, "flow", ())
    ]
    return pd.DataFrame(rows, columns=["claim", "rule", "n", "n_excluded"])
