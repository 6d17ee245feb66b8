"""The config file: read once, checked whole, frozen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from rsconn.errors import SettingsError, UserError
from rsconn.settings.checks import check_config
from rsconn.settings.claims import Claim, read_claims
from rsconn.settings.edges import Edge, list_all_edges, parse_edges
from rsconn.settings.fields import Count, LocalPath, OneOrMore, SafeName, Settings, Text
from rsconn.settings.locations import find_base, find_house
from rsconn.settings.problems import describe_value, list_problems, raise_problems, validate
from rsconn.settings.rois import RoiSet, read_roi_set
from rsconn.settings.scores import ScoreSettings
from rsconn.settings.sections import (
    CensoringSettings,
    ConnectivitySettings,
    CovariateSettings,
    DenoisingChoice,
    DenoisingSettings,
    GroupSettings,
    InferenceSettings,
    InputSettings,
    QualitySettings,
)
from rsconn.settings.strategies import Strategy, read_strategy
from rsconn.settings.yaml_text import read_yaml

Result = TypeVar("Result")


class ConfigFile(Settings):
    """The config file as written: other files by their paths."""

    input: InputSettings
    output_dir: Path = Path("results")
    sessions: Literal["combine", "separate"] = "combine"
    rois: LocalPath
    edges: OneOrMore[Text] = ()
    connectivity: ConnectivitySettings = ConnectivitySettings()
    seeds: OneOrMore[Text] = ()
    denoising: DenoisingChoice = DenoisingChoice()
    censoring: CensoringSettings = CensoringSettings()
    quality: QualitySettings = QualitySettings()
    groups: GroupSettings = GroupSettings()
    scores: dict[SafeName, ScoreSettings] = Field(default_factory=dict)
    covariates: CovariateSettings = CovariateSettings()
    claims: LocalPath | None = None
    inference: InferenceSettings = InferenceSettings()
    batch_size: Annotated[Count, Field(ge=1)] = 20


class Config(Settings):
    """Everything that was asked for, with the files it names read in."""

    path: Path
    input: InputSettings
    output_dir: Path
    sessions: Literal["combine", "separate"]
    rois: RoiSet
    rois_path: Path
    edges: tuple[Edge, ...]
    connectivity: ConnectivitySettings
    seeds: tuple[str, ...]
    denoising: DenoisingSettings
    censoring: CensoringSettings
    quality: QualitySettings
    groups: GroupSettings
    scores: dict[str, ScoreSettings]
    covariates: CovariateSettings
    claims: tuple[Claim, ...]
    claims_path: Path | None
    inference: InferenceSettings
    batch_size: int


def read_config(path: Path) -> Config:
    """Return the settings of a config file and of the files that it names.

    Relative paths are counted from the nearest folder at or above the file that holds a `Snakefile`, else
    from the file's folder; `output_dir` from the working directory. Whether the data exist is not looked at.

    Raises
    ------
    SettingsError
        For one mistake.
    ProblemsError
        For several, one line each.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SettingsError(f"{path}: {describe_value(content)} found, keys such as input and rois needed")
    return parse_config(content, path)


def parse_config(content: dict[str, Any], path: Path) -> Config:
    """Return the settings that the content of a config file describes; `path` is where it stands.

    Raises
    ------
    SettingsError, ProblemsError
        As `read_config`.
    """
    base = find_base(path)
    file = validate(ConfigFile, content, path, base=base)
    config = _resolve(file, path, base)
    problems = check_config(config)
    if problems:
        raise_problems([f"{path}: {problem}" for problem in problems])
    return config


def _resolve(file: ConfigFile, path: Path, base: Path) -> Config:
    """Read the files that the config names; the mistakes of all of them are told at once."""
    problems: list[str] = []
    rois = _try(problems, lambda: read_roi_set(file.rois, space=_get_space(file.input)))
    claims = _try(problems, lambda: read_claims(file.claims) if file.claims else ())
    strategy = _try(problems, lambda: _read_strategy(file.denoising, path, base))
    edges = _try(problems, lambda: _read_edges(file.edges, rois, path)) if rois else None
    if rois is None or claims is None or strategy is None or edges is None:
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
        path=path.absolute(),
        output_dir=Path(os.path.abspath(file.output_dir.expanduser())),  # noqa: PTH100 (keep links)
        rois=rois,
        rois_path=file.rois,
        edges=edges,
        denoising=denoising,
        claims=claims,
        claims_path=file.claims,
    )


_READ_IN = {"output_dir", "rois", "edges", "denoising", "claims"}


def _try(problems: list[str], read: Callable[[], Result]) -> Result | None:
    try:
        return read()
    except UserError as error:
        problems.extend(list_problems(error))
        return None


def _get_space(settings: InputSettings) -> str | None:
    spaces = settings.filters.get("space", ())
    return spaces[0] if len(spaces) == 1 else None


def _read_edges(names: tuple[str, ...], rois: RoiSet, path: Path) -> tuple[Edge, ...]:
    try:
        return parse_edges(names, rois.names) if names else list_all_edges(rois.names)
    except UserError as error:
        raise_problems([f"{path}: {problem}" for problem in list_problems(error)])


def _read_strategy(choice: DenoisingChoice, path: Path, base: Path) -> Strategy:
    folders = [base / "config" / "strategies", find_house() / "config" / "strategies"]
    try:
        strategy = read_strategy(choice.strategy, folders)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    keys = ("motion", "acompcor", "acompcor_variance", "wm_csf", "global_signal")
    changes = {key: getattr(choice, key) for key in keys if getattr(choice, key) is not None}
    return strategy.model_copy(update=changes)
