"""Sums of rows of weights over one volume's gathered voxels, as fast as numpy can and exact to float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.weights import RoiWeights

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
