"""Values that are not what they seem: marks for missing, units, thousands marks, spellings, ages as categories."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rsconn.arrays import FloatArray

if TYPE_CHECKING:
    from rsconn.settings.config import Config

_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_SPACED = re.compile(r"[+-]?[1-9]\d{0,2}([ \u00a0\u2009\u202f'\u2019]\d{3})+([.,]\d+)?")
_MARK_OF_THOUSANDS = re.compile(r"[ \u00a0\u2009\u202f'\u2019]")
_PLAIN = re.compile(r"[+-]?\d{3,}(\.\d+)?")
_UNIT = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*([A-Za-zµ%][A-Za-zµ%. ]*)")
# Of these a column of few values is no category, as one of scanners (3T) or doses (10 mg) may be.
_AGES = frozenset(
    {"y", "yr", "yrs", "year", "years", "y.o.", "yo", "years old", "m", "months", "w", "weeks", "d"}
)
_FEW_LEVELS = 4
# A category with nearly as many levels as people leaves nothing to compare.
_MOST_LEVELS = 0.5
_LEAST_PEOPLE = 6
_MARKS = frozenset(
    {-1, -7, -8, -9, -77, -88, -99, -777, -888, -999, -9999, 77, 88, 99, 777, 888, 999, 9999, 99999}
)
# Robust standard deviations from the median.
_EXTREME = 6.0
_SHOWN = 3


def find_thousands(cells: Sequence[Any], *, beside_plain: bool = False) -> str | None:
    """Return a number with a thousands mark (comma, blank or apostrophe), if every comma of the column is one.

    Parameters
    ----------
    cells : sequence
        The column's cells; what is no text is passed over.
    beside_plain : bool
        Whether plain numbers of three digits must stand beside it: with decimal commas the rest would be ambiguous.

    Examples
    --------
    >>> find_thousands(["1,231", "987"]), find_thousands(["1,5", "1,231"]), find_thousands(["0,231"])
    ('1,231', None, None)
    >>> find_thousands(["1 231", "987"]), find_thousands(["1'231", "n/a"]), find_thousands(["12 34"])
    ('1 231', "1'231", None)
    """
    texts = [cell.strip() for cell in cells if isinstance(cell, str)]
    commas = [text for text in texts if "," in text]
    if spaced := next((text for text in texts if _SPACED.fullmatch(text)), None):
        return spaced
    if not commas or not all(_THOUSANDS.fullmatch(text) for text in commas):
        return None
    if beside_plain and not any(_PLAIN.fullmatch(text) for text in texts):
        return None
    return commas[0]


def find_unit(cells: Sequence[Any]) -> str | None:
    """Return a number with a unit if most of a column are such numbers, and it is no short list of categories.

    Examples
    --------
    >>> find_unit(["023Y", "031Y"]), find_unit(["38 years", "40 years", "n/a"]), find_unit(["3T", "7T", "3T"])
    ('023Y', '38 years', None)
    """
    texts = [cell for cell in cells if isinstance(cell, str)]
    found = {text: match[1].strip().lower() for text in texts if (match := _UNIT.fullmatch(text))}
    if sum(text in found for text in texts) * 2 <= len(texts):
        return None
    if set(found.values()) & _AGES or len(found) > _FEW_LEVELS:
        return next(iter(found))
    return None


def describe_word(column: str, cells: Sequence[Any]) -> str | None:
    """Say what keeps a column from being one of numbers, and what settles it; None if nothing special does."""
    marked = find_thousands(cells)
    if marked:
        plain = _MARK_OF_THOUSANDS.sub("", marked)
        return (
            f"{marked!r} has a thousands mark; write {plain if plain != marked else marked.replace(',', '')}"
        )
    unit = find_unit(cells)
    if unit:
        number = re.sub(r"^0+(?=\d)", "", re.match(r"[+-]?\d+(?:[.,]\d+)?", unit)[0])  # type: ignore[index]
        return f"{unit!r} is a number with its unit; numbers alone needed, here {number} ({column})"
    return None


def find_crowded(cells: Sequence[Any]) -> str | None:
    """Say that a category has nearly as many levels as people; None if it has not."""
    known = [cell for cell in cells if isinstance(cell, str)]
    levels = sorted(set(known))
    if len(known) < _LEAST_PEOPLE or len(levels) <= _MOST_LEVELS * len(known):
        return None
    some = ", ".join(repr(level) for level in levels[:_SHOWN])
    return f"is a category of {len(levels)} levels for {len(known)} people ({some}, ...); numbers or few levels needed"


def list_odd_values(people: pd.DataFrame, config: Config) -> list[str]:
    """Return a warning per odd thing in the covariates, and in scores that are taken as they stand.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    config : Config
        Scores, covariates and claims.
    """
    bare = [str(score.column) for score in config.scores.values() if score.instrument is None]
    covariates = [*config.covariates.edge, *config.covariates.score]
    covariates += [name for claim in config.questions for name in claim.covariates or ()]
    warnings: list[str] = []
    for name in dict.fromkeys([*bare, *covariates]):
        if name not in people or name == "group":
            continue
        if not pd.api.types.is_numeric_dtype(people[name].dtype):
            warnings += _list_spellings(name, people[name].tolist())
        else:
            warnings += _list_marks(name, people)
    return warnings


def _list_spellings(name: str, cells: Sequence[Any]) -> Iterator[str]:
    """Yield a line if levels differ by case only, or one is short for another."""
    levels = sorted(
        {cell for cell in cells if isinstance(cell, str)}, key=lambda level: (-cells.count(level), level)
    )
    pairs = {
        other: level
        for index, level in enumerate(levels)
        for other in levels[index + 1 :]
        if _is_same_word(level, other)
    }
    if pairs:
        first = {other: _follow(other, pairs) for other in pairs}
        mapping = ", ".join(f"{other}: {level}" for other, level in first.items())
        yield (
            f"column {name!r}: {', '.join(map(repr, levels[:8]))} count as {len(levels)} categories; "
            f"if some are the same, say input.values: {{{name}: {{{mapping}}}}}"
        )


def _follow(level: str, pairs: dict[str, str]) -> str:
    while level in pairs:
        level = pairs[level]
    return level


def _is_same_word(first: str, second: str) -> bool:
    short, long = sorted((first.casefold().strip(), second.casefold().strip()), key=len)
    return short == long or (short.isalpha() and long.isalpha() and long.startswith(short))


def _list_marks(name: str, people: pd.DataFrame) -> Iterator[str]:
    """Yield a line on values that look like marks for missing, and one on extreme values."""
    values = people[name].to_numpy(dtype=float)
    marks = find_marks(values)
    if marks:
        who = people["participant_id"][np.isin(values, marks)].tolist()
        mapping = ", ".join(f"{mark:g}: n/a" for mark in marks)
        rest = values[np.isfinite(values) & ~np.isin(values, marks)]
        yield (
            f"column {name!r}: {_name(who)}: {', '.join(f'{mark:g}' for mark in marks)} beside {rest.min():g} to "
            f"{rest.max():g}; if it stands for missing, say input.values: {{{name}: {{{mapping}}}}}"
        )
    extreme = _find_extreme(np.where(np.isin(values, marks), np.nan, values))
    if extreme.any():
        found = [
            f"{person} {value:g}"
            for person, value in zip(people["participant_id"][extreme], values[extreme], strict=True)
        ]
        yield f"column {name!r}: {_name(found)} lies far from the others (median {np.nanmedian(values):g})"


def find_marks(values: FloatArray) -> list[float]:
    """Return the values of a column (n,) that look like marks for missing: -999, 9999 and the like, far off.

    Examples
    --------
    >>> find_marks(np.array([31.0, 40.0, -999.0, 999.0])), find_marks(np.array([98.0, 99.0, 97.0]))
    ([-999.0, 999.0], [])
    """
    known = values[np.isfinite(values)]
    rest = known[~np.isin(known, list(_MARKS))]
    if rest.size == 0:
        return []
    low, high = float(rest.min()), float(rest.max())
    gap = max(high - low, 1e-9)
    return [
        float(mark)
        for mark in np.unique(known)
        if mark in _MARKS and ((mark < 0 <= low) or mark > high + gap or mark < low - gap)
    ]


def _find_extreme(values: FloatArray) -> np.ndarray:
    known = values[np.isfinite(values)]
    if known.size < _LEAST_PEOPLE:
        return np.zeros(values.size, dtype=bool)
    median = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - median)))
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(values - median) > _EXTREME * spread) & (spread > 0))


def _name(found: Sequence[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more
