"""The table behind score against connectivity: people, each group's line and band, and the line without group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rsconn.study.distributions import compute_line
from rsconn.study.figure_groups import split_groups

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
