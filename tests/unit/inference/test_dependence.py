"""Families: CR2 standard errors, whole-block exchange, and what dependence costs in power."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rsconn.inference.alternatives import estimate_hc2_bm
from rsconn.inference.arrangements import (
    can_exchange,
    compute_design_effect,
    compute_unit_forms,
    describe_forms,
    draw_whole_orders,
    estimate_likeness,
    list_alike,
)
from rsconn.inference.estimators import compute_p, estimate_model, estimate_ols_cr2
from rsconn.inference.exceedances import compute_null_residuals, compute_statistics, make_kernel
from rsconn.inference.model import Model, check_model, make_geometry
from rsconn.inference.permutation import compute_flipped_statistics, permute, sign_flip_maxt
from rsconn.inference.verdict_power import compute_power, find_n, make_plan

SIZES = (1, 2, 3, 2, 1, 4, 2, 2, 3, 1, 2, 1)


def make_families(sizes=SIZES, *, likeness=0.6, effect=0.5, n_covariates=1, seed=3, within=False) -> Model:
    """A contrast between whole families, or within them, whose members' errors correlate."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(len(sizes)), sizes)
    n = units.size
    tested = (np.arange(n) % 2 if within else units % 2).astype(float)
    shared = rng.normal(size=len(sizes))[units]
    errors = np.sqrt(likeness) * shared + np.sqrt(1 - likeness) * rng.normal(size=n)
    nuisance = np.column_stack([np.ones(n), rng.normal(size=(n, n_covariates))])
    return Model(effect * tested + errors, tested, nuisance, "contrast", "ols_cr2", units)


def test_families_of_one_are_hc2_with_bell_mccaffrey_dof(make_slope):
    model = replace(make_slope(), estimator="ols_cr2")
    found, wanted = estimate_ols_cr2(model), estimate_hc2_bm(model)
    np.testing.assert_allclose(
        [found.estimate, found.std_error, found.dof],
        [wanted.estimate, wanted.std_error, wanted.dof],
        rtol=1e-10,
    )


def test_cr2_equals_its_definition():
    """Explicit matrices, and the dof by the moments of the variance over many simulated outcomes."""
    model = make_families()
    design = model.design
    hat = design @ np.linalg.inv(design.T @ design) @ design.T
    residuals, meat = model.outcome - hat @ model.outcome, np.zeros((design.shape[1],) * 2)
    for unit in np.unique(model.units):
        rows = np.flatnonzero(model.units == unit)
        values, vectors = np.linalg.eigh(np.eye(rows.size) - hat[np.ix_(rows, rows)])
        score = design[rows].T @ (vectors @ np.diag(values**-0.5) @ vectors.T) @ residuals[rows]
        meat += np.outer(score, score)
    bread = np.linalg.inv(design.T @ design)
    estimate = estimate_model(model)
    assert estimate.estimator == "ols_cr2"
    np.testing.assert_allclose(estimate.std_error**2, (bread @ meat @ bread)[0, 0], rtol=1e-10)
    forms = compute_unit_forms(make_geometry(model), model.units)
    draws = ((np.random.default_rng(1).normal(size=(200_000, model.n)) @ forms) ** 2).sum(axis=1)
    np.testing.assert_allclose(estimate.dof, 2 * draws.mean() ** 2 / draws.var(), rtol=0.02)


def test_the_kernel_gives_the_estimators_statistic():
    model = make_families()
    kernel = make_kernel(model)
    outcomes = np.random.default_rng(2).normal(size=(5, model.n))
    wanted = [estimate_model(replace(model, outcome=outcome)).statistic for outcome in outcomes]
    np.testing.assert_allclose(compute_statistics(outcomes, kernel), wanted, rtol=1e-10)


def test_families_need_their_own_estimator():
    with pytest.raises(ValueError, match="several rows of one unit need ols_cr2"):
        replace(make_families(), estimator="ols_hc3")


def test_a_family_that_is_a_whole_side_is_refused():
    units = np.repeat([0, 1, 2, 3], 3)
    tested = (units == 0).astype(float)
    outcome = np.random.default_rng(1).normal(size=12)
    model = Model(outcome, tested, np.ones((12, 1)), "contrast", "ols_cr2", units)
    assert check_model(model) == "one family alone determines a coefficient (leverage 1)"
    assert check_model(make_families()) is None


def test_families_are_exchanged_as_wholes_with_their_like():
    model = make_families()
    orders = draw_whole_orders(model.units, None, 40, np.random.default_rng(1))
    sizes = np.array(SIZES)
    moved = 0
    for order in orders:
        assert sorted(order) == list(range(model.n))
        for unit in np.unique(model.units):
            rows = order[model.units == unit]
            assert np.ptp(model.units[rows]) == 0
            assert (np.diff(rows) == 1).all()
            assert sizes[model.units[rows[0]]] == sizes[unit]
            moved += model.units[rows[0]] != unit
    assert moved > 100


def test_families_are_exchanged_only_with_those_in_the_same_blocks():
    units, blocks = np.repeat(np.arange(5), 2), np.array([0, 1, 1, 0, 0, 0, 1, 1, 1, 1])
    alike = [sorted(map(tuple, rows.tolist())) for rows in list_alike(units, blocks)]
    # members are matched by their block: the second family's rows change places
    assert alike == [[(4, 5)], [(0, 1), (3, 2)], [(6, 7), (8, 9)]]


def test_whole_exchange_keeps_its_size_where_free_exchange_does_not():
    n_cohorts, hits = 600, np.zeros(2)
    for seed in range(n_cohorts):
        model = make_families([2] * 16, likeness=0.8, effect=0.0, n_covariates=0, seed=seed)
        free = replace(model, units=np.arange(model.n), estimator="welch")
        hits += [permute([each], n_permutations=99, seed=seed)[0].p <= 0.05 for each in (model, free)]
    whole, freely = hits / n_cohorts
    mc_error = np.sqrt(0.05 * 0.95 / n_cohorts)
    assert abs(whole - 0.05) < 3 * mc_error
    assert freely > 0.05 + 6 * mc_error


def test_permutation_p_counts_the_orders_of_whole_families():
    model = make_families()
    kernel = make_kernel(model)
    residuals = compute_null_residuals(model, kernel)
    orders = draw_whole_orders(model.units, None, 199, np.random.default_rng([4, model.n]))
    statistics = np.abs(compute_statistics(residuals[orders], kernel))
    observed = abs(estimate_model(model).statistic)
    (test,) = permute([model], n_permutations=199, seed=4)
    assert test.p == ((statistics >= observed * (1 - 1e-9)).sum() + 1) / 200


def test_families_with_one_member_on_each_side_take_signs():
    model = make_families([2] * 10, within=True, n_covariates=0, effect=1.5)
    assert not can_exchange(model)
    (test,) = permute([model], n_permutations=999, seed=1)
    signs = np.random.default_rng([1, 10]).integers(0, 2, size=(999, 10))
    differences = np.diff(model.outcome.reshape(10, 2), axis=1)[:, 0]
    flipped = np.abs((differences * (2.0 * signs - 1)).sum(axis=1))
    # pairs' CR2 statistic rises with the absolute sum of differences
    assert test.p == ((flipped >= abs(differences.sum()) * (1 - 1e-9)).sum() + 1) / 1000


def test_no_error_is_left_where_families_differ_by_the_same():
    model = make_families([2] * 10, within=True, n_covariates=0)
    shared = np.repeat(np.random.default_rng(1).normal(size=10), 2)
    assert check_model(replace(model, outcome=shared + 3 * model.tested)).endswith(
        "no error is left to judge it by"
    )


@pytest.mark.parametrize("alone", [False, True])
def test_signs_of_split_families_whatever_the_order_of_rows(alone):
    """One pair in the other order, or two people alone, must not take the place of all the pairs' signs."""
    model = make_families([2] * 20 + [1, 1] * alone, within=True, n_covariates=0, effect=3.0)
    turned = np.arange(model.n)
    turned[:2] = 1, 0
    model = replace(model, outcome=model.outcome[turned], tested=model.tested[turned])
    assert can_exchange(model) == alone
    (test,) = permute([model], n_permutations=999, seed=1)
    assert test.p < 0.005


def test_exchange_with_signs_keeps_its_size():
    n_cohorts, hits = 600, 0
    for seed in range(n_cohorts):
        model = make_families([2] * 12 + [1] * 8, effect=0.0, n_covariates=0, within=True, seed=seed)
        hits += permute([model], n_permutations=99, seed=seed)[0].p <= 0.05
    assert abs(hits / n_cohorts - 0.05) < 3 * np.sqrt(0.05 * 0.95 / n_cohorts)


def test_members_of_a_family_share_their_sign():
    model = make_families()
    residuals = compute_null_residuals(model, make_kernel(model))
    units = np.unique(model.units)
    signs = 2.0 * np.random.default_rng(5).integers(0, 2, size=(4, units.size)) - 1
    found = compute_flipped_statistics([model], signs, units)[:, 0]
    wanted = [estimate_model(replace(model, outcome=residuals * row[model.units])).statistic for row in signs]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_maxt_of_families_keeps_its_size():
    n_cohorts, hits = 400, 0
    for seed in range(n_cohorts):
        models = [
            make_families([2] * 16, likeness=0.8, effect=0.0, n_covariates=0, seed=[seed, which])
            for which in range(2)
        ]
        p = sign_flip_maxt(models, ["f", "f"], n_permutations=99, seed=seed)
        hits += (p <= 0.05).any()
    assert abs(hits / n_cohorts - 0.05) < 3 * np.sqrt(0.05 * 0.95 / n_cohorts)


def test_likeness_is_recovered_without_bias():
    for likeness in (0.2, 0.6):
        found = []
        for seed in range(300):
            model = make_families([3] * 40, likeness=likeness, seed=seed, n_covariates=3)
            found.append(estimate_likeness(model.outcome, make_geometry(model), model.units))
        assert np.mean(found) == pytest.approx(likeness, abs=0.02)


def test_design_effect_of_equal_families_is_kishs():
    model = make_families([3] * 20, n_covariates=0)
    assert compute_design_effect(make_geometry(model), model.units, 0.5) == pytest.approx(2.0)
    discordant = make_families([2] * 20, within=True, n_covariates=0)
    assert compute_design_effect(make_geometry(discordant), discordant.units, 0.5) == pytest.approx(0.5)


def test_moments_of_the_variance_with_alike_members():
    model = make_families()
    forms = compute_unit_forms(make_geometry(model), model.units)
    rng = np.random.default_rng(8)
    shared = rng.normal(size=(100_000, len(SIZES)))[:, model.units]
    errors = np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=(100_000, model.n))
    draws = ((errors @ forms) ** 2).sum(axis=1)
    mean, dof = describe_forms(forms, model.units, 0.6)
    np.testing.assert_allclose([mean, dof], [draws.mean(), 2 * draws.mean() ** 2 / draws.var()], rtol=0.03)


@pytest.mark.parametrize("within", [False, True])
def test_power_knows_what_families_cost(within):
    sizes, n_cohorts = [2] * 24, 2000
    models = [
        make_families(sizes, likeness=0.7, effect=0.8, n_covariates=0, seed=seed, within=within)
        for seed in range(n_cohorts)
    ]
    hits = np.mean([compute_p(estimate_model(model)) < 0.05 for model in models])
    plans = [make_plan(model) for model in models[:200]]
    power = np.mean([compute_power(plan, 0.8, alpha=0.05, rule="two-sided") for plan in plans])
    assert hits == pytest.approx(power, abs=0.04)
    independent = replace(models[0], units=np.arange(48), estimator="welch")
    unaware = compute_power(make_plan(independent), 0.8, alpha=0.05, rule="two-sided")
    assert abs(unaware - hits) > 0.08


def test_needed_n_grows_with_the_design_effect():
    model = make_families([2] * 24, likeness=0.7, n_covariates=0)
    plain = replace(model, units=np.arange(48), estimator="welch")
    needed = [find_n(make_plan(each), 0.5, alpha=0.05, rule="two-sided") for each in (model, plain)]
    assert needed[0] == pytest.approx(needed[1] * make_plan(model).design_effect, rel=0.05)
