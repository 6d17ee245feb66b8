"""Read the vertices of a surface (GIFTI, ``*.surf.gii``) with the standard library."""

from __future__ import annotations

import base64
import binascii
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError

_DTYPES = {"NIFTI_TYPE_FLOAT32": "f4", "NIFTI_TYPE_FLOAT64": "f8"}


def read_vertices(path: Path) -> NDArray[np.float64]:
    """Return the coordinates (n_vertices, 3) of a surface, mm.

    Raises
    ------
    RunError
        The file is missing, no GIFTI surface, or stored in a way that is not read here.
    """
    try:
        return _read_points(_parse(path.read_bytes()))
    except FileNotFoundError:
        raise RunError(f"{path}: no such surface file") from None
    except (ET.ParseError, KeyError, OSError, ValueError, binascii.Error, zlib.error) as problem:
        raise RunError(f"{path}: no surface that can be read ({problem}); a *.surf.gii is needed") from None


def _parse(content: bytes) -> ET.Element:
    # the document type of GIFTI declares no entities; ones that expand without end would
    if b"<!ENTITY" in content:
        raise ValueError("entities inside its XML, GIFTI has none")
    return ET.fromstring(content)  # noqa: S314 - no entities, see above


def _read_points(root: ET.Element) -> NDArray[np.float64]:
    for array in root.iter("DataArray"):
        if array.attrib.get("Intent") == "NIFTI_INTENT_POINTSET":
            return _decode(array)
    raise ValueError("it has no array of points")


def _decode(array: ET.Element) -> NDArray[np.float64]:
    facts = array.attrib
    text, encoding = array.findtext("Data") or "", facts["Encoding"]
    columns_first = facts.get("ArrayIndexingOrder") == "ColumnMajorOrder"
    if encoding == "ASCII":
        values = np.array(text.split(), dtype=np.float64)
    else:
        raw = base64.b64decode(text)
        if encoding == "GZipBase64Binary":
            raw = zlib.decompress(raw)
        elif encoding != "Base64Binary":
            raise ValueError(f"encoding {encoding}")
        byte_order = "<" if facts["Endian"] == "LittleEndian" else ">"
        values = np.frombuffer(raw, byte_order + _DTYPES[facts["DataType"]]).astype(np.float64)
    points = values.reshape((int(facts["Dim0"]), 3), order="F" if columns_first else "C")
    return np.ascontiguousarray(points)
