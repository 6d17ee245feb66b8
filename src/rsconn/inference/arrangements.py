"""Orders and signs under which a null outcome is as likely as the observed one."""

from __future__ import annotations

from itertools import combinations, permutations, product
from math import comb, factorial, prod

import numpy as np
from numpy.typing import NDArray

from rsconn.inference.model import Floats, Geometry, Integers, Model, residualise, split_units


def draw_orders(n: int, blocks: Integers | None, count: int, rng: np.random.Generator) -> Integers:
    """Draw random orders of n rows, within blocks where there are any; shape (count, n)."""
    orders = np.tile(np.arange(n), (count, 1))
    if blocks is None:
        return rng.permuted(orders, axis=1, out=orders)
    for block in np.unique(blocks):
        rows = np.flatnonzero(blocks == block)
        orders[:, rows] = rng.permuted(orders[:, rows], axis=1)
    return orders


def draw_whole_orders(
    units: Integers, blocks: Integers | None, count: int, rng: np.random.Generator
) -> Integers:
    """Draw random orders that exchange units as wholes, like with like (`list_alike`); shape (count, n)."""
    orders = np.tile(np.arange(units.size), (count, 1))
    for alike in list_alike(units, blocks):
        choices = rng.permuted(np.tile(np.arange(len(alike)), (count, 1)), axis=1)
        orders[:, alike.ravel()] = alike[choices].reshape(count, -1)
    return orders


def list_alike(units: Integers, blocks: Integers | None) -> list[Integers]:
    """List the sets of units that can stand in for each other: as many rows, in the same blocks.

    Returns
    -------
    list of ndarray of int, shape (n_units of the set, n_rows of a unit)
        Rows of each unit, in the order of the blocks.

    Examples
    --------
    >>> list_alike(np.array([7, 7, 8, 9, 9]), None)
    [array([[2]]), array([[0, 1],
           [3, 4]])]
    """
    codes = np.zeros(units.size, dtype=np.int64) if blocks is None else blocks
    sets: dict[tuple[int, ...], list[Integers]] = {}
    for rows in split_units(units):
        ordered = rows[np.argsort(codes[rows], kind="stable")]
        sets.setdefault(tuple(codes[ordered].tolist()), []).append(ordered)
    return [np.array(sets[key]) for key in sorted(sets, key=lambda key: (len(key), key))]


def can_exchange(model: Model) -> bool:
    """Say whether an exchange of whole units changes what is tested, whatever the order of their members."""
    return not all(_is_fixed(model, alike) for alike in list_alike(model.units, model.blocks))


def find_split_units(model: Model) -> NDArray[np.bool_]:
    """Return the rows (n,) of units that exchange leaves as they are, and that have members on both sides."""
    split = np.zeros(model.n, dtype=np.bool_)
    for alike in list_alike(model.units, model.blocks):
        split[alike] = _is_fixed(model, alike) and np.ptp(model.tested[alike], axis=1).any()
    return split


def _is_fixed(model: Model, alike: Integers) -> bool:
    """Say whether units (rows of ``alike``) have the same members: an exchange could change their order at most."""
    codes = np.zeros(model.n, dtype=np.int64) if model.blocks is None else model.blocks
    members = model.tested[np.take_along_axis(alike, np.lexsort((model.tested[alike], codes[alike])), axis=1)]
    return not np.ptp(members, axis=0).any()


def count_whole_orders(tested: Floats, units: Integers, blocks: Integers | None) -> int:
    """Count the exchanges of whole units that differ for the tested column.

    Examples
    --------
    >>> count_whole_orders(np.array([1.0, 1, 0, 0, 0, 0, 1]), np.array([0, 0, 1, 1, 2, 2, 3]), None)
    3
    """
    count = 1
    for alike in list_alike(units, blocks):
        same = np.unique(tested[alike], axis=0, return_counts=True)[1].tolist()
        count *= factorial(len(alike)) // prod(map(factorial, same))
    return count


def draw_signs(n: int, count: int, rng: np.random.Generator) -> Floats:
    """Draw Rademacher signs, +1 or -1 with equal chance; shape (count, n)."""
    return 2.0 * rng.integers(0, 2, size=(count, n)).astype(np.float64) - 1.0


def count_orders(model: Model) -> int:
    """Count the orders that differ for the tested column: splits into a and b, or permutations of a slope.

    Examples
    --------
    >>> group = np.array([1.0, 1, 0, 0, 0])
    >>> model = Model(np.arange(5.0), group, np.ones((5, 1)), "contrast", "welch", np.arange(5))
    >>> count_orders(model)
    10
    """
    return prod(_count_block(model, rows) for rows in split_blocks(model))


def list_orders(model: Model) -> Integers:
    """List every order counted by :func:`count_orders`; shape (count, n), the observed one first."""
    parts = split_blocks(model)
    choices = [_list_block(model, rows) for rows in parts]
    orders = np.empty((prod(len(choice) for choice in choices), model.n), dtype=np.int64)
    for order, chosen in zip(orders, product(*choices), strict=True):
        for rows, source in zip(parts, chosen, strict=True):
            order[rows] = source
    return orders


def list_signs(n: int) -> Floats:
    """List every combination of n signs; shape (2^n, n), all +1 first.

    Examples
    --------
    >>> list_signs(2)
    array([[ 1.,  1.],
           [ 1., -1.],
           [-1.,  1.],
           [-1., -1.]])
    """
    return np.array(list(product((1.0, -1.0), repeat=n)))


def split_blocks(model: Model) -> list[Integers]:
    """Return the rows of each exchangeability block; one block of all rows where none are named."""
    if model.blocks is None:
        return [np.arange(model.n)]
    return [np.flatnonzero(model.blocks == block) for block in np.unique(model.blocks)]


def _count_block(model: Model, rows: Integers) -> int:
    if model.kind == "contrast":
        return comb(rows.size, int(model.in_a[rows].sum()))
    return factorial(rows.size)


def _list_block(model: Model, rows: Integers) -> list[Integers]:
    """Sources of the block's rows, one array per order."""
    if model.kind != "contrast":
        return [np.array(order) for order in permutations(rows)]
    in_a = model.in_a[rows]
    listed = []
    # rows of a first, so that the first combination is the observed split
    for chosen in combinations([*rows[in_a], *rows[~in_a]], int(in_a.sum())):
        source = np.empty(rows.size, dtype=np.int64)
        source[in_a] = chosen
        source[~in_a] = [row for row in rows if row not in chosen]
        listed.append(source)
    return listed


MOST_ALIKE = 0.99


def compute_unit_weights(geometry: Geometry, units: Integers) -> Floats:
    """Return c (n,), a row's part in its unit: sum_g (sum of c e over g)^2 is the numerator of CR2, e the residuals.

    A unit's c is (I - H_gg)^(-1/2) d_g; for units of one row c^2 e^2 is HC2's d^2 e^2 / (1 - h). The design has
    passed :func:`rsconn.inference.model.check_model`: no unit has a leverage of 1.
    """
    weights = geometry.direction / np.sqrt(1 - geometry.leverage)
    if np.unique(units).size == units.size:
        return np.asarray(weights)
    for rows in split_units(units):
        if rows.size > 1:
            own = geometry.basis[rows]
            values, vectors = np.linalg.eigh(np.eye(rows.size) - own @ own.T)
            weights[rows] = vectors @ ((vectors.T @ geometry.direction[rows]) / np.sqrt(values))
    return np.asarray(weights)


def compute_unit_forms(geometry: Geometry, units: Integers) -> Floats:
    """Return M c_g of each unit, so that sum_g (form_g'y)^2 is the numerator of CR2; shape (n, n_units)."""
    columns = compute_unit_weights(geometry, units)[:, None] * make_membership(units)
    return residualise(columns, geometry.basis)


def compute_satterthwaite_dof(weights: Floats, geometry: Geometry, units: Integers) -> float:
    """Degrees of freedom of CR2 for independent errors of one variance: tr(K)^2 / tr(KK), K = C'MC.

    C holds each unit's weights in a column of its own, so that C'C is diagonal and C'QQ'C has low rank: no matrix of
    the size of the people is formed.

    References
    ----------
    Bell & McCaffrey (2002), Surv Methodol 28:169-181; Imbens & Kolesar (2016), Rev Econ Stat 98:701-712.
    """
    codes = np.unique(units, return_inverse=True)[1]
    squares = np.bincount(codes, weights**2)
    places = np.zeros((squares.size, geometry.basis.shape[1]))
    np.add.at(places, codes, weights[:, None] * geometry.basis)
    lengths = (places**2).sum(axis=1)
    trace = float((squares - lengths).sum())
    crossed = places.T @ places
    return trace**2 / float((squares**2 - 2 * squares * lengths).sum() + (crossed**2).sum())


def estimate_likeness(outcome: Floats, geometry: Geometry, units: Integers) -> float:
    """Correlation of the errors of one unit's members, between 0 and `MOST_ALIKE`, by the method of moments.

    With J the matrix of ones within units and the errors' covariance a I + b J, the expectations of e'e and of
    e'Je are a tr(M) + b tr(MJ) and a tr(MJ) + b tr(MJMJ); the correlation is b / (a + b).
    """
    members = make_membership(units)
    residuals = residualise(outcome, geometry.basis)
    left = residualise(members, geometry.basis)
    trace, cross = units.size - geometry.basis.shape[1], float((left * left).sum())
    double = float(((members.T @ left) ** 2).sum())
    found = float(residuals @ residuals), float(((members.T @ residuals) ** 2).sum())
    if trace * double - cross**2 <= 1e-9 * trace * double:
        return 0.0
    own, shared = np.linalg.solve(np.array([[trace, cross], [cross, double]]), found)
    return float(np.clip(shared / (own + shared), 0.0, MOST_ALIKE)) if own + shared > 0 else 0.0


def make_membership(units: Integers) -> Floats:
    """Indicators of the units; shape (n, n_units)."""
    codes = np.unique(units, return_inverse=True)[1]
    return np.eye(int(codes.max()) + 1)[codes]


def compute_design_effect(geometry: Geometry, units: Integers, likeness: float) -> float:
    """Variance of the estimate over that with independent rows: 1 - rho + rho sum_g (sum of d in g)^2 / d'd.

    References
    ----------
    Kish (1965), Survey sampling, 5.4; for a contrast between units of m members it is 1 + (m - 1) rho.
    """
    sums = make_membership(units).T @ geometry.direction
    return 1 - likeness + likeness * float(sums @ sums) / geometry.information


def describe_forms(forms: Floats, units: Integers, likeness: float) -> tuple[float, float]:
    """Mean of sum_g (form_g'u)^2, and its Satterthwaite dof, for errors u of variance 1 with this likeness."""
    shared = make_membership(units).T @ forms
    gram = (1 - likeness) * (forms.T @ forms) + likeness * (shared.T @ shared)
    trace = float(np.trace(gram))
    return trace, trace**2 / float((gram * gram).sum())
