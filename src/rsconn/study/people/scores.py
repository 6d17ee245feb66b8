"""Questionnaire scores from items, item means or sums, with the faults of a table told before they become numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.errors import ProblemsError, TableError
from rsconn.questionnaires import (
    compute_alpha,
    compute_omega,
    compute_sum_range,
    key_items,
    rescale,
    sum_items,
)
from rsconn.settings.problems import list_problems, suggest
from rsconn.study.people.ledger import LedgerRow
from rsconn.study.people.participants import check_numeric

if TYPE_CHECKING:
    from rsconn.settings.sections import ScoreSettings


SCORE_COLUMNS = (
    "score", "instrument", "subscale", "n", "n_missing", "mean", "sd", "min", "max",
    "possible_min", "possible_max", "alpha", "omega",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of everyone in the tables.

    Attributes
    ----------
    table : DataFrame
        One column per score, rows as in the table of people; NaN = no score.
    summary : DataFrame
        One row per score with `SCORE_COLUMNS`; alpha and omega need items.
    ledger : tuple of LedgerRow
        Who has no score, and whose missing items were filled.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    ledger: tuple[LedgerRow, ...]


@dataclass(frozen=True, eq=False)
class _Scored:
    sums: FloatArray
    limits: tuple[float, float]
    keyed: FloatArray | None = None
    n_missing_items: NDArray[np.intp] | None = None


def score_people(people: pd.DataFrame, scores: Mapping[str, ScoreSettings]) -> Scores:
    """Score everyone.

    Parameters
    ----------
    people : DataFrame
        As `rsconn.study.people.participants.read_people` returns it.
    scores : mapping of str to ScoreSettings
        The config's scores.

    Raises
    ------
    TableError
        One fault: a column is absent or holds text, a value is out of range, means stand where sums were declared
        or the reverse, or items are reversed already. The message names the config key to change.
    ProblemsError
        Several such faults, one line each.
    """
    problems: list[str] = []
    scored: dict[str, _Scored] = {}
    for name, settings in scores.items():
        try:
            scored[name] = _score(name, settings, people)
        except TableError as error:
            problems.extend(list_problems(error))
    problems += find_wrong_reversal(
        scores, {name: result.keyed for name, result in scored.items() if result.keyed is not None}
    )
    if len(problems) == 1:
        raise TableError(problems[0])
    if problems:
        raise ProblemsError(problems)
    table = pd.DataFrame({name: result.sums for name, result in scored.items()}, index=people.index)
    rows = [_summarise(name, scores[name], result) for name, result in scored.items()]
    ledger = [row for name in scored for row in _list_gaps(name, scores[name], scored[name], people)]
    return Scores(table, pd.DataFrame(rows, columns=list(SCORE_COLUMNS)), tuple(ledger))


def _score(name: str, settings: ScoreSettings, people: pd.DataFrame) -> _Scored:
    if settings.items is not None:
        return _score_items(name, settings, people)
    values = _get_numbers(people, str(settings.column), f"scores.{name}.column")
    if settings.instrument is None:
        limits = settings.range or (np.nan, np.nan)
        check_range(values, people, str(settings.column), limits, f"scores.{name}.range")
        return _Scored(values, limits)
    return _score_column(name, settings, people, values)


def _score_column(name: str, settings: ScoreSettings, people: pd.DataFrame, values: FloatArray) -> _Scored:
    """Score a column of sums, or of item means that become sums on the instrument's own range."""
    form = settings.form
    limits = compute_sum_range(form, str(settings.subscale))
    column, option = str(settings.column), f"scores.{name}.coding: {settings.coding}"
    item_range = settings.range or (form.low, form.high)
    if settings.coding == "mean":
        hint = hint_at_sums(values, limits) or hint_at_range(name, values, item_range)
        check_range(values, people, column, item_range, option, hint)
        n_items = len(settings.key.items)
        return _Scored(rescale(values, item_range, (form.low, form.high)) * n_items, limits)
    n_items = len(settings.key.items)
    stored = (item_range[0] * n_items, item_range[1] * n_items)
    hint = hint_at_means(name, values, item_range)
    if hint:
        raise TableError(
            f"column {column!r}: values up to {np.nanmax(values):g} are no sums ({option}); {hint}"
        )
    check_range(values, people, column, stored, option, "")
    return _Scored(rescale(values, stored, limits), limits)


def _score_items(name: str, settings: ScoreSettings, people: pd.DataFrame) -> _Scored:
    form, key = settings.form, settings.key
    item_range = settings.range or (form.low, form.high)
    columns = {number: str(settings.items).format(number) for number in key.items}
    answers = np.full((len(people), form.n_items), np.nan)
    for number, column in columns.items():
        answers[:, number - 1] = _get_numbers(people, column, f"scores.{name}.items")
    hint = hint_at_range(name, answers, item_range)
    for number, column in columns.items():
        check_range(answers[:, number - 1], people, column, item_range, f"scores.{name}.items", hint)
    answers = rescale(answers, item_range, (form.low, form.high))
    keyed = key_items(
        answers, form, str(settings.subscale), already_reversed=settings.coding == "items_reversed"
    )
    return _Scored(
        sum_items(keyed, max_missing_items=settings.max_missing_items),
        compute_sum_range(form, str(settings.subscale)),
        keyed,
        np.isnan(keyed).sum(axis=1),
    )


def _get_numbers(people: pd.DataFrame, column: str, option: str) -> FloatArray:
    if column not in people:
        raise TableError(
            f"no column {column!r} in the tables ({option}); {suggest(column, people.columns, what='columns')}"
        )
    check_numeric(people, column, option=option)
    return np.asarray(people[column].to_numpy(dtype=float, na_value=np.nan))


def _summarise(name: str, settings: ScoreSettings, result: _Scored) -> dict[str, Any]:
    known = result.sums[np.isfinite(result.sums)]
    low, high = result.limits
    return {
        "score": name,
        "instrument": settings.form.name if settings.instrument else None,
        "subscale": settings.subscale,
        "n": known.size,
        "n_missing": result.sums.size - known.size,
        "mean": known.mean() if known.size else np.nan,
        "sd": known.std(ddof=1) if known.size > 1 else np.nan,
        "min": known.min() if known.size else np.nan,
        "max": known.max() if known.size else np.nan,
        "possible_min": low,
        "possible_max": high,
        "alpha": np.nan if result.keyed is None else compute_alpha(result.keyed),
        "omega": np.nan if result.keyed is None else compute_omega(result.keyed),
    }


def _list_gaps(name: str, settings: ScoreSettings, result: _Scored, people: pd.DataFrame) -> list[LedgerRow]:
    """Return a row for each person without the score, and for each whose missing items were filled."""
    rows = []
    gaps = result.n_missing_items
    for index in np.flatnonzero(np.isnan(result.sums) | (gaps > 0 if gaps is not None else False)):
        person, session = str(people["participant_id"].iloc[index]), people["session"].iloc[index]
        n_missing = None if gaps is None else int(gaps[index])
        lost = bool(np.isnan(result.sums[index]))
        found = "no value" if n_missing is None else f"{n_missing} item{'s' if n_missing > 1 else ''} missing"
        allowed = (
            ""
            if n_missing is None
            else f", {settings.max_missing_items} allowed (scores.{name}.max_missing_items)"
        )
        rows.append(
            LedgerRow(
                person,
                None if pd.isna(session) else str(session),
                None,
                f"scores.{name}",
                None if n_missing is None else float(n_missing),
                None if n_missing is None else float(settings.max_missing_items),
                None if n_missing is None else "items",
                "cohort",
                "flagged",
                f"{person}: {name}: {found}{allowed}; {'left out of claims on it' if lost else 'filled'}",
            )
        )
    return rows


if TYPE_CHECKING:
    from rsconn.settings.sections import ScoreSettings


# Already reversed items that are reversed again lose some .3-.9 of alpha; chance moves the mean of several
# subscales by far less once this many people answered.
_LEAST_ALPHA_GAIN = 0.1
_LEAST_PEOPLE = 20


def check_range(
    values: FloatArray,
    people: pd.DataFrame,
    column: str,
    limits: tuple[float, float],
    option: str,
    hint: str = "",
) -> None:
    """Refuse values outside the limits; the message names the first person, the option and a remedy.

    Raises
    ------
    TableError
        With `hint` as the remedy if there is one.
    """
    with np.errstate(invalid="ignore"):
        outside = np.flatnonzero((values < limits[0]) | (values > limits[1]))
    if outside.size == 0:
        return
    person, value = people["participant_id"].iloc[outside[0]], values[outside[0]]
    more = f" and {outside.size - 1} more" if outside.size > 1 else ""
    remedy = hint or f"mend it, or map it with input.values: {{{column}: {{'{value:g}': n/a}}}}"
    raise TableError(
        f"column {column!r}, {person}{more}: {value:g} is out of range, {limits[0]:g} to {limits[1]:g} needed "
        f"({option}); {remedy}"
    )


def hint_at_sums(values: FloatArray, limits: tuple[float, float]) -> str:
    """Say that declared item means look like sums."""
    known = values[np.isfinite(values)]
    whole = known.size > 0 and bool((known == np.round(known)).all())
    if whole and known.min() >= limits[0] and known.max() <= limits[1] and known.max() > 7:
        return "they look like sums: coding: sum"
    return ""


def hint_at_means(name: str, values: FloatArray, item_range: tuple[float, float]) -> str:
    """Say that declared sums look like item means: broken numbers no larger than one answer can be."""
    known = values[np.isfinite(values)]
    if known.size == 0 or known.max() > item_range[1] + 1 or (known == np.round(known)).all():
        return ""
    shifted = hint_at_range(name, values, item_range)
    return f"they look like item means: scores.{name}.coding: mean" + (f", {shifted}" if shifted else "")


def hint_at_range(name: str, values: FloatArray, item_range: tuple[float, float]) -> str:
    """Say that answers look as if they were numbered one higher or one lower than declared."""
    known = values[np.isfinite(values)]
    for shift in (1.0, -1.0):
        low, high = item_range[0] + shift, item_range[1] + shift
        if known.size and known.min() >= low and known.max() <= high:
            return f"if answers go from {low:g} to {high:g}, say scores.{name}.range: [{low:g}, {high:g}]"
    return ""


def find_wrong_reversal(scores: Mapping[str, ScoreSettings], keyed: Mapping[str, FloatArray]) -> list[str]:
    """Say which items seem to be reversed already, or not yet, although the config says the opposite.

    The alphas of both readings are compared over all subscales of one set of columns.

    Parameters
    ----------
    scores : mapping of str to ScoreSettings
        The config's scores.
    keyed : mapping of str to float array (n_people, n_items)
        Score to its items as the config reads them.

    Returns
    -------
    list of str
        One line per set of columns that is read the wrong way.
    """
    gains: dict[tuple[str, str, str], dict[str, tuple[float, float]]] = {}
    for name, items in keyed.items():
        settings = scores[name]
        reversible = settings.key.reversed_items
        if reversible and np.isfinite(items).all(axis=1).sum() >= _LEAST_PEOPLE:
            family = (str(settings.instrument), str(settings.items), str(settings.coding))
            gains.setdefault(family, {})[name] = _compute_both_alphas(settings, items)
    return [
        _describe_wrong_coding(family[2], alphas)
        for family, alphas in gains.items()
        if np.mean([other - this for this, other in alphas.values()]) > _LEAST_ALPHA_GAIN
    ]


def _compute_both_alphas(settings: ScoreSettings, keyed: FloatArray) -> tuple[float, float]:
    """Return alpha as declared, and with the reversed items turned round."""
    form, key = settings.form, settings.key
    turned = np.isin(key.items, key.reversed_items)
    return compute_alpha(keyed), compute_alpha(np.where(turned, form.low + form.high - keyed, keyed))


def _describe_wrong_coding(coding: str, alphas: Mapping[str, tuple[float, float]]) -> str:
    other = "items" if coding == "items_reversed" else "items_reversed"
    found = ", ".join(f"{name} {this:.2f}" for name, (this, _) in alphas.items())
    better = ", ".join(f"{name} {alpha:.2f}" for name, (_, alpha) in alphas.items())
    meaning = "reversed already" if other == "items_reversed" else "not reversed yet"
    keys = ", ".join(f"scores.{name}.coding" for name in alphas)
    return (
        f"items: alpha is {found} with coding: {coding}, and {better} if the items are {meaning}; "
        f"set {keys}: {other}"
    )
