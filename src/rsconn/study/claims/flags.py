"""Remarks on claims: what is odd about a claim's people, data or answer."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Flag(StrEnum):
    """Remarks on a claim, as they stand in the table."""

    CLAIMED_DIRECTION = "in the claimed direction"
    NOT_ZERO = "not zero"
    DEFAULT_SESOI = "default sesoi"
    UNDERPOWERED = "underpowered"
    EXACT = "exact permutation"
    CIRCULAR = "circular regions"
    EXPLORATORY = "exploratory"
    FRAGILE = "fragile"
    SLOPES_DIFFER = "slopes differ in sign"
    MOTION = "motion"
    CONSTANT_SIDE = "constant group"
    UNEQUAL_SIDES = "small unequal groups"
    SKEW = "strong skew"
    LEVERAGE = "one person's leverage"


def read_flags(cell: object) -> tuple[str, ...]:
    """Return the flags of a cell of the claims table; one of another version's stays a plain text.

    Examples
    --------
    >>> read_flags("fragile;exploratory") == (Flag.FRAGILE, Flag.EXPLORATORY)
    True
    >>> read_flags(None)
    ()
    """
    words = (word.strip() for word in cell.split(_BETWEEN)) if isinstance(cell, str) else ()
    return tuple(_KNOWN.get(word, word) for word in words if word)


def print_flags(flags: Iterable[str]) -> str | None:
    """Return flags as a cell of the claims table; None if there are none."""
    return _BETWEEN.join(flags) or None


_BETWEEN = ";"
_KNOWN: dict[str, str] = {flag.value: flag for flag in Flag}
