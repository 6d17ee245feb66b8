"""What one person can do to an estimate: Cook's distance, and the estimate without each person in turn.

Leaving out row i is adding a column for it. With h the hat matrix of the whole design, n that of the nuisance, e the
residuals and d the tested direction, every other row j then has

    e_j + h_ij e_i / (1 - h_i),    d_j + n_ij d_i / (1 - n_i),    leverage h_j + h_ij^2 / (1 - h_i).

Residuals and direction are linear in row j's place in an orthonormal basis, so that a robust variance with the
leverages of the whole sample is a form of degree four, and one matrix product serves all rows. The leverages rise by
h_ij^2 <= h_i h_j, which bounds what they can add. So n rows cost n times a constant, and where the bounds leave an
answer open that one row is left out in truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.inference.estimators import fit_direction
from rsconn.inference.model import Floats, Geometry, Model, make_geometry, residualise

# What is left of a sum of squares without a row must not drown in the rounding of the whole.
_LEAST_LEFT = 1e-6
# Bounds further apart than this say nothing of use.
_WIDEST = 2.0


def compute_cooks_distance(model: Model) -> Floats:
    """Cook's distance of each row: how far all fitted values move when it is left out; shape (n,).

    D_i = e_i^2 h_i / (k s^2 (1 - h_i)^2).

    References
    ----------
    Cook (1977), Technometrics 19:15-18. R: ``cooks.distance``.

    Examples
    --------
    >>> outcome, x = np.array([1.0, 2, 3, 4, 9]), np.array([1.0, 2, 3, 4, 5])
    >>> model = Model(outcome, x, np.ones((5, 1)), "slope", "ols_hc3", np.arange(5))
    >>> compute_cooks_distance(model).round(2)
    array([0.56, 0.  , 0.05, 0.37, 2.25])
    """
    geometry = make_geometry(model)
    residuals = residualise(model.outcome, geometry.basis)
    dof = model.n - model.n_parameters
    scale = model.n_parameters * (residuals @ residuals) / dof
    return np.asarray(
        residuals**2 * geometry.leverage / (1 - geometry.leverage) ** 2 / scale, dtype=np.float64
    )


def leave_out_of_variance(values: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Variance (n,) of the other values without each, and where rounding leaves it known."""
    squares = values.size * float(values.var())
    left = squares - (values - values.mean()) ** 2 * values.size / (values.size - 1)
    return left / (values.size - 2), np.asarray(left > _LEAST_LEFT * squares)


@dataclass(frozen=True, eq=False)
class OthersEstimate:
    """The primary estimate without each row; arrays of shape (n,).

    Attributes
    ----------
    estimate : ndarray
    std_error, dof : tuple of ndarray
        Bounds: the lowest and the highest they can be.
    unit : ndarray
        What a smallest effect of interest of 1 (g or partial r) is on the estimate's scale; NaN for pairs.
    known : ndarray of bool
        Where the others mean anything.
    """

    estimate: FloatArray
    std_error: tuple[FloatArray, FloatArray]
    dof: tuple[FloatArray, FloatArray]
    unit: FloatArray
    known: NDArray[np.bool_]


def leave_each_out(model: Model) -> OthersEstimate:
    """Repeat the primary estimate without each row in turn, between bounds; rows must be units of their own.

    References
    ----------
    Belsley, Kuh & Welsch (1980), Regression Diagnostics, 2.1.
    """
    with np.errstate(all="ignore"):  # rows where something vanishes are unknown
        return _leave_out_of_groups(model) if model.estimator == "welch" else _leave_out_of_fit(model)


def _leave_out_of_groups(model: Model) -> OthersEstimate:
    """Means and variances of two groups without each row (Welch)."""
    own, other = _describe_sides(model)
    share, rest = own.variance / own.n, other.variance / other.n
    variance = share + rest
    dof = variance**2 / (share**2 / (own.n - 1) + rest**2 / (other.n - 1))
    estimate = np.where(model.in_a, own.mean - other.mean, other.mean - own.mean)
    error = np.sqrt(variance)
    return OthersEstimate(estimate, (error, error), (dof, dof), _get_unit(own, other), own.known)


@dataclass(frozen=True, eq=False)
class _Side:
    """A group, for each row its own without it, or the other one."""

    n: FloatArray
    mean: FloatArray
    variance: FloatArray
    known: NDArray[np.bool_]


def _describe_sides(model: Model) -> tuple[_Side, _Side]:
    """Each row's own group without it, and the group that it is not in."""
    n, mean, squares = np.empty((3, 2, model.n))
    for side in (0, 1):
        values = model.outcome[model.in_a == bool(side)]
        n[side], mean[side], squares[side] = values.size, values.mean(), values.size * values.var()
    rows, own, other = np.arange(model.n), model.in_a.astype(int), 1 - model.in_a.astype(int)
    away = model.outcome - mean[own, rows]
    left = squares[own, rows] - away**2 * n[own, rows] / (n[own, rows] - 1)
    known = (left > _LEAST_LEFT * squares[own, rows]) & (n[own, rows] > 2)
    rest = n[own, rows] - 1
    return (
        _Side(rest, mean[own, rows] - away / rest, left / (rest - 1), known),
        _Side(n[other, rows], mean[other, rows], squares[other, rows] / (n[other, rows] - 1), known),
    )


def _get_unit(own: _Side, other: _Side) -> FloatArray:
    return np.asarray(np.sqrt((own.variance + other.variance) / 2))


def _leave_out_of_fit(model: Model) -> OthersEstimate:
    """Least squares without each row."""
    geometry = make_geometry(model)
    value, residuals = fit_direction(model, geometry)
    free, free_nuisance = 1 - geometry.leverage, 1 - (geometry.nuisance_basis**2).sum(axis=1)
    moved = geometry.direction / free_nuisance
    information = geometry.information - geometry.direction * moved
    forms = _Forms.make(geometry, residuals, moved, residuals / free)
    unit, known = _find_unit(model, geometry, information)
    rise = geometry.leverage / free
    spread = 1 / (1 - rise * rise.max())  # by how much 1 / (1 - leverage) of any row may rise
    power = 2 if model.estimator == "ols_hc3" else 1
    squares, whole = forms.sum_scores(free**-power)
    error = np.sqrt(squares) / information, np.sqrt(squares * spread**power) / information
    dof = _bound_dof(model, geometry, forms, information, spread)
    known &= (information > _LEAST_LEFT * geometry.information) & (spread > 0) & (spread < _WIDEST)
    known &= squares > _LEAST_LEFT * whole
    estimate = value - geometry.direction * residuals / free / geometry.information
    return OthersEstimate(estimate, error, dof, unit, known)


def _find_unit(
    model: Model, geometry: Geometry, information: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """What a bound of 1 is without each row, and where that is known."""
    if model.kind == "contrast":
        own, other = _describe_sides(model)
        return _get_unit(own, other), own.known
    if model.kind == "paired":
        return np.full(model.n, np.nan), np.ones(model.n, dtype=np.bool_)
    outcome = residualise(model.outcome, geometry.nuisance_basis)
    whole = float(outcome @ outcome)
    left = whole - outcome**2 / (1 - (geometry.nuisance_basis**2).sum(axis=1))
    return np.sqrt(left / information), np.asarray(left > _LEAST_LEFT * whole)


@dataclass(frozen=True, eq=False)
class _Forms:
    """Rows as (residual, place in the basis), and the direction and residual without each as forms in them.

    Attributes
    ----------
    basis : ndarray, shape (n, k)
        Places.
    products : ndarray, shape (n, n_pairs)
        Of every two entries of a row.
    directions, residuals : ndarray, shape (n, n_pairs)
        Without each row, the coefficients of direction^2 and residual^2 in the products.
    """

    basis: FloatArray
    products: FloatArray
    directions: FloatArray
    residuals: FloatArray

    @classmethod
    def make(cls, geometry: Geometry, residuals: FloatArray, moved: FloatArray, errors: FloatArray) -> _Forms:
        basis = geometry.basis
        nuisance = np.column_stack([np.zeros(residuals.size), geometry.nuisance_basis])
        direction = moved[:, None] * nuisance
        direction[:, 0] = np.sqrt(geometry.information)
        zeros, ones = np.zeros(residuals.size), np.ones(residuals.size)
        return cls(
            basis,
            _multiply(np.column_stack([residuals, basis])),
            _double(_multiply(np.column_stack([zeros, direction]))),
            _double(_multiply(np.column_stack([ones, errors[:, None] * basis]))),
        )

    def sum_scores(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Without each row, sum of weights * direction^2 * residual^2 over the others; and over all rows."""
        return self._sum(weights, self.directions, self.residuals)

    def sum_fourth(self, weights: FloatArray) -> FloatArray:
        """Without each row, sum of weights * direction^4 over the others."""
        return self._sum(weights, self.directions, self.directions)[0]

    def _sum(self, weights: FloatArray, one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
        whole = ((one @ (self.products.T @ (weights[:, None] * self.products))) * other).sum(axis=1)
        own = weights * (one * self.products).sum(axis=1) * (other * self.products).sum(axis=1)
        return np.asarray(whole - own), np.asarray(whole)

    def sum_outer(self, weights: FloatArray) -> FloatArray:
        """Without each row, sum of weights * direction^2 * place place' over the others; shape (n, k, k)."""
        n, k = self.basis.shape
        outer = (self.basis[:, :, None] * self.basis[:, None, :]).reshape(n, k * k)
        whole = self.directions @ (self.products.T @ (weights[:, None] * outer))
        own = weights * (self.directions * self.products).sum(axis=1)
        return np.asarray((whole - own[:, None] * outer).reshape(n, k, k))


def _multiply(rows: FloatArray) -> FloatArray:
    """Products of every two entries of each row."""
    first, second = np.triu_indices(rows.shape[1])
    return np.asarray(rows[:, first] * rows[:, second])


def _double(products: FloatArray) -> FloatArray:
    """Count products of two different entries twice, as a square does."""
    k = int(np.sqrt(2 * products.shape[1]))
    first, second = np.triu_indices(k)
    return np.asarray(products * np.where(first == second, 1.0, 2.0))


def _bound_dof(
    model: Model, geometry: Geometry, forms: _Forms, information: FloatArray, spread: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Degrees of freedom without each row; those of HC2 are tr(G)^2 / tr(GG), G the form of its variance.

    tr(G) is the information, since the weights of HC2 undo the leverages.
    """
    if model.estimator == "ols_hc3":
        dof = np.full(model.n, float(model.n - 1 - model.n_parameters))
        return dof, dof
    free = 1 - geometry.leverage
    rise = geometry.leverage / free
    own = forms.sum_fourth((1 - 2 * geometry.leverage) / free**2)
    more = 2 * rise * forms.sum_fourth(geometry.leverage / free**2)
    places, outer = forms.basis, forms.sum_outer(1 / free)
    shifted = outer + np.einsum("nij,nj,nk->nik", outer, places, places / free[:, None])
    squares = own + np.einsum("nij,nji->n", shifted, shifted)
    return information**2 / (squares * spread**2), information**2 / (squares - more)
