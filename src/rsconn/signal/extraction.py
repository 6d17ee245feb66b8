"""One pass over the volumes of a run: the mean series of every region, and how far each can be trusted.

A region's series is the weighted mean over its usable voxels: inside the mask, finite in every volume after
the non-steady ones, and not constant over them. The mean is taken of stored numbers in float64 and scaled
afterwards, which is exact and independent of the number of voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.grids import apply_kernels
from rsconn.signal.quality import VoxelMoments
from rsconn.signal.weights import RoiWeights, RowSums, keep_voxels

_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Extraction:
    """What one run says about each region.

    Attributes
    ----------
    timeseries : ndarray of shape (n_volumes, n_rois), float64
        Weighted means in image units; NaN for a region without a usable voxel.
    coverage : ndarray of shape (n_rois,), float64
        Share of the region's weight, the part outside the field of view included, that is usable (0 to 1). It
        is that of the unsmoothed region.
    n_voxels : ndarray of shape (n_rois,), int
        Usable voxels.
    n_nonfinite : ndarray of shape (n_rois,), int
        Voxels inside the mask that left the region because a value was NaN or infinite.
    tsnr : ndarray of shape (n_rois,), float64
        Weighted mean over usable voxels of the voxel's temporal signal-to-noise ratio, unsmoothed, after the
        non-steady volumes.
    blank_volumes : tuple of int
        Steady volumes, counted from 0, in which more than a third of a region is exactly 0 in image units although the
        region is far from 0 in the others: the image is incomplete there.
    """

    timeseries: NDArray[np.float64]
    coverage: NDArray[np.float64]
    n_voxels: NDArray[np.intp]
    n_nonfinite: NDArray[np.intp]
    tsnr: NDArray[np.float64]
    blank_volumes: tuple[int, ...] = ()


def extract_timeseries(
    open_volumes: Callable[[], Iterator[NDArray[Any]]],
    weights: RoiWeights,
    mask: NDArray[np.bool_],
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
    n_nonsteady: int = 0,
    watch: Callable[[NDArray[Any]], None] | None = None,
) -> Extraction:
    """Extract the mean series of every region in one pass, or two if a voxel has to leave a region.

    A second pass is made when a voxel is not finite, or when a constant one cannot be taken out of the sums
    afterwards without loss (smoothed rows; floating-point constants other than 0). Constant voxels leave a
    region but still blur into its neighbourhood, as the image is smoothed before the mask is applied; voxels
    that are not finite count as 0 there, as in nilearn.

    Parameters
    ----------
    open_volumes : callable
        Returns a new iterator over flat volumes (n_voxels,) in file order; an array may be reused by the next
        step.
    weights : RoiWeights
        Regions on the grid of the volumes.
    mask : ndarray of shape (n_voxels,), bool
        The run's brain mask.
    slope, intercept : float
        Image value = slope * stored value + intercept.
    n_nonsteady : int
        Leading volumes that do not count when a voxel is judged.
    watch : callable, optional
        Sees every volume once as it passes, so that other work shares the pass.
    """
    extractor = Extractor(weights, mask, slope=slope, intercept=intercept, n_nonsteady=n_nonsteady)
    while not extractor.is_done:
        for volume in open_volumes():
            extractor.add(volume)
            if watch is not None:
                watch(volume)
        watch = None
        extractor.finish_pass()
    return extractor.summarise()


class Extractor:
    """The extraction of some regions from volumes that are handed in one by one; arguments as `extract_timeseries`.

    Regions of several extractors share a pass without touching each other: each makes its own further passes.
    """

    def __init__(
        self,
        weights: RoiWeights,
        mask: NDArray[np.bool_],
        *,
        slope: float = 1.0,
        intercept: float = 0.0,
        n_nonsteady: int = 0,
    ) -> None:
        self._weights, self._mask = weights, mask
        self._slope, self._intercept, self._n_nonsteady = slope, intercept, n_nonsteady
        self._keep, self._finite = mask.copy(), np.ones(len(mask), dtype=bool)
        self.is_done = False
        self._sums = self._start_pass()

    def _start_pass(self) -> _Pass:
        kept = keep_voxels(self._weights, self._keep)
        return _Pass(kept, self._finite, self._n_nonsteady, zero=-self._intercept / self._slope)

    def add(self, volume: NDArray[Any]) -> None:
        """Take one more volume (n_voxels,) of a pass into account."""
        self._sums.add(volume)

    def finish_pass(self) -> None:
        """Say that all volumes have passed; if a voxel has to leave a region, they have to pass once more."""
        self._sums.finish()
        leaving = self._sums.find_leaving_voxels()
        self.is_done = not len(leaving)
        if not self.is_done:
            self._keep[leaving] = False
            self._finite[self._sums.find_nonfinite_voxels()] = False
            self._sums = self._start_pass()

    def summarise(self) -> Extraction:
        """Return the series of the regions, once `is_done`."""
        sums, weights, keep = self._sums, self._weights, self._keep.copy()
        keep[sums.find_constant_voxels()] = False
        scale = {"slope": self._slope, "intercept": self._intercept}
        return Extraction(
            timeseries=sums.compute_means(keep, **scale),
            coverage=compute_coverage(weights, keep),
            n_voxels=count_voxels(weights, keep),
            n_nonfinite=_sum_by_row(weights, self._mask & ~self._finite).astype(np.intp),
            tsnr=_average_tsnr(sums, weights, keep, **scale),
            blank_volumes=tuple(np.flatnonzero(sums.find_blank_volumes()).tolist()),
        )


def compute_coverage(weights: RoiWeights, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each region's weight that lies in kept voxels, 0 to 1, shape (n_rois,).

    With a brain mask it is the most that a run can have; voxels without signal lower it.

    Parameters
    ----------
    weights : RoiWeights
        Regions.
    keep : ndarray of shape (n_voxels,), bool
        What counts.
    """
    return _sum_by_row(weights, keep, weights.values) / weights.totals


def count_voxels(weights: RoiWeights, keep: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Count each region's kept voxels, shape (n_rois,)."""
    return _sum_by_row(weights, keep).astype(np.intp)


def _sum_by_row(
    weights: RoiWeights, keep: NDArray[np.bool_], values: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Sum `values` (default: count 1) of each row over the entries whose voxel is kept, shape (n_rois,)."""
    kept = keep[weights.voxels]
    return _bin(weights, kept if values is None else kept * values)


def _bin(weights: RoiWeights, terms: NDArray[Any]) -> NDArray[np.float64]:
    """Sum one term per entry over each row, shape (n_rois,)."""
    sums = np.zeros(weights.n_rois)
    filled = np.flatnonzero(np.diff(weights.starts))  # reduceat knows no empty rows
    if len(filled):
        sums[filled] = np.add.reduceat(terms, weights.starts[filled], dtype=np.float64)
    return sums


def _average_tsnr(
    sums: _Pass, weights: RoiWeights, keep: NDArray[np.bool_], *, slope: float, intercept: float
) -> NDArray[np.float64]:
    if sums.moments is None:
        return np.full(weights.n_rois, np.nan)
    tsnr = np.zeros(len(keep), np.float32)  # a whole grid: half the memory, digits to spare
    tsnr[sums.voxels] = sums.moments.compute_tsnr(slope=slope, intercept=intercept)
    usable = keep_voxels(weights, keep)
    totals = _bin(usable, usable.values * tsnr[usable.voxels])
    return _divide(totals, _sum_by_row(weights, keep, weights.values))


def _divide(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide along the last axis; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


_BLANK_SHARE = 1 / 3
_FAR = 10.0  # a region's mean varies by a few per cent; demeaned images lie around 0


def _is_far_from_zero(values: NDArray[np.float64]) -> bool:
    """Say whether the middle of values lies many of their median absolute deviations away from 0."""
    if not len(values):
        return False
    middle = np.median(values)
    return bool(abs(middle) > _FAR * np.median(np.abs(values - middle)))


class _Pass:
    """The sums of every row for every volume so far, and the moments of the voxels they need.

    Parameters
    ----------
    region : RoiWeights
        Unsmoothed rows, reduced to the voxels that may count.
    finite : ndarray of shape (n_voxels,), bool
        False for voxels known not to be finite, which smoothed rows must not touch.
    n_nonsteady : int
        Leading volumes that are kept apart.
    zero : float
        Stored number that means 0 in image units.
    """

    def __init__(
        self, region: RoiWeights, finite: NDArray[np.bool_], n_nonsteady: int, *, zero: float = 0.0
    ) -> None:
        self._zero, self._zeros = zero, dict[int, NDArray[np.float64]]()
        self._region, self._n_nonsteady = region, n_nonsteady
        self._smoothed = bool(region.sigmas.any())
        self._rows = keep_voxels(apply_kernels(region), finite)
        self._summed = RowSums(self._rows)
        self.voxels = self._summed.voxels
        self._sums: list[NDArray[np.float64]] = []
        self._early: list[NDArray[Any]] = []
        self.moments: VoxelMoments | None = None
        self._block: NDArray[Any] | None = None
        self._n_waiting = 0

    def add(self, volume: NDArray[Any]) -> None:
        """Take one more volume (n_voxels,) into account."""
        if self._block is None:
            self._block = self._make_block(volume.dtype)
        gathered = self._block[self._n_waiting]
        self._summed.gather(volume, gathered)
        self._sums.append(self._summed.sum(gathered))
        if (is_zero := gathered == self._zero).any():
            self._zeros[len(self._sums) - 1] = self._summed.sum(is_zero.astype(np.uint8))
        if len(self._sums) <= self._n_nonsteady:
            self._early.append(gathered.copy())
            return
        self._n_waiting += 1
        if self._n_waiting == len(self._block):
            self.finish()

    def _make_block(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Allocate room for the gathered voxels of as many volumes as fit the processor's cache."""
        volume_bytes = max(len(self.voxels) * dtype.itemsize, 1)
        return np.empty((min(max(_BLOCK_BYTES // volume_bytes, 1), 32), len(self.voxels)), dtype)

    def finish(self) -> None:
        """Bring the moments up to date with the volumes that wait in the block."""
        if self._block is None or not self._n_waiting:
            return
        waiting = self._block[: self._n_waiting]
        self._n_waiting = 0
        if self.moments is None:
            self.moments = VoxelMoments(waiting[0])
            waiting = waiting[1:]
        self.moments.add(waiting)

    def find_blank_volumes(self) -> NDArray[np.bool_]:
        """Return which volumes miss more than a third of a row that is far from 0 elsewhere, shape (n_volumes,)."""
        sums = np.array(self._sums).reshape(-1, self._rows.n_rois)
        zeros = np.zeros_like(sums)
        for index, weight in self._zeros.items():
            zeros[index] = weight
        steady = np.arange(len(sums)) >= self._n_nonsteady
        if not self._zeros or not steady.any():
            return np.zeros(len(sums), dtype=bool)
        whole = self._summed.sum(np.ones(len(self.voxels), np.uint8))
        always = zeros[steady].min(axis=0)  # voxels without signal say nothing of a volume
        missing = steady[:, None] & (zeros - always > _BLANK_SHARE * (whole - always))
        for row in np.flatnonzero(missing.any(axis=0)):
            others = sums[steady & ~missing[:, row], row] - self._zero * whole[row]
            missing[:, row] &= _is_far_from_zero(others)
        return np.asarray(missing.any(axis=1))

    def find_nonfinite_voxels(self) -> NDArray[np.intp]:
        """Return the voxels of the rows that were not finite in some steady volume."""
        if self.moments is None:
            return self.voxels[:0]
        return self.voxels[~self.moments.is_finite]

    def find_constant_voxels(self) -> NDArray[np.intp]:
        """Return the voxels of the rows without variance over the steady volumes."""
        if self.moments is None:
            return self.voxels
        return self.voxels[self.moments.is_constant]

    def find_leaving_voxels(self) -> NDArray[np.intp]:
        """Return the voxels whose part in the sums cannot be undone afterwards."""
        if self.moments is None:
            return self.voxels[:0]
        constant = self.moments.is_constant
        if not self._smoothed:
            # Integers and zeros are subtracted exactly; a large floating-point constant would leave rounding
            # errors.
            constant = constant & (not self.moments.is_integer) & (self.moments.first != 0)
        constants = self.voxels[constant]
        return np.concatenate(
            [self.find_nonfinite_voxels(), constants[np.isin(constants, self._region.voxels)]]
        )

    def compute_means(
        self, keep: NDArray[np.bool_], *, slope: float, intercept: float
    ) -> NDArray[np.float64]:
        """Return the rows' means over kept voxels in image units, shape (n_volumes, n_rois)."""
        sums = np.array(self._sums).reshape(-1, self._rows.n_rois)
        touched = self._rows
        if not self._smoothed:
            self._remove_dropped(sums, keep)
            touched = keep_voxels(self._rows, keep)
        weight = _sum_by_row(self._region, keep, self._region.values)
        offset = intercept * _bin(touched, touched.values)
        return _divide(slope * sums + offset, weight)

    def _remove_dropped(self, sums: NDArray[np.float64], keep: NDArray[np.bool_]) -> None:
        """Take constant voxels out of the sums, in place."""
        kept = keep[self.voxels]
        if kept.all() or self.moments is None:
            return
        sums[self._n_nonsteady :] -= self._summed.sum(np.where(kept, 0.0, self.moments.first))
        for index, gathered in enumerate(self._early):
            sums[index] = self._summed.sum(np.where(kept, gathered, 0))
