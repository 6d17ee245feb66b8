"""The figure of docs/calibration.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calibration.marks import COVERAGE, DIRECTIONAL, FAMILY, MARGIN, PERMUTATION, SIZE, TOST, Rate
from calibration.scenarios import SCENARIOS

_PANELS = (SIZE, DIRECTIONAL, FAMILY, PERMUTATION, TOST, COVERAGE)
_BLUE, _GREY, _RED = "#0072b2", "#8c8c8c", "#d55e00"


def save_figure(rates: Mapping[str, Sequence[Rate]], path: Path) -> None:
    """Save the figure as SVG; equal rates give equal bytes."""
    with mpl.rc_context({"svg.hashsalt": "rsconn", "svg.fonttype": "path", "font.size": 8}):
        plot_rates(rates).savefig(path, metadata={"Date": None})


def plot_rates(rates: Mapping[str, Sequence[Rate]]) -> Figure:
    """Return one panel per quantity: a dot per claim or family, a row per scenario."""
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    grid = figure.subplots(2, 3, sharey=True)
    names = [scenario.name for scenario in SCENARIOS if scenario.planting == "null"]
    for axes, quantity in zip(grid.ravel(), _PANELS, strict=True):
        for row, name in enumerate(names):
            _draw_row(axes, row, [rate for rate in rates[name] if rate.quantity == quantity], name)
        axes.set_title(quantity[0].upper() + quantity[1:], loc="left", fontsize=9)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_row(axes: Axes, row: int, rates: Sequence[Rate], name: str) -> None:
    guaranteed = next(scenario.guarantee for scenario in SCENARIOS if scenario.name == name)
    for rate in rates:
        half = MARGIN * rate.mc_error
        axes.fill_betweenx(
            [row - 0.4, row + 0.4], rate.bound - half, rate.bound + half, color="#eeeeee", lw=0
        )
        axes.plot([rate.bound] * 2, [row - 0.4, row + 0.4], color="black", lw=0.8)
        colour = _GREY if not guaranteed else _BLUE if rate.passed else _RED
        axes.plot(rate.value, row, "o", ms=3.5, color=colour, alpha=0.7, mew=0)
