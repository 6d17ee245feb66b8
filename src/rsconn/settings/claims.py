"""Claims: what the study said, in a form that data can support or contradict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from rsconn.errors import SettingsError, UserError
from rsconn.provenance import hash_json
from rsconn.settings.claim_kinds import FORMS, ClaimKind, Form, find_kind
from rsconn.settings.fields import (
    Number,
    OneOrMore,
    Positive,
    Probability,
    SafeName,
    Settings,
    Text,
    find_base,
    find_twice,
    read_yaml,
    show_path,
)
from rsconn.settings.problems import describe_value, list_problems, raise_problems, suggest, validate
from rsconn.settings.sample_grammar import parse_expression

Expectation = Literal[
    "greater", "less", "different", "equivalent", "positive", "negative", "associated", "unrelated"
]


class Verdict(StrEnum):
    """What a claim can be answered with; in tables and on pages in this order."""

    SUPPORTED = "supported"
    NEGLIGIBLE = "negligible"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable"


# Keys that claims did not always have: where they are not used they are not written, so that hashes stay.
_LATER_KEYS = frozenset({"between", "than"})


def _check_condition(text: str) -> str:
    try:
        parse_expression(text)
    except SettingsError as error:
        raise ValueError(str(error)) from None
    return text


Condition = Annotated[str, AfterValidator(_check_condition)]


class Where(Settings):
    """The people of one side of a contrast."""

    where: Annotated[Text, AfterValidator(_check_condition)]


def _read_side(value: Any) -> Any:
    """Return a level as text, or `{where: ...}` as its condition."""
    if isinstance(value, Where):
        return value
    if not isinstance(value, Mapping):
        if value is None or isinstance(value, (bool, list)) or value == "":
            raise ValueError(f"{describe_value(value)} found, a level or {{where: condition}} needed")
        return str(value)
    unknown = [key for key in value if key != "where"]
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown key; {suggest(unknown[0], ['where'])}")
    if not isinstance(value.get("where"), str) or not value["where"].strip():
        raise ValueError("where: a condition needed, such as group == 'control' and sex == 'F'")
    return Where(where=_check_condition(value["where"]))


Side = Annotated[str | Where, BeforeValidator(_read_side)]


def _read_levels(value: Any) -> Any:
    """Return a list of levels as text."""
    if value is None or isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        raise ValueError(f"{describe_value(value)} found, a list of levels needed")  # noqa: TRY004 (pydantic collects ValueError only)
    sides = [_read_side(level) for level in value]
    conditions = [side for side in sides if not isinstance(side, str)]
    if conditions:
        raise ValueError("conditions found, levels of a column needed")
    return tuple(sides)


class Contrast(Settings):
    """a minus b: two levels of a column, or two conditions; or more levels that may differ."""

    column: Text | None = None
    a: Side | None = None
    b: Side | None = None
    levels: Annotated[tuple[str, ...] | None, BeforeValidator(_read_levels)] = None

    @model_validator(mode="after")
    def _check_sides(self) -> Self:
        if self.levels is not None:
            return self._check_levels(self.levels)
        for key, side in (("a", self.a), ("b", self.b)):
            if side is None:
                raise ValueError(f"{key}: missing; this key is required")
        if self.a == self.b:
            raise ValueError(
                f"a and b are both {getattr(self.a, 'where', self.a)!r}; two different sides needed"
            )
        levels = [side for side in self.sides if isinstance(side, str)]
        if levels and self.column is None:
            raise ValueError(f"column: missing; {levels[0]!r} is a level of some column")
        if self.column is not None and len(levels) < 2:
            raise ValueError("a contrast of a column needs two levels; with {where: ...} leave column out")
        return self

    def _check_levels(self, levels: tuple[str, ...]) -> Self:
        if self.a is not None or self.b is not None:
            raise ValueError("levels stands instead of a and b; one of the two needed")
        if self.column is None:
            raise ValueError(f"column: missing; {levels[0]!r} is a level of some column")
        twice = find_twice(levels)
        if twice:
            raise ValueError(f"levels: {twice[0]!r} occurs twice")
        if len(levels) < 3:
            raise ValueError(f"levels: {len(levels)} found, three or more needed; for two a and b")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        unused = ("levels",) if self.levels is None else ("a", "b")
        return {key: value for key, value in content.items() if key not in unused}

    @property
    def named_sides(self) -> Mapping[str, str | Where]:
        """Levels or conditions by their keys, in their order."""
        if self.levels is not None:
            return {f"levels[{number}]": level for number, level in enumerate(self.levels, start=1)}
        return {key: side for key, side in (("a", self.a), ("b", self.b)) if side is not None}

    @property
    def sides(self) -> tuple[str | Where, ...]:
        """Levels or conditions, in their order."""
        return tuple(self.named_sides.values())


class Original(Settings):
    """What the original study reported of a claim: one number with what is needed to know how sure it was.

    Parameters
    ----------
    g : float or None
        Standardised difference a - b of two groups, with n of both.
    r : float or None
        Correlation or partial correlation, with n.
    t : float or None
        t statistic, with n as for g or r.
    estimate, se : float or None
        In the outcome's units, a - b or slope per unit.
    n : tuple of int
        People: one number, or one per side.
    source : str
        Where the numbers stand.
    """

    g: Number | None = None
    r: Annotated[Number, Field(gt=-1, lt=1)] | None = None
    t: Number | None = None
    estimate: Number | None = None
    se: Positive | None = None
    n: OneOrMore[Annotated[int, Field(ge=4)]] = ()
    source: Text

    @property
    def sign(self) -> float:
        """Direction of what was reported."""
        return math.copysign(1.0, next(value for value in self._effects if value is not None))

    @property
    def _effects(self) -> tuple[float | None, ...]:
        return self.g, self.r, self.t, self.estimate

    @model_validator(mode="after")
    def _check_effect(self) -> Self:
        if sum(value is not None for value in self._effects) != 1:
            raise ValueError("one of g, r, t, estimate needed")
        if (self.estimate is None) != (self.se is None):
            raise ValueError("estimate and se go together")
        if self.estimate is None and not self.n:
            raise ValueError("n: missing; how sure the original was follows from it")
        return self

    def check_form(self, form: Form) -> None:
        """Refuse an effect that a kind of claim cannot have."""
        if form.scale == "f":
            raise ValueError(f"original: nothing is compared with {form.name}; leave it out")
        reported = next(name for name in ("g", "r", "t", "estimate") if getattr(self, name) is not None)
        if reported != "estimate" and reported not in form.original:
            needed = (
                ", ".join([*form.original, "estimate"][:-1]) + " or estimate" if form.original else "estimate"
            )
            hint = "; it depends on how alike they are" if reported == "g" and form.name == "pairs" else ""
            raise ValueError(f"original: {reported} does not go with {form.name}{hint}; {needed} needed")
        if reported != "estimate" and len(self.n) != form.n_original:
            raise ValueError(f"original: n: {len(self.n)} numbers found, {form.n_original} needed")


class RawBound(Settings):
    """A smallest effect of interest in the units of the estimate: of the outcome, for a slope per unit of predictor."""

    raw: Positive


ORIGINAL = "original"


def _read_bound(value: Any) -> Any:
    """Return a positive number, `original`, or `{raw: ...}` as its bound; one message for all forms."""
    if value is None or isinstance(value, RawBound) or value == ORIGINAL:
        return value
    if isinstance(value, Mapping):
        return RawBound.model_validate(value)
    try:
        bound = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        bound = math.nan
    if not 0 < bound < math.inf:
        # `math.nan` from a word; a number out of range needs no other form
        other = f", {{raw: ...}} or {ORIGINAL}" if math.isnan(bound) and isinstance(value, str) else ""
        raise ValueError(f"{describe_value(value)} found, a number greater than 0{other} needed")
    return bound


class Claim(Settings):
    """One sentence of the study, with the direction that it states."""

    id: SafeName
    family: SafeName
    text: Text
    source: str = ""
    sample: Condition = ""
    outcome: Text
    predictor: Text | None = None
    contrast: Contrast | None = None
    between: Contrast | None = None
    than: Number | None = None
    expect: Expectation
    covariates: OneOrMore[Text] | None = None
    alpha: Probability | None = None
    sesoi: Annotated[Positive | RawBound | Literal["original"] | None, BeforeValidator(_read_bound)] = None
    exploratory: bool = False
    paired: bool = False
    original: Original | None = None
    notes: OneOrMore[str] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """The outcome, and the predictor if there is one."""
        return (self.outcome,) if self.predictor is None else (self.outcome, self.predictor)

    @property
    def kind(self) -> ClaimKind:
        """What the claim is about."""
        return find_kind(
            {
                "predictor": self.predictor,
                "contrast": self.contrast,
                "paired": self.paired,
                "between": self.between,
                "than": self.than,
            }
        )

    @property
    def form(self) -> Form:
        """How its kind is written."""
        return FORMS[self.kind]

    @property
    def contrasts(self) -> Mapping[str, Contrast]:
        """Whatever it contrasts, by the key that says so."""
        named = {"contrast": self.contrast, "between": self.between}
        return {key: contrast for key, contrast in named.items() if contrast is not None}

    @model_serializer(mode="wrap")
    def _leave_out_unused(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = write(self)
        return {key: value for key, value in content.items() if key not in _LATER_KEYS or value is not None}

    @model_validator(mode="after")
    def _check_pairing(self) -> Self:
        if self.paired and (self.contrast is None or self.contrast.column is None):
            raise ValueError(
                "paired: a contrast of a column needed, such as {column: session, a: '2', b: '1'}"
            )
        return self

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        form = self.form
        if self.expect not in form.expectations:
            raise ValueError(
                f"expect: {self.expect!r} does not go with {form.name}; "
                f"one of {', '.join(form.expectations)} needed"
            )
        if self.predictor == self.outcome:
            raise ValueError(f"outcome and predictor are both {self.outcome!r}")
        if form.scale == "partial_r" and isinstance(self.sesoi, float) and self.sesoi >= 1:
            raise ValueError(
                f"sesoi: {self.sesoi:g} found, a partial r between 0 and 1 needed for {form.name}"
            )
        if self.between is not None and self.between.levels is not None:
            raise ValueError("between: levels found, a and b needed")
        if self.between is not None and self.between == self.contrast:
            raise ValueError("contrast and between are the same; two different contrasts needed")
        return self

    @model_validator(mode="after")
    def _check_original(self) -> Self:
        if self.original is None:
            if self.sesoi == ORIGINAL:
                raise ValueError("sesoi: original found, but no original: (g, r, t or an estimate, and n)")
            return self
        self.original.check_form(self.form)
        claimed = {"greater": 1.0, "positive": 1.0, "less": -1.0, "negative": -1.0}.get(self.expect)
        if claimed is not None and claimed != self.original.sign:
            raise ValueError(
                f"original: points against expect: {self.expect}; its sign is that of a - b or of the slope"
            )
        return self

    @model_validator(mode="after")
    def _check_covariates(self) -> Self:
        names = self.covariates or ()
        if names and self.kind is ClaimKind.MEAN:
            raise ValueError("covariates: a mean is compared with a value as it was measured; none needed")
        twice = find_twice(names)
        if twice:
            raise ValueError(f"covariates: {twice[0]!r} occurs twice")
        used = [name for name in names if name in self.terms]
        if used:
            raise ValueError(f"covariates: {used[0]!r} is the claim's outcome or predictor already")
        return self


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Return the claims of a file that are about one outcome, in its order.

    Raises
    ------
    SettingsError
        For one mistake in the file.
    ProblemsError
        For several, each named by its claim's id.
    """
    content = read_yaml(path, option="claims")
    if not isinstance(content, list):
        raise SettingsError(f"{show_path(path)}: {describe_value(content)} found, a list of claims needed")
    problems: list[str] = []
    claims: list[Claim] = []
    for number, item in enumerate(content, start=1):
        if is_about_edges(item):  # `rsconn.settings.edge_claims` reads it
            continue
        _read_one(item, number, path, claims, problems)
    problems += [
        f"{show_path(path)}: id: {identity!r} occurs twice; ids must differ"
        for identity in find_twice(claim.id for claim in claims)
    ]
    if problems:
        raise_problems(problems)
    return tuple(claims)


def is_about_edges(item: Any) -> bool:
    """Say whether an entry of a claims file is about many edges: ``outcome: {edges: ...}``."""
    return isinstance(item, Mapping) and isinstance(item.get("outcome"), Mapping)


def hash_claims(claims: Sequence[Settings]) -> str:
    """Return the SHA-256 of the claims as canonical JSON: whatever the layout of their file."""
    return hash_json([claim.model_dump(mode="json") for claim in claims])


def _read_one(item: Any, number: int, path: Path, claims: list[Claim], problems: list[str]) -> None:
    named = item.get("id") if isinstance(item, Mapping) else None
    try:
        claims.append(validate(Claim, item, path, base=find_base(path), prefix=f"claim {named or number}"))
    except UserError as error:
        problems.extend(list_problems(error))
