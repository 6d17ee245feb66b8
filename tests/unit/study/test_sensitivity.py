import math
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats
from statsmodels.formula.api import ols

from rsconn.inference.estimators import compute_p
from rsconn.settings.claims import Claim
from rsconn.settings.sections import Sesoi
from rsconn.study.claims.bounds import describe_original_bounds, find_bound
from rsconn.study.claims.claim_table import FamilyResult, judge
from rsconn.study.claims.designs import Terms, build_model
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.claims.verdicts import run_claim_test
from rsconn.study.people.used_columns import make_columns
from rsconn.study.second_looks.fragility import DesignSource, find_fragility
from rsconn.study.second_looks.motion_checks import check_exclusion, check_motion
from rsconn.study.second_looks.sensitivity import SENSITIVITY_COLUMNS, evaluate_sensitivity
from rsconn.study.second_looks.slopes import compare_slopes, describe_signs

TERMS = Terms(frozenset({"A-B"}), ("age", "sex", "mean_fd"), (), group_levels=("T", "C"))
SLOPE = {"outcome": "FS", "predictor": "A-B", "expect": "associated", "covariates": ["group", "age"]}
CONTRAST = {"outcome": "A-B", "contrast": {"column": "group", "a": "T", "b": "C"}, "expect": "greater"}


def make_claim(name="X", **content):
    return Claim(id=name, family="f", text="t", **content)


def make_config(*claims):
    return SimpleNamespace(
        claims=claims,
        rois=SimpleNamespace(circular=None),
        edges=(SimpleNamespace(name="A-B"),),
        categorical=(),
        covariates=SimpleNamespace(edge=("age", "sex", "mean_fd"), score=()),
        groups=SimpleNamespace(column="group", levels={"T": "T", "C": "C"}),
        inference=SimpleNamespace(
            alpha=0.05,
            n_permutations=0,
            seed=1,
            sesoi=Sesoi(),
            exchange_within=None,
            exchange_whole=None,
        ),
    )


def make_cohort(n=40, seed=0):
    rng = np.random.default_rng(seed)
    half = n // 2
    return pd.DataFrame({
        "participant_id": [f"sub-{number:02d}" for number in range(n)],
        "session": [None] * n,
        "group": ["T"] * half + ["C"] * half,
        "sex": rng.permutation(["F", "M"] * half),
        "age": rng.normal(50, 8, n),
        "mean_fd": rng.uniform(0.05, 0.3, n),
        "FS": rng.normal(18, 4, n),
        "A-B": rng.normal(0.3, 0.2, n),
    })  # fmt: skip


def make_simpson():
    """Within each group FS falls as the edge rises; over both it rises."""
    cohort = make_cohort()
    in_t = cohort["group"].eq("T").to_numpy(dtype=float)
    cohort["A-B"] = cohort["A-B"] + in_t
    cohort["FS"] = 18 + 12 * in_t - 5 * (cohort["A-B"] - in_t) + 0.3 * (cohort["FS"] - 18)
    return cohort


def compare(cohort, **changes):
    claim, columns = make_claim(**(SLOPE | changes)), make_columns(cohort)
    return compare_slopes(claim, build_model(claim, columns, TERMS), columns, TERMS)


def evaluate(cohort, *claims):
    config = make_config(*claims)
    evaluation = evaluate_claims(cohort, config)
    return evaluation, evaluate_sensitivity(cohort, config, evaluation).set_index(["claim", "analysis"])


def test_slopes_are_those_of_the_formulas():
    cohort = make_cohort()
    found = {slope.name: slope.estimate for slope in compare(cohort).slopes + compare(cohort).interactions}
    renamed = cohort.rename(columns={"A-B": "edge"})
    fits = {
        "slope within groups": ols("FS ~ edge + age + C(group)", renamed),
        "slope without group": ols("FS ~ edge + age", renamed),
        "slope in T": ols("FS ~ edge + age", renamed[renamed["group"] == "T"]),
        "slope in C": ols("FS ~ edge + age", renamed[renamed["group"] == "C"]),
    }
    for name, model in fits.items():
        fit = model.fit(cov_type="HC3", use_t=True)
        assert found[name].estimate == pytest.approx(fit.params["edge"], rel=1e-9)
        assert found[name].std_error == pytest.approx(fit.bse["edge"], rel=1e-9)
    fit = ols("FS ~ edge * C(group, Treatment('C')) + age", renamed).fit(cov_type="HC3", use_t=True)
    term = "edge:C(group, Treatment('C'))[T.T]"
    interaction = found["slope in T minus C"]
    assert interaction.estimate == pytest.approx(fit.params[term], rel=1e-8)
    assert interaction.std_error == pytest.approx(fit.bse[term], rel=1e-8)
    assert len(found) == 5


def test_simpson_is_seen_and_flagged():
    cohort = make_simpson()
    slopes = {slope.name: slope.estimate.estimate for slope in compare(cohort).slopes}
    assert slopes["slope without group"] > 0 > slopes["slope within groups"]
    assert compare(cohort).signs_differ
    evaluation, rows = evaluate(cohort, make_claim("B3", **SLOPE))
    assert "slopes differ in sign" in evaluation.claims["flags"].iloc[0].split(";")
    assert rows.loc[("B3", "slope in T"), "note"].startswith(
        "signs differ, intervals too (Simpson's paradox)"
    )


def test_groups_that_cross_are_no_paradox():
    """A slope of each sign: the one over everybody lies between them and contradicts neither."""
    cohort = make_cohort()
    steep = 20 * np.where(cohort["group"] == "T", 1.0, -0.5)
    cohort["FS"] = 18 + steep * (cohort["A-B"] - cohort["A-B"].mean()) + 0.1 * (cohort["FS"] - 18)
    _, rows = evaluate(cohort, make_claim("B3", **SLOPE))
    assert rows.loc[("B3", "slope in T"), "note"].startswith(
        "the groups' slopes differ in sign, intervals too"
    )


def test_signs_that_differ_by_noise_are_not_flagged():
    evaluation, rows = evaluate(make_cohort(seed=1), make_claim("B3", **SLOPE))
    assert "slopes differ in sign" not in evaluation.claims["flags"].iloc[0].split(";")
    assert rows.loc[("B3", "slope in T"), "note"] == "signs differ by no more than noise would give"


def test_groups_that_only_the_interaction_tells_apart_are_flagged():
    cohort = make_cohort(seed=8)
    steep = 10 * np.where(cohort["group"] == "T", 1.0, -0.6)
    cohort["FS"] = 18 + steep * (cohort["A-B"] - cohort["A-B"].mean()) + 0.9 * (cohort["FS"] - 18)
    comparison = compare(cohort)
    assert compute_p(comparison.interactions[0].estimate) < 0.05
    assert describe_signs(comparison).startswith("the groups' slopes differ in sign, by the interaction")


@pytest.mark.slow
@pytest.mark.parametrize(("slope", "n_most"), [(0.0, 24), (6.0, 14)])
def test_without_an_interaction_slopes_seldom_differ_in_sign(slope, n_most):
    """250 studies: at most alpha, give or take 3 standard errors; fewer where both groups share a slope (r .3)."""
    count = 0
    for seed in range(250):
        cohort = make_cohort(seed=seed)
        cohort["FS"] = cohort["FS"] + slope * cohort["A-B"]
        count += compare(cohort).signs_differ
    assert count <= n_most


def test_slopes_that_agree_are_not_flagged():
    cohort = make_cohort()
    cohort["FS"] = 18 - 20 * cohort["A-B"] + 0.1 * (cohort["FS"] - 18)
    assert not compare(cohort).signs_differ
    assert evaluate(cohort, make_claim("B3", **SLOPE))[0].claims["flags"].isna().all()


@pytest.mark.parametrize("sample", ["group == 'T'"])
def test_one_group_has_nothing_to_compare(sample):
    assert compare(make_cohort(), sample=sample, covariates=["age"]) is None


def test_contrasts_have_no_slopes():
    columns, claim = make_columns(make_cohort()), make_claim(**CONTRAST)
    assert compare_slopes(claim, build_model(claim, columns, TERMS), columns, TERMS) is None


def test_a_group_too_small_for_its_own_slope_says_so():
    cohort = make_cohort().iloc[17:]  # three people of T
    slope = next(slope for slope in compare(cohort).slopes if slope.name == "slope in T")
    assert slope.estimate is None
    assert slope.reason == "n = 3 is too small for 3 parameters"


def test_motion_of_a_contrast():
    cohort = make_cohort()
    cohort.loc[cohort["group"] == "T", "mean_fd"] += 0.3
    columns, claim = make_columns(cohort), make_claim(**CONTRAST)
    motion = check_motion(claim, build_model(claim, columns, TERMS), columns, TERMS)
    r = stats.pearsonr(cohort["A-B"], cohort["mean_fd"]).statistic
    oracle = stats.ttest_ind(
        *(cohort.loc[cohort["group"] == level, "mean_fd"] for level in "TC"), equal_var=False
    )
    assert motion.is_threat
    assert motion.other.statistic == pytest.approx(oracle.statistic)
    evaluation, rows = evaluate(cohort, claim)
    assert "motion" in evaluation.claims["flags"].iloc[0].split(";")
    assert rows.loc[("X", "edge and mean_fd"), "effect_size"] == pytest.approx(r)
    assert rows.loc[("X", "mean_fd and sides"), "p"] == pytest.approx(oracle.pvalue)


@pytest.mark.parametrize("turned", [False, True])
def test_motion_of_a_slope_looks_at_the_score(turned):
    cohort = make_cohort()
    cohort["FS"] = cohort["FS"] + 100 * cohort["mean_fd"]
    sides = {"outcome": "A-B", "predictor": "FS"} if turned else {}
    columns, claim = make_columns(cohort), make_claim(**(SLOPE | sides))
    motion = check_motion(claim, build_model(claim, columns, TERMS), columns, TERMS)
    assert motion.is_threat
    np.testing.assert_array_equal(motion.edge_model.outcome, cohort["A-B"])
    np.testing.assert_array_equal(motion.edge_model.tested, cohort["mean_fd"])
    assert ("X", "mean_fd and FS") in evaluate(cohort, claim)[1].index


def test_motion_is_not_asked_of_scores_nor_without_motion():
    cohort = make_cohort()
    columns, claim = make_columns(cohort), make_claim(**(CONTRAST | {"outcome": "FS"}))
    assert check_motion(claim, build_model(claim, columns, TERMS), columns, TERMS) is None
    cohort["mean_fd"] = np.nan
    columns, claim = make_columns(cohort), make_claim(**CONTRAST)
    assert check_motion(claim, build_model(claim, columns, TERMS), columns, TERMS) is None


def test_exclusion_across_the_sides():
    cohort = make_cohort()
    cohort.loc[[0, 1, 2, 3, 4, 5, 20], "A-B"] = np.nan
    cohort.loc[[19, 39], ["A-B", "mean_fd"]] = np.nan  # never scanned
    found = check_exclusion(make_claim(**CONTRAST), make_columns(cohort), TERMS)
    assert (found.n, found.n_lost) == (38, 7)
    assert found.difference == pytest.approx(6 / 19 - 1 / 19)
    assert found.p == pytest.approx(stats.fisher_exact([[6, 13], [1, 18]]).pvalue)
    assert found.note == "left out: 6 of 19 (a), 1 of 19 (b)"


def test_exclusion_along_a_score():
    cohort = make_cohort()
    lost = cohort["FS"].rank() > 36
    cohort.loc[lost, "A-B"] = np.nan
    found = check_exclusion(make_claim(**SLOPE), make_columns(cohort), TERMS)
    oracle = stats.ttest_ind(cohort.loc[lost, "FS"], cohort.loc[~lost, "FS"], equal_var=False)
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.difference > 0
    cohort["A-B"] = make_cohort()["A-B"]
    nobody = check_exclusion(make_claim(**SLOPE), make_columns(cohort), TERMS)
    assert nobody.n_lost == 0
    assert np.isnan(nobody.p)


def refit_without_each(cohort, claims):
    """Verdicts and estimates of every claim without each person, through everything."""
    config = make_config(*claims)
    for person in sorted(set(cohort["participant_id"])):
        rest = cohort[cohort["participant_id"] != person]
        yield person, evaluate_claims(rest, config, describe=False).claims.set_index("id")


def make_mixed():
    """A family of every rule: some verdicts hang on one person, one of whom is the second of a category."""
    cohort = make_cohort(seed=3)
    cohort.loc[cohort["group"] == "T", "A-B"] += 0.25
    cohort["FS"] = cohort["FS"] - 9 * cohort["A-B"]
    cohort["site"] = ["a"] * 19 + ["b"] * 19 + ["c"] * 2
    return cohort


MIXED = [
    make_claim("F1", **CONTRAST),
    make_claim("F2", **(CONTRAST | {"outcome": "FS"}), sesoi=0.8),
    make_claim("F3", **(CONTRAST | {"outcome": "FS", "expect": "equivalent"}), sesoi=1.4),
    make_claim("B1", **(SLOPE | {"expect": "negative"})),
    make_claim("B2", **(SLOPE | {"expect": "associated", "covariates": ["site", "age"]}), sesoi=0.5),
]


def test_fragility_is_what_leaving_each_person_out_gives():
    cohort = make_mixed()
    evaluation, rows = evaluate(cohort, *MIXED)
    before = evaluation.claims.set_index("id")["verdict"]
    again = dict(refit_without_each(cohort, MIXED))
    fragile = []
    for name, fragility in evaluation.fragility.items():
        changed = [
            (person, table.loc[name, "verdict"])
            for person, table in again.items()
            if table.loc[name, "verdict"] != before[name]
        ]
        assert list(fragility.changed) == changed
        estimates = [table.loc[name, "estimate"] for table in again.values()]
        assert (fragility.lowest, fragility.highest) == pytest.approx((min(estimates), max(estimates)))
        fragile += [name] * bool(changed)
    assert 0 < len(fragile) < len(MIXED) == len(evaluation.fragility)  # the seed lets the test see both
    assert "the verdict would be another without" in rows.loc[(fragile[0], "leave one out"), "note"]


@pytest.mark.parametrize("typo", [180.0, 2000.0])
def test_a_typo_that_carries_an_equivalence_is_named(typo):
    """The bound in units of the sample's SD grows with the outlier: 0.5 SD became 73 points on a scale of 28."""
    cohort = make_cohort(144)
    cohort["FS"] = np.random.default_rng(4).normal(18, 4.7, 144) + 4.7 * (cohort["group"] == "T")
    cohort.loc[100, "FS"] = typo
    claim = make_claim("P3", **(CONTRAST | {"outcome": "FS", "expect": "equivalent"}))
    evaluation, rows = evaluate(cohort, claim)
    row = evaluation.claims.iloc[0]
    assert row["verdict"] == "supported"
    assert "fragile" in row["flags"].split(";")
    assert evaluation.fragility["P3"].changed == (("sub-100", "contradicted"),)
    assert "sub-100 (contradicted)" in rows.loc[("P3", "leave one out"), "note"]


def test_fragility_of_pairs_moves_both_sessions():
    cohort = make_cohort(24, seed=5)
    second = cohort.assign(**{"A-B": cohort["A-B"] + np.random.default_rng(6).normal(0.12, 0.25, 24)})
    both = pd.concat([cohort.assign(session="1"), second.assign(session="2")], ignore_index=True)
    pairs = {"outcome": "A-B", "paired": True, "contrast": {"column": "session", "a": "2", "b": "1"}}
    claims = [
        make_claim("C1", **pairs, expect="greater", covariates=()),
        make_claim("C2", **pairs, expect="different", covariates=["FS"]),
        make_claim("C3", **pairs, expect="equivalent", sesoi=1.2),
    ]
    evaluation = evaluate_claims(both, make_config(*claims))
    before = evaluation.claims.set_index("id")["verdict"]
    again = dict(refit_without_each(both, claims))
    for name, fragility in evaluation.fragility.items():
        assert list(fragility.changed) == [
            (person, table.loc[name, "verdict"])
            for person, table in again.items()
            if table.loc[name, "verdict"] != before[name]
        ]


def test_second_looks_at_many_people_cost_little():
    """4,000 people took 15 s of CPU for a claim; four times the people may cost four times as much."""
    seconds = []
    for n in (1000, 4000):
        cohort, claims = make_cohort(n), [make_claim("F1", **CONTRAST), make_claim("B1", **SLOPE)]
        columns = make_columns(cohort)
        config = make_config(*claims)
        tests = [run_claim_test(c, build_model(c, columns, TERMS), config.inference) for c in claims]
        results = [FamilyResult(2, test.finding.p, test.finding.p_contradict) for test in tests]
        start = time.process_time()
        find_fragility(tests, results, DesignSource(columns, TERMS, config.inference))
        seconds.append(time.process_time() - start)
    assert seconds[1] < max(2.0, 8 * seconds[0])


def test_a_steady_verdict_is_not_fragile():
    cohort = make_cohort()
    cohort.loc[cohort["group"] == "T", "A-B"] += 2
    evaluation, rows = evaluate(cohort, make_claim("F1", **CONTRAST))
    assert evaluation.claims["flags"].isna().all()
    assert rows.loc[("F1", "leave one out"), "note"].endswith("the same without any one person")


def test_the_influential_person_is_named():
    cohort = make_cohort()
    cohort.loc[7, "A-B"] = 5.0
    rows = evaluate(cohort, make_claim("F1", **CONTRAST))[1]
    assert "sub-07" in rows.loc[("F1", "largest Cook's distance"), "note"]


def test_rows_of_an_edge_contrast():
    cohort = make_cohort()
    rows = evaluate(cohort, make_claim("F1", **CONTRAST))[1].reset_index()
    assert list(rows.columns) == list(SENSITIVITY_COLUMNS)
    assert rows["analysis"].tolist() == [
        "without mean_fd",
        "without covariates",
        "classical least squares",
        "HC3 with t(n - k)",
        "Huber's M-estimate",
        "Brunner-Munzel",
        "partial Spearman",
        "Bayes factor",
        "Bayes factor, half the scale",
        "Bayes factor, twice the scale",
        "one-sided Bayes factor",
        "leave one out",
        "largest Cook's distance",
        "edge and mean_fd",
        "mean_fd and sides",
        "exclusion and sides",
    ]
    without = ols("edge ~ C(group) + age + sex", cohort.rename(columns={"A-B": "edge"}))
    fit = without.fit(cov_type="HC2", use_t=True)
    assert rows.loc[0, "estimate"] == pytest.approx(fit.params["C(group)[T.T]"])
    assert rows.loc[0, "std_error"] == pytest.approx(fit.bse["C(group)[T.T]"])
    assert rows.loc[2, "p"] == pytest.approx(
        ols("edge ~ C(group) + age + sex + mean_fd", cohort.rename(columns={"A-B": "edge"}))
        .fit()
        .pvalues.iloc[1]
    )


def test_claims_on_scores_are_tried_with_age_and_sex():
    claim = make_claim("P1", **(CONTRAST | {"outcome": "FS"}))
    rows = evaluate(make_cohort(), claim)[1]
    assert ("P1", "with age, sex") in rows.index
    assert not any("mean_fd" in analysis for _, analysis in rows.index)


def test_motion_is_added_where_it_is_no_covariate():
    rows = evaluate(make_cohort(), make_claim("F1", **CONTRAST, covariates=["age"]))[1]
    assert ("F1", "with mean_fd") in rows.index


def test_a_different_answer_is_noted():
    cohort = make_cohort()
    t = cohort["group"].eq("T").to_numpy(dtype=float)
    rng = np.random.default_rng(5)
    cohort["age"] = 50 + 10 * t + rng.normal(0, 5, 40)
    cohort["A-B"] = 0.05 * cohort["age"] - 0.4 * t + rng.normal(0, 0.1, 40)
    row = evaluate(cohort, make_claim("F1", **CONTRAST))[1].loc[("F1", "without covariates")]
    assert "opposite sign" in row["note"]


def test_intervals_of_ranks_stay_within_what_is_possible():
    """A rank correlation of -0.93 had an interval down to -1.07."""
    cohort = make_cohort(12)
    cohort["FS"] = -cohort["A-B"] + 0.03 * (cohort["FS"] - 18)
    cohort["A-B"] += 0.3 * cohort["group"].eq("T")
    claims = make_claim("F1", **CONTRAST, covariates=()), make_claim("B1", **(SLOPE | {"covariates": ()}))
    rows = evaluate(cohort, *claims)[1]
    for name, limit in ((("B1", "partial Spearman"), 1.0), (("F1", "Brunner-Munzel"), 0.5)):
        row = rows.loc[name]
        assert -limit < row["ci_low"] < row["estimate"] < row["ci_high"] < limit


def test_equivalence_claims_show_their_equivalence_p():
    cohort = make_cohort(200)
    rows = evaluate(cohort, make_claim("P3", **(CONTRAST | {"outcome": "FS", "expect": "equivalent"})))[1]
    assert rows.loc[("P3", "Huber's M-estimate"), "note"].startswith("equivalence p = ")
    assert ("P3", "one-sided Bayes factor") not in rows.index
    assert "prior: Cauchy(0.707), difference in SDs" in rows.loc[("P3", "interval Bayes factor"), "note"]
    assert rows.loc[("P3", "interval Bayes factor"), "estimate"] > 1


def test_reliability_corrects_a_slope():
    cohort = make_cohort()
    claim = make_claim("B1", outcome="A-B", predictor="FS", expect="negative", covariates=())
    config = make_config(claim)
    evaluation = evaluate_claims(cohort, config)
    rows = evaluate_sensitivity(cohort, config, evaluation, reliability={"FS": 0.5}).set_index("analysis")
    assert rows.loc["corrected for attenuation", "estimate"] == pytest.approx(
        evaluation.claims["estimate"].iloc[0] / 0.5
    )


def test_claims_that_cannot_be_tested_have_only_their_exclusions():
    cohort = make_cohort()
    cohort["A-B"] = np.where(cohort["group"] == "T", np.nan, 0.1)
    rows = evaluate(cohort, make_claim("F1", **CONTRAST))[1]
    assert list(rows.index) == [("F1", "exclusion and sides")]
    assert rows["note"].iloc[0] == "left out: 20 of 20 (a), 0 of 20 (b)"


def test_no_claims_no_rows():
    _, rows = evaluate(make_cohort())
    assert rows.empty


def test_paired_claims_pass_through():
    one, two = make_cohort(seed=1), make_cohort(seed=2)
    cohort = pd.concat([one.assign(session="1"), two.assign(session="2")], ignore_index=True)
    claim = make_claim(
        "R2", outcome="FS", contrast={"column": "session", "a": "2", "b": "1"}, expect="greater", paired=True
    )
    evaluation, rows = evaluate(cohort, claim)
    oracle = stats.ttest_rel(two["FS"], one["FS"])
    assert rows.loc[("R2", "classical least squares"), "p"] == pytest.approx(oracle.pvalue)
    assert evaluation.claims["n"].tolist() == [40]
    assert evaluation.claims["n_per_group"].tolist() == ["a=40;b=40"]


def test_judging_a_claim_that_cannot_be_tested():
    evaluation, _ = evaluate(make_cohort().iloc[:2], make_claim("F1", **CONTRAST))
    assert judge(evaluation.tests[0], FamilyResult(0)).verdict == "not testable"


# --- what the original study reported
ORIGINAL_CONTRAST = {
    "outcome": "A-B",
    "contrast": {"column": "group", "a": "T", "b": "C"},
    "expect": "greater",
}
ORIGINAL_SLOPE = {"outcome": "FS", "predictor": "A-B", "expect": "positive"}


def add_original(original, base=ORIGINAL_CONTRAST, **more):
    return make_claim(**base, **more, original={"source": "table 2"} | original)


@pytest.mark.parametrize(
    ("original", "base", "said"),
    [
        ({"g": 0.9, "r": 0.2, "n": [18, 18]}, ORIGINAL_CONTRAST, "one of g, r, t, estimate needed"),
        ({"g": 0.9}, ORIGINAL_CONTRAST, "n: missing"),
        ({"g": 0.9, "n": 36}, ORIGINAL_CONTRAST, "1 numbers found, 2 needed"),
        ({"r": 0.4, "n": 36}, ORIGINAL_CONTRAST, "r does not go with a contrast; g, t or estimate needed"),
        ({"g": 0.4, "n": 36}, ORIGINAL_SLOPE, "g does not go with a predictor; r, t or estimate needed"),
        ({"estimate": 0.4}, ORIGINAL_CONTRAST, "estimate and se go together"),
        ({"g": -0.9, "n": [18, 18]}, ORIGINAL_CONTRAST, "points against expect: greater"),
    ],
)
def test_an_original_that_cannot_be_is_refused(original, base, said):
    with pytest.raises(ValidationError, match=said):
        add_original(original, base)


@pytest.mark.parametrize(
    ("original", "base"),
    [
        ({"g": 0.9, "n": [18, 18]}, ORIGINAL_CONTRAST),
        ({"t": 2.8, "n": [18, 18]}, ORIGINAL_CONTRAST),
        ({"estimate": 0.2, "se": 0.08}, ORIGINAL_CONTRAST),
        ({"r": 0.5, "n": 18}, ORIGINAL_SLOPE),
        ({"t": 2.3, "n": 18}, ORIGINAL_SLOPE),
    ],
)
def test_four_measures_stand_beside_the_verdict_and_change_nothing(original, base):
    cohort = make_cohort()
    evaluation, rows = evaluate(cohort, add_original(original, base))
    without, _ = evaluate(cohort, make_claim(**base))
    assert evaluation.claims.equals(without.claims)
    found = rows.loc["X"].filter(like="original:", axis=0)
    assert list(found.index) == [
        "original: prediction interval",
        "original: small telescopes",
        "original: replication Bayes factor",
        "original: sceptical p",
    ]
    interval = found.loc["original: prediction interval"]
    assert interval["ci_low"] < interval["estimate"] < interval["ci_high"]
    assert 0 < found.loc["original: sceptical p", "p"] < 1
    assert found["note"].str.len().gt(20).all()


def test_an_original_t_is_its_g():
    cohort = make_cohort()
    from_t = evaluate(cohort, add_original({"t": 3.0, "n": [18, 18]}))[1]
    g = 3.0 * math.sqrt(2 / 18) * (1 - 3 / (4 * 34 - 1))
    from_g = evaluate(cohort, add_original({"g": g, "n": [18, 18]}))[1]
    key = ("X", "original: prediction interval")
    assert from_t.loc[key, "estimate"] == pytest.approx(from_g.loc[key, "estimate"], rel=1e-3)
    assert from_t.loc[key, "ci_low"] == pytest.approx(from_g.loc[key, "ci_low"], rel=1e-2)


def test_the_same_effect_again_lies_inside_and_is_likelier_under_the_original():
    cohort = make_cohort(n=60)
    cohort.loc[cohort["group"] == "T", "A-B"] += 0.2
    _, rows = evaluate(cohort, add_original({"g": 0.9, "n": [30, 30]}))
    assert "inside" in rows.loc[("X", "original: prediction interval"), "note"]
    assert rows.loc[("X", "original: replication Bayes factor"), "estimate"] > 3


def test_people_left_out_are_compared_for_unpaired_claims_on_edges_alone():
    cohort = make_cohort()
    columns = make_columns(cohort)
    assert check_exclusion(make_claim(**{**CONTRAST, "outcome": "FS"}), columns, TERMS) is None


ORIGINALS = {
    "g": (CONTRAST, {"g": 0.9, "n": [20, 20]}, "g 0.496,"),
    "r": (SLOPE | {"expect": "positive"}, {"r": 0.5, "n": 40}, "partial r 0.246,"),
    "estimate": (CONTRAST, {"estimate": 0.4, "se": 0.1}, "in the outcome's units 0.153,"),
}


@pytest.mark.parametrize("kind", ORIGINALS)
def test_the_originals_small_effect_bounds_the_claim(kind):
    """Simonsohn (2015): twenty per cell had 33 % power for d = 0.50 (g 0.496); 1.53 standard errors of a known size."""
    base, original, words = ORIGINALS[kind]
    claim = make_claim("F1", **base, sesoi="original", original=original | {"source": "Table 2"})
    config = make_config(claim)
    (line,) = describe_original_bounds(config.claims, config.inference)
    assert line.startswith(
        f"claim F1: sesoi: original is {words} which the original (Table 2) had 33 % power"
    )
    cohort = make_cohort(200)
    row = evaluate(cohort, claim)[0].claims.iloc[0]
    bound = find_bound(claim, config.inference)
    if kind == "estimate":
        assert row["sesoi_estimate"] == pytest.approx(bound.value)
    else:
        assert row["sesoi"] == pytest.approx(bound.value)
        same = claim.model_copy(update={"sesoi": bound.value})
        assert evaluate(cohort, same)[0].claims.iloc[0]["p_contradict"] == row["p_contradict"]
    assert "default sesoi" not in str(row["flags"])


def test_the_originals_t_of_pairs_bounds_in_sds_of_the_changes():
    cohort = make_cohort(24, seed=5)
    second = cohort.assign(**{"A-B": cohort["A-B"] + np.random.default_rng(6).normal(0.05, 0.1, 24)})
    both = pd.concat([cohort.assign(session="1"), second.assign(session="2")], ignore_index=True)
    claim = make_claim(
        "C1", outcome="A-B", paired=True, contrast={"column": "session", "a": "2", "b": "1"}, covariates=(),
        expect="greater", sesoi="original", original={"t": 3.0, "n": 20, "source": "Table 2"},
    )  # fmt: skip
    evaluation = evaluate_claims(both, make_config(claim))
    row = evaluation.claims.iloc[0]
    bound = find_bound(claim, make_config(claim).inference)
    change = second["A-B"] - cohort["A-B"]
    assert row["sesoi_estimate"] == pytest.approx(bound.value * change.std())
    before = row["verdict"]
    changed = [
        (person, table.loc["C1", "verdict"])
        for person, table in refit_without_each(both, [claim])
        if table.loc["C1", "verdict"] != before
    ]
    assert list(evaluation.fragility["C1"].changed) == changed


def test_a_bound_of_the_original_needs_one():
    with pytest.raises(ValidationError, match="sesoi: original found, but no original"):
        make_claim("F1", **CONTRAST, sesoi="original")
    with pytest.raises(
        ValidationError, match=r"'the original' found, a number greater than 0, \{raw: ...\} or original"
    ):
        make_claim("F1", **CONTRAST, sesoi="the original")
