"""Sums of rows of weights over one volume's gathered voxels, as fast as numpy can and exact to float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.weights import RoiWeights

# So many numbers of 16 bits cannot overflow a sum of 32 bits, and numpy sums integers three times as fast as it
# turns them into floats first.
_SAFE_LENGTH = 1 << 15


class RowSums:
    """Gathers each voxel that the rows need once, and sums the rows.

    Rows that do not overlap are gathered in their own order; else voxels are gathered once and repeated from there.

    Parameters
    ----------
    rows : RoiWeights
        Rows as they are to be applied (no kernels left).

    Attributes
    ----------
    voxels : ndarray of shape (n_gathered,), int
        Flat indices of the voxels to gather.

    Examples
    --------
    >>> from rsconn.signal.weights import make_mask_weights
    >>> rows = make_mask_weights(["A", "B"], [np.array([[[True, True]]]), np.array([[[False, True]]])])
    >>> sums = RowSums(rows)
    >>> sums.sum(np.array([3, 4], np.int16)[sums.voxels])
    array([7., 4.])
    """

    def __init__(self, rows: RoiWeights) -> None:
        unique, positions = np.unique(rows.voxels, return_inverse=True)
        overlap = len(unique) < len(positions)
        self.voxels = unique if overlap else rows.voxels
        self._positions: NDArray[np.intp] | None = positions if overlap else None
        self._values = None if (rows.values == 1).all() else rows.values
        self._n_rows = rows.n_rois
        self._filled = np.flatnonzero(np.diff(rows.starts))  # reduceat knows no empty rows
        self._starts = rows.starts[self._filled]
        self._pieces = _split_rows(self._starts, len(rows.voxels))
        self._piece_starts = np.searchsorted(self._pieces, self._starts)

    def sum(self, gathered: NDArray[Any]) -> NDArray[np.float64]:
        """Return the weighted sum of every row (n_rois,) from values at `voxels`."""
        entries = gathered if self._positions is None else np.take(gathered, self._positions)
        if self._values is not None:
            entries = entries * self._values
        sums = np.zeros(self._n_rows)
        if len(self._filled):
            sums[self._filled] = self._sum_filled(entries)
        return sums

    def _sum_filled(self, entries: NDArray[Any]) -> NDArray[np.float64]:
        if entries.dtype.kind in "iu" and entries.dtype.itemsize <= 2:
            pieces = np.add.reduceat(entries, self._pieces, dtype=np.int32)
            return np.add.reduceat(pieces, self._piece_starts, dtype=np.float64)
        return np.add.reduceat(entries, self._starts, dtype=np.float64)


def _split_rows(starts: NDArray[np.intp], n_entries: int) -> NDArray[np.intp]:
    """Return starts of pieces that hold no more than the safe length and never cross the start of a row."""
    regular = np.arange(0, n_entries, _SAFE_LENGTH)
    return np.union1d(starts, regular) if len(starts) else starts
