"""A claim as the page tells it: what was said, what these data say, the numbers, the caveats."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from rsconn.errors import TableError
from rsconn.report.figures.catalogue import render_svg
from rsconn.report.figures.claim_pictures import plot_claim
from rsconn.report.figures.style import encode_svg
from rsconn.report.page.multiverse_sentence import tell_multiverse
from rsconn.report.page.results import Results
from rsconn.report.page.wording import Source
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.settings.claims import Verdict
from rsconn.study.claims.claim_words import EFFECT_NAMES, WORDINGS, Wording
from rsconn.study.claims.flags import Flag, read_flags
from rsconn.study.second_looks.slopes import SlopeOf

DIRECTIONAL = frozenset({"greater", "less", "positive", "negative"})
# flag in group/claims.tsv: what it means, and the sensitivity analysis whose note tells more
FLAGS: dict[str, tuple[str, str]] = {
    Flag.CLAIMED_DIRECTION: ("There is an effect in the claimed direction, too small to matter.", ""),
    Flag.NOT_ZERO: ("There is an effect, too small to matter.", ""),
    Flag.DEFAULT_SESOI: (
        "The smallest effect of interest is the program's default; nobody chose it for this study.",
        "",
    ),
    Flag.CONSTANT_SIDE: (
        "Everybody on one side has the same value, which is nearly always a coding error.",
        "",
    ),
    Flag.UNDERPOWERED: ("With these people the test would often miss an effect that matters.", ""),
    Flag.EXACT: ("The permutation p is exact: every arrangement was counted.", ""),
    Flag.CIRCULAR: ("The regions were chosen by what this claim tests, in these same data.", ""),
    Flag.EXPLORATORY: ("Exploratory: not among the claims that were specified to be confirmed.", ""),
    Flag.FRAGILE: ("Fragile: without one of the people the verdict would be another.", "leave one out"),
    Flag.MOTION: (
        "Head motion goes with the groups or the score of this claim, and could carry the effect.",
        "",
    ),
    Flag.SLOPES_DIFFER: (
        "The slopes over everybody and within the groups differ in sign, by more than noise.",
        SlopeOf.ALL_GROUPS.value,
    ),
}
_NOT_GUARANTEED = "and the tests' error rates are not guaranteed in such designs."
FLAGS |= {
    Flag.UNEQUAL_SIDES: (
        f"A small group with another variance than the larger one, {_NOT_GUARANTEED}",
        Flag.UNEQUAL_SIDES.value,
    ),
    Flag.SKEW: (f"Strong skew in a small sample, {_NOT_GUARANTEED}", Flag.SKEW.value),
    Flag.LEVERAGE: (f"The slope hangs on one person, {_NOT_GUARANTEED}", Flag.LEVERAGE.value),
}
ANSWERS = {
    Verdict.NOT_TESTABLE: "No test was made, because none could give an answer.",
    Verdict.INCONCLUSIVE: "These data cannot tell: neither the claim nor its opposite is established.",
}


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
    flags: tuple[Markup, ...]
    reason: Markup
    multiverse: Markup
    notes: tuple[str, ...]
    picture: str
    picture_alt: str
    parts: tuple[int, ...]
    parts_title: str
    sensitivity: tuple[int, ...]
    flow: tuple[int, ...]


def build_cards(results: Results) -> list[Card]:
    """Return a card for every claim, in the order of the claims.

    Raises
    ------
    TableError
        If the two tables that a card is made from do not hold the same claims.
    """
    claims, forest = results.single_claims, results.figures["claims_forest"].table
    drawn = forest.get("id", ())  # a study without claims has an empty table
    if sorted(claims["id"]) != sorted(drawn):
        raise TableError(
            "figures/claims_forest.tsv: other claims than group/claims.tsv; run the report again"
        )
    return [_build_card(results, row) for row in range(len(claims))]


def make_anchor(name: str) -> str:
    """Return a name that may stand in a link.

    Examples
    --------
    >>> make_anchor("B 3/x")
    'claim-B-3-x'
    """
    return "claim-" + re.sub(r"[^A-Za-z0-9]+", "-", name)


def answer_claim(expect: str, verdict: Verdict) -> str:
    """Return the verdict as a sentence.

    Examples
    --------
    >>> answer_claim("greater", Verdict.CONTRADICTED)
    'The data contradict the claim: the effect points the other way.'
    """
    if verdict in ANSWERS:
        return ANSWERS[verdict]
    if expect in {"equivalent", "unrelated"}:
        if verdict is Verdict.SUPPORTED:
            return "The data support the claim: any effect lies within the zone of no relevant effect."
        return "The data contradict the claim: there is an effect outside the zone of no relevant effect."
    if verdict is Verdict.SUPPORTED:
        where = "points the claimed way" if expect in DIRECTIONAL else "is there"
        return f"The data support the claim: the effect {where}, more clearly than chance would allow."
    if verdict is Verdict.NEGLIGIBLE:
        where = " in the claimed direction" if expect in DIRECTIONAL else ""
        return f"Negligible: an effect{where} as large as the smallest effect of interest is ruled out."
    return "The data contradict the claim: the effect points the other way."


def _build_card(results: Results, row: int) -> Card:
    claims, forest = results.group["claims"], results.figures["claims_forest"].table
    claim = claims.table.iloc[row]
    shown = forest[forest["id"] == claim["id"]].iloc[0]
    told = _find_definition(results.study, str(claim["id"]))
    analyses = _find_analyses(results.group.get("sensitivity"), str(claim["id"]))
    wording = WORDINGS[ClaimKind(shown["kind"])]
    parts = [row for row, name in analyses.items() if wording.parts and name.startswith(wording.part_names)]
    return Card(
        anchor=make_anchor(str(claim["id"])),
        id=str(claim["id"]),
        family=str(claim["family"]),
        label=str(shown["label"]),
        verdict=str(claim["verdict"]),
        sentence=str(told.get("sentence") or told.get("text") or _text(claim["text"])),
        source=str(told.get("source") or ""),
        answer=answer_claim(str(shown["expect"]), Verdict(claim["verdict"])),
        facts=tuple(list_facts(ClaimRow(claims, row, shown))),
        flags=tuple(
            _explain_flag(flag, results.group.get("sensitivity"), analyses)
            for flag in read_flags(claim.get("flags"))
        ),
        reason=claims.print_text(row, "reason"),
        multiverse=tell_multiverse(results.group.get("multiverse_joint"), str(claim["id"])),
        notes=tuple(str(note) for note in told.get("notes") or ()),
        picture=_draw_picture(results, str(claim["id"])),
        picture_alt=describe_picture(shown),
        parts=tuple(parts),
        parts_title=wording.parts,
        sensitivity=tuple(row for row in analyses if row not in parts),
        flow=_find_rows(results.figures.get("claim_flow"), str(claim["id"])),
    )


def describe_picture(shown: pd.Series) -> str:
    """Return the text that stands for a claim's picture."""
    if shown["effect_kind"] == "partial_r":
        left = f"Left, {shown['outcome']} against {shown['predictor']}, every person a point, with the fitted line."
    elif ClaimKind(shown["kind"]) is ClaimKind.CONTRAST:
        left = f"Left, {shown['outcome']} of {shown['side_a']} and {shown['side_b']}, every person a point, with means."
    else:
        left = f"Left, {shown['outcome']} ({shown['about']}), every person a point, with means."
    if ClaimKind(shown["kind"]) is ClaimKind.OMNIBUS:
        return left
    return f"{left} Right, the estimate with its intervals, against zero and the smallest effect of interest."


def _find_definition(study: Mapping[str, Any], claim_id: str) -> Mapping[str, Any]:
    return next((claim for claim in study.get("claims") or () if str(claim.get("id")) == claim_id), {})


def _find_analyses(source: Source | None, claim_id: str) -> dict[int, str]:
    """Return the rows of a claim's sensitivity analyses, each with its name."""
    return (
        {row: str(source.table.loc[row, "analysis"]) for row in _find_rows(source, claim_id)}
        if source
        else {}
    )


def _explain_flag(flag: str, source: Source | None, analyses: Mapping[int, str]) -> Markup:
    """Return a flag in words, with the note of the analysis that raised it."""
    words, analysis = FLAGS.get(flag, (flag, ""))
    rows = [row for row, name in analyses.items() if name == analysis]
    if source is None or not rows:
        return Markup("{}").format(words)
    return Markup("{} ({})").format(words, source.print_text(rows[0], "note"))


def _find_rows(source: Source | None, claim_id: str) -> tuple[int, ...]:
    if source is None or "claim" not in source.table:
        return ()
    return tuple(int(row) for row in source.table.index[source.table["claim"] == claim_id])


def _draw_picture(results: Results, claim_id: str) -> str:
    pictures = results.figures["claim_pictures"].table
    rows = pictures[pictures["claim"] == claim_id]
    return encode_svg(render_svg(plot_claim(rows, simulated=results.simulated)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


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
    def wording(self) -> Wording:
        """How its kind of claim is told."""
        return WORDINGS[ClaimKind(self.shown["kind"])]

    @property
    def scale(self) -> str:
        """Scale of its effect."""
        return str(self.shown["effect_kind"])

    @property
    def symbol(self) -> str:
        """Letter of its effect."""
        return self.scale.removeprefix("partial_")

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
        (claim.wording.estimate, "estimate", _print_estimate),
        (EFFECT_NAMES[claim.scale], "effect_size", _print_effect),
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
    about, covariates = claim.name("about"), claim.name("covariates")
    adjusted = Markup(", adjusted for {}").format(covariates) if covariates else Markup("")
    value = _print_interval(claim, "estimate", "ci", unit=claim.name("unit"))
    return Markup('{}<br><span class="quiet">{}{}</span>').format(value, about, adjusted)


def _print_effect(claim: ClaimRow) -> Markup:
    return _print_interval(claim, "effect_size", "effect_ci", style="d2")


def _print_sesoi(claim: ClaimRow) -> Markup:
    symbol = claim.symbol
    if not claim.has("sesoi_estimate"):
        return Markup("{} {}").format(symbol, claim.print("sesoi"))
    return Markup('{} {} <span class="quiet">({} {})</span>').format(
        symbol, claim.print("sesoi"), claim.print("sesoi_estimate"), claim.name("unit")
    )


def _print_detectable(claim: ClaimRow) -> Markup:
    return Markup("{} {} or more").format(claim.symbol, claim.print("min_detectable", "d2"))


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
    if not claim.has(columns[1]):  # the spread of several means
        return shown
    return Markup('{} <span class="quiet">(95 % interval {} to {})</span>').format(shown, low, high)
