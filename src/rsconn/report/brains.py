"""Where the ROIs lie: a glass brain with all of them, and a slice of the MNI template through each."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from rsconn.report.style import FAINT_INK, GROUP_COLOURS, INK, make_figure, plot_nothing, use_style
from rsconn.report.wording import format_number

# nilearn's glass brain: what each view shows horizontally and vertically
VIEWS = {"l": ("y_mm", "z_mm"), "y": ("x_mm", "z_mm"), "r": ("y_mm", "z_mm"), "z": ("x_mm", "y_mm")}
LEAST_RADIUS_MM = 3.0


def plot_roi_positions(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return the ROIs as circles of their true size on nilearn's glass brain, edges as lines between them."""
    rois = table[(table["kind"] == "roi") & table["x_mm"].notna()]
    if rois.empty:
        reason = "The ROIs came as columns of parcellated input: their positions are not known."
        return plot_nothing(reason, simulated=simulated)
    from nilearn.plotting import plot_glass_brain

    colours = {name: GROUP_COLOURS[index % len(GROUP_COLOURS)] for index, name in enumerate(rois["roi"])}
    edges = table[table["kind"] == "edge"]
    with use_style():
        figure = make_figure(9.6, 3.3, simulated=simulated, layout=None)
        display = plot_glass_brain(
            None, display_mode="lyrz", figure=figure, axes=(0, 0.22, 1, 0.78), annotate=True
        )
        for view, panel in display.axes.items():
            _draw_view(panel.ax, view, rois, edges, colours)
        _label_rois(figure, rois, colours)
    return figure


def _draw_view(
    axes: Axes, view: str, rois: pd.DataFrame, edges: pd.DataFrame, colours: dict[str, str]
) -> None:
    across, up = VIEWS[view]
    shown = rois[_is_seen(rois["x_mm"], view)]
    places = {row["roi"]: (row[across], row[up]) for _, row in rois.iterrows()}
    for _, edge in edges.iterrows():
        ends = [places[name] for name in (edge["roi"], edge["other"]) if name in places]
        if len(ends) == 2 and view in {"y", "z"}:
            axes.plot(*zip(*ends, strict=True), color=FAINT_INK, linewidth=1.2, zorder=3)
    for _, roi in shown.iterrows():
        radius = max(roi["radius_mm"] if pd.notna(roi["radius_mm"]) else 0, LEAST_RADIUS_MM)
        axes.add_patch(
            Circle(
                places[roi["roi"]],
                radius,
                facecolor=colours[roi["roi"]],
                edgecolor=INK,
                linewidth=0.7,
                zorder=4,
            )
        )


def _is_seen(x: pd.Series, view: str) -> Any:
    """Return which ROIs a side view shows: its own half, the midline in both."""
    if view == "l":
        return x <= 0
    return x >= 0 if view == "r" else x.notna()


def _label_rois(figure: Figure, rois: pd.DataFrame, colours: dict[str, str]) -> None:
    step = 1 / max(len(rois), 1)
    for index, (_, roi) in enumerate(rois.iterrows()):
        place = (index + 0.5) * step
        figure.text(place, 0.15, roi["roi"], color=INK, ha="center", fontweight="bold")
        figure.text(place - 0.02, 0.085, "●", color=colours[roi["roi"]], ha="right", fontsize=11)
        position = ", ".join(format_number(roi[name], 0) for name in ("x_mm", "y_mm", "z_mm"))
        figure.text(place - 0.015, 0.09, f"{position} mm", color=INK, ha="left", fontsize=8)
