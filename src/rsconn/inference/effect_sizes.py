"""Standardised effect sizes with descriptive intervals, and the smallest effect of interest in raw units.

The intervals assume equal variances and normal errors (noncentral t); they describe and never decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from rsconn.inference.estimators import Estimate, estimate_ols
from rsconn.inference.model import Model, make_geometry, residualise
from rsconn.inference.noncentral import compute_noncentral_cdf
from rsconn.inference.omnibus import estimate_levels


@dataclass(frozen=True)
class EffectSize:
    """A standardised effect with its interval.

    Parameters
    ----------
    name : {'hedges_g', 'partial_r', 'cohens_f'}
    value, low, high : float
    """

    name: str
    value: float
    low: float
    high: float


def estimate_effect_size(model: Model, level: float = 0.95) -> EffectSize:
    """Hedges g for contrasts and paired differences, the partial r for slopes, Cohen's f of several levels.

    Examples
    --------
    >>> outcome, group = np.array([4.0, 6, 8, 1, 2, 3]), np.array([1.0, 1, 1, 0, 0, 0])
    >>> model = Model(outcome, group, np.ones((6, 1)), "contrast", "welch", np.arange(6))
    >>> effect = estimate_effect_size(model)
    >>> print(f"{effect.name} {effect.value:.3f} [{effect.low:.3f}, {effect.high:.3f}]")
    hedges_g 2.019 [0.113, 3.824]
    """
    if model.kind == "omnibus":
        return EffectSize("cohens_f", *estimate_levels(model).estimate_f(level))
    if model.kind == "slope":
        return estimate_partial_r(model, level)
    return estimate_hedges_g(model, level)


def compute_effect_size(model: Model) -> float:
    """The value of `estimate_effect_size` alone: the search for its interval takes most of its time."""
    estimate = estimate_ols(model)
    if model.kind == "slope":
        return float(estimate.statistic / np.sqrt(estimate.statistic**2 + estimate.dof))
    return _find_unit(model, estimate) * estimate.statistic


def _find_unit(model: Model, estimate: Estimate) -> float:
    """Hedges g of a statistic of one."""
    return estimate.std_error / _compute_standardiser(model) * compute_bias_factor(estimate.dof)


def estimate_hedges_g(model: Model, level: float = 0.95) -> EffectSize:
    """Adjusted difference in units of the raw standard deviation, corrected for small-sample bias.

    g = J(dof) * estimate / s, with s the pooled SD of the raw outcome (paired: ``raw_sd``), and J the exact
    factor of :func:`compute_bias_factor`. The interval turns the limits of the noncentrality of the classical
    t into g. Without covariates this is the textbook Hedges g with its exact interval. NaN with one degree of
    freedom: no factor can take the bias away there.

    References
    ----------
    Hedges (1981), J Educ Stat 6:107-128; Cumming & Finch (2001), Educ Psychol Meas 61:532-574.
    R: ``effectsize::hedges_g(pooled_sd = TRUE)``.
    """
    estimate = estimate_ols(model)
    unit = _find_unit(model, estimate)
    low, high = find_noncentrality_limits(estimate.statistic, estimate.dof, level)
    return EffectSize("hedges_g", unit * estimate.statistic, unit * low, unit * high)


def estimate_partial_r(model: Model, level: float = 0.95) -> EffectSize:
    """Correlation of outcome and predictor after both are adjusted for the nuisance.

    r = t / sqrt(t^2 + dof) with the classical t; the limits of its noncentrality give the interval.

    References
    ----------
    R: ``effectsize::t_to_r``.
    """
    estimate: Estimate = estimate_ols(model)
    low, high = find_noncentrality_limits(estimate.statistic, estimate.dof, level)
    r_low, r, r_high = (t / np.sqrt(t**2 + estimate.dof) for t in (low, estimate.statistic, high))
    return EffectSize("partial_r", float(r), float(r_low), float(r_high))


def compute_bias_factor(dof: float) -> float:
    """Hedges' exact J = Gamma(dof/2) / (sqrt(dof/2) Gamma((dof - 1)/2)); NaN for one degree of freedom.

    Examples
    --------
    >>> print(f"{compute_bias_factor(34):.6f}")
    0.977750
    """
    if dof <= 1:
        return float("nan")
    return float(np.exp(special.gammaln(dof / 2) - special.gammaln((dof - 1) / 2)) / np.sqrt(dof / 2))


def find_noncentrality_limits(t: float, dof: float, level: float) -> tuple[float, float]:
    """Find the noncentralities under which t lies at the upper and at the lower end of the level.

    References
    ----------
    Steiger & Fouladi (1997), in Harlow et al., What if there were no significance tests?, 221-257.
    """
    tail = (1 - level) / 2
    reach = 10 + abs(t) * (1 + 13 / np.sqrt(2 * dof))

    def find(probability: float) -> float:
        def excess(noncentrality: float) -> float:
            return compute_noncentral_cdf(t, dof, noncentrality) - probability

        return float(optimize.brentq(excess, -reach, reach, xtol=1e-13, rtol=1e-13))

    return find(1 - tail), find(tail)


def convert_sesoi(model: Model, sesoi: float) -> float:
    """Turn a smallest effect of interest (g or partial r) into the units of the estimate.

    Contrast: D = g sqrt((s_a^2 + s_b^2) / 2) of the raw outcome, the root of the mean variance where there are
    more cells. Slope: D = r s(y|Z) / s(x|Z), the residual
    SDs given the nuisance Z. Paired: D = g raw_sd.
    """
    if model.kind == "omnibus":
        return sesoi * estimate_levels(model).unit
    if model.kind == "paired" or model.raw_sd is not None:
        return sesoi * _compute_standardiser(model)
    if model.kind == "contrast":
        variances = [model.outcome[cell].var(ddof=1) for cell in model.list_cells()]
        return float(sesoi * np.sqrt(sum(variances) / len(variances)))
    geometry = make_geometry(model)
    outcome = residualise(model.outcome, geometry.nuisance_basis)
    # both residual SDs have the same dof, so it cancels
    return float(sesoi * np.sqrt(outcome @ outcome / geometry.information))


def correct_attenuation(model: Model, estimate: float, reliability: float) -> float:
    """Slope that a perfectly reliable predictor would have had, by regression calibration.

    estimate / lambda, with lambda = (reliability - R^2) / (1 - R^2) and R^2 the share of the predictor's
    variance that the nuisance explains; NaN when nothing reliable is left (lambda <= 0).

    References
    ----------
    Carroll et al. (2006), Measurement error in nonlinear models, 3.3; Spearman (1904), Am J Psychol
    15:72-101.
    """
    centred = model.tested - model.tested.mean()
    left = make_geometry(model).information / float(centred @ centred)
    lambda_ = 1 - (1 - reliability) / left
    return estimate / lambda_ if lambda_ > 0 else float("nan")


def _compute_standardiser(model: Model) -> float:
    """Return ``raw_sd`` where there is one, else the pooled within-group SD (a mean's: of everybody)."""
    if model.raw_sd is not None:
        return model.raw_sd
    groups = [model.outcome[cell] for cell in model.list_cells()]
    total = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return float(np.sqrt(total / (model.n - len(groups))))
