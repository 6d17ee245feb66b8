"""Tables as others publish them, read as text whatever wrote them: quotes, encodings, line ends, delimiters."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsconn.errors import TableError, describe_unreadable, is_pointer


@dataclass(frozen=True)
class PublishedTable:
    """Text columns of a table.

    Attributes
    ----------
    path : Path
        Where it was read.
    columns : dict of str to list of str
        Stripped cells by column name, in file order.
    lines : tuple of int
        Line of the file on which each row starts, counted from 1.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: tuple[int, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows below the header."""
        return len(self.lines)


def read_published_table(path: Path) -> PublishedTable:
    """Read a table of text cells, tab-separated or, if the header has no tab, by semicolons or commas.

    Quotes are honoured where the plain lines do not fit the header (a tab or a line break inside quotes), so
    that a lone quotation mark in a free text swallows no row.

    Raises
    ------
    TableError
        The file is missing, empty, not UTF-8, a spreadsheet, has a column name twice, or a row with another
        number of cells than the header.
    """
    text = _read_text(path)
    delimiter = _find_delimiter(text.partition("\n")[0])
    rows = [
        (number, line.split(delimiter)) for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]
    if delimiter != "\t" or not _fit(rows):
        rows = _read_quoted(text, delimiter, path)
    if not rows:
        raise TableError(f"{path}: the table is empty; a header line was needed")
    header = _read_header([_unquote(cell) for cell in rows[0][1]], path)
    body = [_fit_row(row, len(header), path, line) for line, row in rows[1:]]
    columns = {name: [_unquote(row[index]) for row in body] for index, name in enumerate(header)}
    return PublishedTable(path, columns, tuple(line for line, _ in rows[1:]))


def read_numbers(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Read a table of numbers, whoever wrote it.

    Returns
    -------
    names : tuple of str
        Column names; names may occur twice (parcellated input is checked by its reader).
    values : float64 array (n_rows, n_columns)
        ``n/a`` becomes NaN.

    Raises
    ------
    TableError
        If a cell is neither a number nor ``n/a``, a row has another number of cells than the header, or there is
        no header; the line is named.
    """
    text = _read_text(path)
    delimiter = _find_delimiter(text.partition("\n")[0])
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise TableError(f"{path}: the table is empty; a header line was needed")
    header = lines[0][1].split(delimiter)
    surplus = len(header) - len(_drop_empty_end(header))
    names = tuple(_unquote(name) for name in _drop_empty_end(header))
    _check_names(path, names)
    rows = [_read_row(line.split(delimiter), len(names), surplus, path, number) for number, line in lines[1:]]
    return names, np.array(rows, dtype=float) if rows else np.empty((0, len(names)))


def _check_names(path: Path, names: Sequence[str]) -> None:
    # regions may be called 1, 2, 3
    if all(map(is_number_text, names)) and not all(name.isdigit() for name in names):
        raise TableError(
            f"{path}: the first line is numbers ({names[0]} ...); a header with column names was needed"
        )


def _read_row(cells: Sequence[str], width: int, surplus: int, path: Path, line: int) -> list[float]:
    """Read a row of numbers; as many empty cells may follow as in the header."""
    if len(cells) not in {width, width + surplus} or any(cell.strip() for cell in cells[width:]):
        raise TableError(f"{path}: line {line} has {len(cells)} cells, the header has {width}")
    try:
        return [math.nan if cell in _NO_NUMBER else float(cell) for cell in cells[:width]]
    except ValueError:
        return [_read_number(cell, path, line) for cell in cells[:width]]


_NO_NUMBER = frozenset({"n/a", ""})


def _read_number(cell: str, path: Path, line: int) -> float:
    text = _unquote(cell)
    if text.lower() in {"", "n/a", "na", "nan"}:
        return math.nan
    if not is_number_text(text) or "_" in text:
        raise TableError(f"{path}: line {line}: {text[:40]!r} found; numbers or n/a were needed")
    return float(text)


def is_number_text(text: str) -> bool:
    """Say whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{describe_unreadable(path, error)}; a tab-separated table was needed") from None
    if is_pointer(path):
        raise TableError(describe_unreadable(path))
    if content[:4] in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"}:
        raise TableError(f"{path}: this is a spreadsheet; save it as tab-separated text (.tsv)")
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TableError(f"{path}: line {line} is not UTF-8 text; save the table as UTF-8") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise TableError(
            f"{path}: line {line} has NUL bytes; the file is damaged, or UTF-16: save it as UTF-8"
        )
    return text


def _find_delimiter(header: str) -> str:
    if "\t" in header:
        return "\t"
    return max(";,", key=header.count) if any(mark in header for mark in ";,") else "\t"


def _read_quoted(text: str, delimiter: str, path: Path) -> list[tuple[int, list[str]]]:
    """Split rows whose cells may be quoted; a quotation mark that swallows other rows is refused."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, start = [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((start, row))
            start = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"{path}: line {start}: {error}; are the quotation marks balanced?") from None
    shapes = {_shape(row[0]) for _, row in rows if row and "\n" not in row[0]}
    for line, row in rows:
        if any(_swallows(cell, delimiter, shapes) for cell in row):
            end = line + sum(cell.count("\n") for cell in row)
            raise TableError(
                f"{path}: line {line}: a quotation mark opens a cell that goes on to line {end}, over whole rows; "
                "close or remove it"
            )
    return rows


def _swallows(cell: str, delimiter: str, shapes: set[str]) -> bool:
    """Say whether some later line of a cell starts as the table's rows do."""
    lines = [line for line in cell.split("\n")[1:] if delimiter in line]
    return bool(lines) and (
        delimiter == "\t" or any(_shape(line.split(delimiter)[0]) in shapes for line in lines)
    )


def _shape(cell: str) -> str:
    """Return a cell with every digit as 0, so that ids of one kind are alike."""
    return re.sub(r"\d+", "0", cell.strip())


def _fit(rows: Sequence[tuple[int, Sequence[str]]]) -> bool:
    width = len(_drop_empty_end(rows[0][1])) if rows else 0
    return all(len(row) >= width and not any(cell.strip() for cell in row[width:]) for _, row in rows)


def _drop_empty_end(cells: Sequence[str]) -> list[str]:
    kept = list(cells)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _read_header(cells: Sequence[str], path: Path) -> list[str]:
    header = _drop_empty_end(cells)
    for name in header:
        if header.count(name) > 1:
            found = f"column {name!r} occurs twice" if name else "two columns have no name"
            raise TableError(f"{path}: {found}; column names must differ")
    return header


def _fit_row(row: Sequence[str], width: int, path: Path, line: int) -> Sequence[str]:
    if len(row) < width or any(cell.strip() for cell in row[width:]):
        raise TableError(f"{path}: line {line} has {len(row)} cells, the header has {width}")
    return row


def _unquote(cell: str) -> str:
    cell = cell.strip()
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        cell = cell[1:-1].replace('""', '"').strip()
    return cell
