"""Motion, retained data, coverage and signal: every run a point, the limits drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rsconn.report.figures.group_comparisons import draw_cell, split_groups, tabulate_cell
from rsconn.report.figures.style import (
    INK,
    VERDICT_COLOURS,
    add_legend,
    draw_grid,
    make_figure,
    pick_group_colours,
    pick_group_markers,
    plot_nothing,
    spread_points,
    use_style,
    wrap,
)
from rsconn.report.page.wording import format_significant
from rsconn.settings.claims import Verdict

LIMIT = VERDICT_COLOURS[Verdict.CONTRADICTED]


def plot_motion_coverage(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return motion, retained minutes and degrees of freedom by group; coverage and tSNR by ROI."""
    panels = list(dict.fromkeys(table["panel"]))
    if not panels:
        return plot_nothing("No run was read, so there is no quality to show.", simulated=simulated)
    groups = list(dict.fromkeys(table.loc[table["kind"] == "person", "group"].dropna()))
    n_columns = min(3, len(panels))
    with use_style():
        n_rows = ceil(len(panels) / n_columns)
        figure = make_figure(max(3.3 * n_columns, 4.6), 3.0 * n_rows + 0.4, simulated=simulated)
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, table[table["panel"] == panel], groups)
            axes.set_title(panel)
        for axes in list(grid.flat)[len(panels) :]:
            axes.remove()
        _add_legend(figure, groups)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, groups: Sequence[str]) -> None:
    draw_grid(axes)
    rois = list(dict.fromkeys(panel["roi"].dropna()))
    if rois:
        _draw_rois(axes, panel, rois, groups)
    else:
        _draw_groups(axes, panel)
    axes.set_ylabel(panel["axis_label"].iloc[0])
    if panel["panel"].iloc[0] == _COVERAGE_PANEL:
        axes.set_ylim(-0.04, 1.04)
    else:
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    threshold = panel["threshold"].iloc[0]
    if np.isfinite(threshold):
        axes.axhline(threshold, color=LIMIT, linewidth=1.2, linestyle=(0, (4, 2)))
        note = f"{panel['threshold_label'].iloc[0]}: {format_significant(threshold)}"
        axes.annotate(
            note, (1, threshold), xycoords=("axes fraction", "data"), xytext=(0, 2), textcoords="offset points",
            ha="right", va="bottom", color=LIMIT, fontsize=7.5, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )  # fmt: skip
        axes.margins(y=0.1)
        _make_room(axes, threshold)


def _make_room(axes: Axes, threshold: float) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, threshold + 0.1 * (max(high, threshold) - low)))


def _draw_groups(axes: Axes, panel: pd.DataFrame) -> None:
    groups = list(dict.fromkeys(panel["group"]))
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    labels = []
    for position, group in enumerate(groups):
        rows = panel[panel["group"] == group]
        draw_cell(axes, position, rows, colours[group], markers[group])
        n_runs = int(rows.loc[rows["kind"] == "mean", "n"].sum())
        labels.append(f"{wrap(group, 1, 8.5)}\n{n_runs} run{'' if n_runs == 1 else 's'}")
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.tick_params(axis="x", length=0)


def _draw_rois(axes: Axes, panel: pd.DataFrame, rois: Sequence[str], groups: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    for position, roi in enumerate(rois):
        people = panel[(panel["roi"] == roi) & (panel["kind"] == "person")]
        offsets = spread_points(people["value"].to_numpy(dtype=float), 0.6, centred=True)
        for group in groups:
            chosen = (people["group"] == group).to_numpy()
            axes.plot(
                position + offsets[chosen], people["value"][chosen], linestyle="none", marker=markers[group],
                markersize=3.4, markerfacecolor=colours[group], markeredgecolor="white", markeredgewidth=0.3,
            )  # fmt: skip
        mean = panel[(panel["roi"] == roi) & (panel["kind"] == "mean")]
        axes.plot([position - 0.34, position + 0.34], [mean["value"].iloc[0]] * 2, color=INK, linewidth=1.4)
    rotation = 0 if len(rois) <= 5 else 90
    axes.set_xticks(range(len(rois)), rois, rotation=rotation)
    axes.set_xlim(-0.6, len(rois) - 0.4)


def _add_legend(figure: Figure, groups: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    handles = [
        Line2D(
            [], [], linestyle="none", marker=markers[group], color=colours[group], markersize=6, label=group
        )
        for group in groups
    ]
    handles += [
        Line2D([], [], color=INK, linewidth=1.6, marker="o", markersize=4, label="mean"),
        Line2D([], [], color=LIMIT, linewidth=1.2, linestyle=(0, (4, 2)), label="limit of the config"),
    ]
    add_legend(figure, handles)


QUALITY_COLUMNS = (
    "panel", "axis_label", "threshold", "threshold_label", "group", "roi", "kind",
    "participant_id", "run", "value", "density", "n", "sd", "ci_low", "ci_high",
)  # fmt: skip
_COVERAGE_PANEL = "Coverage"
# column of group/quality.tsv, panel title, axis label with unit, key of the threshold, how the threshold reads
RUN_MEASURES = (
    ("mean_fd", "Head motion", "Mean framewise displacement (mm)", "max_mean_fd_mm", "most allowed"),
    ("minutes_retained", "Data kept", "Time retained (minutes)", "min_retained_minutes", "least allowed"),
    ("dof", "Information kept", "Degrees of freedom of an edge", "min_degrees_of_freedom", "least allowed"),
)


def tabulate_quality(
    quality: pd.DataFrame,
    coverage: pd.DataFrame,
    membership: Mapping[str, str],
    groups: Sequence[str],
    thresholds: Mapping[str, float | None],
) -> pd.DataFrame:
    """Return motion, retained time and dof of each run by group, and coverage and tSNR of each ROI.

    Parameters
    ----------
    quality, coverage : DataFrame
        group/quality.tsv and group/coverage.tsv.
    membership : mapping
        participant_id to group.
    groups : sequence of str
        In the order of the config.
    thresholds : mapping
        max_mean_fd_mm, min_retained_minutes, min_degrees_of_freedom, min_coverage; None where not set.
    """
    runs = quality.assign(group=quality["participant_id"].map(membership))
    parts = [
        _tabulate_measure(runs, measure, groups, thresholds)
        for measure in RUN_MEASURES
        if measure[0] in runs and pd.to_numeric(runs[measure[0]], errors="coerce").notna().any()
    ]
    rois = coverage.assign(group=coverage["participant_id"].map(membership))
    parts += _tabulate_rois(
        rois, "coverage", _COVERAGE_PANEL, "Share of the ROI with signal (0 to 1)", thresholds
    )
    parts += _tabulate_rois(rois, "tsnr", "Signal", "Temporal signal-to-noise ratio", {})
    if not parts:
        return pd.DataFrame(columns=list(QUALITY_COLUMNS))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(QUALITY_COLUMNS))


def tabulate_rois(rois: Sequence[Mapping[str, Any]], edges: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return ROI positions (`kind` roi) and the edges between them (`kind` edge).

    Parameters
    ----------
    rois : sequence of mappings
        name, source, kind, and where known center_mm (x, y, z) and radius_mm (of a sphere of equal volume for
        ROIs of another shape). ROIs without a position, such as columns of parcellated input, keep n/a.
    edges : sequence of (str, str)
        Pairs of ROI names.
    """
    rows = []
    for roi in rois:
        x, y, z = roi.get("center_mm") or (math.nan,) * 3
        rows.append({
            "kind": "roi", "roi": roi["name"], "other": None, "shape": roi.get("kind"), "x_mm": x, "y_mm": y,
            "z_mm": z, "radius_mm": roi.get("radius_mm") or math.nan, "source": roi.get("source"),
        })  # fmt: skip
    rows += [{"kind": "edge", "roi": first, "other": second} for first, second in edges]
    columns = ["kind", "roi", "other", "shape", "x_mm", "y_mm", "z_mm", "radius_mm", "source"]
    return pd.DataFrame(rows, columns=columns)


def summarise_cohort(cohort: pd.DataFrame, variables: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Return who the people are, group by group: n, missing, mean, SD and range of each variable; counts of sexes.

    Returns
    -------
    DataFrame
        group, variable, level (of a categorical variable, else n/a), n, n_missing, mean, sd, min, max.
    """
    rows = []
    for group, people in split_groups(cohort, groups).items():
        rows.append({"group": group, "variable": "people", "n": len(people), "n_missing": 0})
        for variable in [name for name in dict.fromkeys(variables) if name in people]:
            rows += _summarise_variable(people[variable], group, variable)
    columns = ["group", "variable", "level", "n", "n_missing", "mean", "sd", "min", "max"]
    return pd.DataFrame(rows, columns=columns)


def _summarise_variable(values: pd.Series, group: str, variable: str) -> list[dict[str, Any]]:
    missing = int(values.isna().sum())
    names = {"group": group, "variable": variable, "n_missing": missing}
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() < values.notna().sum():
        counts = values.dropna().astype(str).value_counts().sort_index()
        return [{**names, "level": level, "n": int(count)} for level, count in counts.items()]
    numbers = numbers.dropna()
    if numbers.empty:
        return [{**names, "n": 0}]
    spread = float(numbers.std(ddof=1)) if len(numbers) > 1 else math.nan
    described = {"mean": numbers.mean(), "sd": spread, "min": numbers.min(), "max": numbers.max()}
    return [{**names, "n": len(numbers), **described}]


def _tabulate_measure(
    runs: pd.DataFrame,
    measure: tuple[str, ...],
    groups: Sequence[str],
    thresholds: Mapping[str, float | None],
) -> pd.DataFrame:
    column, panel, axis_label, key, reading = measure
    threshold = thresholds.get(key)
    cells = {group: runs[runs["group"] == group] for group in groups}
    cells["no group"] = runs[~runs["group"].isin(groups)]
    parts = [_tabulate_runs(cell, column).assign(group=group) for group, cell in cells.items() if len(cell)]
    return pd.concat(parts, ignore_index=True).assign(
        panel=panel,
        axis_label=axis_label,
        threshold=math.nan if threshold is None else float(threshold),
        threshold_label=None if threshold is None else reading,
    )


def _tabulate_rois(
    rois: pd.DataFrame, column: str, panel: str, axis_label: str, thresholds: Mapping[str, float | None]
) -> list[pd.DataFrame]:
    if column not in rois or not pd.to_numeric(rois[column], errors="coerce").notna().any():
        return []
    threshold = thresholds.get("min_coverage")
    parts = []
    for roi in dict.fromkeys(rois["roi"]):
        cell = rois[rois["roi"] == roi]
        rows = _tabulate_runs(cell, column)
        rows["group"] = rows["participant_id"].map(
            dict(zip(cell["participant_id"], cell["group"], strict=True))
        )
        parts.append(rows.assign(roi=roi))
    table = pd.concat(parts, ignore_index=True).assign(
        panel=panel,
        axis_label=axis_label,
        threshold=math.nan if threshold is None else float(threshold),
        threshold_label=None if threshold is None else "least allowed",
    )
    return [table]


def _tabulate_runs(runs: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return a cell whose points are runs: a person with two runs is two points, told apart by `run`."""
    numbers = runs.assign(**{column: pd.to_numeric(runs[column], errors="coerce").astype(float)})
    rows = tabulate_cell(numbers, column, low=0)
    named = numbers.loc[np.isfinite(numbers[column].to_numpy()), "run"].to_list() if "run" in numbers else []
    rows["run"] = named + [None] * (len(rows) - len(named))
    return rows
