"""The table behind the exclusion flow: boxes of people kept and, beside them, who left by which rule."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

FLOW_COLUMNS = ("stage", "group", "kind", "rule", "n")


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
    rows = []
    known = [group for group in groups if group in set(flow["group"].dropna())]
    others = [group for group in dict.fromkeys(flow["group"].dropna()) if group not in known]
    for stage in dict.fromkeys(flow["stage"]):
        for group in [*known, *others]:
            cell = flow[(flow["stage"] == stage) & (flow["group"] == group)]
            if cell.empty:
                continue
            rows.append({"stage": stage, "group": group, "kind": "kept", "n": int(cell["n"].iloc[-1])})
            rows += [
                {
                    "stage": stage,
                    "group": group,
                    "kind": "excluded",
                    "rule": row.rule,
                    "n": int(row.n_excluded),
                }
                for row in cell.itertuples()
                if row.n_excluded > 0
            ]
    return pd.DataFrame(rows, columns=list(FLOW_COLUMNS))
