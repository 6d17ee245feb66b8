"""Framewise displacement, and which volumes a run keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError

_NONSTEADY_PREFIX = "non_steady_state_outlier"


def count_nonsteady(names: Sequence[str], values: np.ndarray) -> int:
    """Count the volumes at the start that fMRIPrep found before the steady state.

    Parameters
    ----------
    names : sequence of str
        Columns of the confounds file; ``non_steady_state_outlierNN`` holds a 1 at one volume each.
    values : array (n_volumes, n_columns)
        Their values.

    Raises
    ------
    RunError
        If the columns flag anything but the first volumes.

    Examples
    --------
    >>> count_nonsteady(["non_steady_state_outlier00", "csf"], np.array([[1, 5.0], [0, 6.0]]))
    1
    """
    columns = [index for index, name in enumerate(names) if name.startswith(_NONSTEADY_PREFIX)]
    flagged = np.flatnonzero(np.nan_to_num(values[:, columns]).any(axis=1))
    if not np.array_equal(flagged, np.arange(len(flagged))):
        raise RunError(
            f"confounds: {_NONSTEADY_PREFIX} columns flag volume {int(flagged[-1])} (counted from 0); "
            "only volumes at the start can be before the steady state"
        )
    return len(flagged)


def make_sample_mask(
    fd: np.ndarray | None,
    std_dvars: np.ndarray | None,
    *,
    fd_threshold_mm: float | None,
    dvars_threshold: float | None = None,
    n_nonsteady: int = 0,
    n_volumes: int | None = None,
) -> np.ndarray:
    """Say which volumes are retained: steady state, and neither FD nor DVARS above its threshold.

    Parameters
    ----------
    fd : array (n_volumes,) or None
        Framewise displacement, mm. A first value of NaN counts as retained.
    std_dvars : array (n_volumes,) or None
        Standardised DVARS.
    fd_threshold_mm, dvars_threshold : float or None
        A volume is left out above it, not at it; None means no censoring.
    n_nonsteady : int
        Volumes at the start that are always left out.
    n_volumes : int or None
        Needed where neither fd nor std_dvars is given.

    Returns
    -------
    bool array (n_volumes,)
        True = retained.

    Raises
    ------
    RunError
        If a threshold is set and its column is absent or has gaps below the first row.

    Examples
    --------
    >>> make_sample_mask(np.array([np.nan, 0.1, 0.6]), None, fd_threshold_mm=0.5)
    array([ True,  True, False])
    """
    given = next((column for column in (fd, std_dvars) if column is not None), None)
    length = len(given) if given is not None else n_volumes
    if length is None:
        raise ValueError("without fd and std_dvars, n_volumes is needed")
    retained = np.arange(length) >= n_nonsteady
    retained &= ~_find_above(
        fd, fd_threshold_mm, "framewise_displacement", "censoring.fd_threshold_mm", length
    )
    retained &= ~_find_above(std_dvars, dvars_threshold, "std_dvars", "censoring.dvars_threshold", length)
    return np.asarray(retained)


def _find_above(
    column: np.ndarray | None, threshold: float | None, name: str, option: str, length: int
) -> np.ndarray:
    if threshold is None:
        return np.zeros(length, dtype=bool)
    if column is None:
        raise RunError(f"confounds: no column {name}; it is needed to censor, or set {option}: null")
    gaps = int(np.isnan(column[1:]).sum())
    if gaps:
        raise RunError(f"confounds: {name} is n/a in {gaps} volumes after the first; set {option}: null")
    return np.asarray(np.nan_to_num(column) > threshold)


def compute_mean_fd(fd: np.ndarray, n_nonsteady: int) -> float:
    """Return the mean of finite FD (mm) over steady-state volumes, before censoring; NaN if there is none.

    Examples
    --------
    >>> float(compute_mean_fd(np.array([np.nan, 9.0, 0.1, 0.3]), n_nonsteady=2))
    0.2
    """
    steady = fd[n_nonsteady:]
    finite = steady[np.isfinite(steady)]
    return float(finite.mean()) if len(finite) else float("nan")


def compute_max_fd(fd: np.ndarray, n_nonsteady: int) -> float:
    """Return the largest finite FD (mm) over steady-state volumes; NaN if there is none."""
    steady = fd[n_nonsteady:]
    finite = steady[np.isfinite(steady)]
    return float(finite.max()) if len(finite) else float("nan")


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
