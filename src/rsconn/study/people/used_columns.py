"""Which table columns the claims and covariates name, and whether the tables have them in a usable form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.errors import ProblemsError, TableError
from rsconn.settings.edge_claims import ANY_EDGE
from rsconn.settings.problems import suggest
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.people.odd_values import describe_word, find_crowded, find_thousands
from rsconn.study.people.participants import find_hidden_number

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
    known = _MADE | set(scores) | {ANY_EDGE, *(edge.name for edge in config.edges)}
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
            problems += _find_faults(columns[name], name, option)
    problems += [line for claim in config.questions for line in _find_empty_sides(claim, columns)]
    if len(problems) == 1:
        raise TableError(problems[0])
    if problems:
        raise ProblemsError(problems)


def list_unused_names(people: pd.DataFrame, config: Config) -> list[str]:
    """Return a warning for a name that is allowed and does nothing: nobody's family, a contrast of no column.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
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


# Codes are few; ages in years and motion are known to be quantities.
_MOST_CODES, _QUANTITIES = 20, frozenset({"age", "mean_fd"})


def list_codes(people: pd.DataFrame, config: Config) -> list[str]:
    """Return a warning for each covariate whose few whole numbers may be codes of categories, such as sites.

    Two values are told apart alike by one number and by a category, so that nothing is asked of them.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    config : Config
        Covariates of the claims; ``categorical``.
    """
    columns, warnings = make_columns(people), []
    for name, option in _list_covariates(config).items():
        if name not in columns or name in _QUANTITIES or name in config.categorical or is_text(columns[name]):
            continue
        cells = columns[name][find_present(columns[name])]
        values = np.unique(cells)
        if 3 <= values.size <= min(_MOST_CODES, cells.size / 3) and (values == np.round(values)).all():
            shown = ", ".join(name_value(value) for value in values[:4])
            warnings.append(
                f"covariate {name!r} ({option}) holds {values.size} whole numbers ({shown}"
                f"{', ...' if values.size > 4 else ''}) and is taken as one quantity; if they are codes, such as those "
                f"of sites, set categorical: [{name}]"
            )
    return warnings


def _list_covariates(config: Config) -> dict[str, str]:
    covariates: dict[str, str] = {}
    for name, option in _iterate_uses(config):
        if "covariates" in option:
            covariates.setdefault(name, option)
    return covariates


def _is_named(name: str, people: pd.DataFrame, config: Config) -> bool:
    made = {*config.scores, *(edge.name for edge in config.edges)}
    return name in _MADE or name in people.columns or name in made


def _find_faults(column: Column, name: str, option: str) -> Iterator[str]:
    """Yield what keeps a column from being what the option takes it for."""
    cells = column.tolist() if is_text(column) else []
    if "covariates" in option:
        word, crowded = describe_word(name, cells), find_crowded(cells)
    else:
        marked = find_thousands(cells)
        word, crowded = describe_word(name, cells) if marked else None, None
    if word:
        yield f"column {name!r} ({option}): {word}"
        return
    hidden = list(_find_hidden_numbers(column, name, option))
    yield from hidden
    if crowded and not hidden:
        yield f"column {name!r} ({option}) {crowded}"


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
    edges = {ANY_EDGE, *(edge.name for edge in config.edges)}
    if config.groups is not None:
        yield config.groups.column, "groups.column"
    if config.inference.exchange_within is not None:
        yield config.inference.exchange_within, "inference.exchange_within"
    if config.inference.exchange_whole is not None:
        yield config.inference.exchange_whole, "inference.exchange_whole"
    yield from ((name, "categorical") for name in config.categorical)
    for claim in config.questions:
        with_edge = claim.outcome in edges or claim.predictor in edges
        default = config.covariates.edge if with_edge else config.covariates.score
        option = f"covariates.{'edge' if with_edge else 'score'}"
        if claim.covariates is not None:
            default, option = claim.covariates, f"claim {claim.id}, covariates"
        yield from ((name, option) for name in default)
        yield from (
            (name, f"claim {claim.id}, sample") for name in sorted(parse_expression(claim.sample).columns)
        )
        yield from _list_contrasts(claim)
    sets = config.multiverse.covariates if config.multiverse is not None else ()
    yield from ((name, "multiverse.covariates") for names in sets for name in names)


def _list_contrasts(claim: Claim) -> Iterator[tuple[str, str]]:
    for key, contrast in claim.contrasts.items():
        if contrast.column is not None:
            yield contrast.column, f"claim {claim.id}, {key}"
        for side in contrast.sides:
            if not isinstance(side, str):
                for name in sorted(parse_expression(side.where).columns):
                    yield name, f"claim {claim.id}, {key}"


def _find_empty_sides(claim: Claim, columns: dict[str, np.ndarray]) -> Iterator[str]:
    for key, contrast in claim.contrasts.items():
        if contrast.column is None or contrast.column == "session" or contrast.column not in columns:
            continue
        column = columns[contrast.column]
        levels = sorted(
            {f"{value:g}" if isinstance(value, float) else value for value in column if _is_known(value)}
        )
        for side in contrast.sides:
            if isinstance(side, str) and not match_value(column, side).any():
                yield (
                    f"claim {claim.id}, {key}: nobody has {side!r} in column {contrast.column!r}; "
                    f"{suggest(side, levels, what='it has')}"
                )


def _is_known(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and np.isnan(value))


Column = NDArray[Any]
Columns = Mapping[str, Column]
Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


def make_columns(table: pd.DataFrame) -> dict[str, Column]:
    """Turn a table into columns: float64 with NaN, or objects (text) with None; booleans become text.

    Examples
    --------
    >>> columns = make_columns(pd.DataFrame({"sex": ["F", None], "age": [30, 40]}))
    >>> columns["sex"].tolist(), columns["age"].tolist()
    (['F', None], [30.0, 40.0])
    """
    return {str(name): _convert(table[name]) for name in table.columns}


def _convert(series: pd.Series) -> Column:
    if pd.api.types.is_bool_dtype(series.dtype):
        return np.array([str(bool(value)).lower() for value in series], dtype=object)
    if pd.api.types.is_numeric_dtype(series.dtype):
        return np.asarray(series.to_numpy(dtype=float, na_value=np.nan))
    return np.array(
        [None if pd.isna(value) or value == "n/a" else str(value) for value in series], dtype=object
    )


def is_text(column: Column) -> bool:
    """Say whether a column holds words."""
    return column.dtype == object


def find_present(column: Column) -> Mask:
    """Return where a column (n,) has a value."""
    if is_text(column):
        return np.array([value is not None for value in column], dtype=bool)
    return np.asarray(np.isfinite(column))


def match_value(column: Column, value: str) -> Mask:
    """Return where a column (n,) equals a value written as text; ``2`` equals 2.0."""
    if is_text(column):
        return np.array([cell == value for cell in column], dtype=bool)
    try:
        return np.asarray(column == float(value))
    except ValueError:
        return np.zeros(column.size, dtype=bool)


def name_value(cell: object) -> str:
    """Return a cell as the config would write it: ``2`` for 2.0."""
    return f"{cell:.15g}" if isinstance(cell, float) else str(cell)


def get_numbers(columns: Columns, name: str, needed_by: str) -> NDArray[np.float64]:
    """Return a numeric column.

    Raises
    ------
    TableError
        If there is no such column, or it holds words.
    """
    if name not in columns:
        raise TableError(f"cohort: no column {name!r}, which {needed_by} names")
    if is_text(columns[name]):
        if not find_present(columns[name]).any():  # a column of nothing but n/a has no type
            return np.full(columns[name].size, np.nan)
        word = next(value for value in columns[name] if value is not None)
        raise TableError(f"cohort: column {name!r} holds words ({word!r}); {needed_by} needs numbers")
    return columns[name]


def encode(column: Column) -> NDArray[np.float64]:
    """Return a complete column as regressors: a number as (n, 1), a category as dummies (n, levels - 1).

    The first level in alphabetical order is the reference.

    Examples
    --------
    >>> encode(np.array(["b", "a", "c"], dtype=object)).tolist()
    [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    """
    if not is_text(column):
        return column.astype(float)[:, None]
    levels: Sequence[str] = sorted(set(column))
    return np.column_stack([np.zeros((column.size, 0)), *(column == level for level in levels[1:])]).astype(
        float
    )
