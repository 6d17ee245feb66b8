from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rsconn.simulate.simulated_people import compute_contrast_g, make_scale, simulate_items
from rsconn.simulate.truth import SCORES, plan_study

PLANS = {plan.name: plan for plan in plan_study().scores}

# Davis 1980 and Gross & John 2003, as STUDY.md gives them.
IRI = {
    "FS": ([1, 5, 7, 12, 16, 23, 26], [7, 12]),
    "PT": ([3, 8, 11, 15, 21, 25, 28], [3, 15]),
    "EC": ([2, 4, 9, 14, 18, 20, 22], [4, 14, 18]),
    "PD": ([6, 10, 13, 17, 19, 24, 27], [13, 19]),
}
ERQ = {"CR": [1, 3, 5, 7, 8, 10], "ES": [2, 4, 6, 9]}


@pytest.mark.parametrize("name", IRI)
def test_iri_scales_have_the_published_items(name):
    numbers, turned = IRI[name]
    assert PLANS[name].items == tuple(f"iri_{number:02d}" for number in numbers)
    assert PLANS[name].reversed_items == {f"iri_{number:02d}" for number in turned}
    assert PLANS[name].sum_range == (0, 28)


@pytest.mark.parametrize("name", ERQ)
def test_erq_scales_have_the_published_items(name):
    assert PLANS[name].items == tuple(f"erq_{number:02d}" for number in ERQ[name])
    assert not PLANS[name].reversed_items
    assert PLANS[name].sum_range == (len(ERQ[name]), 7 * len(ERQ[name]))


def draw_cell(scale, group, sex, n, rng):
    return np.rint(scale.transform(rng.standard_normal(n) + scale.shifts[group, sex]))


@pytest.mark.parametrize("name", SCORES)
def test_drawn_sums_have_the_planted_group_and_sex_differences(name):
    plan = PLANS[name]
    scale = make_scale(plan, 52, 92)
    rng = np.random.default_rng(1)
    women, men = (draw_cell(scale, "control", sex, 200_000, rng) for sex in "FM")
    therapists = draw_cell(scale, "therapist", "F", 400_000, rng)
    controls = np.concatenate([women, men])
    pooled = np.sqrt((52 * therapists.var() + 92 * controls.var()) / 144)
    assert (therapists.mean() - controls.mean()) / pooled == pytest.approx(plan.group_g, abs=0.01)
    sex_sd = np.sqrt((women.var() + men.var()) / 2)
    assert (women.mean() - men.mean()) / sex_sd == pytest.approx(plan.sex_g, abs=0.01)


def test_a_scale_without_differences_has_the_norms_mean_and_sd():
    scale = make_scale(replace(PLANS["PD"], group_g=0.0, sex_g=0.0), 10, 10)
    sums = draw_cell(scale, "therapist", "M", 400_000, np.random.default_rng(2))
    assert sums.mean() == pytest.approx(12.3, abs=0.02)
    assert sums.std() == pytest.approx(4.5, abs=0.03)
    assert sums.min() >= 0
    assert sums.max() <= 28


def test_contrast_g_of_cells_equals_the_drawn_one():
    scale = make_scale(PLANS["ES"], 52, 92)
    rng = np.random.default_rng(3)
    a = draw_cell(scale, "therapist", "M", 400_000, rng)
    b = draw_cell(scale, "control", "F", 400_000, rng)
    expected = (a.mean() - b.mean()) / np.sqrt((25 * a.var() + 45 * b.var()) / 70)
    found = compute_contrast_g(scale, {("therapist", "M"): 26}, {("control", "F"): 46})
    assert found == pytest.approx(expected, abs=0.01)


def test_an_impossible_scale_is_refused():
    with pytest.raises(ValueError, match="no logistic scale"):
        make_scale(replace(PLANS["FS"], sd=20.0), 10, 10)


@pytest.mark.parametrize("name", SCORES)
def test_items_keyed_by_hand_add_up_to_the_sum(name):
    plan = PLANS[name]
    low, high = plan.answer_range
    sums = np.arange(int(plan.sum_range[0]), int(plan.sum_range[1]) + 1)
    answers = simulate_items(sums, plan, rng=np.random.default_rng(4))
    assert answers.min() >= low
    assert answers.max() <= high
    turned = [item in plan.reversed_items for item in plan.items]
    keyed = np.where(turned, low + high - answers, answers)
    np.testing.assert_array_equal(keyed.sum(axis=1), sums)


def test_items_hang_together_as_in_the_norms():
    plan = PLANS["FS"]
    scale = make_scale(plan, 52, 92)
    rng = np.random.default_rng(5)
    sums = draw_cell(scale, "control", "F", 3000, rng).astype(int)
    answers = simulate_items(sums, plan, rng=rng).astype(float)
    for column, item in enumerate(plan.items):
        if item in plan.reversed_items:
            answers[:, column] = 4 - answers[:, column]
    n_items = len(plan.items)
    alpha = n_items / (n_items - 1) * (1 - answers.var(axis=0).sum() / answers.sum(axis=1).var())
    assert 0.65 < alpha < 0.85
