"""Which table columns the claims and covariates name, and whether the tables have them in a usable form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rsconn.errors import ProblemsError, TableError
from rsconn.settings.problems import suggest
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.columns import Column, is_text, make_columns, match_value
from rsconn.study.people import find_hidden_number

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.config import Config

# Columns that rsconn makes itself, whatever the tables have.
_MADE = frozenset({"participant_id", "session", "group", "mean_fd", "included"})


def list_used_columns(config: Config) -> dict[str, str]:
    """Return every column that a claim or covariate names, and the option that names it first."""
    used: dict[str, str] = {}
    for name, option in _iterate_uses(config):
        used.setdefault(name, option)
    return used


def check_used_columns(people: pd.DataFrame, scores: Iterable[str], config: Config) -> None:
    """Refuse columns that are named and absent, or mix numbers and words, and levels that match nobody.

    Raises
    ------
    TableError
        One fault.
    ProblemsError
        Several.
    """
    known = _MADE | set(scores) | {edge.name for edge in config.edges}
    columns = make_columns(people)
    problems = []
    for name, option in list_used_columns(config).items():
        if name in known:
            continue
        if name not in columns:
            problems.append(
                f"no column {name!r} in the tables ({option}); {suggest(name, people.columns, what='columns')}"
            )
        else:
            problems += _find_hidden_numbers(columns[name], name, option)
    problems += [line for claim in config.claims for line in _find_empty_sides(claim, columns)]
    if len(problems) == 1:
        raise TableError(problems[0])
    if problems:
        raise ProblemsError(problems)


def list_unused_names(people: pd.DataFrame, config: Config) -> list[str]:
    """Return a warning for a name that is allowed and does nothing: nobody's family, a contrast of no column.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.read_people`.
    config : Config
        ``inference.exchange_whole``; ``circular`` of the ROI set.
    """
    warnings = []
    column = config.inference.exchange_whole
    if (
        column is not None
        and not people.dropna(subset=column).drop_duplicates("participant_id")[column].duplicated().any()
    ):
        warnings.append(
            f"inference.exchange_whole: nobody shares a value of {column!r} with somebody else, so everybody is "
            "exchanged alone; a column of families needed, or null"
        )
    circular = config.rois.circular
    if circular is not None and circular.data == "this" and not _is_named(circular.contrast, people, config):
        warnings.append(
            f"circular.contrast of the ROI set: no column, score or edge is called {circular.contrast!r}, so no claim "
            "is refused as circular"
        )
    return warnings


def _is_named(name: str, people: pd.DataFrame, config: Config) -> bool:
    made = {*config.scores, *(edge.name for edge in config.edges)}
    return name in _MADE or name in people.columns or name in made


def _find_hidden_numbers(column: Column, name: str, option: str) -> Iterator[str]:
    number = find_hidden_number(column.tolist()) if is_text(column) else None
    if number is None:
        return
    word = next(
        (value for value in column if value is not None and find_hidden_number([value]) is None), None
    )
    if word is None:
        yield f"column {name!r} ({option}) holds numbers such as {number!r}; set input.decimal: ','"
    else:
        yield (
            f"column {name!r} ({option}) mixes numbers ({number!r}) and words ({word!r}); "
            f"mend the cells or map them with input.values: {{{name}: {{{word!r}: n/a}}}}"
        )


def _iterate_uses(config: Config) -> Iterator[tuple[str, str]]:
    edges = {edge.name for edge in config.edges}
    if config.groups is not None:
        yield config.groups.column, "groups.column"
    if config.inference.exchange_within is not None:
        yield config.inference.exchange_within, "inference.exchange_within"
    if config.inference.exchange_whole is not None:
        yield config.inference.exchange_whole, "inference.exchange_whole"
    for claim in config.claims:
        with_edge = claim.outcome in edges or claim.predictor in edges
        default = config.covariates.edge if with_edge else config.covariates.score
        option = f"covariates.{'edge' if with_edge else 'score'}"
        if claim.covariates is not None:
            default, option = claim.covariates, f"claim {claim.id}, covariates"
        yield from ((name, option) for name in default)
        yield from (
            (name, f"claim {claim.id}, sample") for name in sorted(parse_expression(claim.sample).columns)
        )
        if claim.contrast is not None:
            yield from _list_contrast(claim)


def _list_contrast(claim: Claim) -> Iterator[tuple[str, str]]:
    contrast = claim.contrast
    if contrast is None:
        return
    if contrast.column is not None:
        yield contrast.column, f"claim {claim.id}, contrast"
    for side in (contrast.a, contrast.b):
        if not isinstance(side, str):
            for name in sorted(parse_expression(side.where).columns):
                yield name, f"claim {claim.id}, contrast"


def _find_empty_sides(claim: Claim, columns: dict[str, np.ndarray]) -> Iterator[str]:
    contrast = claim.contrast
    if (
        contrast is None
        or contrast.column is None
        or contrast.column == "session"
        or contrast.column not in columns
    ):
        return
    column = columns[contrast.column]
    levels = sorted(
        {f"{value:g}" if isinstance(value, float) else value for value in column if _is_known(value)}
    )
    for side in (contrast.a, contrast.b):
        if isinstance(side, str) and not match_value(column, side).any():
            yield (
                f"claim {claim.id}, contrast: nobody has {side!r} in column {contrast.column!r}; "
                f"{suggest(side, levels, what='it has')}"
            )


def _is_known(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and np.isnan(value))
