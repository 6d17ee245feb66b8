"""Tables of who is left: the exclusion flow of the study, and that of each claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

FLOW_COLUMNS = ("stage", "group", "kind", "rule", "words", "n")
# the ledger names rules by their config keys; a picture has room for words
RULE_WORDS = {
    "censoring.min_retained_minutes": "too little time retained",
    "censoring.min_degrees_of_freedom": "too few degrees of freedom",
    "quality.max_mean_fd_mm": "too much motion on average",
    "quality.min_coverage": "too little of a region has signal",
    "no run found": "no images",
}


def tabulate_flow(flow: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Return group/flow.tsv as boxes: `kind` kept (n people after the stage) and excluded (n by each rule).

    Parameters
    ----------
    flow : DataFrame
        stage, group, n (people left after the stage), n_excluded, rule; several rows of a stage and group
        name several rules.
    groups : sequence of str
        In the order of the config; people of no group come last.
    """
    known = [group for group in groups if group in set(flow["group"].dropna())]
    others = [group for group in dict.fromkeys(flow["group"].dropna()) if group not in known]
    parts = [
        _tabulate_stage(flow[(flow["stage"] == stage) & (flow["group"] == group)])
        for stage in dict.fromkeys(flow["stage"])
        for group in [*known, *others]
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(FLOW_COLUMNS))


def _tabulate_stage(cell: pd.DataFrame) -> pd.DataFrame:
    """Return the box of one stage and group, and one row per rule that took somebody."""
    kept = cell.tail(1).assign(kind="kept", rule=None, words=None)
    lost = cell[cell["n_excluded"] > 0]
    words = [RULE_WORDS.get(str(rule), str(rule)) for rule in lost["rule"]]
    lost = lost.assign(kind="excluded", words=words, n=lost["n_excluded"])
    return pd.concat([kept, lost])[list(FLOW_COLUMNS)]


def tabulate_claim_flow(designs: Mapping[str, Any]) -> pd.DataFrame:
    """Return, for each claim, how many people were left after each condition of its test.

    Parameters
    ----------
    designs : mapping
        Claim id to its `study.claims.designs.Design`, whose `flow` holds rule, n and n_excluded.
    """
    rows = [
        {"claim": claim, "rule": step.rule, "n": step.n, "n_excluded": step.n_excluded}
        for claim, design in designs.items()
        for step in getattr(design, "flow", ())
    ]
    return pd.DataFrame(rows, columns=["claim", "rule", "n", "n_excluded"])
