from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rsconn.study.people.ledger import (
    LEDGER_COLUMNS,
    LedgerRow,
    PersonRule,
    compare_people,
    count_flow,
    judge_coverage,
    judge_run,
    report_failed_run,
    tabulate_ledger,
)

CENSORING = SimpleNamespace(min_retained_minutes=4, min_degrees_of_freedom=15)
QUALITY = SimpleNamespace(max_mean_fd_mm=0.5)


def make_facts(**changes):
    return {
        "participant_id": "sub-01",
        "session": None,
        "run": "sub-01_task-rest",
        "n_volumes": 240,
        "n_retained": 200,
        "minutes_retained": 6.67,
        "dof": 30,
        "mean_fd": 0.2,
    } | changes


@pytest.mark.parametrize(
    ("changes", "rule", "reason"),
    [
        (
            {"n_retained": 41, "minutes_retained": 1.37},
            "censoring.min_retained_minutes",
            "sub-01_task-rest: 41 of 240 volumes retained (1.4 min), 4 min needed (censoring.min_retained_minutes)",
        ),
        (
            {"dof": 12},
            "censoring.min_degrees_of_freedom",
            (
                "sub-01_task-rest: 200 of 240 volumes retained, 12 degrees of freedom left, 15 needed "
                "(censoring.min_degrees_of_freedom)"
            ),
        ),
        (
            {"mean_fd": 0.71},
            "quality.max_mean_fd_mm",
            "sub-01_task-rest: mean framewise displacement 0.71 mm, 0.5 mm allowed (quality.max_mean_fd_mm)",
        ),
    ],
)
def test_each_rule_excludes_on_its_own(changes, rule, reason):
    rows = judge_run(make_facts(**changes), CENSORING, QUALITY)
    assert len(rows) == 3
    assert [(row.rule, row.reason) for row in rows if row.decision == "excluded"] == [(rule, reason)]


def test_thresholds_themselves_are_met():
    rows = judge_run(make_facts(minutes_retained=4.0, dof=15, mean_fd=0.5), CENSORING, QUALITY)
    assert {row.decision for row in rows} == {"kept"}
    assert {row.reason for row in rows} == {None}


def test_what_is_unknown_is_not_judged():
    facts = make_facts(minutes_retained=None, dof=np.nan, mean_fd=None)
    assert judge_run(facts, CENSORING, QUALITY) == ()
    assert len(judge_run(make_facts(), CENSORING, SimpleNamespace(max_mean_fd_mm=None))) == 2


def test_coverage_names_failing_rois_only():
    rows = judge_coverage(make_facts(), {"LAI": 1.0, "oPFC": 0.3, "x": float("nan")}, 0.5)
    assert [row.reason for row in rows] == [
        "sub-01_task-rest: 30% of oPFC has signal, 50% needed (quality.min_coverage)"
    ]


def test_the_table_is_sorted_whatever_the_order():
    rows = [
        *judge_run(make_facts(), CENSORING, QUALITY),
        report_failed_run(make_facts(), "extract", "corrupt"),
    ]
    rows += compare_people({"sub-00", "sub-01"}, {"sub-01"})
    table = tabulate_ledger(rows)
    assert list(table.columns) == list(LEDGER_COLUMNS)
    pd.testing.assert_frame_equal(table, tabulate_ledger(rows[::-1]))
    assert table["participant_id"].iloc[0] == "sub-00"
    assert tabulate_ledger([]).empty


def test_people_are_compared_both_ways():
    rows = compare_people({"sub-1", "sub-02", "sub-03"}, {"sub-001", "sub-03", "sub-99"})
    assert [(row.participant_id, row.rule) for row in rows] == [
        ("sub-02", PersonRule.NO_RUN),
        ("sub-1", PersonRule.NO_RUN),
        ("sub-001", "not in the tables"),
        ("sub-99", "not in the tables"),
    ]
    assert rows[1].reason.endswith("no run found; the dataset has sub-001; in claims on scores only")
    assert rows[2].reason.endswith("no row in the tables; the tables have sub-1")


def exclude(person, rule, stage):
    return LedgerRow(person, None, f"{person}_task-rest", rule, None, None, None, stage, "excluded", "why")


def test_flow_adds_up_and_names_the_first_rule():
    cohort = pd.DataFrame({
        "participant_id": ["a", "b", "c", "d", "e", "f"],
        "group": ["T", "T", "T", "T", "C", None],
        "included": [True, False, False, False, True, False],
    })  # fmt: skip
    rows = [
        *compare_people({"a", "b", "c", "d", "e", "f"}, {"a", "b", "c", "d", "e"}),
        exclude("b", "censoring.min_retained_minutes", "connect"),
        exclude("b", "failed at extract", "extract"),
        exclude("c", "quality.min_coverage", "connect"),
        exclude("d", "censoring.min_retained_minutes", "connect"),
        exclude("e", "quality.max_mean_fd_mm", "connect"),  # one of several runs; e keeps another
    ]
    flow = count_flow(cohort, tabulate_ledger(rows), with_usable_run={"a", "c", "e"})
    assert flow[flow["group"] == "T"].astype(object).fillna("").to_numpy().tolist() == [
        ["in the tables", "T", 4, 0, ""],
        ["with images", "T", 4, 0, ""],
        ["with a usable run", "T", 2, 1, "censoring.min_retained_minutes"],
        ["with a usable run", "T", 2, 1, "failed at extract"],
        ["with a usable edge", "T", 1, 1, "quality.min_coverage"],
    ]
    assert flow[flow["group"] == "no group"]["n"].tolist() == [1, 0, 0, 0]
    for _, rows_of_group in flow.groupby("group"):
        sizes = rows_of_group.groupby("stage", sort=False).agg(n=("n", "first"), lost=("n_excluded", "sum"))
        assert (sizes["n"].to_numpy()[:-1] == (sizes["n"] + sizes["lost"]).to_numpy()[1:]).all()


def test_flow_counts_a_person_with_two_sessions_once():
    cohort = pd.DataFrame({"participant_id": ["a", "a"], "group": ["T", "T"], "included": [False, True]})
    flow = count_flow(cohort, tabulate_ledger([]), with_usable_run={"a"})
    assert flow["n"].tolist() == [1, 1, 1, 1]
