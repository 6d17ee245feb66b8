from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from rsconn.inference.estimators import (
    Estimate,
    compute_interval,
    compute_minimum_effect_p,
    compute_minimum_size_p,
    compute_p,
    compute_tost_p,
    estimate_model,
    estimate_ols,
)
from rsconn.inference.model import Model


def test_welch_equals_scipy(make_contrast):
    model = make_contrast(9, 17, sd_a=3.0)
    estimate = estimate_model(model)
    oracle = stats.ttest_ind(model.outcome[model.in_a], model.outcome[~model.in_a], equal_var=False)
    assert (estimate.estimator, estimate.n, estimate.n_a, estimate.n_b) == ("welch", 26, 9, 17)
    np.testing.assert_allclose([estimate.statistic, estimate.dof], [oracle.statistic, oracle.df], rtol=1e-11)
    np.testing.assert_allclose(compute_p(estimate), oracle.pvalue, rtol=1e-10)
    np.testing.assert_allclose(compute_interval(estimate, 0.9), oracle.confidence_interval(0.9), rtol=1e-9)


@pytest.mark.parametrize("kind", ["contrast", "slope", "paired", "paired_plain"])
def test_hc3_equals_statsmodels_with_t(make_contrast, make_slope, make_paired, kind):
    model = {
        "contrast": make_contrast(n_covariates=3, sd_a=2.0),
        "slope": make_slope(n_covariates=3),
        "paired": make_paired(n_covariates=2),
        "paired_plain": make_paired(),
    }[kind]
    estimate = estimate_model(model)
    oracle = sm.OLS(model.outcome, model.design).fit(cov_type="HC3", use_t=True)
    found = [estimate.estimate, estimate.std_error, estimate.statistic, compute_p(estimate), estimate.dof]
    expected = [oracle.params[0], oracle.bse[0], oracle.tvalues[0], oracle.pvalues[0], oracle.df_resid]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(compute_interval(estimate, 0.95), oracle.conf_int()[0], rtol=1e-9)


def test_ols_equals_statsmodels(make_slope):
    model = make_slope()
    estimate, oracle = estimate_ols(model), sm.OLS(model.outcome, model.design).fit()
    np.testing.assert_allclose(
        [estimate.estimate, estimate.std_error], [oracle.params[0], oracle.bse[0]], rtol=1e-11
    )


def test_covariate_on_a_far_scale_loses_no_digits(make_slope):
    model = make_slope()
    nuisance = model.nuisance.copy()
    nuisance[:, 1] = nuisance[:, 1] * 1e4 + 1e6
    near, far = estimate_model(model), estimate_model(replace(model, nuisance=nuisance))
    np.testing.assert_allclose([far.estimate, far.std_error], [near.estimate, near.std_error], rtol=1e-9)


def test_nearly_aliased_far_columns_lose_few_digits():
    """A predictor near 2000 that varies by thousandths and follows age, and an outcome on an offset of 1e6."""
    rng = np.random.default_rng(0)
    age = rng.normal(54, 7, 40)
    change = rng.normal(0, 1e-3, 40) + age * 1e-3
    outcome = rng.normal(size=40)
    nuisance = np.column_stack([np.ones(40), age, age**2])
    found = estimate_model(Model(outcome + 1e6, 2000 + change, nuisance, "slope", "ols_hc3", np.arange(40)))
    centred = np.column_stack([change, np.ones(40), age - 54, (age - 54) ** 2])
    oracle = sm.OLS(outcome, centred).fit(cov_type="HC3", use_t=True)
    np.testing.assert_allclose(
        [found.estimate, found.std_error], [oracle.params[0], oracle.bse[0]], rtol=1e-7
    )


def test_one_sided_p_are_halves_of_the_two_sided(make_contrast):
    estimate = estimate_model(make_contrast(effect=1.0))
    assert estimate.estimate > 0
    greater, less = compute_p(estimate, alternative="greater"), compute_p(estimate, alternative="less")
    np.testing.assert_allclose(2 * greater, compute_p(estimate), rtol=1e-12)
    np.testing.assert_allclose(greater + less, 1, rtol=1e-12)


def test_p_of_another_null_moves_the_estimate(make_slope):
    estimate = estimate_model(make_slope())
    assert compute_p(estimate, null=estimate.estimate) == 1.0
    low, _ = compute_interval(estimate, 0.95)
    np.testing.assert_allclose(compute_p(estimate, null=low), 0.05, rtol=1e-9)


def test_extreme_statistics_keep_their_p():
    estimate = Estimate("ols_hc3", 30.0, 1.0, 34, 30.0, 36)
    np.testing.assert_allclose(compute_p(estimate), 2 * stats.t.sf(30, 34), rtol=1e-10)
    assert compute_p(estimate) > 0


def test_tost_equals_statsmodels(make_contrast):
    model = make_contrast(40, 50, effect=0.1, sd_a=2.0)
    p, _, _ = ttost_ind(model.outcome[model.in_a], model.outcome[~model.in_a], -1.0, 1.0, usevar="unequal")
    np.testing.assert_allclose(compute_tost_p(estimate_model(model), 1.0), p, rtol=1e-10)


def test_tost_agrees_with_its_interval(make_contrast):
    estimate = estimate_model(make_contrast(30, 30, effect=0.2))
    bound = max(abs(limit) for limit in compute_interval(estimate, 0.90))
    np.testing.assert_allclose(compute_tost_p(estimate, bound), 0.05, rtol=1e-9)


def test_minimum_effect_p_at_bound_zero_is_the_two_sided_p(make_slope):
    estimate = estimate_model(make_slope())
    np.testing.assert_allclose(compute_minimum_effect_p(estimate, 0.0), compute_p(estimate), rtol=1e-12)


def test_minimum_effect_p_on_the_bound_is_uniform_at_most():
    """With |theta| on the bound it rejects at its level, inside less often."""
    rng = np.random.default_rng(5)
    for theta, wanted in ((0.5, 0.05), (0.2, 0.01)):
        outcomes = theta + rng.normal(size=(20_000, 20))
        errors = outcomes.std(axis=1, ddof=1) / np.sqrt(20)
        estimates = [
            Estimate("ols_hc3", m, s, 19, m / s, 20)
            for m, s in zip(outcomes.mean(axis=1), errors, strict=True)
        ]
        rate = np.mean([compute_minimum_effect_p(estimate, 0.5) < 0.05 for estimate in estimates])
        assert rate <= wanted + 3 * np.sqrt(wanted / 20_000)
        if theta == 0.5:
            assert rate > 0.045


def test_minimum_size_p_equals_scipys_noncentral_t(make_contrast):
    estimate = estimate_model(make_contrast(9, 17, sd_a=3.0))
    for bound in (0.0, 0.4 * abs(estimate.estimate), 2 * abs(estimate.estimate)):
        t, noncentrality = abs(estimate.statistic), bound / estimate.std_error
        oracle = stats.nct(estimate.dof, noncentrality)
        np.testing.assert_allclose(
            compute_minimum_size_p(estimate, bound), oracle.sf(t) + oracle.cdf(-t), rtol=1e-9
        )
    np.testing.assert_allclose(compute_minimum_size_p(estimate, 0.0), compute_p(estimate), rtol=1e-12)


def test_minimum_size_p_keeps_its_level_where_the_bound_is_the_samples_own():
    """A bound of 0.5 sample SD: the noncentral t rejects 5 % on it, the central t more."""
    rng, n, n_samples = np.random.default_rng(7), 26, 20_000
    a, b = 0.5 + rng.normal(size=(n_samples, n)), rng.normal(size=(n_samples, n))
    v_a, v_b = a.var(axis=1, ddof=1), b.var(axis=1, ddof=1)
    errors, bounds = np.sqrt((v_a + v_b) / n), 0.5 * np.sqrt((v_a + v_b) / 2)
    dof = (n - 1) * (v_a + v_b) ** 2 / (v_a**2 + v_b**2)
    differences = a.mean(axis=1) - b.mean(axis=1)
    samples = list(zip(differences, errors, dof, bounds, strict=True))
    found = [(Estimate("welch", d, se, nu, d / se, 2 * n, n, n), bound) for d, se, nu, bound in samples]
    mc_error = np.sqrt(0.05 * 0.95 / n_samples)
    rate = np.mean([compute_minimum_size_p(*each) < 0.05 for each in found])
    assert abs(rate - 0.05) < 3 * mc_error
    assert np.mean([compute_minimum_effect_p(*each) < 0.05 for each in found]) > 0.05 + 3 * mc_error


def _make_exact_sample(mean: float, sd: float, n: int) -> np.ndarray:
    values = np.random.default_rng(n).normal(size=n)
    return mean + sd * (values - values.mean()) / values.std(ddof=1)


@pytest.mark.parametrize(
    ("a", "b", "bound", "dof", "upper", "p", "interval"),
    [
        # Deary et al. (2003), IQ of 79,376 children; bounds d = 0.05
        (
            (100.64, 14.1, 39343),
            (100.48, 14.9, 40033),
            0.7252758,
            79260.94,
            -5.490723,
            2.007585e-08,
            (-0.009341433, 0.3293414),
        ),
        # Moery & Calin-Jageman (2016), study 2, as first published; bounds d = 0.43
        (
            (5.25, 0.95, 95),
            (5.22, 0.83, 89),
            0.3835687,
            181.1344,
            -2.692771,
            0.003875522,
            (-0.1870843, 0.2470843),
        ),
    ],
)
def test_published_welch_tost(a, b, bound, dof, upper, p, interval):
    """Worked examples of Lakens' TOSTER 0.3.4 (introductory vignette, and the values its own tests expect)."""
    outcome = np.concatenate([_make_exact_sample(*a), _make_exact_sample(*b)])
    tested = np.r_[np.ones(a[2]), np.zeros(b[2])]
    model = Model(outcome, tested, np.ones((outcome.size, 1)), "contrast", "welch", np.arange(outcome.size))
    estimate = estimate_model(model)
    np.testing.assert_allclose(estimate.dof, dof, rtol=1e-6)
    np.testing.assert_allclose((estimate.estimate - bound) / estimate.std_error, upper, rtol=1e-6)
    np.testing.assert_allclose(compute_tost_p(estimate, bound), p, rtol=3e-6)
    np.testing.assert_allclose(compute_interval(estimate, 0.90), interval, rtol=1e-5)
