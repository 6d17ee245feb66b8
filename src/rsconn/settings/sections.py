"""The sections of the config file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rsconn.naming import NOT
from rsconn.questionnaires import Instrument, Subscale
from rsconn.settings.fields import (
    Count,
    Label,
    LocalPath,
    NotNegative,
    Number,
    OneOrMore,
    PathPart,
    Permutations,
    Positive,
    Probability,
    Settings,
    Share,
    Text,
    find_twice,
)
from rsconn.settings.id_patterns import check_patterns, split_pattern
from rsconn.settings.instruments import check_instrument, read_instrument
from rsconn.settings.problems import suggest
from rsconn.settings.strategies import Acompcor, GlobalChoice, MotionTerms, Strategy, TissueTerms


def _name_missing(value: Any) -> Any:
    return "n/a" if value is None or value == "" else value


CellValue = Annotated[str, BeforeValidator(_name_missing)]


def _read_filter(value: Any) -> Any:
    """Read ``{not: [a, b]}`` as labels with the mark of those that are left out."""
    if not isinstance(value, dict) or list(value) != ["not"] or not value["not"]:
        return value
    labels = value["not"] if isinstance(value["not"], (list, tuple)) else [value["not"]]
    return tuple(f"{NOT}{label}" for label in labels)


Filter = Annotated[OneOrMore[Text], BeforeValidator(_read_filter)]

_EXCLUDED = re.compile(r"sub-[A-Za-z0-9+._]+?(_[a-z]+-[A-Za-z0-9+]+)*")


def _check_excluded(excluded: dict[str, str]) -> dict[str, str]:
    for key in excluded:
        if not _EXCLUDED.fullmatch(key):
            raise ValueError(f"{key!r} found, sub-012, sub-034_ses-2 or sub-034_task-rest_run-1 needed")
    return excluded


# By hand: a person, or a session or run by its entities -> the reason.
Exclusions = Annotated[dict[Text, Text], AfterValidator(_check_excluded)]


@dataclass(frozen=True)
class TableSource:
    """A table of people: where it lies, and the dataset that it belongs to.

    Attributes
    ----------
    path : Path
        The table.
    further : bool
        Whether it is joined to a participants table.
    prefix : str
        What its ids get before their label, so that people of two datasets stay apart.
    site : str or None
        Of its people; None where there is one dataset.
    """

    path: Path
    further: bool = False
    prefix: str = ""
    site: str | None = None


class DatasetSettings(Settings):
    """One of several datasets: its images or series, its tables, its site, and what keeps its ids apart."""

    path: LocalPath
    participants: LocalPath
    phenotype: OneOrMore[LocalPath] = ()
    site: Text
    prefix: Label | Literal[""] = ""

    @property
    def table_sources(self) -> tuple[TableSource, ...]:
        """The dataset's own tables."""
        first = TableSource(self.participants, prefix=self.prefix, site=self.site)
        return (first, *(replace(first, path=path, further=True) for path in self.phenotype))


class InputSettings(Settings):
    """What is read."""

    derivatives: OneOrMore[LocalPath] = ()
    parcellated: OneOrMore[LocalPath] = ()
    denoised: bool | None = None
    participants: LocalPath
    phenotype: OneOrMore[LocalPath] = ()
    filters: dict[Text, Filter] = Field(default_factory=dict)
    values: dict[Text, dict[str, CellValue]] = Field(default_factory=dict)
    id_column: Text = "participant_id"
    ids: dict[Text, Text] = Field(default_factory=dict)
    id_pattern: Annotated[
        dict[Text, Text], BeforeValidator(split_pattern), AfterValidator(check_patterns)
    ] = Field(default_factory=dict)
    decimal: Literal[".", ","] = "."
    t_r: Positive | None = None
    accept_space_mismatch: bool = False
    datasets: tuple[DatasetSettings, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _join_datasets(cls, content: Any) -> Any:
        """Take the folders of `datasets` for those of `derivatives`, or of `parcellated` where `denoised` is said."""
        listed = content.get("datasets") if isinstance(content, Mapping) else None
        if (
            not isinstance(listed, (list, tuple))
            or not all(isinstance(one, Mapping) for one in listed)
            or not listed
        ):
            return content
        both = [key for key in ("derivatives", "parcellated", "participants") if content.get(key)]
        if both:
            raise ValueError(
                f"datasets: {both[0]} found beside it; each dataset names its own, one form needed"
            )
        folders = "derivatives" if content.get("denoised") is None else "parcellated"
        found = {folders: [one["path"] for one in listed if one.get("path")]}
        first = listed[0].get("participants")
        return {**content, **found, **({"participants": first} if first else {})}

    @model_validator(mode="after")
    def _check_datasets(self) -> Self:
        for key in ("prefix", "path", "participants"):
            twice = find_twice(str(getattr(one, key)) for one in self.datasets)
            if twice:
                raise ValueError(f"datasets: {key} {twice[0]!r} occurs twice; {_TWICE[key]}")
        return self

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if self.derivatives and self.parcellated:
            raise ValueError("both of derivatives and parcellated found, one of them needed")
        if self.parcellated and self.denoised is None:
            raise ValueError(
                "denoised: missing; with parcellated say whether the series are denoised: true or false"
            )
        if not self.parcellated and self.denoised is not None:
            raise ValueError("denoised: goes with parcellated only; images are always denoised here")
        return self

    @property
    def tables(self) -> tuple[Path, ...]:
        """Every table of people that is read."""
        return tuple(source.path for source in self.table_sources)

    @property
    def table_sources(self) -> tuple[TableSource, ...]:
        """Every table of people, with the dataset that it belongs to."""
        own = [source for one in self.datasets for source in one.table_sources]
        further = (TableSource(path, further=True) for path in self.phenotype)
        return (*(own or [TableSource(self.participants)]), *further)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The datasets of images or series."""
        return (*self.derivatives, *self.parcellated)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the ids of each folder get before their label; empty where there is one dataset."""
        return tuple(one.prefix for one in self.datasets)

    @property
    def sites(self) -> tuple[str, ...]:
        """The site of each folder; empty where there is one dataset."""
        return tuple(one.site for one in self.datasets)

    @property
    def has_runs(self) -> bool:
        """Whether there are images or series; without them only claims on scores can be tested."""
        return bool(self.derivatives or self.parcellated)


_TWICE = {
    "prefix": "people with one label would become one person: another prefix, letters and digits, needed",
    "path": "a dataset counts once",
    "participants": "with one table for all use derivatives: [...], participants and a column of sites",
}


class ConnectivitySettings(Settings):
    """What an edge is."""

    kind: Literal["pearson", "partial"] = "pearson"


class DenoisingChoice(Settings):
    """The denoising section as written; its keys change the strategy that it names."""

    mode: Literal["projection", "nilearn"] = "projection"
    strategy: Text = "acompcor"
    high_pass_hz: Positive | None = 0.01
    low_pass_hz: Positive | None = 0.08
    smoothing_fwhm_mm: NotNegative = 0.0
    motion: MotionTerms | None = None
    acompcor: Acompcor | None = None
    acompcor_variance: Probability | None = None
    wm_csf: TissueTerms | None = None
    global_signal: GlobalChoice | None = None

    @model_validator(mode="after")
    def _check_band(self) -> Self:
        if (
            self.high_pass_hz is not None
            and self.low_pass_hz is not None
            and self.high_pass_hz >= self.low_pass_hz
        ):
            raise ValueError(
                f"high_pass_hz {self.high_pass_hz:g} is not below low_pass_hz {self.low_pass_hz:g}"
            )
        if self.acompcor is not None and self.acompcor_variance is not None:
            raise ValueError("acompcor and acompcor_variance are both given; one of them needed")
        return self


class DenoisingSettings(Settings):
    """How the series are denoised, with the strategy resolved."""

    mode: Literal["projection", "nilearn"]
    strategy: Strategy
    high_pass_hz: float | None
    low_pass_hz: float | None
    smoothing_fwhm_mm: float


class CensoringSettings(Settings):
    """Which volumes are left out, and what must remain."""

    fd_threshold_mm: Positive | None = 0.5
    dvars_threshold: Positive | None = None
    min_retained_minutes: NotNegative = 4.0
    min_degrees_of_freedom: Annotated[Count, Field(ge=3)] = 15
    max_share_lost: Share = 0.1


class QualitySettings(Settings):
    """Which runs and ROIs are left out as a whole."""

    max_mean_fd_mm: Positive | None = 0.5
    min_coverage: Share = 0.5


class MapsSettings(Settings):
    """What is asked of the seeds' whole-brain maps."""

    smoothing_fwhm_mm: NotNegative = 6.0
    min_people_share: Share = 0.9
    n_permutations: Annotated[Permutations, Field(ge=1)] = 1000
    cluster_forming_p: Probability = 0.001
    primary: Literal["mass", "extent", "max-t", "tfce"] = "mass"
    across: Literal["seeds", "all"] | None = None
    tfce: bool = True
    scores: OneOrMore[Text] = ()
    interaction: bool = False

    @model_validator(mode="after")
    def _check_scores(self) -> Self:
        twice = find_twice(self.scores)
        if twice:
            raise ValueError(f"scores: {twice[0]!r} occurs twice")
        if self.interaction and not self.scores:
            raise ValueError("interaction: true needs scores, whose slopes are compared between the groups")
        if self.primary == "tfce" and not self.tfce:
            raise ValueError("primary: tfce needs tfce: true")
        return self


class ReportSettings(Settings):
    """What the page and the figures show."""

    ids: Literal["shown", "hidden"] = "shown"


class GroupSettings(Settings):
    """The groups: name used everywhere else -> value in the table."""

    column: Text
    levels: Annotated[dict[PathPart, Text], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        twice = find_twice(self.levels.values())
        if twice:
            raise ValueError(f"levels: two levels have the value {twice[0]!r}; values must differ")
        return self


class CovariateSettings(Settings):
    """What is adjusted for: in claims with an edge, and in claims with scores only."""

    edge: OneOrMore[Text] = ("age", "sex", "mean_fd")
    score: OneOrMore[Text] = ()

    @model_validator(mode="after")
    def _check_once(self) -> Self:
        for key, names in (("edge", self.edge), ("score", self.score)):
            twice = find_twice(names)
            if twice:
                raise ValueError(f"{key}: {twice[0]!r} occurs twice")
        return self


class Sesoi(Settings):
    """The smallest effect size of interest: Hedges g for contrasts, partial r for slopes."""

    g: Positive = 0.5
    partial_r: Probability = 0.3


class InferenceSettings(Settings):
    """Error rates, permutations and the smallest effects of interest."""

    alpha: Probability = 0.05
    n_permutations: Permutations = 10000
    seed: Count = 20220401
    exchange_within: Text | None = None
    exchange_whole: Text | None = None
    sesoi: Sesoi = Sesoi()

    @model_validator(mode="after")
    def _check_exchange(self) -> Self:
        if self.exchange_whole is not None and self.exchange_whole == self.exchange_within:
            raise ValueError(
                f"exchange_whole: {self.exchange_whole!r} is exchange_within's column too; its people can be "
                "exchanged with each other or stay together, not both (leave one out)"
            )
        if self.exchange_whole in {"participant_id", "session", "group"}:
            raise ValueError(
                f"exchange_whole: {self.exchange_whole!r} found, a column of families needed; "
                "null where people are unrelated"
            )
        return self


# One digit of width: a wider number would be nothing but zeros.
_ITEM_PATTERN = re.compile(r"[^{}]*\{(?::0?[1-9]?d?)?\}[^{}]*")


def _check_pattern(text: str) -> str:
    if not _ITEM_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} found, a column name with one place for the number, such as 'iri_{{:02d}}'"
        )
    return text


class ScoreSettings(Settings):
    """One score.

    Parameters
    ----------
    instrument, subscale : str or None
        The questionnaire (its name, or a YAML file of your own) and its scale; None for a column that is taken as it
        stands.
    column : str or None
        The column that holds the score.
    items : str or None
        Instead: the columns that hold the items, with one place for the item's number.
    coding : {"sum", "mean", "items", "items_reversed"} or None
        What the column or the items hold; `items_reversed` are reversed already.
    range : (float, float) or None
        Lowest and highest possible value of an item (of the column, without instrument).
    max_missing_items : int
        So many items a person may have left out; the mean of the others stands in for them.
    """

    instrument: Annotated[Text, AfterValidator(check_instrument)] | None = None
    subscale: Text | None = None
    column: Text | None = None
    items: Annotated[Text, AfterValidator(_check_pattern)] | None = None
    coding: Literal["sum", "mean", "items", "items_reversed"] | None = None
    range: tuple[Number, Number] | None = None
    max_missing_items: Count = 0

    @model_validator(mode="after")
    def _check_instrument(self) -> Self:
        if (self.instrument is None) != (self.subscale is None):
            missing = "instrument" if self.instrument is None else "subscale"
            raise ValueError(f"{missing}: missing; instrument and subscale go together")
        if self.instrument is None:
            return self
        if self.subscale not in self.form.subscales:
            nearest = suggest(self.subscale, self.form.subscales, what="one of")
            raise ValueError(f"subscale: {self.subscale!r} is not of the {self.form.name}; {nearest}")
        return self

    @property
    def form(self) -> Instrument:
        """The questionnaire; only where `instrument` is given."""
        return read_instrument(str(self.instrument))

    @property
    def key(self) -> Subscale:
        """The subscale's items; only where `instrument` is given."""
        return self.form.subscales[str(self.subscale)]

    @model_validator(mode="after")
    def _check_coding(self) -> Self:
        if (self.column is None) == (self.items is None):
            found = "neither" if self.column is None else "both"
            raise ValueError(f"{found} of column and items found, one of them needed")
        problem = self._find_items_problem() if self.items is not None else self._find_column_problem()
        if problem:
            raise ValueError(problem)
        return self

    def _find_items_problem(self) -> str | None:
        if self.coding not in {"items", "items_reversed"}:
            found = self.coding or "nothing"
            return f"coding: {found} found; items (as answered) or items_reversed (reversed already) needed"
        if self.instrument is None:
            return "instrument: missing; items need an instrument and a subscale, which say which items count"
        return None

    def _find_column_problem(self) -> str | None:
        if self.coding in {"items", "items_reversed"}:
            return f"coding: {self.coding} found with column; sum or mean needed, or items: a pattern"
        if self.instrument is not None and self.coding is None:
            return f"coding: missing; say whether column {self.column!r} holds the items' sum or mean"
        if self.max_missing_items:
            return "max_missing_items: goes with items only"
        return None

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            low, high = self.range
            raise ValueError(
                f"range: [{low:g}, {high:g}] found, the lowest value first and then a higher one needed"
            )
        return self
