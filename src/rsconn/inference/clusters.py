"""Clusters of voxels that share a face and a sign: labels, extent and mass, for many maps at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, special

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


N_LEVELS = 100
_EXTENT_POWER, _HEIGHT_POWER = 0.5, 2.0


def find_ceiling(dof: int) -> float:
    """Return the |t| beyond which data have no noise: p below 1e-16, and 99 % of the variance explained.

    Examples
    --------
    >>> find_ceiling(31).__round__(1), find_ceiling(3) > 1e5
    (55.4, True)
    """
    return max(float(-special.stdtrit(dof, 0.5e-16)), float(np.sqrt(99 * dof)))


def find_top(t: NDArray[np.floating], ceiling: float) -> Floats:
    """Return the largest |t| of each map (n_maps, 1) that is no higher than the ceiling, or of all if none is lower."""
    heights = np.abs(t)
    usual = np.where(heights > ceiling, 0.0, heights).max(axis=1, keepdims=True)
    return np.asarray(np.where(usual > 0, usual, heights.max(axis=1, keepdims=True)), np.float64)


def compute_tfce(t: NDArray[np.floating], neighbours: Integers, ceiling: float = float("inf")) -> Floats:
    """Return signed TFCE values.

    Parameters
    ----------
    t : ndarray, shape (n_maps, n_voxels)
        Finite; 0 where there is nothing.
    neighbours : ndarray of int, shape (3, n_voxels)
        See `rsconn.inference.clusters.find_neighbours`.
    ceiling : float
        What is higher does not set a map's steps, of which there would be none for the others; above the highest
        of the others it counts as one voxel alone.

    Returns
    -------
    ndarray, shape (n_maps, n_voxels)

    Examples
    --------
    >>> row = np.array([[1, 2, -1]] + [[-1, -1, -1]] * 2)
    >>> compute_tfce(np.array([[2.0, 2.0, -1.0]]), row).round(1)
    array([[191.4, 191.4, -17.2]])
    """
    top = find_top(t, ceiling)
    levels = find_levels(t, top)
    values = _grow(levels, neighbours, (top[:, 0] / N_LEVELS) ** _HEIGHT_POWER)
    if (np.abs(t) > top).any():
        # the sum of h^2 over the steps beyond
        values += (np.maximum(np.abs(t), top) ** 3 - top**3) * N_LEVELS / (3 * np.where(top > 0, top, 1.0))
    return np.asarray(np.copysign(values, t))


def find_levels(t: NDArray[np.floating], top: Floats) -> NDArray[np.int8]:
    """Return how many hundredths of its map's top (n_maps, 1) each voxel reaches, with its sign; -100 to 100."""
    # a value that is a height up to rounding reaches it
    scaled = t * (N_LEVELS * (1 + 1e-12) / np.where(top > 0, top, 1.0))
    return np.asarray(np.clip(scaled, -N_LEVELS, N_LEVELS), dtype=np.int8)


def _grow(levels: NDArray[np.int8], neighbours: Integers, unit: Floats) -> Floats:
    """Sum extent^(1/2) h^2 over the levels of every voxel; `unit` is each map's first height squared."""
    voxels, bounds = _sort_by_level(np.abs(levels).ravel())
    place = np.empty(levels.size, np.int32)
    place[voxels] = np.arange(len(voxels), dtype=np.int32)
    edges, edge_bounds = _sort_edges(levels, neighbours, place)
    units = np.repeat(unit, levels.shape[1])[voxels]
    labels, own = np.empty((2, len(voxels)), np.int32)
    sizes, weights = np.empty(0), np.empty(0)
    terms, parents = [], []
    for level in range(N_LEVELS, 0, -1):
        first, last = bounds[level], bounds[level - 1]
        n_nodes = len(sizes) + last - first
        labels[first:last] = np.arange(len(sizes), n_nodes)
        touching = edges[:, edge_bounds[level] : edge_bounds[level - 1]]
        parent = _connect(labels[touching], n_nodes)
        parents.append(parent[: len(sizes)])
        labels[:last] = parent[labels[:last]]
        own[first:last] = labels[first:last]
        sizes = _add_up(parent, np.concatenate([sizes, np.ones(last - first)]))
        joined = np.empty(len(sizes))
        joined[parent] = np.concatenate([weights, units[first:last]])
        weights = joined
        terms.append(sizes**_EXTENT_POWER * level**_HEIGHT_POWER * weights)
    values = np.zeros(levels.size)
    values[voxels] = _sum_down(terms, parents, own, bounds)
    return values.reshape(levels.shape)


def _add_up(groups: NDArray[np.int32], values: Floats) -> Floats:
    return np.asarray(np.bincount(groups, values), np.float64)


def _sort_by_level(levels: NDArray[np.integer]) -> tuple[Integers, Integers]:
    """Return the places of levels above 0 from the highest down, and how many places lie above each level."""
    counts = np.bincount(levels, minlength=N_LEVELS + 1)
    above = np.cumsum(counts[::-1])[::-1] - counts
    # of one byte, so that the stable sort is a radix sort
    order = np.argsort((N_LEVELS - levels).astype(np.uint8), kind="stable")
    return order[: above[0]], above


def _sort_edges(
    levels: NDArray[np.int8], neighbours: Integers, place: NDArray[np.int32]
) -> tuple[NDArray[np.int32], Integers]:
    """Return pairs of neighbours of one sign (2, n_pairs) by the level that both reach, and their bounds."""
    one = np.concatenate([np.flatnonzero(ahead >= 0) for ahead in neighbours]).astype(np.int32)
    other = np.concatenate([ahead[ahead >= 0] for ahead in neighbours]).astype(np.int32)
    here, there = levels.take(one, axis=1), levels.take(other, axis=1)
    # the lower of two positives, the higher of two negatives, below 1 where the signs differ
    both = np.maximum(np.minimum(here, there), -np.maximum(here, there)).ravel()
    found = np.flatnonzero(both > 0)
    order, bounds = _sort_by_level(both[found])
    maps, pairs = np.divmod(found[order].astype(np.int32), len(one))
    maps *= levels.shape[1]
    return np.stack([place[one[pairs] + maps], place[other[pairs] + maps]]), bounds


def _connect(pairs: NDArray[np.int32], n_nodes: int) -> NDArray[np.int32]:
    """Return the component of every node once the pairs (2, n_pairs) are joined."""
    one, other = pairs[:, pairs[0] != pairs[1]]
    # rows of a CSR matrix by hand: scipy's own way would also sort and merge the entries of a row
    starts = np.concatenate([[0], np.cumsum(np.bincount(one, minlength=n_nodes))])
    joins = sparse.csr_matrix((np.ones(len(one)), other[np.argsort(one)], starts), (n_nodes, n_nodes))
    return np.asarray(sparse.csgraph.connected_components(joins, directed=False)[1])


def _sum_down(
    terms: list[Floats], parents: list[NDArray[np.int32]], own: NDArray[np.int32], bounds: Integers
) -> Floats:
    """Add up the terms of every component and of those that contain it; return each voxel's sum."""
    values = np.empty(len(own))
    sums = terms[-1]
    for level in range(1, N_LEVELS + 1):
        part = slice(bounds[level], bounds[level - 1])
        values[part] = sums[own[part]]
        if level < N_LEVELS:
            # a component of the next level lies within its parent at this one
            sums = terms[N_LEVELS - level - 1] + sums[parents[N_LEVELS - level]]
    return values
