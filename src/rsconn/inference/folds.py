"""Every fold of a leave-one-subject-out at once: t without each person, clusters, and the person's own mean there.

With M the residual-forming matrix of the nuisance, x the tested direction and u an outcome's residuals, both
after M, leaving out person i is adding a column for that person:

    t_i = c_i / sqrt((u'u - u_i^2 / M_ii - c_i^2) / dof),    c_i = (x'u - x_i u_i / M_ii) / sqrt(x'x - x_i^2 / M_ii).

|t_i| > h for no i where it fails for the largest |u_i| / sqrt(M_ii) with the signs that favour it: few voxels are left
to be judged fold by fold, in float64.

References
----------
Freedman & Lane (1983), J Bus Econ Stat 1:292-298; Belsley, Kuh & Welsch (1980), Regression Diagnostics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rsconn.inference.clusters import form_clusters
from rsconn.inference.exceedances import Exceedances
from rsconn.inference.model import Floats, Integers, is_full_rank
from rsconn.inference.patches import Singles, allocate, draw_map_orders, match_dof, normalise
from rsconn.inference.voxelwise import TIE

# Numbers in a tile of residuals of some permutations; the result does not depend on it.
TILE = 1 << 18
# Voxels whose residuals are formed at once; nor on this.
_BLOCK = 8192
# Float32 may miss a threshold by this share, so that much more is judged in float64.
_SLACK = 1e-3
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Selection:
    """How regions are found in a fold; the same in every fold and permutation.

    Attributes
    ----------
    threshold : float
        Cluster-forming |t|, on the scale of the degrees of freedom of all people; a fold has the t of equal p.
    critical : float
        A cluster must have more than this, of
    criterion : {'size', 'mass'}
    """

    threshold: float
    critical: float = 0.0
    criterion: Literal["size", "mass"] = "mass"


@dataclass(frozen=True, eq=False)
class Folds:
    """Maps and design with what every permutation needs of them.

    Attributes
    ----------
    maps : ndarray, shape (n_people, n_voxels)
    fits : ndarray, shape (q, n_voxels)
        Coefficients of the orthonormal nuisance basis.
    basis : ndarray, shape (n_people, q)
    complement : ndarray, shape (n_people, n - q)
    residuals : ndarray of float32, shape (n_voxels, n - q)
        Unit residuals in the complement's basis.
    tested : ndarray, shape (n_people,)
        After the nuisance.
    """

    maps: NDArray[Any]
    fits: Floats
    basis: Floats
    complement: Floats
    residuals: Singles
    tested: Floats
    rest: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rest", 1 - (self.basis**2).sum(axis=1))

    @property
    def dof(self) -> int:
        """Degrees of freedom with everybody."""
        return int(self.complement.shape[1]) - 1

    @property
    def shares(self) -> Floats:
        """x_i / sqrt(M_ii)."""
        return np.asarray(self.tested / np.sqrt(self.rest))

    def find_means(
        self, orders: Integers, neighbours: Integers, selection: Selection
    ) -> tuple[Floats, Exceedances]:
        """Return the people's means (n_orders, 2, n_people) and the folds' regions (order * n + person)."""
        n = len(self.tested)
        found = self.find_exceedances(orders, selection.threshold)
        clusters = form_clusters(found, neighbours, selection.threshold)
        judged = clusters.sizes if selection.criterion == "size" else clusters.masses
        kept = (judged > selection.critical)[clusters.labels]
        found = Exceedances(found.permutation[kept], found.voxel[kept], found.t[kept])
        order, person = np.divmod(found.permutation, n)
        values = self.get_outcomes(orders[order, person], person, found.voxel)
        place = (order * 2 + (found.t < 0)) * n + person
        total, count = (np.bincount(place, each, 2 * n * len(orders)) for each in (values, None))
        means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return means.reshape(len(orders), 2, n), found

    def get_outcomes(self, sources: Integers, people: Integers, voxels: Integers) -> Floats:
        """Return Freedman-Lane outcomes: a person's fit by the nuisance, with the residual of its source."""
        shift = self.basis[people] - self.basis[sources]
        return np.asarray(self.maps[sources, voxels] + (shift * self.fits[:, voxels].T).sum(axis=1))

    def find_exceedances(self, orders: Integers, threshold: float) -> Exceedances:
        """Return every voxel and fold (order * n + person) with |t| above the threshold."""
        n, n_voxels = self.maps.shape
        rows = self._make_rows(orders)
        h = float(match_dof(np.array([threshold]), self.dof, self.dof - 1)[0])
        found = []
        width = max(TILE // (len(orders) * (n + 1)), 64)
        for start in range(0, n_voxels, width):
            candidates = self._find_candidates(rows, slice(start, start + width), h)
            for order in np.unique(candidates[0]):
                voxels = candidates[1][candidates[0] == order] + start
                found.append(self._judge(rows[order], int(order), voxels, h))
        return self._merge(found)

    def _make_rows(self, orders: Integers) -> Floats:
        """Return M P, each row over sqrt(M_ii), with x'P below it; (n_orders, n + 1, n_dimensions)."""
        forming = np.eye(len(self.tested)) - self.basis @ self.basis.T
        forming = np.vstack([forming / np.sqrt(self.rest)[:, None], self.tested])
        return np.asarray(np.moveaxis(forming[:, np.argsort(orders, axis=1)], 1, 0) @ self.complement)

    def _find_candidates(self, rows: Floats, part: slice, h: float) -> tuple[Integers, Integers]:
        """Return orders and places in the part of voxels that may exceed in some fold."""
        n = len(self.tested)
        tall = rows.reshape(-1, rows.shape[2]).astype(np.float32)
        products = (tall @ self.residuals[part].T).reshape(len(rows), n + 1, -1)
        along = np.abs(products[:, n])
        squares = np.square(products[:, :n])
        largest = squares.max(axis=1)
        total = np.matmul(self.rest.astype(np.float32), squares)
        shares = np.abs(self.shares).max()
        numerator = (along + np.float32(shares) * np.sqrt(largest)) ** 2
        factor = np.float32((1 + (self.dof - 1) / h**2) / (self.tested @ self.tested - shares**2))
        order, place = np.nonzero(numerator * factor * np.float32(1 + _SLACK) > total - largest)
        return order, place

    def _judge(self, rows: Floats, order: int, voxels: Integers, h: float) -> Exceedances:
        """Return what exceeds of one order's candidates."""
        n = len(self.tested)
        products = rows @ self.residuals[voxels].T.astype(np.float64)
        own, along = products[:n], products[n]
        shares = self.shares[:, None]
        scaled = (along - shares * own) / np.sqrt(self.tested @ self.tested - shares**2)
        left = self.rest @ own**2 - own**2 - scaled**2
        with np.errstate(divide="ignore", invalid="ignore"):
            t = scaled * np.sqrt((self.dof - 1) / np.where(left > _TINY, left, 0.0))
        person, place = np.nonzero(np.abs(t) > h)
        return Exceedances(order * n + person, voxels[place], t[person, place])

    def _merge(self, found: Sequence[Exceedances]) -> Exceedances:
        """Join the parts, with t on the scale of everybody's degrees of freedom."""
        if not found:
            return Exceedances(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        permutation, voxel, t = (
            np.concatenate([getattr(each, name) for each in found]) for name in ("permutation", "voxel", "t")
        )
        arranged = np.lexsort((voxel, permutation))
        matched = match_dof(t[arranged], self.dof - 1, self.dof)
        return Exceedances(permutation[arranged], voxel[arranged], matched)

    def compute_t(self, means: Floats) -> Floats:
        """Return the t of the model of the means (n_orders, 2, n), each in its region's direction."""
        signed = means * np.array([1.0, -1.0])[:, None]
        t = np.full(signed.shape[:2], np.nan)
        complete = np.isfinite(signed).all(axis=2)
        t[complete] = _fit(signed[complete], self.tested, self.basis)
        some = np.isfinite(signed).any(axis=2) & ~complete
        for place in zip(*np.nonzero(some), strict=True):
            present = np.isfinite(signed[place])
            tested, basis = self.tested[present], self.basis[present]
            design = np.column_stack([tested, basis])
            if len(design) > design.shape[1] and is_full_rank(design):
                t[place] = _fit(signed[place][None, present], tested, np.linalg.qr(basis)[0])[0]
        return t


def _fit(outcomes: Floats, tested: Floats, basis: Floats) -> Floats:
    """Return classical t of outcomes (n_outcomes, n) on what is tested, adjusted for an orthonormal basis."""
    tested = tested - basis @ (basis.T @ tested)
    tested = tested / np.linalg.norm(tested)
    residuals = outcomes - outcomes @ basis @ basis.T
    along = residuals @ tested
    rest = np.maximum((residuals**2).sum(axis=1) - along**2, 1e-300)
    return np.asarray(along * np.sqrt((outcomes.shape[1] - basis.shape[1] - 1) / rest))


def make_folds(maps: NDArray[Any], tested: Floats, nuisance: Floats) -> Folds:
    """Form the residuals of all voxels once.

    Parameters
    ----------
    maps : ndarray, shape (n_people, n_voxels)
        Voxels that everybody covers.
    tested : ndarray, shape (n_people,)
    nuisance : ndarray, shape (n_people, q)
        The constant among its columns.

    Raises
    ------
    ValueError
        The design is rank-deficient, with everybody or without somebody.
    """
    n, q = nuisance.shape
    if n < q + 3 or not is_full_rank(np.column_stack([tested, nuisance])):
        raise ValueError("rank-deficient: what is tested cannot be told apart from the nuisance")
    whole = np.linalg.qr(nuisance, mode="complete")[0]
    basis, complement = whole[:, :q], whole[:, q:]
    tested = tested - basis @ (basis.T @ tested)
    tested = tested / np.linalg.norm(tested)
    rest = 1 - (basis**2).sum(axis=1)
    alone = np.flatnonzero((rest < _TINY) | (1 - tested**2 / np.maximum(rest, _TINY) < _TINY))
    if alone.size:
        raise ValueError(f"rank-deficient without the person in row {alone[0]}")
    residuals = allocate((maps.shape[1], n - q))
    fits = np.empty((q, maps.shape[1]))
    for start in range(0, maps.shape[1], _BLOCK):
        block = maps[:, start : start + _BLOCK].astype(np.float64)
        residuals[start : start + _BLOCK] = normalise(block, complement)
        fits[:, start : start + _BLOCK] = basis.T @ block
    return Folds(maps, fits, basis, complement, residuals, tested)


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
