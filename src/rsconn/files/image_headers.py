"""Read what a NIfTI header says, and refuse a header that cannot be true.

Only the standard library and numpy: importing nibabel costs more than reading a run's header.
The meaning of the fields is that of the NIfTI-1 and NIfTI-2 standards (nifti.nimh.nih.gov).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError, describe_unreadable, is_pointer


@dataclass(frozen=True)
class ImageHeader:
    """What is needed to stream an image: where the voxels are, what they mean, and where they lie.

    Attributes
    ----------
    path : Path
        The image file, `.nii` or `.nii.gz`.
    shape : tuple of int
        Voxels along x, y and z. A volume in file order is flat with x fastest.
    n_volumes : int
        Length of the fourth dimension, 1 for a 3-D image.
    dtype : numpy.dtype
        Stored type with its byte order.
    slope, intercept : float
        Image value = slope * stored value + intercept.
    affine : ndarray of shape (4, 4), float64
        Voxel indices to millimetres: the sform if its code is set, else the qform.
    t_r : float
        Header's time step in seconds; 0 where the writer left it out, NaN if it is not a number.
    data_offset : int
        Bytes before the first voxel.
    """

    path: Path
    shape: tuple[int, int, int]
    n_volumes: int
    dtype: np.dtype[np.generic]
    slope: float
    intercept: float
    affine: NDArray[np.float64]
    t_r: float
    data_offset: int

    @property
    def n_voxels(self) -> int:
        """Voxels in one volume."""
        return math.prod(self.shape)


class _Layout(NamedTuple):
    """Byte offsets and struct codes of one NIfTI version."""

    size: int
    magic: tuple[int, bytes, bytes]
    datatype: int
    dim: tuple[int, str]
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]
    scaling: tuple[int, str]
    units: tuple[int, str]
    codes: tuple[int, str]
    quatern: tuple[int, str]
    sform: tuple[int, str]


_LAYOUTS = (
    _Layout(348, (344, b"n+1\0", b"ni1\0"), 70, (40, "8h"), (76, "8f"), (108, "f"), (112, "2f"), (123, "b"),
            (252, "2h"), (256, "6f"), (280, "12f")),
    _Layout(540, (4, b"n+2\0", b"ni2\0"), 12, (16, "8q"), (104, "8d"), (168, "q"), (176, "2d"), (500, "i"),
            (344, "2i"), (352, "6d"), (400, "12d")),
)  # fmt: skip
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_SECONDS = {0: 1.0, 8: 1.0, 16: 1e-3, 24: 1e-6}


def read_header(path: Path) -> ImageHeader:
    """Read the header of a `.nii` or `.nii.gz` image, NIfTI-1 or NIfTI-2, either byte order.

    Raises
    ------
    RunError
        The file is missing or not a single-file NIfTI, or its dimensions, data type, scaling, affine or start of the
        data are impossible, or more than a file of this size can hold.
    """
    raw = _read_start(path)
    layout, order = _find_layout(path, raw)
    shape, n_volumes = _parse_dimensions(path, _unpack(raw, order, layout.dim))
    slope, intercept = parse_scaling(path, *_unpack(raw, order, layout.scaling))
    pixdim = _unpack(raw, order, layout.pixdim)
    header = ImageHeader(
        path=path,
        shape=shape,
        n_volumes=n_volumes,
        dtype=parse_dtype(path, _unpack(raw, order, (layout.datatype, "h"))[0], order),
        slope=slope,
        intercept=intercept,
        affine=_parse_affine(path, raw, order, layout),
        t_r=_parse_t_r(pixdim[4], int(_unpack(raw, order, layout.units)[0])),
        data_offset=_parse_offset(path, _unpack(raw, order, layout.vox_offset)[0], layout),
    )
    _check_extent(header)
    return header


# What deflate can at most make of a byte.
_LARGEST_RATIO = 1032
# 645 x 645 x 645: four times the finest image of a whole brain.
LARGEST_VOLUME = 1 << 28


def _parse_offset(path: Path, offset: float, layout: _Layout) -> int:
    least = layout.size + 4  # four bytes say whether extensions follow the header
    if not math.isfinite(offset) or offset != int(offset) or offset < least:
        raise RunError(
            f"{path}: vox_offset is {offset:g}, the data of a single file start at byte {least} or later; mend the "
            "header"
        )
    return int(offset)


def _check_extent(header: ImageHeader) -> None:
    """Refuse what the file cannot hold, before anything of that size is allocated."""
    if header.n_voxels > LARGEST_VOLUME:
        raise RunError(
            f"{header.path}: the header announces {header.n_voxels:.3g} voxels per volume, no brain image has as many; "
            "mend it"
        )
    size = header.path.stat().st_size * (_LARGEST_RATIO if is_compressed(header.path) else 1)
    volume_bytes = header.n_voxels * header.dtype.itemsize
    if header.data_offset > size:
        raise RunError(
            f"{header.path}: vox_offset is {header.data_offset}, beyond the end of the file; mend the header"
        )
    if header.data_offset + header.n_volumes * volume_bytes > size:
        raise make_truncation_error(header, (size - header.data_offset) // volume_bytes)


def is_compressed(path: Path) -> bool:
    """Say by its first bytes whether a file is compressed by gzip."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def make_truncation_error(header: ImageHeader, index: int) -> RunError:
    """Return the error of data that end inside a volume, counted from 0."""
    return RunError(
        f"{header.path}: the data end inside volume {index + 1} of {header.n_volumes}; fetch the file again"
    )


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if file.read(2) != b"\x1f\x8b":
                file.seek(0)
                return file.read(540)
        with gzip.open(path) as compressed:
            return compressed.read(540)
    except (OSError, EOFError, zlib.error) as problem:
        if getattr(problem, "errno", None):  # the system's, not the decompressor's
            raise RunError(describe_unreadable(path, problem)) from None
        raise RunError(f"{path}: the header cannot be read ({problem}); fetch the file again") from None


def _unpack(raw: bytes, order: str, field: tuple[int, str]) -> tuple[float, ...]:
    offset, code = field
    return struct.unpack_from(order + code, raw, offset)


def _find_layout(path: Path, raw: bytes) -> tuple[_Layout, str]:
    for layout in _LAYOUTS:
        for order in "<>":
            if len(raw) >= layout.size and struct.unpack_from(order + "i", raw)[0] == layout.size:
                offset, single, pair = layout.magic
                magic = raw[offset : offset + 4]
                if magic == pair:
                    raise RunError(f"{path}: a .hdr/.img pair, a single .nii or .nii.gz file is needed")
                if magic == single:
                    return layout, order
    if is_pointer(path):
        raise RunError(describe_unreadable(path))
    raise RunError(f"{path}: not a NIfTI image (or cut off inside its header); .nii or .nii.gz is needed")


def _parse_dimensions(path: Path, dim: tuple[float, ...]) -> tuple[tuple[int, int, int], int]:
    n_dim, *sizes = (int(value) for value in dim)
    sizes = [*sizes[:n_dim], *[1] * (7 - n_dim)] if n_dim in (3, 4, 5, 6, 7) else []
    if not sizes or min(sizes) < 1 or max(sizes[4:]) > 1:
        remedy = "; write it anew with time as the fourth dimension" if max(sizes[4:], default=0) > 1 else ""
        raise RunError(
            f"{path}: header dimensions {[int(v) for v in dim]} describe no 3-D or 4-D image{remedy}"
        )
    return (sizes[0], sizes[1], sizes[2]), sizes[3]


def parse_dtype(path: Path, code: float, order: str) -> np.dtype[np.generic]:
    """Return the numpy type of a NIfTI data type; a RunError if it is no real number type."""
    if code not in _DTYPES:
        raise RunError(
            f"{path}: NIfTI data type {int(code)} is no real number type of at most 64 bits; an integer or float "
            "image is needed"
        )
    return np.dtype(order + _DTYPES[int(code)])


def parse_scaling(path: Path, slope: float, intercept: float) -> tuple[float, float]:
    """Return slope and intercept as they apply; a RunError if they contradict each other."""
    # The standard: a slope of 0 (by custom, a non-finite one too) means "not scaled", whatever the intercept.
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    if not math.isfinite(intercept):
        raise RunError(f"{path}: scl_slope is {slope:g} but scl_inter is {intercept}, a number is needed")
    return float(slope), float(intercept)


def _parse_t_r(step: float, units: int) -> float:
    return step * _SECONDS.get(units & 0x38, 1.0) if math.isfinite(step) else math.nan


def _parse_affine(path: Path, raw: bytes, order: str, layout: _Layout) -> NDArray[np.float64]:
    q_code, s_code = _unpack(raw, order, layout.codes)
    sform = np.array([*_unpack(raw, order, layout.sform), 0, 0, 0, 1.0]).reshape(4, 4)
    if q_code <= 0 and s_code <= 0:
        raise RunError(f"{path}: neither sform nor qform is set, so no voxel has a place in millimetres")
    if s_code > 0:
        check_affine(path, "sform", sform)
    if s_code <= 0 or s_code == q_code:
        qform = _make_qform(_unpack(raw, order, layout.pixdim), _unpack(raw, order, layout.quatern))
        if s_code <= 0:
            return check_affine(path, "qform", qform)
        _check_agreement(path, sform, qform, _unpack(raw, order, layout.dim)[1:4])
    return sform


def _make_qform(pixdim: tuple[float, ...], quatern: tuple[float, ...]) -> NDArray[np.float64]:
    b, c, d = quatern[:3]
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])  # fmt: skip
    handedness = -1.0 if pixdim[0] < 0 else 1.0
    affine = np.eye(4)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is told by whoever needs it
        affine[:3, :3] = rotation * (pixdim[1], pixdim[2], handedness * pixdim[3])
    affine[:3, 3] = quatern[3:]
    return affine


_FARTHEST_MM = 1e5


def check_affine(path: Path, name: str, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an affine as it stands; a RunError if it is not finite, singular or in no millimetres."""
    if not np.isfinite(affine).all():
        raise RunError(f"{path}: the {name} affine holds NaN or infinity, finite millimetres are needed")
    if abs(affine).max() > _FARTHEST_MM:
        raise RunError(f"{path}: the {name} affine holds {abs(affine).max():.3g}, millimetres are needed")
    if abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        raise RunError(f"{path}: the {name} affine is singular, its voxels have no volume")
    return affine


def _check_agreement(
    path: Path, sform: NDArray[np.float64], qform: NDArray[np.float64], shape: tuple[float, ...]
) -> None:
    """Refuse two affines that claim the same space and put a corner more than half a voxel apart."""
    if not np.isfinite(qform).all() or abs(qform).max() > _FARTHEST_MM or np.linalg.det(qform[:3, :3]) == 0:
        return
    corners = np.array([[x, y, z, 1] for x in (0, shape[0]) for y in (0, shape[1]) for z in (0, shape[2])]).T
    apart = np.linalg.norm(((sform - qform) @ corners)[:3], axis=0).max()
    if apart > 0.5 * np.linalg.norm(sform[:3, :3], axis=0).min():
        raise RunError(
            f"{path}: sform and qform name the same space and differ by {apart:.1f} mm; mend the header"
        )
