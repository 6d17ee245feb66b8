"""What the columns of a table of people mean: group, sex, age, site; what must be mapped, and what to adjust for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rsconn.commands.found_images import Guess
from rsconn.study.people.odd_values import find_marks, find_unit
from rsconn.study.people.used_columns import find_present, is_text, make_columns, name_value

_SEX = re.compile(r"(biological_?)?(sex|gender)(_?at_?birth)?(_?code)?|geschlecht|sexe|sexo", re.IGNORECASE)
_AGE = re.compile(
    r"(participant_?)?age(_?(in_?)?(years|yrs|y))?(_?(at_?)?(scan|mri|baseline|test))?|alter", re.IGNORECASE
)
_SITE = re.compile(
    r"(study_?|acq(uisition)?_?|scan_?|mri_?)?(site|cent(er|re)|scanner|institution|location)(_?(id|name|code|nr))?",
    re.IGNORECASE,
)
# The first pattern that a column fits wins.
_GROUPS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"groups?|gruppe|grp",
        r"diagnos[ie]s|diagnosis_?group|dx(_?group)?|diag|patient(_?status)?|clinical_?(group|status)|case_?control",
        r".*group.*|.*gruppe.*",
        r"status|cohort|arm|study_?arm|condition|treatment|intervention|phenotype|expert(ise)?|training",
    )
)
_WORDS = {"f": "F", "female": "F", "woman": "F", "w": "F", "weiblich": "F", "m": "M", "male": "M", "man": "M"}
_CONTROL = re.compile(
    r"(healthy_?)?controls?|con|ctl|ctrl|hc|healthy|td|nt|placebo|no|none|0|kontrolle.*", re.IGNORECASE
)
_MOST_LEVELS = 4
_MOST_SITES = 30
_LEAST_PEOPLE = 2
_NAME = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class FoundColumns:
    """What the columns mean.

    Attributes
    ----------
    groups : Guess or None
        Of ``{"column": ..., "levels": {name: value}}``.
    sex, age, site : str or None
        Their columns.
    cells : dict of str to Guess
        Column to a mapping of its cells.
    categorical : tuple of str
        Columns whose numbers are codes.
    covariates : Guess
        Columns to adjust claims with an edge for.
    questions : tuple of str
        What only the user can say.
    """

    groups: Guess | None = None
    sex: str | None = None
    age: str | None = None
    site: str | None = None
    cells: dict[str, Guess] = field(default_factory=dict)
    categorical: tuple[str, ...] = ()
    covariates: Guess = field(default_factory=lambda: Guess((), ""))
    questions: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[str, str] | None:
        """Two groups to compare, the controls last; None without groups."""
        if self.groups is None or len(self.groups.value["levels"]) < 2:
            return None
        first, second, *_ = sorted(
            self.groups.value["levels"], key=lambda name: bool(_CONTROL.fullmatch(name))
        )
        controls = [name for name in self.groups.value["levels"] if _CONTROL.fullmatch(name)]
        return first, (controls[0] if controls else second)


def find_columns(
    people: pd.DataFrame, with_images: Collection[str], *, max_share_lost: float = 0.1
) -> FoundColumns:
    """Say what the columns of a table mean, by their names and values.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`, before any value is mapped.
    with_images : collection of str
        Everyone with images; empty in a study of scores.
    max_share_lost : float
        A covariate that would cost more of them is not proposed.
    """
    columns = {name: cells for name, cells in make_columns(people).items() if name not in _OURS}
    if not people["group"].isna().all():
        columns["group"] = make_columns(people[["group"]])["group"]
    sex, age, site = (_find_named(columns, pattern) for pattern in (_SEX, _AGE, _SITE))
    values, questions = _map_values(columns, sex, age), list[str]()
    for name in values.keys() & columns.keys():
        if is_text(columns[name]) and name != age:
            mapping = values[name].value
            columns[name] = np.array([mapping.get(cell, cell) for cell in columns[name]], dtype=object)
    groups = _guess_groups(columns, {sex, age, site} - {None}, site)
    codes = [name for name in (sex, site) if name and not is_text(columns[name])]
    if sex in codes:
        questions.append(
            f"{sex}: which of its numbers is which sex? Say values: {{{sex}: {{'1': F, '2': M}}}} if so"
        )
    here = (
        people["participant_id"].isin(with_images).to_numpy()
        if with_images
        else np.ones(len(people), dtype=bool)
    )
    covariates = _choose_covariates(columns, (age, sex, site), groups, here, max_share_lost)
    return FoundColumns(groups, sex, age, site, values, tuple(codes), covariates, tuple(questions))


_OURS = frozenset({"participant_id", "session", "group"})


def _find_named(columns: dict[str, Any], pattern: re.Pattern[str]) -> str | None:
    named = [name for name in columns if pattern.fullmatch(name.strip())]
    # of two, the one that more is known of
    return max(named, key=lambda name: int(find_present(columns[name]).sum()), default=None)


def _count(column: Any) -> Counter[str]:
    return Counter(name_value(cell) for cell in column[find_present(column)].tolist())


def _map_values(columns: dict[str, Any], sex: str | None, age: str | None) -> dict[str, Guess]:
    """Return the cells that mean something else than they say."""
    values: dict[str, Guess] = {}
    for name, column in columns.items():
        if not is_text(column):
            if (marks := find_marks(column)) and len(marks) < column.size / 2:
                mapping = {f"{mark:g}": "n/a" for mark in marks}
                values[name] = Guess(mapping, "far from the other values: a mark for missing?", sure=False)
        elif name == age and (unit := find_unit(column.tolist())):
            values[name] = Guess(_take_numbers(column), f"{unit!r} is a number with its unit")
        elif spellings := _find_spellings(_count(column), _WORDS if name == sex else {}):
            values[name] = Guess(spellings, "one spelling, which claims use")
    return values


def _take_numbers(column: Any) -> dict[str, str]:
    return {
        cell: f"{float(found[0]):g}" for cell in _count(column) if (found := re.findall(r"\d+\.?\d*", cell))
    }


def _find_spellings(counts: Counter[str], words: Mapping[str, str]) -> dict[str, str]:
    """Return the cells that differ from a more frequent one by capitals and blanks only, or are a known word."""
    first: dict[str, str] = {}
    for cell, _ in counts.most_common():
        key = cell.strip().casefold()
        first.setdefault(key, words.get(key, cell))
    return {cell: name for cell in counts if (name := first[cell.strip().casefold()]) != cell}


def _guess_groups(columns: dict[str, Any], taken: Collection[str | None], site: str | None) -> Guess | None:
    free = {name: _count(cells) for name, cells in columns.items() if name not in taken}
    for pattern in _GROUPS:
        for name, counts in free.items():
            if pattern.fullmatch(name.strip()) and _are_levels(counts):
                return _make_groups(name, counts, sure=pattern is not _GROUPS[-1])
    if site is not None and _are_levels(counts := _count(columns[site])):
        return _make_groups(site, counts, sure=False)
    return None


def _are_levels(counts: Counter[str]) -> bool:
    usual = [level for level, n in counts.items() if n >= _LEAST_PEOPLE]
    return 2 <= len(usual) <= _MOST_LEVELS and len(counts) <= _MOST_LEVELS + 1


def _make_groups(name: str, counts: Counter[str], *, sure: bool) -> Guess:
    levels = {_name_level(value, name): value for value, n in counts.most_common() if n >= _LEAST_PEOPLE}
    shown = ", ".join(f"{value} ({n})" for value, n in counts.most_common())
    reason = f"{shown}; name in claims: value in the table"
    if all(value.replace(".", "").isdigit() for value in levels.values()):
        return Guess({"column": name, "levels": levels}, f"{reason}; which number is who?", sure=False)
    return Guess({"column": name, "levels": levels}, reason, sure=sure)


def _name_level(value: str, column: str) -> str:
    """Name a group as its value; a number says too little alone."""
    name = _NAME.sub("_", value.strip()).strip("_.+-") or "level"
    return f"{_NAME.sub('_', column)}_{name}" if name.replace(".", "").isdigit() else name


def _choose_covariates(
    columns: dict[str, Any],
    names: Sequence[str | None],
    groups: Guess | None,
    here: Any,
    max_share_lost: float,
) -> Guess:
    chosen, left_out = [], []
    tested = groups.value["column"] if groups else None
    for name in dict.fromkeys(name for name in names if name and name != tested):
        why = _find_obstacle(columns, name, tested, here, max_share_lost)
        if why:
            left_out.append(f"{name} {why}")
        else:
            chosen.append(name)
    return Guess(tuple(chosen), "; ".join(left_out), sure=not left_out)


def _find_obstacle(columns: dict[str, Any], name: str, tested: str | None, here: Any, limit: float) -> str:
    present = find_present(columns[name])[here]
    cells = columns[name][here][present]
    if len(present) and 1 - present.mean() > limit:
        return f"is missing for {int((~present).sum())} of {present.size} people, so it is left out"
    if len(set(cells.tolist())) < 2:
        return "is the same for everyone, so it is left out"
    if _SITE.fullmatch(name) and len(set(cells.tolist())) > _MOST_SITES:
        return f"has {len(set(cells.tolist()))} levels, so it is left out"
    if tested and _AGE.fullmatch(name) is None and _is_aliased(columns, name, tested, here):
        return (
            f"cannot be told apart from {tested}, so it is left out: no difference is sure to be of {tested}"
        )
    return ""


def _is_aliased(columns: dict[str, Any], name: str, tested: str, here: Any) -> bool:
    """Say whether a category says who is in which group."""
    known = here & find_present(columns[name]) & find_present(columns[tested])
    pairs = set(zip(columns[name][known].tolist(), columns[tested][known].tolist(), strict=True))
    levels = {level for level, _ in pairs}
    return len(pairs) == len(levels) and len({group for _, group in pairs}) > 1
