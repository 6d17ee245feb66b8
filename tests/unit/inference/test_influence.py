from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from rsconn.inference.effect_sizes import convert_sesoi
from rsconn.inference.estimators import estimate_model
from rsconn.inference.influence import compute_cooks_distance, leave_each_out


def test_cooks_distance_equals_statsmodels(make_slope):
    model = make_slope(n_covariates=3)
    oracle = sm.OLS(model.outcome, model.design).fit().get_influence().cooks_distance[0]
    np.testing.assert_allclose(compute_cooks_distance(model), oracle, rtol=1e-9)


def test_the_odd_one_out_has_the_largest_distance(make_slope):
    model = make_slope(n=30)
    outcome = model.outcome.copy()
    outcome[17] += 20
    assert compute_cooks_distance(replace(model, outcome=outcome)).argmax() == 17


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["welch", "contrast", "slope", "paired"])
def test_each_left_out_lies_between_its_bounds(make_contrast, make_slope, make_paired, kind, seed):
    models = {
        "welch": lambda: make_contrast(6 + seed, 15, seed=seed, sd_a=3.0),
        "contrast": lambda: make_contrast(7 + seed, 15, n_covariates=1 + seed % 3, seed=seed),
        "slope": lambda: make_slope(n=24 + 4 * seed, seed=seed),
        "paired": lambda: make_paired(n=8 + seed, seed=seed),
    }
    model = models[kind]()
    found = leave_each_out(model)
    assert found.known.any()
    for row in np.flatnonzero(found.known):
        rest = model.keep(np.arange(model.n) != row)
        estimate = estimate_model(rest)
        np.testing.assert_allclose(found.estimate[row], estimate.estimate, rtol=1e-9, atol=1e-10)
        for bounds, value in ((found.std_error, estimate.std_error), (found.dof, estimate.dof)):
            assert bounds[0][row] * (1 - 1e-9) <= value <= bounds[1][row] * (1 + 1e-9)
        if kind != "paired":
            np.testing.assert_allclose(found.unit[row], convert_sesoi(rest, 1.0), rtol=1e-9)


def test_bounds_are_narrow_where_nobody_stands_out(make_slope):
    found = leave_each_out(make_slope(n=400))
    assert found.known.all()
    assert (found.std_error[1] / found.std_error[0]).max() < 1.01


def test_one_who_holds_all_the_variance_is_unknown(make_contrast):
    model = make_contrast(12, 15)
    outcome = model.outcome.copy()
    outcome[3] = 1e9
    assert np.flatnonzero(~leave_each_out(replace(model, outcome=outcome)).known).tolist() == [3]
