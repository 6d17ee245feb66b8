"""The primary estimators, one per claim, and what follows from an estimate: p, TOST, intervals.

Every test and interval refers (estimate - null) / std_error to Student's t with the estimate's dof.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from rsconn.inference.arrangements import compute_satterthwaite_dof, compute_unit_weights
from rsconn.inference.model import Floats, Geometry, Model, make_geometry, residualise
from rsconn.inference.noncentral import compute_noncentral_cdf
from rsconn.inference.omnibus import LevelsTest, estimate_levels

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True)
class Estimate:
    """One estimated coefficient.

    Parameters
    ----------
    estimator : str
        How it was estimated, such as ``welch`` or ``ols_hc3``.
    estimate : float
        In units of the outcome (contrast: a - b, adjusted; slope: per unit of the predictor).
    std_error, dof, statistic : float
        ``statistic = estimate / std_error``, referred to t(dof).
    n : int
        Rows used.
    n_a, n_b : int or None
        Rows per group of a contrast.
    levels : LevelsTest or None
        Where several coefficients are tested: `estimate` is then the standard deviation of the levels' means, the
        statistic an F, and there is no error or interval.
    """

    estimator: str
    estimate: float
    std_error: float
    dof: float
    statistic: float
    n: int
    n_a: int | None = None
    n_b: int | None = None
    levels: LevelsTest | None = None


def make_estimate(model: Model, estimator: str, value: float, std_error: float, dof: float) -> Estimate:
    """Complete an estimate with its statistic and the model's counts."""
    # ranks can agree completely; a model that passed check_model has an error
    statistic = value / std_error if std_error != 0 else math.copysign(math.inf, value)
    if model.kind != "contrast" or model.cells is not None:
        return Estimate(estimator, value, std_error, dof, statistic, model.n)
    n_a = int(model.in_a.sum())
    return Estimate(estimator, value, std_error, dof, statistic, model.n, n_a, model.n - n_a)


def estimate_model(model: Model) -> Estimate:
    """Estimate the tested coefficient by the model's primary estimator.

    The model must have passed :func:`rsconn.inference.model.check_model`.

    Examples
    --------
    >>> outcome, group = np.array([4.0, 6, 8, 1, 2, 3]), np.array([1.0, 1, 1, 0, 0, 0])
    >>> model = Model(outcome, group, np.ones((6, 1)), "contrast", "welch", np.arange(6))
    >>> estimate = estimate_model(model)
    >>> print(f"{estimate.estimate:.1f} {estimate.statistic:.4f} {estimate.dof:.4f}")
    4.0 3.0984 2.9412
    """
    if model.kind == "omnibus":
        levels = estimate_levels(model)
        name = "welch_anova" if model.estimator == "welch" else "wald_hc3"
        return Estimate(name, levels.spread, math.nan, levels.dof, levels.statistic, model.n, levels=levels)
    if model.estimator == "welch":
        return estimate_welch(model)
    return estimate_ols_hc3(model) if model.estimator == "ols_hc3" else estimate_ols_cr2(model)


def estimate_welch(model: Model) -> Estimate:
    """Difference of two means, or of two such differences, without assuming equal variances.

    SE^2 = sum_j s_j^2/n_j over the cells j, dof = SE^4 / sum_j s_j^4/(n_j^2 (n_j - 1)).

    References
    ----------
    Welch (1947), Biometrika 34:28-35. R: ``t.test(y ~ g)``.
    """
    cells = [model.outcome[rows] for rows in model.list_cells()]
    shares = np.array([cell.var(ddof=1) / cell.size for cell in cells])
    variance = shares.sum()
    dof = variance**2 / sum(share**2 / (cell.size - 1) for share, cell in zip(shares, cells, strict=True))
    value = float(cells[0].mean() - cells[1].mean()) if len(cells) == 2 else _estimate_saturated(model)
    return make_estimate(model, "welch", value, float(np.sqrt(variance)), float(dof))


def _estimate_saturated(model: Model) -> float:
    """Least squares where every cell has a coefficient of its own: sums and differences of the cells' means."""
    return fit_direction(model, make_geometry(model))[0]


def estimate_ols_hc3(model: Model) -> Estimate:
    """Least squares with the HC3 variance and t(n - k).

    With d the tested column after the nuisance is projected out, e the residuals and h the leverages:
    theta = d'y / d'd and Var(theta) = sum_i d_i^2 e_i^2 / (1 - h_i)^2 / (d'd)^2.

    References
    ----------
    MacKinnon & White (1985), J Econometrics 29:305-325; Long & Ervin (2000), Am Stat 54:217-224.
    R: ``coeftest(lm(...), vcovHC(..., "HC3"))``.
    """
    geometry = make_geometry(model)
    value, residuals = fit_direction(model, geometry)
    meat = (geometry.direction * residuals / (1 - geometry.leverage)) ** 2
    std_error = float(np.sqrt(meat.sum()) / geometry.information)
    return make_estimate(model, "ols_hc3", value, std_error, model.n - model.n_parameters)


def estimate_ols_cr2(model: Model) -> Estimate:
    """Least squares with the CR2 variance and Satterthwaite dof, for families whose members depend on each other.

    Units of one row make it HC2 with Bell-McCaffrey dof (``ols_hc2``): Var(theta) = sum_i d_i^2 e_i^2 / (1 - h_i) /
    (d'd)^2, and for pairs without covariates the paired t.

    References
    ----------
    Bell & McCaffrey (2002), Surv Methodol 28:169-181; Pustejovsky & Tipton (2018), J Bus Econ Stat 36:672-683.
    R: ``clubSandwich::coef_test(vcov = "CR2", cluster = family, test = "Satterthwaite")``.
    """
    geometry = make_geometry(model)
    value, residuals = fit_direction(model, geometry)
    weights = compute_unit_weights(geometry, model.units)
    scores = np.bincount(np.unique(model.units, return_inverse=True)[1], weights * residuals)
    std_error = float(np.linalg.norm(scores) / geometry.information)
    dof = compute_satterthwaite_dof(weights, geometry, model.units)
    return make_estimate(model, "ols_cr2" if model.has_families else "ols_hc2", value, std_error, dof)


def estimate_ols(model: Model) -> Estimate:
    """Least squares with the classical variance s^2 / d'd and t(n - k); effect sizes and oracles use it.

    References
    ----------
    R: ``summary(lm(...))``.
    """
    geometry = make_geometry(model)
    value, residuals = fit_direction(model, geometry)
    dof = model.n - model.n_parameters
    std_error = float(np.sqrt(residuals @ residuals / dof / geometry.information))
    return make_estimate(model, "ols", value, std_error, dof)


def fit_direction(model: Model, geometry: Geometry) -> tuple[float, np.ndarray]:
    """Return the least-squares coefficient of the tested column and the residuals (n,) of the whole model."""
    value = float(geometry.direction @ model.outcome / geometry.information)
    return value, residualise(model.outcome, geometry.basis)


def compute_p(estimate: Estimate, null: float = 0.0, alternative: Alternative = "two-sided") -> float:
    """P value of theta = null, or of theta <= null (``greater``), or of theta >= null (``less``).

    Of several coefficients: that all are 0.
    """
    if estimate.levels is not None:
        return estimate.levels.compute_p()
    t = (estimate.estimate - null) / estimate.std_error
    if alternative == "two-sided":
        return float(2 * special.stdtr(estimate.dof, -abs(t)))
    return float(special.stdtr(estimate.dof, -t if alternative == "greater" else t))


def compute_tost_p(estimate: Estimate, bound: float) -> float:
    """P value of |theta| >= bound: the larger of two one-sided tests.

    References
    ----------
    Schuirmann (1987), J Pharmacokinet Biopharm 15:657-680; Lakens (2017), Soc Psychol Personal Sci 8:355-362.
    """
    if estimate.levels is not None:
        return estimate.levels.compute_too_small_p(bound / estimate.levels.unit)
    return max(compute_p(estimate, -bound, "greater"), compute_p(estimate, bound, "less"))


def compute_minimum_effect_p(estimate: Estimate, bound: float) -> float:
    """P value of |theta| <= bound: how often an estimate would lie as far out if theta were on the bound.

    P(T >= (|estimate| - bound)/SE) + P(T >= (|estimate| + bound)/SE): with bound 0 the two-sided p. With a
    known SE it is the uniformly most powerful unbiased test of an interval.

    For a bound that is a number, or a partial r: there the bound r s(y|Z)/s(x|Z) grows with the estimate,
    because s(y|Z) holds the effect, and the test is a little conservative.

    References
    ----------
    Hodges & Lehmann (1954), J R Stat Soc B 16:261-268; Lehmann & Romano (2005), Testing Statistical
    Hypotheses, 4.2.
    """
    near = (abs(estimate.estimate) - bound) / estimate.std_error
    far = (abs(estimate.estimate) + bound) / estimate.std_error
    return float(min(1.0, special.stdtr(estimate.dof, -near) + special.stdtr(estimate.dof, -far)))


def compute_minimum_size_p(estimate: Estimate, bound: float) -> float:
    """P value of |theta| <= bound for a bound that is a multiple of the sample's own SD, as that of g is.

    Such a bound rises and falls with the standard error, so that bound/SE hardly varies, while the statistic
    with theta on the bound is (z + bound/SE) / (s/sigma): noncentral t with that noncentrality. Its far tail
    is longer than the central t's shifted by as much. So p = P(|T| >= |estimate|/SE), T ~ t(dof, bound/SE);
    with bound 0 the two-sided p. Exact for two groups of one size and one variance; conservative for pairs,
    whose differences' SD is not the unit of g.

    Tests of the opposite side (TOST, "too small") reject on the near tail, which is the shorter one, and keep
    the central t.

    References
    ----------
    Steiger (2004), Psychol Methods 9:164-182. R: ``pt(t, dof, ncp)``.

    Examples
    --------
    >>> estimate = Estimate("welch", 8.0, 2.0, 34.0, 4.0, 36, 18, 18)
    >>> print(f"{compute_minimum_size_p(estimate, 3.0):.4f} {compute_minimum_effect_p(estimate, 3.0):.4f}")
    0.0128 0.0087
    """
    t, noncentrality = abs(estimate.statistic), bound / estimate.std_error
    beyond = compute_noncentral_cdf(-t, estimate.dof, -noncentrality)
    return min(1.0, beyond + compute_noncentral_cdf(-t, estimate.dof, noncentrality))


def compute_interval(estimate: Estimate, level: float) -> tuple[float, float]:
    """Central confidence interval at ``level``, such as 0.95."""
    half = float(special.stdtrit(estimate.dof, 0.5 + level / 2)) * estimate.std_error
    return estimate.estimate - half, estimate.estimate + half


def adjust_holm(p: ArrayLike) -> Floats:
    """Adjust the p values of one family, or of several rows, by Holm's step-down method.

    The i-th smallest of m becomes max over j <= i of min(1, (m - j + 1) p_(j)).

    Parameters
    ----------
    p : array_like, shape (..., m)
        NaN is a claim that could not be tested: it stays NaN and does not count in m.

    Returns
    -------
    ndarray, shape (..., m)

    References
    ----------
    Holm (1979), Scand J Stat 6:65-70. R: ``p.adjust(p, "holm")``.

    Examples
    --------
    >>> adjust_holm([0.01, 0.04, np.nan, 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, axis=-1, kind="stable")  # NaN last
    factors = np.isfinite(values).sum(axis=-1, keepdims=True) - np.arange(values.shape[-1])
    ranked = np.take_along_axis(values, order, axis=-1)
    stepped = np.minimum(1.0, np.maximum.accumulate(factors * ranked, axis=-1))
    adjusted = np.empty_like(values)
    np.put_along_axis(adjusted, order, stepped, axis=-1)
    return adjusted
