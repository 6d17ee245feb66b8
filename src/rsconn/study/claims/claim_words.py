"""Claims in words: their formulas, and what their numbers are called."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rsconn.settings.claim_kinds import FORMS, ClaimKind, find_kind

RELATIONS = {"greater": ">", "less": "<", "different": "≠", "equivalent": "≈"}
TRENDS = {
    "positive": "positively related",
    "negative": "negatively related",
    "associated": "related",
    "unrelated": "unrelated",
}
EFFECT_NAMES: Mapping[str, str] = {"g": "Hedges g", "partial_r": "Partial correlation", "f": "Cohen's f"}
REVERSED = frozenset({"less", "negative"})
BOUNDED = frozenset({"equivalent", "unrelated"})


def get_direction(expect: str) -> int:
    """Return -1 where the claim says less or negative, else +1: what turns an effect into the claimed direction."""
    return -1 if expect in REVERSED else 1


def get_effect_kind(claim: Mapping[str, Any]) -> str:
    """Return the scale of a claim's effect: ``g``, ``partial_r`` or ``f``."""
    return FORMS[find_kind(claim)].scale


@dataclass(frozen=True)
class Wording:
    """How a kind of claim is told.

    Attributes
    ----------
    estimate : str
        What its estimate is called.
    formula, about : callable
        From its definition: the claim as a formula, and what the estimate is of.
    unit : callable
        The latter as short as a picture needs it.
    parts : str
        What its simpler claims are called above their table.
    part_names : str
        How their names in the table begin; empty if there are none.
    """

    estimate: str
    formula: Callable[[Mapping[str, Any]], str]
    about: Callable[[Mapping[str, Any]], str]
    unit: Callable[[Mapping[str, Any]], str]
    parts: str = ""
    part_names: str = ""


def label_claim(claim: Mapping[str, Any]) -> str:
    """Return a claim as a short formula.

    Parameters
    ----------
    claim : mapping
        `outcome`, `expect`, `sample` and the keys of its kind, as in claims.yaml.

    Examples
    --------
    >>> label_claim({"outcome": "FS", "expect": "greater", "sample": "",
    ...                 "contrast": {"column": "group", "a": "T", "b": "C"}})
    'FS: T > C'
    >>> label_claim({"outcome": "PT", "predictor": "A-B", "expect": "negative", "sample": "group == 'T'"})
    'PT and A-B: negatively related (T)'
    >>> label_claim({"outcome": "PT", "predictor": "A-B", "expect": "greater",
    ...                 "contrast": {"column": "group", "a": "T", "b": "C"}})
    'PT: slope on A-B in T > in C'
    """
    sample = describe_condition(str(claim.get("sample") or ""))
    return WORDINGS[find_kind(claim)].formula(claim) + (f" ({sample})" if sample else "")


def describe_sides(claim: Mapping[str, Any], key: str = "contrast") -> tuple[str, str]:
    """Return the names of a contrast's two sides, such as ``('T', 'C')``; empty where there is none."""
    contrast = claim.get(key) or {}
    return _describe_side(contrast.get("a")), _describe_side(contrast.get("b"))


def describe_condition(expression: str) -> str:
    """Return the values that a condition asks for, or the condition itself where it is not a plain conjunction.

    Examples
    --------
    >>> describe_condition("group == 'T' and sex == 'M'"), describe_condition("age > 40")
    ('T, M', 'age > 40')
    >>> describe_condition("excluded == 0 and group == 'T'")
    'excluded == 0, T'
    """
    parts = re.split(r"\s+and\s+", expression.strip())
    values = [re.fullmatch(r"`?[\w-]+`?\s*==\s*(?:'([^']*)'|\"([^\"]*)\"|([\w.-]+))", part) for part in parts]
    if not all(values):
        return expression.strip()
    # a quoted value speaks for itself; a number needs its column
    words = [match[1] or match[2] or part for match, part in zip(values, parts, strict=True) if match]
    return ", ".join(words)


def _describe_side(side: object) -> str:
    if isinstance(side, Mapping):
        return describe_condition(str(side["where"]))
    return "" if side is None else str(side)


def _relate(claim: Mapping[str, Any], first: str, second: str) -> str:
    expect = str(claim["expect"])
    return f"{claim['outcome']}: {first} {RELATIONS.get(expect, expect)} {second}"


def _formulate_contrast(claim: Mapping[str, Any]) -> str:
    return _relate(claim, *describe_sides(claim))


def _subtract_sides(claim: Mapping[str, Any]) -> str:
    return " minus ".join(describe_sides(claim))


def _abbreviate_sides(claim: Mapping[str, Any]) -> str:
    return " − ".join(describe_sides(claim))


def _abbreviate_slope(claim: Mapping[str, Any]) -> str:
    return f"{claim['outcome']} per {claim['predictor']}"


def _formulate_slope(claim: Mapping[str, Any]) -> str:
    expect = str(claim["expect"])
    return f"{claim['outcome']} and {claim['predictor']}: {TRENDS.get(expect, expect)}"


def _relate_terms(claim: Mapping[str, Any]) -> str:
    return f"{claim['outcome']} with {claim['predictor']}"


def _formulate_slopes(claim: Mapping[str, Any]) -> str:
    first, second = describe_sides(claim)
    return _relate(claim, f"slope on {claim['predictor']} in {first}", f"in {second}")


def _subtract_slopes(claim: Mapping[str, Any]) -> str:
    return f"{_relate_terms(claim)}, slope in {' minus in '.join(describe_sides(claim))}"


def _abbreviate_slopes(claim: Mapping[str, Any]) -> str:
    return f"{_abbreviate_slope(claim)}, {_abbreviate_sides(claim)}"


def _formulate_contrasts(claim: Mapping[str, Any]) -> str:
    first, second = describe_sides(claim, "between")
    return _relate(claim, f"{' − '.join(describe_sides(claim))} in {first}", f"in {second}")


def _subtract_contrasts(claim: Mapping[str, Any]) -> str:
    return f"{_subtract_sides(claim)}, in {' minus in '.join(describe_sides(claim, 'between'))}"


def _abbreviate_contrasts(claim: Mapping[str, Any]) -> str:
    return f"{_abbreviate_sides(claim)}, {' − '.join(describe_sides(claim, 'between'))}"


def _formulate_changes(claim: Mapping[str, Any]) -> str:
    first, second = describe_sides(claim, "between")
    return _relate(claim, f"change {_abbreviate_sides(claim)} in {first}", f"in {second}")


def _formulate_mean(claim: Mapping[str, Any]) -> str:
    return _relate(claim, "mean", f"{float(claim['than']):g}")


def _subtract_value(claim: Mapping[str, Any]) -> str:
    return f"mean minus {float(claim['than']):g}"


def _list_levels(claim: Mapping[str, Any]) -> str:
    *first, last = [str(level) for level in claim["contrast"]["levels"]]
    return f"{', '.join(first)} and {last}"


def _formulate_levels(claim: Mapping[str, Any]) -> str:
    return f"{claim['outcome']}: {_list_levels(claim)} differ"


def _spread_levels(claim: Mapping[str, Any]) -> str:
    return f"standard deviation of the means of {_list_levels(claim)}"


WORDINGS: Mapping[ClaimKind, Wording] = {
    ClaimKind.CONTRAST: Wording("Difference", _formulate_contrast, _subtract_sides, _abbreviate_sides),
    ClaimKind.SLOPE: Wording(
        "Slope",
        _formulate_slope,
        _relate_terms,
        _abbreviate_slope,
        "Slopes over everybody and within each group (the claim's own test: within groups, adjusted)",
        "slope",
    ),
    ClaimKind.CHANGE: Wording("Difference", _formulate_contrast, _subtract_sides, _abbreviate_sides),
    ClaimKind.SLOPES_COMPARED: Wording(
        "Difference of slopes",
        _formulate_slopes,
        _subtract_slopes,
        _abbreviate_slopes,
        "The slope of each side on its own",
        "slope in ",
    ),
    ClaimKind.CHANGES_COMPARED: Wording(
        "Difference of changes",
        _formulate_changes,
        _subtract_contrasts,
        _abbreviate_contrasts,
        "The change on each side on its own",
        "change in ",
    ),
    ClaimKind.OMNIBUS: Wording(
        "Spread of the means",
        _formulate_levels,
        _spread_levels,
        _spread_levels,
        "Which of them differ",
        "pair ",
    ),
    ClaimKind.MEAN: Wording("Difference from the value", _formulate_mean, _subtract_value, _subtract_value),
    ClaimKind.CONTRASTS_COMPARED: Wording(
        "Difference of differences",
        _formulate_contrasts,
        _subtract_contrasts,
        _abbreviate_contrasts,
        "The difference on each side on its own",
        "difference in ",
    ),
}
