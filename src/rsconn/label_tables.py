"""Tables that name an atlas's labels, as BIDS, FreeSurfer and FSL write them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rsconn.errors import TableError
from rsconn.published_tables import read_published_table

# What the column of the label's number is called, in lower case.
_NUMBER_COLUMNS = ("index", "label", "value", "no.", "id")
# FreeSurfer: number, name, red, green, blue, transparency, parted by blanks.
_LUT_ROW = re.compile(r"\s*(-?\d+)\s+(\S+)\s+\d+\s+\d+\s+\d+(\s+\d+)?\s*")


# Columns in which a table says what a label is called, and what it belongs to, in lower case and in this order.
_NAME_COLUMNS = ("name", "label", "labels", "region", "roi", "roi name", "abbreviation")
_NETWORK_COLUMNS = ("network", "networks", "network_label", "module", "modules", "system")
_SIDE_COLUMNS = ("hemisphere", "hemi", "side")
# Schaefer's and Yeo's names: 7Networks_LH_Default_PFC_1.
_PARTS = re.compile(r"(?P<set>\d+Networks_)?(?P<side>LH|RH)_(?P<network>[A-Za-z]+)(?=_|$)")


@dataclass(frozen=True)
class LabelRow:
    """One label of an atlas.

    Attributes
    ----------
    number : int
        Its value in the image.
    texts : tuple of str
        Everything that names it in the table.
    name : str
        What it is called, without a prefix that all labels of the atlas share (``7Networks_``).
    network, hemisphere : str
        What it belongs to; empty where the table and the name do not say.
    """

    number: int
    texts: tuple[str, ...]
    name: str
    network: str = ""
    hemisphere: str = ""


def read_labels(path: Path) -> list[LabelRow]:
    """Return the labels of a table as `read_label_table` reads it, with their networks and hemispheres.

    Raises
    ------
    TableError
        As `read_label_table`; or a label has no name.
    """
    content = path.read_bytes()[:100_000] if path.is_file() else b""
    plain = content.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") or bool(
        _read_colours(content.decode("latin-1"))
    )
    rows = read_label_table(path)
    columns = {} if plain else {name.lower(): name for name in read_published_table(path).columns}
    cells = {} if plain else read_published_table(path).columns
    names = _find_cells(columns, cells, _NAME_COLUMNS) or [texts[0] if texts else "" for _, texts in rows]
    networks = _find_cells(columns, cells, _NETWORK_COLUMNS) or [""] * len(rows)
    sides = _find_cells(columns, cells, _SIDE_COLUMNS) or [""] * len(rows)
    if "" in names:
        raise TableError(f"{path}: label {rows[names.index('')][0]} has no name; a column 'name' is needed")
    return [
        _make_label(number, texts, name, network, side)
        for (number, texts), name, network, side in zip(rows, names, networks, sides, strict=True)
    ]


def _find_cells(
    columns: Mapping[str, str], cells: Mapping[str, list[str]], wanted: Sequence[str]
) -> list[str] | None:
    # the number's column may be called label as well
    number = next((name for name in _NUMBER_COLUMNS if name in columns), "")
    found = next((columns[name] for name in wanted if name in columns and name != number), None)
    return None if found is None else cells[found]


def _make_label(number: int, texts: tuple[str, ...], name: str, network: str, side: str) -> LabelRow:
    parts = _PARTS.match(name)
    if parts is None:
        return LabelRow(number, texts, name, network, side)
    short = name.removeprefix(parts["set"] or "")
    return LabelRow(number, texts, short, network or parts["network"], side or parts["side"])


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
