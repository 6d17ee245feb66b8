"""The figure of `rsconn power`: one panel per family, one line per claim and effect."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rsconn.report.figures.style import GROUP_COLOURS, GROUP_MARKERS, RULE, make_figure, use_style

_COLUMNS = 2


def plot_power(table: pd.DataFrame) -> Figure:
    """Return power against the planned n per group.

    Parameters
    ----------
    table : DataFrame
        From `rsconn.commands.power.compute_power_curves`.
    """
    with use_style():
        families = list(dict.fromkeys(table["family"]))
        n_rows = math.ceil(len(families) / _COLUMNS)
        figure = make_figure(11.0, 3.0 * n_rows, simulated=True)
        panels = figure.subplots(n_rows, _COLUMNS, squeeze=False, sharey=True).ravel()
        for axes, family in zip(panels, families, strict=False):
            _draw_family(axes, table[table["family"] == family], family)
        for axes in panels[len(families) :]:
            axes.set_axis_off()
        return figure


def _draw_family(axes: Axes, table: pd.DataFrame, family: str) -> None:
    axes.axhline(0.8, color=RULE, linewidth=1)
    for index, ((claim, multiple), rows) in enumerate(table.groupby(["claim", "multiple"], sort=False)):
        label = claim if multiple in {0, 1} else f"{claim} at {multiple:g} x"
        axes.plot(
            rows["n_per_group"],
            rows["power"],
            marker=GROUP_MARKERS[index % len(GROUP_MARKERS)],
            color=GROUP_COLOURS[index % len(GROUP_COLOURS)],
            linestyle="-" if index < len(GROUP_COLOURS) else "--",
            markersize=4,
            label=label,
        )
    axes.set_title(family)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("people per group")
    axes.set_ylabel("power")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03))  # beside the lines, never over them
