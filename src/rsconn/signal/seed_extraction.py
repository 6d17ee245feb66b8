"""ROI series and seed maps of one run in the same pass over its volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.bands import Band
from rsconn.signal.complement import leave_confounds, make_band_complement
from rsconn.signal.extraction import Extraction, extract_timeseries
from rsconn.signal.seedmaps import BandProducts, SeedMaps, correlate_seeds, find_nonfinite
from rsconn.signal.smoothing import find_reach, make_filter, smooth_voxels
from rsconn.signal.weights import RoiWeights, find_sigmas

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
