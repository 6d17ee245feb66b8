from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rsconn.inference.effect_sizes import (
    compute_bias_factor,
    convert_sesoi,
    correct_attenuation,
    estimate_effect_size,
    find_noncentrality_limits,
)


def test_bias_factor_of_hedges_table():
    """Hedges (1981), table 1 of exact values, three digits."""
    for dof, value in ((2, 0.564), (10, 0.923), (20, 0.962), (50, 0.985)):
        assert round(compute_bias_factor(dof), 3) == value


def test_g_without_covariates_is_the_textbook_one(make_contrast):
    model = make_contrast(11, 23)
    a, b = model.outcome[model.in_a], model.outcome[~model.in_a]
    pooled = np.sqrt((10 * a.var(ddof=1) + 22 * b.var(ddof=1)) / 32)
    effect = estimate_effect_size(model)
    np.testing.assert_allclose(
        effect.value, compute_bias_factor(32) * (a.mean() - b.mean()) / pooled, rtol=1e-12
    )
    assert effect.low < effect.value < effect.high


def test_interval_of_g_covers_the_truth(make_contrast):
    hits = 0
    for seed in range(400):
        effect = estimate_effect_size(make_contrast(10, 14, effect=0.8, seed=seed))
        hits += effect.low / compute_bias_factor(22) <= 0.8 <= effect.high / compute_bias_factor(22)
    assert abs(hits / 400 - 0.95) < 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("t", [-6.0, -0.3, 0.0, 2.5, 12.0])
@pytest.mark.parametrize("dof", [3, 34, 142])
def test_noncentrality_limits_invert_the_noncentral_t(t, dof):
    low, high = find_noncentrality_limits(t, dof, 0.95)
    np.testing.assert_allclose(stats.nct.sf(t, dof, low), 0.025, rtol=1e-9)
    np.testing.assert_allclose(stats.nct.cdf(t, dof, high), 0.025, rtol=1e-9)


def test_partial_r_is_the_correlation_of_residuals(make_slope):
    model = make_slope(n_covariates=3)
    projector = np.eye(model.n) - model.nuisance @ np.linalg.pinv(model.nuisance)
    expected = np.corrcoef(projector @ model.tested, projector @ model.outcome)[0, 1]
    effect = estimate_effect_size(model)
    np.testing.assert_allclose(effect.value, expected, rtol=1e-12)
    assert -1 < effect.low < effect.value < effect.high < 1


def test_sesoi_of_a_contrast_is_in_raw_sd(make_contrast):
    model = make_contrast(10, 20, n_covariates=2, sd_a=2.0)
    a, b = model.outcome[model.in_a], model.outcome[~model.in_a]
    expected = 0.5 * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    np.testing.assert_allclose(convert_sesoi(model, 0.5), expected, rtol=1e-12)


def test_sesoi_of_a_slope_equal_to_its_partial_r_is_the_slope(make_slope):
    model = make_slope()
    effect = estimate_effect_size(model)
    slope = np.linalg.lstsq(model.design, model.outcome, rcond=None)[0][0]
    np.testing.assert_allclose(convert_sesoi(model, effect.value), slope, rtol=1e-12)


def test_paired_effects_use_the_raw_sd_where_it_is_known(make_paired):
    model = make_paired()
    plain = estimate_effect_size(model)
    expected = compute_bias_factor(13) * model.outcome.mean() / model.outcome.std(ddof=1)
    np.testing.assert_allclose(plain.value, expected, rtol=1e-12)
    known = replace(model, raw_sd=2.0)
    np.testing.assert_allclose(
        estimate_effect_size(known).value, expected * model.outcome.std(ddof=1) / 2, rtol=1e-12
    )
    np.testing.assert_allclose(convert_sesoi(known, 0.5), 1.0)


def test_attenuation_correction_recovers_the_true_slope():
    """A predictor measured with reliability 0.7 given a covariate that explains part of the true score."""
    rng = np.random.default_rng(3)
    n = 200_000
    covariate = rng.normal(size=n)
    true = 0.6 * covariate + 0.8 * rng.normal(size=n)
    measured = true + rng.normal(size=n) * np.sqrt(0.3 / 0.7)
    outcome = 2.0 * true - covariate + rng.normal(size=n)
    from rsconn.inference.estimators import estimate_ols
    from rsconn.inference.model import Model

    nuisance = np.column_stack([np.ones(n), covariate])
    model = Model(outcome, measured, nuisance, "slope", "ols_hc3", np.arange(n))
    naive = estimate_ols(model).estimate
    assert naive < 1.4
    assert abs(correct_attenuation(model, naive, 0.7) - 2.0) < 0.03


def test_nothing_reliable_left_is_nan(make_slope):
    assert np.isnan(correct_attenuation(make_slope(), 1.0, 0.05))


def test_two_pairs_have_no_unbiased_effect_size(make_paired):
    """The factor of one degree of freedom is 0, which would say g = 0, exactly."""
    effect = estimate_effect_size(make_paired(n=2))
    assert np.isnan([effect.value, effect.low, effect.high]).all()
