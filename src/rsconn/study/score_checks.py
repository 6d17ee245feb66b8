"""Faults of a score's declaration, told by the values: out of range, means for sums, items reversed already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.questionnaires import INSTRUMENTS, compute_alpha, get_subscale

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
        reversible = get_subscale(str(settings.instrument), str(settings.subscale)).reversed_items
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
    form, key = (
        INSTRUMENTS[str(settings.instrument)],
        get_subscale(str(settings.instrument), str(settings.subscale)),
    )
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
