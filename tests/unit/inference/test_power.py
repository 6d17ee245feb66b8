from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import TTestIndPower

from rsconn.inference.alternatives import estimate_hc2_bm
from rsconn.inference.effect_sizes import convert_sesoi
from rsconn.inference.estimators import compute_p, compute_tost_p, estimate_model
from rsconn.inference.model import make_geometry
from rsconn.inference.noncentral import compute_tost_power
from rsconn.inference.verdict_power import (
    compute_noncentrality,
    compute_power,
    find_min_detectable,
    find_n,
    make_plan,
    plan_contrast,
    plan_from_n,
    plan_slope,
    scale_plan,
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
    found = compute_tost_power(noncentrality, dof, critical)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


def test_min_detectable_has_the_power_it_promises():
    for rule in ("directional", "two-sided", "equivalence"):
        for plan in (plan_contrast(26, 26, 2), plan_slope(40, 4)):
            effect = find_min_detectable(plan, alpha=0.05 / 6, rule=rule)
            assert compute_power(plan, effect, alpha=0.05 / 6, rule=rule) == pytest.approx(0.8, abs=1e-7)


@pytest.mark.parametrize("rule", ["directional", "two-sided", "equivalence"])
def test_n_is_the_first_that_is_enough(rule):
    cases = ((plan_contrast(18, 18), 0.5), (plan_contrast(52, 92, 1), 0.3), (plan_slope(18, 3), 0.3))
    for plan, effect in cases:
        n = find_n(plan, effect, alpha=0.025, rule=rule)
        powers = [compute_power(scale_plan(plan, m), effect, alpha=0.025, rule=rule) for m in (n - 1, n)]
        assert powers[0] < 0.8 <= powers[1]


def test_published_sample_sizes():
    """G*Power 3 manual: two groups, d 0.5, alpha 0.05 two-sided, power 0.8 needs 64 per group."""
    assert find_n(plan_contrast(10, 10), 0.5, alpha=0.05, rule="two-sided") == 128


def test_hopeless_designs_say_so():
    assert np.isnan(find_min_detectable(plan_contrast(1, 1), alpha=0.05, rule="two-sided"))
    assert compute_power(plan_contrast(1, 1), 3.0, alpha=0.05, rule="two-sided") == 0.0
    assert np.isnan(find_min_detectable(plan_slope(9, 1), alpha=0.01, rule="equivalence"))
    assert find_n(plan_contrast(10, 10), 1e-5, alpha=0.05, rule="two-sided") is None
    assert find_n(plan_contrast(10, 10), 0.0, alpha=0.05, rule="two-sided") is None


def test_plan_of_a_model_knows_what_covariates_cost(make_contrast):
    plain = make_plan(make_contrast(12, 15))
    assert (plain.n, plain.n_parameters) == (27, 2)
    assert plain.information_per_person == pytest.approx(12 * 15 / 27**2, rel=1e-12)
    adjusted = make_plan(make_contrast(12, 15, n_covariates=2))
    assert adjusted.dof == plain.dof - 2
    assert adjusted.information_per_person < plain.information_per_person


def test_plan_of_a_welch_model_has_the_dof_of_hc2(make_contrast):
    model = make_contrast(8, 30)
    plan = make_plan(model)
    assert plan.inflation == pytest.approx(1, rel=1e-12)
    assert plan.error_dof == plan.test_dof == pytest.approx(estimate_hc2_bm(model).dof, rel=1e-10)


def test_plan_by_n_alone(make_contrast, make_slope, make_paired):
    assert plan_from_n(make_contrast(12, 15, n_covariates=2)) == plan_contrast(12, 15, 2)
    assert plan_from_n(make_slope(18, 3)) == plan_slope(18, 3)
    paired = plan_from_n(make_paired(n=14))
    assert (paired.n, paired.dof, paired.information_per_person) == (14, 13, 1.0)


def test_paired_plan_is_in_raw_units(make_paired):
    model = make_paired(n=14)
    known = make_plan(replace(model, raw_sd=2.0 * float(model.outcome.std(ddof=1))))
    assert known.information_per_person == pytest.approx(4 * make_plan(model).information_per_person)


def test_scaling_a_plan_to_its_own_n_changes_nothing(make_contrast, make_slope, make_paired):
    for model in (make_contrast(), make_contrast(n_covariates=2), make_slope(), make_paired()):
        plan, scaled = make_plan(model), scale_plan(make_plan(model), model.n)
        for name in ("information_per_person", "inflation", "error_dof", "test_dof"):
            assert getattr(scaled, name) == pytest.approx(getattr(plan, name), rel=1e-12)


def _simulate_support(model, plan, effect, rule, n_simulations=1500):
    """Share of normal outcomes on this very design that support the claim; unit error SD."""
    geometry = make_geometry(model)
    noncentrality = compute_noncentrality(plan, effect, without_effect=rule == "equivalence")
    theta = noncentrality / np.sqrt(geometry.information)
    rng = np.random.default_rng(8)
    true, bound = (0.0, theta) if rule == "equivalence" else (theta, np.nan)
    hits = 0
    for _ in range(n_simulations):
        estimate = estimate_model(replace(model, outcome=true * model.tested + rng.normal(size=model.n)))
        if rule == "equivalence":
            hits += compute_tost_p(estimate, bound) < 0.05 / 3
        else:
            hits += compute_p(estimate) < 0.05 / 3 and estimate.estimate > 0
    return hits / n_simulations


@pytest.mark.parametrize("rule", ["directional", "equivalence"])
@pytest.mark.parametrize("design", ["contrast", "unbalanced", "welch", "slope", "paired"])
def test_the_verdict_rule_has_the_promised_power(make_contrast, make_slope, make_paired, design, rule):
    """Textbook power of the classical t would promise 0.80 and give 0.61 for HC3 and 18 people."""
    model = {
        "contrast": make_contrast(18, 18, 3),
        "unbalanced": make_contrast(9, 26, 2),
        "welch": make_contrast(8, 30),
        "slope": make_slope(36 if rule == "equivalence" else 18, 3),
        "paired": make_paired(12, 1),
    }[design]
    plan = make_plan(model)
    effect = find_min_detectable(plan, alpha=0.05 / 3, rule=rule)
    assert _simulate_support(model, plan, effect, rule) == pytest.approx(0.8, abs=0.045)


@pytest.mark.parametrize("design", ["slope", "contrast"])
def test_the_bound_of_the_verdict_has_the_promised_power(make_contrast, make_slope, design):
    """The bound that a verdict takes from each sample; without an effect a partial r is no f."""
    model = make_slope(36, 3) if design == "slope" else make_contrast(18, 18)
    bound = find_min_detectable(make_plan(model), alpha=0.05 / 3, rule="equivalence")
    rng = np.random.default_rng(6)
    seen = [replace(model, outcome=rng.normal(size=model.n)) for _ in range(1500)]
    hits = [compute_tost_p(estimate_model(each), convert_sesoi(each, bound)) < 0.05 / 3 for each in seen]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.045)


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


def test_a_plan_of_hc2_knows_its_error_as_the_estimate_does(make_contrast):
    model = make_contrast(18, 18, n_covariates=3, estimator="ols_hc2")
    plan, estimate = make_plan(model), estimate_model(model)
    assert plan.inflation == pytest.approx(1, rel=1e-12)
    assert plan.error_dof == plan.test_dof == pytest.approx(estimate.dof, rel=1e-12)
    careful = make_plan(replace(model, estimator="ols_hc3"))
    powers = [compute_power(each, 1.2, alpha=0.05, rule="two-sided") for each in (careful, plan)]
    assert powers[0] + 0.02 < powers[1]
