"""Rows that depend on each other (members of one family): what this does to the variance of an estimate.

With d the tested direction, Q an orthonormal basis of the design, M = I - QQ' and e = My the residuals, the CR2
variance of theta = d'y / d'd is sum_g (c_g'e)^2 / (d'd)^2, where c_g = (I - Q_g Q_g')^(-1/2) d_g lives on the
rows of unit g. Units of one row each make it HC2.

References
----------
Bell & McCaffrey (2002), Surv Methodol 28:169-181; Pustejovsky & Tipton (2018), J Bus Econ Stat 36:672-683.
R: ``clubSandwich::vcovCR(type = "CR2")``.
"""

from __future__ import annotations

import numpy as np

from rsconn.inference.model import Floats, Geometry, Integers, project_out, split_units

# Members as alike as this already count as copies of each other.
MOST_ALIKE = 0.99


def compute_unit_forms(geometry: Geometry, units: Integers) -> Floats:
    """Return M c_g of each unit, so that sum_g (form_g'y)^2 is the numerator of CR2; shape (n, n_units).

    The design has passed :func:`rsconn.inference.model.check_model`: no unit has a leverage of 1.
    """
    parts = split_units(units)
    columns = np.zeros((units.size, len(parts)))
    for j, rows in enumerate(parts):
        own = geometry.basis[rows]
        values, vectors = np.linalg.eigh(np.eye(rows.size) - own @ own.T)
        columns[rows, j] = vectors @ ((vectors.T @ geometry.direction[rows]) / np.sqrt(values))
    return project_out(columns, geometry.basis)


def compute_satterthwaite_dof(forms: Floats) -> float:
    """Degrees of freedom of sum_g (form_g'y)^2 for independent errors of one variance: tr(K)^2 / tr(KK), K = F'F."""
    gram = forms.T @ forms
    return float(np.trace(gram) ** 2 / (gram * gram).sum())


def estimate_likeness(outcome: Floats, geometry: Geometry, units: Integers) -> float:
    """Correlation of the errors of one unit's members, between 0 and `MOST_ALIKE`, by the method of moments.

    With J the matrix of ones within units and the errors' covariance a I + b J, the expectations of e'e and of
    e'Je are a tr(M) + b tr(MJ) and a tr(MJ) + b tr(MJMJ); the correlation is b / (a + b).
    """
    members = make_membership(units)
    residuals = project_out(outcome, geometry.basis)
    left = project_out(members, geometry.basis)
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
