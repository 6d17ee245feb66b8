"""A claim's numbers in plain words, each tied to its cell in group/claims.tsv."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from rsconn.report.wording import Source


@dataclass(frozen=True)
class Fact:
    """One line of a card: a plain name and the value in HTML."""

    name: str
    value: Markup


@dataclass(frozen=True)
class ClaimRow:
    """One claim's numbers and what they are about.

    Attributes
    ----------
    claims : Source
        group/claims.tsv.
    row : int
        The claim's place in it.
    shown : Series
        The claim's row of claims_forest: sides, outcome, predictor, unit, covariates, effect kind.
    """

    claims: Source
    row: int
    shown: pd.Series

    @property
    def is_slope(self) -> bool:
        """Whether the claim relates two measures instead of comparing two sides."""
        return bool(self.shown["effect_kind"] == "partial_r")

    def has(self, column: str) -> bool:
        """Say whether a number is given."""
        return self.claims.is_given(self.row, column)

    def print(self, column: str, style: str = "3") -> Markup:
        """Return one number in HTML."""
        return self.claims.print_number(self.row, column, style)

    def name(self, column: str) -> str:
        """Return one text of claims_forest; empty if missing."""
        value = self.shown.get(column)
        return value if isinstance(value, str) else ""


def list_facts(claim: ClaimRow) -> list[Fact]:
    """Return a claim's numbers; what was not computed is left out."""
    lines: tuple[tuple[str, str, Callable[[ClaimRow], Markup]], ...] = (
        ("People", "n", _print_people),
        ("Slope" if claim.is_slope else "Difference", "estimate", _print_estimate),
        ("Partial correlation" if claim.is_slope else "Hedges g", "effect_size", _print_effect),
        ("Smallest effect of interest", "sesoi", _print_sesoi),
        ("Detectable (80 % power)", "min_detectable", _print_detectable),
        ("p for the claim, corrected", "p_family", _print_p),
        ("p against it, corrected", "p_contradict_family", _print_p_contradict),
        ("p by permutation", "p_permutation", lambda one: one.print("p_permutation", "p")),
        ("p by sign flips, family-wise", "p_family_maxt", lambda one: one.print("p_family_maxt", "p")),
        ("Bayes factor for an effect", "bayes_factor_10", lambda one: one.print("bayes_factor_10")),
    )
    return [Fact(name, write(claim)) for name, column, write in lines if claim.has(column)]


def _print_people(claim: ClaimRow) -> Markup:
    total = claim.print("n", "count")
    cell = claim.claims.table.loc[claim.row, "n_per_group"]
    sides = dict(part.split("=", 1) for part in str(cell).split(";") if "=" in part)
    if not sides:
        return total
    names = {"a": claim.name("side_a"), "b": claim.name("side_b")}
    parts = Markup("; ").join(
        Markup("{} {}").format(count, names.get(side, side)) for side, count in sides.items()
    )
    place = Markup('{} <span data-source="{}" data-row="{}" data-column="n_per_group">({})</span>')
    return place.format(total, claim.claims.name, claim.row, parts)


def _print_estimate(claim: ClaimRow) -> Markup:
    if claim.is_slope:
        about = Markup("{} with {}").format(claim.name("outcome"), claim.name("predictor"))
    else:
        about = Markup("{} minus {}").format(claim.name("side_a"), claim.name("side_b"))
    covariates = claim.name("covariates")
    adjusted = Markup(", adjusted for {}").format(covariates) if covariates else Markup("")
    value = _print_interval(claim, "estimate", "ci", unit=claim.name("unit"))
    return Markup('{}<br><span class="quiet">{}{}</span>').format(value, about, adjusted)


def _print_effect(claim: ClaimRow) -> Markup:
    return _print_interval(claim, "effect_size", "effect_ci", style="d2")


def _print_sesoi(claim: ClaimRow) -> Markup:
    symbol = "r" if claim.is_slope else "g"
    if not claim.has("sesoi_estimate"):
        return Markup("{} {}").format(symbol, claim.print("sesoi"))
    return Markup('{} {} <span class="quiet">({} {})</span>').format(
        symbol, claim.print("sesoi"), claim.print("sesoi_estimate"), claim.name("unit")
    )


def _print_detectable(claim: ClaimRow) -> Markup:
    return Markup("{} {} or more").format("r" if claim.is_slope else "g", claim.print("min_detectable", "d2"))


def _print_p(claim: ClaimRow) -> Markup:
    return _print_corrected(claim, "p_family", "p")


def _print_p_contradict(claim: ClaimRow) -> Markup:
    return _print_corrected(claim, "p_contradict_family", "p_contradict")


def _print_corrected(claim: ClaimRow, corrected: str, plain: str) -> Markup:
    return Markup('{} <span class="quiet">({} uncorrected)</span>').format(
        claim.print(corrected, "p"), claim.print(plain, "p")
    )


def _print_interval(claim: ClaimRow, column: str, bounds: str, *, unit: str = "", style: str = "") -> Markup:
    columns = (column, f"{bounds}_low", f"{bounds}_high")
    value, low, high = claim.claims.print_interval(claim.row, columns, style)
    shown = Markup("{} {}").format(value, unit) if unit else value
    return Markup('{} <span class="quiet">(95 % interval {} to {})</span>').format(shown, low, high)
