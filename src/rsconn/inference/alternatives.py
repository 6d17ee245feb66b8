"""Other ways to estimate what the primary estimator estimates: shown beside it, never deciding."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import integrate, special, stats

from rsconn.inference.estimators import (
    Alternative,
    Estimate,
    estimate_ols,
    estimate_ols_cr2,
    make_estimate,
)
from rsconn.inference.model import RANK_TOLERANCE, Floats, Model, make_geometry, residualise

# Huber's tuning constant: 95 % efficiency for normal errors.
HUBER_K = 1.345
# Median absolute deviation of a standard normal, to the digits that rlm uses.
NORMAL_MAD = 0.6745
MAX_ITERATIONS = 500


def estimate_hc2_bm(model: Model) -> Estimate:
    """Least squares with HC2 and Bell-McCaffrey dof (`estimate_ols_cr2`), whatever families there are."""
    return estimate_ols_cr2(replace(model, estimator="ols_hc3", units=np.arange(model.n)))


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
    basis = _span(np.column_stack([_rank_column(column) for column in model.nuisance.T]))
    x, y = (residualise(stats.rankdata(column), basis) for column in (model.tested, model.outcome))
    dof = model.n - basis.shape[1] - 1
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    if dof < 1 or lengths <= RANK_TOLERANCE * model.n**3:  # the ranks of the covariates leave nothing over
        return make_estimate(model, "partial_spearman", np.nan, np.nan, dof)
    r = float(np.clip(x @ y / lengths, -1.0, 1.0))
    return make_estimate(model, "partial_spearman", r, float(np.sqrt((1 - r**2) / dof)), dof)


def _span(columns: Floats) -> Floats:
    """Orthonormal basis of columns that may depend on each other, as ranks can where their columns do not."""
    vectors, sizes, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), full_matrices=False)
    return np.asarray(vectors[:, sizes > RANK_TOLERANCE * sizes[0]])


def compute_rank_interval(estimate: Estimate, level: float) -> tuple[float, float]:
    """Confidence interval of `estimate_partial_spearman`, by Fisher's z with variance (1 + r^2/2) / (dof - 1).

    References
    ----------
    Bonett & Wright (2000), Psychometrika 65:23-28.

    Examples
    --------
    >>> found = Estimate("partial_spearman", -0.93, 0.116, 10.0, -8.0, 12)
    >>> print("{:.3f} {:.3f}".format(*compute_rank_interval(found, 0.95)))
    -0.985 -0.705
    """
    r, dof = estimate.estimate, estimate.dof
    if dof <= 1:
        return -1.0, 1.0
    if abs(r) == 1:
        return r, r
    half = special.ndtri(0.5 + level / 2) * np.sqrt((1 + r**2 / 2) / (dof - 1))
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def compute_superiority_interval(estimate: Estimate, level: float) -> tuple[float, float]:
    """Confidence interval of `estimate_brunner_munzel`, made on the logit so that no probability lies outside 0..1.

    References
    ----------
    Brunner, Bathke & Konietschke (2018), Rank and pseudo-rank procedures, 3.7.
    """
    share = estimate.estimate + 0.5
    half = special.stdtrit(estimate.dof, 0.5 + level / 2) * estimate.std_error / (share * (1 - share))
    low, high = special.expit(special.logit(share) + np.array([-half, half])) - 0.5
    return float(low), float(high)


def _rank_column(column: Floats) -> Floats:
    """Midranks; a constant column stays the constant."""
    return column if np.ptp(column) == 0 else np.asarray(stats.rankdata(column), dtype=np.float64)


T_TEST_RSCALE = np.sqrt(2) / 2
COEFFICIENT_RSCALE = np.sqrt(2) / 4
# log g from where the prior vanishes to where the integrand has: the trapezoid rule then converges exponentially.
LOG_G = np.linspace(-40.0, 80.0, 6001)


class _Curve(NamedTuple):
    """Log of the integrand over log g, and the R2 and n behind it."""

    log_height: Floats
    r2: float
    n: int


def is_plain(model: Model) -> bool:
    """Say whether a model is a t test: a contrast or pairs without covariates."""
    return model.kind != "slope" and model.nuisance.shape[1] == (0 if model.kind == "paired" else 1)


def get_prior_scale(model: Model) -> float:
    """Scale of the Cauchy prior: of the difference in SDs for a t test, of the standardised coefficient otherwise."""
    return float(T_TEST_RSCALE if is_plain(model) else COEFFICIENT_RSCALE)


def compute_bayes_factor(
    model: Model, alternative: Alternative = "two-sided", *, widened: float = 1.0
) -> float:
    """Evidence for an effect over none, BF10; ``greater`` and ``less`` give the one-sided BF+0 and BF-0.

    Contrasts and paired differences without covariates: JZS with r = sqrt(2)/2, pooled variance. Anything
    with covariates, and slopes: BF(full)/BF(nuisance only) with rscale sqrt(2)/4. ``widened`` multiplies it.
    NaN for paired models with covariates and for several levels. For an equivalence claim it is
    still the evidence against the point null, and the report says so.

    Examples
    --------
    >>> change = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])  # Student's sleep data
    >>> model = Model(change, np.ones(10), np.empty((10, 0)), "paired", "ols_hc3", np.arange(10))
    >>> print(f"{compute_bayes_factor(model):.5f} {compute_bayes_factor(model, 'greater'):.5f}")
    17.25888 34.41694
    """
    if model.kind == "omnibus" or (model.kind == "paired" and model.nuisance.shape[1] > 0):
        return float("nan")
    plain = is_plain(model)
    t = estimate_ols(model).statistic
    dof = model.n - model.n_parameters
    if plain:
        curve = _make_t_curve(t, dof, _count_effective(model) * widened**2)
        log_factor = _integrate(curve.log_height)
    else:
        full, nuisance = _make_coefficient_curves(model, widened)
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


def _make_coefficient_curves(model: Model, widened: float) -> tuple[_Curve, _Curve]:
    """Curves of the full model and of the nuisance alone, each against the constant."""
    n, k = model.n, model.n_parameters
    b = n * (COEFFICIENT_RSCALE * widened) ** 2 / 2
    full, nuisance = _make_curve(_compute_r2(model.outcome, model.design), n, k - 1, b), None
    if k > 2:
        nuisance = _make_curve(_compute_r2(model.outcome, model.nuisance), n, k - 2, b)
    return full, nuisance or _make_curve(0.0, n, 0, b)


def _compute_r2(outcome: Floats, design: Floats) -> float:
    """Share of the variance explained by a design that contains the constant."""
    basis = np.linalg.qr(design / np.linalg.norm(design, axis=0))[0]
    left, centred = residualise(outcome, basis), outcome - outcome.mean()
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


# Effects in standard errors, each way, over which the posterior is integrated, and the SDs of error that it spans.
_EFFECTS, _ERRORS = 2001, 801


def compute_interval_bayes_factor(model: Model, bound: float) -> float:
    """Evidence for an effect within +- bound (in the outcome's units) over one beyond it.

    Posterior odds over prior odds of lying within, with the Cauchy prior of `get_prior_scale` on the effect in SDs,
    unrelated people of one variance, and the likelihood of the classical t. NaN for several levels.

    References
    ----------
    Morey & Rouder (2011), Psychol Methods 16:406-419. R: ``ttestBF(nullInterval = c(-b, b))``, its two rows' ratio.
    """
    if model.kind == "omnibus":
        return float("nan")
    ols, n = estimate_ols(model), _count_prior(model)
    edge, scale = bound / ols.std_error, get_prior_scale(model) * np.sqrt(n)
    reach = 12 + 12 * abs(ols.statistic) / np.sqrt(2 * ols.dof)
    low, high = min(ols.statistic - reach, -2 * edge), max(ols.statistic + reach, 2 * edge)
    inside, *beyond = (
        _integrate_posterior(ols, scale, *ends) for ends in ((-edge, edge), (low, -edge), (edge, high))
    )
    within = 2 / np.pi * np.arctan(edge / scale)
    with np.errstate(over="ignore", divide="ignore"):
        return float(np.divide(inside, sum(beyond)) * (1 - within) / within)


def _count_prior(model: Model) -> float:
    """People that an effect in units of the prior counts as: effect * sqrt(n) is its size in standard errors."""
    return _count_effective(model) if is_plain(model) else float(model.n)


def _integrate_posterior(ols: Estimate, scale: float, low: float, high: float) -> float:
    """Integral of prior times likelihood over effects, in standard errors, between two ends."""
    effects = np.linspace(low, high, _EFFECTS)
    spread = 13 / np.sqrt(2 * ols.dof)
    errors = np.linspace(max(1e-9, 1 - spread), 1 + spread, _ERRORS)
    log_density = (ols.dof - 1) * np.log(errors) - ols.dof * (errors**2 - 1) / 2
    normal = np.exp(-((ols.statistic * errors - effects[:, None]) ** 2) / 2 + log_density)
    likelihood = np.trapezoid(normal * errors, errors, axis=1)
    return float(integrate.simpson(likelihood / (1 + (effects / scale) ** 2), x=effects))
