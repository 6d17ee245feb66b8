"""A claim in few words, for axis labels and rows of a figure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

RELATIONS = {"greater": ">", "less": "<", "different": "≠", "equivalent": "≈"}
TRENDS = {
    "positive": "positively related",
    "negative": "negatively related",
    "associated": "related",
    "unrelated": "unrelated",
}
REVERSED = frozenset({"less", "negative"})
BOUNDED = frozenset({"equivalent", "unrelated"})


def get_direction(expect: str) -> int:
    """Return -1 where the claim says less or negative, else +1: what turns an effect into the claimed direction."""
    return -1 if expect in REVERSED else 1


def get_effect_kind(claim: Mapping[str, Any]) -> str:
    """Return ``g`` for a contrast and ``partial_r`` for a slope."""
    return "partial_r" if claim.get("predictor") else "g"


def describe_claim(claim: Mapping[str, Any]) -> str:
    """Return a claim as a short formula.

    Parameters
    ----------
    claim : mapping
        `outcome`, `expect`, `sample` and either `predictor` or `contrast` (column, a, b), as in claims.yaml.

    Examples
    --------
    >>> describe_claim({"outcome": "FS", "expect": "greater", "sample": "",
    ...                 "contrast": {"column": "group", "a": "T", "b": "C"}})
    'FS: T > C'
    >>> describe_claim({"outcome": "PT", "predictor": "A-B", "expect": "negative", "sample": "group == 'T'"})
    'PT and A-B: negatively related (T)'
    """
    expect, sample = str(claim["expect"]), describe_condition(str(claim.get("sample") or ""))
    within = f" ({sample})" if sample else ""
    if claim.get("predictor"):
        return f"{claim['outcome']} and {claim['predictor']}: {TRENDS.get(expect, expect)}{within}"
    first, second = describe_sides(claim)
    return f"{claim['outcome']}: {first} {RELATIONS.get(expect, expect)} {second}{within}"


def describe_sides(claim: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of a contrast's two sides, such as ``('T', 'C')``; empty for a slope."""
    contrast = claim.get("contrast") or {}
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
