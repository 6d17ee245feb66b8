"""Write volumes as compressed NIfTI, fast: only voxels of the head carry data."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip

from rsconn.files.writing import replace_file
from rsconn.simulate.anatomy import Anatomy

MNI_CODE = 4  # NIFTI_XFORM_MNI_152


def write_bold(
    path: Path, image: np.ndarray, anatomy: Anatomy, *, t_r: float, slope: float, small: bool = False
) -> None:
    """Write a run as int16 with a slope, zero outside the head.

    Parameters
    ----------
    path : Path
        Ends in ``.nii.gz``.
    image : array (n_volumes, n_voxels)
        Voxels as in `anatomy.voxels`.
    anatomy : Anatomy
    t_r : float
        Repetition time in s.
    slope : float
        Image units per stored step.
    small : bool
        True compresses as well as gzip can, which is slow.
    """
    shape = (*anatomy.shape, len(image))
    header = _make_header(shape, anatomy.affine, np.dtype(np.int16), (*_get_zooms(anatomy.affine), t_r))
    header.set_slope_inter(slope, 0.0)
    _write_compressed(path, header, _store_volumes(image, anatomy, slope), small=small)


def write_mask(path: Path, mask: np.ndarray, anatomy: Anatomy) -> None:
    """Write a binary mask as uint8; `mask` is bool (n_voxels,)."""
    header = _make_header(anatomy.shape, anatomy.affine, np.dtype(np.uint8), _get_zooms(anatomy.affine))
    volume = np.zeros(int(np.prod(anatomy.shape)), dtype=np.uint8)
    volume[anatomy.voxels] = mask
    _write_compressed(path, header, iter([volume]), small=True)


def _store_volumes(image: np.ndarray, anatomy: Anatomy, slope: float) -> Iterator[np.ndarray]:
    volume = np.zeros(int(np.prod(anatomy.shape)), dtype=np.int16)
    limits = np.iinfo(np.int16)
    for row in image:
        volume[anatomy.voxels] = np.clip(np.rint(row / np.float32(slope)), limits.min, limits.max)
        yield volume


def _make_header(
    shape: tuple[int, ...], affine: np.ndarray, dtype: np.dtype, zooms: tuple[float, ...]
) -> nib.Nifti1Header:
    header = nib.Nifti1Header(endianness="<")
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header.set_zooms(zooms)
    header.set_xyzt_units("mm", "sec")
    header.set_qform(affine, code=MNI_CODE)
    header.set_sform(affine, code=MNI_CODE)
    header["descrip"] = b"SIMULATED by rsconn"
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return header


def _get_zooms(affine: np.ndarray) -> tuple[float, ...]:
    return tuple(float(size) for size in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))


def _write_compressed(
    path: Path, header: nib.Nifti1Header, volumes: Iterator[np.ndarray], *, small: bool
) -> None:
    # Level 1 of isal is three times faster than zlib-ng's on this data, and the file is smaller.
    writer, level = (gzip.GzipFile, 9) if small else (igzip.IGzipFile, 1)
    with (
        replace_file(path) as temporary,
        temporary.open("wb") as raw,
        # neither a time stamp nor a name in the gzip header: equal data give equal bytes
        writer(filename="", mode="wb", compresslevel=level, fileobj=raw, mtime=0) as stream,
    ):
        stream.write(header.binaryblock + bytes(4))
        for volume in volumes:
            stream.write(volume.data)
