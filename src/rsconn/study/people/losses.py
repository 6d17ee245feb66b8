"""Whom a study loses, why, and whether the check had said so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from rsconn.analysis.usability import Threshold
from rsconn.study.people.ledger import NO_GROUP, LedgerRow

PREDICTED_COLUMNS = ("participant_id", "group", "predicted", "found", "predicted_reason", "reason")
KEPT, LOST = "kept", "lost"
# Says nothing of a loss.
_NO_LOSS = frozenset({"input.t_r"})


@dataclass(frozen=True)
class Loss:
    """Why nothing of a person is kept.

    Attributes
    ----------
    reason : str
        In words.
    rules : frozenset of str
        What their runs missed, as the ledger names it.
    runs_short : bool
        Whether a run lasts too few minutes with all its volumes.
    """

    reason: str
    rules: frozenset[str] = frozenset()
    runs_short: bool = False


def explain_losses(
    people: Iterable[str],
    ledger: Iterable[LedgerRow],
    edges: pd.DataFrame,
    usable: Iterable[str] | None,
    *,
    whole_runs: Collection[str] = (),
) -> dict[str, Loss | None]:
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
    whole_runs : collection of str
        Runs of which every volume is retained.
    """
    kept = set(edges.loc[edges["z"].notna(), "participant_id"] if usable is None else usable)
    rows: dict[str, list[LedgerRow]] = {}
    for row in ledger:
        if row.reason and row.rule not in _NO_LOSS:
            rows.setdefault(row.participant_id, []).append(row)
    return {
        person: None if person in kept else _explain(person, rows.get(person, ()), whole_runs)
        for person in people
    }


def _explain(person: str, rows: Sequence[LedgerRow], whole_runs: Collection[str]) -> Loss:
    reasons = dict.fromkeys(row.reason for row in rows if row.reason)
    return Loss(
        "; ".join(reasons) or f"{person}: no edge with both of its ROIs",
        frozenset(row.rule for row in rows),
        any(row.rule == Threshold.MINUTES.value and row.run in whole_runs for row in rows),
    )


def compare_losses(
    predicted: Mapping[str, Loss | None], found: Mapping[str, Loss | None], groups: Mapping[str, str | None]
) -> pd.DataFrame:
    """Put what the check predicts of everyone beside what came of them.

    Parameters
    ----------
    predicted, found : mapping of str to Loss or None
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
            _word(predicted[person]),
            _word(found[person]),
        )
        for person in sorted(found)
    ]
    return pd.DataFrame(rows, columns=list(PREDICTED_COLUMNS))


def _name(loss: Loss | None) -> str:
    return KEPT if loss is None else LOST


def _word(loss: Loss | None) -> str | None:
    return None if loss is None else loss.reason


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
