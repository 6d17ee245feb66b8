from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import TTestIndPower

from rsconn.inference.estimators import compute_p, compute_tost_p, estimate_model
from rsconn.inference.power import (
    compute_power,
    find_min_detectable,
    find_n,
    make_plan,
    plan_contrast,
    plan_slope,
)


@pytest.mark.parametrize(("n_a", "n_b", "power"), [(52, 92, 0.78), (26, 26, 0.12), (18, 18, 0.02)])
def test_orientation_of_tost(n_a, n_b, power):
    assert round(compute_power(plan_contrast(n_a, n_b), 0.5, alpha=0.05, rule="equivalence"), 2) == power


def test_orientation_of_detectable_effects():
    assert round(find_min_detectable(plan_contrast(18, 18), alpha=0.05, rule="two-sided"), 2) == 0.96
    assert round(find_min_detectable(plan_slope(18, 3), alpha=0.05, rule="two-sided"), 2) == 0.63


@pytest.mark.parametrize(("n_a", "n_b"), [(18, 18), (52, 92), (8, 30)])
@pytest.mark.parametrize("effect", [0.2, 0.8, 1.5])
def test_two_sided_power_equals_statsmodels(n_a, n_b, effect):
    expected = TTestIndPower().power(effect, n_a, 0.01, ratio=n_b / n_a)
    found = compute_power(plan_contrast(n_a, n_b), effect, alpha=0.01, rule="two-sided")
    # the oracle's lower tail is NaN where it is next to nothing
    np.testing.assert_allclose(found, 1.0 if np.isnan(expected) else expected, rtol=1e-8)


def test_directional_power_leaves_out_the_wrong_sign():
    plan = plan_contrast(10, 10)
    assert compute_power(plan, 0.0, alpha=0.05, rule="directional") == pytest.approx(0.025)
    assert compute_power(plan, 0.0, alpha=0.05, rule="two-sided") == pytest.approx(0.05)


@pytest.mark.parametrize(("dof", "noncentrality"), [(1, 12.0), (4, 3.0), (34, 1.5), (34, 3.3), (400, 2.9)])
def test_tost_power_equals_adaptive_integration(dof, noncentrality):
    critical = stats.t.ppf(0.95, dof)
    chi = stats.chi(dof, scale=1 / np.sqrt(dof))

    def integrand(u):
        return (2 * stats.norm.cdf(noncentrality - critical * u) - 1) * chi.pdf(u)

    top = noncentrality / critical
    expected = integrate.quad(
        integrand, 0, top, points=[min(1.0, top)], epsabs=1e-13, epsrel=1e-12, limit=500
    )[0]
    plan = replace(plan_contrast(2, 2), n=dof + 2, information_per_person=1 / (dof + 2))
    found = compute_power(plan, noncentrality, alpha=0.05, rule="equivalence")
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


def test_min_detectable_has_the_power_it_promises():
    for rule in ("directional", "two-sided", "equivalence"):
        for plan in (plan_contrast(26, 26, 2), plan_slope(18, 4)):
            effect = find_min_detectable(plan, alpha=0.05 / 6, rule=rule)
            assert compute_power(plan, effect, alpha=0.05 / 6, rule=rule) == pytest.approx(0.8, abs=1e-7)


@pytest.mark.parametrize("rule", ["directional", "two-sided", "equivalence"])
def test_n_is_the_first_that_is_enough(rule):
    cases = ((plan_contrast(18, 18), 0.5), (plan_contrast(52, 92, 1), 0.3), (plan_slope(18, 3), 0.3))
    for plan, effect in cases:
        n = find_n(plan, effect, alpha=0.025, rule=rule)
        powers = [
            compute_power(replace(plan, n=m), effect, alpha=0.025, rule=rule)
            if plan.kind != "slope"
            else compute_power(plan_slope(m, 3), effect, alpha=0.025, rule=rule)
            for m in (n - 1, n)
        ]
        assert powers[0] < 0.8 <= powers[1]


def test_published_sample_sizes():
    """G*Power 3 manual: two groups, d 0.5, alpha 0.05 two-sided, power 0.8 needs 64 per group."""
    assert find_n(plan_contrast(10, 10), 0.5, alpha=0.05, rule="two-sided") == 128


def test_hopeless_designs_say_so():
    assert np.isnan(find_min_detectable(plan_contrast(1, 1), alpha=0.05, rule="two-sided"))
    assert compute_power(plan_contrast(1, 1), 3.0, alpha=0.05, rule="two-sided") == 0.0
    assert find_n(plan_contrast(10, 10), 1e-5, alpha=0.05, rule="two-sided") is None
    assert find_n(plan_contrast(10, 10), 0.0, alpha=0.05, rule="two-sided") is None


def test_plan_of_a_model_knows_what_covariates_cost(make_contrast, make_slope, make_paired):
    plain = make_plan(make_contrast(12, 15))
    assert (plain.n, plain.n_parameters) == (27, 2)
    assert plain.information_per_person == pytest.approx(12 * 15 / 27**2, rel=1e-12)
    adjusted = make_plan(make_contrast(12, 15, n_covariates=2))
    assert adjusted.dof == plain.dof - 2
    assert adjusted.information_per_person < plain.information_per_person
    assert make_plan(make_slope(18, 3)) == plan_slope(18, 3)
    assert make_plan(make_paired()).information_per_person == 1.0


def test_power_is_met_by_simulation(make_contrast):
    plan = plan_contrast(18, 18)
    effect = find_min_detectable(plan, alpha=0.05, rule="directional")
    bound = find_min_detectable(plan, alpha=0.05, rule="equivalence")
    seen = [estimate_model(make_contrast(18, 18, effect=effect, seed=seed)) for seed in range(2000)]
    rate = np.mean([compute_p(e) < 0.05 and e.estimate > 0 for e in seen])
    null = [estimate_model(make_contrast(18, 18, effect=0.0, seed=seed)) for seed in range(2000)]
    tost = np.mean([compute_tost_p(e, bound) < 0.05 for e in null])
    for found in (rate, tost):
        assert abs(found - 0.8) < 3.5 * np.sqrt(0.16 / 2000)
