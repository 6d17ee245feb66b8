"""Figures that compare groups: every person a point, the distribution, the mean with its 95 % interval."""

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
from scipy.special import stdtrit

from rsconn.arrays import FloatArray
from rsconn.report.figures.style import (
    FAINT_INK,
    INK,
    add_legend,
    draw_grid,
    limit_panels,
    make_figure,
    pick_group_colours,
    pick_group_markers,
    plot_nothing,
    spread_points,
    use_style,
    wrap,
    write_remark,
)


def plot_scores_by_group(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return each score's distribution by group, on the questionnaire's whole possible range."""
    return _plot_panels(table, "No score was configured.", simulated=simulated)


def plot_scores_by_group_sex(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return each score's distribution by group and sex."""
    return _plot_panels(table, "No second column (sex) to divide the groups by.", simulated=simulated)


def plot_connectivity_by_group(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return each edge's Fisher z by group, with Pearson r on the right axis."""
    with use_style():
        figure = _plot_panels(table, "No person has a usable edge.", simulated=simulated)
        for axes in list(figure.axes):
            _add_r_axis(axes)
    return figure


def draw_cell(
    axes: Axes, position: float, cell: pd.DataFrame, colour: str, marker: str, *, column: str = "value"
) -> None:
    """Draw a cell around x = `position`: density right, people left, mean and interval between.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    position : float
        Horizontal place; the cell is about 0.8 wide.
    cell : DataFrame
        Rows of kinds person, density and mean.
    colour, marker : str
        Of the group.
    column : str
        The column that holds the values.
    """
    density, people = cell[cell["kind"] == "density"], cell[cell["kind"] == "person"]
    low = position + 0.07
    axes.fill_betweenx(
        density[column].to_numpy(dtype=float), low, low + 0.33 * density["density"].to_numpy(dtype=float),
        color=colour, alpha=0.35, linewidth=0,
    )  # fmt: skip
    values = people[column].to_numpy(dtype=float)
    axes.plot(
        position - 0.09 - spread_points(values, 0.29), values, linestyle="none", marker=marker, markersize=3.4,
        markerfacecolor=colour, markeredgecolor="white", markeredgewidth=0.4, alpha=0.9,
    )  # fmt: skip
    mean = cell[cell["kind"] == "mean"]
    axes.vlines(position, mean["ci_low"], mean["ci_high"], color=INK, linewidth=1.8)
    axes.plot([position] * len(mean), mean[column], marker="o", color=INK, markersize=4.5, linestyle="none")


def _plot_panels(table: pd.DataFrame, nothing: str, *, simulated: bool) -> Figure:
    panels, remark = limit_panels(list(dict.fromkeys(table["panel"])))
    if not panels:
        return plot_nothing(nothing, simulated=simulated)
    groups, levels = list(dict.fromkeys(table["group"])), list(dict.fromkeys(table["level"].dropna()))
    n_columns = min(3, len(panels))
    n_rows = ceil(len(panels) / n_columns)
    n_cells = len(groups) * max(1, len(levels))
    panel_width = max(2.6, 0.85 * n_cells + 0.5) if len(panels) > 1 else max(3.6, n_cells + 0.8)
    with use_style():
        figure = make_figure(max(panel_width * n_columns, 5.2), 2.9 * n_rows + 0.5, simulated=simulated)
        grid = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, table[table["panel"] == panel], groups, levels)
            axes.set_title(wrap(panel, panel_width - 0.7, 10.5))
        for axes in list(grid.flat)[len(panels) :]:
            axes.remove()
        _add_legend(figure, groups)
        write_remark(figure, remark)
    return figure


def _draw_panel(axes: Axes, panel: pd.DataFrame, groups: Sequence[str], levels: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    draw_grid(axes)
    ticks: list[str] = []
    for group in groups:
        for level in levels or [""]:
            rows = panel[panel["group"] == group]
            rows = rows[rows["level"] == level] if level else rows
            draw_cell(axes, len(ticks), rows, colours[group], markers[group])
            size = rows.loc[rows["kind"] == "mean", "n"].sum()
            ticks.append(f"{wrap(level or group, 0.8, 8.5)}\nn = {int(size)}")
    axes.set_xticks(range(len(ticks)), ticks)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(ticks) - 0.4)
    axes.set_ylabel(wrap(panel["axis_label"].iloc[0], 2.4))
    low, high = panel["axis_low"].iloc[0], panel["axis_high"].iloc[0]
    if np.isfinite(low) and np.isfinite(high):
        axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))


def _add_r_axis(axes: Axes) -> None:
    if not axes.get_ylabel():
        return
    right = axes.secondary_yaxis("right", functions=(_tanh, _arctanh))
    right.set_ylabel("Pearson r", color=FAINT_INK)
    right.tick_params(labelsize=7.5)


def _tanh(z: Any) -> Any:
    return np.tanh(z)


def _arctanh(r: Any) -> Any:
    # matplotlib probes the function outside (-1, 1)
    return np.arctanh(np.clip(r, -0.999999, 0.999999))


def _add_legend(figure: Figure, groups: Sequence[str]) -> None:
    colours, markers = pick_group_colours(groups), pick_group_markers(groups)
    handles = [
        Line2D(
            [], [], linestyle="none", marker=markers[group], color=colours[group], markersize=6, label=group
        )
        for group in groups
    ]
    handles.append(
        Line2D([], [], marker="o", color=INK, markersize=4.5, linewidth=1.8, label="mean, 95 % interval")
    )
    add_legend(figure, handles)


def tabulate_scores(
    cohort: pd.DataFrame, scores: pd.DataFrame, groups: Sequence[str], *, level_column: str | None = None
) -> pd.DataFrame:
    """Return the people, densities and means of each score by group, and by a second column if one is given.

    Parameters
    ----------
    cohort : DataFrame
        group/cohort.tsv.
    scores : DataFrame
        group/scores.tsv: names the scores, their instruments and possible ranges.
    groups : sequence of str
        Group names in the order of the config.
    level_column : str or None
        Such as ``sex``; its values become the column `level`.
    """
    parts = []
    for _, score in scores.iterrows():
        low, high = (
            _read_bound(score, "possible_min", -math.inf),
            _read_bound(score, "possible_max", math.inf),
        )
        rows = _tabulate_panel(cohort, str(score["score"]), groups, level_column, low=low, high=high)
        parts.append(rows.assign(axis_label=_label_score(score, low, high), axis_low=low, axis_high=high))
    return _join_panels(parts)


def tabulate_connectivity(cohort: pd.DataFrame, edges: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Return the people, densities and means of each edge's Fisher z by group.

    Parameters
    ----------
    cohort : DataFrame
        group/cohort.tsv, whose z columns are named by the edge.
    edges, groups : sequences of str
        In the order of the config.
    """
    present = [edge for edge in edges if edge in cohort and cohort[edge].notna().any()]
    parts = [
        _tabulate_panel(cohort, edge, groups, None).assign(
            axis_label="Connectivity (Fisher z)", axis_low=math.nan, axis_high=math.nan
        )
        for edge in present
    ]
    return _join_panels(parts)


def split_groups(cohort: pd.DataFrame, groups: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the people of each group, and of each session where there are several, in a fixed order."""
    sessions = sorted({str(session) for session in cohort["session"].dropna()}) if "session" in cohort else []
    if len(sessions) < 2:
        return {group: cohort[cohort["group"] == group] for group in groups}
    return {
        f"{group}, session {session}": cohort[
            (cohort["group"] == group) & (cohort["session"].astype(str) == session)
        ]
        for group in groups
        for session in sessions
    }


def _tabulate_panel(
    cohort: pd.DataFrame,
    column: str,
    groups: Sequence[str],
    level_column: str | None,
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> pd.DataFrame:
    parts = []
    for group, people in split_groups(cohort, groups).items():
        levels = sorted(cohort[level_column].dropna().astype(str).unique()) if level_column else [None]
        for level in levels:
            cell = people if level is None else people[people[level_column].astype(str) == level]
            rows = tabulate_cell(cell, column, low=low, high=high)
            parts.append(rows.assign(panel=column, group=group, level=level))
    return pd.concat(parts, ignore_index=True)


def _join_panels(parts: list[pd.DataFrame]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=list(DISTRIBUTION_COLUMNS))
    table = pd.concat(parts, ignore_index=True).reindex(columns=list(DISTRIBUTION_COLUMNS))
    return table.replace([math.inf, -math.inf], np.nan)


def _read_bound(score: Mapping[str, Any], name: str, default: float) -> float:
    value = score.get(name)
    return default if value is None or pd.isna(value) else float(value)


def _label_score(score: Mapping[str, Any], low: float, high: float) -> str:
    known = [str(score.get(name)) for name in ("instrument", "subscale") if _is_named(score.get(name))]
    scale = f" (possible {low:g} to {high:g})" if math.isfinite(low) and math.isfinite(high) else ""
    return (" ".join(known) + " score" if known else "Score") + scale


def _is_named(value: object) -> bool:
    return isinstance(value, str) and value not in {"", "n/a"}


N_DENSITY_POINTS = 64
N_LINE_POINTS = 41

DISTRIBUTION_COLUMNS = (
    "panel", "axis_label", "axis_low", "axis_high", "group", "level", "kind",
    "participant_id", "value", "density", "n", "sd", "ci_low", "ci_high",
)  # fmt: skip


def compute_mean_interval(values: FloatArray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean and its t interval.

    Parameters
    ----------
    values : float array (n,)
        Finite values; with fewer than two the interval is NaN.
    level : float
        Coverage of the interval.

    Examples
    --------
    >>> [round(bound, 3) for bound in compute_mean_interval(np.array([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484]
    """
    n = values.size
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return mean, math.nan, math.nan
    half = float(stdtrit(n - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def compute_density(
    values: FloatArray, low: float = -math.inf, high: float = math.inf
) -> tuple[FloatArray, ...]:
    """Return a Gaussian kernel density (Silverman's bandwidth), scaled to a peak of 1, reflected at the bounds.

    Parameters
    ----------
    values : float array (n,)
        Finite values.
    low, high : float
        Bounds that no value can pass, such as a questionnaire's range; mass beyond them is folded back.

    Returns
    -------
    grid, density : float arrays (n_points,)
        Empty when fewer than three values or no spread make a density meaningless.
    """
    spread = float(values.std(ddof=1)) if values.size > 2 else 0.0
    if spread <= 0 or not math.isfinite(spread):
        return np.empty(0), np.empty(0)
    bandwidth = 0.9 * spread * values.size**-0.2
    start = max(low, float(values.min()) - 2 * bandwidth)
    stop = min(high, float(values.max()) + 2 * bandwidth)
    grid = np.linspace(start, stop, N_DENSITY_POINTS)
    mirrored = [values] + [2 * bound - values for bound in (low, high) if math.isfinite(bound)]
    distance = (grid[:, None] - np.concatenate(mirrored)[None, :]) / bandwidth
    density = np.exp(-0.5 * distance**2).sum(axis=1)
    return grid, density / density.max()


def compute_line(
    x: FloatArray, y: FloatArray, level: float = 0.95, *, n_parameters: int = 2
) -> tuple[FloatArray, ...]:
    """Return the least-squares line of y on x with the pointwise interval of its mean.

    Parameters
    ----------
    x, y : float arrays (n,)
        Finite values.
    level : float
        Coverage of the interval.
    n_parameters : int
        Coefficients that the residuals have paid for: more than two where x and y were adjusted before.

    Returns
    -------
    grid, fitted, low, high : float arrays (n_points,)
        Over the range of x; empty where nothing is left to estimate the error from, or x is constant.

    Examples
    --------
    >>> grid, fitted, low, high = compute_line(np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 5, 7]))
    >>> float(grid[-1]), round(float(fitted[-1]), 6)
    (3.0, 7.0)
    """
    n = x.size
    dof = n - n_parameters
    if dof < 2 or np.ptp(x) == 0:
        return (np.empty(0),) * 4
    centred = x - x.mean()
    sum_squares = float(centred @ centred)
    slope = float(centred @ y) / sum_squares
    residuals = y - y.mean() - slope * centred
    variance = float(residuals @ residuals) / dof
    grid = np.linspace(x.min(), x.max(), N_LINE_POINTS)
    fitted = y.mean() + slope * (grid - x.mean())
    std_error = np.sqrt(variance * (1 / n + (grid - x.mean()) ** 2 / sum_squares))
    half = float(stdtrit(dof, (1 + level) / 2)) * std_error
    return grid, fitted, fitted - half, fitted + half


def tabulate_cell(
    people: pd.DataFrame, column: str, *, low: float = -math.inf, high: float = math.inf
) -> pd.DataFrame:
    """Return the rows that draw one cell: kinds `person`, `density` and `mean`.

    Parameters
    ----------
    people : DataFrame
        One row per person with `participant_id` and `column`; rows without a value are left out.
    column : str
        What is shown.
    low, high : float
        Bounds of the measure, where it has any.
    """
    kept = people.loc[np.isfinite(people[column].to_numpy(dtype=float)), ["participant_id", column]]
    values = kept[column].to_numpy(dtype=float)
    grid, density = compute_density(values, low, high)
    mean, ci_low, ci_high = compute_mean_interval(values)
    persons = pd.DataFrame({"kind": "person", "participant_id": kept["participant_id"], "value": values})
    curve = pd.DataFrame({"kind": "density", "value": grid, "density": density})
    summary = {
        "kind": "mean", "value": mean, "n": values.size, "ci_low": ci_low, "ci_high": ci_high,
        "sd": float(values.std(ddof=1)) if values.size > 1 else math.nan,
    }  # fmt: skip
    return pd.concat([persons, curve, pd.DataFrame([summary])], ignore_index=True)
