"""The orders of maps: one for all voxels, whoever covers them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.inference.arrangements import draw_orders, draw_whole_orders
from rsconn.inference.model import Integers, split_units
from rsconn.inference.patches import allocate


def draw_map_orders(
    n: int, blocks: Integers | None, units: Integers | None, count: int, seed: int
) -> Integers:
    """Draw the orders of n people that a seed and the exchange asked for decide; shape (count, n)."""
    rng = np.random.default_rng([seed, n])
    if units is None:
        return draw_orders(n, blocks, count, rng)
    return draw_whole_orders(units, blocks, count, rng)


def leave_out_broken(maps: NDArray[Any], units: Integers) -> NDArray[Any]:
    """Return maps with NaN for a whole family where one of its members has it.

    Examples
    --------
    >>> leave_out_broken(np.array([[1.0, 2], [np.nan, 3], [4, 5]]), np.array([7, 7, 8]))
    array([[nan,  2.],
           [nan,  3.],
           [ 4.,  5.]])
    """
    kept = allocate(maps.shape) if isinstance(maps, np.memmap) else np.empty_like(maps)
    kept[:] = maps
    for members in split_units(units):
        if members.size > 1:
            kept[np.ix_(members, np.flatnonzero(np.isnan(maps[members]).any(axis=0)))] = np.nan
    return kept
