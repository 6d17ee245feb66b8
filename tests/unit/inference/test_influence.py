from __future__ import annotations

from dataclasses import replace

import numpy as np
import statsmodels.api as sm

from rsconn.inference.alternatives import compute_cooks_distance, leave_one_out
from rsconn.inference.estimators import estimate_model


def test_cooks_distance_equals_statsmodels(make_slope):
    model = make_slope(n_covariates=3)
    oracle = sm.OLS(model.outcome, model.design).fit().get_influence().cooks_distance[0]
    np.testing.assert_allclose(compute_cooks_distance(model), oracle, rtol=1e-9)


def test_the_odd_one_out_has_the_largest_distance(make_slope):
    model = make_slope(n=30)
    outcome = model.outcome.copy()
    outcome[17] += 20
    assert compute_cooks_distance(replace(model, outcome=outcome)).argmax() == 17


def test_leave_one_out_is_the_estimate_of_the_rest(make_contrast):
    model = replace(make_contrast(6, 8, n_covariates=1), blocks=np.arange(14) % 2)
    estimates = leave_one_out(model)
    assert len(estimates) == 14
    keep = np.arange(14) != 3
    rest = replace(
        model,
        outcome=model.outcome[keep],
        tested=model.tested[keep],
        nuisance=model.nuisance[keep],
        units=model.units[keep],
        blocks=None,
    )
    assert estimates[3] == estimate_model(rest)


def test_a_person_nobody_can_miss_gives_none(make_contrast):
    """With two people in a, leaving one out leaves a group of one."""
    estimates = leave_one_out(make_contrast(2, 9))
    assert estimates[0] is None
    assert estimates[1] is None
    assert all(estimate is not None for estimate in estimates[2:])
