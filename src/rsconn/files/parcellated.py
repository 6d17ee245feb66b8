"""ROI series that somebody else extracted: columns of a ``*_timeseries.tsv``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsconn.errors import TableError
from rsconn.files.tables import read_numbers

# NAME#2 asks for the second column that is called NAME.
_NUMBERED = re.compile(r"^(.+)#([1-9]\d*)$")
_SHOWN_NAMES = 5


def read_parcellated(path: Path, columns: Sequence[str]) -> np.ndarray:
    """Read the asked-for columns of a parcellated series.

    Parameters
    ----------
    path : Path
        Table with one row per volume and one column per region (XCP-D, giga_connectome, plain).
    columns : sequence of str
        Column names; ``NAME#2`` is the second of those called ``NAME``.

    Returns
    -------
    float64 array (n_volumes, n_columns)
        In the order asked for, whatever the file's. ``n/a`` is NaN; a region without coverage is NaN
        throughout.

    Raises
    ------
    TableError
        If a column is missing, or its name occurs more than once and the number is not given.
    """
    try:
        names, values = read_numbers(path)
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not readable: {error}") from None
    if not len(values):
        raise TableError(f"{path}: a header and no rows; one row per volume was needed")
    if values.shape[1] != len(names):
        raise TableError(f"{path}: rows have {values.shape[1]} cells, the header has {len(names)}")
    return values[:, [find_column(names, column, str(path)) for column in columns]]


def find_column(names: Sequence[str], column: str, source: str) -> int:
    """Return the position of a column.

    Raises
    ------
    TableError
        See `read_parcellated`.

    Examples
    --------
    >>> find_column(["PRC", "FP", "PRC"], "FP", "a.tsv"), find_column(["PRC", "FP", "PRC"], "PRC#2", "a.tsv")
    (1, 2)
    """
    places = [index for index, name in enumerate(names) if name == column]
    if len(places) == 1:
        return places[0]
    if len(places) > 1:
        raise TableError(
            f"{source}: column {column!r} occurs {len(places)} times; ask for one of them as {column}#1 to "
            f"{column}#{len(places)} (rois: column)"
        )
    return _find_numbered(names, column, source)


def _find_numbered(names: Sequence[str], column: str, source: str) -> int:
    numbered = _NUMBERED.match(column)
    places = [index for index, name in enumerate(names) if numbered and name == numbered[1]]
    if numbered and len(places) >= int(numbered[2]):
        return places[int(numbered[2]) - 1]
    if places and numbered:
        raise TableError(
            f"{source}: column {numbered[1]!r} occurs {len(places)} times; {column!r} asked for "
            "(rois: column)"
        )
    near = difflib.get_close_matches(column, names, n=_SHOWN_NAMES, cutoff=0.5) or list(names[:_SHOWN_NAMES])
    raise TableError(
        f"{source}: no column {column!r} among {len(names)}; there are {', '.join(near)} ... (rois: column)"
    )
