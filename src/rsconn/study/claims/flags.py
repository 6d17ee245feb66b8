"""Remarks on claims: what is odd about a claim's people, data or answer."""

from __future__ import annotations

from enum import StrEnum


class Flag(StrEnum):
    """Remarks on a claim, as they stand in the table."""

    CLAIMED_DIRECTION = "in the claimed direction"
    NOT_ZERO = "not zero"
    DEFAULT_SESOI = "default sesoi"
    UNDERPOWERED = "underpowered"
    EXACT = "exact permutation"
    EXPLORATORY = "exploratory"
    FRAGILE = "fragile"
    SLOPES_DIFFER = "slopes differ in sign"
    MOTION = "motion"
    CONSTANT_SIDE = "constant group"
    UNEQUAL_SIDES = "small unequal groups"
    SKEW = "strong skew"
    LEVERAGE = "one person's leverage"
