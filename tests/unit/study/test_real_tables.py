"""Published tables, exactly as they are, from file to verdict; no images are needed for claims on scores."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rsconn.settings.claims import Claim
from rsconn.settings.sections import InputSettings, ScoreSettings, Sesoi
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.people.cohort_table import build_cohort
from rsconn.study.people.participants import read_people
from rsconn.study.people.scores import score_people

SHARED = Path(__file__).parents[4] / "shared/data"

NO_EDGES = pd.DataFrame(columns=["participant_id", "session", "edge", "z"])
NO_RUNS = pd.DataFrame(columns=["participant_id", "session", "run", "n_volumes", "mean_fd"])


def make_config(table, *, groups, scores, claims, decimal=".", values=None):
    if not table.exists():
        pytest.skip("the shared real data are not beside the repository")
    return SimpleNamespace(
        input=InputSettings(participants=table, values=values or {}, decimal=decimal),
        sessions="combine",
        exclude={},
        groups=groups,
        scores={name: ScoreSettings(**settings) for name, settings in scores.items()},
        edges=(),
        categorical=(),
        covariates=SimpleNamespace(edge=("age", "sex", "mean_fd"), score=()),
        rois=SimpleNamespace(circular=None),
        claims=tuple(Claim(**({"family": "f", "text": "t"} | claim)) for claim in claims),
        questions=tuple(Claim(**({"family": "f", "text": "t"} | claim)) for claim in claims),
        edge_claims=(),
        multiverse=None,
        inference=SimpleNamespace(
            alpha=0.05,
            n_permutations=199,
            seed=1,
            sesoi=Sesoi(),
            exchange_within=None,
            exchange_whole=None,
        ),
    )


def evaluate(config):
    people = read_people(config.input, config.groups)
    cohort = build_cohort(people, score_people(people, config.scores), NO_EDGES, NO_RUNS, config)
    return cohort, evaluate_claims(cohort.table, config).claims.set_index("id")


def test_ds003823_age_groups_and_the_erq():
    column = "erq-FR_suppression_w1"
    config = make_config(
        SHARED / "phenotype/ds003823/participants_erq_fd.tsv",
        groups=SimpleNamespace(column="age_group", levels={"younger": "YA", "older": "OA"}),
        scores={
            "ES": {"instrument": "ERQ", "subscale": "ES", "column": column, "coding": "sum"},
            "CR": {"instrument": "ERQ", "subscale": "CR", "column": "erq-FR_reappraisal_w1", "coding": "sum"},
        },
        claims=[
            {"id": "age", "outcome": "ES", "expect": "greater",
             "contrast": {"column": "group", "a": "younger", "b": "older"}},
            {"id": "raw", "outcome": "ES", "expect": "different",
             "contrast": {"column": "age_group", "a": "younger", "b": "older"}},
            {"id": "slope", "outcome": "ES", "predictor": "CR", "expect": "unrelated", "covariates": ["gender"]},
            {"id": "still", "outcome": "ES", "expect": "greater", "sample": "fd_mean < 0.1",
             "contrast": {"column": "gender", "a": "M", "b": "F"}},
        ],
    )  # fmt: skip
    cohort, claims = evaluate(config)
    raw = pd.read_csv(config.input.participants, sep="\t", na_values="n/a")
    sides = [raw.loc[raw["age_group"] == code, column].dropna() for code in ("YA", "OA")]
    oracle = stats.ttest_ind(*sides, equal_var=False)
    for name in ("age", "raw"):
        assert claims.loc[name, "p"] == pytest.approx(oracle.pvalue, rel=1e-10)
        assert claims.loc[name, "n_per_group"] == "a=120;b=72"
    assert claims.loc["slope", "n"] == 192
    assert claims.loc["still", "n"] == ((raw["fd_mean"] < 0.1) & raw[column].notna()).sum()
    assert len(cohort.table) == 193
    assert cohort.table["sex"].isna().all()
    assert cohort.ledger["rule"].value_counts().to_dict() == {
        "no run found": 193,
        "scores.ES": 1,
        "scores.CR": 1,
    }
    assert cohort.flow.query("stage == 'in the tables'")["n"].sum() == 193


def test_ds000201_item_means_sleep_and_swedish():
    scores = {
        name: {"instrument": "IRI", "subscale": name, "column": column, "coding": "mean", "range": (1, 5)}
        for name, column in {"FS": "IRI_F", "PT": "IRI_PT", "EC": "IRI_EC", "PD": "IRI_PD"}.items()
    }
    config = make_config(
        SHARED / "phenotype/ds000201/participants.tsv",
        groups=SimpleNamespace(column="AgeGroup", levels={"young": "Young", "old": "Old"}),
        scores=scores,
        decimal=",",
        values={"Sex": {"Female": "F", "Male": "M"}},
        claims=[
            {"id": "EC", "outcome": "EC", "expect": "greater", "contrast": {"column": "Sex", "a": "F", "b": "M"}},
            {"id": "PD", "outcome": "PD", "expect": "greater", "covariates": ["group", "BMI1", "Sl_cond"],
             "contrast": {"column": "Sex", "a": "F", "b": "M"}},
        ],
    )  # fmt: skip
    cohort, claims = evaluate(config)
    assert len(cohort.table) == 86
    assert claims["n"].tolist() == [86, 86]
    assert claims.loc["EC", "n_per_group"] == "a=44;b=42"
    assert claims.loc["PD", "estimator"] == "ols_hc2"
    text = config.input.participants.read_text(encoding="utf-8").splitlines()
    header = text[0].split("\t")
    rows = [line.split("\t") for line in text[1:]]
    ec = np.array([float(row[header.index("IRI_EC")].replace(",", ".")) for row in rows])
    female = np.array([row[header.index("Sex")] == "Female" for row in rows])
    assert claims.loc["EC", "estimate"] == pytest.approx(7 * (ec[female].mean() - ec[~female].mean()))


def test_the_public_items_compare_women_and_men():
    scores = {
        name: {"instrument": "IRI", "subscale": name, "items": "iri_{:02d}", "coding": "items_reversed"}
        for name in ("FS", "PT", "EC", "PD")
    }
    sexes = {"column": "sex", "a": "F", "b": "M"}
    config = make_config(
        SHARED / "questionnaires/iri_items.tsv",
        groups=None,
        scores=scores,
        claims=[
            {"id": "EC", "outcome": "EC", "expect": "greater", "contrast": sexes},
            {"id": "PT", "outcome": "PT", "expect": "equivalent", "contrast": sexes},
        ],
    )
    claims = evaluate(config)[1]
    assert claims["verdict"].tolist() == ["supported", "supported"]
    # the norms that STUDY.md quotes: 20.54 - 17.66
    assert round(claims.loc["EC", "estimate"], 2) == pytest.approx(20.54 - 17.66, abs=0.011)
    assert claims["n"].tolist() == [1973, 1973]
