"""Participants and phenotype tables, read as they are published and joined into one table of people."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rsconn.errors import TableError
from rsconn.naming import add_prefix, format_participant_id
from rsconn.published_tables import PublishedTable, read_published_table
from rsconn.settings.checks import SITE
from rsconn.study.people.identity import IdRules
from rsconn.study.people.odd_values import describe_word, find_thousands

if TYPE_CHECKING:
    from rsconn.settings.sections import GroupSettings, InputSettings, TableSource

# Spellings of "no value" in any column, compared in lower case.
MISSING_WORDS = frozenset({"", "n/a", "na", "n.a.", "#n/a", "nan", "<na>", "null"})
# The same in a column of numbers only: "none" and "." can be an answer elsewhere.
MISSING_NUMBERS = MISSING_WORDS | {"none", "missing", "unknown", "-", "--", ".", "?"}
_SAFE_ID = re.compile(r"sub-[A-Za-z0-9][A-Za-z0-9+._-]*")
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")

# Identity, and a name of ours: rsconn.study.people.own_names says what becomes of it.
_NOT_JOINED = frozenset({"participant_id", "session_id", "session"})

_SHOWN_PEOPLE = 5

TextColumn = list[str | None]


def read_people(
    settings: InputSettings, groups: GroupSettings | None = None, *, sessions: str = "combine"
) -> pd.DataFrame:
    """Read and join the participants and phenotype tables.

    Parameters
    ----------
    settings : InputSettings
        ``participants``, ``phenotype``, ``values``, ``decimal``, and what settles ids.
    groups : GroupSettings or None
        Column and levels of the group; its names, not the table's values, appear in ``group``.
    sessions : {'combine', 'separate'}
        Whether a person may have one row per session.

    Returns
    -------
    DataFrame
        One row per person (and session): ``participant_id``, ``session``, ``group``, then every other column,
        as numbers where every value is one, else as text; missing is NaN or None. Sorted by person and
        session. A person found in a phenotype table only is kept, with no group.

    Raises
    ------
    TableError
        A table cannot be read, people occur twice, two tables disagree, or a group level matches nobody.
    """
    sources = settings.table_sources
    tables = [read_published_table(source.path) for source in sources]
    rules = IdRules(settings)
    keyed = [
        _key_rows(table, rules, settings.values, sessions=sessions, prefix=source.prefix)
        for table, source in zip(tables, sources, strict=True)
    ]
    rules.check_used()
    skipped = _NOT_JOINED | {settings.id_column} | ({SITE} if settings.datasets else set())
    columns = _join_tables(keyed, tables, skipped=skipped)
    if settings.datasets:
        columns[SITE] = _name_sites(keyed, sources, columns["participant_id"])
    source = str(settings.participants)
    _map_values(columns, settings.values, source, skipped=_NOT_JOINED | {settings.id_column})
    people: dict[str, Any] = {name: columns.pop(name) for name in ("participant_id", "session")}
    people["group"] = _name_groups(columns, groups, source, n_rows=len(people["participant_id"]))
    if groups is not None and groups.column != "group":
        columns[groups.column] = people["group"]
    columns.pop("group", None)
    people.update({name: _convert(cells, settings.decimal) for name, cells in columns.items()})
    return pd.DataFrame(people)


def _convert(cells: Sequence[str | None], decimal: str) -> np.ndarray:
    """Convert a column, unless its commas are thousands marks beside plain numbers: 1,231 and 987."""
    if decimal == "," and find_thousands(cells, beside_plain=True):
        return np.array([None if _is_missing(cell) else cell for cell in cells], dtype=object)
    return convert_column(cells, decimal)


def read_outsiders(
    settings: InputSettings, groups: GroupSettings | None, *, sessions: str = "combine"
) -> dict[str, str]:
    """Return everyone whose group is written and none of the levels: participant_id to what is written.

    Parameters
    ----------
    settings : InputSettings
        As for `read_people`.
    groups : GroupSettings or None
        Column and levels.
    sessions : {'combine', 'separate'}
        As for `read_people`.
    """
    if groups is None:
        return {}
    people = read_people(settings, sessions=sessions)
    if groups.column not in people:
        return {}
    values = zip(people["participant_id"], people[groups.column].to_numpy(dtype=object), strict=True)
    written = {
        str(person): f"{value:g}" if isinstance(value, float) else str(value)
        for person, value in values
        if not pd.isna(value)
    }
    return {person: cell for person, cell in written.items() if _find_level(cell, groups.levels) is None}


def describe_outsiders(outsiders: Mapping[str, str], groups: GroupSettings) -> list[str]:
    """Return a line on people whose group is none of the levels, with the mapping that may settle it."""
    if not outsiders:
        return []
    levels = {str(value).casefold().strip(): str(value) for value in groups.levels.values()}
    cells = list(dict.fromkeys(outsiders.values()))
    near = {cell: levels[cell.casefold().strip()] for cell in cells if cell.casefold().strip() in levels}
    pairs = ", ".join(f"{cell}: {value}" for cell, value in near.items())
    settle = f"say input.values: {{{groups.column}: {{{pairs}}}}}" if near else "else they are in no group"
    people, more = list(outsiders)[:_SHOWN_PEOPLE], len(outsiders) - _SHOWN_PEOPLE
    named = ", ".join(people) + (f" and {more} more" if more > 0 else "")
    found = ", ".join(map(repr, cells[:_SHOWN_PEOPLE]))
    known = ", ".join(levels.values())
    return [f"column {groups.column!r}: {found} ({named}) not among groups.levels ({known}); {settle}"]


def _name_sites(
    keyed: Sequence[Mapping[PersonSession, int]], sources: Sequence[TableSource], people: Sequence[str]
) -> TextColumn:
    """Return the site of each row's person; None for those of a table that belongs to no dataset."""
    sites: dict[str, TableSource] = {}
    for keys, source in zip(keyed, sources, strict=True):
        for person in {person for person, _ in keys} if source.site is not None else ():
            other = sites.setdefault(person, source)
            if other.prefix != source.prefix:
                raise TableError(
                    f"{person} is in {other.path} (prefix {other.prefix!r}) and in {source.path} (prefix "
                    f"{source.prefix!r}): two people would become one; other prefixes needed (input.datasets)"
                )
    return [sites[person].site if person in sites else None for person in people]


def list_table_ids(settings: InputSettings) -> dict[Path, tuple[str, ...]]:
    """Return the people of each table, by the ids that the config makes of them."""
    rules = IdRules(settings)
    return {
        source.path: tuple(dict.fromkeys(_read_ids(read_published_table(source.path), rules, source.prefix)))
        for source in settings.table_sources
    }


def convert_column(cells: Sequence[str | None], decimal: str = ".") -> np.ndarray:
    """Return a column of text as numbers if all its values are, else as text with None for missing.

    With decimal commas a column may use either mark, but not both.

    Examples
    --------
    >>> convert_column(["1,5", "n/a", "2"], ",").tolist()
    [1.5, nan, 2.0]
    >>> convert_column(["a", "N/A"]).tolist()
    ['a', None]
    """
    present = [cell for cell in cells if cell is not None and cell.lower() not in MISSING_NUMBERS]
    comma = decimal == "," and any("," in cell for cell in present)
    numbers = [_parse_number(cell, comma=comma) for cell in present]
    if any(number is None for number in numbers):
        words = [None if cell is None or cell.lower() in MISSING_WORDS else cell for cell in cells]
        return np.array(words, dtype=object)
    found = iter(numbers)
    return np.array(
        [np.nan if cell is None or cell.lower() in MISSING_NUMBERS else next(found) for cell in cells],
        dtype=float,
    )


def check_numeric(people: pd.DataFrame, column: str, *, option: str, source: object = "participants") -> None:
    """Refuse a column of numbers in which some cell is text.

    Parameters
    ----------
    people : DataFrame
        As `read_people` returns it.
    column : str
        Column that should hold numbers, or words throughout.
    option : str
        Config key that names the column, for the message.

    Raises
    ------
    TableError
        Naming the first such cell, its person and what to write in the config.
    """
    values = people[column].to_numpy(dtype=object)
    if all(not isinstance(value, str) for value in values):
        return
    for person, value in zip(people["participant_id"], values, strict=True):
        if isinstance(value, str) and _parse_number(value, comma=False) is None:
            remedy = (
                "set input.decimal: ','"
                if _COMMA_NUMBER.fullmatch(value)
                else f"mend the cell, or map it with input.values: {{{column}: {{{value!r}: n/a}}}}"
            )
            remedy = describe_word(column, list(values)) or remedy
            raise TableError(
                f"{source}: column {column!r}, {person}: {value!r} is not a number; {option} needs numbers; "
                f"{remedy}"
            )


def find_hidden_number(values: Iterable[Any]) -> str | None:
    """Return a number that stands in a column of words, or None if there is none.

    Such a column would silently be taken for a category with one level per number: ages with a decimal comma, or
    with one cell that says "34 years".

    Examples
    --------
    >>> find_hidden_number(["31", "34 years", None]), find_hidden_number(["young", "old"])
    ('31', None)
    """
    return next((value for value in values if isinstance(value, str) and _is_number_like(value)), None)


def _is_number_like(cell: str) -> bool:
    return _parse_number(cell, comma=False) is not None or bool(_COMMA_NUMBER.fullmatch(cell))


def _parse_number(cell: str, *, comma: bool) -> float | None:
    if comma:
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    if not any(character.isdigit() for character in cell) or "_" in cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None  # 1e400 is no number that a table can mean


PersonSession = tuple[str, str | None]


def _read_ids(table: PublishedTable, rules: IdRules, prefix: str) -> list[str]:
    cells = table.columns[rules.find_column(table.columns, str(table.path))]
    people = [
        _read_id(rules.rewrite(cell), f"{table.path}: line {line}")
        for cell, line in zip(cells, table.lines, strict=True)
    ]
    return [add_prefix(person, prefix) for person in people] if prefix else people


def _key_rows(
    table: PublishedTable,
    rules: IdRules,
    values: Mapping[str, Mapping[str, str]],
    *,
    sessions: str,
    prefix: str,
) -> dict[PersonSession, int]:
    """Return (participant_id, session) to row number of one table; each pair once."""
    everyone = _read_ids(table, rules, prefix)
    if sessions == "separate" and "session" in table.columns and "session_id" not in table.columns:
        raise TableError(
            f"{table.path}: column 'session' found, session_id needed with sessions: separate; rename the column"
        )
    renamed = values.get("session_id", {})
    labels = [_map_cell(label, renamed) for label in table.columns.get("session_id", [""] * table.n_rows)]
    keys: dict[PersonSession, int] = {}
    people: dict[str, int] = {}
    for row, (person, label) in enumerate(zip(everyone, labels, strict=True)):
        session = label.removeprefix("ses-") if label.lower() not in MISSING_WORDS else None
        if sessions == "combine" and person in people and "session_id" in table.columns:
            raise TableError(
                f"{table.path}: {person} has several rows (session_id {labels[people[person]]}, {label}); "
                "one row per person needed, or sessions: separate"
            )
        key = (person, session if sessions == "separate" else None)
        if key in keys:
            lines = f"lines {table.lines[keys[key]]} and {table.lines[row]}"
            raise TableError(f"{table.path}: {person} occurs twice ({lines}); one row per person needed")
        keys[key], people[person] = row, row
    return keys


def _read_id(cell: str, where: str) -> str:
    if cell.lower() in MISSING_WORDS:
        raise TableError(f"{where}: no participant_id; every row needs one")
    person = format_participant_id(cell)
    if not _SAFE_ID.fullmatch(person):
        raise TableError(
            f"{where}: participant_id {cell!r}; letters, digits, '+', '.', '_' and '-' may be used"
        )
    return person


def _join_tables(
    keyed: Sequence[Mapping[PersonSession, int]], tables: Sequence[PublishedTable], skipped: Collection[str]
) -> dict[str, Any]:
    """Join tables on person and session; a table without sessions speaks for all sessions of a person."""
    people = {person for keys in keyed for person, _ in keys}
    with_session = {key for keys in keyed for key in keys if key[1] is not None}
    without = {(person, None) for person in people - {person for person, _ in with_session}}
    rows: list[PersonSession] = sorted(with_session | without, key=lambda key: (key[0], key[1] or ""))
    columns: dict[str, Any] = {
        "participant_id": [key[0] for key in rows],
        "session": [key[1] for key in rows],
    }
    for table, keys in zip(tables, keyed, strict=True):
        found = [keys.get(key, keys.get((key[0], None))) for key in rows]
        for name, cells in table.columns.items():
            if name not in skipped:
                new = [None if row is None else cells[row] for row in found]
                columns[name] = _merge(columns.get(name), new, rows, f"{table.path}: column {name!r}")
    return columns


def _merge(old: TextColumn | None, new: TextColumn, rows: Sequence[PersonSession], where: str) -> TextColumn:
    """Fill the gaps of one table with the other's values; they may not disagree."""
    if old is None:
        return new
    merged: TextColumn = []
    for before, after, key in zip(old, new, rows, strict=True):
        if not _is_missing(before) and not _is_missing(after) and not _is_same(str(before), str(after)):
            raise TableError(
                f"{where}: {key[0]} has {after!r}, another table has {before!r}; rename one of the columns"
            )
        merged.append(after if _is_missing(before) else before)
    return merged


def _is_same(first: str, second: str) -> bool:
    number = _parse_number(first, comma=False)
    return first == second or (number is not None and number == _parse_number(second, comma=False))


def _is_missing(cell: str | None) -> bool:
    return cell is None or cell.lower() in MISSING_WORDS


def _map_values(
    columns: dict[str, Any],
    values: Mapping[str, Mapping[str, str]],
    source: str,
    *,
    skipped: Collection[str],
) -> None:
    for name in values.keys() - skipped:
        mapping = values[name]
        if name not in columns:
            raise TableError(
                f"{source}: no column {name!r}, which input.values names; found {_list_some(columns)}"
            )
        columns[name] = [None if cell is None else _map_cell(cell, mapping) for cell in columns[name]]


def _map_cell(cell: str, mapping: Mapping[str, str]) -> str:
    """Return what a cell means; 19 also finds 19.0."""
    if cell in mapping:
        return mapping[cell]
    return next((meaning for value, meaning in mapping.items() if _is_same(cell, value)), cell)


def _name_groups(
    columns: Mapping[str, Any], groups: GroupSettings | None, source: str, *, n_rows: int
) -> TextColumn:
    """Return the group's name per row; None where the cell is missing or not among the levels."""
    if groups is None:
        return [None if _is_missing(cell) else cell for cell in columns.get("group", [None] * n_rows)]
    if groups.column not in columns:
        raise TableError(
            f"{source}: no column {groups.column!r} (groups.column); found {_list_some(columns)}"
        )
    cells: TextColumn = columns[groups.column]
    names = [_find_level(cell, groups.levels) for cell in cells]
    for name, value in groups.levels.items():
        if name not in names:
            raise TableError(
                f"{source}: column {groups.column!r} has no {value!r} (groups.levels.{name}); "
                f"it has {_count(cells)}"
            )
    return names


def _find_level(cell: str | None, levels: Mapping[str, str]) -> str | None:
    if cell is None:
        return None
    for name, value in levels.items():
        if _is_same(cell, str(value)):
            return name
    return None


def _count(cells: TextColumn) -> str:
    words = ["n/a" if cell is None else cell for cell in cells]
    return ", ".join(f"{word!r} ({words.count(word)})" for word in sorted(set(words))[:8])


def _list_some(columns: Mapping[str, Any]) -> str:
    names = [name for name in columns if name not in {"participant_id", "session"}]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
