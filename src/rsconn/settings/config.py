"""The config file: read once, checked whole, frozen."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from rsconn.analysis.specification import (
    Censoring,
    Cleaning,
    ConfoundTerms,
    Estimation,
    Specification,
    Usability,
)
from rsconn.errors import SettingsError, UserError
from rsconn.naming import NOT
from rsconn.settings.checks import SITE, find_contradictions
from rsconn.settings.claims import Claim, read_claims
from rsconn.settings.edge_claims import EdgeClaim, check_edge_claims, read_edge_claims
from rsconn.settings.fields import (
    Count,
    LocalPath,
    OneOrMore,
    SafeName,
    Settings,
    Text,
    find_base,
    find_house,
    read_yaml,
    resolve_path,
    show_path,
)
from rsconn.settings.problems import collect_problems, describe_value, list_problems, raise_problems, validate
from rsconn.settings.roi_files import RoiFile, expand_roi_file, list_series_columns, read_roi_set
from rsconn.settings.rois import Edge, RoiSet, find_named_edges, list_all_edges, parse_edges
from rsconn.settings.sections import (
    CensoringSettings,
    ConnectivitySettings,
    CovariateSettings,
    DenoisingChoice,
    DenoisingSettings,
    Exclusions,
    GroupSettings,
    InferenceSettings,
    InputSettings,
    MapsSettings,
    QualitySettings,
    ReportSettings,
    ScoreSettings,
)
from rsconn.settings.strategies import Strategy, change_strategy, read_strategy, read_strategy_file
from rsconn.settings.variations import Multiverse, MultiverseSettings

# Set for a run and its jobs by `rsconn run --anonymise`: as if the config said ``report: {ids: hidden}``.
HIDE_IDS = "RSCONN_HIDE_IDS"


def _choose_form(value: Any) -> str:
    return "<set>" if isinstance(value, (Mapping, RoiFile)) else "<file>"


# A file of regions, or the set itself.
RoiSource = Annotated[
    Annotated[LocalPath, Tag("<file>")] | Annotated[RoiFile, Tag("<set>")], Discriminator(_choose_form)
]


class ConfigFile(Settings):
    """The config file as written: other files by their paths."""

    input: InputSettings
    exclude: Exclusions = Field(default_factory=dict)
    output_dir: Path = Path("results")
    sessions: Literal["combine", "separate"] = "combine"
    rois: RoiSource | None = None
    edges: OneOrMore[Text] = ()
    connectivity: ConnectivitySettings = ConnectivitySettings()
    seeds: OneOrMore[Text] = ()
    maps: MapsSettings = MapsSettings()
    denoising: DenoisingChoice = DenoisingChoice()
    censoring: CensoringSettings = CensoringSettings()
    quality: QualitySettings = QualitySettings()
    groups: GroupSettings | None = None
    scores: dict[SafeName, ScoreSettings] = Field(default_factory=dict)
    covariates: CovariateSettings = CovariateSettings()
    categorical: OneOrMore[Text] = ()
    claims: LocalPath | None = None
    inference: InferenceSettings = InferenceSettings()
    multiverse: MultiverseSettings | None = None
    registered: LocalPath | None = None
    truth: LocalPath | None = None
    report: ReportSettings = ReportSettings()
    batch_size: Annotated[Count, Field(ge=1)] = 20

    @model_validator(mode="after")
    def _check_runs(self) -> Self:
        """Regions need images or series, and the reverse; without both, the study is one of scores only."""
        if self.input.has_runs and self.rois is None:
            raise ValueError("rois: missing; this key is required")
        asked = [key for key in ("rois", "edges", "seeds") if getattr(self, key)]
        if asked and not self.input.has_runs:
            raise ValueError(
                "input: neither of derivatives and parcellated found, one of them needed; "
                f"a study of scores only has no {', '.join(asked)}"
            )
        if not self.input.has_runs and not self.scores:
            raise ValueError("scores: missing; without images there is nothing else to analyse")
        return self


class Config(Settings):
    """Everything that was asked for, with the files it names read in."""

    path: Path
    input: InputSettings
    exclude: Exclusions
    output_dir: Path
    sessions: Literal["combine", "separate"]
    rois: RoiSet
    rois_path: Path | None
    edges: tuple[Edge, ...]
    connectivity: ConnectivitySettings
    seeds: tuple[str, ...]
    maps: MapsSettings
    denoising: DenoisingSettings
    censoring: CensoringSettings
    quality: QualitySettings
    groups: GroupSettings | None
    scores: dict[str, ScoreSettings]
    covariates: CovariateSettings
    categorical: tuple[str, ...] = ()
    claims: tuple[Claim, ...]
    edge_claims: tuple[EdgeClaim, ...] = ()
    claims_path: Path | None
    inference: InferenceSettings
    multiverse: Multiverse | None = None
    registered: Path | None = None
    truth: Path | None = None
    report: ReportSettings = ReportSettings()
    batch_size: int

    @property
    def all_claims(self) -> tuple[Claim | EdgeClaim, ...]:
        """Claims on one outcome, then those on many edges: the order of every table."""
        return (*self.claims, *self.edge_claims)

    @property
    def questions(self) -> tuple[Claim, ...]:
        """Every claim as one about a single outcome: those on many edges by what stands in for them."""
        return (*self.claims, *(claim.stand_in for claim in self.edge_claims))

    @property
    def specification(self) -> Specification:
        """The primary analysis: what the config chooses for every run."""
        denoising, censoring, quality = self.denoising, self.censoring, self.quality
        return Specification(
            Cleaning(
                ConfoundTerms(**denoising.strategy.get_terms()),
                denoising.high_pass_hz,
                denoising.low_pass_hz,
                denoising.mode,
            ),
            Censoring(censoring.fd_threshold_mm, censoring.dvars_threshold),
            Usability(
                censoring.min_retained_minutes, censoring.min_degrees_of_freedom, quality.max_mean_fd_mm
            ),
            Estimation(self.connectivity.kind, quality.min_coverage),
        )


def read_config(path: Path, *, launched: Path | None = None) -> Config:
    """Return the settings of a config file and of the files that it names.

    Relative paths are counted from the nearest folder at or above the file that holds a `Snakefile`, else
    from the file's folder. Whether the data exist is for `rsconn.settings.checks.find_missing_files` to say.

    Parameters
    ----------
    path : Path
        The config file.
    launched : Path, optional
        The folder that a relative `output_dir` is counted from; the working directory if None.

    Raises
    ------
    SettingsError
        For one mistake.
    ProblemsError
        For several, one line each.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SettingsError(
            f"{show_path(path)}: {describe_value(content)} found, keys such as input and rois needed"
        )
    config = parse_config(content, path, launched=launched)
    if os.environ.get(HIDE_IDS):
        return config.model_copy(update={"report": ReportSettings(ids="hidden")})
    return config


def parse_config(content: dict[str, Any], path: Path, *, launched: Path | None = None) -> Config:
    """Return the settings that the content of a config file describes; `path` is where it stands.

    Raises
    ------
    SettingsError, ProblemsError
        As `read_config`.
    """
    base = find_base(path)
    try:
        file = validate(ConfigFile, content, path, base=base)
    except UserError as error:
        raise_problems(list_problems(error) + _find_problems_elsewhere(content, base))
    config = _resolve(file, path, base, launched or Path.cwd())
    problems = find_contradictions(config)
    if problems:
        raise_problems(problems)
    return config


def _find_problems_elsewhere(content: dict[str, Any], base: Path) -> list[str]:
    """Return the mistakes in the ROI and claims files of a config that is wrong itself."""
    problems: list[str] = []
    # a bare list of ROIs would ask for the space, which only the config has
    read_rois = partial(read_roi_set, space="unknown")
    for key, read in (("rois", read_rois), ("claims", read_claims)):
        named = content.get(key)
        if isinstance(named, str) and named:
            collect_problems(problems, partial(read, resolve_path(Path(named), base)))
    return problems


def _resolve(file: ConfigFile, path: Path, base: Path, launched: Path) -> Config:
    """Read the files that the config names; the mistakes of all of them are told at once."""
    problems: list[str] = []
    rois = collect_problems(problems, lambda: _read_rois(file, path))
    claims = collect_problems(problems, lambda: read_claims(file.claims) if file.claims else ())
    edge_claims = collect_problems(
        problems, lambda: read_edge_claims(file.claims) if file.claims and claims is not None else ()
    )
    strategy = collect_problems(problems, lambda: _read_strategy(file.denoising, path, base))
    edges = (
        collect_problems(problems, lambda: _read_edges(file.edges, rois, claims or (), path))
        if rois
        else None
    )
    multiverse = collect_problems(problems, lambda: _read_multiverse(file, path, base))
    if rois is not None and claims is not None and edge_claims and file.claims:
        problems += check_edge_claims(edge_claims, claims, rois, file.claims)
    if rois is None or claims is None or strategy is None or edges is None or problems:
        raise_problems(problems)
    unchanged = {name: getattr(file, name) for name in ConfigFile.model_fields if name not in _READ_IN}
    denoising = DenoisingSettings(
        strategy=strategy,
        **{
            name: getattr(file.denoising, name)
            for name in DenoisingSettings.model_fields
            if name != "strategy"
        },
    )
    return Config(
        **unchanged,
        **_add_site(file),
        path=path.absolute(),
        output_dir=resolve_path(file.output_dir, launched.absolute()),
        rois=rois,
        rois_path=None if isinstance(file.rois, RoiFile) else file.rois,
        edges=edges,
        denoising=denoising,
        claims=claims,
        edge_claims=edge_claims or (),
        claims_path=file.claims,
        multiverse=multiverse,
    )


# Larger sets list the edges that claims name: all of 400 regions would be 79,800 columns.
_MOST_LISTED = 50


def _add_site(file: ConfigFile) -> dict[str, Any]:
    """Return the covariates and categories with the site, where there is more than one."""
    covariates, categorical = file.covariates, file.categorical
    if len(set(file.input.sites)) < 2:
        return {"covariates": covariates, "categorical": categorical}
    if SITE not in covariates.edge:
        covariates = covariates.model_copy(update={"edge": (*covariates.edge, SITE)})
    return {"covariates": covariates, "categorical": tuple(dict.fromkeys((*categorical, SITE)))}


_READ_IN = {"output_dir", "rois", "edges", "denoising", "claims", "multiverse", "covariates", "categorical"}
_STRATEGY_KEYS = ("motion", "acompcor", "acompcor_variance", "wm_csf", "global_signal")


def _read_rois(file: ConfigFile, path: Path) -> RoiSet:
    if file.rois is None:
        return RoiSet(name="scores")
    list_columns = partial(list_series_columns, file.input.parcellated, file.input.filters)
    space = _get_space(file.input)
    if isinstance(file.rois, RoiFile):
        named = file.rois.model_copy(update={"space": file.rois.space or space})
        return expand_roi_file(named, path, named.name or "rois", list_columns)
    return read_roi_set(file.rois, space=space, list_columns=list_columns)


def _get_space(settings: InputSettings) -> str | None:
    spaces = [space for space in settings.filters.get("space", ()) if not space.startswith(NOT)]
    return spaces[0] if len(spaces) == 1 else None


def _read_edges(
    names: tuple[str, ...], rois: RoiSet, claims: Sequence[Claim], path: Path
) -> tuple[Edge, ...]:
    """Return the edges that have a column in the cohort; every pair is in the relmats all the same."""
    try:
        if names == ("all",) or (not names and len(rois.names) <= _MOST_LISTED):
            return list_all_edges(rois.names)
        return parse_edges(names, rois.names) if names else find_named_edges(_list_terms(claims), rois.names)
    except UserError as error:
        raise_problems([f"{show_path(path)}: {problem}" for problem in list_problems(error)])


def _list_terms(claims: Sequence[Claim]) -> list[str]:
    return [term for claim in claims for term in claim.terms]


def _read_strategy(choice: DenoisingChoice, path: Path, base: Path) -> Strategy:
    strategy = _find_strategy(choice.strategy, path, base)
    return change_strategy(strategy, {key: getattr(choice, key) for key in _STRATEGY_KEYS})


def _find_strategy(name: str, path: Path, base: Path, *, option: str = "denoising.strategy") -> Strategy:
    if name.endswith((".yaml", ".yml")):
        return read_strategy_file(resolve_path(Path(name), base))
    folders = [base / "config" / "strategies", find_house() / "config" / "strategies"]
    try:
        return read_strategy(name, folders, option=option)
    except SettingsError as error:
        raise SettingsError(f"{show_path(path)}: {error}") from None


def _read_multiverse(file: ConfigFile, path: Path, base: Path) -> Multiverse | None:
    """Read the strategies that the multiverse names; the config's own is changed as it says, the others are not."""
    if file.multiverse is None:
        return None
    own = {name: getattr(file.multiverse, name) for name in MultiverseSettings.model_fields}
    recipes = {
        name: _find_strategy(name, path, base, option="multiverse.strategy")
        for name in file.multiverse.strategy
    }
    return Multiverse(**own, recipes=recipes)
