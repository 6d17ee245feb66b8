from __future__ import annotations

import numpy as np
import pytest

from rsconn.simulate.claims_truth import describe_claims
from rsconn.simulate.planned_cohorts import simulate_cohort
from rsconn.simulate.simulated_people import AGES, simulate_people
from rsconn.simulate.simulated_study import Trouble, describe_truth, draw_study, make_participants
from rsconn.simulate.truth import plan_study


@pytest.fixture(scope="module")
def study():
    return draw_study(seed=3)


@pytest.fixture(scope="module")
def crowd():
    return simulate_people(
        plan_study(), n_scored=(20_000, 20_000), n_scanned=(18, 18), rng=np.random.default_rng(0)
    )


def test_the_sample_is_that_of_the_study(study):
    people = study.people
    for group, n_scored in (("therapist", 52), ("control", 92)):
        member = people.group == group
        assert member.sum() == n_scored
        assert (people.sex[member] == "F").sum() == n_scored // 2
        assert (member & people.scanned).sum() == 18
        assert (people.sex[member & people.scanned] == "F").sum() == 9
    assert len(set(people.participant_id)) == 144


def test_ids_do_not_tell_groups_apart(study):
    first = study.people.group[:72]
    assert 10 < (first == "therapist").sum() < 42


@pytest.mark.parametrize("group", AGES)
def test_ages_follow_the_published_distribution(crowd, group):
    mean, sd, youngest, oldest = AGES[group]
    ages = crowd.age[crowd.group == group]
    assert ages.mean() == pytest.approx(mean, abs=0.2)
    assert ages.std() == pytest.approx(sd, abs=0.2)
    assert (ages.min(), ages.max()) == (youngest, oldest)


@pytest.mark.parametrize(
    ("edge", "score", "planted"),
    [
        ("LAI-dmPFC", "FS", -0.70),
        ("LAI-dmPFC", "PT", -0.66),
        ("rACC-oPFC", "PT", -0.66),
        ("rACC-oPFC", "ES", -0.25),
        ("rACC-oPFC", "CR", 0.0),
    ],
)
def test_scores_correlate_with_true_edges_within_groups(crowd, edge, score, planted):
    for group in ("therapist", "control"):
        member = (crowd.group == group) & (crowd.sex == "F")
        r = np.corrcoef(crowd.edges[edge][member], crowd.sums[score][member])[0, 1]
        assert r == pytest.approx(planted, abs=0.035)


def test_the_null_study_plants_nothing():
    plan = plan_study(0.0)
    assert all(edge.difference == 0 for edge in plan.edges)
    people = simulate_people(plan, n_scored=(20_000, 20_000), n_scanned=(2, 2), rng=np.random.default_rng(1))
    therapist, woman = people.group == "therapist", people.sex == "F"
    outcomes = {**people.sums, **people.edges}
    predictors = {"therapist": therapist, "woman": woman, **people.edges}
    for name, values in outcomes.items():
        for other, predictor in predictors.items():
            if name != other:
                assert abs(np.corrcoef(values, predictor)[0, 1]) < 0.03, (name, other)


def test_equal_seeds_draw_equal_studies():
    first, second = make_participants(draw_study(seed=5)), make_participants(draw_study(seed=5))
    assert first == second
    assert make_participants(draw_study(seed=6)) != first


def test_participants_hold_raw_answers_that_score_to_the_planted_sums(study):
    table = make_participants(study)
    assert list(table)[:4] == ["participant_id", "group", "sex", "age"]
    assert list(table)[4:] == [f"iri_{i:02d}" for i in range(1, 29)] + [f"erq_{i:02d}" for i in range(1, 11)]
    items = np.array([table[f"iri_{i:02d}"] for i in (3, 8, 11, 15, 21, 25, 28)], dtype=float)
    items[[0, 3]] = 4 - items[[0, 3]]
    complete = ~np.isnan(items).any(axis=0)
    np.testing.assert_array_equal(items.sum(axis=0)[complete], study.people.sums["PT"][complete])


def test_each_problem_leaves_its_trace(study):
    table = make_participants(study)
    rows = {name: row for row, name in enumerate(table["participant_id"])}
    kinds = {problem.kind for problem in study.problems.values()}
    assert kinds == {
        "motion",
        "short run",
        "drop-out",
        "missing answer",
        "missing questionnaire",
        "missing age",
    }
    missing = {name: [column for column in table if table[column][row] is None] for name, row in rows.items()}
    for name, problem in study.problems.items():
        if problem.kind == Trouble.QUESTIONNAIRE:
            assert missing[name] == [f"iri_{i:02d}" for i in range(1, 29)]
        elif problem.kind.startswith("missing"):
            assert missing[name] == list(problem.items)
        else:
            assert missing[name] == []
            assert name in study.runs
    assert sum(bool(columns) for columns in missing.values()) == 5


def test_no_group_loses_a_tenth_of_its_images(study):
    lost = [name for name, problem in study.problems.items() if problem.loses == "every edge"]
    groups = [study.people.group[study.people.participant_id.index(name)] for name in lost]
    assert sorted(groups) == ["control", "therapist"]


def test_truth_says_what_each_claim_is():
    claims = describe_claims(plan_study(), (52, 92))
    assert len(claims) == 24
    for name in ("P1", "P2", "P5"):
        assert abs(claims[name]["effect"]) == pytest.approx(0.8, abs=0.001)
        assert claims[name]["expected"] == "supported"
    assert claims["F1"]["effect"] == pytest.approx(1.4, abs=0.03)
    assert claims["F2"]["effect"] == pytest.approx(-1.4, abs=0.03)
    assert claims["P4"]["truth"] == "contradicted"
    assert [name for name, claim in claims.items() if claim["truth"] == "contradicted"] == ["P4"]
    assert claims["P3"]["effect"] == claims["P6"]["effect"] == 0
    assert all(claims[name]["effect"] == 0 for name in ("S1a", "S1b", "S1c", "S1d"))
    for name in ("S2", "S3", "S4", "S5"):
        assert abs(claims[name]["effect"]) > 0.4


def test_truth_of_the_null_study():
    truth = describe_truth(draw_study(seed=1, effect=0.0))
    assert truth["null"] is True
    for claim in truth["claims"].values():
        assert claim["effect"] == 0
        assert claim["expected"] == "open"
        equivalence = claim["expect"] == "equivalent"
        assert claim["truth"] == ("supported" if equivalence else "negligible")


def test_cohort_has_the_contract_columns_and_gaps(study):
    table = simulate_cohort(study, rng=np.random.default_rng(0))
    assert list(table)[:5] == ["participant_id", "session", "group", "sex", "age"]
    assert {"FS", "PT", "EC", "PD", "ES", "CR", "mean_fd", "LAI-dmPFC", "rACC-oPFC", "included"} <= set(table)
    assert len(table) == 144
    assert table["included"].sum() == 34
    assert table["LAI-dmPFC"].notna().sum() == 34
    assert table["rACC-oPFC"].notna().sum() == 33
    assert table["mean_fd"].notna().sum() == 36
    assert table["PT"].isna().sum() == 2


def test_cohorts_show_the_planted_difference_of_edges():
    differences = []
    for seed in range(60):
        drawn = draw_study(seed=seed, problems=False)
        table = simulate_cohort(drawn, rng=np.random.default_rng([seed, 1]))
        groups = table.groupby("group")["LAI-dmPFC"]
        mean, sd = groups.mean(), groups.std()
        differences.append((mean["therapist"] - mean["control"]) / np.sqrt((sd**2).mean()))
    assert np.mean(differences) == pytest.approx(1.42, abs=0.15)
