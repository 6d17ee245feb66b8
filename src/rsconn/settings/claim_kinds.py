"""The kinds of claims: which keys make which, what each may expect, and on which scale its effect is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

Scale = Literal["g", "partial_r", "f"]

_DIFFERENCES = ("greater", "less", "different", "equivalent")
_TRENDS = ("positive", "negative", "associated", "unrelated")


class ClaimKind(StrEnum):
    """What a claim is about."""

    CONTRAST = "contrast"
    SLOPE = "slope"
    CHANGE = "change"
    SLOPES_COMPARED = "slopes compared"
    CONTRASTS_COMPARED = "contrasts compared"
    CHANGES_COMPARED = "changes compared"
    MEAN = "mean"
    OMNIBUS = "omnibus"


@dataclass(frozen=True)
class Form:
    """How a kind of claim is written.

    Attributes
    ----------
    keys : tuple of str
        The keys of claims.yaml that make it, beside `outcome`.
    name : str
        What messages call it.
    expectations : tuple of str
        What `expect` may be.
    scale : {'g', 'partial_r', 'f'}
        Of the effect and of its smallest size of interest.
    original : tuple of str
        Effects that an original study may have reported of it, beside an estimate with its standard error.
    n_original : int
        Numbers of people that go with such an effect.
    """

    keys: tuple[str, ...]
    name: str
    expectations: tuple[str, ...] = _DIFFERENCES
    scale: Scale = "g"
    original: tuple[str, ...] = ()
    n_original: int = 0

    @property
    def default(self) -> str:
        """Key of ``inference.sesoi`` that holds where a claim sets none; of an f, half of that g."""
        return "g" if self.scale == "f" else self.scale


FORMS: Mapping[ClaimKind, Form] = {
    ClaimKind.CONTRAST: Form(("contrast",), "a contrast", original=("g", "t"), n_original=2),
    ClaimKind.SLOPE: Form(
        ("predictor",), "a predictor", _TRENDS, "partial_r", original=("r", "t"), n_original=1
    ),
    ClaimKind.CHANGE: Form(("contrast", "paired"), "pairs", original=("t",), n_original=1),
    ClaimKind.SLOPES_COMPARED: Form(
        ("predictor", "contrast"), "a contrast of slopes (predictor and contrast)", scale="partial_r"
    ),
    ClaimKind.CONTRASTS_COMPARED: Form(
        ("contrast", "between"), "a contrast of contrasts (contrast and between)"
    ),
    ClaimKind.CHANGES_COMPARED: Form(
        ("contrast", "paired", "between"), "a contrast of pairs (paired and between)"
    ),
    ClaimKind.OMNIBUS: Form(("levels",), "a contrast of more than two levels", ("different",), "f"),
    ClaimKind.MEAN: Form(("than",), "a mean (than)", original=("t",), n_original=1),
}
_KINDS = {frozenset(form.keys): kind for kind, form in FORMS.items()}
_KEYS = ("predictor", "contrast", "levels", "paired", "between", "than")


def find_kind(definition: Mapping[str, Any]) -> ClaimKind:
    """Return the kind that a claim's keys make.

    Parameters
    ----------
    definition : mapping
        As in claims.yaml; a key that is None or false counts as not written.

    Raises
    ------
    ValueError
        If they make none.

    Examples
    --------
    >>> find_kind({"outcome": "PT", "contrast": {"column": "group", "a": "T", "b": "C"}})
    <ClaimKind.CONTRAST: 'contrast'>
    >>> find_kind({"outcome": "PT", "paired": False})
    Traceback (most recent call last):
    ValueError: none of predictor, contrast and than found, one of them needed
    """
    found = [key for key in _KEYS if definition.get(key) is not None and definition[key] is not False]
    contrast = definition.get("contrast")
    levels = contrast.get("levels") if isinstance(contrast, Mapping) else getattr(contrast, "levels", None)
    if levels:
        found = ["levels" if key == "contrast" else key for key in found]
    kind = _KINDS.get(frozenset(found))
    if kind is not None:
        return kind
    if not found:
        alone = [form.keys[0] for form in FORMS.values() if len(form.keys) == 1 and form.keys[0] != "levels"]
        raise ValueError(f"none of {_join(sorted(alone, key=_KEYS.index))} found, one of them needed")
    forms = "; ".join(" + ".join(form.keys) for form in FORMS.values()).replace(
        "levels", "contrast of levels"
    )
    if len(found) == 1:
        raise ValueError(f"{found[0]}: makes no claim alone; one of {forms} needed")
    raise ValueError(f"{_join(found)} do not go together; one of {forms} needed")


def _join(words: Iterable[str]) -> str:
    first, *rest = reversed(list(words))
    return f"{', '.join(reversed(rest))} and {first}" if rest else first
