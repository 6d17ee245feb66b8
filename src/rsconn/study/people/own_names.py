"""Names that are ours (`session`, `group`, edges ...): what becomes of a table's column of the same name.

One place decides. Such a column is left aside and `rsconn check` says so; where the config asks for the name, it is
refused, because either meaning could be meant. `mean_fd` alone may come from a table, and then wins over the confounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rsconn.errors import ProblemsError, TableError
from rsconn.published_tables import read_published_table
from rsconn.settings.checks import SITE
from rsconn.settings.fields import show_path
from rsconn.study.people.used_columns import list_used_columns

if TYPE_CHECKING:
    from rsconn.settings.config import Config

# Means over other volumes differ a little; another unit, run or person differs by more.
_SAME_MM = 0.01
_SAME_SHARE = 0.1


def check_own_names(config: Config) -> None:
    """Refuse a table's column whose name is ours where the config asks for that name.

    Raises
    ------
    TableError
        One such column: either meaning could be meant.
    ProblemsError
        Several.
    """
    uses = {**list_used_columns(config), **_list_score_columns(config)}
    problems = [
        f"{show_path(table)}: column {name!r} and {meaning} have one name, and {uses[name]} asks for it; "
        "rename the table's column"
        for table, name, meaning in _find_shadowed(config)
        if name in uses and name not in config.scores
    ]
    if len(problems) == 1:
        raise TableError(problems[0])
    if problems:
        raise ProblemsError(problems)


def list_shadowed(config: Config) -> list[str]:
    """Return a line for each column of a table that is left aside because its name is ours."""
    return [
        f"{show_path(table)}: column {name!r} is left aside, {name!r} is {meaning}; rename the column to use it"
        for table, name, meaning in _find_shadowed(config)
    ]


def compare_mean_fd(people: pd.DataFrame, from_confounds: Iterable[float]) -> list[str]:
    """Return a line if a table's mean_fd is not what the confounds say.

    Parameters
    ----------
    people : DataFrame
        ``participant_id``, and ``mean_fd`` where a table has it.
    from_confounds : iterable of float
        Of the same rows, mm; NaN where unknown.
    """
    if "mean_fd" not in people or not pd.api.types.is_numeric_dtype(people["mean_fd"].dtype):
        return []
    table = people["mean_fd"].to_numpy(dtype=float)
    confounds = np.array(list(from_confounds), dtype=float)
    known = np.isfinite(table) & np.isfinite(confounds)
    gap = np.where(known, np.abs(table - confounds), 0.0)
    differ = gap > np.maximum(_SAME_MM, _SAME_SHARE * np.where(known, confounds, 0.0))
    if not differ.any():
        return []
    worst = int(np.argmax(gap))
    line = (
        f"mean_fd: the table's column is used and differs from the confounds in {differ.sum()} of {known.sum()} people "
        f"({people['participant_id'].iloc[worst]}: {table[worst]:g} in the table, {confounds[worst]:.3g} mm in the "
        "confounds); rename the column to use the confounds'"
    )
    return [line]


def _find_shadowed(config: Config) -> Iterator[tuple[Path, str, str]]:
    sources = config.input.table_sources
    tables = {source.path: read_published_table(source.path).columns for source in sources}
    # a column that says the site of its dataset means what input.datasets says
    for source in sources:
        if source.site is not None and set(tables[source.path].get(SITE, [])) == {source.site}:
            tables[source.path] = {name: cells for name, cells in tables[source.path].items() if name != SITE}
    ours = _list_meanings(config)
    if config.groups is not None and not any(config.groups.column in columns for columns in tables.values()):
        ours.pop("group", None)  # that there is no such column is told elsewhere
    for path, columns in tables.items():
        yield from ((path, name, meaning) for name, meaning in ours.items() if name in columns)


def _list_meanings(config: Config) -> dict[str, str]:
    """Return every name that is ours and what it stands for."""
    ours = {"session": "the session (column session_id)", "included": "whether a person has a usable edge"}
    if config.groups is not None and config.groups.column != "group":
        ours["group"] = f"the group of groups.column {config.groups.column!r}"
    if config.input.datasets:
        ours[SITE] = "the site of input.datasets"
    ours |= {edge.name: "the Fisher z of an edge" for edge in config.edges}
    ours |= {
        name: f"the score of scores.{name}" for name, score in config.scores.items() if score.column != name
    }
    return ours


def _list_score_columns(config: Config) -> dict[str, str]:
    return {
        score.column: f"scores.{name}.column"
        for name, score in config.scores.items()
        if score.column in {"session", "group"}
    }
