"""The joint test of many specifications against itself, done slowly; shares of variance against the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rsconn.inference.arrangements import draw_signs
from rsconn.inference.estimators import compute_p, estimate_model
from rsconn.inference.joint_tests import compute_variance_shares, run_joint_test
from rsconn.inference.model import Model, make_geometry, residualise


def make_models(effect: float, seed: int = 3) -> list[Model]:
    """Three specifications of one contrast, which share most people and most of the noise."""
    rng = np.random.default_rng(seed)
    group, age, noise = np.repeat([1.0, 0.0], 12), rng.normal(size=24), rng.normal(size=24)
    models = []
    for absent, weight in ((0, 0.0), (2, 0.5), (3, 1.0)):
        kept = np.arange(24) >= absent
        outcome = effect * group + noise + weight * rng.normal(size=24)
        nuisance = np.column_stack([np.ones(24), age])[kept]
        models.append(Model(outcome[kept], group[kept], nuisance, "contrast", "ols_hc3", np.arange(24)[kept]))
    return models


def refit(models: list[Model], signs: np.ndarray) -> list[float]:
    """Statistics of every model when each person's null residual takes the person's sign; fitted anew."""
    found = []
    for model in models:
        residuals = residualise(model.outcome, make_geometry(model).nuisance_basis) * signs[model.units]
        changed = Model(residuals, model.tested, model.nuisance, model.kind, model.estimator, model.units)
        found.append(estimate_model(changed).statistic)
    return found


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_every_model_is_fitted_again_to_shared_flips(sign: int) -> None:
    models = make_models(0.9)
    estimates = [estimate_model(model) for model in models]
    found = run_joint_test(models, estimates, sign=sign, alpha=0.05, n_flips=99, seed=5)
    signs = draw_signs(24, 99, np.random.default_rng([5, 24]))
    null = np.array([refit(models, row) for row in signs])
    observed = np.array([estimate.statistic for estimate in estimates])

    def summarise(statistics: np.ndarray) -> float:
        middle = float(np.median(statistics))
        return abs(middle) if sign == 0 else sign * middle

    assert_allclose(found.median, summarise(observed))
    assert_allclose(found.p_median, (1 + sum(summarise(row) >= summarise(observed) for row in null)) / 100)
    significant = [compute_p(each) < 0.05 and (sign == 0 or sign * each.statistic > 0) for each in estimates]
    assert_allclose(found.share, np.mean(significant))
    assert_allclose(found.p, min(1.0, 2 * min(found.p_median, found.p_share)))


def test_a_specification_that_occurs_twice_counts_twice() -> None:
    first, second, _ = make_models(0.9)
    again = [first, first, second]
    estimates = [estimate_model(model) for model in again]
    found = run_joint_test(again, estimates, sign=1, alpha=0.05, n_flips=49, seed=5)
    assert_allclose(found.median, estimates[0].statistic)


def test_an_effect_is_found_in_its_direction_only() -> None:
    models = make_models(3.0)
    estimates = [estimate_model(model) for model in models]
    towards, against = (
        run_joint_test(models, estimates, sign=sign, alpha=0.05, n_flips=199, seed=5) for sign in (1, -1)
    )
    assert towards.p == pytest.approx(0.01)
    assert against.p == 1.0


def test_shares_are_those_of_the_analysis_of_variance() -> None:
    levels = np.array([[a, b, c] for a in range(3) for b in range(2) for c in range(2)])
    rng = np.random.default_rng(2)
    values = rng.normal(size=12) + 2.0 * levels[:, 0]
    shares = {each.axes: each.share for each in compute_variance_shares(levels, values)}
    total = ((values - values.mean()) ** 2).sum()
    for axis in range(3):
        means = np.array([values[levels[:, axis] == level].mean() for level in levels[:, axis]])
        assert_allclose(shares[axis,], ((means - values.mean()) ** 2).sum() / total)
    assert set(shares) == {(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)}
    assert 0 < sum(shares.values()) < 1


@pytest.mark.parametrize("values", [np.zeros(4), np.full(4, 0.1 + 0.2)])
def test_estimates_that_do_not_move_have_no_shares(values: np.ndarray) -> None:
    assert compute_variance_shares(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), values) == ()
