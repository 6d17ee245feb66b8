"""A small calibration: the scenarios plant what they say, and the verdicts keep their error rates."""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from rsconn.study.evaluation import evaluate_claims

N_COHORTS = 150


@pytest.fixture(scope="module")
def calibration(root):
    """The modules of benchmarks/calibration, which are not installed."""
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    try:
        names = ("scenarios", "tallies", "marks", "work")
        return {name: importlib.import_module(f"calibration.{name}") for name in names}
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def null_tally(calibration):
    return calibration["work"].evaluate_scenario("normal", range(N_COHORTS), 0)


def get_claims(calibration):
    work = calibration["work"]
    return calibration["scenarios"].make_config(work.read_study(), n_permutations=0).claims


@pytest.mark.parametrize("name", ["normal", "unequal", "skew", "sesoi"])
def test_truth_is_what_a_huge_cohort_estimates(calibration, name):
    scenarios, work = calibration["scenarios"], calibration["work"]
    scenario, planting = work.get_scenario(name)
    n = tuple(10 * n for n in scenario.n_scored)
    huge = replace(scenario, n_scored=n, n_scanned=(400, 400))
    cohort = scenarios.draw_cohort(huge, planting, 0)
    config = scenarios.make_config(work.read_study(), n_permutations=0)
    table = evaluate_claims(cohort, config, describe=False).claims.set_index("id")
    miss = (table["estimate"] - np.array([planting.truth[claim] for claim in table.index])) / table[
        "std_error"
    ]
    assert np.abs(miss).max() < 4
    on_bound = [claim.id for claim in config.claims if claim.expect in {"equivalent", "unrelated"}]
    if name == "sesoi":
        on_bound = [claim for claim in table.index if claim not in {"S1a", "S1b", "S5"}]
    truth = np.array([abs(planting.truth[claim]) for claim in on_bound])
    assert table.loc[on_bound, "sesoi_estimate"].to_numpy() == pytest.approx(truth, rel=0.12)


def test_cohort_depends_on_its_number_alone(calibration):
    scenarios, work = calibration["scenarios"], calibration["work"]
    scenario, planting = work.get_scenario("skew")
    first, again, other = (scenarios.draw_cohort(scenario, planting, number) for number in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


def test_error_rates_hold(calibration, null_tally):
    _, planting = calibration["work"].get_scenario("normal")
    marks = calibration["marks"]
    rates = marks.list_rates(null_tally, get_claims(calibration), planting.truth, "null")
    assert {rate.quantity for rate in rates} >= {marks.SIZE, marks.DIRECTIONAL, marks.TOST, marks.FAMILY}
    assert [f"{rate.quantity} {rate.subject} {rate.value}" for rate in rates if rate.excess > 3.5] == []
    by_chance = [rate.value for rate in rates if rate.quantity == marks.SIZE]
    assert 0.03 < np.mean(by_chance) < 0.07  # 15 claims x 150 cohorts: not careful by always saying no


def test_marks_notice_an_effect_that_is_called_none(calibration):
    tally = calibration["work"].evaluate_scenario("sesoi", range(40), 0)
    marks = calibration["marks"]
    _, planting = calibration["work"].get_scenario("normal")
    rates = marks.list_rates(tally, get_claims(calibration), planting.truth, "null")
    failed = {(rate.quantity, rate.subject) for rate in rates if not rate.passed}
    assert {(marks.SIZE, "P1"), (marks.COVERAGE, "P1"), (marks.FAMILY, "psychometric")} <= failed


def test_calibration_goes_on_where_it_stopped(calibration, null_tally, tmp_path):
    tallies = calibration["tallies"]
    asked = []

    def evaluate(numbers, n_permutations):
        asked.append((tuple(numbers), n_permutations))
        p = np.full((len(numbers), 2), np.nan if n_permutations == 0 else 0.5)
        number = np.repeat(np.array(numbers, dtype=float)[:, None], 2, axis=1)
        return tallies.Tally(("A", "B"), {"p": number, "p_permutation": p})

    def gather(n, n_permuted=0):
        asked.clear()
        with ThreadPoolExecutor(1) as pool:
            store = tallies.Store(tmp_path)
            return tallies.gather(store, evaluate, n, pool=pool, n_permuted=n_permuted, chunk_size=2)

    gather(3)
    assert asked == [((0, 1), 0), ((2,), 0)]
    whole = gather(6)
    assert asked == [((2, 3), 0), ((4, 5), 0)]
    assert whole.numbers["p"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    gather(5, n_permuted=2)
    assert asked == [((0, 1), 499)]


def test_designs_under_stress_are_warned_of_and_ordinary_ones_are_not(calibration):
    work = calibration["work"]
    shares = {
        name: (work.evaluate_warnings(name, range(20), 0).numbers["warnings"] > 0).mean()
        for name in ("normal", "stress-cells", "stress-cells-small-sd")
    }
    assert shares["normal"] < 0.05
    assert min(shares["stress-cells"], shares["stress-cells-small-sd"]) > 0.15


@pytest.mark.slow
def test_null_study_goes_from_images_to_verdicts(calibration, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    images = importlib.import_module("calibration.images")
    tally = images.evaluate_images([0], 0)
    scanned = ["F1", "F2", "B1", "B2", "B3", "B4", "B5"]
    assert np.isfinite(tally.get("p", scanned)).all()
    assert not tally.has("not testable", scanned).any()


def test_other_numbers_have_another_digest(calibration, null_tally):
    tallies = calibration["tallies"]
    changed = {name: values.copy() for name, values in null_tally.numbers.items()}
    changed["p"][0, 0] *= 1 + 1e-6
    assert tallies.digest(null_tally) != tallies.digest(tallies.Tally(null_tally.ids, changed))
