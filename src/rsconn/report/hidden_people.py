"""Results told without anybody's id: what `report.ids: hidden` does to figure tables, notes and the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

# What stands for an id, or for the name of a run, in a sentence.
SOMEBODY = "one person"
_COLUMNS = ("participant_id", "session", "run")
_REST_OF_RUN = r"(?:_[a-z]+-[A-Za-z0-9+.]+)*(?![A-Za-z0-9])"


def list_people(tables: Iterable[pd.DataFrame]) -> frozenset[str]:
    """Return every participant_id of result tables."""
    known = (table["participant_id"].dropna() for table in tables if "participant_id" in table)
    return frozenset(str(person) for column in known for person in column)


def hide_in_text(text: str, people: Iterable[str]) -> str:
    """Return a text that names nobody.

    Examples
    --------
    >>> hide_in_text("above 4/n: sub-01, sub-012_ses-2_run-1; sub-groups", ["sub-01", "sub-012"])
    'above 4/n: one person, one person; sub-groups'
    """
    ids = "|".join(re.escape(person) for person in sorted(people, key=len, reverse=True))
    return re.sub(f"(?<![A-Za-z0-9])(?:{ids}){_REST_OF_RUN}", SOMEBODY, text) if ids else text


def hide_people(table: pd.DataFrame, people: Iterable[str]) -> pd.DataFrame:
    """Return a table whose rows stay and name nobody: columns of ids are missing, ids in other texts replaced."""
    known = tuple(people)
    hidden = table.copy()
    for name in table.columns:
        if name in _COLUMNS:
            hidden[name] = pd.Series([None] * len(table), index=table.index, dtype=object)
        elif not pd.api.types.is_numeric_dtype(table[name]):
            hidden[name] = table[name].map(
                lambda cell: hide_in_text(cell, known) if isinstance(cell, str) else cell
            )
    return hidden


def hide_ages(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the summary of the cohort without the ages of the youngest and the oldest."""
    hidden = summary.copy()
    hidden.loc[hidden["variable"] == "age", ["min", "max"]] = float("nan")
    return hidden


def hide_in_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values of a config with the ids that it names, and the reasons beside them, counted only."""
    hidden = dict(settings)
    hidden["exclude"] = f"{len(settings.get('exclude') or ())} hidden"
    hidden["input"] = {**settings["input"], "ids": f"{len(settings['input'].get('ids') or ())} hidden"}
    return hidden
