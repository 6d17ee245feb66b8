"""Tables as laboratories publish them: quotes, stray tabs, byte order marks, commas or semicolons."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsconn.errors import TableError


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
        rows = _read_quoted(text, delimiter)
    if not rows:
        raise TableError(f"{path}: the table is empty; a header line was needed")
    header = _read_header([_unquote(cell) for cell in rows[0][1]], path)
    body = [_fit_row(row, len(header), path, line) for line, row in rows[1:]]
    columns = {name: [_unquote(row[index]) for row in body] for index, name in enumerate(header)}
    return PublishedTable(path, columns, tuple(line for line, _ in rows[1:]))


def _read_text(path: Path) -> str:
    if not path.is_file():
        raise TableError(f"{path}: no such file; a tab-separated table was needed")
    content = path.read_bytes()
    if content[:4] in {b"PK\x03\x04", b"\xd0\xcf\x11\xe0"}:
        raise TableError(f"{path}: this is a spreadsheet; save it as tab-separated text (.tsv)")
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TableError(f"{path}: line {line} is not UTF-8 text; save the table as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _find_delimiter(header: str) -> str:
    if "\t" in header:
        return "\t"
    return max(";,", key=header.count) if any(mark in header for mark in ";,") else "\t"


def _read_quoted(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, start = [], 1
    for row in reader:
        if any(cell.strip() for cell in row):
            rows.append((start, row))
        start = reader.line_num + 1
    return rows


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
