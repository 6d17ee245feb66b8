from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rsconn.inference.model import Model

Builder = Callable[..., Model]


@pytest.fixture
def make_contrast() -> Builder:
    """Two groups: `effect` SDs apart, with covariates that also shift the outcome."""

    def make(n_a=12, n_b=15, n_covariates=0, effect=0.6, seed=0, estimator=None, sd_a=1.0) -> Model:
        rng = np.random.default_rng(seed)
        tested = np.r_[np.ones(n_a), np.zeros(n_b)]
        n = n_a + n_b
        covariates = rng.normal(size=(n, n_covariates)) + 0.5 * tested[:, None]
        noise = rng.normal(size=n) * np.where(tested > 0, sd_a, 1.0)
        outcome = 10 + effect * tested + noise + covariates.sum(axis=1)
        nuisance = np.column_stack([np.ones(n), covariates])
        chosen = estimator or ("ols_hc3" if n_covariates else "welch")
        return Model(outcome, tested, nuisance, "contrast", chosen, np.arange(n))

    return make


@pytest.fixture
def make_slope() -> Builder:
    """A predictor, correlated with the covariates."""

    def make(n=20, n_covariates=2, slope=0.4, seed=1) -> Model:
        rng = np.random.default_rng(seed)
        covariates = rng.normal(size=(n, n_covariates))
        predictor = rng.normal(size=n) + covariates.sum(axis=1)
        outcome = slope * predictor + covariates.sum(axis=1) + rng.normal(size=n)
        nuisance = np.column_stack([np.ones(n), covariates])
        return Model(outcome, predictor, nuisance, "slope", "ols_hc3", np.arange(n))

    return make


@pytest.fixture
def make_paired() -> Builder:
    """Within-person differences, with or without a covariate of change."""

    def make(n=14, n_covariates=0, effect=0.5, seed=2) -> Model:
        rng = np.random.default_rng(seed)
        nuisance = rng.normal(size=(n, n_covariates))
        outcome = effect + rng.normal(size=n) + nuisance.sum(axis=1)
        return Model(outcome, np.ones(n), nuisance, "paired", "ols_hc3", np.arange(n))

    return make
