"""A small calibration: the scenarios plant what they say, and the verdicts keep their error rates."""

from __future__ import annotations

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from rsconn.study.claims.evaluation import evaluate_claims

N_COHORTS = 150


@pytest.fixture(scope="module")
def calibration(root):
    """The modules of benchmarks/calibration, which are not installed."""
    folder = str(root / "benchmarks")
    sys.path.insert(0, folder)
    try:
        names = ("cases", "keys", "maps", "marks", "regions", "scenarios", "tallies", "work")
        return {name: importlib.import_module(f"calibration.{name}") for name in names}
    finally:
        sys.path.remove(folder)


@pytest.fixture(scope="module")
def null_tally(calibration):
    return calibration["work"].evaluate_scenario("normal", range(N_COHORTS), n_permutations=0)


@pytest.mark.parametrize("name", ["normal", "unequal", "skew", "sesoi"])
def test_truth_is_what_a_huge_cohort_estimates(calibration, name):
    scenarios, cases = calibration["scenarios"], calibration["cases"]
    scenario = cases.get_scenario(name)
    config = cases.set_permutations(cases.get_case(name).config, 0, 1)
    planting = scenarios.plant(
        scenario, g=config.inference.sesoi.g, partial_r=config.inference.sesoi.partial_r
    )
    n = tuple(10 * n for n in scenario.n_scored)
    huge = replace(scenario, n_scored=n, n_scanned=(400, 400))
    cohort = scenarios.draw_cohort(huge, planting, 0)
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
    for name in ("skew", "pairs", "families", "comparisons"):
        case = calibration["cases"].get_case(name)
        first, again, other = (case.draw(number) for number in (3, 3, 4))
        assert first.equals(again)
        assert not first.equals(other)


def test_truth_of_pairs_is_what_huge_cohorts_estimate(calibration, monkeypatch):
    case = calibration["cases"].get_case("pairs")
    monkeypatch.setattr(importlib.import_module("calibration.repeated"), "N_PAIRS", 2000)
    config = calibration["cases"].set_permutations(case.config, 0, 1)
    table = evaluate_claims(case.draw(0), config, describe=False).claims.set_index("id")
    miss = (table["estimate"] - np.array(list(case.truth.values()))) / table["std_error"]
    assert np.abs(miss).max() < 4
    assert table.loc["D3", "sesoi_estimate"] == pytest.approx(case.truth["D3"], rel=0.05)


@pytest.mark.parametrize("name", ["comparisons", "comparisons-sesoi"])
def test_truth_of_comparisons_is_what_huge_cohorts_estimate(calibration, monkeypatch, name):
    module = importlib.import_module("calibration.comparisons")
    monkeypatch.setattr(module, "SIZES", {key: 40 * n for key, n in module.SIZES.items()})
    monkeypatch.setattr(module, "SITES", {key: 40 * n for key, n in module.SITES.items()})
    case = calibration["cases"].get_case(name)
    config = calibration["cases"].set_permutations(case.config, 0, 1)
    table = evaluate_claims(case.draw(0), config, describe=False).claims.set_index("id").loc[list(case.truth)]
    miss = (table["estimate"] - np.array(list(case.truth.values()))) / table["std_error"]
    assert np.abs(miss.dropna()).max() < 4
    assert miss.notna().sum() == 11
    on_bound = [claim for claim, truth in case.truth.items() if truth and claim not in {"K12", "K13"}]
    truth = np.array([case.truth[claim] for claim in on_bound])
    assert table.loc[on_bound, "sesoi_estimate"].to_numpy(dtype=float) == pytest.approx(truth, rel=0.12)


def test_families_stay_together_and_keep_their_error_rates(calibration, monkeypatch):
    work, marks, case = calibration["work"], calibration["marks"], calibration["cases"].get_case("families")
    tally = work.evaluate_scenario("families", range(60), n_permutations=0)
    rates = marks.list_rates(tally, case.config.claims, case.truth, "null")
    assert [rate.subject for rate in rates if rate.excess > 3.5] == []
    inference = case.config.inference.model_copy(update={"exchange_whole": None})
    apart = replace(case, config=case.config.model_copy(update={"inference": inference}))
    monkeypatch.setattr(work, "get_case", lambda _: apart)
    liberal = work.evaluate_scenario("families", range(60), n_permutations=0)
    assert (liberal.get("p", ["G1"]) < 0.05).sum() > (tally.get("p", ["G1"]) < 0.05).sum()


def test_error_rates_hold(calibration, null_tally):
    marks, case = calibration["marks"], calibration["cases"].get_case("normal")
    rates = marks.list_rates(null_tally, case.config.claims, case.truth, "null")
    assert {rate.quantity for rate in rates} >= {marks.SIZE, marks.DIRECTIONAL, marks.TOST, marks.FAMILY}
    assert [f"{rate.quantity} {rate.subject} {rate.value}" for rate in rates if rate.excess > 3.5] == []
    by_chance = [rate.value for rate in rates if rate.quantity == marks.SIZE]
    assert 0.03 < np.mean(by_chance) < 0.07  # 15 claims x 150 cohorts: not careful by always saying no


def test_marks_notice_an_effect_that_is_called_none(calibration):
    tally = calibration["work"].evaluate_scenario("sesoi", range(40), n_permutations=0)
    marks, case = calibration["marks"], calibration["cases"].get_case("normal")
    rates = marks.list_rates(tally, case.config.claims, case.truth, "null")
    failed = {(rate.quantity, rate.subject) for rate in rates if not rate.passed}
    assert {(marks.SIZE, "P1"), (marks.COVERAGE, "P1"), (marks.FAMILY, "psychometric")} <= failed


def test_calibration_goes_on_where_it_stopped(calibration, tmp_path):
    tallies = calibration["tallies"]
    asked = []

    def evaluate(numbers):
        asked.append(tuple(numbers))
        number = np.repeat(np.array(numbers, dtype=float)[:, None], 2, axis=1)
        return tallies.Tally(("A", "B"), {"p": number})

    def gather(n):
        asked.clear()
        with ThreadPoolExecutor(1) as pool:
            return tallies.gather(tallies.Store(tmp_path), evaluate, n, pool=pool, chunk_size=2)

    gather(3)
    assert asked == [(0, 1), (2,)]
    whole = gather(6)
    assert asked == [(2, 3), (4, 5)]
    assert whole.numbers["p"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert gather(5).n == 5
    assert asked == []
    (tmp_path / "chunk-00001.npz").unlink()
    assert tallies.read_stored(tallies.Store(tmp_path), 6).n == 2


def test_results_of_other_code_are_kept_only_if_they_come_out_the_same(calibration, tmp_path):
    tallies = calibration["tallies"]

    def evaluate(numbers, shift=0.0):
        return tallies.Tally(("A",), {"p": np.array([[number + shift] for number in numbers])})

    with ThreadPoolExecutor(1) as pool:
        tallies.gather(tallies.Store(tmp_path / "old"), evaluate, 4, pool=pool, chunk_size=2)
        new = tallies.Store(tmp_path / "new")
        tallies.adopt(new, [tmp_path / "old"], lambda numbers: evaluate(numbers, 1e-6))
        assert not new.is_adopted
        tallies.adopt(new, [tmp_path / "old"], evaluate)
        assert tallies.gather(new, None, 4, pool=pool, chunk_size=2).adopted


def test_designs_under_stress_are_warned_of_and_ordinary_ones_are_not(calibration):
    work = calibration["work"]
    shares = {
        name: (work.evaluate_warnings(name, range(20)).numbers["warnings"] > 0).mean()
        for name in ("normal", "stress-cells", "stress-cells-small-sd")
    }
    assert shares["normal"] < 0.05
    assert min(shares["stress-cells"], shares["stress-cells-small-sd"]) > 0.15


@pytest.mark.slow
def test_null_study_goes_from_images_to_verdicts(calibration, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    images = importlib.import_module("calibration.images")
    tally = images.evaluate_images([0])
    scanned = ["F1", "F2", "B1", "B2", "B3", "B4", "B5"]
    assert np.isfinite(tally.get("p", scanned)).all()
    assert not tally.has("not testable", scanned).any()


def test_maps_and_regions_without_effect(calibration, monkeypatch):
    maps, regions, marks = (calibration[name] for name in ("maps", "regions", "marks"))
    monkeypatch.setitem(maps.N_PERMUTATIONS, "tfce", 19)
    monkeypatch.setattr(maps, "VOXEL_MM", 10.0)
    maps.get_mask.cache_clear()
    tally = maps.evaluate_null_maps(1.0, "tfce", range(20))
    maps.get_mask.cache_clear()
    assert [rate.subject for rate in marks.list_map_rates(tally)] == list(maps.STATISTICS)
    assert max(rate.value for rate in marks.list_map_rates(tally)) < 0.3
    monkeypatch.setattr(regions, "N_PERMUTATIONS", 19)
    same, usual, repeated = marks.list_region_rates(regions.evaluate_regions(range(20)))
    assert same.value > 0.9
    assert usual.value > 0.25
    assert repeated.value < 0.3


def test_both_ways_of_null_maps(calibration, monkeypatch):
    ways, marks, page = (
        importlib.import_module(f"calibration.{name}") for name in ("map_ways", "marks", "page_maps")
    )
    monkeypatch.setattr(ways, "N_NULL", 19)
    monkeypatch.setattr(ways, "SHAPE", (7, 7, 7))
    monkeypatch.setattr(ways, "FWHM_VOXELS", 1.0)
    ways.get_cube.cache_clear()
    name = "12 v 24, small group's SD x 2"
    tally = ways.evaluate_ways(name, range(8))
    ways.get_cube.cache_clear()
    rates = {rate.subject: rate.value for rate in marks.list_map_rates(tally)}
    assert rates["max-T, flips"] < rates["max-T, permutation"]
    text = page.write_ways(SimpleNamespace(tallies={ways.name_part(name): tally}))
    assert f"| {name} | 8 | " in text


def test_map_with_an_effect_is_found(calibration, monkeypatch):
    maps = calibration["maps"]
    monkeypatch.setattr(maps, "VOXEL_MM", 10.0)
    maps.get_mask.cache_clear()
    draw = maps.draw_fields
    shift = np.repeat([[1.0], [0.0]], maps.N_GROUP, axis=0)
    monkeypatch.setattr(maps, "draw_fields", lambda n, rng: draw(n, rng) + shift)
    assert (maps.evaluate_null_maps(1.0, "clusters", [0]).get("p", maps.STATISTICS[:3]) < 0.05).all()
    maps.get_mask.cache_clear()


def test_key_follows_code_and_settings_and_nothing_else(calibration, monkeypatch, tmp_path):
    keys = calibration["keys"]
    package = tmp_path / "calibration"
    package.mkdir()
    monkeypatch.setattr(keys, "_HERE", package)
    (package / "deep.py").write_text("from rsconn.inference.estimators import adjust_holm\nX = 1\n")

    def make(text, deep=None, **given):
        (package / "part.py").write_text(text)
        if deep:
            (package / "deep.py").write_text(deep)
        keys.digest_code.cache_clear()
        return keys.make_key("calibration.part", **given)

    code = "from calibration.deep import X\ny = X\n"
    first = make(code)
    assert make('"""Words."""\n' + code + "# more words\n") == first
    assert make(code.replace("y", "z")) != first
    assert make(code, configs=("config/config.yaml",)) != first
    assert make(code, deep="X = 2\n") != first
    keys.digest_code.cache_clear()
