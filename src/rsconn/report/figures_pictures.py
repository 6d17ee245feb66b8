"""One claim's own small picture: its people on the left, the estimate and what would matter on the right."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rsconn.report.figures_groups import draw_cell
from rsconn.report.style import (
    FAINT_INK,
    GROUP_COLOURS,
    GROUP_MARKERS,
    INK,
    RULE,
    VERDICT_COLOURS,
    ZONE,
    draw_grid,
    make_figure,
    plot_nothing,
    use_style,
    wrap,
)


def plot_claim(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return the picture of one claim.

    Parameters
    ----------
    table : DataFrame
        The rows of one claim in claim_pictures.
    simulated : bool
        Whether to mark the figure.
    """
    people = table[table["kind"].isin(["person", "density", "mean", "line"])]
    estimate = table[table["kind"] == "estimate"].iloc[0]
    estimated = math.isfinite(estimate["y"])
    if people.empty and not estimated:
        return plot_nothing("Not testable here: nothing was estimated.", simulated=simulated)
    with use_style():
        figure = make_figure(4.5, 3.1, simulated=simulated)
        if estimated:
            left, right = figure.subplots(1, 2, width_ratios=(2.1, 1))
            _draw_estimate(right, estimate)
        else:
            left = figure.subplots()
        _draw_people(left, people, estimate)
    return figure


def _draw_people(axes: Axes, people: pd.DataFrame, labels: pd.Series) -> None:
    draw_grid(axes)
    axes.set_ylabel(wrap(labels["y_label"], 1.9))
    if labels["shape"] == "slope":
        _draw_slope(axes, people)
        axes.set_xlabel(wrap(labels["x_label"], 2))
        return
    sides = list(dict.fromkeys(people["side"].dropna()))
    labels = []
    for position, side in enumerate(sides):
        cell = people[people["side"] == side]
        place = int(cell["colour"].iloc[0]) % len(GROUP_COLOURS)
        draw_cell(axes, position, cell, GROUP_COLOURS[place], GROUP_MARKERS[place], column="y")
        labels.append(
            f"{wrap(cell['label'].iloc[0], 1, 8.5)}\nn = {int(cell.loc[cell['kind'] == 'mean', 'n'].sum())}"
        )
    axes.set_xticks(range(len(sides)), labels)
    axes.set_xlim(-0.6, max(len(sides), 1) - 0.4)
    axes.tick_params(axis="x", length=0)


def _draw_slope(axes: Axes, people: pd.DataFrame) -> None:
    line, points = people[people["kind"] == "line"], people[people["kind"] == "person"]
    bounds = [line[name].to_numpy(dtype=float) for name in ("x", "ci_low", "ci_high")]
    axes.fill_between(*bounds, color=RULE, linewidth=0)
    axes.plot(line["x"], line["y"], color=INK, linewidth=1.4)
    for colour, members in points.groupby("colour"):
        place = int(colour) % len(GROUP_COLOURS)
        axes.plot(
            members["x"], members["y"], linestyle="none", marker=GROUP_MARKERS[place], markersize=4.8,
            markerfacecolor=GROUP_COLOURS[place], markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip


def _draw_estimate(axes: Axes, estimate: pd.Series) -> None:
    """Draw the estimate, its 95 % (thick) and family-wise (thin) interval, zero, and the bounds."""
    colour = VERDICT_COLOURS.get(estimate["verdict"], INK)
    _draw_bounds(axes, estimate)
    axes.axhline(0, color=FAINT_INK, linewidth=0.9)
    axes.vlines(0, estimate["ci_family_low"], estimate["ci_family_high"], color=colour, linewidth=1)
    axes.vlines(0, estimate["ci_low"], estimate["ci_high"], color=colour, linewidth=3)
    axes.plot(0, estimate["y"], marker="s", color=colour, markersize=7)
    names = ("y", "ci_low", "ci_high", "ci_family_low", "ci_family_high", "sesoi_low", "sesoi_high")
    values = np.array([estimate[name] for name in names if math.isfinite(estimate[name])] + [0.0])
    margin = 0.08 * max(np.ptp(values), 1e-12)
    axes.set_ylim(values.min() - margin, values.max() + margin)
    axes.set_xlim(-1, 1)
    axes.set_xticks([0], [f"{estimate['estimate_label']}\n{wrap(estimate['label'], 1.1, 8.5)}"])
    axes.tick_params(axis="x", length=0)
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)


def _draw_bounds(axes: Axes, estimate: pd.Series) -> None:
    low, high, expect = estimate["sesoi_low"], estimate["sesoi_high"], estimate["expect"]
    if not math.isfinite(high):
        return
    if expect in {"equivalent", "unrelated"}:
        axes.axhspan(low, high, facecolor=ZONE, edgecolor="none")
    bounds = {"greater": [high], "positive": [high], "less": [low], "negative": [low]}.get(
        expect, [low, high]
    )
    for bound in bounds:
        axes.axhline(bound, color=FAINT_INK, linewidth=1.2, linestyle=(0, (2, 1.2)))
