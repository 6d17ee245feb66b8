"""Default Bayes factors: JZS t tests and Zellner-Siow regression coefficients. They never decide.

Every factor is an integral over g, the prior variance of the effect in units of its information,

    BF(R2, p) = integral (1 + g)^((n - 1 - p)/2) (1 + g (1 - R2))^(-(n - 1)/2) InvGamma(g; 1/2, b) dg,

against the constant alone. A t test is the case p = 1, R2 = t^2/(t^2 + dof), n = dof + 2, b = N r^2 / 2 with
N = n_a n_b / (n_a + n_b) (one sample: n); a regression has b = n r^2 / 2.

References
----------
Rouder, Speckman, Sun, Morey & Iverson (2009), Psychon Bull Rev 16:225-237; Liang et al. (2008), J Am Stat
Assoc 103:410-423; Rouder & Morey (2012), Multivariate Behav Res 47:877-903. R: package BayesFactor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from rsconn.inference.estimators import Alternative, estimate_ols
from rsconn.inference.model import Floats, Model, project_out

T_TEST_RSCALE = np.sqrt(2) / 2
COEFFICIENT_RSCALE = np.sqrt(2) / 4
# log g from where the prior vanishes to where the integrand has: the trapezoid rule then converges exponentially.
LOG_G = np.linspace(-40.0, 80.0, 6001)


class _Curve(NamedTuple):
    """Log of the integrand over log g, and the R2 and n behind it."""

    log_height: Floats
    r2: float
    n: int


def compute_bayes_factor(model: Model, alternative: Alternative = "two-sided") -> float:
    """Evidence for an effect over none, BF10; ``greater`` and ``less`` give the one-sided BF+0 and BF-0.

    Contrasts and paired differences without covariates: JZS with r = sqrt(2)/2, pooled variance. Anything
    with covariates, and slopes: BF(full)/BF(nuisance only) with rscale sqrt(2)/4. NaN for paired models with
    covariates. For an equivalence claim it is still the evidence against the point null, and the report says
    so.

    Examples
    --------
    >>> change = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])  # Student's sleep data
    >>> model = Model(change, np.ones(10), np.empty((10, 0)), "paired", "ols_hc3", np.arange(10))
    >>> print(f"{compute_bayes_factor(model):.5f} {compute_bayes_factor(model, 'greater'):.5f}")
    17.25888 34.41694
    """
    if model.kind == "paired" and model.nuisance.shape[1] > 0:
        return float("nan")
    plain = model.kind != "slope" and model.nuisance.shape[1] == (0 if model.kind == "paired" else 1)
    t = estimate_ols(model).statistic
    dof = model.n - model.n_parameters
    if plain:
        curve = _make_t_curve(t, dof, _count_effective(model))
        log_factor = _integrate(curve.log_height)
    else:
        full, nuisance = _make_coefficient_curves(model)
        curve, log_factor = full, _integrate(full.log_height) - _integrate(nuisance.log_height)
    if alternative != "two-sided":
        log_factor += np.log(2 * _compute_share(curve, t if alternative == "greater" else -t, dof))
    with np.errstate(over="ignore"):
        return float(np.exp(log_factor))


def _count_effective(model: Model) -> float:
    if model.kind == "paired":
        return float(model.n)
    n_a = float(model.in_a.sum())
    return n_a * (model.n - n_a) / model.n


def _make_t_curve(t: float, dof: int, n_effective: float) -> _Curve:
    return _make_curve(t**2 / (t**2 + dof), dof + 2, 1, n_effective * T_TEST_RSCALE**2 / 2)


def _make_coefficient_curves(model: Model) -> tuple[_Curve, _Curve]:
    """Curves of the full model and of the nuisance alone, each against the constant."""
    n, k = model.n, model.n_parameters
    b = n * COEFFICIENT_RSCALE**2 / 2
    full, nuisance = _make_curve(_compute_r2(model.outcome, model.design), n, k - 1, b), None
    if k > 2:
        nuisance = _make_curve(_compute_r2(model.outcome, model.nuisance), n, k - 2, b)
    return full, nuisance or _make_curve(0.0, n, 0, b)


def _compute_r2(outcome: Floats, design: Floats) -> float:
    """Share of the variance explained by a design that contains the constant."""
    basis = np.linalg.qr(design / np.linalg.norm(design, axis=0))[0]
    left, centred = project_out(outcome, basis), outcome - outcome.mean()
    return float(1 - left @ left / (centred @ centred))


def _make_curve(r2: float, n: int, p: int, b: float) -> _Curve:
    g = np.exp(LOG_G)
    log_likelihood = (n - 1 - p) / 2 * np.log1p(g) - (n - 1) / 2 * np.log1p(g * (1 - r2))
    # density of InvGamma(1/2, b) times g, since the integral runs over log g
    log_prior = 0.5 * np.log(b / np.pi) - 0.5 * LOG_G - b / g
    return _Curve(log_likelihood + log_prior, r2, n)


def _integrate(log_height: Floats) -> float:
    """Log of the integral, scaled by the peak so that nothing overflows."""
    peak = log_height.max()
    return float(peak + np.log(np.trapezoid(np.exp(log_height - peak), LOG_G)))


def _compute_share(curve: _Curve, t: float, dof: int) -> float:
    """Posterior probability that the effect has the sign of t > 0.

    Given g the effect is Student-t with n - 1 dof around the estimate shrunk by s = g/(1 + g); the ratio of
    its location to its scale is t sqrt(s (n - 1)/dof (1 - R2)/(1 - s R2)).
    """
    weights = np.exp(curve.log_height - curve.log_height.max())
    s = special.expit(LOG_G)
    ratio = t * np.sqrt(s * (curve.n - 1) / dof * (1 - curve.r2) / (1 - s * curve.r2))
    return float(np.average(special.stdtr(curve.n - 1, ratio), weights=weights))
