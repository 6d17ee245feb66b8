"""Whom a study loses, why, and whether the check had said so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from rsconn.study.people.ledger import NO_GROUP, LedgerRow

PREDICTED_COLUMNS = ("participant_id", "group", "predicted", "found", "predicted_reason", "reason")
KEPT, LOST = "kept", "lost"
# Says nothing of a loss.
_NO_LOSS = frozenset({"input.t_r"})


def explain_losses(
    people: Iterable[str], ledger: Iterable[LedgerRow], edges: pd.DataFrame, usable: Iterable[str] | None
) -> dict[str, str | None]:
    """Say of everyone with runs why nothing of them is kept; None for those who keep an edge.

    Parameters
    ----------
    people : iterable of str
        participant_id of everyone with a run.
    ledger : iterable of LedgerRow
        What was decided about their runs.
    edges : DataFrame
        participant_id and z; NaN is no edge.
    usable : iterable of str or None
        Who has a usable run, where the study asks for no edge; None where it does.
    """
    kept = set(edges.loc[edges["z"].notna(), "participant_id"] if usable is None else usable)
    reasons: dict[str, list[str]] = {}
    for row in ledger:
        if row.reason and row.rule not in _NO_LOSS:
            reasons.setdefault(row.participant_id, []).append(row.reason)
    return {person: None if person in kept else _join(person, reasons.get(person, ())) for person in people}


def _join(person: str, reasons: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(reasons)) or f"{person}: no edge with both of its ROIs"


def compare_losses(
    predicted: Mapping[str, str | None], found: Mapping[str, str | None], groups: Mapping[str, str | None]
) -> pd.DataFrame:
    """Put what the check predicts of everyone beside what came of them.

    Parameters
    ----------
    predicted, found : mapping of str to str or None
        `explain_losses`, before and after the images were read.
    groups : mapping of str to str or None
        participant_id to group.

    Returns
    -------
    DataFrame
        One row per person with a run, in the order of their ids: `PREDICTED_COLUMNS`.
    """
    rows = [
        (
            person,
            groups.get(person) or NO_GROUP,
            _name(predicted[person]),
            _name(found[person]),
            predicted[person],
            found[person],
        )
        for person in sorted(found)
    ]
    return pd.DataFrame(rows, columns=list(PREDICTED_COLUMNS))


def _name(reason: str | None) -> str:
    return KEPT if reason is None else LOST


def describe_surprises(table: pd.DataFrame) -> list[str]:
    """Return a line for everyone of whom something else came than was predicted.

    Parameters
    ----------
    table : DataFrame
        `compare_losses`.
    """
    unlike = table[table["predicted"] != table["found"]]
    return [
        f"{row.participant_id} ({row.group}): predicted {row.predicted}, {row.found}: "
        f"{row.reason if row.found == LOST else row.predicted_reason}"
        for row in unlike.itertuples()
    ]
