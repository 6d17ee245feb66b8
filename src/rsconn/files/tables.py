"""Tab-separated tables as BIDS has them: a header, ``n/a`` for missing, 17 digits for floats.

rsconn's own tables know no quotes: a line is a row, a tab parts cells, and a text gives up its line breaks and
tabs when it is written (`write_tsv`, `read_tsv`). Tables of others are for `rsconn.published_tables`.

No pandas here: the per-run jobs read and write tables too, and start in a fraction of its import time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.errors import TableError
from rsconn.files.writing import write_text
from rsconn.published_tables import is_number_text

MISSING = "n/a"
# What ends a line or a cell in some program; NUL ends a text in others.
_BREAKS = re.compile(r"\r\n|[\t\n\r\v\f\x00\x1c-\x1e\x85\u2028\u2029]")
# A spreadsheet runs such a text as a formula; an apostrophe before it makes it text there.
_FORMULA = re.compile(r"""'*["\s]*[=+@-]""")


def format_cell(value: Any) -> str:
    r"""Format one cell: missing as ``n/a``, floats so that they read back exactly, text on one line.

    A text that a spreadsheet would run (``=cmd``) gets an apostrophe before it, which `read_tsv` takes away.

    Examples
    --------
    >>> [format_cell(value) for value in (None, float("nan"), 0.1, 3, True, "x")]
    ['n/a', 'n/a', '0.10000000000000001', '3', 'true', 'x']
    >>> [format_cell(value) for value in ("two\r\nlines", "=cmd", "-1", " ")]
    ['two lines', "'=cmd", '-1', 'n/a']
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
    return _format_text(str(value))


def _format_text(text: str) -> str:
    line = _BREAKS.sub(" ", text)
    if not line.strip():
        return MISSING
    return f"'{line}" if _FORMULA.match(line) and not is_number_text(line) else line


def _parse_text(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


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
    rows = ["\t".join(map(format_cell, columns))]
    rows.extend("\t".join(format_cell(value) for value in row) for row in zip(*columns.values(), strict=True))
    write_text(path, "\n".join(rows) + "\n")


def read_tsv(path: Path) -> dict[str, list[str]]:
    """Read a table that rsconn wrote as text columns.

    Returns
    -------
    dict of str to list of str
        Header to cells, in file order; nothing is converted. A table without columns gives an empty dict.

    Raises
    ------
    TableError
        If the file is empty, cut short, not UTF-8, has a column name twice, or a row with another number of cells.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not UTF-8 text from byte {error.start} on; the table is damaged") from None
    if not text:
        raise TableError(f"{path}: the table is empty; a header line was needed")
    if not text.endswith("\n"):
        raise TableError(f"{path}: the last line has no end; the table was cut short")
    header, *rows = [line.removesuffix("\r").split("\t") for line in text[:-1].split("\n")]
    names = [_parse_text(name) for name in header]
    if names == [""] and not rows:
        return {}
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{path}: column {twice[0]!r} occurs twice; column names must differ")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(names):
            raise TableError(f"{path}: line {number} has {len(row)} cells, the header has {len(names)}")
    return {name: [_parse_text(row[index]) for row in rows] for index, name in enumerate(names)}
