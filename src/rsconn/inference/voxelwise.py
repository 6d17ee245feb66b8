"""Maps of many people against one model: voxels, clusters and TFCE, corrected by the same null outcomes.

Freedman-Lane: the residuals of the nuisance model change places or signs, the whole model is fitted to each such
outcome, and what is kept of it is its largest |t|, its largest cluster and its largest TFCE. Exchanging places
takes the residuals to be alike, flipping signs to be symmetric, each with a variance of its own.

References
----------
Freedman & Lane (1983), J Bus Econ Stat 1:292-298; Winkler et al. (2014), NeuroImage 92:381-397; Smith &
Nichols (2009), NeuroImage 44:83-98.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rsconn.inference.clusters import compute_tfce, find_ceiling, form_clusters
from rsconn.inference.exceedances import (
    Exceedances,
    choose_batch,
    compute_t_maps,
    find_exceedances,
    find_largest,
)
from rsconn.inference.model import Floats, Integers, is_full_rank
from rsconn.inference.patches import (
    Exchange,
    Patch,
    draw_map_orders,
    draw_map_signs,
    leave_out_broken,
    split_patches,
)

# Voxels of all maps whose t are computed, and that are enhanced, at once.
T_VOXELS, TFCE_VOXELS = 4_000_000, 400_000
# Voxels whose observed t are computed at once, a multiple of the stripes'.
_BLOCK = 8192
# The largest |t| is looked for among the voxels beyond this p, and elsewhere only if there is none.
_SEARCH_P = 0.001
# Two orders of summation differ by rounding: equal statistics are ties, not smaller ones.
TIE = 1e-9


@dataclass(frozen=True, eq=False)
class Maxima:
    """The largest statistics of each null outcome: the null distributions.

    Attributes
    ----------
    t : ndarray, shape (n_permutations,)
        Largest |t| of any voxel.
    size : ndarray of int, shape (n_permutations,)
        Voxels of the largest cluster, 0 if there is none.
    mass : ndarray, shape (n_permutations,)
        Largest sum of |t| - threshold in a cluster.
    tfce : ndarray, shape (n_permutations,), or None
        Largest |TFCE| of any voxel.
    """

    t: Floats
    size: Integers
    mass: Floats
    tfce: Floats | None


@dataclass(frozen=True, eq=False)
class MapTest:
    """What the maps say, voxel by voxel and cluster by cluster; all p are two-sided and family-wise corrected.

    Attributes
    ----------
    t : ndarray, shape (n_voxels,)
        Classical t from the people who cover the voxel; NaN where it cannot be tested.
    dof : ndarray of int, shape (n_voxels,)
        Its degrees of freedom, 0 where it cannot be tested.
    p : ndarray, shape (n_voxels,)
        By the largest |t|.
    threshold : float
        Cluster-forming |t|.
    labels : ndarray of int, shape (n_voxels,)
        Cluster of each voxel, counted from 1, the largest mass first; 0 outside.
    sizes, masses : ndarray, shape (n_clusters,)
        Voxels, and sums of |t| - threshold.
    size_p, mass_p : ndarray, shape (n_clusters,)
        By the largest cluster.
    tfce, tfce_p : ndarray, shape (n_voxels,), or None
        Signed TFCE, and p by the largest.
    null : Maxima
        The null distributions.
    n_lacking : int
        Voxels tested without a covariate that is constant among those who cover them.
    """

    t: Floats
    dof: Integers
    p: Floats
    threshold: float
    labels: Integers
    sizes: Integers
    masses: Floats
    size_p: Floats
    mass_p: Floats
    tfce: Floats | None
    tfce_p: Floats | None
    null: Maxima
    n_lacking: int = 0


def permute_maps(
    maps: NDArray[Any],
    tested: Floats,
    nuisance: Floats,
    neighbours: Integers,
    *,
    n_permutations: int,
    seed: int,
    cluster_forming_p: float = 0.001,
    tfce: bool = True,
    blocks: Integers | None = None,
    units: Integers | None = None,
) -> MapTest:
    """Test one column of a design in every voxel.

    Parameters
    ----------
    maps : ndarray, shape (n_people, n_voxels)
        NaN where a person does not cover a voxel: that voxel's model is of the others. Where people differ
        between voxels so do the degrees of freedom, and t are compared across voxels by their p.
    tested : ndarray, shape (n_people,)
    nuisance : ndarray, shape (n_people, q)
        Everything adjusted for, the constant among it.
    neighbours : ndarray of int, shape (3, n_voxels)
        See `rsconn.inference.clusters.find_neighbours`.
    n_permutations : int
        B; p are (b + 1) / (B + 1).
    seed : int
        Orders depend on it and the number of people only.
    cluster_forming_p : float
        Two-sided, uncorrected.
    tfce : bool
        TFCE takes most of the time.
    blocks : ndarray of int, shape (n_people,), optional
        People are exchangeable only within a block (a site, for example).
    units : ndarray of int, shape (n_people,), optional
        Families, exchanged as wholes. One of whom a member does not cover a voxel is left out there.

    Raises
    ------
    ValueError
        If the design is rank-deficient or has no constant.
    """
    orders = draw_map_orders(len(tested), blocks, units, n_permutations, seed)
    if units is not None:
        maps = leave_out_broken(maps, units)
    return apply_arrangements(
        maps, tested, nuisance, neighbours, orders, cluster_forming_p=cluster_forming_p, tfce=tfce
    )


def flip_maps(
    maps: NDArray[Any],
    tested: Floats,
    nuisance: Floats,
    neighbours: Integers,
    *,
    n_flips: int,
    seed: int,
    cluster_forming_p: float = 0.001,
    tfce: bool = True,
    units: Integers | None = None,
) -> MapTest:
    """As `permute_maps`, with the signs of the null-model's residuals flipped: groups may differ in variance.

    Parameters
    ----------
    n_flips : int
        B; p are (b + 1) / (B + 1).
    seed : int
        Signs depend on it and the number of people only.
    units : ndarray of int, shape (n_people,), optional
        Families, whose members' residuals share one sign.

    Raises
    ------
    ValueError
        If the design is rank-deficient or has no constant.

    References
    ----------
    Winkler et al. (2014), NeuroImage 92:381-397 (sign flips of independent, symmetric errors).
    """
    signs = draw_map_signs(len(tested), units, n_flips, seed)
    return apply_arrangements(
        maps, tested, nuisance, neighbours, signs, "signs", cluster_forming_p=cluster_forming_p, tfce=tfce
    )


def apply_arrangements(
    maps: NDArray[Any],
    tested: Floats,
    nuisance: Floats,
    neighbours: Integers,
    arrangements: Integers | Floats,
    exchange: Exchange = "orders",
    *,
    cluster_forming_p: float = 0.001,
    tfce: bool = True,
) -> MapTest:
    """As `permute_maps` or `flip_maps`, with the orders or signs given (`rsconn.inference.patches.Exchange`)."""
    _check_design(tested, nuisance)
    patches = tuple(split_patches(maps, tested, nuisance, exchange))
    full_dof = len(tested) - nuisance.shape[1] - 1
    threshold = float(-special.stdtrit(full_dof, cluster_forming_p / 2))
    null = find_maxima(patches, arrangements, neighbours, threshold, tfce=tfce)
    return _judge(patches, neighbours, threshold, null)


def _check_design(tested: Floats, nuisance: Floats) -> None:
    if len(tested) <= nuisance.shape[1] + 1 or not is_full_rank(np.column_stack([tested, nuisance])):
        raise ValueError("rank-deficient: what is tested cannot be told apart from the nuisance")
    constant = np.ones(len(tested))
    fitted = nuisance @ np.linalg.lstsq(nuisance, constant, rcond=None)[0]
    if not np.allclose(fitted, constant):
        raise ValueError("the nuisance has no constant; null outcomes need one")


def find_maxima(
    patches: Sequence[Patch], orders: Integers | Floats, neighbours: Integers, threshold: float, *, tfce: bool
) -> Maxima:
    """Return the largest statistics under each order, a batch of orders at a time."""
    step = choose_batch(patches[0]) if patches else len(orders)
    batches = [orders[start : start + step] for start in range(0, len(orders), step)]
    parts = [_find_maxima(patches, batch, neighbours, threshold) for batch in batches]
    t, size, mass = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Maxima(t, size, mass, _find_largest_tfce(patches, orders, neighbours) if tfce else None)


def _find_maxima(
    patches: Sequence[Patch], orders: Integers | Floats, neighbours: Integers, threshold: float
) -> tuple[Floats, Integers, Floats]:
    search = float(-special.stdtrit(patches[0].full_dof, _SEARCH_P / 2)) if patches else threshold
    found = find_exceedances(patches, orders, min(search, threshold))
    t = np.zeros(len(orders))
    np.maximum.at(t, found.permutation, np.abs(found.t))
    missing = np.flatnonzero(t == 0)
    t[missing] = find_largest(patches, orders[missing])
    clusters = form_clusters(found.above(threshold), neighbours, threshold)
    size, mass = np.zeros(len(orders), np.int64), np.zeros(len(orders))
    np.maximum.at(size, clusters.permutation, clusters.sizes)
    np.maximum.at(mass, clusters.permutation, clusters.masses)
    return t, size, mass


def _find_largest_tfce(patches: Sequence[Patch], orders: Integers | Floats, neighbours: Integers) -> Floats:
    n_voxels = neighbours.shape[1]
    width = min(max(T_VOXELS // n_voxels, 1), 64)
    ceiling = find_ceiling(patches[0].full_dof) if patches else float("inf")
    largest = []
    for start in range(0, len(orders), width):
        t = compute_t_maps(patches, orders[start : start + width], n_voxels)
        step = max(TFCE_VOXELS // n_voxels, 1)
        parts = [
            compute_tfce(t[place : place + step], neighbours, ceiling) for place in range(0, len(t), step)
        ]
        largest += [np.abs(part).max(axis=1) for part in parts]
    return np.concatenate(largest)


def _judge(patches: Sequence[Patch], neighbours: Integers, threshold: float, null: Maxima) -> MapTest:
    """Compare the observed maps with the null distributions."""
    n_voxels = neighbours.shape[1]
    t, comparable, dof = compute_observed(patches, n_voxels)
    above = np.flatnonzero(np.abs(comparable) > threshold)
    found = Exceedances(np.zeros(len(above), np.int64), above, comparable[above])
    clusters = form_clusters(found, neighbours, threshold)
    ranked = np.lexsort((-clusters.sizes, -clusters.masses))
    labels = np.zeros(n_voxels, np.int64)
    labels[above] = np.argsort(ranked)[clusters.labels] + 1
    tested = np.isfinite(t)
    enhanced = tfce_p = None
    if null.tfce is not None:
        ceiling = find_ceiling(patches[0].full_dof) if patches else float("inf")
        observed = compute_t_maps(patches, _get_identity(patches), n_voxels)
        [enhanced] = compute_tfce(observed, neighbours, ceiling)
        enhanced = np.where(tested, enhanced, np.nan)
        tfce_p = np.where(tested, compute_corrected_p(enhanced, null.tfce), np.nan)
    return MapTest(
        t=t,
        dof=dof,
        p=np.where(tested, compute_corrected_p(comparable, null.t), np.nan),
        threshold=threshold,
        labels=labels,
        sizes=clusters.sizes[ranked],
        masses=clusters.masses[ranked],
        size_p=compute_corrected_p(clusters.sizes[ranked], null.size),
        mass_p=compute_corrected_p(clusters.masses[ranked], null.mass),
        tfce=enhanced,
        tfce_p=tfce_p,
        n_lacking=sum(len(patch.voxels) for patch in patches if patch.lacks_covariate),
        null=null,
    )


def _get_identity(patches: Sequence[Patch]) -> Integers | Floats:
    return patches[0].identity if patches else np.zeros((1, 1))


def compute_observed(patches: Sequence[Patch], n_voxels: int) -> tuple[Floats, Floats, Integers]:
    """Return each voxel's t, its t on the scale of the full degrees of freedom, and its degrees of freedom."""
    t, comparable = np.full(n_voxels, np.nan), np.full(n_voxels, np.nan)
    dof = np.zeros(n_voxels, np.int64)
    for patch in patches:
        rows = patch.make_rows(patch.identity)[:, 0]
        for start in range(0, len(patch.voxels), _BLOCK):
            residuals = patch.read_residuals(start, min(start + _BLOCK, len(patch.voxels)))
            has_variance = residuals.any(axis=1)
            voxels = patch.voxels[start : start + _BLOCK][has_variance]
            products = rows @ residuals[has_variance].T
            t[voxels], comparable[voxels] = patch.compute_t(products), patch.combine(products)
            dof[voxels] = patch.dof
    return t, comparable, dof


def compute_corrected_p(observed: NDArray[Any], null: NDArray[Any]) -> Floats:
    """Return (b + 1) / (B + 1), b the permutations whose maximum is at least |observed|.

    Examples
    --------
    >>> compute_corrected_p(np.array([-3.0, 1.5]), np.array([1.0, 2.0, 3.0])).tolist()
    [0.5, 0.75]
    """
    ordered = np.sort(null)
    smaller = np.searchsorted(ordered, np.abs(observed) * (1 - TIE), side="left")
    return np.asarray((len(null) - smaller + 1) / (len(null) + 1))


def compute_critical(null: NDArray[Any], alpha: float) -> float:
    """Return the value that a statistic must exceed for p <= alpha; infinite if no value would do.

    Examples
    --------
    >>> compute_critical(np.arange(1.0, 20), 0.1)
    18.0
    """
    # p = (b + 1) / (B + 1) <= alpha allows b of the maxima to be as large
    allowed = int(np.floor(alpha * (len(null) + 1) + 1e-9)) - 1
    return float(np.sort(null)[::-1][allowed]) if 0 <= allowed < len(null) else float("inf")
