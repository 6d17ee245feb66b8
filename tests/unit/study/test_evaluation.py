from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import OLS

from rsconn.inference.verdict_power import compute_power
from rsconn.settings.claims import Claim
from rsconn.settings.sections import Sesoi
from rsconn.study.claims.evaluation import evaluate_claims

DESIGN_COLUMNS = [
    "id", "family", "text", "n", "n_per_group", "estimator", "estimate", "std_error", "dof",
    "ci_low", "ci_high", "ci_family_low", "ci_family_high", "effect_size", "effect_ci_low", "effect_ci_high",
    "p", "p_contradict", "p_permutation", "p_family", "p_contradict_family", "p_family_maxt",
    "bayes_factor_10", "sesoi", "sesoi_estimate", "min_detectable", "verdict", "flags", "reason",
]  # fmt: skip


def make_claim(name, **changes):
    content = {
        "id": name,
        "family": "psychometric",
        "text": f"claim {name}",
        "outcome": "PT",
        "contrast": {"column": "group", "a": "T", "b": "C"},
        "expect": "greater",
    }
    content |= changes
    return Claim(**{key: value for key, value in content.items() if value is not None})


def make_config(*claims, n_permutations=199, alpha=0.05, circular=None):
    return SimpleNamespace(
        claims=claims,
        rois=SimpleNamespace(circular=circular),
        edges=(SimpleNamespace(name="A-B"),),
        scores={},
        covariates=SimpleNamespace(edge=("age", "sex", "mean_fd"), score=()),
        groups=SimpleNamespace(column="group", levels={"T": "T", "C": "C"}),
        categorical=(),
        inference=SimpleNamespace(
            alpha=alpha,
            n_permutations=n_permutations,
            seed=1,
            sesoi=Sesoi(),
            exchange_within=None,
            exchange_whole=None,
        ),
    )


def make_cohort(n_a=52, n_b=92, seed=0, **shifts):
    """Scores with SD 1 in both groups, the first group shifted."""
    rng = np.random.default_rng(seed)
    n = n_a + n_b
    group = np.array(["T"] * n_a + ["C"] * n_b)
    cohort = pd.DataFrame({
        "participant_id": [f"sub-{number:03d}" for number in range(n)],
        "session": [None] * n,
        "group": group,
        "sex": rng.choice(["F", "M"], n),
        "age": rng.normal(50, 8, n),
        "mean_fd": rng.uniform(0.05, 0.3, n),
    })  # fmt: skip
    for name in ("PT", "FS", "EC", "A-B"):
        noise = rng.normal(size=n)
        for level in ("T", "C"):
            members = group == level
            noise[members] = (noise[members] - noise[members].mean()) / noise[members].std(ddof=1)
        cohort[name] = noise + shifts.get(name.replace("-", ""), 0.0) * (group == "T")
    return cohort


def evaluate(cohort, *claims, **options):
    return evaluate_claims(cohort, make_config(*claims, **options)).claims.set_index("id")


def test_columns_are_the_contracts_in_order():
    table = evaluate_claims(make_cohort(), make_config(make_claim("P1"))).claims
    assert list(table.columns) == DESIGN_COLUMNS


def test_a_score_contrast_is_welchs_test():
    cohort = make_cohort(PT=0.8)
    row = evaluate(cohort, make_claim("P1")).loc["P1"]
    a, b = (cohort.loc[cohort["group"] == level, "PT"] for level in ("T", "C"))
    oracle = stats.ttest_ind(a, b, equal_var=False)
    interval = oracle.confidence_interval(0.95)
    assert row["p"] == pytest.approx(oracle.pvalue, rel=1e-10)
    assert row["dof"] == pytest.approx(oracle.df, rel=1e-10)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert row["estimate"] == pytest.approx(0.8)
    assert row["sesoi_estimate"] == pytest.approx(0.5)
    assert row["n"] == 144
    assert row["n_per_group"] == "a=52;b=92"
    assert row["estimator"] == "welch"
    assert row["verdict"] == "supported"


def fit_with_hc2(outcome, design):
    """Return estimate, HC2 error and Bell-McCaffrey dof of the first column, by their definitions."""
    n = len(outcome)
    inverse = np.linalg.inv(design.T @ design)
    hat = design @ inverse @ design.T
    forming, residuals = np.eye(n) - hat, outcome - hat @ outcome
    weights = (inverse @ design.T)[0] / np.sqrt(1 - np.diag(hat))
    form = np.diag(weights) @ forming @ np.diag(weights)
    dof = np.trace(form) ** 2 / np.trace(form @ form)
    return (inverse @ design.T @ outcome)[0], np.sqrt(((weights * residuals) ** 2).sum()), dof


def test_an_edge_contrast_of_equal_sides_is_least_squares_with_hc2():
    cohort = make_cohort(18, 18, AB=1.4)
    row = evaluate(cohort, make_claim("F1", outcome="A-B", family="connectivity")).loc["F1"]
    design = np.column_stack([
        cohort["group"] == "T", np.ones(36), cohort["age"], cohort["sex"] == "M", cohort["mean_fd"]
    ]).astype(float)  # fmt: skip
    estimate, error, dof = fit_with_hc2(cohort["A-B"].to_numpy(), design)
    assert row["estimator"] == "ols_hc2"
    assert (row["estimate"], row["std_error"]) == pytest.approx((estimate, error), rel=1e-9)
    assert row["dof"] == pytest.approx(dof, rel=1e-9)
    assert row["p"] == pytest.approx(2 * stats.t.sf(estimate / error, dof), rel=1e-7)


def test_pairs_are_the_paired_t():
    first = make_cohort(6, 6, AB=0.5).assign(session="1")
    second = first.assign(
        session="2", **{"A-B": first["A-B"] + np.random.default_rng(2).normal(0.1, 0.2, 12)}
    )
    pair = {"column": "session", "a": "2", "b": "1"}
    claim = make_claim("C1", outcome="A-B", paired=True, contrast=pair, covariates=())
    row = evaluate(pd.concat([first, second], ignore_index=True), claim).loc["C1"]
    oracle = stats.ttest_rel(second["A-B"], first["A-B"])
    assert row["estimator"] == "ols_hc2"
    assert row["dof"] == pytest.approx(11, rel=1e-12)
    assert row["p"] == pytest.approx(oracle.pvalue, rel=1e-9)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(oracle.confidence_interval(0.95)), rel=1e-9)


def test_an_edge_contrast_of_unequal_sides_is_least_squares_with_hc3():
    cohort = make_cohort(20, 16, AB=1.4)
    row = evaluate(cohort, make_claim("F1", outcome="A-B", family="connectivity")).loc["F1"]
    design = np.column_stack([
        cohort["group"] == "T", np.ones(36), cohort["age"], cohort["sex"] == "M", cohort["mean_fd"]
    ]).astype(float)  # fmt: skip
    fit = OLS(cohort["A-B"].to_numpy(), design).fit(cov_type="HC3", use_t=True)
    assert row["estimate"] == pytest.approx(fit.params[0], rel=1e-9)
    assert row["std_error"] == pytest.approx(fit.bse[0], rel=1e-9)
    assert row["p"] == pytest.approx(fit.pvalues[0], rel=1e-7)
    assert row["dof"] == 31


def test_holm_counts_the_testable_claims_of_the_family_only():
    cohort = make_cohort(PT=0.5, FS=0.4)
    cohort["constant"] = 3.0
    table = evaluate(
        cohort,
        make_claim("P1"),
        make_claim("P2", outcome="FS"),
        make_claim("P3", outcome="constant"),
        make_claim("Q1", outcome="EC", family="other"),
        make_claim("X1", outcome="EC", exploratory=True),
    )
    assert table.loc["P3", "verdict"] == "not testable"
    assert table.loc["P3", "reason"] == "the outcome is constant"
    assert np.isnan(table.loc["P3", "p_family"])
    first, second = sorted([table.loc["P1", "p"], table.loc["P2", "p"]])
    assert sorted([table.loc["P1", "p_family"], table.loc["P2", "p_family"]]) == pytest.approx(
        [2 * first, max(2 * first, second)]
    )
    for alone in ("Q1", "X1"):
        assert table.loc[alone, "p_family"] == table.loc[alone, "p"]
    assert table.loc["X1", "flags"].split(";")[-1] == "exploratory"


def test_family_interval_counts_testable_claims_only():
    cohort = make_cohort(PT=0.5)
    cohort["constant"] = 3.0
    row = evaluate(cohort, make_claim("P1"), make_claim("P2", outcome="constant")).loc["P1"]
    assert row["ci_family_high"] == row["ci_high"]


def test_family_interval_is_bonferroni():
    row = evaluate(make_cohort(PT=0.5), make_claim("P1"), make_claim("P2", outcome="FS")).loc["P1"]
    half = stats.t.ppf(1 - 0.05 / 2 / 2, row["dof"]) * row["std_error"]
    assert row["ci_family_high"] == pytest.approx(row["estimate"] + half)
    assert row["ci_high"] < row["ci_family_high"]


@pytest.mark.parametrize(
    ("shift", "expect", "verdict", "flag"),
    [
        (0.9, "greater", "supported", None),
        (-0.9, "greater", "contradicted", None),
        (-0.2, "greater", "negligible", None),
        (0.3, "greater", "inconclusive", None),
        (-0.9, "less", "supported", None),
        (0.9, "different", "supported", None),
        (0.0, "different", "negligible", None),
        (0.3, "different", "inconclusive", None),
        (0.0, "equivalent", "supported", None),
        (1.2, "equivalent", "contradicted", None),
        (0.4, "equivalent", "inconclusive", None),
    ],
)
def test_verdicts_on_contrasts_of_known_size(shift, expect, verdict, flag):
    row = evaluate(make_cohort(PT=shift), make_claim("P1", expect=expect)).loc["P1"]
    assert row["verdict"] == verdict
    if flag:
        assert flag in row["flags"].split(";")


def test_a_large_sample_finds_an_effect_smaller_than_the_sesoi_negligible():
    row = evaluate(make_cohort(2000, 2000, PT=0.2), make_claim("P1"), n_permutations=0).loc["P1"]
    assert row["verdict"] == "negligible"
    assert row["flags"] == "in the claimed direction;default sesoi"


def test_a_smallest_effect_that_somebody_set_is_no_default():
    cohort, claim = make_cohort(200, 200, PT=0.0), make_claim("P1", expect="equivalent")
    found = [
        evaluate(cohort, claim.model_copy(update={"sesoi": own})).loc["P1", "flags"] for own in (None, 0.5)
    ]
    assert ["default sesoi" in (flags or "") for flags in found] == [True, False]


def test_a_bound_in_the_outcomes_units_stays_where_it_is():
    cohort, claim = make_cohort(PT=0.8), make_claim("P1", expect="equivalent", sesoi={"raw": 2})
    row = evaluate(cohort, claim).loc["P1"]
    assert row["sesoi_estimate"] == 2
    a, b = (cohort.loc[cohort["group"] == level, "PT"] for level in ("T", "C"))
    assert row["sesoi"] == pytest.approx(2 / np.sqrt((a.var() + b.var()) / 2))
    cohort.loc[0, "PT"] = 200.0
    claim = claim.model_copy(update={"expect": "greater"})
    assert evaluate(cohort, claim).loc["P1", "sesoi_estimate"] == 2


@pytest.mark.parametrize("n_small", [2, 3, 4])
def test_fewer_than_five_people_on_a_side_are_not_tested(n_small):
    row = evaluate(make_cohort(n_small, 30, PT=2.0), make_claim("P1")).loc["P1"]
    assert row["verdict"] == "not testable"
    assert row["reason"] == f"a side has fewer than 5 people (a={n_small};b=30)"


def test_a_constant_side_is_not_tested_and_flagged():
    cohort = make_cohort(30, 30, PT=0.5)
    cohort.loc[cohort["group"] == "T", "PT"] = 22.0
    row = evaluate(cohort, make_claim("P1")).loc["P1"]
    assert (row["verdict"], row["flags"]) == ("not testable", "constant group")
    assert row["reason"] == "all 30 people of side a have the same outcome, 22"


@pytest.mark.parametrize(
    ("slope", "expect", "verdict"),
    [
        (-0.6, "negative", "supported"),
        (0.6, "negative", "contradicted"),
        (0.0, "unrelated", "supported"),
        (0.0, "associated", "negligible"),
        (0.6, "associated", "supported"),
        (0.6, "unrelated", "contradicted"),
    ],
)
def test_verdicts_on_slopes(slope, expect, verdict):
    cohort = make_cohort(60, 60)
    x, y = cohort["FS"].to_numpy(), cohort["PT"].to_numpy()
    y = y - x * (x @ y) / (x @ x)
    cohort["PT"] = y / y.std() + slope * x
    row = evaluate(cohort, make_claim("B", contrast=None, predictor="FS", expect=expect)).loc["B"]
    assert row["verdict"] == verdict
    assert row["n_per_group"] is None
    assert row["sesoi"] == 0.3


def test_an_equivalence_claim_without_power_is_not_tested():
    row = evaluate(make_cohort(18, 18), make_claim("P3", expect="equivalent")).loc["P3"]
    assert row["verdict"] == "not testable"
    assert row["reason"].startswith("the equivalence test has 1.6% power with n = 36; 70 + 70 people needed ")
    assert np.isnan(row["estimate"])
    assert (row["n"], row["n_per_group"]) == (36, "a=18;b=18")


def test_no_covariate_makes_an_equivalence_claim_testable_or_not():
    """From n alone: an age that goes with the group costs power, and the claim is tested all the same."""
    cohort = make_cohort(26, 26)
    claim = make_claim("X", expect="equivalent", covariates=["age"])
    apart = cohort.assign(age=cohort["age"] + 40 * (cohort["group"] == "T"))
    found = evaluate_claims(apart, make_config(claim)).tests[0].finding
    assert compute_power(found.plan, 0.5, alpha=0.05, rule="equivalence") < 0.01
    few = evaluate(make_cohort(18, 18), claim).loc["X", "reason"]
    assert few == evaluate(apart.groupby("group").head(18), claim).loc["X", "reason"]


def test_an_inconclusive_claim_says_which_n_could_decide():
    cohort = make_cohort(18, 18, PT=0.3)
    row = evaluate(cohort, make_claim("P1"), make_claim("P2", outcome="FS", expect="less")).loc["P1"]
    assert row["verdict"] == "inconclusive"
    assert row["reason"] == "78 + 78 people needed for 80% power at g 0.5 (a default)"
    assert "underpowered" in row["flags"]
    assert row["min_detectable"] > 0.96
    other = make_cohort(18, 18, seed=5, PT=0.35)
    again = evaluate(other, make_claim("P1"), make_claim("P2", outcome="FS", expect="less")).loc["P1"]
    assert again["reason"] == row["reason"]


def test_a_claims_own_alpha_and_sesoi():
    cohort = make_cohort(PT=0.4)
    strict = evaluate(cohort, make_claim("P1", alpha=0.001, sesoi=0.2)).loc["P1"]
    assert strict["verdict"] == "inconclusive"
    assert strict["sesoi_estimate"] == pytest.approx(0.2)
    assert evaluate(cohort, make_claim("P1")).loc["P1", "verdict"] == "supported"


def test_dropped_covariates_are_named():
    cohort = make_cohort(18, 18, AB=1.4)
    claim = make_claim("F1", outcome="A-B", sample="sex == 'F'")
    row = evaluate(cohort, claim).loc["F1"]
    assert row["reason"] == "covariate sex left out: it is constant in the sample"


def test_a_circular_claim_is_not_testable_and_the_others_are():
    circular = SimpleNamespace(contrast="group", data="this")
    table = evaluate(
        make_cohort(18, 18, AB=1.4), make_claim("F1", outcome="A-B"), make_claim("P1"), circular=circular
    )
    assert table.loc["F1", "verdict"] == "not testable"
    assert table.loc["F1", "reason"].startswith("circular: ")
    assert table.loc["P1", "verdict"] != "not testable"
    assert table.loc["P1", "p_family"] == table.loc["P1", "p"]


def test_permutation_and_maxt_are_for_claims_of_a_difference():
    cohort = make_cohort(PT=0.5)
    table = evaluate(
        cohort, make_claim("P1"), make_claim("P2", outcome="FS"), make_claim("P3", expect="equivalent")
    )
    assert (table.loc[["P1", "P2"], ["p_permutation", "p_family_maxt"]].to_numpy() >= 1 / 200).all()
    assert table.loc["P3", ["p_permutation", "p_family_maxt"]].isna().all()
    assert evaluate(cohort, make_claim("P1"), n_permutations=0)["p_permutation"].isna().all()


def test_full_enumeration_is_flagged_exact():
    row = evaluate(make_cohort(5, 5, PT=3.0), make_claim("P1"), n_permutations=999).loc["P1"]
    assert "exact permutation" in row["flags"].split(";")


def test_same_input_same_result_whatever_the_order_of_rows():
    cohort = make_cohort(18, 18, AB=1.0)
    claims = [
        make_claim("F1", outcome="A-B"),
        make_claim("B1", contrast=None, predictor="A-B", expect="negative"),
    ]
    first, again = (evaluate_claims(cohort, make_config(*claims)).claims for _ in range(2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    shuffled = evaluate_claims(cohort.sample(frac=1, random_state=1), make_config(*claims)).claims
    pd.testing.assert_frame_equal(first, shuffled, check_exact=True)


def test_flow_adds_up_for_every_claim():
    cohort = make_cohort()
    cohort.loc[cohort.index[30:], "A-B"] = np.nan
    cohort.loc[cohort.index[3], "age"] = np.nan
    evaluation = evaluate_claims(
        cohort, make_config(make_claim("P1"), make_claim("F1", outcome="A-B", sample="group == 'T'"))
    )
    for claim, steps in evaluation.flow.groupby("claim"):
        n = steps["n"].to_numpy()
        np.testing.assert_array_equal(n[:-1] - n[1:], steps["n_excluded"].to_numpy()[1:])
        assert n[-1] == evaluation.claims.set_index("id").loc[claim, "n"]


def test_false_support_of_directional_claims_stays_below_half_of_alpha():
    rng = np.random.default_rng(7)
    supported = 0
    n_cohorts = 400
    for _ in range(n_cohorts):
        cohort = make_cohort(18, 18)
        cohort[["PT", "FS", "A-B"]] = rng.normal(size=(36, 3))
        claims = [make_claim("P1"), make_claim("F1", outcome="A-B")]
        table = evaluate_claims(cohort, make_config(*claims, n_permutations=0), describe=False).claims
        supported += int((table["verdict"] == "supported").any())
    # both claims share a family: at most 2.5 %, less three Monte Carlo errors of room
    assert supported / n_cohorts < 0.025 + 3 * np.sqrt(0.025 * 0.975 / n_cohorts)
