"""The figure of docs/calibration.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from calibration.judging import Results
from calibration.marks import (
    CONTRADICTION,
    COVERAGE,
    DIRECTIONAL,
    FAMILY,
    FAMILY_CONTRADICTION,
    FAMILY_MAXT,
    MARGIN,
    PERMUTATION,
    SIZE,
    TOST,
    Rate,
)

_PANELS = {
    "Two-sided size": (SIZE,),
    "Two-sided size, permutation": (PERMUTATION,),
    "Any in the family, sign-flip max-T": (FAMILY_MAXT,),
    "Support of a direction without effect": (DIRECTIONAL,),
    "Any false support in the family": (FAMILY,),
    "TOST size at the bound": (TOST,),
    "Coverage of 95 % intervals": (COVERAGE,),
    "Contradiction at the bound": (CONTRADICTION, FAMILY_CONTRADICTION),
}
_MAP_ROWS = {"maps": "maps", "maps-tfce": "maps", "maps-unequal": "maps, unequal", "regions": "regions"}
# Okabe and Ito's blue and orange-red; the shape of the mark says the same
_BLUE, _RED, _GREY = "#0072b2", "#d55e00", "#595959"
_BAND = "#e4e4e4"


def save_figure(results: Results, path: Path) -> None:
    """Save the figure as SVG; equal rates give equal bytes."""
    with mpl.rc_context({"svg.hashsalt": "rsconn", "svg.fonttype": "path", "font.size": 8}):
        plot_rates(results).savefig(path, metadata={"Date": None})


def plot_rates(results: Results) -> Figure:
    """Return one panel per quantity: a mark per claim, family or statistic, a row per scenario."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    grid = figure.subplots(3, 3)
    names = results.scenarios
    for axes, (title, quantities) in zip(grid.ravel(), _PANELS.items(), strict=False):
        rows = {
            name: [rate for rate in results.rates[name] if rate.quantity in quantities] for name in names
        }  # fmt: skip
        _draw_panel(axes, title, rows, results, labels=axes in grid[:, 0])
    found = {name: results.rates[name] for name in _MAP_ROWS if name in results.rates}
    _draw_panel(grid[2, 2], "Anything found in maps, regions", found, results, labels=True)
    figure.legend(handles=_make_legend(), loc="outside lower center", ncols=5, frameon=False, fontsize=8)
    return figure


def _draw_panel(
    axes: Axes, title: str, rows: Mapping[str, Sequence[Rate]], results: Results, *, labels: bool
) -> None:
    for row, (name, rates) in enumerate(rows.items()):
        _draw_row(axes, row, rates, guaranteed=results.is_guaranteed(name))
    axes.set_title(title, loc="left", fontsize=9)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.xaxis.get_major_locator().set_params(nbins=5)
    names = [_MAP_ROWS.get(name, name) + (", TFCE" if name == "maps-tfce" else "") for name in rows]
    axes.set_yticks(range(len(rows)), names if labels else [""] * len(rows))
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_row(axes: Axes, row: int, rates: Sequence[Rate], *, guaranteed: bool) -> None:
    """Draw the bounds with what chance explains of them, and the rates one below the other, the smallest on top."""
    for bound, error in dict.fromkeys((rate.bound, rate.mc_error) for rate in rates):
        half = MARGIN * error
        axes.fill_betweenx([row - 0.45, row + 0.45], bound - half, bound + half, color=_BAND, lw=0)
        axes.plot([bound] * 2, [row - 0.45, row + 0.45], color="black", lw=0.8)
    places = np.linspace(-0.33, 0.33, len(rates)) if len(rates) > 1 else np.zeros(len(rates))
    for place, rate in zip(places, sorted(rates, key=lambda rate: rate.value), strict=True):
        axes.plot(rate.value, row + place, ls="", **_get_style(guaranteed=guaranteed, passed=rate.passed))


def _get_style(*, guaranteed: bool, passed: bool) -> dict[str, object]:
    if not guaranteed:
        return {"marker": "o", "ms": 3.5, "mfc": "white", "mec": _GREY, "mew": 0.7}
    if passed:
        return {"marker": "o", "ms": 3.5, "color": _BLUE, "mew": 0}
    return {"marker": "X", "ms": 7, "color": _RED, "mew": 0}


def _make_legend() -> list[Line2D | Patch]:
    marks = (("keeps its bound", True, True), ("fails", True, False), ("no pass mark", False, True))
    lines = [
        Line2D([], [], ls="", label=label, **_get_style(guaranteed=guaranteed, passed=passed))
        for label, guaranteed, passed in marks
    ]
    bound = Line2D([], [], color="black", lw=0.8, label="bound")
    return [*lines, bound, Patch(color=_BAND, label=f"{MARGIN:g} Monte Carlo errors round it")]
