"""Bring a mask, an atlas or a map onto an image's grid, once per grid and not once per volume.

Both images are taken to be in the same space: only the grids differ. As in nilearn's maskers, labels and
masks take the nearest voxel and maps are interpolated linearly. A point halfway between two voxels takes the
one of higher index, as `scipy.ndimage` does; coordinates are rounded to 1e-9 voxel first, so that a tie is a
tie on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.weights import RoiWeights, make_weights


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


_TRUNCATE = 4.0


def apply_kernels(weights: RoiWeights) -> RoiWeights:
    """Return the rows S'w that turn the unsmoothed image into series of the smoothed one.

    The sum of a row is unchanged, as S keeps constants. Rows without a kernel stay as they are.
    """
    if not weights.sigmas.any():
        return weights
    rows = [_smooth_row(weights, row) for row in range(weights.n_rois)]
    return make_weights(weights.names, rows, weights.totals, weights.shape)


def _smooth_row(weights: RoiWeights, row: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    entries = slice(weights.starts[row], weights.starts[row + 1])
    voxels, values = weights.voxels[entries], weights.values[entries]
    if not weights.sigmas[row].any() or not len(voxels):
        return voxels, values
    indices = np.stack(np.unravel_index(voxels, weights.shape, order="F"))
    low, high = indices.min(axis=1), indices.max(axis=1) + 1
    box = np.zeros(high - low)
    box[tuple(indices - low[:, None])] = values
    for axis, sigma in enumerate(weights.sigmas[row]):
        box, low[axis] = _spread(box, axis, int(low[axis]), weights.shape[axis], float(sigma))
    return _list_entries(box, low, weights.shape)


def _spread(
    box: NDArray[np.float64], axis: int, low: int, size: int, sigma: float
) -> tuple[NDArray[np.float64], int]:
    """Apply the transpose of the one-dimensional filter; return the grown box and its new lower corner."""
    kernel = make_gaussian(sigma)
    radius = len(kernel) // 2
    start, stop = max(0, low - radius), min(size, low + box.shape[axis] + radius)
    # Column j of the matrix tells where voxel low + j spreads to: reflected at the edges, as the image is.
    targets = low + np.arange(box.shape[axis])[None, :] + np.arange(-radius, radius + 1)[:, None]
    matrix = np.zeros((stop - start, box.shape[axis]))
    columns = np.broadcast_to(np.arange(box.shape[axis]), targets.shape)
    np.add.at(matrix, (_reflect(targets, size) - start, columns), kernel[:, None])
    return np.moveaxis(np.tensordot(matrix, box, axes=(1, axis)), 0, axis), start


def smooth_voxels(
    products: NDArray[np.float32], indices: NDArray[np.integer[Any]], filters: Sequence[NDArray[np.float64]]
) -> None:
    """Smooth many images at once that are known at some voxels of a box, in place.

    The result is right at every voxel whose neighbours within reach of the kernels, on the grid, are all among
    those known; elsewhere it means nothing. A plane at a time is spread out, so no copy of the images is made.

    Parameters
    ----------
    products : ndarray of shape (n_voxels, n_images), float32
        The images' values.
    indices : ndarray of shape (3, n_voxels), int
        Place of each voxel in the box along x, y and z.
    filters : sequence of three ndarrays of shape (n, n)
        The filter along x, y and z (`make_filter`), n being the box's side.
    """
    x, y, z = indices
    along_x, along_y, along_z = (each.astype(np.float32) for each in filters)
    for rows in _group(z):
        plane, corner = _spread_out(products, rows, y, x)
        inside = [slice(low, low + n) for low, n in zip(corner, plane.shape, strict=False)]
        plane = along_x[inside[1], inside[1]] @ plane
        plane = (along_y[inside[0], inside[0]] @ plane.reshape(len(plane), -1)).reshape(plane.shape)
        products[rows] = plane[y[rows] - corner[0], x[rows] - corner[1]]
    for rows in _group(y):
        plane, corner = _spread_out(products, rows, z, x)
        inside = [slice(corner[0], corner[0] + len(plane))]
        plane = (along_z[inside[0], inside[0]] @ plane.reshape(len(plane), -1)).reshape(plane.shape)
        products[rows] = plane[z[rows] - corner[0], x[rows] - corner[1]]


def _group(places: NDArray[np.integer[Any]]) -> Iterator[NDArray[np.intp]]:
    """Yield, for each plane that holds a voxel, which voxels it holds."""
    order = np.argsort(places, kind="stable")
    ends = np.cumsum(np.bincount(places))
    yield from (rows for rows in np.split(order, ends[:-1]) if len(rows))


def _spread_out(
    products: NDArray[np.float32],
    rows: NDArray[np.intp],
    first: NDArray[np.integer[Any]],
    second: NDArray[np.integer[Any]],
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Return one plane of the images (n_first, n_second, n_images), 0 where not known, and its lower corner."""
    first, second = first[rows], second[rows]
    corner = int(first.min()), int(second.min())
    shape = int(first.max()) - corner[0] + 1, int(second.max()) - corner[1] + 1
    plane = np.zeros((*shape, products.shape[1]), np.float32)
    plane[first - corner[0], second - corner[1]] = products[rows]
    return plane, corner


def find_reach(
    voxels: NDArray[np.intp], shape: tuple[int, int, int], sigmas: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Return the flat indices, sorted, of all voxels of the grid that smoothing mixes into the given ones.

    Examples
    --------
    >>> find_reach(np.array([0]), (3, 3, 1), np.array([0.4, 0.0, 0.0])).tolist()
    [0, 1, 2]
    """
    near = np.zeros(shape[::-1], bool)
    near.reshape(-1)[voxels] = True
    for axis, sigma in zip((2, 1, 0), sigmas, strict=True):
        known = np.moveaxis(near, axis, 0)
        wide = known.copy()
        for step in range(1, len(make_gaussian(sigma)) // 2 + 1):
            wide[step:] |= known[:-step]
            wide[:-step] |= known[step:]
        near = np.moveaxis(wide, 0, axis)
    return np.flatnonzero(near)


def make_filter(sigma: float, size: int, low: int, high: int) -> NDArray[np.float64]:
    """Return the filter of one dimension of a grid (`size`) as a matrix, for voxels `low` to `high` only.

    Values are exact at voxels farther than the kernel's radius from the end of the box, or from an end that
    is the grid's own.

    Examples
    --------
    >>> make_filter(0.4, 3, 0, 3).round(2).tolist()
    [[0.96, 0.04, 0.0], [0.04, 0.92, 0.04], [0.0, 0.04, 0.96]]
    """
    kernel = make_gaussian(sigma)
    radius = len(kernel) // 2
    rows = np.arange(low, high)
    sources = _reflect(rows[:, None] + np.arange(-radius, radius + 1), size) - low
    inside = (sources >= 0) & (sources < high - low)
    matrix = np.zeros((high - low, high - low))
    np.add.at(
        matrix,
        (np.broadcast_to(rows[:, None] - low, sources.shape)[inside], sources[inside]),
        np.broadcast_to(kernel, sources.shape)[inside],
    )
    return matrix


def make_gaussian(sigma: float) -> NDArray[np.float64]:
    """Return the Gaussian of `sigma` voxels, cut at 4 sigma, summing to 1; a lone 1 if sigma is 0.

    Examples
    --------
    >>> make_gaussian(0.4).round(3).tolist()
    [0.0, 0.04, 0.919, 0.04, 0.0]
    """
    if sigma == 0:
        return np.ones(1)
    radius = int(_TRUNCATE * sigma + 0.5)
    kernel = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    return np.asarray(kernel / kernel.sum())


def _reflect(positions: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Fold positions off the grid back onto it: (d c b a | a b c d | d c b a)."""
    folded = positions % (2 * size)
    return np.minimum(folded, 2 * size - 1 - folded)


def _list_entries(
    box: NDArray[np.float64], low: NDArray[np.intp], shape: tuple[int, int, int]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    flat = box.ravel(order="F")
    found = np.flatnonzero(flat)
    indices = np.stack(np.unravel_index(found, box.shape, order="F")) + low[:, None]
    return np.ravel_multi_index(tuple(indices), shape, order="F"), flat[found]


# Of a mask's largest value: what is still 0 (rounding of a resampling), and what is still inside.
_NEARLY_ZERO, _NEARLY_ONE = 1e-6, 1e-3


def binarise_mask(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which values of a mask are inside; NaN and rounding errors around 0 are outside.

    Raises
    ------
    ValueError
        The values are not two (probabilities, labels, noise), so what is inside is not for us to say.

    Examples
    --------
    >>> binarise_mask(np.array([0.0, 1e-15, np.nan, 255.0])).tolist()
    [False, False, False, True]
    """
    largest = np.fmax.reduce(values, axis=None, initial=0)
    if not np.isfinite(largest):
        raise ValueError(f"holds {largest:g}")
    inside = np.asarray(values > largest / 2)
    outside = values[~inside]
    strange = outside[np.abs(outside) > _NEARLY_ZERO * largest]
    if not strange.size:
        strange = values[inside]
        strange = strange[strange < (1 - _NEARLY_ONE) * largest]
    if strange.size:
        raise ValueError(f"holds {strange[0]:g} beside 0 and {largest:g}")
    return inside
