"""Mistakes that only show when sections are compared, told before any job."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rsconn.errors import describe_unreadable
from rsconn.naming import NATIVE_SPACES, NOT, check_label, describe_native
from rsconn.settings.claims import Claim, Contrast, Where
from rsconn.settings.edge_claims import ANY_EDGE
from rsconn.settings.fields import find_twice, show_path
from rsconn.settings.problems import suggest
from rsconn.settings.sample_grammar import parse_expression
from rsconn.settings.ways import find_multiverse_problems

if TYPE_CHECKING:
    from rsconn.settings.config import Config
    from rsconn.settings.sections import InputSettings

# Columns of the cohort table that rsconn fills itself.
RESERVED_COLUMNS = ("participant_id", "session", "group", "sex", "age", "mean_fd", "included")

# The column that input.datasets makes.
SITE = "site"

# Spaces of dense series.
_SURFACES = frozenset({"fsLR"})

# fMRIPrep removes cosines of 128 s and longer before it computes CompCor components.
# Bounds beyond these are questioned.
_ABSURD = {"g": 1.5, "partial_r": 0.7, "f": 0.75}
_ACOMPCOR_HIGH_PASS_HZ = 1 / 128


def find_contradictions(config: Config) -> list[str]:
    """Return one line per contradiction between sections; an empty list means none."""
    problems = [
        *_check_sources(config),
        *_check_space(config),
        *_check_high_pass(config),
        *_check_seeds(config),
        *_check_scores(config),
        *_check_groups(config),
        *_check_folders(config),
        *find_multiverse_problems(config),
    ]
    return [f"{show_path(config.path)}: {problem}" for problem in problems] + check_claims(config)


def list_warnings(config: Config) -> list[str]:
    """Return what is odd in a config and no obstacle."""
    return [*_list_filter_warnings(config), *_list_sesoi_warnings(config)]


def list_default_sesoi(config: Config) -> list[str]:
    """Return the names of the smallest effects of interest that decide some claim and that nobody set."""
    used = {claim.form.default for claim in config.questions if claim.sesoi is None}
    return [name for name in _ABSURD if name in used - config.inference.sesoi.model_fields_set]


def _list_sesoi_warnings(config: Config) -> list[str]:
    lines = []
    for name in list_default_sesoi(config):
        value = getattr(config.inference.sesoi, name)
        lines.append(
            f"inference.sesoi.{name}: not set; the default {value:g} decides what is negligible and what is "
            "equivalent"
        )
    named = type(config.inference.sesoi).model_fields
    own = [(f"inference.sesoi.{name}", name, getattr(config.inference.sesoi, name)) for name in named]
    for claim in config.questions:
        if isinstance(claim.sesoi, float):
            name = claim.form.scale
            own.append((f"claim {claim.id}: sesoi", name, claim.sesoi))
    return lines + [question_bound(where, name, value) for where, name, value in own if value > _ABSURD[name]]


def question_bound(where: str, name: str, value: float) -> str:
    """Return the line that questions a smallest effect of interest too large to decide anything."""
    word = name.replace("_", " ")
    return (
        f"{where}: {word} {value:.3g} is larger than nearly all effects there are (above {_ABSURD[name]:g}); "
        "almost any effect would be negligible or equivalent"
    )


def _list_filter_warnings(config: Config) -> list[str]:
    high_pass_hz = config.denoising.high_pass_hz
    if not _uses_acompcor(config) or high_pass_hz is None or high_pass_hz >= _ACOMPCOR_HIGH_PASS_HZ:
        return []
    line = (
        f"denoising.high_pass_hz: {high_pass_hz:g} Hz is below the 0.0078 Hz (128 s) above which fMRIPrep computes "
        "aCompCor; drifts between the two are not removed"
    )
    return [line]


def find_missing_files(config: Config) -> list[str]:
    """Return one line per table, dataset or ROI image that the config names and that does not exist."""
    missing = [
        f"{show_path(config.path)}: {option}: {_describe_absent(path)}"
        f"{'; for real data remove truth' if option == 'truth' else ''}"
        for option, path in _list_inputs(config)
        if not path.exists()
    ]
    return missing + [
        f"{show_rois_path(config)}: {name}: {_describe_absent(path)}"
        for name, path in _list_roi_files(config)
        if not path.exists()
    ]


def _list_inputs(config: Config) -> list[tuple[str, Path]]:
    """Return the option and the path of every table and dataset."""
    return [
        *_list_sources(config.input),
        *(("input.phenotype", path) for path in config.input.phenotype),
        *([("truth", config.truth)] if config.truth else []),
    ]


_BRACES = re.compile(r"\{[^{}]*\}")


def find_braces(config: Config) -> list[str]:
    """Return one line per folder or file with braces in its name, which the workflow would take for a wildcard."""
    named = [
        *_list_inputs(config),
        *_list_roi_files(config),
        ("output_dir", config.output_dir),
        ("config", config.path),
    ]
    parts: dict[str, list[str]] = {}
    for option, path in named:
        for part in path.parts:
            if _BRACES.search(part):
                parts.setdefault(part, []).append(option)
    return [
        f"{options[0]}: {part!r} has braces in its name, which Snakemake takes for a wildcard"
        f"{f' ({len(options) - 1} other paths too)' if len(options) > 1 else ''}; rename it, or name it by a link"
        for part, options in parts.items()
    ]


def _list_sources(settings: InputSettings) -> Iterable[tuple[str, Path]]:
    for one in settings.datasets:
        option = f"input.datasets, site {one.site}"
        yield from ((option, path) for path in (one.path, one.participants, *one.phenotype))
    if not settings.datasets:
        yield from (("input.derivatives", path) for path in settings.derivatives)
        yield from (("input.parcellated", path) for path in settings.parcellated)
        yield "input.participants", settings.participants


def find_future(paths: Iterable[Path]) -> list[str]:
    """Return a line for each file dated in the future, which the workflow would take for newer than its results."""
    now = time.time()
    dated = {path: path.stat().st_mtime for path in paths if path.exists()}
    return [
        f"{show_path(path)}: dated {time.strftime('%Y-%m-%d', time.gmtime(date))}, in the future, so results would "
        "always be older; `touch` it, or set the clock right"
        for path, date in dated.items()
        if date > now + _CLOCKS_DIFFER_S
    ]


_CLOCKS_DIFFER_S = 5.0


def _describe_absent(path: Path) -> str:
    if path.is_symlink():
        return describe_unreadable(show_path(path))
    return f"{show_path(path)} does not exist"


def show_rois_path(config: Config) -> str:
    """Return the ROI file as messages show it; empty in a study of scores only."""
    return show_path(config.rois_path) if config.rois_path else ""


def _list_roi_files(config: Config) -> Iterable[tuple[str, Path]]:
    surfaces = config.rois.surfaces
    for side in ("left", "right") if surfaces else ():
        yield f"surfaces.{side}", getattr(surfaces, side)
    for roi in (*config.rois.rois, *config.rois.alternatives):
        region = roi.atlas or roi.map
        paths = (roi.mask, region.image if region else None, roi.atlas.labels_tsv if roi.atlas else None)
        yield from ((f"ROI {roi.name!r}", path) for path in paths if path is not None)


def _check_sources(config: Config) -> Iterable[str]:
    regions = (*config.rois.rois, *config.rois.alternatives)
    columns = [roi.name for roi in regions if roi.kind == "column"]
    images = [roi.name for roi in regions if roi.kind != "column"]
    if config.input.derivatives and columns:
        hint = "; input.denoised says that the datasets hold series" if config.input.datasets else ""
        yield f"rois: ROI {columns[0]!r} is a table's column; a sphere, mask, atlas or map needed{hint}"
    if config.input.parcellated and images:
        yield f"rois: ROI {images[0]!r} needs images; column: NAME needed with input.parcellated"
    if config.input.parcellated and config.denoising.smoothing_fwhm_mm:
        yield "denoising.smoothing_fwhm_mm: parcellated series cannot be smoothed; 0 needed"
    if config.input.has_runs and len(config.rois.rois) < 2 and not config.seeds:
        yield "rois: one ROI and no seeds leave nothing to compute; two ROIs or a seed needed"


def _check_space(config: Config) -> Iterable[str]:
    """The set names its space, and the images must be in it: the MNI templates differ by millimetres."""
    space, accepted = config.rois.space, config.input.accept_space_mismatch
    for found in config.input.filters.get("space", ()):
        if space and config.input.derivatives and found in NATIVE_SPACES and space not in NATIVE_SPACES:
            yield describe_native(f"input.filters.space: {found!r} found", space)
        elif space and config.input.derivatives and found[:1] != NOT and found != space and not accepted:
            remedy = "set input.accept_space_mismatch: true to accept it"
            if (found in _SURFACES) != (space in _SURFACES):
                remedy = "dense series (CIFTI) and volumes have other regions: change one of the two"
            yield (
                f"input.filters.space: {found!r} found, the ROIs are in {space!r} "
                f"({show_rois_path(config)}); {remedy}"
            )


def _uses_acompcor(config: Config) -> bool:
    strategy = config.denoising.strategy
    return bool(strategy.acompcor or strategy.acompcor_variance) and not config.input.denoised


def _check_high_pass(config: Config) -> Iterable[str]:
    """FMRIPrep filters before it computes the components: they cannot explain drifts, which must go as well."""
    if config.input.has_runs and _uses_acompcor(config) and config.denoising.high_pass_hz is None:
        yield (
            f"denoising.high_pass_hz: null found; strategy {config.denoising.strategy.name!r} uses aCompCor, which "
            "fMRIPrep computes above 0.0078 Hz (128 s); 0.008 or more needed, or a strategy without aCompCor"
        )


def _check_seeds(config: Config) -> Iterable[str]:
    if config.seeds and config.input.parcellated:
        yield "seeds: seed maps need images; remove seeds, or give input.derivatives"
    for name in config.seeds:
        if name not in config.rois.names:
            yield f"seeds: no ROI {name!r}; {suggest(name, config.rois.names, what='ROIs')}"
            continue
        try:
            check_label(name)
        except ValueError as error:
            yield f"seeds: {error}"
    yield from (f"seeds: {name!r} occurs twice" for name in find_twice(config.seeds))
    for name in config.maps.scores:
        if name not in config.scores:
            yield f"maps.scores: no score {name!r}; {suggest(name, config.scores, what='scores')}"


def _check_scores(config: Config) -> Iterable[str]:
    edges = {edge.name for edge in config.edges}
    for name in config.scores:
        if name in RESERVED_COLUMNS or (name == SITE and config.input.datasets):
            yield f"scores: {name!r} is a column of the cohort table already; another name needed"
        if name in edges:
            yield f"scores: {name!r} is an edge already; another name needed"


def _check_groups(config: Config) -> Iterable[str]:
    if config.groups is None:
        return
    if config.inference.exchange_whole == config.groups.column:
        yield (
            f"inference.exchange_whole: {config.groups.column!r} is the column of groups, a column of families "
            "needed; null where people are unrelated"
        )
    renamed = config.input.values.get(config.groups.column, {})
    for level, value in config.groups.levels.items():
        if value in renamed and value not in renamed.values():
            yield (
                f"groups.levels.{level}: {value!r} is called {renamed[value]!r} after input.values; "
                "that name needed"
            )


def _check_folders(config: Config) -> Iterable[str]:
    folders = (*config.input.derivatives, *config.input.parcellated)
    yield from (f"input: {show_path(path)} is listed twice" for path in find_twice(folders))
    yield from (
        f"input.phenotype: {show_path(path)} is listed twice" for path in find_twice(config.input.phenotype)
    )
    if config.output_dir in folders:
        yield f"output_dir: {show_path(config.output_dir)} is an input dataset; another folder needed"


if TYPE_CHECKING:
    from rsconn.settings.config import Config

_NUMERIC_COLUMNS = ("age", "mean_fd")
_IDENTIFIERS = ("participant_id", "included")


def check_claims(config: Config) -> list[str]:
    """Return one line per claim that asks for something the config does not have."""
    where = show_path(config.claims_path) if config.claims_path else ""
    problems = [
        f"{where}: claim {claim.id} {problem}"
        for claim in config.questions
        for problem in _check_claim(claim, config)
    ]
    return [*problems, *_check_circular(config)]


def _check_claim(claim: Claim, config: Config) -> Iterable[str]:
    yield from _check_terms(claim, config)
    yield from _check_sessions(claim, config)
    yield from _check_covariates(claim, config)
    for key, text in _list_conditions(claim):
        yield from _check_claim_condition(key, text, config)
    for key, contrast in claim.contrasts.items():
        if contrast.column is not None:
            yield from _check_contrast(key, contrast, contrast.column, config)


def _check_terms(claim: Claim, config: Config) -> Iterable[str]:
    edges = {edge.name: edge for edge in config.edges}
    reversed_edges = {f"{edge.second}-{edge.first}": name for name, edge in edges.items()}
    for key, term in (("outcome", claim.outcome), ("predictor", claim.predictor)):
        if term is None or term in edges or term in config.scores or term == ANY_EDGE:
            continue
        if term in reversed_edges:
            yield f"{key}: {term!r} is called {reversed_edges[term]!r} in edges; that name needed"
        else:
            valid = [*edges, *config.scores]
            yield f"{key}: {term!r} is neither an edge nor a score of the config; {suggest(term, valid)}"


def _check_sessions(claim: Claim, config: Config) -> Iterable[str]:
    if config.sessions == "separate":
        return
    if claim.paired:
        yield "paired: needs sessions: separate in the config; it says combine"
    elif "session" in _list_columns(claim):
        yield "session: needs sessions: separate in the config; combine leaves one row per person"


def _check_covariates(claim: Claim, config: Config) -> Iterable[str]:
    for name in claim.covariates or ():
        if name in _IDENTIFIERS:
            yield f"covariates: {name!r} says who a person is; a column of values needed"
        if name == "group" and config.groups is None:
            yield "covariates: 'group' needs the groups section of the config"


def _check_contrast(name: str, contrast: Contrast, column: str, config: Config) -> Iterable[str]:
    edges = [edge.name for edge in config.edges]
    if column in (*_NUMERIC_COLUMNS, *edges, *config.scores):
        yield f"{name}.column: {column!r} holds numbers; categories needed, or predictor: {column}"
        return
    if _is_group(column, config) and config.groups is None:
        yield f"{name}.column: 'group' needs the groups section of the config"
        return
    for key, level in contrast.named_sides.items():
        if isinstance(level, str):
            yield from _check_level(f"{name}.{key}", column, level, config)


def _check_claim_condition(key: str, text: str, config: Config) -> Iterable[str]:
    for comparison in parse_expression(text).comparisons:
        if comparison.column == "group" and config.groups is None:
            yield f"{key}: 'group' needs the groups section of the config"
            return
        for value in comparison.values:
            if isinstance(value, str):
                yield from _check_level(key, comparison.column, value, config)


def _check_level(key: str, column: str, level: str, config: Config) -> Iterable[str]:
    """A level of the groups is one of their names; another column's level must survive input.values."""
    if config.groups is not None and _is_group(column, config):
        if level not in config.groups.levels:
            nearest = suggest(level, config.groups.levels, what="levels")
            yield f"{key}: {level!r} is no level of groups; {nearest}"
        return
    renamed = config.input.values.get(column, {})
    if level in renamed and level not in renamed.values():
        name = renamed[level]
        yield f"{key}: {level!r} of {column} is called {name!r} after input.values; that name needed"


def _check_circular(config: Config) -> Iterable[str]:
    """A misspelt column would leave a circular claim unnoticed."""
    circular = config.rois.circular
    if circular is None or circular.data != "this":
        return
    known = {"group", "sex", *(column for claim in config.questions for column in _list_columns(claim))}
    known |= {config.groups.column} if config.groups else set()
    known |= {name for claim in config.questions for name in (claim.outcome, claim.predictor) if name}
    near = difflib.get_close_matches(circular.contrast, known, n=1, cutoff=0.75)
    if circular.contrast not in known and near:
        yield (
            f"{show_path(config.rois_path or config.path)}: circular.contrast: no claim knows a column "
            f"{circular.contrast!r}; did you mean {near[0]!r}?"
        )


def _is_group(column: str, config: Config) -> bool:
    return column == "group" or (config.groups is not None and column == config.groups.column)


def _list_conditions(claim: Claim) -> list[tuple[str, str]]:
    return [("sample", claim.sample)] + [
        (f"{name}.{key}.where", side.where)
        for name, contrast in claim.contrasts.items()
        for key, side in contrast.named_sides.items()
        if isinstance(side, Where)
    ]


def _list_columns(claim: Claim) -> set[str]:
    columns = {column for _, text in _list_conditions(claim) for column in parse_expression(text).columns}
    return columns | {contrast.column for contrast in claim.contrasts.values() if contrast.column is not None}
