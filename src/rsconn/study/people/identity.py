"""Who is who: ids and sessions of the tables and of the images, and the nearest twin of those that match nobody."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from rsconn.errors import TableError
from rsconn.naming import format_participant_id
from rsconn.settings.id_patterns import rewrite_id
from rsconn.settings.problems import suggest

if TYPE_CHECKING:
    from rsconn.settings.sections import InputSettings

_SHOWN = 6
_ALIKE = 0.8
# In "sub-01" and "sub-02" one character of two tells people apart; in "CTL0113" one of seven is a slip.
_LONG_ENOUGH = 5


class IdRules:
    """What the config says about ids: `input.values` of the id column, then `ids`, then `id_pattern`.

    Parameters
    ----------
    settings : InputSettings
        ``id_column``, ``values``, ``ids``, ``id_pattern``.
    """

    def __init__(self, settings: InputSettings) -> None:
        self._settings = settings
        values = settings.values  # noqa: PD011 (no DataFrame)
        self._values = {**values.get("participant_id", {}), **values.get(settings.id_column, {})}
        self._used: set[str] = set()
        self._seen: set[str] = set()

    def find_column(self, columns: Collection[str], where: str) -> str:
        """Return the name of a table's id column.

        Raises
        ------
        TableError
            If there is none.
        """
        names = dict.fromkeys((self._settings.id_column, "participant_id"))
        found = next((name for name in names if name in columns), None)
        if found is None:
            raise TableError(
                f"{where}: no column {' or '.join(names)}; found {', '.join(list(columns)[:6])}; "
                "rename the column that holds the people's ids, or name it with input.id_column"
            )
        return found

    def rewrite(self, cell: str) -> str:
        """Return a cell of the id column as the config settles it."""
        self._seen.add(cell)
        cell = self._values.get(cell, cell)
        for spelling in (cell, format_participant_id(cell)):
            if spelling in self._settings.ids:
                self._used.add(spelling)
                return self._settings.ids[spelling]
        rewritten = rewrite_id(cell, self._settings.id_pattern)
        if rewritten is not None:
            self._used.add("id_pattern")
        return cell if rewritten is None else rewritten

    def check_used(self) -> None:
        """Refuse spellings in `input.ids`, and a pattern, that no table has.

        Raises
        ------
        TableError
            Naming the first and the nearest id.
        """
        for spelling in self._settings.ids:
            if spelling not in self._used:
                raise TableError(
                    f"input.ids: no table has the id {spelling!r}; {suggest(spelling, self._seen, what='ids')}"
                )
        if self._settings.id_pattern and "id_pattern" not in self._used:
            some = ", ".join(sorted(self._seen)[:3])
            raise TableError(
                f"input.id_pattern: fits no id of the tables, which are {some}, ...; the whole id must fit"
            )


def find_twins(lonely: Iterable[str], others: Collection[str]) -> dict[str, str]:
    """Return who of `lonely` is probably whom of `others`, written in another way.

    In this order: case, zeros, a decimal point from a spreadsheet, ``sub-`` twice, blanks and dashes; a prefix; a
    slip of the pen. Whoever could be two of the others is left out.

    Examples
    --------
    >>> find_twins(["sub-9", "sub-CTL-3", "sub-sub-10"], ["sub-09", "sub-10", "sub-ctl003"])
    {'sub-9': 'sub-09', 'sub-CTL-3': 'sub-ctl003', 'sub-sub-10': 'sub-10'}
    >>> find_twins(["sub-P01", "sub-7"], ["sub-01", "sub-8"])
    {'sub-P01': 'sub-01'}
    """
    twins: dict[str, str] = {}
    for simplify in (simplify_id, _drop_prefix):
        left, free = set(lonely) - set(twins), set(others) - set(twins.values())
        twins |= _pair(left, free, simplify)
    for person in sorted(set(lonely) - set(twins)):
        near = _find_near(person, set(others) - set(twins.values()))
        if near:
            twins[person] = near[0]
    return twins


def _pair(mine: Iterable[str], theirs: Iterable[str], simplify: Callable[[str], str]) -> dict[str, str]:
    """Pair those that simplify to the same text, if nobody else does."""
    known = _index(theirs, simplify)
    return {
        people[0]: known[key][0]
        for key, people in _index(mine, simplify).items()
        if len(people) == 1 and len(known.get(key, ())) == 1
    }


def simplify_id(person: str) -> str:
    """Return what two spellings of one id have in common.

    Examples
    --------
    >>> simplify_id("sub-sub-CTL_007"), simplify_id("sub-7.0")
    ('ctl7', '7')
    """
    text = re.sub(r"^(sub[-_ ]?)+", "", person.lower().strip())
    text = re.sub(r"[^a-z0-9]", "", re.sub(r"\.0+$", "", text))
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def _drop_prefix(person: str) -> str:
    text = simplify_id(person)
    return simplify_id(re.sub(r"^[a-z]+(?=\d)", "", text))


def _index(people: Iterable[str], simplify: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for person in sorted(people):
        found.setdefault(simplify(person), []).append(person)
    return found


def _find_near(person: str, others: Collection[str]) -> list[str]:
    if len(simplify_id(person)) < _LONG_ENOUGH:
        return []
    near = difflib.get_close_matches(person, sorted(others), n=2, cutoff=_ALIKE)
    return near if len(near) == 1 else []


def describe_strangers(table: str, ids: Collection[str], known: Collection[str], place: str) -> list[str]:
    """Return a line that says how many ids of a table match nobody, who they are, and their nearest twins.

    Parameters
    ----------
    table : str
        The table, as messages show it.
    ids, known : collection of str
        Its ids; those that it should match.
    place : str
        Where the latter are, such as ``with images``.
    """
    lonely = sorted(set(ids) - set(known))
    if not lonely:
        return []
    twins = find_twins(lonely, set(known) - set(ids))
    lonely.sort(key=lambda person: person not in twins)
    named = [f"{person} ({twins[person]}?)" if person in twins else person for person in lonely[:_SHOWN]]
    more = f" and {len(lonely) - _SHOWN} more" if len(lonely) > _SHOWN else ""
    return [f"{table}: {len(lonely)} of {len(set(ids))} ids match nobody {place}: {', '.join(named)}{more}"]


def check_matches(table: str, ids: Collection[str], known: Collection[str], limit: float) -> list[str]:
    """Return a problem if more of a table's ids than allowed seem to be somebody's, written in another way.

    Parameters
    ----------
    limit : float
        censoring.max_share_lost.
    """
    twins = find_twins(set(ids) - set(known), set(known) - set(ids))
    whole = min(len(set(ids)), len(set(known)))
    if len(twins) <= limit * whole:
        return []
    return [_describe_mismatch(table, len(twins), whole, twins, limit)]


def check_images_match(ids: Collection[str], with_images: Collection[str], limit: float) -> list[str]:
    """Return a problem if more people with images than allowed may be in the tables under another id."""
    lonely, strangers = set(ids) - set(with_images), set(with_images) - set(ids)
    twins = find_twins(lonely, strangers)
    n_lost = max(len(twins), min(len(lonely), len(strangers)))
    if n_lost <= limit * len(set(with_images)):
        return []
    twins = twins or dict(zip(sorted(lonely)[:1], ["sub-..."], strict=False))
    return [_describe_mismatch("participant_id", n_lost, len(set(with_images)), twins, limit)]


def _describe_mismatch(table: str, n_lost: int, n: int, twins: Mapping[str, str], limit: float) -> str:
    pairs = ", ".join(f"{mine}: {theirs}" for mine, theirs in list(twins.items())[:3])
    more = ", ..." if len(twins) > 3 else ""
    return (
        f"{table}: {n_lost} of {n} people ({n_lost / n:.0%}; censoring.max_share_lost allows {limit:.0%}) are lost "
        f"because ids are written in two ways; input.ids: {{{pairs}{more}}} or input.id_pattern settles it"
    )


def match_sessions(people: pd.DataFrame, sessions: Collection[str]) -> pd.DataFrame:
    """Return people with their sessions named as the images name them: 1 is 01 if there is no other.

    Parameters
    ----------
    people : DataFrame
        ``session``, None where there is none.
    sessions : collection of str
        Labels of the images.
    """
    renamed = pair_sessions(set(people["session"].dropna()), sessions)
    if not renamed:
        return people
    labels = [renamed.get(label, label) for label in people["session"]]
    return people.assign(session=pd.Series(labels, index=people.index, dtype=object))


def pair_sessions(in_tables: Collection[str], in_images: Collection[str]) -> dict[str, str]:
    """Return the tables' session labels that differ from an image's by case, zeros or dashes only.

    Examples
    --------
    >>> pair_sessions({"1", "2", "pre"}, {"01", "02", "post"})
    {'1': '01', '2': '02'}
    """
    return _pair(set(in_tables) - set(in_images), set(in_images) - set(in_tables), simplify_id)


def describe_sessions(in_tables: Collection[str], in_images: Collection[str]) -> tuple[list[str], list[str]]:
    """Return problems and warnings about sessions that are named in two ways."""
    renamed = pair_sessions(in_tables, in_images)
    warnings = [
        f"session_id: {mine} of the tables is taken for ses-{theirs} of the images; claims call it {theirs}"
        for mine, theirs in renamed.items()
    ]
    lonely = sorted(set(in_tables) - set(in_images) - set(renamed))
    if not lonely or not in_images:
        return [], warnings
    line = (
        f"session_id: {', '.join(lonely[:_SHOWN])} of the tables match no session of the images "
        f"({', '.join(sorted(in_images)[:_SHOWN])}); map them with input.values: {{session_id: {{{lonely[0]}: ...}}}}"
    )
    if set(lonely) == set(in_tables):
        return [line], warnings
    return [], [*warnings, line]
