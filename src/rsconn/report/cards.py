"""A claim as the page tells it: what was said, what these data say, the numbers, the caveats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from rsconn.report.figures_pictures import plot_claim
from rsconn.report.results import Results, encode_svg
from rsconn.report.saving import render_svg
from rsconn.report.wording import Source

DIRECTIONAL = frozenset({"greater", "less", "positive", "negative"})
FLAGS = {
    "opposite": "The effect points the opposite way to the claim.",
    "too small": "Any effect in the claimed direction is smaller than the smallest effect of interest.",
    "smaller than sesoi": "The effect is there, but smaller than the smallest effect of interest.",
    "exploratory": "Exploratory: this claim was not specified before the data were seen.",
    "simpson": "The slope over everybody and the slopes within the groups differ in sign (Simpson's paradox).",
}
ANSWERS = {
    "not testable": "No test was made, because none could give an answer.",
    "inconclusive": "These data cannot tell: neither the claim nor its opposite is established.",
}


@dataclass(frozen=True)
class Fact:
    """One line of a card's numbers: a plain name and the value in HTML."""

    name: str
    value: Markup


@dataclass(frozen=True)
class Card:
    """Everything the page prints about one claim; texts are plain and get escaped, Markup is ready."""

    anchor: str
    id: str
    family: str
    label: str
    verdict: str
    sentence: str
    source: str
    answer: str
    facts: tuple[Fact, ...]
    flags: tuple[str, ...]
    reason: Markup
    notes: tuple[str, ...]
    picture: str
    picture_alt: str
    sensitivity: tuple[int, ...]


def build_cards(results: Results) -> list[Card]:
    """Return a card for every claim, in the order of the claims."""
    return [_build_card(results, row) for row in range(len(results.group["claims"].table))]


def make_anchor(name: str) -> str:
    """Return a name that may stand in a link.

    Examples
    --------
    >>> make_anchor("B 3/x")
    'claim-B-3-x'
    """
    return "claim-" + re.sub(r"[^A-Za-z0-9]+", "-", name)


def answer_claim(expect: str, verdict: str, flags: tuple[str, ...]) -> str:
    """Return the verdict as a sentence.

    Examples
    --------
    >>> answer_claim("greater", "contradicted", ("opposite",))
    'The data contradict the claim: the effect points the other way.'
    """
    if verdict in ANSWERS:
        return ANSWERS[verdict]
    if expect in {"equivalent", "unrelated"}:
        if verdict == "supported":
            return "The data support the claim: any effect lies within the zone of no relevant effect."
        return "The data contradict the claim: there is an effect outside the zone of no relevant effect."
    if verdict == "supported":
        where = "points the claimed way" if expect in DIRECTIONAL else "is there"
        return f"The data support the claim: the effect {where}, more clearly than chance would allow."
    if "opposite" in flags:
        return "The data contradict the claim: the effect points the other way."
    return (
        "The data contradict the claim: an effect as large as the smallest effect of interest is ruled out."
    )


def _build_card(results: Results, row: int) -> Card:
    claims, forest = results.group["claims"], results.figures["claims_forest"].table
    claim = claims.table.iloc[row]
    shown = forest[forest["id"] == claim["id"]].iloc[0]
    told = _find_definition(results.study, str(claim["id"]))
    flags = tuple(flag.strip() for flag in _text(claim.get("flags")).split(";") if flag.strip())
    sensitivity = results.group.get("sensitivity")
    return Card(
        anchor=make_anchor(str(claim["id"])),
        id=str(claim["id"]),
        family=str(claim["family"]),
        label=str(shown["label"]),
        verdict=str(claim["verdict"]),
        sentence=str(told.get("sentence") or told.get("text") or _text(claim["text"])),
        source=str(told.get("source") or ""),
        answer=answer_claim(str(shown["expect"]), str(claim["verdict"]), flags),
        facts=tuple(list_facts(claims, row, shown)),
        flags=tuple(FLAGS.get(flag, flag) for flag in flags),
        reason=claims.print_text(row, "reason"),
        notes=tuple(str(note) for note in told.get("notes") or ()),
        picture=_draw_picture(results, str(claim["id"])),
        picture_alt=describe_picture(shown),
        sensitivity=_find_rows(sensitivity, str(claim["id"])),
    )


def list_facts(claims: Source, row: int, shown: pd.Series) -> list[Fact]:
    """Return a card's numbers in plain words; what was not computed is left out.

    Parameters
    ----------
    claims : Source
        group/claims.tsv.
    row : int
        The claim's place in it.
    shown : Series
        The claim's row of claims_forest: sides, outcome, predictor, effect kind.
    """
    slope = shown["effect_kind"] == "partial_r"
    what = (
        f"{shown['outcome']} per unit of {shown['predictor']}"
        if slope
        else f"{shown['side_a']} minus {shown['side_b']}"
    )
    effect = "Partial correlation" if slope else "Hedges g"
    facts = []
    if claims.is_given(row, "estimate"):
        facts.append(
            Fact(
                "Slope" if slope else "Difference",
                Markup("{}<br>{}").format(_interval(claims, row, "estimate", "ci"), what),
            )
        )
    if claims.is_given(row, "effect_size"):
        facts.append(Fact(effect, _interval(claims, row, "effect_size", "effect_ci", "2")))
    lines = (
        ("Smallest effect of interest", "sesoi", "3"),
        ("Smallest effect this sample could detect", "min_detectable", "2"),
        ("p for the claim, corrected in its family", "p_family", "p"),
        ("p against the claim, corrected", "p_contradict_family", "p"),
        ("p for the claim, uncorrected", "p", "p"),
        ("p by permutation", "p_permutation", "p"),
        ("p by shared sign flips, family-wise", "p_family_maxt", "p"),
        ("Bayes factor for an effect", "bayes_factor_10", "3"),
    )
    facts += [
        Fact(name, claims.print_number(row, column, style))
        for name, column, style in lines
        if claims.is_given(row, column)
    ]
    facts.append(Fact("People", _print_people(claims, row, shown)))
    return facts


def describe_picture(shown: pd.Series) -> str:
    """Return the text that stands for a claim's picture."""
    if shown["effect_kind"] == "partial_r":
        left = f"Left, {shown['outcome']} against {shown['predictor']}, every person a point, with the fitted line."
    else:
        left = f"Left, {shown['outcome']} of {shown['side_a']} and {shown['side_b']}, every person a point, with means."
    return f"{left} Right, the estimate with its intervals, against zero and the smallest effect of interest."


def _print_people(claims: Source, row: int, shown: pd.Series) -> Markup:
    total = claims.print_number(row, "n", "count")
    sides = dict(
        part.split("=", 1) for part in _text(claims.table.at[row, "n_per_group"]).split(";") if "=" in part
    )
    if not sides:
        return total
    names = {"a": shown["side_a"], "b": shown["side_b"]}
    parts = Markup(", ").join(
        Markup("{} {}").format(count, names.get(side, side)) for side, count in sides.items()
    )
    return Markup('{} <span data-source="{}" data-row="{}" data-column="n_per_group">({})</span>').format(
        total, claims.name, row, parts
    )


def _interval(claims: Source, row: int, column: str, bounds: str, style: str = "3") -> Markup:
    low, high = (claims.print_number(row, f"{bounds}_{end}", style) for end in ("low", "high"))
    return Markup("{} <span class='quiet'>(95 % interval {} to {})</span>").format(
        claims.print_number(row, column, style), low, high
    )


def _find_definition(study: Mapping[str, Any], claim_id: str) -> Mapping[str, Any]:
    return next((claim for claim in study.get("claims") or () if str(claim.get("id")) == claim_id), {})


def _find_rows(sensitivity: Source | None, claim_id: str) -> tuple[int, ...]:
    if sensitivity is None or "claim" not in sensitivity.table:
        return ()
    return tuple(int(row) for row in sensitivity.table.index[sensitivity.table["claim"] == claim_id])


def _draw_picture(results: Results, claim_id: str) -> str:
    pictures = results.figures["claim_pictures"].table
    rows = pictures[pictures["claim"] == claim_id]
    return encode_svg(render_svg(plot_claim(rows, simulated=results.simulated)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
