"""Voxels that the same people cover, with everything that the permutations need of them.

With e the unit residual of a voxel after the nuisance, x the unit tested direction and N an orthonormal basis
of the nuisance, the Freedman-Lane outcome u = Pe has

    t = sqrt(dof) x'u / sqrt(1 - |N'u|^2 - (x'u)^2).

A permutation leaves the constant as it is, and e is orthogonal to it, so the constant has no row in N; flipped
signs do not, and N is whole. e lives in the complement of the nuisance: written in a basis of it, e has n - q
numbers instead of n.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rsconn.inference.arrangements import draw_orders, draw_signs, draw_whole_orders
from rsconn.inference.model import Floats, Integers, is_full_rank, residualise, split_units

Singles = NDArray[np.float32]
# What makes null outcomes of residuals: an order (int, outcome i is residual ``order[i]``), or a sign (float) for each.
Exchange = Literal["orders", "signs"]


def choose_exchange(kind: str) -> Exchange:
    """Return what makes a model's null outcomes: contrasts flip signs, so that groups may differ in variance."""
    return "signs" if kind == "contrast" else "orders"


# Voxels that lie together, one dimension after the other: the matrix products then have operands that lie in order.
STRIPE = 32
# Voxels whose residuals are formed together, a multiple of STRIPE; the result does not depend on it.
_BLOCK = 8192
# A voxel whose residual is this small beside its values has no variance left.
_NOTHING_LEFT = 1e-7
# A share of the variance that is rounding.
_ROUNDING = 1e-12
# Larger arrays lie in a file without a name, so that memory does not grow with the number of people.
_MAX_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class Patch:
    """Voxels with one set of people, hence one design.

    Attributes
    ----------
    voxels : ndarray of int, shape (n_voxels,)
        Columns of the maps.
    people : ndarray of int, shape (n_people,)
        Rows of the maps.
    axes : ndarray, shape (n_people, n_axes)
        x, then the nuisance basis, for orders without the constant.
    complement : ndarray, shape (n_people, n_dimensions)
        Orthonormal basis of what the nuisance leaves.
    stripes : ndarray of float32, shape (n_stripes, n_dimensions, STRIPE)
        Unit residuals in that basis, STRIPE voxels after STRIPE voxels; zero for a voxel without variance, and
        behind the last one.
    dof, full_dof : int
        Degrees of freedom here, and where everybody takes part.
    exchange : {'orders', 'signs'}
        What `make_rows` is given.
    n_all : int
        Number of people in the maps, absent ones included.
    """

    voxels: Integers
    people: Integers
    axes: Floats
    complement: Floats
    stripes: Singles
    dof: int
    full_dof: int
    exchange: Exchange
    n_all: int

    def make_rows(self, arrangements: Integers | Floats) -> Floats:
        """Return x'P and N'P in the complement's basis for each order, or each set of signs, of all people.

        Parameters
        ----------
        arrangements : ndarray, shape (n_arrangements, n_all_people)
            Orders: outcome i is residual ``orders[b, i]``; where that person is absent here, the residual that they
            would have had, and so on. A uniform order of all becomes a uniform order of those present, within the
            same blocks. Signs: outcome i is residual i times its sign.

        Returns
        -------
        ndarray, shape (n_axes, n_arrangements, n_dimensions)
        """
        if self.exchange == "signs":
            flipped = self.axes * arrangements[:, self.people, None]
            return np.asarray(np.moveaxis(flipped, 2, 0) @ self.complement)
        orders = arrangements.astype(np.int64, copy=False)
        if len(self.people) < orders.shape[1]:
            orders = _skip_absent(orders, self.people)
        # u_i = e[order_i], so x'u = sum_j x[rank_j] e_j with rank the inverse order
        ranks = np.argsort(orders, axis=1)
        return np.asarray(np.moveaxis(self.axes[ranks], 2, 0) @ self.complement)

    def take_residuals(self, places: Integers) -> Singles:
        """Return the residuals (n, n_dimensions) of voxels, by their places in the patch."""
        return self.stripes[places // STRIPE, :, places % STRIPE]

    def read_residuals(self, first: int, last: int) -> Floats:
        """Return the residuals (last - first, n_dimensions) of voxels in a row; `first` is a multiple of STRIPE."""
        part = self.stripes[first // STRIPE : -(-last // STRIPE)].astype(np.float64)
        return part.transpose(0, 2, 1).reshape(-1, part.shape[1])[: last - first]

    @property
    def lacks_covariate(self) -> bool:
        """Whether a covariate is left out that is constant, or a combination of others, among these people."""
        return self.dof > self.full_dof - (self.n_all - len(self.people))

    @property
    def identity(self) -> Integers | Floats:
        """The arrangement (1, n_all) that leaves every residual as it is."""
        return np.ones((1, self.n_all)) if self.exchange == "signs" else np.arange(self.n_all)[None, :]

    def compute_t(self, products: Floats) -> Floats:
        """Return t from products (n_axes, ...) of rows and residuals; 0 where nothing is left.

        Where the model explains all up to rounding t is a million times the root of its degrees of freedom.
        """
        rest = np.maximum(1 - (products**2).sum(axis=0), _ROUNDING)
        return np.asarray(products[0] * np.sqrt(self.dof / rest))

    def combine(self, products: Floats) -> Floats:
        """Return t on the scale of the full degrees of freedom, comparable across patches."""
        return match_dof(self.compute_t(products), self.dof, self.full_dof)


def _skip_absent(orders: Integers, people: Integers) -> Integers:
    """Return orders (n_orders, n_people) of those present, by their places among them."""
    place = np.full(orders.shape[1], -1)
    place[people] = np.arange(len(people))
    sources = orders[:, people]
    while (absent := place[sources] < 0).any():
        further = np.take_along_axis(orders, sources, axis=1)
        sources = np.where(absent, further, sources)
    return np.asarray(place[sources])


def allocate(shape: tuple[int, int]) -> Singles:
    """Return an uninitialised float32 array, in memory or, if it is large, in a temporary file."""
    if 4 * shape[0] * shape[1] <= _MAX_BYTES:
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


def match_dof(t: Floats, dof: int, other: int) -> Floats:
    """Return the t with `other` degrees of freedom that has the same p as `t` with `dof`.

    Examples
    --------
    >>> match_dof(np.array([-12.706, 63.657]), 1, 10).round(1), match_dof(np.array([2.5]), 9, 9)
    (array([-2.2,  3.2]), array([2.5]))
    """
    if dof == other:
        return t
    tail = np.maximum(special.stdtr(dof, -np.abs(t)), 1e-290)
    return np.asarray(np.copysign(-special.stdtrit(other, tail), t))


def split_patches(
    maps: NDArray[Any], tested: Floats, nuisance: Floats, exchange: Exchange = "orders"
) -> Iterator[Patch]:
    """Yield the patches of a set of maps, largest first; voxels that nobody can test are in none.

    Parameters
    ----------
    maps : ndarray, shape (n_people, n_voxels)
        NaN where a person does not cover a voxel.
    tested : ndarray, shape (n_people,)
    nuisance : ndarray, shape (n_people, q)
        The constant among its columns.
    exchange : {'orders', 'signs'}
        What makes null outcomes of the residuals.
    """
    full_dof = len(tested) - nuisance.shape[1] - 1
    blocks = np.array_split(maps, -(-maps.shape[1] // _BLOCK), axis=1)
    patterns = np.concatenate([np.packbits(np.isfinite(block), axis=0).T for block in blocks])
    whole = np.packbits(np.ones(len(tested), bool))
    if (patterns == whole).all():  # sorting them would take longer than all the rest of this
        if _is_testable(tested, nuisance):
            everything = np.arange(maps.shape[1]), np.arange(len(tested))
            yield make_patch(maps, tested, nuisance, *everything, full_dof, exchange)
        return
    kinds, codes, counts = np.unique(patterns, axis=0, return_inverse=True, return_counts=True)
    voxels = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    for kind in np.argsort(-counts, kind="stable"):
        people = np.flatnonzero(np.unpackbits(kinds[kind], count=len(tested)))
        kept = nuisance[:, find_independent(nuisance[people])]
        if _is_testable(tested[people], kept[people]):
            yield make_patch(maps, tested, kept, voxels[kind], people, full_dof, exchange)


def find_independent(nuisance: Floats) -> list[int]:
    """Return the columns that are no combination of those before them: a covariate may be constant among some people.

    Examples
    --------
    >>> find_independent(np.array([[1.0, 0, 3], [1, 0, 4], [1, 0, 6]]))
    [0, 2]
    """
    if is_full_rank(nuisance):
        return list(range(nuisance.shape[1]))
    kept: list[int] = []
    for column in range(nuisance.shape[1]):
        if is_full_rank(nuisance[:, [*kept, column]]):
            kept.append(column)
    return kept


def _is_testable(tested: Floats, nuisance: Floats) -> bool:
    design = np.column_stack([tested, nuisance])
    return design.shape[0] > design.shape[1] and is_full_rank(design)


def make_patch(
    maps: NDArray[Any],
    tested: Floats,
    nuisance: Floats,
    voxels: Integers,
    people: Integers,
    full_dof: int,
    exchange: Exchange = "orders",
) -> Patch:
    """Form the residuals of a patch once, block by block."""
    n_all, nuisance, tested = len(tested), nuisance[people], tested[people]
    q = nuisance.shape[1]
    whole = np.linalg.qr(nuisance, mode="complete")[0]
    direction = residualise(tested, whole[:, :q])
    basis = whole[:, :q] if exchange == "signs" else _drop_constant(whole[:, :q])
    axes = np.column_stack([direction / np.linalg.norm(direction), basis])
    complement = whole[:, q:]
    n_stripes, n_dimensions = -(-len(voxels) // STRIPE), complement.shape[1]
    stripes = allocate((n_stripes, n_dimensions * STRIPE)).reshape(n_stripes, n_dimensions, STRIPE)
    for start in range(0, len(voxels), _BLOCK):
        block = np.ix_(people, voxels[start : start + _BLOCK])
        residuals = normalise(maps[block].astype(np.float64), complement)
        padded = np.pad(residuals, ((0, -len(residuals) % STRIPE), (0, 0)))
        place = start // STRIPE
        stripes[place : place + len(padded) // STRIPE] = padded.reshape(-1, STRIPE, n_dimensions).transpose(
            0, 2, 1
        )
    return Patch(voxels, people, axes, complement, stripes, len(people) - q - 1, full_dof, exchange, n_all)


def _drop_constant(basis: Floats) -> Floats:
    """Return an orthonormal basis of the span of `basis` orthogonal to the constant, if that is in the span."""
    constant = np.full((len(basis), 1), 1 / np.sqrt(len(basis)))
    inside = basis.T @ constant
    if not np.isclose(np.linalg.norm(inside), 1, rtol=1e-9):
        return basis
    rotation = np.linalg.qr(inside, mode="complete")[0]
    return np.asarray(basis @ rotation[:, 1:])


def normalise(values: Floats, complement: Floats) -> Floats:
    """Return unit residuals (n_voxels, n_dimensions) of values (n_people, n_voxels)."""
    centred = values - values.mean(axis=0)
    residuals = centred.T @ complement
    lengths = np.linalg.norm(residuals, axis=1)
    lost = lengths <= _NOTHING_LEFT * np.maximum(np.linalg.norm(values, axis=0), 1e-300)
    return np.where(lost[:, None], 0.0, residuals / np.where(lost, 1.0, lengths)[:, None])


def draw_map_orders(
    n: int, blocks: Integers | None, units: Integers | None, count: int, seed: int
) -> Integers:
    """Draw the orders of n people that a seed and the exchange asked for decide; shape (count, n)."""
    rng = np.random.default_rng([seed, n])
    if units is None:
        return draw_orders(n, blocks, count, rng)
    return draw_whole_orders(units, blocks, count, rng)


def draw_map_signs(n: int, units: Integers | None, count: int, seed: int) -> Floats:
    """Draw signs of n people that a seed decides, one for all of a family; shape (count, n)."""
    codes = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1]
    return draw_signs(int(codes.max()) + 1, count, np.random.default_rng([seed, n]))[:, codes]


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


# Members as alike as this already count as copies of each other.
