from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rsconn.errors import ProblemsError, TableError
from rsconn.files.tables import write_tsv
from rsconn.settings.claims import Claim
from rsconn.settings.sections import ScoreSettings
from rsconn.study.people.cohort_table import build_cohort, read_cohort
from rsconn.study.people.scores import score_people


def make_config(*claims, sessions="combine", edge=("age", "sex", "mean_fd"), groups=True):
    return SimpleNamespace(
        sessions=sessions,
        exclude={},
        edges=(SimpleNamespace(name="A-B"), SimpleNamespace(name="C-D")),
        categorical=(),
        inference=SimpleNamespace(exchange_within=None, exchange_whole=None),
        covariates=SimpleNamespace(edge=edge, score=()),
        groups=SimpleNamespace(column="group") if groups else None,
        claims=tuple(Claim(**({"family": "f", "text": "t"} | claim)) for claim in claims),
        questions=tuple(Claim(**({"family": "f", "text": "t"} | claim)) for claim in claims),
        edge_claims=(),
        multiverse=None,
        scores={"PT": ScoreSettings(column="pt")},
    )


CONTRAST = {
    "id": "F1",
    "outcome": "A-B",
    "contrast": {"column": "group", "a": "T", "b": "C"},
    "expect": "greater",
}


def make_people(**changes):
    columns = {
        "participant_id": ["sub-01", "sub-02", "sub-03"],
        "session": [None] * 3,
        "group": ["T", "C", None],
        "sex": ["F", "M", "F"],
        "age": [30.0, 40.0, np.nan],
        "pt": [10.0, 20.0, np.nan],
    }
    return pd.DataFrame(columns | changes)


def make_edges(*rows):
    return pd.DataFrame(rows, columns=["participant_id", "session", "edge", "z"])


def make_quality(*rows):
    return pd.DataFrame(rows, columns=["participant_id", "session", "run", "n_volumes", "mean_fd", "usable"])


EDGES = make_edges(
    ("sub-01", None, "A-B", 0.5), ("sub-01", None, "C-D", np.nan), ("sub-02", None, "A-B", np.nan)
)
QUALITY = make_quality(
    ("sub-01", None, "run-1", 100, 0.1, True),
    ("sub-01", None, "run-2", 300, 0.2, True),
    ("sub-02", None, "run-1", 100, 0.3, True),
    ("sub-02", None, "run-2", 100, 0.9, False),
)


def build(config=None, people=None, edges=EDGES, quality=QUALITY, **options):
    people = make_people() if people is None else people
    config = config or make_config(CONTRAST)
    return build_cohort(people, score_people(people, config.scores), edges, quality, config, **options)


def test_the_contracts_columns_come_first():
    table = build(make_config(CONTRAST | {"covariates": ["site"]}), make_people(site=["x", "y", "y"])).table
    assert list(table.columns) == [
        "participant_id", "session", "group", "sex", "age", "PT", "mean_fd", "A-B", "C-D", "included", "site"
    ]  # fmt: skip


def test_nobody_is_lost():
    table = build().table
    assert table["participant_id"].tolist() == ["sub-01", "sub-02", "sub-03"]
    assert table["included"].tolist() == [True, False, False]
    np.testing.assert_array_equal(table["A-B"], [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(table["PT"], [10, 20, np.nan])


def test_motion_is_weighted_by_volumes_over_usable_runs():
    cohort = build()
    np.testing.assert_allclose(cohort.table["mean_fd"], [0.175, 0.3, np.nan])
    assert cohort.mean_fd_source == "confounds"


def test_a_participants_column_of_motion_wins():
    cohort = build(people=make_people(mean_fd=[0.01, np.nan, 0.03]))
    np.testing.assert_array_equal(cohort.table["mean_fd"], [0.01, np.nan, 0.03])
    assert cohort.mean_fd_source == "participants"


def test_the_ledger_says_who_has_no_edge_no_group_and_no_run():
    ledger = build(with_runs={"sub-01", "sub-02", "sub-09"}).ledger
    found = ledger[["participant_id", "rule", "decision"]].to_numpy().tolist()
    assert found == [
        ["sub-02", "no usable edge", "excluded"],
        ["sub-03", "no run found", "excluded"],
        ["sub-03", "groups.levels", "flagged"],
        ["sub-03", "scores.PT", "flagged"],
        ["sub-09", "not in the tables", "excluded"],
    ]


def test_the_flow_is_the_cohorts():
    flow = build(with_runs={"sub-01", "sub-02"}).flow
    last = flow[flow["stage"] == "with a usable edge"].set_index("group")
    assert last["n"].to_dict() == {"C": 0, "T": 1, "no group": 0}
    assert last.loc["C", "rule"] == "no usable edge"


def test_sessions_of_tables_and_edges_meet():
    people = pd.DataFrame({
        "participant_id": ["sub-01", "sub-01", "sub-02"],
        "session": ["1", "2", None],
        "group": ["T", "T", "C"],
        "sex": ["F", "F", "M"],
        "age": [30.0, 30.0, 40.0],
        "pt": [10.0, 12.0, 20.0],
    })  # fmt: skip
    edges = make_edges(
        ("sub-01", "2", "A-B", 0.1),
        ("sub-01", "3", "A-B", 0.2),
        ("sub-02", "1", "A-B", 0.3),
        ("sub-09", "1", "A-B", 0),
    )
    quality = make_quality(("sub-01", "2", "r", 100, 0.1, True), ("sub-02", "1", "r", 100, 0.3, True))
    table = build(make_config(CONTRAST, sessions="separate"), people, edges, quality).table
    shown = table[["participant_id", "session", "sex", "age", "PT", "A-B", "mean_fd"]].astype(object)
    assert shown.where(shown.notna(), None).to_numpy().tolist() == [
        ["sub-01", "1", "F", 30.0, 10.0, None, None],
        ["sub-01", "2", "F", 30.0, 12.0, 0.1, 0.1],
        ["sub-01", "3", "F", 30.0, None, 0.2, None],
        ["sub-02", "1", "M", 40.0, 20.0, 0.3, 0.3],
    ]


def test_combined_motion_of_several_sessions():
    quality = make_quality(("sub-01", "1", "a", 100, 0.1, True), ("sub-01", "2", "b", 100, 0.3, True))
    assert build(quality=quality).table["mean_fd"].iloc[0] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("claim", "changes", "message"),
    [
        ({}, {"gender": ["F"] * 3, "sex": None}, r"no column 'sex' in the tables \(covariates.edge\)"),
        ({"covariates": ["ag"]}, {}, r"no column 'ag' .*\(claim F1, covariates\); did you mean 'age'\?"),
        (
            {"sample": "sit == 'x'"},
            {"site": ["x"] * 3},
            r"no column 'sit' .*\(claim F1, sample\); did you mean 'site'",
        ),
        (
            {},
            {"age": ["30", "34 years", None]},
            r"column 'age' \(covariates.edge\) mixes numbers \('30'\) and words \('34 ",
        ),
        (
            {},
            {"age": ["30,5", "34,0", None]},
            r"column 'age' .* holds numbers such as '30,5'; set input.decimal: ','",
        ),
        (
            {"contrast": {"column": "sex", "a": "female", "b": "M"}},
            {},
            r"claim F1, contrast: nobody has 'female' in column 'sex'; it has: F, M",
        ),
    ],
)
def test_columns_that_claims_need_are_checked(claim, changes, message):
    people = make_people(**changes)
    people = people.drop(columns=[name for name, value in changes.items() if value is None])
    with pytest.raises(TableError, match=message):
        build(make_config(CONTRAST | claim), people)


def test_several_faults_are_told_at_once():
    with pytest.raises(ProblemsError) as caught:
        build(make_config(CONTRAST | {"covariates": ["a1", "b2"]}))
    assert len(caught.value.problems) == 2


def test_a_default_covariate_that_no_claim_uses_is_not_asked_for():
    people = make_people().drop(columns=["age", "sex"])
    claim = CONTRAST | {"outcome": "PT"}
    table = build(make_config(claim, groups=False), people).table
    assert table[["sex", "age"]].isna().all(axis=None)


def test_the_table_survives_its_file(tmp_path):
    table = build(
        make_config(CONTRAST | {"covariates": ["site"]}), make_people(site=["1a", None, "2b"])
    ).table
    table["A-B"] = [0.1 + 0.2, np.nan, np.nan]
    path = tmp_path / "cohort.tsv"
    write_tsv(path, {name: table[name].tolist() for name in table})
    again = read_cohort(path)
    assert again["A-B"].iloc[0] == 0.1 + 0.2
    assert again["included"].tolist() == [True, False, False]
    for name in table:
        first, second = (frame[name].astype(object) for frame in (table, again))
        assert first.where(first.notna(), None).tolist() == second.where(second.notna(), None).tolist()


def test_numeric_group_names_stay_text(tmp_path):
    path = tmp_path / "cohort.tsv"
    path.write_text("participant_id\tsession\tgroup\tsex\nsub-1\t1\t2\tn/a\n")
    table = read_cohort(path)
    assert table["group"].tolist() == ["2"]
    assert table["session"].tolist() == ["1"]
