"""Clusters of voxels that share a face and a sign: labels, extent and mass, for many maps at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from rsconn.inference.exceedances import Exceedances
from rsconn.inference.model import Floats, Integers


def find_neighbours(voxels: Integers, shape: tuple[int, int, int]) -> Integers:
    """Return each voxel's next voxel along x, y and z, -1 where it is not in the mask.

    Parameters
    ----------
    voxels : ndarray of int, shape (n_voxels,)
        Flat indices in file order (x fastest), ascending.
    shape : (int, int, int)
        The grid.

    Returns
    -------
    ndarray of int, shape (3, n_voxels)
        Places in `voxels`.

    Examples
    --------
    >>> find_neighbours(np.array([0, 1, 2, 3]), (3, 2, 1))
    array([[ 1,  2, -1, -1],
           [ 3, -1, -1, -1],
           [-1, -1, -1, -1]])
    """
    place = np.full(int(np.prod(shape)), -1)
    place[voxels] = np.arange(len(voxels))
    steps = np.cumprod((1, *shape[:2]))
    coordinates = np.unravel_index(voxels, shape, order="F")
    neighbours = np.full((3, len(voxels)), -1)
    for axis in range(3):
        inside = coordinates[axis] + 1 < shape[axis]
        neighbours[axis, inside] = place[voxels[inside] + steps[axis]]
    return neighbours


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of some maps.

    Attributes
    ----------
    labels : ndarray of int, shape (n_exceedances,)
        Cluster of each exceedance.
    permutation : ndarray of int, shape (n_clusters,)
        Map of each cluster.
    sizes : ndarray of int, shape (n_clusters,)
        Voxels.
    masses : ndarray, shape (n_clusters,)
        Sum of |t| - threshold.
    """

    labels: Integers
    permutation: Integers
    sizes: Integers
    masses: Floats


def form_clusters(found: Exceedances, neighbours: Integers, threshold: float) -> Clusters:
    """Join the exceedances of each map that share a face and have one sign.

    Parameters
    ----------
    found : Exceedances
        Ordered by map and voxel.
    neighbours : ndarray of int, shape (3, n_voxels)
        See `find_neighbours`.
    threshold : float
        What they exceed.
    """
    n = len(found.t)
    one, other = _join(found, neighbours)
    graph = sparse.coo_matrix((np.ones(len(one), np.int8), (one, other)), shape=(n, n))
    n_clusters, labels = sparse.csgraph.connected_components(graph.tocsr(), directed=False)
    permutation = np.empty(n_clusters, dtype=np.int64)
    permutation[labels] = found.permutation
    return Clusters(
        labels=labels.astype(np.int64),
        permutation=permutation,
        sizes=np.bincount(labels, minlength=n_clusters),
        masses=np.bincount(labels, np.abs(found.t) - threshold, minlength=n_clusters).astype(np.float64),
    )


def _join(found: Exceedances, neighbours: Integers) -> tuple[Integers, Integers]:
    """Return the pairs of exceedances that touch, by their places."""
    n_voxels = neighbours.shape[1]
    keys = found.permutation * n_voxels + found.voxel
    # most exceedances have no neighbour: a small table of the keys' last digits says so of nearly all of them
    digits = (1 << max(int(16 * len(keys)).bit_length(), 4)) - 1
    taken = np.zeros(digits + 1, bool)
    taken[keys & digits] = True
    start = keys - found.voxel
    pairs = []
    for ahead in neighbours:
        target = ahead[found.voxel]
        one = np.flatnonzero((target >= 0) & taken[(start + target) & digits])
        wanted = start[one] + target[one]
        other = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        touching = (keys[other] == wanted) & ((found.t[one] > 0) == (found.t[other] > 0))
        pairs.append((one[touching], other[touching]))
    return np.concatenate([pair[0] for pair in pairs]), np.concatenate([pair[1] for pair in pairs])
