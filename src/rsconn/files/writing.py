"""Write files whole or not at all: a temporary name first, renamed when complete."""

from __future__ import annotations

import gzip
import json
import os
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.files.cifti import DenseHeader
from rsconn.files.image_headers import ImageHeader


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well.

    The temporary name keeps the extension, which some writers read. A reader never sees half a file, and a
    job that is killed leaves the old file in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys and a final newline, so equal content gives equal bytes; NaN is refused."""
    write_text(
        path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    )


_FLOAT32, _MNI, _MILLIMETRES = 16, 4, 2
_DATA_OFFSET = 352
_LEVEL = 1  # noise does not compress: higher levels cost time for nothing


def write_map(
    path: Path,
    values: NDArray[np.float32],
    voxels: NDArray[np.intp],
    header: ImageHeader,
    *,
    space_code: int = _MNI,
) -> None:
    """Write values (n_voxels,) at flat voxel indices as a float32 image `.nii.gz`, 0 elsewhere.

    The grid is that of `header`. No time stamp is written, so that equal maps give equal bytes.
    """
    volume = np.zeros(header.n_voxels, "<f4")
    volume[voxels] = values
    content = _make_header(header, space_code) + volume.tobytes()
    with replace_file(path) as temporary:
        temporary.write_bytes(gzip.compress(content, _LEVEL, mtime=0))


def _make_header(header: ImageHeader, space_code: int) -> bytes:
    affine = header.affine
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    raw = bytearray(_DATA_OFFSET)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, 3, *header.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", raw, 70, _FLOAT32, 32)
    struct.pack_into("<8f", raw, 76, 1.0, *sizes, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", raw, 108, _DATA_OFFSET, 1.0, 0.0)
    struct.pack_into("<b", raw, 123, _MILLIMETRES)
    # The sform alone: a qform cannot hold a sheared affine.
    struct.pack_into("<2h", raw, 252, 0, space_code)
    struct.pack_into("<12f", raw, 280, *affine[:3].ravel())
    struct.pack_into("<4s", raw, 344, b"n+1\0")
    return bytes(raw)


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
            _make_dense_header(header.n_voxels, offset) + extension + values.astype("<f4").tobytes()
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


def _make_dense_header(n_grayordinates: int, offset: int) -> bytes:
    raw = bytearray(_HEADER_BYTES)
    struct.pack_into("<i8s2h", raw, 0, _HEADER_BYTES, b"n+2\0\r\n\x1a\n", _FLOAT32, 32)
    struct.pack_into("<8q", raw, 16, 6, 1, 1, 1, 1, 1, n_grayordinates, 1)
    struct.pack_into("<8d", raw, 104, *[1.0] * 8)
    struct.pack_into("<q2d", raw, 168, offset, 1.0, 0.0)
    struct.pack_into("<i16s", raw, 504, _DENSE_SCALAR, b"ConnDenseScalar")
    return bytes(raw)
