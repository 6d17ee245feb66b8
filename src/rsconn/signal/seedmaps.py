"""Seed-to-voxel correlation maps from one pass over the volumes, for any number of seeds and recipes.

Denoising by projection leaves the space spanned by P (n_retained, dof), the complement of the design. P = B
C, where B (n_retained, n_band) is the complement of constant, trend and the frequencies outside the band,
which all recipes share, and C that of B'confounds. So B'y, accumulated once per voxel while the volumes pass,
gives for every recipe and seed series s

    r = (P'y).(P's) / (|P'y| |P's|),   P'y = C'(B'y),

without the cancellation of residual sums of squares. Memory is n_voxels x n_band numbers of 4 bytes (for one
recipe P stands in for B: n_voxels x dof), whatever the number of volumes outside the band; voxels are taken in
several passes where that is too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.extraction import Extraction, extract_timeseries
from rsconn.signal.grids import find_reach, make_filter, smooth_voxels
from rsconn.signal.projection import Band, find_remainder, leave_confounds, make_band_complement
from rsconn.signal.weights import RoiWeights, find_sigmas

_MAX_WAITING, _WAITING_BYTES = 32, 14 << 20  # volumes per matrix product: more are faster and take memory
_CHUNK = 4096  # voxels per matrix product: its result stays in the processor's cache


@dataclass(frozen=True)
class SeedMaps:
    """Correlation of every seed with every voxel, for every recipe.

    Attributes
    ----------
    r : ndarray of shape (n_recipes, n_seeds, n_voxels), float32
        Pearson correlations of cleaned series; NaN for a voxel (or seed) that has no variance left or is not
        finite.
    dof : tuple of int
        Degrees of freedom that each recipe leaves.
    """

    r: NDArray[np.float32]
    dof: tuple[int, ...]


class BandProducts:
    """B'y of every voxel, accumulated while the volumes pass.

    The voxel's value in the first retained volume is subtracted first. B is orthogonal to constants, so this
    changes nothing but keeps the numbers small enough for float32.

    Parameters
    ----------
    basis : ndarray of shape (n_retained, n_band)
        See `rsconn.signal.projection.make_band_complement`.
    sample_mask : ndarray of shape (n_volumes,), bool
        True = retained; other volumes are passed over.
    voxels : ndarray of shape (n_voxels,), int
        Flat indices of the voxels to keep.
    """

    def __init__(
        self, basis: NDArray[np.float64], sample_mask: NDArray[np.bool_], voxels: NDArray[np.intp]
    ) -> None:
        self._basis = basis.astype(np.float32)
        self._sample_mask = sample_mask
        self._voxels = voxels
        self._products = np.zeros((len(voxels), basis.shape[1]), np.float32)
        self._reference: NDArray[Any] | None = None
        self._waiting: NDArray[Any] | None = None
        self._n_seen = self._n_used = self._n_waiting = 0

    def add(self, volume: NDArray[Any]) -> None:
        """Take the next volume (flat, file order) into account if it is retained."""
        retained = self._sample_mask[self._n_seen]
        self._n_seen += 1
        if not retained:
            return
        if self._waiting is None:
            n_waiting = _WAITING_BYTES // max(len(self._voxels) * volume.dtype.itemsize, 1)
            self._waiting = np.empty((min(max(n_waiting, 8), _MAX_WAITING), len(self._voxels)), volume.dtype)
        np.take(volume, self._voxels, out=self._waiting[self._n_waiting], mode="clip")
        self._n_waiting += 1
        if self._n_waiting == len(self._waiting):
            self._multiply()

    def _multiply(self) -> None:
        """Bring the products up to date with the volumes that wait."""
        if self._waiting is None or not self._n_waiting:
            return
        waiting = self._waiting[: self._n_waiting]
        if self._reference is None:
            self._reference = waiting[0].copy()
        rows = self._basis[self._n_used : self._n_used + len(waiting)]
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, len(self._voxels), _CHUNK):
                chunk = slice(start, start + _CHUNK)
                self._products[chunk] += _subtract(waiting[:, chunk], self._reference[chunk]).T @ rows
        self._n_used += len(waiting)
        self._n_waiting = 0

    def finish(self) -> NDArray[np.float32]:
        """Return the products (n_voxels, n_band) after the last volume.

        Raises
        ------
        ValueError
            If fewer volumes came than the sample mask has.
        """
        self._multiply()
        if self._n_seen != len(self._sample_mask):
            raise ValueError(f"{self._n_seen} volumes came, the sample mask has {len(self._sample_mask)}")
        self._waiting = None
        return self._products


def _subtract(volumes: NDArray[Any], reference: NDArray[Any]) -> NDArray[np.float32]:
    """Return deviations from the reference in float32, without the overflow of small integer types."""
    exact = volumes.dtype.itemsize <= 2 or volumes.dtype.newbyteorder("=") == np.float32
    wide: type[np.floating[Any]] = np.float32 if exact else np.float64
    deviations = np.subtract(volumes, reference, dtype=wide, casting="unsafe")
    return np.asarray(deviations, np.float32)


def correlate_seeds(
    products: NDArray[np.float32],
    basis: NDArray[np.float64],
    recipes: Sequence[NDArray[np.float64]],
    seeds: NDArray[np.float64],
    *,
    rows: NDArray[np.intp] | None = None,
) -> SeedMaps:
    """Return the correlation maps of every recipe and seed.

    Parameters
    ----------
    products : ndarray of shape (n_voxels, n_band)
        B'y (`BandProducts`), smoothed if smoothed maps are wanted (`rsconn.signal.grids.smooth_voxels`).
    basis : ndarray of shape (n_retained, n_band)
        B.
    recipes : sequence of ndarray of shape (n_retained, n_confounds)
        Confounds of each recipe on the retained volumes; a recipe may have none (0 columns).
    seeds : ndarray of shape (n_retained, n_seeds)
        The seeds' series on the retained volumes, not denoised.
    rows : ndarray of shape (n_wanted,), int, optional
        Which voxels' maps are wanted; all if not given.
    """
    n_voxels = len(products) if rows is None else len(rows)
    r = np.empty((len(recipes), seeds.shape[1], n_voxels), np.float32)
    dof = []
    for recipe, confounds in enumerate(recipes):
        remainder = find_remainder(basis, confounds)
        dof.append(remainder.shape[1])
        known = _normalise(remainder.T @ (basis.T @ seeds))
        for start in range(0, n_voxels, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            part = products[chunk if rows is None else rows[chunk]]
            r[recipe, :, chunk] = _correlate(part, remainder.astype(np.float32), known).T
    return SeedMaps(r, tuple(dof))


def find_nonfinite(products: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which voxels have a product that is not finite, (n_voxels,)."""
    starts = range(0, len(products), _CHUNK)
    parts = [~np.isfinite(products[start : start + _CHUNK]).all(axis=1) for start in starts]
    return np.concatenate([np.empty(0, bool), *parts])


def _normalise(series: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(series / np.linalg.norm(series, axis=0), np.float32)


def _correlate(
    products: NDArray[np.float32], remainder: NDArray[np.float32], seeds: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the correlations (n_voxels, n_seeds) of a few voxels."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        cleaned = products @ remainder
        lengths = np.sqrt(np.einsum("vk,vk->v", cleaned, cleaned))
        return np.asarray((cleaned @ seeds) / lengths[:, None])


def compute_fisher_z(r: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return Fisher's z of correlations; |r| is held below 1 - 1e-6, where a seed meets itself.

    Examples
    --------
    >>> compute_fisher_z(np.array([0.5, 1.0], np.float32)).round(3).tolist()
    [0.5490000247955322, 7.254000186920166]
    """
    limit = 1.0 - 1e-6
    return np.asarray(np.arctanh(np.clip(r, -limit, limit, dtype=np.float64)), np.float32)


_MAX_BYTES = 1 << 30
OpenVolumes = Callable[[], Iterator[NDArray[Any]]]


@dataclass(frozen=True)
class SeedRecipes:
    """What the maps of one run share, and how they differ.

    Attributes
    ----------
    t_r : float
        Repetition time, s.
    band : (float or None, float or None)
        High-pass and low-pass, Hz.
    sample_mask : ndarray of shape (n_volumes,), bool
        True = retained.
    confounds : sequence of ndarray of shape (n_volumes, n_confounds)
        One array per recipe.
    seeds : sequence of int
        Rows of the weights that are seeds.
    smoothing_fwhm_mm : float
        Smoothing of the maps' voxels, 0 for none; that of the seeds is the weights' own.
    """

    t_r: float
    band: Band
    sample_mask: NDArray[np.bool_]
    confounds: Sequence[NDArray[np.float64]]
    seeds: Sequence[int]
    smoothing_fwhm_mm: float = 0.0


def extract_seed_maps(
    open_volumes: OpenVolumes,
    weights: RoiWeights,
    mask: NDArray[np.bool_],
    recipes: SeedRecipes,
    *,
    affine: NDArray[np.float64],
    slope: float = 1.0,
    intercept: float = 0.0,
    n_nonsteady: int = 0,
    max_bytes: int = _MAX_BYTES,
) -> tuple[Extraction, SeedMaps]:
    """Extract the series of every region and correlate the seeds among them with every voxel of the mask.

    One pass serves both; more are made if the products of all voxels would exceed `max_bytes`, or a voxel has
    to leave a region. Smoothed maps are those of the image smoothed before masking, as in nilearn: the
    smoothing is applied to the band's products, which is the same because both are linear.

    Parameters
    ----------
    open_volumes, weights, mask, slope, intercept, n_nonsteady
        See `rsconn.signal.extraction.extract_timeseries`.
    recipes : SeedRecipes
        Band, censoring, confounds and seeds.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres, for smoothing.
    max_bytes : int
        Room for the products.

    Returns
    -------
    extraction : Extraction
        Series of all regions.
    maps : SeedMaps
        Correlations, voxels in the order of `flatnonzero(mask)`.
    """
    retained = recipes.sample_mask
    basis = make_band_complement(len(retained), recipes.t_r, recipes.band, retained)
    confounds = [each[retained] for each in recipes.confounds]
    if len(confounds) == 1:  # what one recipe leaves is smaller than what all share
        basis, confounds = leave_confounds(basis, confounds[0]), [confounds[0][:, :0]]
    sigmas = find_sigmas(affine, recipes.smoothing_fwhm_mm)
    first, *others = _split(mask, weights.shape, sigmas, max_bytes // (4 * max(basis.shape[1], 1)))
    sink = BandProducts(basis, retained, first.voxels)
    extraction = extract_timeseries(
        open_volumes,
        weights,
        mask,
        slope=slope,
        intercept=intercept,
        n_nonsteady=n_nonsteady,
        watch=sink.add,
    )
    # Seeds are in image units and products in stored ones: a negative slope would turn every sign.
    seeds = np.sign(slope) * extraction.timeseries[retained][:, list(recipes.seeds)]
    maps = [first.correlate(sink.finish(), basis, confounds, seeds)]
    for part in others:
        sink = BandProducts(basis, retained, part.voxels)
        for volume in open_volumes():
            sink.add(volume)
        maps.append(part.correlate(sink.finish(), basis, confounds, seeds))
    return extraction, SeedMaps(np.concatenate([each.r for each in maps], axis=2), maps[0].dof)


@dataclass(frozen=True)
class _Part:
    """Voxels of the mask that are done in one pass, and those that their smoothing needs as well (flat, sorted)."""

    wanted: NDArray[np.intp]
    voxels: NDArray[np.intp]
    sigmas: NDArray[np.float64]
    shape: tuple[int, int, int]

    def correlate(
        self,
        products: NDArray[np.float32],
        basis: NDArray[np.float64],
        confounds: Sequence[NDArray[np.float64]],
        seeds: NDArray[np.float64],
    ) -> SeedMaps:
        """Smooth the products, in place, if that is asked for, and correlate those of the wanted voxels."""
        if not self.sigmas.any():
            return correlate_seeds(products, basis, confounds, seeds)
        self._smooth(products)
        rows = np.searchsorted(self.voxels, self.wanted)
        return correlate_seeds(products, basis, confounds, seeds, rows=rows)

    def _smooth(self, products: NDArray[np.float32]) -> None:
        """A voxel that is not finite counts as 0 for its neighbours, as in nilearn, and stays NaN itself."""
        lost = np.flatnonzero(find_nonfinite(products))
        products[lost] = 0
        indices = _locate(self.voxels, self.shape)
        low, high = indices.min(axis=1), indices.max(axis=1) + 1
        bounds = zip(self.sigmas, self.shape, low, high, strict=True)
        filters = [make_filter(sigma, *(int(n) for n in rest)) for sigma, *rest in bounds]
        smooth_voxels(products, indices - low[:, None], filters)
        products[lost] = np.nan


def _locate(voxels: NDArray[np.intp], shape: tuple[int, int, int]) -> NDArray[np.int32]:
    """Return the place of each voxel along x, y and z, (3, n_voxels); small numbers, since there are many."""
    places = np.empty((3, len(voxels)), np.int32)
    plane, places[0] = np.divmod(voxels, shape[0])
    places[2], places[1] = np.divmod(plane, shape[1])
    return places


def _split(
    mask: NDArray[np.bool_], shape: tuple[int, int, int], sigmas: NDArray[np.float64], max_voxels: int
) -> list[_Part]:
    """Split the mask into slabs along z whose voxels, neighbours included, number at most about `max_voxels`."""
    wanted = np.flatnonzero(mask)
    whole = _make_part(wanted, shape, sigmas)
    n_parts = -(-len(whole.voxels) // max(max_voxels, 1))
    if n_parts <= 1:
        return [whole]
    return [_make_part(part, shape, sigmas) for part in np.array_split(wanted, min(n_parts, len(wanted)))]


def _make_part(wanted: NDArray[np.intp], shape: tuple[int, int, int], sigmas: NDArray[np.float64]) -> _Part:
    return _Part(wanted, find_reach(wanted, shape, sigmas) if sigmas.any() else wanted, sigmas, shape)
