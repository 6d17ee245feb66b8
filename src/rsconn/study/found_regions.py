"""Regions that a map's significant voxels make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.inference.clusters import find_neighbours, form_clusters
from rsconn.inference.exceedances import Exceedances

# A p is stored as -log10 in float32: equal to alpha up to rounding is significant.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class FoundRegion:
    """Significant voxels that share faces and a sign.

    Attributes
    ----------
    voxels : int array (n,)
        Flat indices in file order.
    peak : int
        That of the largest |t|.
    peak_t : float
        Its t.
    p : float
        The smallest corrected p of the voxels.
    """

    voxels: NDArray[np.intp]
    peak: int
    peak_t: float
    p: float


def find_regions(
    t: FloatArray, log_p: FloatArray, shape: tuple[int, int, int], alpha: float
) -> tuple[FoundRegion, ...]:
    """Return the regions of a map, the largest sum of |t| first.

    Parameters
    ----------
    t : float64 array (n_voxels,)
        The whole grid in file order.
    log_p : float64 array (n_voxels,)
        -log10 of corrected p; 0 where there is none.
    shape : (int, int, int)
        The grid.
    alpha : float
        Voxels with p <= alpha make regions.

    Examples
    --------
    >>> t = np.array([4.0, 5, 1, -6])
    >>> [(region.voxels.tolist(), region.peak_t) for region in find_regions(t, t**2 / 10, (4, 1, 1), 0.05)]
    [([0, 1], 5.0), ([3], -6.0)]
    """
    voxels = np.flatnonzero(log_p >= -np.log10(alpha) - _ROUNDING)
    found = Exceedances(np.zeros(voxels.size, np.int64), np.arange(voxels.size), t[voxels])
    clusters = form_clusters(found, find_neighbours(voxels, shape), 0.0)
    members = [voxels[clusters.labels == label] for label in np.argsort(-clusters.masses, kind="stable")]
    return tuple(_describe(inside, t, log_p) for inside in members)


def _describe(voxels: NDArray[np.intp], t: FloatArray, log_p: FloatArray) -> FoundRegion:
    peak = int(voxels[np.abs(t[voxels]).argmax()])
    return FoundRegion(voxels, peak, float(t[peak]), float(10 ** -log_p[voxels].max()))
