"""Tables behind motion and coverage, ROI positions, and the description of the cohort."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rsconn.study.distributions import tabulate_cell
from rsconn.study.figure_groups import split_groups

QUALITY_COLUMNS = (
    "panel", "axis_label", "threshold", "threshold_label", "group", "roi", "kind",
    "participant_id", "run", "value", "density", "n", "sd", "ci_low", "ci_high",
)  # fmt: skip
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
    parts += _tabulate_rois(rois, "coverage", "Coverage", "Share of the ROI with signal (0 to 1)", thresholds)
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
