"""Claims against the rest of the config: terms, levels, sessions and covariates."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rsconn.settings.claims import Claim, Contrast, Where
from rsconn.settings.locations import show_path
from rsconn.settings.problems import suggest
from rsconn.settings.sample_grammar import parse_expression

if TYPE_CHECKING:
    from rsconn.settings.config import Config

_NUMERIC_COLUMNS = ("age", "mean_fd")
_IDENTIFIERS = ("participant_id", "included")


def check_claims(config: Config) -> list[str]:
    """Return one line per claim that asks for something the config does not have."""
    where = show_path(config.claims_path) if config.claims_path else ""
    problems = [
        f"{where}: claim {claim.id} {problem}"
        for claim in config.claims
        for problem in _check_claim(claim, config)
    ]
    return [*problems, *_check_circular(config)]


def _check_claim(claim: Claim, config: Config) -> Iterable[str]:
    yield from _check_terms(claim, config)
    yield from _check_sessions(claim, config)
    yield from _check_covariates(claim, config)
    for key, text in _list_conditions(claim):
        yield from _check_condition(key, text, config)
    contrast = claim.contrast
    if contrast is not None and contrast.column is not None:
        yield from _check_contrast(contrast, contrast.column, config)


def _check_terms(claim: Claim, config: Config) -> Iterable[str]:
    edges = {edge.name: edge for edge in config.edges}
    reversed_edges = {f"{edge.second}-{edge.first}": name for name, edge in edges.items()}
    for key, term in (("outcome", claim.outcome), ("predictor", claim.predictor)):
        if term is None or term in edges or term in config.scores:
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


def _check_contrast(contrast: Contrast, column: str, config: Config) -> Iterable[str]:
    edges = [edge.name for edge in config.edges]
    if column in (*_NUMERIC_COLUMNS, *edges, *config.scores):
        yield f"contrast.column: {column!r} holds numbers; categories needed, or predictor: {column}"
        return
    if _is_group(column, config) and config.groups is None:
        yield "contrast.column: 'group' needs the groups section of the config"
        return
    for key, level in (("contrast.a", contrast.a), ("contrast.b", contrast.b)):
        if isinstance(level, str):
            yield from _check_level(key, column, level, config)


def _check_condition(key: str, text: str, config: Config) -> Iterable[str]:
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
    known = {"group", "sex", *(column for claim in config.claims for column in _list_columns(claim))}
    known |= {config.groups.column} if config.groups else set()
    known |= {name for claim in config.claims for name in (claim.outcome, claim.predictor) if name}
    near = difflib.get_close_matches(circular.contrast, known, n=1, cutoff=0.75)
    if circular.contrast not in known and near:
        yield (
            f"{show_path(config.rois_path or config.path)}: circular.contrast: no claim knows a column "
            f"{circular.contrast!r}; did you mean {near[0]!r}?"
        )


def _is_group(column: str, config: Config) -> bool:
    return column == "group" or (config.groups is not None and column == config.groups.column)


def _list_conditions(claim: Claim) -> list[tuple[str, str]]:
    sides = (("contrast.a", claim.contrast.a), ("contrast.b", claim.contrast.b)) if claim.contrast else ()
    return [("sample", claim.sample)] + [
        (f"{key}.where", side.where) for key, side in sides if isinstance(side, Where)
    ]


def _list_columns(claim: Claim) -> set[str]:
    columns = {column for _, text in _list_conditions(claim) for column in parse_expression(text).columns}
    if claim.contrast is not None and claim.contrast.column is not None:
        columns.add(claim.contrast.column)
    return columns
