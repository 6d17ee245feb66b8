"""Write a map of one value per grayordinate as a dense scalar file, with the brain models of a run's series."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsconn.files.cifti import DenseHeader
from rsconn.files.writing import replace_file

_HEADER_BYTES, _FLOAT32, _DENSE_SCALAR, _CIFTI_CODE = 540, 16, 3006, 32


def write_dense_map(path: Path, values: NDArray[np.float32], name: str, header: DenseHeader) -> None:
    """Write one value per grayordinate (n,) as float32 ``*.dscalar.nii``.

    Parameters
    ----------
    path : Path
        Where it goes.
    values : ndarray of shape (n_grayordinates,), float32
        NaN where there is no value.
    name : str
        Of the map, inside the file.
    header : DenseHeader
        Of the series that the map was made from.
    """
    extension = _make_extension(_make_xml(name, header))
    offset = _HEADER_BYTES + len(extension)
    with replace_file(path) as temporary:
        temporary.write_bytes(
            _make_header(header.n_voxels, offset) + extension + values.astype("<f4").tobytes()
        )


def _make_xml(name: str, header: DenseHeader) -> bytes:
    root = ET.Element("CIFTI", Version="2")
    matrix = ET.SubElement(root, "Matrix")
    along = ET.SubElement(
        matrix,
        "MatrixIndicesMap",
        AppliesToMatrixDimension="0",
        IndicesMapToDataType="CIFTI_INDEX_TYPE_SCALARS",
    )
    ET.SubElement(ET.SubElement(along, "NamedMap"), "MapName").text = name
    models = ET.fromstring(header.models.xml)  # noqa: S314 - made by parse_models, which had no entities
    models.set("AppliesToMatrixDimension", "1")
    matrix.append(models)
    content: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + content


def _make_extension(xml: bytes) -> bytes:
    size = -(-(len(xml) + 8) // 16) * 16  # the standard wants whole sixteens
    return struct.pack("<4b2i", 1, 0, 0, 0, size, _CIFTI_CODE) + xml.ljust(size - 8, b"\0")


def _make_header(n_grayordinates: int, offset: int) -> bytes:
    raw = bytearray(_HEADER_BYTES)
    struct.pack_into("<i8s2h", raw, 0, _HEADER_BYTES, b"n+2\0\r\n\x1a\n", _FLOAT32, 32)
    struct.pack_into("<8q", raw, 16, 6, 1, 1, 1, 1, 1, n_grayordinates, 1)
    struct.pack_into("<8d", raw, 104, *[1.0] * 8)
    struct.pack_into("<q2d", raw, 168, offset, 1.0, 0.0)
    struct.pack_into("<i16s", raw, 504, _DENSE_SCALAR, b"ConnDenseScalar")
    return bytes(raw)
