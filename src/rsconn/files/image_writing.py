"""Write a map of one value per voxel as a compressed NIfTI-1 image on a run's grid."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsconn.files.image_headers import ImageHeader
from rsconn.files.writing import replace_file

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
