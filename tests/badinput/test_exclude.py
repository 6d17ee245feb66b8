"""Exclusions by hand are rows of the ledger and the flow; whoever is not there is refused."""

import pandas as pd
import pytest

from rsconn.commands.check import check_config
from rsconn.rules.plan import find_config_runs
from rsconn.settings.config import read_config
from rsconn.study.people.cohort_table import build_cohort, read_people, score_people
from rsconn.study.people.run_edges import EDGE_COLUMNS, QUALITY_COLUMNS


def build(path):
    config = read_config(path)
    runs = find_config_runs(config)
    people = read_people(config.input, config.groups, sessions=config.sessions)
    # each person's own, because two people with the same edges are taken for one
    rows = [
        {"participant_id": run.participant_id, "edge": "A-B", "z": int(run.participant_id[-2:]) / 100}
        for run in runs
    ]
    edges = pd.DataFrame(rows, columns=list(EDGE_COLUMNS))
    quality = pd.DataFrame(columns=list(QUALITY_COLUMNS))
    with_runs = {run.participant_id for run in runs}
    scores = score_people(people, config.scores)
    return build_cohort(people, scores, edges.drop_duplicates(), quality, config, with_runs=with_runs)


def test_a_person_is_left_out_of_everything_and_accounted_for(make_study):
    config = make_study(extra="exclude: {sub-02: incidental finding}\n")
    result = check_config(config)
    assert result.problems == ()
    assert any("pat: 10 in the tables, 9 with images" in line for line in result.lines)
    assert not any(line.startswith("warning") and "sub-02" in line for line in result.lines)
    cohort = build(config)
    assert "sub-02" not in set(cohort.table["participant_id"])
    (row,) = cohort.ledger[cohort.ledger["participant_id"] == "sub-02"].itertuples()
    assert (row.rule, row.stage, row.decision) == ("exclude", "index", "excluded")
    assert row.reason == "sub-02: incidental finding (exclude)"
    flow = cohort.flow.set_index(["group", "stage"])
    assert tuple(flow.loc[("pat", "with images"), ["n", "n_excluded", "rule"]]) == (9, 1, "exclude")


def test_a_session_is_left_out_and_the_person_stays(make_study):
    config = make_study(sessions=("1", "2"), extra="exclude: {sub-03_ses-2: fell asleep}\n")
    cohort = build(config)
    assert "sub-03" in set(cohort.table["participant_id"][cohort.table["included"]])
    (row,) = cohort.ledger[cohort.ledger["participant_id"] == "sub-03"].itertuples()
    assert (row.session, row.run, row.rule) == ("2", None, "exclude")
    assert set(cohort.flow["n_excluded"]) == {0}
    config.write_text(
        config.read_text().replace("sub-03_ses-2: fell asleep", "sub-03_ses-2: x, sub-03_ses-1: y")
    )
    flow = build(config).flow.set_index(["group", "stage"])
    assert tuple(flow.loc[("con", "with a usable run"), ["n", "n_excluded", "rule"]]) == (9, 1, "exclude")


@pytest.mark.parametrize("key", ["sub-99", "sub-02_ses-1", "sub-02_run-1"])
def test_whoever_is_not_there_is_refused(make_study, key):
    problems = check_config(make_study(extra=f"exclude: {{{key}: reason}}\n")).problems
    assert any(f"exclude: '{key}' is nobody" in line for line in problems)


def test_filters_may_be_negated(make_study):
    config = make_study()
    config.write_text(config.read_text().replace("{task: rest}", "{task: rest, sub: {not: [sub-01, '02']}}"))
    assert len(find_config_runs(read_config(config))) == 18
    config.write_text(config.read_text().replace("'02'", "'99'"))
    assert any("no file has sub 99" in line for line in check_config(config).problems)
