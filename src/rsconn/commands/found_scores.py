"""Which columns of a table are a questionnaire's items, sums or means, by their names and values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rsconn.arrays import FloatArray
from rsconn.commands.found_images import Guess
from rsconn.questionnaires import Instrument, compute_alpha, key_items, rescale
from rsconn.settings.fields import find_house, read_yaml
from rsconn.settings.instruments import list_instruments, read_instrument, read_subscale_names
from rsconn.study.people.odd_values import find_marks
from rsconn.study.people.used_columns import make_columns

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_LEAST_PEOPLE = 20
_LEAST_ALPHA_GAIN = 0.1
# So few values out of range are slips; more of them mean another range.
_FEW = 2
# Of an unknown questionnaire: as many columns in a row, with answers so close together.
_LEAST_ITEMS = 5
_WIDEST_ANSWERS = 10
_MOST_BARE = 6


@dataclass(frozen=True)
class FoundScores:
    """Scores for the config.

    Attributes
    ----------
    scores : dict of str to Guess
        Score name to its section of the config.
    cells : dict of str to Guess
        Column to cells that cannot be what the column holds.
    questions : tuple of str
        What only the user can say.
    """

    scores: dict[str, Guess] = field(default_factory=dict)
    cells: dict[str, Guess] = field(default_factory=dict)
    questions: tuple[str, ...] = ()


def find_scores(people: pd.DataFrame, taken: Sequence[str], *, needed: bool) -> FoundScores:
    """Return the scores that a table holds.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    taken : sequence of str
        Columns that are something else: age, sex, group, site.
    needed : bool
        Whether there must be some: without images there is nothing else to analyse, so that columns of numbers of which
        nothing is known will do.
    """
    columns = {
        name: np.where(np.isin(cells, find_marks(cells)), np.nan, cells)
        for name, cells in make_columns(people).items()
        if cells.dtype != object and name not in taken and np.isfinite(cells).any()
    }
    varying = {name: cells for name, cells in columns.items() if np.nanmax(cells) > np.nanmin(cells)}
    found = FoundScores()
    questions: list[str] = []
    used: set[str] = set()
    for name in list_instruments():
        scores = _find_items(name, columns) or _find_columns(name, varying)
        found.scores.update({key: guess for key, guess in scores.items() if key not in found.scores})
        used |= _list_columns(scores)
    _add_known(varying, used, found)
    questions += _describe_unknown_items(columns, used)
    rest = [name for name in varying if name not in used and not _NUMBERED.fullmatch(name)]
    if needed and not found.scores:
        for name in rest[:_MOST_BARE]:
            label = _make_name(name)
            found.scores[label] = Guess({"column": name}, "a column of numbers; what is it?", sure=False)
    elif rest:
        shown = ", ".join(rest[:12]) + (f" and {len(rest) - 12} more" if len(rest) > 12 else "")
        questions.append(
            f"more columns of numbers: {shown}; a score of your own: NAME: {{column: {rest[0]}}}"
        )
    return FoundScores(found.scores, found.cells, tuple(questions))


def _list_columns(scores: Mapping[str, Guess]) -> set[str]:
    used = set()
    for guess in scores.values():
        if "column" in guess.value:
            used.add(guess.value["column"])
        else:
            used |= {guess.value["items"].format(n) for n in range(1, 200)}
    return used


def _make_name(column: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", column).strip("_.+-") or "score"


# --- items ----------------------------------------------------------------------------------------------------------


def _find_series(columns: Mapping[str, FloatArray]) -> dict[str, list[str]]:
    """Return pattern to columns for every run of columns numbered from 1."""
    numbered: dict[tuple[str, str, bool], dict[int, str]] = {}
    for name in columns:
        match = _NUMBERED.fullmatch(name)
        if match:
            for padded in {
                len(match[2]) > 1 and match[2].startswith("0"),
                len(match[2]) == 2 and match[2][0] != "0",
            }:
                numbered.setdefault((match[1], match[3], padded), {})[int(match[2])] = name
    series = {}
    for (before, after, padded), found in numbered.items():
        pattern = f"{before}{{:02d}}{after}" if padded else f"{before}{{}}{after}"
        names = _take_in_order(pattern, columns)
        if len(names) >= _LEAST_ITEMS and set(names) >= set(list(found.values())[:1]):
            series[pattern] = names
    return series


def _take_in_order(pattern: str, columns: Mapping[str, FloatArray]) -> list[str]:
    names: list[str] = []
    while (name := pattern.format(len(names) + 1)) in columns:
        names.append(name)
    return names


def _find_items(name: str, columns: Mapping[str, FloatArray]) -> dict[str, Guess]:
    """Return the subscales of a questionnaire whose items stand in the table, numbered under its name."""
    form = read_instrument(name)
    for pattern, names in _find_series(columns).items():
        if len(names) == form.n_items and name.lower() in _split(pattern):
            answers = np.column_stack([columns[column] for column in names])
            span = _guess_answers(answers, form)
            if span is not None:
                return _describe_items(name, form, pattern, span, answers)
    return {}


def _guess_answers(answers: FloatArray, form: Instrument) -> Guess | None:
    """Return the range of the answers, as the instrument has it (no value) or shifted by one; None if neither fits."""
    low, high = float(np.nanmin(answers)), float(np.nanmax(answers))
    found = f"answers from {low:g} to {high:g}"
    if form.low <= low and high <= form.high:
        return Guess(None, found)
    for shift in (1.0, -1.0):
        if form.low + shift <= low and high <= form.high + shift:
            return Guess(
                [form.low + shift, form.high + shift], f"{found}, {shift:+g} to the {form.name}'s own"
            )
    return None


def _describe_items(
    name: str, form: Instrument, pattern: str, span: Guess, answers: FloatArray
) -> dict[str, Guess]:
    coding = _guess_coding(form, span, answers)
    extra = {"range": span.value} if span.value else {}
    first, *_ = form.subscales  # the reason once is enough
    return {
        subscale: Guess(
            {"instrument": name, "subscale": subscale, "items": pattern, "coding": coding.value, **extra},
            f"{span.reason}; {coding.reason}" if subscale == first else "",
            sure=coding.sure,
        )
        for subscale in form.subscales
    }


def _guess_coding(form: Instrument, span: Guess, answers: FloatArray) -> Guess:
    """Say whether reversed items are reversed already: by which reading they agree better with the others."""
    turned = [subscale for subscale, key in form.subscales.items() if key.reversed_items]
    if not turned:
        return Guess("items", "none is reversed")
    answers = rescale(answers, span.value or (form.low, form.high), (form.low, form.high))
    as_answered, already = (
        _average_alpha(form, turned, answers, already_reversed=way) for way in (False, True)
    )
    found = f"alpha {as_answered:.2f} if reversed items are as answered, {already:.2f} if reversed already"
    sure = len(answers) >= _LEAST_PEOPLE and bool(abs(as_answered - already) > _LEAST_ALPHA_GAIN)
    return Guess("items_reversed" if already > as_answered else "items", found, sure=sure)


def _average_alpha(
    form: Instrument, subscales: Sequence[str], answers: FloatArray, *, already_reversed: bool
) -> float:
    keyed = [key_items(answers, form, one, already_reversed=already_reversed) for one in subscales]
    return float(np.mean([compute_alpha(items) for items in keyed]))


# --- sums and means -------------------------------------------------------------------------------------------------


def _split(text: str) -> set[str]:
    """Return the words of a column's name in small letters: at marks, and where small letters meet capitals."""
    parts = re.split(r"[^A-Za-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text))
    return {part.lower() for part in parts if part} | {re.sub(r"\d+$", "", part).lower() for part in parts}


def _find_columns(name: str, columns: Mapping[str, FloatArray]) -> dict[str, Guess]:
    """Return the subscales of a questionnaire that stand in the table as sums or means."""
    form, names = read_instrument(name), read_subscale_names(name)
    chosen: dict[str, str] = {}
    for column in columns:
        words = _split(column)
        if name.lower() in words:
            for subscale, also in names.items():
                if words & {word.lower() for word in also} and subscale not in chosen:
                    chosen[subscale] = column
    alone = {
        subscale: column for subscale in names for column in columns if column.lower() == subscale.lower()
    }
    if not chosen and len(alone) == len(names):
        chosen = alone
    return _describe_columns(name, form, chosen, columns) if chosen else {}


def _describe_columns(
    name: str, form: Instrument, chosen: Mapping[str, str], columns: Mapping[str, FloatArray]
) -> dict[str, Guess]:
    sizes = {subscale: len(form.subscales[subscale].items) for subscale in chosen}
    spans = {subscale: _span(columns[column]) for subscale, column in chosen.items()}
    whole = all(_is_whole(columns[column]) for column in chosen.values())
    for coding, shift in (
        ("mean", 0.0),
        ("mean", 1.0),
        ("sum", 0.0),
        ("sum", 1.0),
        ("mean", -1.0),
        ("sum", -1.0),
    ):
        low, high = form.low + shift, form.high + shift
        scale = {subscale: size if coding == "sum" else 1 for subscale, size in sizes.items()}
        if coding == "mean" and whole:
            continue
        if all(low * scale[one] <= spans[one][0] and spans[one][1] <= high * scale[one] for one in chosen):
            extra = {"range": [low, high]} if shift else {}
            return {
                one: Guess(
                    {"instrument": name, "subscale": one, "column": column, "coding": coding, **extra},
                    f"{spans[one][0]:.3g} to {spans[one][1]:.3g}",
                )
                for one, column in chosen.items()
            }
    return {
        one: Guess(
            {"column": column},
            f"{spans[one][0]:.3g} to {spans[one][1]:.3g} fits no coding of the {name}",
            sure=False,
        )
        for one, column in chosen.items()
    }


def _span(values: FloatArray) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def _is_whole(values: FloatArray) -> bool:
    known = values[np.isfinite(values)]
    return bool((known == np.round(known)).all())


def _add_known(columns: Mapping[str, FloatArray], used: set[str], found: FoundScores) -> None:
    """Add the sums that are known by name, with the range that they can have."""
    known = read_yaml(find_house() / "config" / "known_scores.yaml")
    by_word = {word: entry for entry in known for word in entry["columns"]}
    for column, values in columns.items():
        entry = by_word.get(re.sub(r"[^a-z0-9]", "", column.lower()))
        if entry is None or column in used:
            continue
        low, high = map(float, entry["range"])
        outside = np.unique(values[(values < low) | (values > high)])
        where = f"the sum of the {entry['name']} goes from {low:g} to {high:g}"
        if len(outside) <= _FEW:
            used.add(column)
            found.scores[_make_name(column)] = Guess({"column": column, "range": [low, high]}, where)
            if len(outside):
                mapping = {f"{value:g}": "n/a" for value in outside}
                found.cells[column] = Guess(
                    mapping, f"out of range: {where}; mend it if you know better", sure=False
                )


def _describe_unknown_items(columns: Mapping[str, FloatArray], used: set[str]) -> list[str]:
    """Return a question for each run of items of a questionnaire that is not known."""
    questions = []
    for pattern, names in _find_series(
        {name: cells for name, cells in columns.items() if name not in used}
    ).items():
        spans = [_span(columns[name]) for name in names]
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        if high - low <= _WIDEST_ANSWERS and all(_is_whole(columns[name]) for name in names):
            used |= set(names)
            questions.append(
                f"{pattern}: {len(names)} items answered from {low:g} to {high:g}; which questionnaire? Write its "
                "items as config/questionnaires/ERQ.yaml does and name the file as instrument"
            )
    return questions
