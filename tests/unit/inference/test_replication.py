"""Measures of replication against their definitions, computed another way, and against published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import TTestIndPower

from rsconn.inference.replication import (
    Evidence,
    compute_replication_bayes_factor,
    compute_sceptical_p,
    compute_telescope_p,
    convert_t_to_g,
    describe_g,
    describe_r,
    find_telescope_effect,
    predict_replication,
)


@pytest.mark.parametrize(("n_a", "n_b"), [(20, 20), (18, 18), (12, 40)])
def test_telescope_effect_is_what_statsmodels_solves(n_a, n_b):
    solved = TTestIndPower().solve_power(nobs1=n_a, ratio=n_b / n_a, alpha=0.05, power=1 / 3)
    assert find_telescope_effect(describe_g(0.3, n_a, n_b)) == pytest.approx(solved, rel=1e-6)


def test_telescope_of_twenty_per_cell_is_about_half_an_sd():
    """Simonsohn (2015): with 20 per cell the effect that gives 33 % power is about half an SD."""
    assert find_telescope_effect(describe_g(0.0, 20, 20)) == pytest.approx(0.495, abs=0.01)


def test_telescope_p_is_the_noncentral_tail():
    original, t, n = describe_g(0.9, 18, 18), 0.4, 60
    new = describe_g(convert_t_to_g(t, n, n), n, n)
    effect = find_telescope_effect(original)
    expected = stats.nct.cdf(t, 2 * n - 2, effect / math.sqrt(2 / n))
    assert compute_telescope_p(original, new, effect) == pytest.approx(expected, rel=1e-8)


def test_telescope_p_holds_its_level():
    rng, n, effect = np.random.default_rng(3), 40, 0.5
    t = stats.ttest_ind(rng.normal(effect, 1, (4000, n)), rng.normal(0, 1, (4000, n)), axis=1).statistic
    original = Evidence(1.0, 1.0, 1.0)
    p = [compute_telescope_p(original, describe_g(convert_t_to_g(value, n, n), n, n), effect) for value in t]
    assert np.mean(np.asarray(p) < 0.05) == pytest.approx(0.05, abs=0.012)


def test_prediction_interval_covers():
    rng = np.random.default_rng(0)
    original, new = rng.normal(0.4, 0.3, 20_000), rng.normal(0.4, 0.2, 20_000)
    inside = [
        low <= value <= high
        for first, value in zip(original[:4000], new[:4000], strict=True)
        for low, high in [predict_replication(Evidence(first, 0.3, 0.3), Evidence(value, 0.2, 0.2))]
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(("first", "second"), [(0.9, 0.1), (0.9, 0.8), (-0.4, 0.3)])
def test_bayes_factor_is_the_ratio_of_marginal_likelihoods(first, second):
    original, new = Evidence(first, 0.35, 0.35), Evidence(second, 0.2, 0.2)
    marginal, _ = integrate.quad(
        lambda x: stats.norm.pdf(second, x, 0.2) * stats.norm.pdf(x, first, 0.35),
        -6,
        6,
        points=[first, second],
    )
    expected = marginal / stats.norm.pdf(second, 0, 0.2)
    assert compute_replication_bayes_factor(original, new) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("z_o", "z_r", "se_o", "se_r"), [(3, 2.5, 1, 0.5), (2.2, 2.0, 0.5, 1), (4, 4, 1, 1)])
def test_sceptical_p_is_the_level_at_which_the_sceptic_and_the_data_conflict(z_o, z_r, se_o, se_r):
    """The sceptical prior N(0, tau^2) that just makes the original unconvincing at z, against the new effect."""
    level = stats.norm.isf(
        compute_sceptical_p(Evidence(z_o * se_o, se_o, se_o), Evidence(z_r * se_r, se_r, se_r))
    )
    tau2 = se_o**2 / (z_o**2 / level**2 - 1)
    shrunk, variance = tau2 / (tau2 + se_o**2) * z_o * se_o, tau2 * se_o**2 / (tau2 + se_o**2)
    assert shrunk / math.sqrt(variance) == pytest.approx(level)  # the posterior touches zero
    assert z_r * se_r / math.sqrt(tau2 + se_r**2) == pytest.approx(
        level
    )  # prior and new data conflict as much


def test_sceptical_p_is_never_below_either_p_and_large_for_another_sign():
    for z_o, z_r in ((2.0, 3.0), (3.0, 1.0), (5.0, 5.0)):
        p = compute_sceptical_p(Evidence(z_o, 1, 1), Evidence(z_r, 1, 1))
        assert p >= stats.norm.sf(min(z_o, z_r))
        assert compute_sceptical_p(Evidence(z_o, 1, 1), Evidence(-z_r, 1, 1)) > 0.5
    assert compute_sceptical_p(Evidence(2.0, 1, 1), Evidence(0.0, 1, 1)) == 0.5


def test_correlations_are_compared_as_fisher_z():
    found = describe_r(0.5, 30, n_covariates=2)
    assert (found.effect, found.std_error) == (pytest.approx(math.atanh(0.5)), pytest.approx(1 / 5))
