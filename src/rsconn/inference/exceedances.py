"""Which voxels exceed a threshold under which permutation: found in float32, judged in float64.

|t| > h is the same as w (x'u)^2 + |N'u|^2 > 1 with w = 1 + dof / h^2. With x scaled by sqrt(w) that is the sum
of the squares of one tall product, so a tile costs a product, a square, a sum and a comparison, all within the
processor's cache. Whatever comes near 1 is computed again in float64: nothing that exceeds is missed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rsconn.inference.model import Floats, Integers
from rsconn.inference.patches import STRIPE, Patch, Singles, match_dof

# Numbers in a tile of products: half a megabyte, so that it stays in the second-level cache with its operands.
TILE = 1 << 17
# Permutations at once, at most; no result depends on them.
BATCH = 256
# OpenBLAS multiplies matrices with fewer multiplications than this without copying them first.
_SMALL = 1_000_000
# Tiles whose candidates are listed at once.
_GROUP = 16
# sqrt(w) may be this large before float32 could miss an exceedance; |t| is then about sqrt(dof) / 100
_LARGEST_SCALE = 100.0


@dataclass(frozen=True, eq=False)
class Exceedances:
    """Voxels with |t| above a threshold, ordered by permutation and voxel.

    Attributes
    ----------
    permutation, voxel : ndarray of int, shape (n,)
    t : ndarray, shape (n,)
    """

    permutation: Integers
    voxel: Integers
    t: Floats

    def above(self, threshold: float) -> Exceedances:
        """Return those above a higher threshold."""
        kept = np.abs(self.t) > threshold
        return Exceedances(self.permutation[kept], self.voxel[kept], self.t[kept])


def find_exceedances(patches: Sequence[Patch], orders: Integers, threshold: float) -> Exceedances:
    """Return every voxel and order with |t| > threshold.

    Parameters
    ----------
    patches : sequence of Patch
    orders : ndarray of int, shape (n_orders, n_people)
        A batch; memory is some megabytes for a hundred or two.
    threshold : float
        On the scale of the degrees of freedom where everybody takes part; above 0.
    """
    found = []
    for patch in patches:
        rows = patch.make_rows(orders)
        candidates = _find_candidates(patch, rows, threshold)
        found.append(judge(patch, rows, *candidates, threshold))
    return _merge(found)


def _find_candidates(patch: Patch, rows: Floats, threshold: float) -> tuple[Integers, Integers]:
    """Return orders and places in the patch that may exceed."""
    h = float(match_dof(np.array([threshold]), patch.full_dof, patch.dof)[0])
    scale = min(np.sqrt(1 + patch.dof / h**2), _LARGEST_SCALE)
    limit = np.float32(1 - 1e-5 * (1 + scale))
    n_axes, n_orders, n_dimensions = rows.shape
    tall = (rows * np.r_[scale, np.ones(n_axes - 1)][:, None, None]).astype(np.float32)
    tall = tall.reshape(-1, n_dimensions)
    n_together = max(min(TILE // (len(tall) * STRIPE), len(patch.stripes)), 1)
    search = _make_search(tall, n_axes, n_together, limit)
    beyond = np.empty((_GROUP, n_orders, n_together, STRIPE), bool)
    found: list[tuple[Integers, Integers]] = []
    for start in range(0, len(patch.stripes), _GROUP * n_together):
        block = patch.stripes[start : start + _GROUP * n_together]
        tiles = [block[first : first + n_together] for first in range(0, len(block), n_together)]
        if missing := n_together - len(tiles[-1]):  # nothing exceeds in a stripe of zeros
            tiles[-1] = np.concatenate([tiles[-1], np.zeros((missing, *tall.shape[1:], STRIPE), np.float32)])
        for tile, flags in zip(tiles, beyond.reshape(_GROUP, -1), strict=False):
            search(tile, flags)
        marked = _find_true(beyond[: len(tiles)].ravel())
        index, order, stripe, place = np.unravel_index(marked, beyond.shape)
        found.append((order, (start + index * n_together + stripe) * STRIPE + place))
    return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])


def _make_search(
    tall: Singles, n_axes: int, n_stripes: int, limit: np.float32
) -> Callable[[Singles, NDArray[np.bool_]], None]:
    """Return what marks the orders and voxels of some stripes whose sum of squares exceeds the limit.

    Every array is laid out beforehand: tiles are so many that making views of them would count.
    """
    products = np.empty((len(tall), n_stripes, STRIPE), np.float32)
    by_stripe = products.transpose(1, 0, 2)
    flat = products.ravel()
    squares = products.reshape(n_axes, -1)
    sums = _list_sums(squares)

    def search(tile: Singles, flags: NDArray[np.bool_]) -> None:
        np.matmul(tall, tile, out=by_stripe)
        np.multiply(flat, flat, out=flat)
        for one, other in sums:
            np.add(one, other, out=one)
        np.greater(squares[0], limit, out=flags)

    return search


def _list_sums(parts: Singles) -> list[tuple[Singles, Singles]]:
    """List what to add to what, in place, until the first part is the sum of all: pairs first, for few passes."""
    n, sums = len(parts), []
    while n > 1:
        half = n // 2
        sums.append((parts[:half], parts[n - half : n]))
        n -= half
    return sums


def choose_batch(patch: Patch) -> int:
    """Return how many orders are searched at once: so many that a stripe's product is a small one for BLAS."""
    n_dimensions, n_axes = patch.complement.shape[1], patch.axes.shape[1]
    return max(min(BATCH, _SMALL // int(STRIPE * n_dimensions * n_axes)), 1)


def _find_true(flags: NDArray[np.bool_]) -> Integers:
    """As `np.flatnonzero`, for few true in many (a multiple of 8): eight are looked at together."""
    eights = flags.view(np.uint64)
    words = np.flatnonzero(eights != 0)
    found = np.flatnonzero(eights[words].view(bool))
    return np.asarray(8 * words[found >> 3] + (found & 7))


def judge(patch: Patch, rows: Floats, order: Integers, place: Integers, threshold: float) -> Exceedances:
    """Compute t of candidates (order, place) in float64 and keep what exceeds the threshold."""
    # of two bytes, so that the stable sort is a radix sort
    arranged = np.argsort(order.astype(np.uint16) if len(rows[0]) < 1 << 16 else order, kind="stable")
    # taken as they were found, stripe by stripe, and only then put in order
    residuals = patch.take_residuals(place)[arranged].astype(np.float64)
    order, place = order[arranged], place[arranged]
    products = np.empty((len(rows), len(order)))
    bounds = np.searchsorted(order, np.arange(rows.shape[1] + 1))
    for index, (first, last) in enumerate(itertools.pairwise(bounds.tolist())):
        np.matmul(rows[:, index], residuals[first:last].T, out=products[:, first:last])
    return Exceedances(order, patch.voxels[place], patch.combine(products)).above(threshold)


def _merge(found: Sequence[Exceedances]) -> Exceedances:
    if len(found) == 1:  # candidates come ordered, and the voxels of a patch ascend
        return found[0]
    permutation = np.concatenate([each.permutation for each in found])
    voxel = np.concatenate([each.voxel for each in found])
    t = np.concatenate([each.t for each in found])
    arranged = np.lexsort((voxel, permutation))
    return Exceedances(permutation[arranged], voxel[arranged], t[arranged])


def find_largest(patches: Sequence[Patch], orders: Integers) -> Floats:
    """Return the largest |t| of any voxel under each order, shape (n_orders,); for few orders."""
    n_voxels = 1 + max((int(patch.voxels.max()) for patch in patches), default=0)
    largest = [np.abs(compute_t_maps(patches, order[None, :], n_voxels)).max() for order in orders]
    return np.array(largest, dtype=np.float64)


def compute_t_maps(patches: Sequence[Patch], orders: Integers, n_voxels: int) -> Floats:
    """Return t of every voxel under every order, shape (n_orders, n_voxels); 0 where there is none.

    In float64, so that what is built on them does not depend on the order of summation.
    """
    maps = np.zeros((len(orders), n_voxels))
    for patch in patches:
        rows = patch.make_rows(orders)
        tall = rows.reshape(-1, rows.shape[2])
        width = STRIPE * max(TILE // (len(tall) * STRIPE), 1)
        for start in range(0, len(patch.voxels), width):
            tile = patch.read_residuals(start, min(start + width, len(patch.voxels)))
            t = patch.compute_t((tall @ tile.T).reshape(*rows.shape[:2], -1))
            maps[:, patch.voxels[start : start + width]] = _match(t, patch)
    return maps


def _match(t: Floats, patch: Patch) -> Floats:
    return t if patch.dof == patch.full_dof else _interpolate(t, patch)


def _interpolate(t: Floats, patch: Patch) -> Floats:
    """As `match_dof`, from a table: the exact function is too slow for whole maps."""
    grid, values = _make_table(patch.dof, patch.full_dof)
    return np.copysign(np.interp(np.abs(t), grid, values), t)


@lru_cache
def _make_table(dof: int, other: int) -> tuple[Floats, Floats]:
    grid = np.sinh(np.linspace(0, np.arcsinh(1e4), 4001))
    return grid, match_dof(grid, dof, other)
