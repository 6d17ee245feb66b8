"""The tables behind the figures, against values worked out by hand and by scipy."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rsconn.inference.model import Model
from rsconn.report.figures.catalogue import (
    FIGURE_NAMES,
    SUMMARY_NAMES,
    build_figure_tables,
    read_result_table,
)
from rsconn.report.figures.claim_pictures import tabulate_pictures
from rsconn.report.figures.claims_forest import count_verdicts
from rsconn.report.figures.exclusion_flow import tabulate_flow
from rsconn.report.figures.group_comparisons import (
    compute_density,
    compute_line,
    compute_mean_interval,
    split_groups,
)
from rsconn.report.figures.motion_coverage import summarise_cohort, tabulate_rois
from rsconn.report.figures.score_by_connectivity import EVERYBODY, find_pairs, tabulate_slopes
from rsconn.study.claims.claim_words import describe_condition, describe_sides, label_claim


@pytest.fixture(scope="module")
def builder():
    path = Path(__file__).parents[1] / "report" / "results_builder.py"
    spec = importlib.util.spec_from_file_location("results_builder", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study(builder):
    return builder.make_tables()


@pytest.fixture(scope="module")
def figures(study):
    tables, settings, designs = study
    return build_figure_tables(tables, settings, designs=designs)


def test_mean_interval_equals_scipy():
    values = np.array([3.0, 4.5, 9.0, 1.0, 2.5])
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert compute_mean_interval(values) == pytest.approx((values.mean(), interval.low, interval.high))


def test_interval_of_one_person_is_missing():
    mean, low, high = compute_mean_interval(np.array([4.0]))
    assert mean == 4
    assert np.isnan([low, high]).all()


def test_density_peaks_at_one_and_keeps_to_the_bounds():
    grid, density = compute_density(np.array([0.0, 0.0, 1.0, 2.0, 5.0]), low=0, high=28)
    assert density.max() == 1
    assert grid[0] == 0
    assert grid[-1] <= 28


def test_density_of_equal_or_few_values_is_empty():
    assert compute_density(np.full(9, 2.0))[0].size == 0
    assert compute_density(np.array([1.0, 2.0]))[0].size == 0


def test_line_and_band_equal_a_regression():
    rng = np.random.default_rng(3)
    x = rng.normal(size=20)
    y = 2 * x + rng.normal(size=20)
    grid, fitted, low, high = compute_line(x, y)
    oracle = stats.linregress(x, y)
    assert np.allclose(fitted, oracle.intercept + oracle.slope * grid)
    half = np.interp(0, grid, high - fitted)
    assert half == pytest.approx(stats.t.ppf(0.975, 18) * oracle.intercept_stderr, rel=1e-2)
    assert np.allclose(fitted - low, high - fitted)


def test_every_name_has_its_table(figures):
    assert set(figures) == {*FIGURE_NAMES, *SUMMARY_NAMES}


def test_scores_have_everyone_with_a_value_once(study, figures):
    cohort, table = study[0]["cohort"], figures["scores_by_group"]
    for score in ("FS", "ES"):
        people = table[(table["panel"] == score) & (table["kind"] == "person")]
        expected = cohort.loc[cohort[score].notna()]
        assert sorted(people["participant_id"]) == sorted(expected["participant_id"])
        assert people["value"].sum() == expected[score].sum()


def test_means_and_intervals_stand_in_the_table(study, figures):
    cohort, table = study[0]["cohort"], figures["connectivity_by_group"]
    row = table[
        (table["kind"] == "mean") & (table["panel"] == "rACC-oPFC") & (table["group"] == "control")
    ].iloc[0]
    z = cohort.loc[cohort["group"] == "control", "rACC-oPFC"].dropna()
    assert (row["n"], row["value"]) == (len(z), pytest.approx(z.mean()))
    assert row["ci_high"] - row["value"] == pytest.approx(stats.t.ppf(0.975, len(z) - 1) * z.sem())


def test_axis_is_the_possible_range(figures):
    table = figures["scores_by_group"].query("panel == 'CR'")
    assert (table["axis_low"].iloc[0], table["axis_high"].iloc[0]) == (6, 42)
    assert table["axis_label"].iloc[0] == "ERQ CR score (possible 6 to 42)"


def test_without_sex_or_with_sex_as_group_there_is_no_second_division(study):
    tables, settings, _ = study
    assert build_figure_tables(tables, settings)["scores_by_group_sex"].size
    one_sex = {**tables, "cohort": tables["cohort"].assign(sex="F")}
    assert build_figure_tables(one_sex, settings)["scores_by_group_sex"].empty
    by_sex = {**settings, "groups": {"column": "sex", "levels": {"F": "F", "M": "M"}}}
    cohort = tables["cohort"].assign(group=tables["cohort"]["sex"])
    assert build_figure_tables({**tables, "cohort": cohort}, by_sex)["scores_by_group_sex"].empty


def test_a_study_without_groups_is_one_group(study):
    tables, settings, _ = study
    cohort = tables["cohort"].assign(group=None)
    figures = build_figure_tables({**tables, "cohort": cohort}, {**settings, "groups": None})
    assert set(figures["scores_by_group"]["group"]) == {"everybody"}
    assert set(figures["cohort_summary"]["group"]) == {"everybody"}


def test_sessions_are_told_apart():
    cohort = pd.DataFrame({"participant_id": ["a", "a"], "session": ["1", "2"], "group": "T"})
    assert list(split_groups(cohort, ["T"])) == ["T, session 1", "T, session 2"]


def test_verdicts_are_counted_by_family_and_over_all(figures, study):
    table = figures["verdict_counts"].set_index("family")
    verdicts = ["supported", "negligible", "contradicted", "inconclusive", "not_testable"]
    assert (table[verdicts].sum(axis=1) == table["n_claims"]).all()
    assert (table.drop("all").sum() == table.loc["all"]).all()
    assert table.loc["all", "n_claims"] == len(study[0]["claims"])


def test_a_family_called_all_does_not_hide_the_total():
    claims = pd.DataFrame({"family": ["x", "all"], "verdict": ["supported", "contradicted"]})
    assert count_verdicts(claims)["n_claims"].iloc[-1] == 2


def test_simpson_shows_in_the_lines():
    """Within each group the score falls with the edge; over everybody it rises."""
    edge = np.r_[np.linspace(0, 1, 10), np.linspace(2, 3, 10)]
    cohort = pd.DataFrame({
        "participant_id": [f"s{i}" for i in range(20)], "session": None, "group": ["C"] * 10 + ["T"] * 10, "A-B": edge,
        "PT": np.r_[5 - np.linspace(0, 1, 10), 9 - np.linspace(0, 1, 10)],
    })  # fmt: skip
    table = tabulate_slopes(cohort, {("A-B", "PT"): ["B1"]}, ["T", "C"])
    rises = {
        group: rows["y"].iloc[-1] > rows["y"].iloc[0]
        for group, rows in table[table["kind"] == "line"].groupby("group")
    }
    assert rises == {"T": False, "C": False, EVERYBODY: True}
    assert (table["kind"] == "person").sum() == 20


def test_pairs_are_found_whichever_side_the_edge_is_on():
    claims = [
        {"id": "B1", "outcome": "A-B", "predictor": "PT"},
        {"id": "B2", "outcome": "PT", "predictor": "A-B"},
        {"id": "P1", "outcome": "PT", "predictor": None},
    ]
    assert find_pairs(claims, ["A-B"], ["PT"]) == {("A-B", "PT"): ["B1", "B2"]}


def make_slope_picture(x, y, nuisance):
    claim = dict.fromkeys(("ci_low", "ci_high", "ci_family_low", "ci_family_high", "sesoi_estimate"), np.nan)
    claims = pd.DataFrame([{**claim, "id": "B5", "n": x.size, "estimate": 1.0, "verdict": "supported"}])
    model = Model(y, x, nuisance, "slope", "ols_hc3", np.arange(x.size))
    people = [f"s{i}" for i in range(x.size)]
    design = SimpleNamespace(model=model, people=people, covariates=("age",))
    definition = {"id": "B5", "outcome": "ES", "predictor": "A-B", "expect": "negative"}
    return tabulate_pictures(claims, {"B5": definition}, {"B5": design}, {}, dict.fromkeys(people, 1))


def test_a_slopes_picture_has_the_adjusted_slope():
    """The line in the picture is that of the full model, not of the raw points."""
    rng = np.random.default_rng(5)
    nuisance = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    x = nuisance @ [0.3, 1, -1] + rng.normal(size=30)
    y = nuisance @ [2, -3, 3] + 0.7 * x + rng.normal(size=30)
    table = make_slope_picture(x, y, nuisance)
    line = table[table["kind"] == "line"]
    slope = (line["y"].iloc[-1] - line["y"].iloc[0]) / (line["x"].iloc[-1] - line["x"].iloc[0])
    oracle = np.linalg.lstsq(np.column_stack([x, nuisance]), y, rcond=None)[0][0]
    assert slope == pytest.approx(oracle)
    assert stats.linregress(x, y).slope != pytest.approx(oracle, rel=0.1)
    assert table["x_label"].dropna().unique() == "A-B, adjusted"


def test_sides_that_are_groups_have_their_colours_and_sexes_others(figures):
    pictures = figures["claim_pictures"]

    def colours(claim):
        rows = pictures[(pictures["claim"] == claim) & pictures["side"].notna()]
        return list(dict.fromkeys(rows["colour"]))

    assert colours("P1") == [0, 1]
    assert colours("S4") == [0, 1]
    assert colours("S2") == [2, 3]


def test_flow_of_the_ledger_adds_up_group_by_group(study):
    table = tabulate_flow(study[0]["flow"], ["therapist", "control"])
    for _, rows in table.groupby("group"):
        kept = rows[rows["kind"] == "kept"].set_index("stage")["n"]
        lost = rows[rows["kind"] == "excluded"].groupby("stage")["n"].sum().reindex(kept.index, fill_value=0)
        assert ((kept.shift() - kept).dropna() == lost.iloc[1:]).all()


def test_several_rules_of_a_stage_have_a_row_each():
    flow = pd.DataFrame({
        "stage": ["in", "out", "out"], "group": "T", "n": [10, 7, 7], "n_excluded": [0, 1, 2],
        "rule": [None, "no run found", "quality.max_mean_fd_mm"],
    })  # fmt: skip
    table = tabulate_flow(flow, ["T"])
    assert list(table["kind"]) == ["kept", "kept", "excluded", "excluded"]
    assert list(table["n"]) == [10, 7, 1, 2]
    assert list(table["words"].dropna()) == ["no images", "too much motion on average"]


def test_cohort_summary_counts_numbers_and_levels():
    cohort = pd.DataFrame({
        "participant_id": list("abcd"), "session": None, "group": ["T", "T", "C", "C"], "sex": ["F", "M", "F", None],
        "age": [30.0, 40.0, np.nan, 50.0],
    })  # fmt: skip
    table = summarise_cohort(cohort, ["sex", "age", "absent"], ["T", "C"]).set_index(
        ["group", "variable", "level"]
    )
    assert table.loc[("T", "people", np.nan), "n"].item() == 2
    assert table.loc[("T", "sex", "F"), "n"].item() == 1
    assert table.loc[("C", "sex", "F"), "n_missing"].item() == 1
    ages = table.query("group == 'T' and variable == 'age'").iloc[0]
    assert (ages["mean"], ages["min"], ages["max"]) == (35, 30, 40)
    assert ages["sd"] == pytest.approx(50**0.5)


def test_rois_without_a_place_stay_without():
    table = tabulate_rois([{"name": "A", "kind": "column", "center_mm": None}], [("A", "B")])
    assert table.loc[0, ["x_mm", "radius_mm"]].isna().all()
    assert list(table["kind"]) == ["roi", "edge"]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (
            {
                "outcome": "EC",
                "expect": "equivalent",
                "sample": "group == 'T'",
                "contrast": {"a": "F", "b": "M"},
            },
            "EC: F ≈ M (T)",
        ),
        ({"outcome": "z", "expect": "unrelated", "predictor": "PT", "sample": ""}, "z and PT: unrelated"),
        ({"outcome": "ES", "expect": "different", "contrast": {"a": "2", "b": "1"}}, "ES: 2 ≠ 1"),
    ],
)
def test_claims_in_few_words(claim, words):
    assert label_claim(claim) == words


def test_conditions_that_are_no_plain_conjunction_stay_as_written():
    condition = "group == 'T' or sex == 'M'"
    assert describe_condition(condition) == condition
    assert describe_sides({"contrast": {"a": {"where": "sex == 'F'"}, "b": "M"}}) == ("F", "M")


def test_tables_survive_the_way_to_disk_and_back(figures, tmp_path):
    from rsconn.files.tables import write_tsv

    for name, table in figures.items():
        path = tmp_path / f"{name}.tsv"
        write_tsv(path, {column: table[column].tolist() for column in table.columns})
        read = read_result_table(path)
        assert list(read.columns) == list(table.columns)
        for column in read.select_dtypes("number"):
            assert np.array_equal(read[column], pd.to_numeric(table[column]), equal_nan=True), (name, column)
