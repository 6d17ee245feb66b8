"""The one kernel of all resampling: studentised statistics of many null outcomes by matrix products.

For a null outcome u (n,), with Q an orthonormal basis of the design, d the tested direction and weights w:

    t(u) = d'u / sqrt(sum_i w_i r_i^2),    r = u - Q Q'u,
    sum_i w_i r_i^2 = w'(u*u) - 2 (Q'u)'((wQ)'u) + (Q'u)' (Q'wQ) (Q'u),

so that a million null outcomes cost two thin matrix products and no residuals are formed. The weights choose
the statistic: HC3 d^2/(1-h)^2; Welch d^2/(1-h) (Welch's t is HC2's in a two-group design); classical d'd/dof.
With families (CR2) the variance is a sum of squares of one form per family instead (`rsconn.inference.dependence`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rsconn.inference.dependence import compute_unit_forms
from rsconn.inference.model import Floats, Integers, Model, make_geometry, project_out

Statistic = Literal["welch", "ols_hc3", "ols_cr2", "ols"]


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
        weights = geometry.direction**2 / (1 - geometry.leverage) ** (1 if name == "welch" else 2)
    length = float(np.sqrt(geometry.information))
    return Kernel(geometry.basis, weights, length, geometry.nuisance_basis, forms)


def compute_null_residuals(model: Model, kernel: Kernel) -> Floats:
    """Return what the nuisance alone leaves of the outcome; shape (n,)."""
    return project_out(model.outcome, kernel.nuisance_basis)


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
