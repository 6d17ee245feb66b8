"""How much one person carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rsconn.inference.estimators import Estimate, estimate_model, fit_direction
from rsconn.inference.model import Floats, Model, check_model, make_geometry


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
    _, residuals = fit_direction(model, geometry)
    dof = model.n - model.n_parameters
    scale = model.n_parameters * (residuals @ residuals) / dof
    return np.asarray(
        residuals**2 * geometry.leverage / (1 - geometry.leverage) ** 2 / scale, dtype=np.float64
    )


def leave_one_out(model: Model) -> tuple[Estimate | None, ...]:
    """Repeat the primary estimate without each row in turn; None where the rest cannot be tested."""
    return tuple(_estimate_without(model, row) for row in range(model.n))


def _estimate_without(model: Model, row: int) -> Estimate | None:
    keep = np.arange(model.n) != row
    rest = replace(
        model,
        outcome=model.outcome[keep],
        tested=model.tested[keep],
        nuisance=model.nuisance[keep],
        units=model.units[keep],
        blocks=None if model.blocks is None else model.blocks[keep],
    )
    return None if check_model(rest) else estimate_model(rest)
