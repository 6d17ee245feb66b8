"""Moments of a run's voxels, gathered while its volumes stream by: constant, not finite, tSNR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FLUSH_EVERY = 32
_CHUNK = 32_768  # voxels, 128 kB of float32
_EXACT_IN_FLOAT32 = {np.dtype(code) for code in ("u1", "i1", "u2", "i2", "f4")}


class VoxelMoments:
    """Mean and standard deviation of each voxel over volumes that are added a few at a time.

    Deviations from the first volume are accumulated, so a voxel is constant if and only if its sum of squares
    is exactly 0, and a value that is not finite makes it not finite for good. Types that float32 holds
    exactly are summed in float32 for a few dozen volumes before they join float64 sums.

    Examples
    --------
    >>> moments = VoxelMoments(np.array([1.0, 5.0, 2.0]))
    >>> moments.add(np.array([[3.0, 5.0, np.nan]]))
    >>> moments.is_constant.tolist(), moments.is_finite.tolist()
    ([False, True, False], [True, True, False])
    >>> mean, std = moments.summarise()
    >>> float(mean[0]), float(std[0])
    (2.0, 1.0)
    """

    def __init__(self, first: NDArray[Any]) -> None:
        narrow = first.dtype.newbyteorder("=") in _EXACT_IN_FLOAT32
        self._first: NDArray[Any] = first.astype(np.float32 if narrow else np.float64)
        self._deviation = np.zeros(min(_CHUNK, len(first)), self._first.dtype)
        self._recent_sum, self._recent_squares = np.zeros_like(self._first), np.zeros_like(self._first)
        self._sum, self._squares = np.zeros(len(first)), np.zeros(len(first))
        self.is_integer = first.dtype.kind in "iu"
        self.n_volumes, self._n_recent = 1, 0

    def add(self, volumes: NDArray[Any]) -> None:
        """Take more volumes (n_more, n_voxels) into account."""
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, volumes.shape[1], _CHUNK):
                self._add_chunk(volumes[:, start : start + _CHUNK], slice(start, start + _CHUNK))
        self.n_volumes += len(volumes)
        self._n_recent += len(volumes)
        if self._n_recent >= _FLUSH_EVERY:
            self._flush()

    def _add_chunk(self, volumes: NDArray[Any], chunk: slice) -> None:
        """Add some voxels of all volumes, while their deviations stay in the processor's cache."""
        first, total, squares = self._first[chunk], self._recent_sum[chunk], self._recent_squares[chunk]
        deviation = self._deviation[: len(first)]
        for volume in volumes:
            np.copyto(deviation, volume, casting="unsafe")
            deviation -= first
            total += deviation
            deviation *= deviation
            squares += deviation

    def _flush(self) -> None:
        if not self._n_recent:
            return
        self._sum += self._recent_sum
        self._squares += self._recent_squares
        self._n_recent = 0
        self._recent_sum[:] = 0
        self._recent_squares[:] = 0

    @property
    def first(self) -> NDArray[np.float64]:
        """Values of the first volume, shape (n_voxels,)."""
        return self._first.astype(np.float64)

    @property
    def is_constant(self) -> NDArray[np.bool_]:
        """True for voxels that are finite and equal in all volumes."""
        self._flush()
        return np.asarray((self._squares == 0) & np.isfinite(self._first))

    @property
    def is_finite(self) -> NDArray[np.bool_]:
        """True for voxels whose value was finite in all volumes."""
        self._flush()
        return np.asarray(np.isfinite(self._squares) & np.isfinite(self._first))

    def compute_tsnr(self, *, slope: float, intercept: float) -> NDArray[np.float32]:
        """Return each voxel's temporal signal-to-noise ratio, see `compute_tsnr`."""
        self._flush()
        tsnr = np.empty(len(self._first), np.float32)
        for start in range(0, len(tsnr), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            mean, std = self.summarise(chunk)
            tsnr[chunk] = compute_tsnr(mean, std, slope=slope, intercept=intercept)
        return tsnr

    def summarise(self, chunk: slice = slice(None)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation (divisor n) over volumes of some voxels, stored units."""
        self._flush()
        moved = self._sum[chunk] / self.n_volumes
        with np.errstate(invalid="ignore"):
            variance = self._squares[chunk] / self.n_volumes - moved**2
            return self._first[chunk] + moved, np.sqrt(np.maximum(variance, 0))


def compute_tsnr(
    mean: NDArray[np.float64], std: NDArray[np.float64], *, slope: float, intercept: float
) -> NDArray[np.float64]:
    """Temporal signal-to-noise ratio: mean over standard deviation in image units, NaN where nothing varies.

    Examples
    --------
    >>> compute_tsnr(np.array([10.0]), np.array([2.0]), slope=2.0, intercept=4.0)
    array([6.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(std > 0, (slope * mean + intercept) / (abs(slope) * std), np.nan)
