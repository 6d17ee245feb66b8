"""Tables that name an atlas's labels, as BIDS, FreeSurfer and FSL write them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from rsconn.errors import TableError
from rsconn.published_tables import read_published_table

# What the column of the label's number is called, in lower case.
_NUMBER_COLUMNS = ("index", "label", "value", "no.", "id")
# FreeSurfer: number, name, red, green, blue, transparency, parted by blanks.
_LUT_ROW = re.compile(r"\s*(-?\d+)\s+(\S+)\s+\d+\s+\d+\s+\d+(\s+\d+)?\s*")


def read_label_table(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    """Return each label's number and the texts that name it.

    Parameters
    ----------
    path : Path
        Table with a header and a column of numbers (``index``), FreeSurfer's colour table, or FSL's XML, whose
        ``index`` counts from 0 where the image counts from 1.

    Raises
    ------
    TableError
        If it is none of these, or a number is not a whole one.
    """
    content = path.read_bytes()[:100_000] if path.is_file() else b""
    if content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return _read_xml(path)
    rows = _read_colours(content.decode("latin-1"))
    return rows or _read_columns(path)


def _read_colours(text: str) -> list[tuple[int, tuple[str, ...]]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found = [_LUT_ROW.fullmatch(line) for line in lines]
    return [(int(row[1]), (row[2],)) for row in found if row] if lines and all(found) else []


def _read_xml(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    content = path.read_bytes()
    if b"<!ENTITY" in content or b"<!DOCTYPE" in content:
        raise TableError(
            f"{path}: XML with entities, which are not read; a table with a column 'index' needed"
        )
    try:
        labels = list(ET.fromstring(content).iter("label"))  # noqa: S314 - no entities, refused above
        # index 0 is the image's 1, because 0 is the background there
        rows: list[tuple[int, tuple[str, ...]]] = [
            (int(label.attrib["index"]) + 1, ((label.text or "").strip(),)) for label in labels
        ]
    except (ET.ParseError, ValueError, KeyError, LookupError) as error:
        raise TableError(
            f"{path}: not FSL's list of labels: {error}; label elements with an index needed"
        ) from None
    if not rows:
        raise TableError(f"{path}: XML without label elements; FSL's list of labels, or a table, needed")
    return rows


def _read_columns(path: Path) -> list[tuple[int, tuple[str, ...]]]:
    table = read_published_table(path)
    names = {name.lower(): name for name in table.columns}
    column = next((names[name] for name in _NUMBER_COLUMNS if name in names), None)
    if column is None:
        raise TableError(
            f"{path}: no column 'index', the label's number is needed; found {', '.join(list(names)[:6])}"
        )
    texts = [cells for name, cells in table.columns.items() if name != column]
    numbers = [
        _read_number(cell, path, line) for cell, line in zip(table.columns[column], table.lines, strict=True)
    ]
    return [(number, tuple(cells[row] for cells in texts)) for row, number in enumerate(numbers)]


def _read_number(cell: str, path: Path, line: int) -> int:
    if not re.fullmatch(r"[+-]?\d{1,18}(\.0*)?", cell):
        raise TableError(f"{path}: line {line}: {cell!r} found; a whole number was needed")
    return int(cell.partition(".")[0])
