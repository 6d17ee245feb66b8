from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import comb, factorial

import numpy as np
import pytest
from scipy import stats

from rsconn.inference.arrangements import count_orders, draw_orders, list_orders, list_signs
from rsconn.inference.estimators import estimate_model, estimate_ols
from rsconn.inference.exceedances import (
    compute_null_residuals,
    compute_permuted_statistics,
    compute_statistics,
    make_kernel,
)
from rsconn.inference.model import Model
from rsconn.inference.permutation import adjust_step_down, compute_flipped_statistics, permute, sign_flip_maxt


@pytest.fixture
def models(make_contrast, make_slope, make_paired):
    return [
        make_contrast(),
        make_contrast(n_covariates=2),
        make_slope(),
        make_paired(),
        make_paired(n_covariates=1),
    ]


def test_kernel_of_the_data_is_the_estimate(models):
    for model in models:
        found = compute_statistics(model.outcome[None, :], make_kernel(model))[0]
        np.testing.assert_allclose(found, estimate_model(model).statistic, rtol=1e-9)
        classical = compute_statistics(model.outcome[None, :], make_kernel(model, "ols"))[0]
        np.testing.assert_allclose(classical, estimate_ols(model).statistic, rtol=1e-9)


def test_kernel_equals_refitting_each_permuted_outcome(models):
    """Freedman-Lane spelled out: fitted null + permuted residuals, then the whole estimator again."""
    rng = np.random.default_rng(0)
    for model in models:
        kernel = make_kernel(model)
        residuals = compute_null_residuals(model, kernel)
        orders = draw_orders(model.n, None, 20, rng)
        expected = [
            estimate_model(replace(model, outcome=model.outcome - residuals + residuals[order])).statistic
            for order in orders
        ]
        np.testing.assert_allclose(compute_statistics(residuals[orders], kernel), expected, rtol=1e-9)


def test_many_outcomes_equal_one_at_a_time(models):
    rng = np.random.default_rng(1)
    for model in models:
        kernel = make_kernel(model)
        residuals = rng.normal(size=(model.n, 7))
        orders = draw_orders(model.n, None, 11, rng)
        found = compute_permuted_statistics(residuals, orders, kernel)
        expected = np.column_stack([compute_statistics(residuals[:, v][orders], kernel) for v in range(7)])
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_residual_variance_is_infinite(make_contrast):
    model = make_contrast(3, 3)
    assert np.isinf(compute_statistics(model.tested[None, :] - 0.5, make_kernel(model)))[0]


def test_exact_split_equals_scipy(make_contrast):
    model = make_contrast(4, 6)
    a, b = model.outcome[model.in_a], model.outcome[~model.in_a]

    def welch(x, y, axis=-1):
        return np.abs(stats.ttest_ind(x, y, equal_var=False, axis=axis).statistic)

    oracle = stats.permutation_test((a, b), welch, alternative="greater", n_resamples=np.inf)
    (found,) = permute([model], n_permutations=1000, seed=0)
    assert found.exact
    assert found.n_arrangements == comb(10, 4)
    np.testing.assert_allclose(found.p, oracle.pvalue, rtol=1e-12)


def test_exact_signs_of_paired_differences(make_paired):
    model = make_paired(n=7)
    (found,) = permute([model], n_permutations=200, seed=0)
    statistics = [abs(stats.ttest_1samp(signs * model.outcome, 0).statistic) for signs in list_signs(7)]
    assert found.exact
    # HC3 of a mean is the classical t times sqrt((n - 1) / n): the same order
    assert found.p == pytest.approx(np.mean(np.array(statistics) >= statistics[0] * (1 - 1e-9)))


def test_exact_slope(make_slope):
    model = make_slope(n=6, n_covariates=0)
    (found,) = permute([model], n_permutations=1000, seed=0)
    assert found.exact
    assert found.n_arrangements == factorial(6)


def test_nuisance_covariates_are_never_called_exact(make_slope, make_paired):
    for model in (make_slope(n=6, n_covariates=1), make_paired(n=6, n_covariates=1)):
        (found,) = permute([model], n_permutations=1000, seed=0)
        assert not found.exact


def test_listed_orders_are_the_splits_with_the_observed_first(make_contrast):
    model = make_contrast(3, 4)
    orders = list_orders(model)
    np.testing.assert_array_equal(orders[0], np.arange(7))
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    splits = {frozenset(order[:3].tolist()) for order in orders}
    assert splits == {frozenset(split) for split in combinations(range(7), 3)}
    assert len(orders) == count_orders(model) == 35


def test_blocks_keep_rows_at_home(make_contrast):
    model = make_contrast(4, 4)
    blocks = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    blocked = replace(model, blocks=blocks)
    assert count_orders(blocked) == comb(4, 2) ** 2 == len(list_orders(blocked))
    for orders in (list_orders(blocked), draw_orders(8, blocks, 50, np.random.default_rng(0))):
        assert (blocks[orders] == blocks).all()
        assert (np.sort(orders, axis=1) == np.arange(8)).all()
    assert len({tuple(sorted(order[:4])) for order in list_orders(blocked).tolist()}) == 36


def test_random_orders_are_uniform():
    orders = draw_orders(3, None, 60_000, np.random.default_rng(4))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert counts.size == 6
    assert stats.chisquare(counts).pvalue > 1e-4


def test_p_of_a_model_ignores_its_neighbours(models):
    alone = [permute([model], n_permutations=300, seed=7)[0] for model in models]
    together = list(permute(models, n_permutations=300, seed=7))
    backwards = list(permute(models[::-1], n_permutations=300, seed=7))[::-1]
    assert alone == together == backwards


def test_seed_decides(make_slope):
    model = make_slope(slope=0.3)
    one, again, other = (permute([model], n_permutations=999, seed=seed)[0].p for seed in (1, 1, 2))
    assert one == again != other


def test_p_counts_the_observed_arrangement(make_contrast):
    (found,) = permute([make_contrast(20, 20, effect=9.0)], n_permutations=499, seed=0)
    assert found.p == 1 / 500


def test_permutation_p_is_near_the_parametric_one(make_contrast):
    model = make_contrast(40, 40, n_covariates=2, effect=0.4)
    (found,) = permute([model], n_permutations=20_000, seed=0)
    estimate = estimate_model(model)
    p = 2 * stats.t.sf(abs(estimate.statistic), estimate.dof)
    assert abs(found.p - p) < 0.02


@pytest.mark.parametrize("n_covariates", [0, 2])
def test_size_with_unequal_variances(make_contrast, n_covariates):
    """10 v 30 with three times the SD in the small group: unstudentised permutation rejects about 20 %."""
    kinds = [make_contrast(10, 30, n_covariates, effect=0.0, sd_a=3.0, seed=seed) for seed in range(1500)]
    p = np.array([test.p for test in permute(kinds, n_permutations=199, seed=3)])
    assert (p <= 0.05).mean() < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 1500) + 0.01


def test_flips_equal_refitting(models, make_contrast):
    people = np.arange(40)
    signs = np.random.default_rng(3).choice([-1.0, 1.0], size=(6, 40))
    found = compute_flipped_statistics(models, signs, people)
    for j, model in enumerate(models):
        residuals = compute_null_residuals(model, make_kernel(model))
        expected = [
            estimate_model(
                replace(model, outcome=model.outcome - residuals + residuals * row[model.units])
            ).statistic
            for row in signs
        ]
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-8)


def test_maxt_of_one_claim_is_its_sign_flip_p(make_paired):
    model = make_paired(n=30, effect=0.3)
    (adjusted,) = sign_flip_maxt([model], ["only"], n_permutations=2000, seed=1)
    (alone,) = permute([model], n_permutations=2000, seed=1)
    assert adjusted == alone.p


def test_maxt_of_copies_costs_nothing(make_contrast):
    """Six identical claims are one claim; Holm would multiply by six."""
    model = make_contrast(20, 20, effect=0.8)
    one = sign_flip_maxt([model], ["f"], n_permutations=999, seed=2)
    six = sign_flip_maxt([model] * 6, ["f"] * 6, n_permutations=999, seed=2)
    np.testing.assert_array_equal(six, np.repeat(one, 6))


def test_maxt_families_do_not_touch(models):
    together = sign_flip_maxt(models, ["f", "f", "g", "g", "g"], n_permutations=300, seed=5)
    np.testing.assert_array_equal(
        together[:2], sign_flip_maxt(models[:2], [0, 0], n_permutations=300, seed=5)
    )
    np.testing.assert_array_equal(
        together[2:], sign_flip_maxt(models[2:], [0] * 3, n_permutations=300, seed=5)
    )


def test_step_down_spelled_out():
    observed = np.array([0.04, 0.01, 0.30])
    null = np.random.default_rng(0).uniform(size=(500, 3))
    adjusted = adjust_step_down(observed, null)
    first = (1 + (null.min(axis=1) <= 0.01).sum()) / 501
    second = max(first, (1 + (null[:, [0, 2]].min(axis=1) <= 0.04).sum()) / 501)
    third = max(second, (1 + (null[:, 2] <= 0.30).sum()) / 501)
    np.testing.assert_allclose(adjusted, [second, first, third])


def test_step_down_never_passes_a_better_claim():
    """The second claim's own null is tiny p values only in the first claim's column."""
    null = np.column_stack([np.full(99, 0.001), np.full(99, 0.9)])
    np.testing.assert_allclose(adjust_step_down(np.array([0.01, 0.02]), null), [1.0, 1.0])


def test_maxt_holds_the_family_error():
    """Under the complete null the smallest adjusted p of correlated claims is below 0.05 in 5 % at most."""
    from rsconn.inference.model import Model

    rng = np.random.default_rng(11)
    hits = 0
    for seed in range(400):
        shared = rng.normal(size=24)
        family = [
            Model(
                0.6 * shared + 0.8 * rng.normal(size=24),
                np.ones(24),
                np.empty((24, 0)),
                "paired",
                "ols_hc3",
                np.arange(24),
            )
            for _ in range(4)
        ]
        hits += sign_flip_maxt(family, [0] * 4, n_permutations=199, seed=seed).min() <= 0.05
    assert hits / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_an_observed_zero_up_to_rounding_ties_with_everything():
    change = np.array([0.1, 0.2, -0.3, 0.7, -0.4, -0.3])
    assert change.sum() != 0  # a rounding error
    model = Model(change, np.ones(6), np.empty((6, 0)), "paired", "ols_hc2", np.arange(6))
    assert permute([model], n_permutations=999, seed=1)[0].p == 1
