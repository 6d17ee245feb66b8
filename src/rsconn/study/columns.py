"""The cohort as plain columns: numbers as floats, words as objects with None for missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.errors import TableError

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
