"""Which designs are called stressed, and which ordinary ones are left alone."""

import numpy as np
import pytest
from scipy import special

from rsconn.inference.model import Model
from rsconn.study.claims.covariates import HIGH_LEVERAGE, STRONG_SKEW, UNEQUAL_SMALL_CELLS, find_stress


def spread(n, *, sd=1.0, skewed=False):
    """Quantiles of a normal or of an exponential variable, mean 0."""
    at = (np.arange(n) + 0.5) / n
    values = -np.log1p(-at) if skewed else special.ndtri(at)
    return sd * (values - values.mean()) / values.std()


def make_contrast(n_a, n_b, sd_a=1.0, *, skewed=False):
    outcome = np.concatenate([spread(n_a, sd=sd_a, skewed=skewed), spread(n_b, skewed=skewed)])
    n = n_a + n_b
    return Model(
        outcome, np.repeat([1.0, 0.0], [n_a, n_b]), np.ones((n, 1)), "contrast", "welch", np.arange(n)
    )


def make_slope(predictor, outcome):
    n = predictor.size
    return Model(outcome, predictor, np.ones((n, 1)), "slope", "ols_hc3", np.arange(n))


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        (make_contrast(52, 92), []),
        (make_contrast(18, 18, 2.0), []),
        (make_contrast(8, 40, 2.0), [UNEQUAL_SMALL_CELLS]),
        (make_contrast(40, 8, 0.5), [UNEQUAL_SMALL_CELLS]),
        (make_contrast(8, 40, 1.2), []),  # variances alike
        (make_contrast(8, 9, 3.0), []),  # sizes alike
        (make_contrast(12, 40, 3.0), []),  # not so small
        (make_contrast(18, 18, skewed=True), []),  # skew cancels
        (make_contrast(15, 40, skewed=True), [STRONG_SKEW]),
        (make_contrast(50, 90, skewed=True), []),
    ],
)
def test_contrasts(model, flags):
    assert [stress.flag for stress in find_stress(model)] == flags


def test_slopes():
    rng = np.random.default_rng(3)
    even, outcome = spread(18), spread(18)[rng.permutation(18)]
    assert find_stress(make_slope(even, outcome)) == []
    one_far = np.where(np.arange(18) == 0, 40.0, even)
    (stress,) = find_stress(make_slope(one_far, outcome))
    assert stress.flag == HIGH_LEVERAGE
    assert "9" in stress.detail
    skewed = spread(18, skewed=True)[rng.permutation(18)]
    assert STRONG_SKEW in [stress.flag for stress in find_stress(make_slope(even, skewed))]


def test_detail_has_the_numbers():
    (stress,) = find_stress(make_contrast(8, 40, 2.0))
    assert stress.detail.startswith("n 8 and 40, ratio of the variances 4")


def test_covariates_are_taken_out_first():
    """A covariate that explains the outcome's skew leaves nothing to warn of."""
    covariate = np.concatenate([spread(15, skewed=True), spread(40, skewed=True)])
    noise = 0.1 * np.concatenate([spread(15), spread(40)])
    rng = np.random.default_rng(5)
    outcome = covariate + noise[rng.permutation(55)]
    nuisance = np.column_stack([np.ones(55), covariate])
    model = Model(outcome, np.repeat([1.0, 0.0], [15, 40]), nuisance, "contrast", "ols_hc3", np.arange(55))
    assert find_stress(model) == []
