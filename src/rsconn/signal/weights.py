"""Regions as rows of one sparse matrix (n_rois, n_voxels) on an image's own grid.

Whatever a region is (a sphere, a mask, an atlas label, a probabilistic map), its series is a weighted mean
over voxels. Voxels are flat indices in file order, x fastest. Rows may overlap, and one region may have
several variants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SIGMAS_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))


@dataclass(frozen=True)
class RoiWeights:
    """Sparse rows, one per region, in the manner of a CSR matrix.

    Attributes
    ----------
    names : tuple of str
        One per row.
    starts : ndarray of shape (n_rois + 1,), int
        Row i holds the entries starts[i] to starts[i + 1].
    voxels : ndarray of shape (n_entries,), int
        Flat voxel indices in file order.
    values : ndarray of shape (n_entries,), float64
        Positive weights; a row need not sum to 1.
    totals : ndarray of shape (n_rois,), float64
        Weight of the whole region, the part outside the field of view included.
    sigmas : ndarray of shape (n_rois, 3), float64
        Width of the Gaussian (standard deviations, in voxels) with which the image is smoothed for this row;
        zeros for none.
    shape : tuple of int
        Voxels of the grid along x, y, z.
    """

    names: tuple[str, ...]
    starts: NDArray[np.intp]
    voxels: NDArray[np.intp]
    values: NDArray[np.float64]
    totals: NDArray[np.float64]
    sigmas: NDArray[np.float64]
    shape: tuple[int, int, int]

    @property
    def n_rois(self) -> int:
        """Number of rows."""
        return len(self.names)

    @property
    def row_of_entry(self) -> NDArray[np.intp]:
        """Row number of every entry, shape (n_entries,)."""
        return np.repeat(np.arange(self.n_rois), np.diff(self.starts))


def make_weights(
    names: Sequence[str],
    rows: Sequence[tuple[NDArray[np.intp], NDArray[np.float64]]],
    totals: ArrayLike,
    shape: tuple[int, int, int],
) -> RoiWeights:
    """Assemble unsmoothed rows from (voxels, values) pairs, one pair per name."""
    starts = np.concatenate([[0], np.cumsum([len(voxels) for voxels, _ in rows])]).astype(np.intp)
    return RoiWeights(
        names=tuple(names),
        starts=starts,
        voxels=np.concatenate([voxels for voxels, _ in rows]).astype(np.intp),
        values=np.concatenate([values for _, values in rows]).astype(np.float64),
        totals=np.asarray(totals, np.float64),
        sigmas=np.zeros((len(rows), 3)),
        shape=shape,
    )


def make_sphere_weights(
    names: Sequence[str],
    centers_mm: ArrayLike,
    radii_mm: ArrayLike,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
) -> RoiWeights:
    """Make one row of equal weights per sphere: the voxels whose centre lies within the radius.

    As in nilearn's `NiftiSpheresMasker`, two voxels belong to a sphere whatever its radius: the one nearest
    to the centre, and the first (in C order) whose millimetre coordinates, cut to integers, equal the cut
    centre. The second can lie outside a sphere of less than 3.5 mm only; where several voxels of a grid finer
    than 2 mm qualify, nilearn takes the first inside the mask, this function the first of all.

    Parameters
    ----------
    names : sequence of str
        One per sphere.
    centers_mm : array_like of shape (n_spheres, 3)
        Centres in the space of the affine, mm.
    radii_mm : array_like of shape (n_spheres,)
        Radii, mm.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.
    shape : tuple of int
        Voxels along x, y, z.

    Examples
    --------
    >>> weights = make_sphere_weights(["A"], [[2, 2, 2]], [1], np.eye(4), (5, 5, 5))
    >>> weights.voxels.tolist()
    [37, 57, 61, 62, 63, 67, 87]
    """
    rows, totals = [], []
    for center, radius in zip(np.asarray(centers_mm, float), np.asarray(radii_mm, float), strict=True):
        members = _find_sphere_members(center, float(radius), affine, shape)
        inside = members[((members >= 0) & (members < shape)).all(axis=1)]
        voxels = np.sort(np.ravel_multi_index(tuple(inside.T), shape, order="F"))
        rows.append((voxels, np.ones(len(voxels))))
        totals.append(len(members))
    return make_weights(names, rows, totals, shape)


def _find_sphere_members(
    center: NDArray[np.float64], radius: float, affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.intp]:
    """Return voxel indices (n, 3) on the endless lattice, those outside the field of view included."""
    inverse = np.linalg.inv(affine)
    middle = inverse[:3, :3] @ center + inverse[:3, 3]
    # An axis-aligned box around the ball in voxel space; 2 mm more to hold the voxel with equal cut
    # coordinates.
    reach = (radius + 2.0 * np.sqrt(3.0)) * np.linalg.norm(inverse[:3, :3], axis=1) + 1.0
    low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
    box = np.stack(np.meshgrid(*map(np.arange, low, high + 1), indexing="ij"), axis=-1).reshape(-1, 3)
    positions = box @ affine[:3, :3].T + affine[:3, 3]
    distances = ((positions - center) ** 2).sum(axis=1)
    member = (distances <= radius**2) | (box == np.round(middle)).all(axis=1)
    namesakes = (positions.astype(int) == center.astype(int)).all(axis=1)
    namesakes &= ((box >= 0) & (box < shape)).all(axis=1)
    if namesakes.any():
        member[np.argmax(namesakes)] = True
    return np.asarray(box[member])


def make_mask_weights(
    names: Sequence[str], masks: Sequence[NDArray[np.bool_]], totals: ArrayLike | None = None
) -> RoiWeights:
    """Make one row of equal weights per bool array (x, y, z); `totals` may count voxels off the grid."""
    rows = []
    for mask in masks:
        voxels = np.flatnonzero(mask.ravel(order="F"))
        rows.append((voxels, np.ones(len(voxels))))
    counts = [len(voxels) for voxels, _ in rows] if totals is None else totals
    return make_weights(names, rows, counts, _get_shape(masks[0]))


def make_label_weights(
    names: Sequence[str], atlas: NDArray[np.float64], labels: Sequence[int], totals: ArrayLike | None = None
) -> RoiWeights:
    """Make one row of equal weights per label of an integer atlas (x, y, z).

    Examples
    --------
    >>> atlas = np.array([[[1.0], [2.0]], [[1.0], [0.0]]])
    >>> make_label_weights(["one", "two"], atlas, [1, 2]).voxels.tolist()
    [0, 1, 2]
    """
    flat = atlas.ravel(order="F")
    labelled = np.flatnonzero(flat)
    values = flat[labelled]
    order = np.argsort(values, kind="stable")
    first = np.searchsorted(values, labels, side="left", sorter=order)
    last = np.searchsorted(values, labels, side="right", sorter=order)
    rows = [(labelled[order[a:b]], np.ones(b - a)) for a, b in zip(first, last, strict=True)]
    counts = [len(voxels) for voxels, _ in rows] if totals is None else totals
    return make_weights(names, rows, counts, _get_shape(atlas))


def make_map_weights(
    names: Sequence[str], maps: Sequence[NDArray[np.float64]], totals: ArrayLike | None = None
) -> RoiWeights:
    """Make one row per map (x, y, z): its positive values are the weights of a weighted mean.

    A weighted mean, not nilearn's least squares over all maps at once: a region's series then does not depend
    on which other regions were asked for, coverage has a meaning, and a map of equal weights equals the mask.
    For maps that do not overlap the two differ by a constant factor only, so every correlation is the same.
    """
    rows = []
    for values in maps:
        flat = values.ravel(order="F")
        voxels = np.flatnonzero(flat > 0)
        rows.append((voxels, flat[voxels]))
    sums = [values.sum() for _, values in rows] if totals is None else totals
    return make_weights(names, rows, sums, _get_shape(maps[0]))


def _get_shape(array: NDArray[np.generic]) -> tuple[int, int, int]:
    x, y, z = array.shape
    return x, y, z


def stack_weights(parts: Sequence[RoiWeights]) -> RoiWeights:
    """Put rows of several makers under each other; all on one grid."""
    if len({part.shape for part in parts}) != 1:
        raise ValueError(f"rows of different grids: {[part.shape for part in parts]}")
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    return RoiWeights(
        names=tuple(name for part in parts for name in part.names),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.intp),
        voxels=np.concatenate([part.voxels for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        totals=np.concatenate([part.totals for part in parts]),
        sigmas=np.concatenate([part.sigmas for part in parts]),
        shape=parts[0].shape,
    )


def take_row(weights: RoiWeights, row: int) -> RoiWeights:
    """Return one row as weights of its own."""
    entries = slice(weights.starts[row], weights.starts[row + 1])
    return RoiWeights(
        names=weights.names[row : row + 1],
        starts=np.array([0, entries.stop - entries.start]),
        voxels=weights.voxels[entries],
        values=weights.values[entries],
        totals=weights.totals[row : row + 1],
        sigmas=weights.sigmas[row : row + 1],
        shape=weights.shape,
    )


def smooth_weights(weights: RoiWeights, affine: NDArray[np.float64], fwhm_mm: float) -> RoiWeights:
    """Ask for series of the smoothed image: a Gaussian of `fwhm_mm`, as nilearn's `smooth_img`, 0 for none.

    Only the kernel is noted here. It is applied to a row after the row has lost its voxels outside the mask,
    because nilearn smooths the whole image first and masks then (see `rsconn.signal.grids`).
    """
    return replace(weights, sigmas=np.tile(find_sigmas(affine, fwhm_mm), (weights.n_rois, 1)))


def find_sigmas(affine: NDArray[np.float64], fwhm_mm: float) -> NDArray[np.float64]:
    """Return the standard deviations (3,) along x, y, z, in voxels, of a Gaussian of `fwhm_mm`.

    Examples
    --------
    >>> find_sigmas(np.diag([2.0, 2.0, 4.0, 1.0]), 4.7096).round(3).tolist()
    [1.0, 1.0, 0.5]
    """
    voxel_sizes = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return np.asarray(fwhm_mm * _SIGMAS_PER_FWHM / voxel_sizes)


def keep_voxels(weights: RoiWeights, keep: NDArray[np.bool_]) -> RoiWeights:
    """Drop entries whose voxel is not kept; `keep` is flat (n_voxels,), `totals` stay as they are."""
    kept = keep[weights.voxels]
    if kept.all():
        return weights
    counts = np.concatenate([[0], np.cumsum(kept)])
    return replace(
        weights, starts=counts[weights.starts], voxels=weights.voxels[kept], values=weights.values[kept]
    )


# So many numbers of 16 bits cannot overflow a sum of 32 bits, and numpy sums integers three times as fast as it
# turns them into floats first.
_SAFE_LENGTH = 1 << 15
_GROUP = 4  # neighbours along x that are copied as one: numpy gathers 8 bytes as fast as 2


class RowSums:
    """Gathers each voxel that the rows need once, and sums the rows.

    Rows that do not overlap are gathered in their own order, first the neighbours that can be copied together,
    then single voxels; else voxels are gathered once and repeated from there.

    Parameters
    ----------
    rows : RoiWeights
        Rows as they are to be applied (no kernels left).

    Attributes
    ----------
    voxels : ndarray of shape (n_gathered,), int
        Flat indices of the voxels, in the order in which they are gathered.

    Examples
    --------
    >>> from rsconn.signal.weights import make_mask_weights
    >>> rows = make_mask_weights(["A", "B"], [np.array([[[True, True]]]), np.array([[[False, True]]])])
    >>> sums = RowSums(rows)
    >>> gathered = np.empty(len(sums.voxels), np.int16)
    >>> sums.gather(np.array([3, 4], np.int16), gathered)
    >>> sums.sum(gathered)
    array([7., 4.])
    """

    def __init__(self, rows: RoiWeights) -> None:
        self._n_rows = rows.n_rois
        values = None if (rows.values == 1).all() else rows.values
        if _overlap(rows):
            unique, positions = np.unique(rows.voxels, return_inverse=True)
            first, single = _find_groups(unique, np.array([0, len(unique)]))
            order = _list_entries(first, single)
            self.voxels = unique[order]
            self._positions: NDArray[np.intp] | None = np.argsort(order)[positions]
            self._values = values
            self._rows = np.flatnonzero(np.diff(rows.starts))
            self._starts = rows.starts[self._rows]
        else:
            first, single = _find_groups(rows.voxels, rows.starts)
            order = _list_entries(first, single)
            self.voxels = rows.voxels[order]
            self._positions = None
            self._values = None if values is None else values[order]
            parts = (_GROUP * np.searchsorted(first, rows.starts), np.searchsorted(single, rows.starts))
            filled = [np.flatnonzero(np.diff(starts)) for starts in parts]  # reduceat knows no empty rows
            self._rows = np.concatenate(filled)
            self._starts = np.concatenate([parts[0][filled[0]], _GROUP * len(first) + parts[1][filled[1]]])
        self._groups = self.voxels[: _GROUP * len(first) : _GROUP] // _GROUP
        self._singles = self.voxels[_GROUP * len(first) :]
        self._pieces = _split_rows(self._starts, len(rows.voxels))
        self._piece_starts = np.searchsorted(self._pieces, self._starts)

    def gather(self, volume: NDArray[Any], out: NDArray[Any]) -> None:
        """Copy the values of a flat volume at `voxels` into `out`, which has its type."""
        n_grouped = _GROUP * len(self._groups)
        together = np.dtype((np.void, _GROUP * volume.dtype.itemsize))
        groups = np.asarray(volume[: len(volume) // _GROUP * _GROUP]).view(together)
        np.take(groups, self._groups, out=out[:n_grouped].view(together), mode="clip")
        np.take(volume, self._singles, out=out[n_grouped:], mode="clip")

    def sum(self, gathered: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weighted sum of every row (n_rois,) from values at `voxels`."""
        if not len(self._starts):
            return np.zeros(self._n_rows)
        entries = gathered if self._positions is None else np.take(gathered, self._positions)
        if self._values is not None:
            entries = entries * self._values
        sums = np.bincount(self._rows, self._sum_filled(entries), minlength=self._n_rows)
        return sums.astype(np.float64, copy=False)

    def _sum_filled(self, entries: NDArray[Any]) -> NDArray[np.float64]:
        if entries.dtype.kind in "iu" and entries.dtype.itemsize <= 2:
            pieces = np.add.reduceat(entries, self._pieces, dtype=np.int32)
            return np.add.reduceat(pieces, self._piece_starts, dtype=np.float64)
        return np.add.reduceat(entries, self._starts, dtype=np.float64)


def _overlap(rows: RoiWeights) -> bool:
    """Tell whether a voxel belongs to more than one row."""
    if not len(rows.voxels):
        return False
    seen = np.zeros(int(rows.voxels.max()) + 1, bool)
    seen[rows.voxels] = True
    return bool(np.count_nonzero(seen) < len(rows.voxels))


def _find_groups(
    voxels: NDArray[np.intp], starts: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which entries start a group of whole neighbours within a row, and which are in no group.

    Groups are aligned to multiples of their size, so that a volume can be viewed as an array of groups.
    """
    follows = np.zeros(len(voxels) + _GROUP, bool)  # entry i is the next voxel after entry i - 1, same row
    follows[1 : len(voxels)] = voxels[1:] == voxels[:-1] + 1
    follows[starts] = False
    whole = voxels % _GROUP == 0
    for step in range(1, _GROUP):
        whole &= follows[step : step + len(voxels)]
    first = np.flatnonzero(whole)
    alone = np.ones(len(voxels), bool)
    for step in range(_GROUP):
        alone[first + step] = False
    return first, np.flatnonzero(alone)


def _list_entries(first: NDArray[np.intp], single: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the entries in the order of gathering."""
    return np.concatenate([(first[:, None] + np.arange(_GROUP)).ravel(), single])


def _split_rows(starts: NDArray[np.intp], n_entries: int) -> NDArray[np.intp]:
    """Return starts of pieces that hold no more than the safe length and never cross the start of a row."""
    regular = np.arange(0, n_entries, _SAFE_LENGTH)
    return np.union1d(starts, regular) if len(starts) else starts
