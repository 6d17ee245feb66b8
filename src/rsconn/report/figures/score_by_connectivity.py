"""Score against connectivity: every person a point, each group's line and band, the line over everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rsconn.report.figures.group_comparisons import compute_line, split_groups
from rsconn.report.figures.style import (
    FAINT_INK,
    add_legend,
    draw_grid,
    limit_panels,
    make_figure,
    pick_group_colours,
    pick_group_markers,
    plot_nothing,
    use_style,
    wrap,
    write_remark,
)


def plot_score_by_connectivity(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return one panel per pair of score and edge that a claim relates."""
    panels, remark = limit_panels(list(dict.fromkeys(table["panel"])))
    if not panels:
        return plot_nothing("No claim relates a score to an edge.", simulated=simulated)
    n_columns = min(2, len(panels))
    n_rows = ceil(len(panels) / n_columns)
    with use_style():
        figure = make_figure(4.4 * n_columns + 0.2, 3.3 * n_rows + 0.4, simulated=simulated)
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, table[table["panel"] == panel])
        for axes in list(grid.flat)[len(panels) :]:
            axes.remove()
        add_legend(figure, grid.flat[0].get_legend_handles_labels()[0])
        write_remark(figure, remark)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame) -> None:
    groups = list(dict.fromkeys(panel.loc[panel["kind"] == "person", "group"]))
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    draw_grid(axes, "both")
    for group, rows in panel.groupby("group", sort=False):
        if group in groups:
            _draw_group(axes, str(group), rows, colours, markers)
        else:
            line = rows[rows["kind"] == "line"]
            axes.plot(
                line["x"], line["y"], color=FAINT_INK, linestyle=(0, (5, 3)), linewidth=1.3, label=group
            )
    first = panel.iloc[0]
    axes.set_title(wrap(f"{first['score']} and {first['edge']}  ({first['claims']})", 3.6, 10.5))
    axes.set_xlabel(wrap(f"{first['edge']} connectivity (Fisher z)", 3.6))
    axes.set_ylabel(wrap(f"{first['score']} score", 2.4))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))


def _draw_group(
    axes: Axes, group: str, rows: pd.DataFrame, colours: Mapping[str, str], markers: Mapping[str, str]
) -> None:
    people, line = rows[rows["kind"] == "person"], rows[rows["kind"] == "line"]
    axes.fill_between(
        line["x"].astype(float), line["ci_low"].astype(float), line["ci_high"].astype(float),
        color=colours[group], alpha=0.16, linewidth=0,
    )  # fmt: skip
    axes.plot(line["x"], line["y"], color=colours[group], linewidth=1.8)
    axes.plot(
        people["x"], people["y"], linestyle="none", marker=markers[group], markersize=5, markerfacecolor=colours[group],
        markeredgecolor="white", markeredgewidth=0.5, label=f"{group} (line with 95 % band)",
    )  # fmt: skip


EVERYBODY = "all, group ignored"
SLOPE_COLUMNS = (
    "panel", "edge", "score", "claims", "group", "kind", "participant_id", "x", "y", "ci_low", "ci_high", "n",
)  # fmt: skip


def find_pairs(
    claims: Sequence[Mapping[str, Any]], edges: Sequence[str], scores: Sequence[str]
) -> dict[tuple[str, str], list[str]]:
    """Return each (edge, score) pair that a claim relates, with the ids of those claims, in the claims' order."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for claim in claims:
        terms = (str(claim["outcome"]), str(claim.get("predictor") or ""))
        for edge, score in (terms, terms[::-1]):
            if edge in edges and score in scores:
                pairs.setdefault((edge, score), []).append(str(claim["id"]))
    return pairs


def tabulate_slopes(
    cohort: pd.DataFrame, pairs: Mapping[tuple[str, str], Sequence[str]], groups: Sequence[str]
) -> pd.DataFrame:
    """Return people (`kind` person) and lines (`kind` line) of score (y) on connectivity (x, Fisher z).

    Lines are plain least squares without covariates, per group and, with two or more groups, over everybody:
    when that line and the groups' lines differ in sign, the groups' means make the slope (Simpson's paradox).
    """
    parts = []
    for (edge, score), claims in pairs.items():
        people = cohort[cohort[edge].notna() & cohort[score].notna() & cohort["group"].isin(groups)]
        cells = split_groups(people, groups)
        if sum(len(cell) > 0 for cell in cells.values()) > 1:
            cells[EVERYBODY] = people
        for group, cell in cells.items():
            rows = _tabulate_people_and_line(cell, edge, score, persons=group != EVERYBODY)
            names = {"panel": f"{score} against {edge}", "edge": edge, "score": score}
            parts.append(rows.assign(group=group, claims=", ".join(claims), **names))
    if not parts:
        return pd.DataFrame(columns=list(SLOPE_COLUMNS))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(SLOPE_COLUMNS))


def _tabulate_people_and_line(people: pd.DataFrame, edge: str, score: str, *, persons: bool) -> pd.DataFrame:
    x, y = people[edge].to_numpy(dtype=np.float64), people[score].to_numpy(dtype=np.float64)
    grid, fitted, low, high = compute_line(x, y)
    line = pd.DataFrame({"kind": "line", "x": grid, "y": fitted, "ci_low": low, "ci_high": high, "n": x.size})
    if not persons:
        return line
    points = pd.DataFrame({"kind": "person", "participant_id": people["participant_id"], "x": x, "y": y})
    return pd.concat([points, line], ignore_index=True)
