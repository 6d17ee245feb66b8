"""Tab-separated tables as BIDS has them: a header, ``n/a`` for missing, 17 digits for floats.

No pandas here: the per-run jobs read and write tables too, and start in a fraction of its import time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.errors import TableError
from rsconn.files.writing import write_text

MISSING = "n/a"


def format_cell(value: Any) -> str:
    """Format one cell: missing as ``n/a``, floats so that they read back exactly.

    Examples
    --------
    >>> [format_cell(value) for value in (None, float("nan"), 0.1, 3, True, "x")]
    ['n/a', 'n/a', '0.10000000000000001', '3', 'true', 'x']
    """
    if value is None:
        return MISSING
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f"{number:.17g}" if math.isfinite(number) else MISSING
    return str(value).replace("\t", " ").replace("\n", " ") or MISSING


def write_tsv(path: Path, columns: Mapping[str, Sequence[Any] | np.ndarray]) -> None:
    """Write columns of equal length as a tab-separated table.

    Raises
    ------
    ValueError
        If the columns differ in length.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"{path}: columns differ in length: {sorted(lengths)}")
    rows = ["\t".join(columns)]
    rows.extend("\t".join(format_cell(value) for value in row) for row in zip(*columns.values(), strict=True))
    write_text(path, "\n".join(rows) + "\n")


def read_tsv(path: Path) -> dict[str, list[str]]:
    """Read a tab-separated table as text columns.

    Returns
    -------
    dict of str to list of str
        Header to cells, in file order; nothing is converted.

    Raises
    ------
    TableError
        If the file is empty, a column name occurs twice, or a row has another number of cells.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if not lines:
        raise TableError(f"{path}: the table is empty; a header line was needed")
    header = lines[0].split("\t")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TableError(f"{path}: column {twice[0]!r} occurs twice; column names must differ")
    rows = [line.split("\t") for line in lines[1:] if line.strip()]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise TableError(f"{path}: line {number} has {len(row)} cells, the header has {len(header)}")
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def read_numbers(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a table of numbers.

    Returns
    -------
    names : tuple of str
        Column names; unlike `read_tsv`, names may occur twice (parcellated input is checked by its reader).
    values : float64 array (n_rows, n_columns)
        ``n/a`` becomes NaN.

    Raises
    ------
    TableError
        If a cell is neither a number nor ``n/a``.
    """
    with path.open(encoding="utf-8-sig") as stream:
        names = tuple(stream.readline().rstrip("\r\n").split("\t"))
        rows = [line.rstrip("\r\n").split("\t") for line in stream if line.strip()]
    try:
        values = np.array(
            [[math.nan if cell in {MISSING, ""} else float(cell) for cell in row] for row in rows],
            dtype=float,
        )
    except ValueError as error:
        raise TableError(f"{path}: {error}; numbers or n/a were needed") from None
    return names, values.reshape(len(rows), -1) if rows else np.empty((0, len(names)))
