"""Tables behind the figures that compare groups: scores, and connectivity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rsconn.study.distributions import DISTRIBUTION_COLUMNS, tabulate_cell


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
