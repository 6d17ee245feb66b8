"""Images: their header, their volumes one by one, and small ones (masks, atlases) as a whole.

Nothing here imports nibabel, so that the per-run path starts fast; nibabel is the oracle in the tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError
from rsconn.files.image_headers import ImageHeader, read_header
from rsconn.files.image_streams import stream_volumes

__all__ = ["ImageHeader", "check_same_grid", "read_header", "read_image", "read_mask", "stream_volumes"]


def read_image(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a small image whole: a mask, an atlas, a set of maps.

    Returns
    -------
    data : ndarray of shape (x, y, z) or (x, y, z, n_volumes), float64, Fortran order
        Image values, the header's scaling applied.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.

    Raises
    ------
    RunError
        The file is missing, no NIfTI image, truncated or corrupt.
    """
    header = read_header(path)
    data = np.empty((header.n_voxels, header.n_volumes), order="F")
    for index, volume in enumerate(stream_volumes(header)):
        data[:, index] = volume
    if (header.slope, header.intercept) != (1.0, 0.0):
        data *= header.slope
        data += header.intercept
    shape = header.shape if header.n_volumes == 1 else (*header.shape, header.n_volumes)
    return data.reshape(shape, order="F"), header.affine


def read_mask(path: Path, header: ImageHeader) -> NDArray[np.bool_]:
    """Read a run's brain mask as a flat bool array (n_voxels,) in file order; True = inside.

    Raises
    ------
    RunError
        The mask has another grid than the image, is not 3-D, or is empty.
    """
    mask_header = read_header(path)
    check_same_grid(mask_header, header)
    if mask_header.n_volumes != 1:
        raise RunError(f"{path}: a mask of {mask_header.n_volumes} volumes, one volume is needed")
    [mask] = [_find_nonzero(stored, mask_header) for stored in stream_volumes(mask_header)]
    if not mask.any():
        raise RunError(f"{path}: the mask is empty, no voxel is inside the brain")
    return mask


def _find_nonzero(stored: NDArray[Any], header: ImageHeader) -> NDArray[np.bool_]:
    """Return which image values are neither 0 nor NaN; without a copy of the volume where that is possible."""
    values = stored if header.intercept == 0 else header.slope * stored.astype(np.float64) + header.intercept
    return np.asarray((values != 0) & ~np.isnan(values))


def check_same_grid(one: ImageHeader, other: ImageHeader) -> None:
    """Raise a RunError unless two images have one grid: equal shape, corners within a tenth of a voxel."""
    if one.shape != other.shape:
        raise RunError(
            f"{one.path}: {one.shape} voxels, but {other.path.name} has {other.shape}; one grid is needed"
        )
    corners = np.array(
        [[x, y, z, 1] for x in (0, one.shape[0]) for y in (0, one.shape[1]) for z in (0, one.shape[2])]
    )
    apart = np.linalg.norm((one.affine - other.affine)[:3] @ corners.T, axis=0).max()
    if apart > 0.1 * np.linalg.norm(other.affine[:3, :3], axis=0).min():
        raise RunError(
            f"{one.path}: its voxels lie {apart:.1f} mm off those of {other.path.name}; one grid is needed"
        )
