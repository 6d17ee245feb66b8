"""Claims on every edge of a set of regions, or on those within or between networks: one question, one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rsconn.errors import SettingsError, UserError
from rsconn.settings.claim_kinds import FORMS, ClaimKind, find_kind
from rsconn.settings.claims import Claim, Condition, Contrast, is_about_edges
from rsconn.settings.fields import (
    OneOrMore,
    Positive,
    Probability,
    SafeName,
    Settings,
    Text,
    find_base,
    read_yaml,
    show_path,
)
from rsconn.settings.problems import list_problems, raise_problems, suggest, validate
from rsconn.settings.rois import RoiSet

# The column that stands for all edges of a person, so that a claim on them takes the way of every other claim.
ANY_EDGE = "usable edges"
_KINDS = (ClaimKind.CONTRAST, ClaimKind.SLOPE, ClaimKind.SLOPES_COMPARED)


class EdgeChoice(Settings):
    """Which edges: within some networks, or between two."""

    within: OneOrMore[Text] = ()
    between: tuple[Text, Text] | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if bool(self.within) == (self.between is not None):
            raise ValueError("one of within: NETWORK and between: [NETWORK, NETWORK] needed")
        if self.between is not None and self.between[0] == self.between[1]:
            raise ValueError(f"between: {self.between[0]!r} twice; two networks, or within, needed")
        return self


class EdgesOutcome(Settings):
    """``{edges: all}``, ``{edges: {within: Default}}`` or ``{edges: {between: [Default, Limbic]}}``."""

    edges: Literal["all"] | EdgeChoice

    @property
    def text(self) -> str:
        """How pages call these edges."""
        if isinstance(self.edges, str):
            return "all edges"
        if self.edges.between is not None:
            return f"edges between {' and '.join(self.edges.between)}"
        return f"edges within {', '.join(self.edges.within)}"


class EdgeClaim(Settings):
    """One claim on many edges: that at least one of them differs, or goes with a predictor.

    Its p is corrected over its edges; claims of one family are corrected over each other besides.
    """

    id: SafeName
    family: SafeName
    text: Text
    source: str = ""
    sample: Condition = ""
    outcome: EdgesOutcome
    predictor: Text | None = None
    contrast: Contrast | None = None
    expect: Literal["different", "associated"]
    covariates: OneOrMore[Text] | None = None
    alpha: Probability | None = None
    sesoi: Positive | None = None
    forming_p: Annotated[Probability, Field(le=0.05)] = 0.001
    exploratory: bool = False
    notes: OneOrMore[str] = ()

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        kind = find_kind({"predictor": self.predictor, "contrast": self.contrast})
        if kind not in _KINDS:
            raise ValueError("contrast, predictor, or both needed for a claim on many edges")
        if self.expect not in FORMS[kind].expectations:
            wanted = next(word for word in ("different", "associated") if word in FORMS[kind].expectations)
            raise ValueError(f"expect: {self.expect!r} does not go with {FORMS[kind].name}; {wanted} needed")
        return self

    @property
    def stand_in(self) -> Claim:
        """The same claim about one outcome: its people, covariates, power and verdict are those of any claim."""
        kept = {
            key: getattr(self, key)
            for key in ("id", "family", "text", "source", "sample", "predictor", "contrast", "expect",
                        "covariates", "alpha", "sesoi", "exploratory", "notes")
        }  # fmt: skip
        return Claim(outcome=ANY_EDGE, **kept)


def list_pairs(outcome: EdgesOutcome, rois: RoiSet) -> list[tuple[int, int]]:
    """Return the edges of a claim as places of their regions in the set.

    Raises
    ------
    SettingsError
        A network that no region belongs to, or fewer than two edges.
    """
    chosen = [pair for pair in combinations(range(len(rois.rois)), 2) if _is_chosen(outcome, rois, pair)]
    if len(chosen) < 2:
        raise SettingsError(f"outcome: {outcome.text}: {len(chosen)} edges found, at least 2 needed")
    return chosen


def _is_chosen(outcome: EdgesOutcome, rois: RoiSet, pair: tuple[int, int]) -> bool:
    if isinstance(outcome.edges, str):
        return True
    first, second = (rois.rois[place].network for place in pair)
    if outcome.edges.between is not None:
        return {first, second} == set(outcome.edges.between)
    return first == second and first in outcome.edges.within


def read_edge_claims(path: Path) -> tuple[EdgeClaim, ...]:
    """Return the claims of a file that are about many edges; `rsconn.settings.claims.read_claims` reads the others.

    Raises
    ------
    SettingsError, ProblemsError
        For one mistake, and for several.
    """
    content = read_yaml(path, option="claims")
    problems: list[str] = []
    claims: list[EdgeClaim] = []
    for item in content if isinstance(content, list) else ():
        if is_about_edges(item):
            try:
                named = f"claim {item.get('id', '')}".strip()
                claims.append(validate(EdgeClaim, item, path, base=find_base(path), prefix=named))
            except UserError as error:
                problems.extend(list_problems(error))
    if problems:
        raise_problems(problems)
    return tuple(claims)


def check_edge_claims(
    edge_claims: Sequence[EdgeClaim], claims: Sequence[Claim], rois: RoiSet, path: Path
) -> Iterator[str]:
    """Yield one line per claim on many edges that the other claims or the regions contradict."""
    families = {claim.family for claim in claims}
    ids = [*(claim.id for claim in claims), *(claim.id for claim in edge_claims)]
    networks = sorted({roi.network for roi in rois.rois} - {""})
    for claim in edge_claims:
        where = f"{show_path(path)}: claim {claim.id}"
        if ids.count(claim.id) > 1:
            yield f"{where}: id occurs twice; ids must differ"
        if claim.family in families:
            yield (
                f"{where}: family {claim.family!r} has claims on single outcomes; a claim on many edges is corrected "
                "over its edges and stands in a family of its own"
            )
        choice = claim.outcome.edges
        named = () if isinstance(choice, str) else (*choice.within, *(choice.between or ()))
        unknown = [name for name in named if name not in networks]
        if unknown:
            yield (
                f"{where}: outcome: no region belongs to network {unknown[0]!r}; "
                f"{suggest(unknown[0], networks, what='networks')}"
            )
            continue
        try:
            list_pairs(claim.outcome, rois)
        except SettingsError as error:
            yield f"{where}: {error}"
