"""The tables of people that lie with a dataset, joined: which column holds the ids, and how they are spelt."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from rsconn.commands.found_images import FoundImages, Guess
from rsconn.errors import DatasetError, TableError
from rsconn.naming import format_participant_id
from rsconn.published_tables import PublishedTable, read_published_table
from rsconn.settings.fields import show_path
from rsconn.settings.sections import InputSettings
from rsconn.study.people.identity import find_twins, simplify_id
from rsconn.study.people.odd_values import find_thousands
from rsconn.study.people.participants import MISSING_WORDS, read_people

_TABLES = ("*.tsv", "*.csv", "*.txt")
_ID_NAMES = re.compile(
    r"(participants?|subjects?|subj|sub|record|person|proband|code|vp|pid|src_subject)?[ _.-]?"
    r"(id|code|nr|no|key|number)?",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[+-]?\d+,\d+")
_SHOWN = 6


@dataclass(frozen=True)
class FoundTables:
    """Tables that can be joined, and what the config must say of them.

    Attributes
    ----------
    settings : InputSettings
        What `rsconn.study.people.participants.read_people` needs: tables, ids, decimal mark.
    sessions : str
        ``separate`` where a person has a row per session.
    reasons : dict of str to Guess
        Option of ``input`` to the guess behind it.
    questions : tuple of str
        What only the user can say, one line each.
    unsettled_ids : dict of str to str
        Ids that match nobody, and whose they may be.
    """

    settings: InputSettings
    sessions: str = "combine"
    reasons: dict[str, Guess] = field(default_factory=dict)
    questions: tuple[str, ...] = ()
    unsettled_ids: dict[str, str] = field(default_factory=dict)

    def read(self) -> pd.DataFrame:
        """Return the joined people.

        Raises
        ------
        TableError
            If the tables cannot be joined after all.
        """
        return read_people(self.settings, sessions=self.sessions)


def find_tables(folder: Path, given: Sequence[Path], images: FoundImages | None) -> FoundTables | None:
    """Return the tables of a dataset; None if there is none.

    Parameters
    ----------
    folder : Path
        What ``rsconn init`` was asked about.
    given : sequence of Path
        Tables named on the command line; they are joined to the participants table, or stand for it.
    images : FoundImages or None
        Whose ids the tables' should be.

    Raises
    ------
    TableError
        If a table that was named cannot be read, or the participants table has no column of ids.
    """
    paths = _list_tables(folder, given, images)
    if not paths:
        return None
    tables = [read_published_table(path) for path in paths]
    with_images = images.people if images else set()
    columns = {table.path: _find_id_column(table, with_images) for table in tables}
    if columns[paths[0]] is None:
        raise TableError(
            f"{show_path(paths[0])}: no column of ids found among {', '.join(list(tables[0].columns)[:6])}; call it "
            "participant_id"
        )
    id_column = next((name for name in columns.values() if name not in {None, "participant_id"}), None)
    usable = [
        table for table in tables if columns[table.path] in {id_column or "participant_id", "participant_id"}
    ]
    found = FoundTables(
        InputSettings(participants=paths[0], **({"id_column": id_column} if id_column else {})),
        questions=tuple(_describe_left_out(table, columns) for table in tables if table not in usable),
    )
    if id_column:
        where = next(path for path in paths if columns[path] == id_column)
        found.reasons["id_column"] = Guess(id_column, f"of {where.name}; participant_id is found anyway")
    found = _settle_ids(found, usable, columns, with_images)
    found = _settle_decimal(found, usable)
    return _join(found, usable)


def _list_tables(folder: Path, given: Sequence[Path], images: FoundImages | None) -> list[Path]:
    roots = _list_roots(folder, images)
    near = [path for root in roots for path in _glob(root, ("participants*.tsv", "participants*.csv"))]
    near += [] if near else [path for root in roots for path in _glob(root, ("*/participants.tsv",))]
    further = [path for root in roots for path in _glob(root, tuple(f"pheno*/{end}" for end in _TABLES))]
    if not near and not given and not further and images is None:
        return _glob(folder, _TABLES)
    return list({path.resolve(): path for path in [*near[:1], *given, *further]}.values())


def _list_roots(folder: Path, images: FoundImages | None) -> list[Path]:
    """Return the folders that tables may lie in: the dataset, and the raw one around or beside its derivatives."""
    roots = [folder]
    if images is not None:
        inside = [path for path in images.folder.absolute().parents if folder.absolute() in path.parents]
        roots += [images.folder, *inside]
        if images.folder.absolute().parent.name == "derivatives":
            roots.append(images.folder.parent.parent)
    return list({root.resolve(): root for root in roots}.values())


def _glob(root: Path, patterns: Sequence[str]) -> list[Path]:
    found = [path for pattern in patterns for path in sorted(root.glob(pattern))]
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _find_id_column(table: PublishedTable, with_images: Collection[str]) -> str | None:
    """Return the column of a table that names people: by its name, or because its cells are those of the images."""
    if "participant_id" in table.columns:
        return "participant_id"
    known = {simplify_id(person) for person in with_images}
    shares = {name: _count_known(cells, known) for name, cells in table.columns.items()}
    best = max(shares, key=lambda name: shares[name])
    if known and shares[best] * 2 > min(len(known), table.n_rows):
        return best
    named = [name for name in table.columns if name.strip() and _ID_NAMES.fullmatch(name.strip())]
    return next((name for name in named if _are_ids(table.columns[name])), None)


def _count_known(cells: Sequence[str], known: Collection[str]) -> int:
    return len({simplify_id(cell) for cell in cells} & set(known))


def _are_ids(cells: Sequence[str]) -> bool:
    return bool(cells) and all(cell.lower() not in MISSING_WORDS for cell in cells)


def _describe_left_out(table: PublishedTable, columns: dict[Path, str | None]) -> str:
    name = columns[table.path]
    if name is None:
        return f"{show_path(table.path)} left out: which of its columns holds the ids? Call it participant_id"
    return f"{show_path(table.path)} left out: its ids are in {name!r}; call that column participant_id"


def _settle_ids(
    found: FoundTables,
    tables: Sequence[PublishedTable],
    columns: dict[Path, str | None],
    with_images: Collection[str],
) -> FoundTables:
    """Rewrite ids that are spelt otherwise than the images', or than those of the first table."""
    known, ids, unsettled = set(with_images), dict[str, str](), dict[str, str]()
    for table in tables:
        cells = [
            cell for cell in table.columns[str(columns[table.path])] if cell.lower() not in MISSING_WORDS
        ]
        spelt = {format_participant_id(cell): cell for cell in cells}
        if known:
            sure, unsure = _pair_ids(set(spelt), known)
            ids |= {spelt[mine]: theirs for mine, theirs in sure.items()}
            unsettled |= {spelt[mine]: theirs for mine, theirs in unsure.items()}
        known |= {ids.get(cell, person) for person, cell in spelt.items()}
    if ids or unsettled:
        reason = f"{len(ids)} ids are spelt otherwise in the tables than in the images"
        found.reasons["ids"] = Guess(ids, reason)
    return replace(found, settings=found.settings.model_copy(update={"ids": ids}), unsettled_ids=unsettled)


def _pair_ids(mine: set[str], known: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return who is whom for certain, and who may be whom: by a prefix few have, or a slip of the pen."""
    lonely = mine - set(known)
    twins = find_twins(lonely, set(known) - mine)
    same = {one: other for one, other in twins.items() if simplify_id(one) == simplify_id(other)}
    rest = {one: other for one, other in twins.items() if one not in same}
    prefixed = {one: other for one, other in rest.items() if simplify_id(one).endswith(simplify_id(other))}
    if 2 * len(prefixed) > len(mine):
        same, rest = same | prefixed, {one: other for one, other in rest.items() if one not in prefixed}
    return same, rest


def _settle_decimal(found: FoundTables, tables: Sequence[PublishedTable]) -> FoundTables:
    for table in tables:
        for name, cells in table.columns.items():
            present = [cell for cell in cells if cell.lower() not in MISSING_WORDS]
            commas = [cell for cell in present if _COMMA.fullmatch(cell)]
            if 2 * len(commas) > len(present) and find_thousands(commas) is None:
                found.reasons["decimal"] = Guess(",", f"{table.path.name}, {name}: {commas[0]}")
                return replace(found, settings=found.settings.model_copy(update={"decimal": ","}))
    return found


def _join(found: FoundTables, tables: Sequence[PublishedTable]) -> FoundTables:
    """Join as many of the tables as go together; what does not is asked about."""
    if any(_has_sessions(table) for table in tables):
        found = replace(found, sessions="separate")
    joined = _keep_used_ids(found, tables[:1])
    joined.read()
    for number, table in enumerate(tables[1:], start=2):
        further = (*joined.settings.phenotype, table.path)
        wider = replace(joined, settings=found.settings.model_copy(update={"phenotype": further}))
        wider = _keep_used_ids(wider, tables[:number])
        try:
            wider.read()
        except TableError as error:
            joined = replace(joined, questions=(*joined.questions, f"left out: {error}"))
        else:
            joined = wider
    return joined


def _has_sessions(table: PublishedTable) -> bool:
    names = table.columns.get("participant_id", [])
    return "session_id" in table.columns and len(set(names)) < len(names)


def _keep_used_ids(found: FoundTables, tables: Sequence[PublishedTable]) -> FoundTables:
    """Keep the spellings that these tables have; others would be refused as misspelt."""
    cells = {cell for table in tables for column in table.columns.values() for cell in column}
    guess = found.reasons.get("ids")
    ids = {mine: theirs for mine, theirs in guess.value.items() if mine in cells} if guess else {}
    return replace(found, settings=found.settings.model_copy(update={"ids": ids}))


def write_people_of(images: FoundImages) -> str:
    """Return a table of the people with images, of whom nothing else is known.

    Raises
    ------
    DatasetError
        If there is nobody.
    """
    if not images.people:
        raise DatasetError(f"{images.folder}: nobody has images; a participants table was needed (--table)")
    return "\n".join(["participant_id", *sorted(images.people)]) + "\n"
