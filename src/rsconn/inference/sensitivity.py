"""Other ways to estimate what the primary estimator estimates: shown beside it, never deciding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from rsconn.inference.estimators import Estimate, estimate_ols, fit_direction, make_estimate
from rsconn.inference.model import Floats, Model, choose_estimator, make_geometry

# Huber's tuning constant: 95 % efficiency for normal errors.
HUBER_K = 1.345
# Median absolute deviation of a standard normal, to the digits that rlm uses.
NORMAL_MAD = 0.6745
MAX_ITERATIONS = 500


def estimate_hc2_bm(model: Model) -> Estimate:
    """Least squares with the HC2 variance and Bell-McCaffrey degrees of freedom.

    Var = sum_i a_i^2 e_i^2 with a_i = d_i / (d'd sqrt(1 - h_i)). Under equal variances it is a quadratic form
    in the errors with matrix A = diag(a) M diag(a), M = I - H, and dof = tr(A)^2 / tr(A A).

    References
    ----------
    Bell & McCaffrey (2002), Surv Methodol 28:169-181; Imbens & Kolesar (2016), Rev Econ Stat 98:701-712.
    R: ``clubSandwich::coef_test(vcov = "CR2", cluster = 1:n, test = "Satterthwaite")``.
    """
    geometry = make_geometry(model)
    value, residuals = fit_direction(model, geometry)
    a = geometry.direction / (geometry.information * np.sqrt(1 - geometry.leverage))
    residual_maker = np.eye(model.n) - geometry.basis @ geometry.basis.T
    form = a[:, None] * residual_maker * a
    dof = float(np.trace(form) ** 2 / (form * form).sum())
    return make_estimate(model, "hc2_bm", value, float(np.sqrt(((a * residuals) ** 2).sum())), dof)


def estimate_huber(model: Model) -> Estimate:
    """Huber's M-estimate of the coefficient: large residuals weigh less.

    Iterated least squares with weights min(1, k s / |e|), k = 1.345, s the median absolute residual / 0.6745.
    The standard error is Huber's (1981, eq. 6.6.17): K s sqrt(sum psi^2 / (n - p)) / mean(psi') times the
    root of (X'X)^-1, with K = 1 + p var(psi') / (n mean(psi')^2); referred to t(n - p).

    References
    ----------
    Huber (1981), Robust statistics, ch. 6-7; Venables & Ripley (2002), Modern applied statistics with S, 6.5.
    R: ``MASS::rlm(method = "M", psi = psi.huber, scale.est = "MAD")``.
    """
    design = model.design
    coefficients, scale = _iterate_huber(model.outcome, design)
    residuals = model.outcome - design @ coefficients
    inside = np.abs(residuals) <= HUBER_K * scale
    psi = np.clip(residuals, -HUBER_K * scale, HUBER_K * scale)
    dof = model.n - model.n_parameters
    correction = 1 + model.n_parameters * inside.var(ddof=1) / (model.n * inside.mean() ** 2)
    sigma = correction * np.sqrt(psi @ psi / dof) / inside.mean()
    std_error = float(sigma / np.sqrt(make_geometry(model).information))
    return make_estimate(model, "huber", float(coefficients[0]), std_error, dof)


def _iterate_huber(outcome: Floats, design: Floats) -> tuple[Floats, float]:
    """Coefficients and scale, iterated until the residuals stay where they are."""
    # columns of one length, so that the least-squares cut-off sees no units
    lengths = np.linalg.norm(design, axis=0)
    scaled = design / lengths
    coefficients = np.linalg.lstsq(scaled, outcome, rcond=None)[0]
    scale = 0.0
    for _ in range(MAX_ITERATIONS):
        residuals = outcome - scaled @ coefficients
        scale = float(np.median(np.abs(residuals))) / NORMAL_MAD
        if scale <= 1e-12 * np.abs(outcome).max():
            break  # more than half of the people are fitted exactly
        weights = np.sqrt(np.minimum(1.0, HUBER_K * scale / np.maximum(np.abs(residuals), 1e-300)))
        updated = np.linalg.lstsq(scaled * weights[:, None], outcome * weights, rcond=None)[0]
        moved = np.abs(scaled @ (updated - coefficients)).max()
        coefficients = updated
        if moved <= 1e-13 * scale:
            break
    return coefficients / lengths, scale


def estimate_brunner_munzel(model: Model) -> Estimate:
    """P(a > b) + P(a = b)/2 - 1/2 for a contrast: 0 when neither group tends to be higher. Covariates are ignored.

    With R the midranks among all and W the midranks within the own group, the group variances of R - W over
    the other group's size give the standard error, and Satterthwaite's formula the dof.

    References
    ----------
    Brunner & Munzel (2000), Biom J 42:17-25. ``scipy.stats.brunnermunzel``.
    """
    a, b = model.outcome[model.in_a], model.outcome[~model.in_a]
    ranks = stats.rankdata(np.concatenate([a, b]))
    placements_a = (ranks[: a.size] - stats.rankdata(a)) / b.size
    placements_b = (ranks[a.size :] - stats.rankdata(b)) / a.size
    share_a, share_b = placements_a.var(ddof=1) / a.size, placements_b.var(ddof=1) / b.size
    value, variance = float(placements_a.mean() - 0.5), share_a + share_b
    if variance == 0:
        # complete separation: the direction is certain, its error cannot be estimated
        return Estimate("brunner_munzel", value, 0.0, np.nan, np.nan, model.n, a.size, b.size)
    dof = variance**2 / (share_a**2 / (a.size - 1) + share_b**2 / (b.size - 1))
    return make_estimate(model, "brunner_munzel", value, float(np.sqrt(variance)), float(dof))


def estimate_partial_spearman(model: Model) -> Estimate:
    """Partial rank correlation of outcome and tested column given the nuisance, all columns ranked.

    r is the partial correlation of the midranks, SE = sqrt((1 - r^2) / dof), t = r / SE with n - k dof.

    References
    ----------
    Conover (1999), Practical nonparametric statistics, 5.4. R: ``ppcor::pcor.test(method = "spearman")``.
    """
    nuisance = np.column_stack([_rank_column(column) for column in model.nuisance.T])
    ranked = replace(
        model, outcome=stats.rankdata(model.outcome), tested=stats.rankdata(model.tested), nuisance=nuisance
    )
    fit = estimate_ols(replace(ranked, kind="slope", estimator=choose_estimator(model.units)))
    r = fit.statistic / np.sqrt(fit.statistic**2 + fit.dof)
    std_error = float(np.sqrt((1 - r**2) / fit.dof))
    return make_estimate(model, "partial_spearman", float(r), std_error, fit.dof)


def _rank_column(column: Floats) -> Floats:
    """Midranks; a constant column stays the constant."""
    return column if np.ptp(column) == 0 else np.asarray(stats.rankdata(column), dtype=np.float64)
