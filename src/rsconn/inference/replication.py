"""What an original study's numbers say of a new one, and the reverse: four measures, none of which decides.

Each study is an effect and its standard error on one scale (Hedges g, Fisher z, or the outcome's units). Everything
but the small telescopes of group differences, which use the noncentral t, treats the two effects as normal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, special, stats

from rsconn.inference.effect_sizes import compute_bias_factor
from rsconn.inference.noncentral import compute_noncentral_cdf

# Simonsohn's choice: an original study is thought too small to have seen an effect that it had 33 % power to find.
TELESCOPE_POWER = 1 / 3
_LEVEL = 0.05


@dataclass(frozen=True)
class Evidence:
    """One study's effect.

    Attributes
    ----------
    effect, std_error : float
        On a scale that the two studies share.
    null_error : float
        The standard error where there is no effect: for g that of the group means alone.
    dof : float
        Of the t test behind it; infinite where the effect is taken as normal.
    """

    effect: float
    std_error: float
    null_error: float
    dof: float = math.inf


def describe_g(g: float, n_a: int, n_b: int) -> Evidence:
    """Return a difference of two groups in units of their SD.

    References
    ----------
    Hedges & Olkin (1985), Statistical methods for meta-analysis, ch. 5: var(g) = 1/n_a + 1/n_b + g^2 / (2 (n_a + n_b)).
    """
    null = 1 / n_a + 1 / n_b
    return Evidence(g, math.sqrt(null + g**2 / (2 * (n_a + n_b))), math.sqrt(null), n_a + n_b - 2)


def describe_paired_g(g: float, n: int) -> Evidence:
    """Return a mean change in units of the changes' SD; var(g) = 1/n + g^2 / (2 n)."""
    return Evidence(g, math.sqrt((1 + g**2 / 2) / n), math.sqrt(1 / n), n - 1)


def describe_r(r: float, n: int, n_covariates: int = 0) -> Evidence:
    """Return a correlation as Fisher z; its standard error is 1 / sqrt(n - covariates - 3)."""
    error = 1 / math.sqrt(n - n_covariates - 3)
    return Evidence(math.atanh(r), error, error)


def convert_t_to_g(t: float, n_a: int, n_b: int) -> float:
    """Return the Hedges g of two groups' t.

    Examples
    --------
    >>> round(convert_t_to_g(3.0, 18, 18), 3)
    0.978
    """
    return t * math.sqrt(1 / n_a + 1 / n_b) * compute_bias_factor(n_a + n_b - 2)


def predict_replication(
    original: Evidence, replication: Evidence, level: float = 0.95
) -> tuple[float, float]:
    """Return where the new effect should lie if both studies see the same one.

    References
    ----------
    Patil, Peng & Leek (2016), Perspect Psychol Sci 11:539-544.
    """
    reach = special.ndtri((1 + level) / 2) * math.hypot(original.std_error, replication.std_error)
    return original.effect - reach, original.effect + reach


def find_telescope_effect(original: Evidence, power: float = TELESCOPE_POWER) -> float:
    """Return the effect, without sign, that the original study had this power to find at a two-sided 5 %.

    References
    ----------
    Simonsohn (2015), Psychol Sci 26:559-569.

    Examples
    --------
    >>> round(find_telescope_effect(describe_g(0.0, 20, 20)), 2)
    0.5
    """

    def compute_excess(noncentrality: float) -> float:
        return _compute_power(noncentrality, original.dof) - power

    return float(optimize.brentq(compute_excess, 0.0, 20.0, xtol=1e-12)) * original.null_error


def _compute_power(noncentrality: float, dof: float) -> float:
    if math.isinf(dof):
        critical = special.ndtri(1 - _LEVEL / 2)
        return float(special.ndtr(noncentrality - critical) + special.ndtr(-noncentrality - critical))
    critical = float(special.stdtrit(dof, 1 - _LEVEL / 2))
    above = 1 - compute_noncentral_cdf(critical, dof, noncentrality)
    return above + compute_noncentral_cdf(-critical, dof, noncentrality)


def compute_telescope_p(original: Evidence, replication: Evidence, effect: float) -> float:
    """Return the one-sided p of a true effect of `effect` in the original's direction, if the new one is smaller."""
    sign = math.copysign(1.0, original.effect)
    found = sign * replication.effect
    if math.isinf(replication.dof):
        return float(special.ndtr((found - effect) / replication.std_error))
    t = found / (compute_bias_factor(replication.dof) * replication.null_error)
    return compute_noncentral_cdf(t, replication.dof, effect / replication.null_error)


def compute_replication_bayes_factor(original: Evidence, replication: Evidence) -> float:
    """Return how much better the original's posterior predicts the new effect than no effect does.

    Under one hypothesis the effect has the original's posterior (flat prior), under the other it is zero.

    References
    ----------
    Verhagen & Wagenmakers (2014), J Exp Psychol Gen 143:1457-1475; the normal form as in Pawel & Held (2022), J R Stat
    Soc B 84:879-911.
    """
    spread = math.hypot(original.std_error, replication.std_error)
    log_there = stats.norm.logpdf(replication.effect, original.effect, spread)
    log_none = stats.norm.logpdf(replication.effect, 0.0, replication.std_error)
    return math.exp(min(log_there - log_none, 690.0))


def compute_sceptical_p(original: Evidence, replication: Evidence) -> float:
    """Return the one-sided sceptical p value: small only if both studies are convincing and agree in sign.

    z_S^2 solves (z_o^2 / z_S^2 - 1) (z_r^2 / z_S^2 - 1) = c, c the ratio of the original's to the new variance.

    References
    ----------
    Held (2020), J R Stat Soc A 183:431-448.

    Examples
    --------
    >>> round(compute_sceptical_p(Evidence(3.0, 1, 1), Evidence(3.0, 1, 1)), 4)
    0.0169
    """
    z_original = original.effect / original.std_error
    z_replication = replication.effect / replication.std_error
    ratio = (original.std_error / replication.std_error) ** 2
    z = math.sqrt(_solve_sceptical(z_original**2, z_replication**2, ratio))
    return float(special.ndtr(-z if z_original * z_replication > 0 else z))


def _solve_sceptical(square_original: float, square_replication: float, ratio: float) -> float:
    """Return z_S^2, the root below both squares of (1 - c) x^2 - (a + b) x + a b = 0."""
    total, product = square_original + square_replication, square_original * square_replication
    if product == 0:
        return 0.0
    # the form without cancellation; for c = 1 it is a b / (a + b)
    return 2 * product / (total + math.sqrt(max(total**2 - 4 * (1 - ratio) * product, 0.0)))
