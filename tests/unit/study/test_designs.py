from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rsconn.errors import TableError
from rsconn.settings.claims import Claim
from rsconn.study.claims.designs import Terms, build_model, read_terms
from rsconn.study.people.used_columns import encode, make_columns, match_value

TERMS = Terms(frozenset({"A-B"}), ("age", "sex", "mean_fd"), ())


def make_claim(**changes):
    content = {
        "id": "X",
        "family": "f",
        "text": "t",
        "outcome": "PT",
        "contrast": {"column": "group", "a": "T", "b": "C"},
        "expect": "greater",
    }
    content |= changes
    return Claim(**{key: value for key, value in content.items() if value is not None})


def make_cohort(n=24, seed=0):
    rng = np.random.default_rng(seed)
    half = n // 2
    return pd.DataFrame({
        "participant_id": [f"sub-{number:02d}" for number in range(n)],
        "session": [None] * n,
        "group": ["T"] * half + ["C"] * half,
        "sex": ["F", "M"] * half,
        "age": rng.normal(50, 8, n),
        "mean_fd": rng.uniform(0.05, 0.3, n),
        "PT": rng.normal(18, 4, n),
        "FS": rng.normal(18, 4, n),
        "A-B": rng.normal(0.3, 0.2, n),
    })  # fmt: skip


def build(claim, cohort, terms=TERMS, **options):
    return build_model(claim, make_columns(cohort), terms, **options)


def tell(dropped):
    return tuple((left.name, left.why) for left in dropped)


def test_a_score_claim_takes_everyone_with_the_score():
    cohort = make_cohort()
    cohort.loc[[0, 20], "PT"] = np.nan
    cohort.loc[5:, "A-B"] = np.nan
    design = build(make_claim(), cohort)
    assert design.model.estimator == "welch"
    assert design.n_per_group == "a=11;b=11"
    assert "sub-00" not in design.people
    np.testing.assert_array_equal(design.model.outcome, cohort["PT"].dropna())


def test_an_edge_claim_takes_people_with_the_edge_and_its_covariates():
    cohort = make_cohort()
    cohort.loc[[1, 2], "A-B"] = np.nan
    cohort.loc[[3], "age"] = np.nan
    design = build(make_claim(outcome="A-B"), cohort)
    assert design.model.estimator == "ols_hc3"
    assert design.covariates == ("age", "sex", "mean_fd")
    assert design.n == 21
    assert design.model.n_parameters == 5
    np.testing.assert_array_equal(
        design.model.nuisance[:, 2], (cohort["sex"] == "M")[cohort.index.isin(design.rows)]
    )


def test_an_edge_as_predictor_takes_the_edge_covariates():
    design = build(
        make_claim(outcome="FS", contrast=None, predictor="A-B", expect="associated"), make_cohort()
    )
    assert design.model.kind == "slope"
    assert design.covariates == ("age", "sex", "mean_fd")
    assert design.n_per_group is None


def test_an_edge_claim_without_covariates_is_still_least_squares():
    assert build(make_claim(outcome="A-B", covariates=()), make_cohort()).model.estimator == "ols_hc3"


def test_a_score_slope_is_least_squares_with_a_constant_only():
    design = build(make_claim(contrast=None, predictor="FS", expect="positive"), make_cohort())
    assert design.model.estimator == "ols_hc3"
    assert design.model.nuisance.shape[1] == 1


def test_a_claims_own_list_replaces_the_default():
    design = build(make_claim(outcome="A-B", covariates=["age"]), make_cohort())
    assert design.covariates == ("age",)


def test_nobody_is_lost_for_a_covariate_that_is_not_used():
    cohort = make_cohort()
    cohort["sex"] = "F"
    cohort.loc[:5, "sex"] = None
    design = build(make_claim(outcome="A-B"), cohort)
    assert tell(design.dropped) == (("sex", "is constant in the sample"),)
    assert design.n == 24


def test_a_default_that_is_missing_for_everyone_is_left_out():
    cohort = make_cohort()
    cohort["mean_fd"] = np.nan
    design = build(make_claim(outcome="A-B"), cohort)
    assert tell(design.dropped) == (("mean_fd", "is missing for everyone"),)
    assert design.n == 24


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({"contrast": {"column": "sex", "a": "F", "b": "M"}}, "sex", "is what the claim is about"),
        ({"sample": "sex == 'F'"}, "sex", "is constant in the sample"),
        (
            {
                "contrast": {
                    "a": {"where": "group == 'T' and sex == 'F'"},
                    "b": {"where": "group == 'C' and sex == 'M'"},
                }
            },
            "sex",
            "is what the claim is about",
        ),
    ],
)
def test_defaults_that_cannot_stand_are_dropped_and_named(changes, name, why):
    design = build(make_claim(outcome="A-B", **changes), make_cohort())
    assert tell(design.dropped) == ((name, why),)
    assert design.model is not None
    assert design.covariates == ("age", "mean_fd")


def test_a_default_aliased_with_another_is_dropped():
    cohort = make_cohort()
    cohort["months"] = cohort["age"] * 12
    terms = Terms(frozenset({"A-B"}), ("age", "months"), ())
    assert tell(build(make_claim(outcome="A-B"), cohort, terms).dropped) == (
        ("months", "is aliased with the other covariates"),
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"covariates": ["group"]}, "covariate group is what the claim is about"),
        ({"covariates": ["site"]}, "covariate site is aliased with what is tested"),
        ({"covariates": ["empty"]}, "covariate empty is missing for everyone"),
    ],
)
def test_a_listed_covariate_that_cannot_stand_makes_the_claim_not_testable(changes, reason):
    cohort = make_cohort()
    cohort["site"] = np.where(cohort["group"] == "T", "x", "y")
    cohort["empty"] = np.nan
    design = build(make_claim(outcome="A-B", **changes), cohort)
    assert design.model is None
    assert design.reason == reason


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("sites", ["x" * 12 + "y" * 12, "x" * 6 + "y" * 6 + "z" * 12])
def test_sites_that_tell_the_groups_leave_the_claim_untestable(sites, listed):
    """Unadjusted, the difference of two scanners would be taken for one of the groups."""
    cohort = make_cohort()
    cohort["site"] = list(sites)
    terms = Terms(frozenset({"A-B"}), ("age", "site"), ())
    claim = make_claim(outcome="A-B", covariates=["age", "site"] if listed else None)
    design = build(claim, cohort, terms)
    assert design.model is None
    assert design.reason == "covariate site is aliased with what is tested"


def test_the_group_is_the_contrast_under_both_of_its_names():
    cohort = make_cohort().assign(dx=lambda table: table["group"])
    terms = Terms(frozenset({"A-B"}), ("dx", "age"), (), group_column="dx")
    assert tell(build(make_claim(outcome="A-B"), cohort, terms).dropped) == (
        ("dx", "is what the claim is about"),
    )


def test_a_listed_covariate_that_changes_nothing_is_dropped_and_named():
    claim = make_claim(outcome="A-B", covariates=["sex", "age"], sample="sex == 'F'")
    design = build(claim, make_cohort())
    assert tell(design.dropped) == (("sex", "is constant in the sample"),)
    assert design.covariates == ("age",)
    assert design.model is not None


def estimate(model):
    return np.linalg.lstsq(model.design, model.outcome, rcond=None)[0][0]


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("column", ["sex", "site", "medication"])
def test_one_person_of_a_category_costs_the_person_and_not_the_claim(column, listed):
    cohort = make_cohort()
    cohort["site"], cohort["medication"] = ["x", "y"] * 12, 0.0
    cohort.loc[3, column] = 1.0 if column == "medication" else "other"
    names = ("age", column)
    terms = Terms(frozenset({"A-B"}), names, ())
    design = build(make_claim(outcome="A-B", covariates=names if listed else None), cohort, terms)
    assert "sub-03" not in design.people
    assert design.n == 23
    step = next(step for step in design.flow if step.n_excluded)
    assert step.rule == f"alone in {column} ({'1' if column == 'medication' else 'other'})"
    without = build(make_claim(outcome="A-B"), cohort.drop(index=3), terms).model
    assert estimate(design.model) == pytest.approx(estimate(without), rel=1e-12)


def test_those_who_are_alone_after_another_left_leave_too():
    cohort = make_cohort()
    cohort["site"] = ["x", "x", "y", "y"] * 6
    cohort.loc[[3, 4], "site"] = "far"
    cohort.loc[3, "sex"] = "other"
    design = build(make_claim(outcome="A-B"), cohort, Terms(frozenset({"A-B"}), ("sex", "site"), ()))
    assert [step.rule for step in design.flow[-2:]] == ["alone in sex (other)", "alone in site (far)"]
    assert design.n == 22
    assert design.model is not None


def test_a_category_of_everyones_own_is_refused():
    cohort = make_cohort()
    cohort["name"] = cohort["participant_id"] + "x"
    design = build(make_claim(outcome="A-B", covariates=["name"]), cohort)
    assert design.reason == "n = 24 is too small for 25 parameters"


def test_too_few_people_is_a_reason_and_drops_nothing():
    design = build(make_claim(outcome="A-B"), make_cohort().iloc[[0, 1, 13, 14]])
    assert design.reason == "n = 4 is too small for 5 parameters"
    assert tell(design.dropped) == ()


def test_nobody_in_the_sample():
    design = build(make_claim(sample="group == 'nobody'"), make_cohort())
    assert design.model is None
    assert design.n == 0
    assert design.n_per_group == "a=0;b=0"


def test_one_person_per_side_is_not_testable():
    assert "at least 2 people" in build(make_claim(), make_cohort().iloc[[0, 1, 2, 12]]).reason


def test_two_cells_as_sides():
    claim = make_claim(
        contrast={
            "a": {"where": "group == 'T' and sex == 'M'"},
            "b": {"where": "group == 'C' and sex == 'F'"},
        }
    )
    cohort = make_cohort()
    design = build(claim, cohort)
    sides = cohort.set_index("participant_id").loc[list(design.people), ["group", "sex"]]
    np.testing.assert_array_equal(design.model.tested, (sides["group"] == "T").astype(float))
    assert set(map(tuple, sides.to_numpy())) == {("T", "M"), ("C", "F")}


def test_overlapping_sides_are_refused():
    claim = make_claim(contrast={"a": {"where": "sex == 'M'"}, "b": {"where": "group == 'C'"}})
    assert build(claim, make_cohort()).reason == "somebody is on both sides of the contrast"


def test_a_default_missing_for_a_whole_side_is_called_so():
    cohort = make_cohort()
    cohort.loc[12:, "age"] = np.nan
    design = build(make_claim(outcome="A-B"), cohort)
    assert tell(design.dropped) == (("age", "is missing for all of C"),)
    assert design.n == 24


def test_the_flow_adds_up():
    cohort = make_cohort()
    cohort.loc[[1, 2], "A-B"] = np.nan
    cohort.loc[[3], "age"] = np.nan
    flow = build(make_claim(outcome="A-B"), cohort).flow
    assert [(step.rule, step.n, step.n_excluded) for step in flow] == [
        ("sample", 24, 0),
        ("no A-B", 22, 2),
        ("no age, sex, mean_fd", 21, 1),
    ]


def test_the_flow_of_a_slope_names_the_predictor():
    cohort = make_cohort()
    cohort.loc[[1, 2], "FS"] = np.nan
    flow = build(make_claim(contrast=None, predictor="FS", expect="positive"), cohort).flow
    assert [(step.rule, step.n) for step in flow] == [("sample", 24), ("no PT", 24), ("no FS", 22)]


@pytest.mark.parametrize("column", ["group", "diagnosis"])
@pytest.mark.parametrize("data", ["this", "Neuroscience 2022"])
def test_circularity(data, column):
    config = SimpleNamespace(
        rois=SimpleNamespace(circular=SimpleNamespace(contrast=column, data=data)),
        edges=(SimpleNamespace(name="A-B"),),
        categorical=(),
        inference=SimpleNamespace(exchange_within=None, exchange_whole=None),
        covariates=SimpleNamespace(edge=(), score=()),
        groups=SimpleNamespace(column="diagnosis", levels={"T": "1", "C": "2"}),
        scores={},
    )
    terms, cohort = read_terms(config), make_cohort().assign(diagnosis=lambda table: table["group"])
    edge, score = build(make_claim(outcome="A-B"), cohort, terms), build(make_claim(), cohort, terms)
    slope = build(make_claim(outcome="A-B", contrast=None, predictor="PT", expect="positive"), cohort, terms)
    cells = {"a": {"where": "group == 'T'"}, "b": {"where": "group == 'C'"}}
    hidden = build(make_claim(outcome="A-B", contrast=cells), cohort, terms)
    by_column = make_claim(outcome="A-B", contrast={"column": "diagnosis", "a": "T", "b": "C"})
    named = build(by_column, cohort, terms)
    other = build(make_claim(outcome="A-B", contrast={"column": "sex", "a": "F", "b": "M"}), cohort, terms)
    assert all(design.model is not None for design in (score, slope, other))
    for design in (edge, hidden, named):
        if data == "this":
            assert design.model is None
            assert design.reason.startswith(
                f"circular: the ROIs were defined by a contrast of {column} in these data"
            )
        else:
            assert design.model is not None


def test_circularity_is_of_what_differs_between_the_sides():
    """One sex against the other within a group is no contrast of groups, though the conditions name the group."""
    terms = replace(TERMS, circular_columns=("group",))
    within = {side: {"where": f"group == 'T' and sex == '{sex}'"} for side, sex in (("a", "M"), ("b", "F"))}
    assert build(make_claim(outcome="A-B", contrast=within), make_cohort(), terms).model is not None
    across = within | {"b": {"where": "group == 'C' and sex == 'F'"}}
    assert build(make_claim(outcome="A-B", contrast=across), make_cohort(), terms).reason.startswith(
        "circular"
    )


@pytest.mark.parametrize("mixed", [False, True])
def test_circularity_sees_a_copy_of_the_column(mixed):
    terms, cohort = replace(TERMS, circular_columns=("group",)), make_cohort()
    cohort["site"] = np.where(cohort["group"] == "T", "x", "y")
    if mixed:
        cohort.loc[0, "site"] = "y"
    claim = make_claim(outcome="A-B", contrast={"column": "site", "a": "x", "b": "y"})
    assert build(claim, cohort, terms).circular == (not mixed)


@pytest.mark.parametrize("predictor", ["mean score", "FS"])
def test_circularity_sees_a_rescaled_score(predictor):
    terms, cohort = replace(TERMS, circular_columns=("PT",)), make_cohort()
    cohort["mean score"] = 1 + cohort["PT"] / 7
    claim = make_claim(outcome="A-B", contrast=None, predictor=predictor, expect="positive")
    assert build(claim, cohort, terms).circular == (predictor != "FS")


@pytest.mark.parametrize("column", ["PT", "iri_pt"])
@pytest.mark.parametrize(
    ("outcome", "predictor"), [("A-B", "PT"), ("PT", "A-B"), ("A-B", "iri_pt"), ("A-B", "empathy")]
)
def test_circularity_of_a_slope(outcome, predictor, column):
    config = SimpleNamespace(
        rois=SimpleNamespace(circular=SimpleNamespace(contrast=column, data="this")),
        edges=(SimpleNamespace(name="A-B"),),
        categorical=(),
        inference=SimpleNamespace(exchange_within=None, exchange_whole=None),
        covariates=SimpleNamespace(edge=(), score=()),
        groups=None,
        scores={
            "PT": SimpleNamespace(column="iri_pt"),
            "empathy": SimpleNamespace(column="iri_pt"),
            "FS": SimpleNamespace(column=None),
        },
    )
    cohort = make_cohort().assign(iri_pt=lambda table: table["PT"], empathy=lambda table: table["PT"])
    claim = make_claim(outcome=outcome, contrast=None, predictor=predictor, expect="positive")
    design = build(claim, cohort, read_terms(config))
    assert design.reason == f"circular: the ROIs were defined by the slope of {column} in these data"
    contrast = build(make_claim(outcome="A-B"), cohort, read_terms(config))
    assert contrast.model is not None


def make_sessions():
    one, two = make_cohort(8, 1), make_cohort(8, 2)
    both = pd.concat([one.assign(session="1"), two.assign(session="2")], ignore_index=True)
    both["group"] = ["T"] * 4 + ["C"] * 4 + ["T"] * 4 + ["C"] * 4
    both["age"] = list(one["age"]) * 2
    return both


PAIRED = {"contrast": {"column": "session", "a": "2", "b": "1"}, "paired": True}


def test_paired_differences():
    cohort = make_sessions().sample(frac=1, random_state=0, ignore_index=True)
    cohort.loc[cohort["participant_id"].eq("sub-03") & cohort["session"].eq("1"), "PT"] = np.nan
    design = build(make_claim(**PAIRED), cohort)
    wide = cohort.pivot_table(index="participant_id", columns="session", values="PT", observed=True).dropna()
    np.testing.assert_allclose(design.model.outcome, wide["2"] - wide["1"])
    assert design.model.kind == "paired"
    assert design.model.nuisance.shape == (7, 0)
    assert design.model.raw_sd == pytest.approx(np.sqrt((wide["1"].var() + wide["2"].var()) / 2))
    assert design.people == tuple(wide.index)


def test_paired_covariates_enter_as_differences():
    cohort = make_sessions()
    design = build(make_claim(outcome="A-B", **PAIRED), cohort)
    assert tell(design.dropped) == (
        ("age", "is no default covariate of pairs"),
        ("sex", "is no default covariate of pairs"),
    )
    fd = cohort["mean_fd"].to_numpy()
    np.testing.assert_allclose(design.model.nuisance[:, 0], fd[8:] - fd[:8])


def make_visits(months=3.0, n=40, seed=0):
    """Two sessions some months apart: everybody changes by 2, and age is measured in both."""
    rng = np.random.default_rng(seed)
    cohort = make_cohort(n, seed)
    later = cohort.assign(session="2", age=cohort["age"] + rng.normal(months, 0.2, n) / 12)
    later["A-B"] = cohort["A-B"] + 2 + rng.normal(0, 0.5, n)
    both = pd.concat([cohort.assign(session="1"), later], ignore_index=True)
    both["mean_fd"] = rng.uniform(0.05, 0.3, 2 * n)
    return both.assign(sleep=rng.normal(7, 1, 2 * n) + (both["session"] == "2"))


@pytest.mark.parametrize("names", [("age", "sex"), ("years",), ("sleep",)])
@pytest.mark.parametrize("listed", [False, True])
def test_a_change_is_tested_where_the_covariates_changed_as_they_did(names, listed):
    """At no difference of age the test would be of no time elapsed, by extrapolation."""
    cohort = make_visits().assign(years=lambda table: table["age"])
    terms = Terms(frozenset({"A-B"}), names, ())
    design = build(make_claim(outcome="A-B", covariates=names if listed else None, **PAIRED), cohort, terms)
    mean = design.model.outcome.mean()
    assert estimate(design.model) == pytest.approx(mean, rel=1e-12)
    assert mean == pytest.approx(2, abs=0.3)


def test_a_change_is_tested_at_no_change_of_motion():
    cohort = make_visits()
    moved = (cohort["session"] == "2") * 0.4 + cohort["mean_fd"]
    cohort = cohort.assign(mean_fd=moved, **{"A-B": cohort["A-B"] + 3 * moved})
    design = build(make_claim(outcome="A-B", **PAIRED), cohort)
    assert design.covariates == ("mean_fd",)
    assert design.model.outcome.mean() == pytest.approx(3.2, abs=0.4)
    assert estimate(design.model) == pytest.approx(2, abs=0.6)


def test_a_scanner_changed_between_the_sessions_leaves_the_change_untestable():
    cohort = make_visits()
    cohort["scanner"] = np.where(cohort["session"] == "2", "new", "old")
    terms = Terms(frozenset({"A-B"}), ("scanner",), ())
    assert build(make_claim(outcome="A-B", **PAIRED), cohort, terms).reason == (
        "covariate scanner is aliased with what is tested"
    )


def test_time_that_passed_alike_for_everybody_is_no_covariate():
    cohort = make_visits()
    cohort["week"] = np.where(cohort["session"] == "2", 12.0, 0.0)
    design = build(make_claim(outcome="A-B", covariates=["week"], **PAIRED), cohort)
    assert tell(design.dropped) == (("week", "changes alike in everybody"),)
    assert design.model is not None


def test_a_person_without_a_pair_is_counted_out():
    design = build(make_claim(**PAIRED), make_sessions().iloc[1:])
    assert [(step.rule, step.n) for step in design.flow[:2]] == [("sample", 8), ("only one of the two", 7)]


def test_several_sessions_are_not_independent_people():
    design = build(make_claim(), make_sessions())
    assert design.model is None
    assert design.reason.startswith("8 people (sub-00, ...) have several sessions")
    assert build(make_claim(sample="session == '1'"), make_sessions()).n == 8


def test_a_score_repeated_over_sessions_counts_once():
    cohort = make_sessions()
    cohort["PT"] = list(cohort["PT"][:8]) * 2
    design = build(make_claim(), cohort)
    assert design.model is not None
    assert design.n == 8


def test_people_keep_their_code_across_claims():
    cohort = make_cohort()
    cohort.loc[[0], "PT"] = np.nan
    first, second = build(make_claim(), cohort), build(make_claim(outcome="FS"), cohort)
    codes = dict(zip(second.people, second.model.units, strict=True))
    assert [codes[person] for person in first.people] == first.model.units.tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": "absent"}, "no column 'absent', which claim X names"),
        ({"outcome": "sex"}, r"column 'sex' holds words \('F'\)"),
        ({"covariates": ["absent"]}, "no column 'absent', a covariate of claim X"),
        (
            {"contrast": {"column": "absent", "a": "1", "b": "2"}},
            "no column 'absent', which a contrast names",
        ),
    ],
)
def test_absent_columns(changes, message):
    with pytest.raises(TableError, match=message):
        build(make_claim(**changes), make_cohort())


def test_replaced_covariates_are_never_listed():
    claim = make_claim(outcome="A-B", covariates=["group", "age"])
    design = build(claim, make_cohort(), covariates=("group", "age"))
    assert tell(design.dropped) == (("group", "is what the claim is about"),)
    assert design.model is not None


def test_further_restriction():
    mask = np.arange(24) % 3 > 0
    assert build(make_claim(), make_cohort(), people=mask).n == 16


def test_columns():
    columns = make_columns(pd.DataFrame({"flag": [True, False], "site": [1, 2], "word": ["a", None]}))
    assert columns["flag"].tolist() == ["true", "false"]
    assert match_value(columns["site"], "1").tolist() == [True, False]
    assert match_value(columns["site"], "x").tolist() == [False, False]
    assert match_value(columns["word"], "a").tolist() == [True, False]
    assert encode(np.array(["a", "a"], dtype=object)).shape == (2, 0)


def test_codes_are_categories_where_the_config_says_so():
    """Three sites, the second high: one number cannot adjust for them."""
    cohort = make_cohort()
    cohort["code"] = [1, 2, 3] * 8
    words = cohort.assign(code=[f"s{code}" for code in cohort["code"]])
    terms = Terms(frozenset({"A-B"}), ("code",), (), categorical=frozenset({"code"}))
    coded, named = (
        build(make_claim(outcome="A-B"), table, terms).model.nuisance for table in (cohort, words)
    )
    np.testing.assert_array_equal(coded, named)
    assert build(make_claim(outcome="A-B", sample="code == 2"), cohort, terms).n == 8
