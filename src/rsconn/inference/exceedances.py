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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rsconn.inference.arrangements import compute_unit_forms
from rsconn.inference.model import Floats, Integers, Model, make_geometry, residualise
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


def find_exceedances(patches: Sequence[Patch], orders: Integers | Floats, threshold: float) -> Exceedances:
    """Return every voxel and order with |t| > threshold.

    Parameters
    ----------
    patches : sequence of Patch
    orders : ndarray, shape (n_orders, n_people)
        Orders or signs (see `rsconn.inference.patches.Patch.make_rows`), a batch; memory is some megabytes for a
        hundred or two.
    threshold : float
        On the scale of the degrees of freedom where everybody takes part; above 0.
    """
    found = []
    for patch in patches:
        rows = patch.make_rows(orders)
        candidates = _find_candidates(patch, rows, threshold)
        found.append(keep_exceedances(patch, rows, *candidates, threshold))
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


def keep_exceedances(
    patch: Patch, rows: Floats, order: Integers, place: Integers, threshold: float
) -> Exceedances:
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


def find_largest(patches: Sequence[Patch], orders: Integers | Floats) -> Floats:
    """Return the largest |t| of any voxel under each order, shape (n_orders,); for few orders."""
    n_voxels = 1 + max((int(patch.voxels.max()) for patch in patches), default=0)
    largest = [np.abs(compute_t_maps(patches, order[None, :], n_voxels)).max() for order in orders]
    return np.array(largest, dtype=np.float64)


def compute_t_maps(patches: Sequence[Patch], orders: Integers | Floats, n_voxels: int) -> Floats:
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


Statistic = Literal["welch", "ols_hc2", "ols_hc3", "ols_cr2", "ols"]


@dataclass(frozen=True, eq=False)
class Kernel:
    """What the design contributes to the statistics of any outcome.

    Parameters
    ----------
    basis : ndarray, shape (n, k)
        Orthonormal basis Q of the design, the tested direction first.
    weights : ndarray, shape (n,)
        w above.
    length : float
        Length of the tested direction d = length * Q[:, 0].
    nuisance_basis : ndarray, shape (n, q)
    forms : ndarray, shape (n, n_units), or None
        CR2 only: the variance of an outcome u is sum_g (form_g'u)^2, and ``weights`` its size for u of ones.
    """

    basis: Floats
    weights: Floats
    length: float
    nuisance_basis: Floats
    forms: Floats | None = None

    @property
    def is_classical(self) -> bool:
        """One weight for all: wQ is a multiple of Q and needs no product of its own."""
        return bool(np.ptp(self.weights) == 0)

    @property
    def columns(self) -> Floats:
        """Q, and wQ beside it unless classical; shape (n, k) or (n, 2 k)."""
        if self.is_classical:
            return self.basis
        return np.hstack([self.basis, self.weights[:, None] * self.basis])


def make_kernel(model: Model, statistic: Statistic | None = None) -> Kernel:
    """Prepare the kernel of a model, by default for its own estimator's statistic."""
    geometry = make_geometry(model)
    name = statistic or model.estimator
    forms = compute_unit_forms(geometry, model.units) if name == "ols_cr2" else None
    if forms is not None:
        weights = (forms**2).sum(axis=1)
    elif name == "ols":
        dof = model.n - model.n_parameters
        weights = np.full(model.n, geometry.information / dof)
    else:
        weights = geometry.direction**2 / (1 - geometry.leverage) ** (2 if name == "ols_hc3" else 1)
    length = float(np.sqrt(geometry.information))
    return Kernel(geometry.basis, weights, length, geometry.nuisance_basis, forms)


def compute_null_residuals(model: Model, kernel: Kernel) -> Floats:
    """Return what the nuisance alone leaves of the outcome; shape (n,)."""
    return residualise(model.outcome, kernel.nuisance_basis)


def compute_statistics(rows: Floats, kernel: Kernel) -> Floats:
    """Studentised statistic of each null outcome.

    Parameters
    ----------
    rows : ndarray, shape (n_outcomes, n)
    kernel : Kernel

    Returns
    -------
    ndarray, shape (n_outcomes,)
        Infinite where an outcome leaves no residual variance.
    """
    squares = (rows * rows) @ kernel.weights
    if kernel.forms is not None:
        return _divide(rows @ kernel.basis[:, 0], ((rows @ kernel.forms) ** 2).sum(axis=1), squares, kernel)
    return _studentise(kernel.columns.T @ rows.T, squares, kernel)


def compute_permuted_statistics(residuals: Floats, orders: Integers, kernel: Kernel) -> Floats:
    """Studentised statistics of many outcomes under many orders, from one product per block of orders.

    Parameters
    ----------
    residuals : ndarray, shape (n, n_outcomes)
        Null residuals: one column per voxel or edge, all with the same design.
    orders : ndarray of int, shape (n_orders, n)
        Null outcome i is ``residuals[orders[b, i]]``.
    kernel : Kernel
        Without families.

    Returns
    -------
    ndarray, shape (n_orders, n_outcomes)
    """
    # u_i = e[order_i], so Q'u = sum_j Q[rank_j] e_j with rank the inverse order
    ranks = np.argsort(orders, axis=1)
    rows = np.moveaxis(kernel.columns[ranks], 2, 0)
    products = (rows.reshape(-1, ranks.shape[1]) @ residuals).reshape(*rows.shape[:2], -1)
    return _studentise(products, kernel.weights[ranks] @ (residuals * residuals), kernel)


def _studentise(products: Floats, squares: Floats, kernel: Kernel) -> Floats:
    """Combine Q'u and (wQ)'u, stacked on the first axis, and w'(u*u) into t."""
    k = kernel.basis.shape[1]
    plain = products[:k]
    if kernel.is_classical:
        variance = squares - kernel.weights[0] * (plain * plain).sum(axis=0)
    else:
        middle = kernel.basis.T @ (kernel.weights[:, None] * kernel.basis)
        variance = squares + (plain * (np.tensordot(middle, plain, axes=1) - 2 * products[k:])).sum(axis=0)
    return _divide(plain[0], variance, squares, kernel)


def _divide(along: Floats, variance: Floats, squares: Floats, kernel: Kernel) -> Floats:
    # a variance that cancelled to rounding error is none
    variance = np.where(variance > 1e-13 * squares, variance, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics = kernel.length * along / np.sqrt(variance)
    return np.where(np.isnan(statistics), np.inf, statistics)
