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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.signal.complement import find_remainder

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
        See `rsconn.signal.complement.make_band_complement`.
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
        B'y (`BandProducts`), smoothed if smoothed maps are wanted (`rsconn.signal.smoothing.smooth_voxels`).
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
