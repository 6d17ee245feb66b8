from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rsconn.errors import ProblemsError, TableError
from rsconn.settings.sections import InputSettings, ScoreSettings
from rsconn.study.people.participants import read_people
from rsconn.study.people.scores import SCORE_COLUMNS, score_people

SHARED = Path(__file__).parents[4] / "shared/data"


def make_people(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({
        "participant_id": [f"sub-{number:02d}" for number in range(1, n + 1)],
        "session": [None] * n,
        **columns,
    })  # fmt: skip


def score(people, **settings):
    return score_people(people, {"PT": ScoreSettings(**settings)})


SUM = {"instrument": "IRI", "subscale": "PT", "column": "pt", "coding": "sum"}
MEAN = SUM | {"coding": "mean"}


def make_items(n=40, *, low=0.0, seed=0, already_reversed=False, prefix="iri_"):
    """Return IRI answers in which one trait per subscale drives seven items, on low..low + 4."""
    rng = np.random.default_rng(seed)
    columns = {}
    keys = {"FS": (1, 5, 7, 12, 16, 23, 26), "PT": (3, 8, 11, 15, 21, 25, 28), "EC": (2, 4, 9, 14, 18, 20, 22),
            "PD": (6, 10, 13, 17, 19, 24, 27)}  # fmt: skip
    turned = {3, 4, 7, 12, 13, 14, 15, 18, 19}
    for numbers in keys.values():
        trait = rng.normal(size=n)
        for number in numbers:
            answer = np.clip(np.round(2 + trait + rng.normal(size=n)), 0, 4)
            columns[f"{prefix}{number:02d}"] = (
                answer if already_reversed or number not in turned else 4 - answer
            ) + low
    return make_people(**columns)


def make_item_settings(coding, **more):
    return {
        name: ScoreSettings(instrument="IRI", subscale=name, items="iri_{:02d}", coding=coding, **more)
        for name in ("FS", "PT", "EC", "PD")
    }


def test_sums_are_taken_as_they_are():
    scores = score(make_people(pt=[18.0, np.nan, 3.0]), **SUM)
    np.testing.assert_array_equal(scores.table["PT"], [18, np.nan, 3])
    assert list(scores.summary.columns) == list(SCORE_COLUMNS)
    row = scores.summary.iloc[0]
    assert (row["n"], row["n_missing"], row["mean"], row["possible_min"], row["possible_max"]) == (
        2,
        1,
        10.5,
        0,
        28,
    )
    assert np.isnan(row["alpha"])


def test_item_means_become_sums():
    scores = score(make_people(pt=[4.0, 2.5, np.nan]), **MEAN)
    np.testing.assert_allclose(scores.table["PT"], [28, 17.5, np.nan])


def test_item_means_on_one_to_five_are_moved():
    scores = score(make_people(pt=[5.0, 1.0, 3.0]), **MEAN, range=(1, 5))
    np.testing.assert_allclose(scores.table["PT"], [28, 0, 14])


def test_item_means_of_the_erq_have_their_own_number_of_items():
    people = make_people(cr=[1.0, 7.0, 4.5])
    settings = ScoreSettings(instrument="ERQ", subscale="CR", column="cr", coding="mean")
    np.testing.assert_allclose(score_people(people, {"CR": settings}).table["CR"], [6, 42, 27])


def test_sums_on_one_to_five_are_moved():
    scores = score(make_people(pt=[35.0, 7.0]), **SUM, range=(1, 5))
    np.testing.assert_allclose(scores.table["PT"], [28, 0])


def test_a_bare_column_is_taken_as_it_stands():
    scores = score(make_people(anx=[-3.5, 80.0]), column="anx")
    np.testing.assert_array_equal(scores.table["PT"], [-3.5, 80])
    assert scores.summary["instrument"].isna().all()


def test_missing_items_are_filled_only_when_allowed():
    people = make_items()
    people.loc[0, "iri_08"] = np.nan
    people.loc[1, ["iri_08", "iri_11"]] = np.nan
    strict = score_people(people, make_item_settings("items"))
    assert strict.table["PT"].isna().sum() == 2
    lenient = score_people(people, make_item_settings("items", max_missing_items=1))
    assert lenient.table["PT"].isna().tolist()[:3] == [False, True, False]
    assert [(row.participant_id, row.rule, row.value, row.decision) for row in lenient.ledger] == [
        ("sub-01", "scores.PT", 1, "flagged"),
        ("sub-02", "scores.PT", 2, "flagged"),
    ]
    assert (
        lenient.ledger[0].reason
        == "sub-01: PT: 1 item missing, 1 allowed (scores.PT.max_missing_items); filled"
    )
    assert lenient.ledger[1].reason.endswith("left out of claims on it")


def test_items_on_one_to_five():
    people, shifted = make_items(), make_items(low=1.0)
    expected = score_people(people, make_item_settings("items")).table
    found = score_people(shifted, make_item_settings("items", range=(1, 5))).table
    np.testing.assert_allclose(found, expected)


def test_reliability_is_in_the_summary():
    summary = score_people(make_items(400), make_item_settings("items")).summary.set_index("score")
    assert (summary["alpha"] > 0.7).all()
    assert (summary["omega"] > 0.7).all()


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        ([18, 31], SUM, r"column 'pt', sub-02: 31 is out of range, 0 to 28 needed \(scores.PT.coding: sum\); mend it"),
        ([-1, 31], SUM, r"sub-01 and 1 more: -1 is out of range"),
        ([0.5, 3.14], SUM, r"values up to 3.14 are no sums .* item means: scores.PT.coding: mean$"),
        ([2.5, 4.9], SUM, r"coding: mean, if answers go from 1 to 5, say scores.PT.range: \[1, 5\]"),
        ([18, 20], MEAN, r"18 is out of range, 0 to 4 needed .*; they look like sums: coding: sum"),
        ([1.5, 4.9], MEAN, r"4.9 is out of range, 0 to 4 .* say scores.PT.range: \[1, 5\]"),
        ([1.5, 99], MEAN, r"map it with input.values: \{pt: \{'99': n/a\}\}"),
        (["2,5", "3"], MEAN, r"'2,5' is not a number; scores.PT.column needs numbers; set input.decimal: ','"),
        (["often", "3"], SUM, r"'often' is not a number"),
        ([18, 20], SUM | {"column": "p"}, r"no column 'p' in the tables \(scores.PT.column\); did you mean 'pt'"),
        ([18, 90], {"column": "pt", "range": (20, 80)}, r"18 is out of range, 20 to 80 needed \(scores.PT.range\)"),
    ],
)  # fmt: skip
def test_wrong_declarations_are_refused_with_the_line_to_change(values, settings, message):
    with pytest.raises(TableError, match=message):
        score(make_people(pt=values), **settings)


def test_erq_means_where_sums_were_declared():
    people = make_people(es=[2.25, 6.5])
    with pytest.raises(TableError, match=r"item means: scores.ES.coding: mean"):
        score_people(
            people, {"ES": ScoreSettings(instrument="ERQ", subscale="ES", column="es", coding="sum")}
        )


def test_answers_out_of_range_name_the_item():
    people = make_items()
    people.loc[4, "iri_21"] = 99.0
    with pytest.raises(TableError, match=r"column 'iri_21', sub-05: 99 is out of range, 0 to 4 needed"):
        score_people(people, make_item_settings("items"))


def test_answers_counted_from_one_are_told_in_one_go():
    with pytest.raises(ProblemsError) as caught:
        score_people(make_items(low=1.0), make_item_settings("items"))
    assert len(caught.value.problems) == 4
    assert "say scores.FS.range: [1, 5]" in caught.value.problems[0]


def test_a_missing_item_column_is_named():
    with pytest.raises(TableError, match=r"no column 'iri_21' in the tables \(scores.PT.items\)"):
        score_people(make_items().drop(columns="iri_21"), {"PT": make_item_settings("items")["PT"]})


@pytest.mark.parametrize(
    ("already_reversed", "declared", "message"),
    [
        (
            True,
            "items",
            r"if the items are reversed already; set scores.FS.coding, .*scores.PD.coding: items_reversed",
        ),
        (False, "items_reversed", r"if the items are not reversed yet; set scores.FS.coding, .*: items$"),
    ],
)
def test_the_wrong_coding_is_noticed_by_its_alphas(already_reversed, declared, message):
    people = make_items(already_reversed=already_reversed)
    with pytest.raises(TableError, match=message):
        score_people(people, make_item_settings(declared))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("already_reversed", [True, False])
def test_the_right_coding_passes(already_reversed, seed):
    people = make_items(25, already_reversed=already_reversed, seed=seed)
    score_people(people, make_item_settings("items_reversed" if already_reversed else "items"))


def read_shared(relative, **options):
    path = SHARED / relative
    if not path.exists():
        pytest.skip("the shared real data are not beside the repository")
    settings = InputSettings(participants=path, decimal=options.pop("decimal", "."))
    return read_people(settings, **options)


def test_the_public_items_are_noticed_as_reversed_already():
    people = read_shared("questionnaires/iri_items.tsv")
    with pytest.raises(TableError, match=r"alpha is FS 0.40, PT 0.28, EC -0.13, PD 0.31 with coding: items, "
                                         r"and FS 0.74, PT 0.65, EC 0.75, PD 0.72"):  # fmt: skip
        score_people(people, make_item_settings("items"))
    summary = score_people(people, make_item_settings("items_reversed")).summary.set_index("score")
    np.testing.assert_allclose(summary["alpha"].round(2), [0.74, 0.65, 0.75, 0.72])
    assert summary["n"].tolist() == [1973] * 4


def test_ds000201_item_means_as_published():
    people = read_shared("phenotype/ds000201/participants.tsv", decimal=",")
    columns = {"EC": "IRI_EC", "PT": "IRI_PT", "PD": "IRI_PD", "FS": "IRI_F"}
    settings = {
        name: {"instrument": "IRI", "subscale": name, "column": column, "coding": "mean", "range": (1, 5)}
        for name, column in columns.items()
    }
    scores = score_people(people, {name: ScoreSettings(**each) for name, each in settings.items()})
    sums = scores.table.to_numpy()
    np.testing.assert_allclose(sums, np.round(sums), atol=1e-6)
    assert sums.min() >= 0
    assert sums.max() <= 28
    with pytest.raises(
        ProblemsError, match=r"coding: mean, if answers go from 1 to 5, say scores.EC.range: \[1, 5\]"
    ):
        score_people(people, {
            name: ScoreSettings(**(each | {"coding": "sum", "range": None})) for name, each in settings.items()
        })  # fmt: skip


def test_ds003823_sums_as_published():
    people = read_shared("phenotype/ds003823/participants_erq_fd.tsv")
    scores = score_people(people, {
        "CR": ScoreSettings(instrument="ERQ", subscale="CR", column="erq-FR_reappraisal_w1", coding="sum"),
        "ES": ScoreSettings(instrument="ERQ", subscale="ES", column="erq-FR_suppression_w1", coding="sum"),
    })  # fmt: skip
    assert scores.summary["n"].tolist() == [192, 192]
    assert [row.participant_id for row in scores.ledger][:1] == [row.participant_id for row in scores.ledger][
        1:
    ]
