"""`inference.exchange_whole` from the cohort table to the verdict: families stay together."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rsconn.settings.claims import Claim
from rsconn.settings.sections import Sesoi
from rsconn.study.claims.designs import Terms, build_model
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.claims.samples import find_units
from rsconn.study.people.used_columns import make_columns
from rsconn.study.second_looks.sensitivity import evaluate_sensitivity


def make_cohort(n_families=20, seed=4):
    """Pairs of siblings in one group each, and two people without a family; `A-B` is missing for some."""
    rng = np.random.default_rng(seed)
    n = 2 * n_families + 2
    family = [f"f{number:02d}" for number in range(n_families) for _ in "ab"] + [None, None]
    shared = np.append(np.repeat(rng.normal(size=n_families), 2), rng.normal(size=2))
    table = pd.DataFrame({
        "participant_id": [f"sub-{number:02d}" for number in rng.permutation(n)],
        "session": [None] * n,
        "family": family,
        "group": [("T", "C")[number // 2 % 2] for number in range(n)],
        "PT": shared + 0.5 * rng.normal(size=n),
        "A-B": shared + 0.5 * rng.normal(size=n),
    })  # fmt: skip
    table.loc[[5, 9, 30], "A-B"] = np.nan
    return table


def make_claim(**changes):
    content = {
        "id": "X", "family": "f", "text": "t", "outcome": "PT",
        "contrast": {"column": "group", "a": "T", "b": "C"}, "expect": "greater",
    }  # fmt: skip
    return Claim(**(content | changes))


def make_config(claims, exchange_whole):
    return SimpleNamespace(
        rois=SimpleNamespace(circular=None),
        edges=(SimpleNamespace(name="A-B"),),
        categorical=(),
        inference=SimpleNamespace(
            alpha=0.05, n_permutations=99, seed=1, sesoi=Sesoi(),
            exchange_within=None, exchange_whole=exchange_whole,
        ),
        covariates=SimpleNamespace(edge=(), score=()),
        groups=SimpleNamespace(column="group", levels={"T": "T", "C": "C"}),
        scores={}, claims=claims,
    )  # fmt: skip


def test_people_without_a_family_are_one_alone():
    cohort = make_cohort()
    units = find_units(make_columns(cohort), Terms(frozenset(), exchange_whole="family"))
    assert len(set(units)) == 22
    assert (units[:40:2] == units[1:40:2]).all()
    assert units[40] != units[41]


def test_every_claim_knows_a_family_by_the_same_code():
    """Where a sibling is lost, the other keeps the family's sign."""
    columns, terms = make_columns(make_cohort()), Terms(frozenset({"A-B"}), exchange_whole="family")
    score = build_model(make_claim(), columns, terms)
    edge = build_model(make_claim(outcome="A-B"), columns, terms)
    by_person = dict(zip(score.people, score.model.units, strict=True))
    assert len(edge.people) == 39
    assert [by_person[person] for person in edge.people] == edge.model.units.tolist()


def test_verdicts_come_from_standard_errors_that_know_families():
    claims = (
        make_claim(),
        make_claim(id="Y", outcome="A-B", contrast=None, predictor="PT", expect="positive"),
    )
    aware = evaluate_claims(make_cohort(), make_config(claims, "family")).claims
    unaware = evaluate_claims(make_cohort(), make_config(claims, None)).claims
    assert aware["estimator"].tolist() == ["ols_cr2", "ols_cr2"]
    assert unaware["estimator"].tolist() == ["welch", "ols_hc3"]
    assert aware["estimate"].tolist() == pytest.approx(unaware["estimate"].tolist())
    assert aware["std_error"][0] > 1.2 * unaware["std_error"][0]
    assert aware["dof"][0] < 23 < unaware["dof"][0]
    assert aware["min_detectable"][0] > 1.2 * unaware["min_detectable"][0]
    assert aware["p_permutation"].between(0.01, 1).all()


def test_a_sample_without_relatives_is_tested_as_ever():
    first = make_cohort().drop_duplicates("family")
    config = make_config((make_claim(),), "family")
    assert evaluate_claims(first, config).claims["estimator"].tolist() == ["welch"]


def test_other_estimators_say_that_they_ignore_families():
    cohort, config = make_cohort(), make_config((make_claim(),), "family")
    table = evaluate_sensitivity(cohort, config, evaluate_claims(cohort, config)).set_index("analysis")
    for analysis in (
        "classical least squares",
        "Brunner-Munzel",
        "partial Spearman",
        "one-sided Bayes factor",
    ):
        assert "families ignored" in table.loc[analysis, "note"]
    cohort = cohort.drop_duplicates("family")
    table = evaluate_sensitivity(cohort, config, evaluate_claims(cohort, config)).set_index("analysis")
    assert "families ignored" not in str(table.loc["classical least squares", "note"])
