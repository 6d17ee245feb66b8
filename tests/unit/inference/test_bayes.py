from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from rsconn.inference.alternatives import compute_bayes_factor, compute_interval_bayes_factor
from rsconn.inference.estimators import estimate_ols
from rsconn.inference.model import Model

# Student's sleep data, as printed in the manual of the R package BayesFactor (ttestBF): 17.25888, and 34.41694 for
# the side of the effect, 0.1008246 for the other.
SLEEP = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])


def test_published_values_of_the_sleep_data():
    model = Model(SLEEP, np.ones(10), np.empty((10, 0)), "paired", "ols_hc3", np.arange(10))
    found = [compute_bayes_factor(model, side) for side in ("two-sided", "greater", "less")]
    np.testing.assert_allclose(found, [17.25888, 34.41694, 0.1008246], rtol=5e-7)


def test_two_sample_factor_is_the_average_over_a_cauchy_prior(make_contrast):
    """BF10 = E[nct(t; dof, delta sqrt(N))] / t(t; dof) with delta from Cauchy(0, sqrt(2)/2)."""
    model = make_contrast(11, 16, effect=0.9)
    t = estimate_ols(model).statistic
    n_effective = 11 * 16 / 27

    def integrand(delta):
        return stats.nct.pdf(t, 25, delta * np.sqrt(n_effective)) * stats.cauchy.pdf(
            delta, scale=np.sqrt(2) / 2
        )

    below, above = (
        integrate.quad(integrand, low, high, epsabs=1e-12)[0] for low, high in ((-6.0, 0.0), (0.0, 6.0))
    )
    null = stats.t.pdf(t, 25)
    np.testing.assert_allclose(compute_bayes_factor(model), (below + above) / null, rtol=1e-4)
    np.testing.assert_allclose(compute_bayes_factor(model, "greater"), 2 * above / null, rtol=1e-4)
    np.testing.assert_allclose(compute_bayes_factor(model, "less"), 2 * below / null, rtol=1e-4)


def test_the_two_sides_average_to_both(make_slope, make_contrast):
    for model in (make_slope(), make_contrast(n_covariates=2), make_contrast()):
        sides = compute_bayes_factor(model, "greater") + compute_bayes_factor(model, "less")
        np.testing.assert_allclose(sides / 2, compute_bayes_factor(model), rtol=1e-10)


def test_turning_the_predictor_turns_the_sides(make_slope):
    model = make_slope()
    turned = replace(model, tested=-model.tested)
    np.testing.assert_allclose(
        compute_bayes_factor(turned, "less"), compute_bayes_factor(model, "greater"), rtol=1e-10
    )


def test_units_do_not_matter(make_slope):
    model = make_slope()
    nuisance = model.nuisance * np.array([1.0, 1e6, 1e-4])
    moved = replace(model, outcome=50 + 1e3 * model.outcome, tested=1e-5 * model.tested, nuisance=nuisance)
    np.testing.assert_allclose(compute_bayes_factor(moved), compute_bayes_factor(model), rtol=1e-8)


def test_balanced_contrast_without_covariates_agrees_with_the_coefficient(make_contrast):
    """rscale sqrt(2)/4 per SD of a balanced dummy is sqrt(2)/2 per group difference: the priors coincide."""
    model = make_contrast(20, 20)
    as_slope = replace(model, kind="slope", estimator="ols_hc3")
    np.testing.assert_allclose(compute_bayes_factor(as_slope), compute_bayes_factor(model), rtol=1e-9)


def test_no_effect_is_evidence_for_none_and_grows_with_n(make_contrast):
    factors = []
    for n in (20, 200):
        model = make_contrast(n, n)
        outcome = model.outcome - np.where(model.in_a, model.outcome[:n].mean(), model.outcome[n:].mean())
        factors.append(compute_bayes_factor(replace(model, outcome=outcome)))
    assert 1 > factors[0] > factors[1]


def test_overwhelming_evidence_does_not_overflow(make_slope):
    model = make_slope(n=400, n_covariates=1)
    exact = replace(model, outcome=model.tested + 1e-6 * model.outcome)
    assert compute_bayes_factor(exact) == np.inf


def test_paired_with_covariates_has_none(make_paired):
    assert np.isnan(compute_bayes_factor(make_paired(n_covariates=1)))


@pytest.mark.parametrize("side", ["greater", "less"])
def test_one_sided_factor_is_at_most_twice_the_other(make_contrast, side):
    model = make_contrast(8, 8, effect=0.3)
    assert 0 < compute_bayes_factor(model, side) <= 2 * compute_bayes_factor(model)


def integrate_evidence(t, dof, n, scale, edge):
    """Prior and likelihood by scipy's own distributions: evidence within over beyond +- edge standard errors."""

    def density(effect):
        return stats.nct.pdf(t, dof, effect * np.sqrt(n)) * stats.cauchy.pdf(effect, scale=scale)

    edge = edge / np.sqrt(n)
    inside = integrate.quad(density, -edge, edge, points=[0], limit=200)[0]
    beyond = sum(integrate.quad(density, *ends, limit=200)[0] for ends in ((-5, -edge), (edge, 5)))
    within = 1 - 2 * stats.cauchy.sf(edge, scale=scale)
    return inside / beyond * (1 - within) / within


@pytest.mark.parametrize(("n", "effect"), [(12, 0.0), (30, 0.3), (60, 1.2)])
def test_evidence_for_an_interval_is_posterior_over_prior_odds(make_contrast, n, effect):
    model = make_contrast(n, n, effect=effect)
    ols = estimate_ols(model)
    bound = 0.5 * ols.std_error * np.sqrt(n / 2)
    expected = integrate_evidence(ols.statistic, ols.dof, n / 2, np.sqrt(2) / 2, bound / ols.std_error)
    assert compute_interval_bayes_factor(model, bound) == pytest.approx(expected, rel=1e-5)


def test_a_wider_prior_sees_less_where_there_is_nothing(make_contrast):
    for model in (make_contrast(20, 20, effect=0.0), make_contrast(20, 20, n_covariates=2, effect=0.0)):
        half, same, twice = (compute_bayes_factor(model, widened=widened) for widened in (0.5, 1.0, 2.0))
        assert half > same > twice
        assert same == compute_bayes_factor(model)
