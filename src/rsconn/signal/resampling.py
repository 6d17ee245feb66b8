"""Bring a mask, an atlas or a map onto an image's grid, once per grid and not once per volume.

Both images are taken to be in the same space: only the grids differ. As in nilearn's maskers, labels and
masks take the nearest voxel and maps are interpolated linearly. A point halfway between two voxels takes the
one of higher index, as `scipy.ndimage` does; coordinates are rounded to 1e-9 voxel first, so that a tie is a
tie on every machine.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray


def resample_nearest(
    data: NDArray[np.float64],
    affine: NDArray[np.float64],
    target_affine: NDArray[np.float64],
    target_shape: tuple[int, int, int],
) -> NDArray[np.float64]:
    """Return `data` (x, y, z) on another grid, each voxel taking the nearest one's value, 0 outside.

    Examples
    --------
    >>> data = np.array([[[1.0]], [[2.0]]])
    >>> resample_nearest(data, np.eye(4), np.diag([0.5, 1, 1, 1]), (4, 1, 1)).ravel().tolist()
    [1.0, 2.0, 2.0, 0.0]
    """
    indices = np.floor(_locate(affine, target_affine, target_shape) + 0.5).astype(np.intp)
    inside = _find_inside(indices, data.shape)
    result = np.zeros(indices.shape[1])
    result[inside] = data[tuple(indices[:, inside])]
    return result.reshape(target_shape)


def resample_linear(
    data: NDArray[np.float64],
    affine: NDArray[np.float64],
    target_affine: NDArray[np.float64],
    target_shape: tuple[int, int, int],
) -> NDArray[np.float64]:
    """Return `data` (x, y, z) on another grid by trilinear interpolation, 0 beyond the outer voxel centres.

    Examples
    --------
    >>> data = np.array([[[1.0]], [[2.0]]])
    >>> resample_linear(data, np.eye(4), np.diag([0.5, 1, 1, 1]), (4, 1, 1)).ravel().tolist()
    [1.0, 1.5, 2.0, 0.0]
    """
    places = _locate(affine, target_affine, target_shape)
    last = np.array(data.shape)[:, None] - 1
    inside = ((places >= 0) & (places <= last)).all(axis=0)
    result = np.zeros(places.shape[1])
    result[inside] = _interpolate(data, places[:, inside], last)
    return result.reshape(target_shape)


def _interpolate(
    data: NDArray[np.float64], places: NDArray[np.float64], last: NDArray[np.intp]
) -> NDArray[np.float64]:
    lower = np.minimum(np.floor(places).astype(np.intp), np.maximum(last - 1, 0))
    share = places - lower
    total = np.zeros(places.shape[1])
    for corner in product((0, 1), repeat=3):
        step = np.array(corner)[:, None]
        weight = np.where(step == 1, share, 1.0 - share).prod(axis=0)
        total += weight * data[tuple(np.minimum(lower + step, last))]
    return total


def list_outside(
    data: NDArray[np.float64],
    affine: NDArray[np.float64],
    target_affine: NDArray[np.float64],
    target_shape: tuple[int, int, int],
) -> tuple[NDArray[np.float64], float]:
    """List the non-zero values of `data` (x, y, z) that lie off the target grid.

    A region that a run's field of view cuts keeps its full weight this way, so that its coverage tells.

    Returns
    -------
    values : ndarray of shape (n_outside,)
    ratio : float
        Volume of a source voxel in target voxels.
    """
    voxels = np.nonzero(data)
    transform = np.linalg.inv(target_affine) @ affine
    places = transform[:3, :3] @ np.stack(voxels) + transform[:3, 3:]
    outside = ~_find_inside(np.floor(np.round(places, 9) + 0.5).astype(np.intp), target_shape)
    return data[voxels][outside], float(abs(np.linalg.det(transform[:3, :3])))


def _locate(
    affine: NDArray[np.float64], target_affine: NDArray[np.float64], target_shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Return the source coordinates of every target voxel, shape (3, n), C order."""
    transform = np.linalg.inv(affine) @ target_affine
    targets = np.indices(target_shape).reshape(3, -1)
    return np.round(transform[:3, :3] @ targets + transform[:3, 3:], 9)


def _find_inside(indices: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.asarray(((indices >= 0) & (indices < np.array(shape)[:, None])).all(axis=0))
