from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from rsconn.inference.alternatives import (
    compute_rank_interval,
    compute_superiority_interval,
    estimate_brunner_munzel,
    estimate_hc2_bm,
    estimate_huber,
    estimate_partial_spearman,
)
from rsconn.inference.estimators import compute_p, estimate_model, estimate_ols


def test_hc2_of_two_groups_is_welch(make_contrast):
    """HC2 of a two-group design is Welch's variance; its Bell-McCaffrey dof has a closed form (Imbens & Kolesar)."""
    model = make_contrast(9, 17, sd_a=2.0)
    found, welch = estimate_hc2_bm(model), estimate_model(model)
    np.testing.assert_allclose(found.std_error, welch.std_error, rtol=1e-12)
    a, b = 9, 17
    closed = (a + b) ** 2 * (a - 1) * (b - 1) / (b**2 * (b - 1) + a**2 * (a - 1))
    np.testing.assert_allclose(found.dof, closed, rtol=1e-11)


def test_hc2_equals_statsmodels(make_slope):
    model = make_slope(n_covariates=3)
    oracle = sm.OLS(model.outcome, model.design).fit(cov_type="HC2", use_t=True)
    np.testing.assert_allclose(estimate_hc2_bm(model).std_error, oracle.bse[0], rtol=1e-10)


def test_bell_mccaffrey_dof_is_the_satterthwaite_dof_of_the_variance(make_slope):
    """2 mean^2 / variance of the estimated variance, under normal errors of equal variance."""
    model = make_slope(n=12)
    rng = np.random.default_rng(0)
    variances = np.array(
        [estimate_hc2_bm(replace(model, outcome=rng.normal(size=12))).std_error ** 2 for _ in range(8_000)]
    )
    simulated = 2 * variances.mean() ** 2 / variances.var()
    assert simulated == pytest.approx(estimate_hc2_bm(model).dof, rel=0.08)


def test_huber_equals_statsmodels_coefficients(make_slope):
    model = make_slope(n=40)
    spoiled = replace(model, outcome=model.outcome + np.where(np.arange(40) % 9 == 0, 15.0, 0.0))
    oracle = sm.RLM(spoiled.outcome, spoiled.design, sm.robust.norms.HuberT()).fit(maxiter=500, tol=1e-12)
    np.testing.assert_allclose(estimate_huber(spoiled).estimate, oracle.params[0], rtol=1e-4)


def test_the_error_of_huber_is_that_of_the_residuals(make_slope):
    model = make_slope(60)
    assert estimate_huber(model).std_error == pytest.approx(estimate_ols(model).std_error, rel=0.15)


def test_huber_forgets_an_outlier_that_least_squares_follows(make_slope):
    model = make_slope(n=60, slope=0.5)
    outcome = model.outcome.copy()
    outcome[np.argmax(model.tested)] -= 60
    spoiled = replace(model, outcome=outcome)
    clean = estimate_ols(model).estimate
    assert abs(estimate_huber(spoiled).estimate - clean) < 0.25 * abs(estimate_ols(spoiled).estimate - clean)


def test_huber_without_error_in_most_people_ends(make_contrast):
    model = make_contrast(10, 10)
    outcome = model.tested.copy()
    outcome[0] = 5.0
    assert estimate_huber(replace(model, outcome=outcome)).estimate == pytest.approx(1.0)


@pytest.mark.parametrize("decimals", [8, 0])
def test_brunner_munzel_equals_scipy(make_contrast, decimals):
    model = make_contrast(14, 19, effect=0.7, sd_a=3.0)
    model = replace(model, outcome=model.outcome.round(decimals))
    a, b = model.outcome[model.in_a], model.outcome[~model.in_a]
    oracle = stats.brunnermunzel(b, a)
    found = estimate_brunner_munzel(model)
    np.testing.assert_allclose(
        [found.statistic, compute_p(found)], [oracle.statistic, oracle.pvalue], rtol=1e-10
    )
    pairs = (a[:, None] > b) + 0.5 * (a[:, None] == b)
    np.testing.assert_allclose(found.estimate, pairs.mean() - 0.5, rtol=1e-12)


def test_brunner_munzel_of_separate_groups_has_no_error(make_contrast):
    model = make_contrast(5, 5)
    found = estimate_brunner_munzel(replace(model, outcome=model.tested * 100 + np.arange(10.0)))
    assert found.estimate == 0.5
    assert np.isnan(found.statistic)


def test_partial_spearman_without_covariates_is_spearman(make_slope):
    model = make_slope(n=25, n_covariates=0)
    oracle = stats.spearmanr(model.tested, model.outcome)
    found = estimate_partial_spearman(model)
    np.testing.assert_allclose(
        [found.estimate, compute_p(found)], [oracle.statistic, oracle.pvalue], rtol=1e-10
    )


@pytest.mark.parametrize("seed", range(40))
def test_intervals_of_ranks_are_possible_ones(make_slope, make_contrast, seed):
    rng = np.random.default_rng(seed)
    slope, contrast = make_slope(seed=seed), make_contrast(5, 6, seed=seed)
    strength = 10.0 ** rng.uniform(-3, 3)
    slope = replace(slope, outcome=slope.outcome + rng.choice([-1, 1]) * strength * slope.tested)
    contrast = replace(contrast, outcome=contrast.outcome + strength * contrast.tested)
    ranks, superior = estimate_partial_spearman(slope), estimate_brunner_munzel(contrast)
    low, high = compute_rank_interval(ranks, 0.95)
    assert -1 <= low <= ranks.estimate <= high <= 1
    if superior.std_error > 0:
        low, high = compute_superiority_interval(superior, 0.95)
        assert -0.5 <= low <= superior.estimate <= high <= 0.5


def test_partial_spearman_knows_no_units(make_slope):
    model = make_slope(n_covariates=2)
    bent = replace(model, outcome=np.exp(model.outcome), tested=model.tested**3)
    np.testing.assert_allclose(
        estimate_partial_spearman(bent).estimate, estimate_partial_spearman(model).estimate, rtol=1e-10
    )
