"""Regions found without a person, and that person's mean there: leave-one-subject-out.

For each person the model is fitted to all others, clusters are formed at the threshold of the group map, and the
person's own map is averaged over them. A person takes no part in finding the own region, but in all others'
regions, so the means depend on each other and the usual p of their model is wrong. The p here is of a
permutation that repeats everything: Freedman-Lane outcomes of all people, all folds, regions, means and model.

References
----------
Freedman & Lane (1983), J Bus Econ Stat 1:292-298; Esterman et al. (2010), NeuroImage 50:572-576.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.inference.folds import Selection, make_folds
from rsconn.inference.map_orders import draw_map_orders
from rsconn.inference.model import Floats, Integers
from rsconn.inference.voxelwise import TIE

# Voxels of all permutations judged together; the result does not depend on it.
BATCH = 1 << 18


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What the regions found without each person say; row 0 of pairs is of positive t, row 1 of negative.

    Attributes
    ----------
    means : ndarray, shape (2, n_people)
        Mean of each person's map over the region that the others' maps have; NaN where they have none.
    counts : ndarray of int, shape (2, n_voxels)
        In how many folds the region holds the voxel.
    estimate : ndarray, shape (2,)
        Coefficient of what is tested in the model fitted to the means, in the maps' units; NaN as t. Descriptive.
    t : ndarray, shape (2,)
        Classical t of the model fitted to the means, positive if it has the region's direction. It has no t
        distribution, not even without any effect. NaN where the people with a mean cannot be tested.
    p : ndarray, shape (2,)
        (b + 1) / (B + 1), b the permutations whose larger t of both directions is at least t; NaN as t.
    null : ndarray, shape (n_permutations,)
        That larger t; 0 where no region is found or both t are below 0.
    """

    means: Floats
    counts: Integers
    estimate: Floats
    t: Floats
    p: Floats
    null: Floats


def permute_left_out(
    maps: NDArray[Any],
    tested: Floats,
    nuisance: Floats,
    neighbours: Integers,
    selection: Selection,
    *,
    n_permutations: int,
    seed: int,
    blocks: Integers | None = None,
    units: Integers | None = None,
) -> LeftOut:
    """Find regions without each person, and test the people's means there by repeating the selection.

    Parameters
    ----------
    maps : ndarray, shape (n_people, n_voxels)
        Voxels that everybody covers.
    tested : ndarray, shape (n_people,)
    nuisance : ndarray, shape (n_people, q)
        Everything adjusted for, the constant among it.
    neighbours : ndarray of int, shape (3, n_voxels)
        See `rsconn.inference.clusters.find_neighbours`.
    selection : Selection
        How regions are found in every fold and permutation.
    n_permutations : int
        B.
    seed : int
        Orders are those of `rsconn.inference.voxelwise.permute_maps`.
    blocks : ndarray of int, shape (n_people,), optional
        People are exchangeable only within a block.
    units : ndarray of int, shape (n_people,), optional
        Families, exchanged as wholes.

    Raises
    ------
    ValueError
        The design is rank-deficient, with everybody or without somebody.
    """
    orders = draw_map_orders(len(tested), blocks, units, n_permutations, seed)
    return apply_orders_left_out(maps, tested, nuisance, neighbours, selection, orders)


def apply_orders_left_out(
    maps: NDArray[Any],
    tested: Floats,
    nuisance: Floats,
    neighbours: Integers,
    selection: Selection,
    orders: Integers,
) -> LeftOut:
    """As `permute_left_out`, with the orders given; outcome i is residual ``orders[b, i]``."""
    folds = make_folds(np.asarray(maps), tested, nuisance)
    means, found = folds.find_means(np.arange(len(tested))[None, :], neighbours, selection)
    t = folds.compute_t(means)[0]
    null = np.zeros(len(orders))
    step = max(BATCH // maps.shape[1], 1)
    for start in range(0, len(orders), step):
        part, _ = folds.find_means(orders[start : start + step], neighbours, selection)
        null[start : start + step] = np.fmax(folds.compute_t(part), 0).max(axis=1)
    counts = [np.bincount(found.voxel[found.t * sign > 0], minlength=maps.shape[1]) for sign in (1, -1)]
    # rounding differs between the observed order on its own and the same order among others
    extreme = (null[:, None] >= t * (1 - TIE * np.sign(t))).sum(axis=0)
    p = np.where(np.isnan(t), np.nan, (extreme + 1) / (len(orders) + 1))
    estimate = np.array([_estimate(row, tested, nuisance) for row in means[0]])
    return LeftOut(means[0], np.array(counts), np.where(np.isnan(t), np.nan, estimate), t, p, null)


def _estimate(means: Floats, tested: Floats, nuisance: Floats) -> float:
    present = np.isfinite(means)
    design = np.column_stack([tested, nuisance])[present]
    return float(np.linalg.lstsq(design, means[present], rcond=None)[0][0])
