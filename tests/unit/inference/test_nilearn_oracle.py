"""Freedman-Lane with the classical t against nilearn's permuted_ols: t values exactly, p values statistically."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.inference.arrangements import draw_orders
from rsconn.inference.estimators import compute_p, estimate_ols
from rsconn.inference.exceedances import compute_null_residuals, compute_permuted_statistics, make_kernel
from rsconn.inference.model import Model

N_PERMUTATIONS = 2000


@pytest.fixture(scope="module")
def study():
    """36 people, 3 covariates, 8 edges of which the first two differ between groups."""
    rng = np.random.default_rng(12)
    group = np.repeat([1.0, 0.0], 18)
    covariates = rng.normal(size=(36, 3)) + 0.3 * group[:, None]
    outcomes = rng.normal(size=(36, 8)) + covariates.sum(axis=1, keepdims=True)
    outcomes[:, :2] += 0.9 * group[:, None]
    return group, covariates, outcomes


@pytest.fixture(scope="module")
def nilearn_result(study):
    from nilearn.mass_univariate import permuted_ols

    group, covariates, outcomes = study
    return permuted_ols(
        group,
        outcomes,
        covariates,
        model_intercept=True,
        n_perm=N_PERMUTATIONS,
        random_state=0,
        output_type="dict",
    )


@pytest.fixture(scope="module")
def models(study):
    group, covariates, outcomes = study
    nuisance = np.column_stack([np.ones(36), covariates])
    people = np.arange(36)
    return [Model(outcome, group, nuisance, "contrast", "ols_hc3", people) for outcome in outcomes.T]


def test_t_values_equal_permuted_ols(models, nilearn_result):
    found = [estimate_ols(model).statistic for model in models]
    np.testing.assert_allclose(found, nilearn_result["t"][0], rtol=1e-9)


def test_max_t_p_values_agree_with_permuted_ols(models, nilearn_result):
    kernel = make_kernel(models[0], "ols")
    residuals = np.column_stack([compute_null_residuals(model, kernel) for model in models])
    orders = draw_orders(36, None, N_PERMUTATIONS, np.random.default_rng(1))
    largest = np.abs(compute_permuted_statistics(residuals, orders, kernel)).max(axis=1)
    observed = np.abs([estimate_ols(model).statistic for model in models])
    found = (1 + (largest[:, None] >= observed).sum(axis=0)) / (N_PERMUTATIONS + 1)
    expected = 10.0 ** -nilearn_result["logp_max_t"][0]
    # both are Monte Carlo: four standard errors of their difference
    margin = 4 * np.sqrt(2 * expected * (1 - expected) / N_PERMUTATIONS) + 2e-3
    assert (np.abs(found - expected) <= margin).all()
    assert found.min() < 0.1 < found.max()


def test_uncorrected_p_is_near_the_parametric_one(models):
    kernel = make_kernel(models[0], "ols")
    for model in models:
        residuals = compute_null_residuals(model, kernel)
        orders = draw_orders(36, None, N_PERMUTATIONS, np.random.default_rng(2))
        null = np.abs(compute_permuted_statistics(residuals[:, None], orders, kernel)[:, 0])
        estimate = estimate_ols(model)
        found = (1 + (null >= abs(estimate.statistic)).sum()) / (N_PERMUTATIONS + 1)
        assert abs(found - compute_p(estimate)) < 0.05
