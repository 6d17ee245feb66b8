"""Claims that compare slopes, differences and changes: against statsmodels and explicit formulas."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.oneway import anova_oneway, equivalence_oneway
from statsmodels.stats.power import FTestAnovaPower

from rsconn.inference.verdict_power import find_min_detectable, plan_contrast
from rsconn.report.figures.claim_pictures import plot_claim, tabulate_pictures
from rsconn.report.figures.claims_forest import plot_claims_forest, tabulate_forest
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.settings.claims import Claim
from rsconn.settings.sections import Sesoi
from rsconn.study.claims.claim_words import label_claim
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.second_looks.sensitivity import evaluate_sensitivity

GROUPS, SEXES = {"column": "group", "a": "T", "b": "C"}, {"column": "sex", "a": "F", "b": "M"}


def make_claim(name="X", **changes):
    content = {"id": name, "family": "f", "text": f"claim {name}", "outcome": "PT", "expect": "greater"}
    return Claim(**(content | changes))


def make_config(*claims, n_permutations=199, circular=None, **inference):
    settings = {"alpha": 0.05, "seed": 1, "sesoi": Sesoi(), "exchange_within": None, "exchange_whole": None}
    return SimpleNamespace(
        claims=claims,
        rois=SimpleNamespace(circular=circular),
        edges=(SimpleNamespace(name="A-B"),),
        scores={},
        covariates=SimpleNamespace(edge=("age", "mean_fd"), score=()),
        groups=SimpleNamespace(column="group", levels={"T": "T", "C": "C"}),
        categorical=(),
        inference=SimpleNamespace(**(settings | {"n_permutations": n_permutations} | inference)),
    )


def make_cohort(n_a=40, n_b=60, seed=0):
    rng = np.random.default_rng(seed)
    n = n_a + n_b
    cohort = pd.DataFrame({
        "participant_id": [f"sub-{number:03d}" for number in range(n)],
        "session": [None] * n,
        "group": np.repeat(["T", "C"], [n_a, n_b]),
        "sex": np.array(["F", "M", "M"])[np.arange(n) % 3],
        "age": rng.normal(50, 8, n),
        "mean_fd": rng.uniform(0.05, 0.3, n),
        "FS": rng.normal(18, 4, n),
    })  # fmt: skip
    spread = np.where(cohort["group"] == "T", 2.0, 1.0)
    for name in ("PT", "A-B"):
        cohort[name] = 10 + spread * rng.normal(size=n) + 0.05 * cohort["age"]
    return cohort


def evaluate(cohort, *claims, **options):
    return evaluate_claims(cohort, make_config(*claims, **options)).claims.set_index("id")


def list_parts(cohort, claim):
    config = make_config(claim)
    table = evaluate_sensitivity(cohort, config, evaluate_claims(cohort, config))
    return table.set_index("analysis")


def draw(cohort, claim):
    """Draw the claim's picture and the forest; return the picture's table."""
    config = make_config(claim)
    evaluation = evaluate_claims(cohort, config)
    definitions = {claim.id: claim.model_dump(mode="json")}
    pictures = tabulate_pictures(evaluation.claims, definitions, evaluation.designs, {}, {})
    plot_claim(pictures)
    forest = tabulate_forest(evaluation.claims, definitions, evaluation.designs, {})
    plot_claims_forest(forest)
    return pictures


# --- slopes compared


@pytest.mark.parametrize("covariates", [(), ("age",)])
def test_slopes_compared_are_the_product_of_an_hc3_regression(covariates):
    cohort = make_cohort()
    cohort["PT"] += 0.3 * cohort["FS"] * (cohort["group"] == "T")
    claim = make_claim(predictor="FS", contrast=GROUPS, covariates=covariates)
    row = evaluate(cohort, claim).loc["X"]
    in_a = (cohort["group"] == "T").astype(float)
    design = np.column_stack(
        [in_a * cohort["FS"], np.ones(100), in_a, cohort["FS"], *(cohort[c] for c in covariates)]
    )
    oracle = OLS(cohort["PT"].to_numpy(), design).fit(cov_type="HC3", use_t=True)
    assert claim.kind is ClaimKind.SLOPES_COMPARED
    for name, value in (
        ("estimate", oracle.params[0]),
        ("std_error", oracle.bse[0]),
        ("p", oracle.pvalues[0]),
    ):
        assert row[name] == pytest.approx(value, rel=1e-9)
    assert row["dof"] == 100 - design.shape[1]
    assert row["n_per_group"] == "a=40;b=60"
    classical = OLS(cohort["PT"].to_numpy(), design).fit()
    t = classical.tvalues[0]
    assert row["effect_size"] == pytest.approx(t / np.sqrt(t**2 + row["dof"]))
    assert row["verdict"] == "supported"
    assert row["p_permutation"] < 0.05
    assert row["p_family_maxt"] < 0.05


def test_each_sides_slope_stands_beside_their_difference():
    cohort = make_cohort()
    claim = make_claim(predictor="FS", contrast=GROUPS)
    found = list_parts(cohort, claim)
    slopes = found.loc[["slope in T", "slope in C"], "estimate"].to_numpy()
    assert slopes[0] - slopes[1] == pytest.approx(evaluate(cohort, claim).loc["X", "estimate"])
    side = cohort[cohort["group"] == "T"]
    assert slopes[0] == pytest.approx(stats.linregress(side["FS"], side["PT"]).slope)
    assert "partial Spearman" not in found.index


def test_a_picture_of_slopes_has_a_line_per_side_with_its_slope():
    cohort = make_cohort()
    claim = make_claim(predictor="FS", contrast=GROUPS, covariates=["age"])
    table = draw(cohort, claim)
    lines = table[table["kind"] == "line"]
    slopes = [np.polyfit(line["x"], line["y"], 1)[0] for _, line in lines.groupby("side", sort=False)]
    assert slopes[0] - slopes[1] == pytest.approx(evaluate(cohort, claim).loc["X", "estimate"])
    assert set(table.loc[table["kind"] == "person", "x"]) == set(cohort["FS"])


def test_slopes_are_exchanged_within_their_sides():
    cohort = make_cohort()
    design = evaluate_claims(cohort, make_config(make_claim(predictor="FS", contrast=GROUPS))).designs["X"]
    assert np.unique(design.model.blocks).size == 2
    np.testing.assert_array_equal(design.model.blocks == design.model.blocks[0], cohort["group"] == "T")


def test_a_predictor_that_is_constant_on_a_side_is_not_testable():
    cohort = make_cohort()
    cohort.loc[cohort["group"] == "T", "FS"] = 3.0
    row = evaluate(cohort, make_claim(predictor="FS", contrast=GROUPS, covariates=["age"])).loc["X"]
    assert row["verdict"] == "not testable"
    assert "rank-deficient" in row["reason"]


def test_slopes_need_five_people_on_each_side():
    row = evaluate(make_cohort(n_a=4), make_claim(predictor="FS", contrast=GROUPS)).loc["X"]
    assert row["reason"].startswith("a side has fewer than 5 people (a=4;b=60)")


def test_equal_slopes_are_bounded_by_a_partial_r():
    claim = make_claim(predictor="FS", contrast=GROUPS, expect="equivalent")
    row = evaluate(make_cohort(n_a=300, n_b=300), claim).loc["X"]
    assert row["sesoi"] == 0.3
    assert row["verdict"] == "supported"


def test_slopes_in_circular_regions_are_not_testable():
    circular = SimpleNamespace(contrast="FS", data="this")
    claim = make_claim(outcome="A-B", predictor="FS", contrast=GROUPS)
    assert "circular" in evaluate(make_cohort(), claim, circular=circular).loc["X", "reason"]


# --- contrasts compared


def test_contrasts_compared_without_covariates_are_welchs_of_four_cells():
    cohort = make_cohort()
    claim = make_claim(contrast=SEXES, between=GROUPS)
    row = evaluate(cohort, claim).loc["X"]
    cells = [cohort.loc[(cohort["sex"] == s) & (cohort["group"] == g), "PT"] for s in "FM" for g in "TC"]
    means, shares = [cell.mean() for cell in cells], [cell.var() / len(cell) for cell in cells]
    assert row["estimate"] == pytest.approx((means[0] - means[2]) - (means[1] - means[3]))
    assert row["std_error"] == pytest.approx(sum(shares) ** 0.5)
    dof = sum(shares) ** 2 / sum(
        share**2 / (len(cell) - 1) for share, cell in zip(shares, cells, strict=True)
    )
    assert row["dof"] == pytest.approx(dof)
    assert row["estimator"] == "welch"
    bound = 0.5 * np.sqrt(np.mean([cell.var() for cell in cells]))
    assert row["sesoi_estimate"] == pytest.approx(bound)
    sizes = dict(part.split("=") for part in row["n_per_group"].split(";"))
    assert sizes["F in T"] == str(len(cells[0]))
    assert row["effect_size"] == pytest.approx(
        row["estimate"] / np.sqrt(sum(((cell - cell.mean()) ** 2).sum() for cell in cells) / 96), rel=0.01
    )


def test_contrasts_compared_with_covariates_are_a_regression():
    cohort = make_cohort()
    row = evaluate(cohort, make_claim(outcome="A-B", contrast=SEXES, between=GROUPS)).loc["X"]
    sex, group = (cohort["sex"] == "F").astype(float), (cohort["group"] == "T").astype(float)
    design = np.column_stack([sex * group, np.ones(100), sex, group, cohort["age"], cohort["mean_fd"]])
    assert row["estimate"] == pytest.approx(OLS(cohort["A-B"].to_numpy(), design).fit().params[0])
    assert row["estimator"] != "welch"


def test_each_sides_contrast_stands_beside_and_four_cells_are_drawn():
    cohort = make_cohort()
    claim = make_claim(contrast=SEXES, between=GROUPS)
    found = list_parts(cohort, claim)
    parts = found.loc[["difference in T", "difference in C"], "estimate"].to_numpy()
    assert parts[0] - parts[1] == pytest.approx(evaluate(cohort, claim).loc["X", "estimate"])
    assert "Brunner-Munzel" not in found.index
    table = draw(cohort, claim)
    assert table.loc[table["kind"] == "mean", "label"].tolist() == ["F in T", "F in C", "M in T", "M in C"]


def test_an_empty_cell_is_not_testable():
    cohort = make_cohort()
    cohort = cohort[(cohort["sex"] == "F") | (cohort["group"] == "T")]
    row = evaluate(cohort, make_claim(contrast=SEXES, between=GROUPS)).loc["X"]
    assert row["reason"].startswith("nobody is on side M in C")


# --- one mean


def test_a_mean_against_a_value_is_the_t_test():
    cohort = make_cohort()
    row = evaluate(cohort, make_claim(than=12)).loc["X"]
    oracle = stats.ttest_1samp(cohort["PT"], 12)
    assert (row["estimate"], row["p"], row["dof"]) == pytest.approx(
        (cohort["PT"].mean() - 12, oracle.pvalue, oracle.df)
    )
    assert row["std_error"] == pytest.approx(cohort["PT"].sem())
    assert row["sesoi_estimate"] == pytest.approx(0.5 * cohort["PT"].std())
    assert np.isfinite(row[["effect_size", "min_detectable", "bayes_factor_10"]].astype(float)).all()


def test_a_mean_takes_no_default_covariates_and_nobody_is_lost_for_them():
    cohort = make_cohort()
    cohort.loc[:5, "age"] = np.nan
    row = evaluate(cohort, make_claim(outcome="A-B", than=0)).loc["X"]
    oracle = stats.ttest_1samp(cohort["A-B"], 0)
    assert row["n"] == 100
    assert row["p"] == pytest.approx(oracle.pvalue)
    assert row["verdict"] == "supported"


def test_a_mean_refuses_covariates():
    with pytest.raises(ValueError, match="covariates: a mean is compared with a value as it was measured"):
        make_claim(than=0, covariates=["age"])


def test_a_few_people_have_an_exact_permutation_p_of_a_mean():
    cohort = make_cohort(n_a=5, n_b=5)
    row = evaluate(cohort, make_claim(than=10, sample="group == 'T'"), n_permutations=99).loc["X"]
    signs = 1 - 2 * ((np.arange(32)[:, None] >> np.arange(5)) & 1)
    values = cohort.loc[cohort["group"] == "T", "PT"].to_numpy() - 10
    t = np.abs(stats.ttest_1samp(signs * values, 0, axis=1).statistic)
    assert row["p_permutation"] == np.mean(t >= t[0] * (1 - 1e-9))


def test_four_people_say_too_little_of_a_mean():
    cohort = make_cohort(n_a=4)
    row = evaluate(cohort, make_claim(than=10, sample="group == 'T'")).loc["X"]
    assert row["reason"] == "4 people; at least 5 needed"


def test_motion_is_related_to_the_edge_of_a_mean_only():
    found = list_parts(make_cohort(), make_claim(outcome="A-B", than=0))
    assert "edge and mean_fd" in found.index
    assert not [name for name in found.index if name.startswith(("mean_fd and", "exclusion", "with"))]


def test_a_picture_of_a_mean_shows_people_as_measured_and_the_value():
    cohort = make_cohort()
    table = draw(cohort, make_claim(than=14))
    assert table.loc[table["kind"] == "value", "y"].tolist() == [14]
    assert sorted(table.loc[table["kind"] == "person", "y"]) == pytest.approx(sorted(cohort["PT"]))


@pytest.mark.parametrize("outlier", [0.0, 60.0])
def test_fragility_of_a_mean_is_that_of_the_others(outlier):
    cohort = make_cohort(n_a=8, n_b=5)
    cohort.loc[0, "PT"] += outlier
    claim = make_claim(than=10.5, sample="group == 'T'", expect="equivalent", sesoi=2.0)
    whole = evaluate_claims(cohort, make_config(claim))
    own = whole.claims.loc[0, "verdict"]
    expected = [
        (person, verdict)
        for person in cohort.loc[cohort["group"] == "T", "participant_id"]
        if (verdict := evaluate(cohort[cohort["participant_id"] != person], claim).loc["X", "verdict"]) != own
    ]
    assert list(whole.fragility["X"].changed) == expected


# --- changes compared


def make_pairs(n_a=20, n_b=30, seed=0):
    rng = np.random.default_rng(seed)
    cohort = make_cohort(n_a, n_b, seed)
    later = cohort.assign(session="2", mean_fd=rng.uniform(0.05, 0.3, n_a + n_b))
    for name in ("PT", "A-B"):
        spread = np.where(cohort["group"] == "T", 1.5, 0.7)
        later[name] = cohort[name] + 0.5 + spread * rng.normal(size=n_a + n_b) + (cohort["group"] == "T")
    return pd.concat([cohort.assign(session="1"), later], ignore_index=True)


SESSIONS = {"column": "session", "a": "2", "b": "1"}


def compute_changes(cohort, name):
    wide = cohort.pivot_table(index=["participant_id", "group"], columns="session", values=name)
    changes = (wide["2"] - wide["1"]).reset_index(name="change")
    return [changes.loc[changes["group"] == group, "change"].to_numpy() for group in ("T", "C")]


def test_changes_of_scores_are_compared_by_welch():
    cohort = make_pairs()
    claim = make_claim(contrast=SESSIONS, paired=True, between=GROUPS)
    row = evaluate(cohort, claim).loc["X"]
    a, b = compute_changes(cohort, "PT")
    oracle = stats.ttest_ind(a, b, equal_var=False)
    assert (row["estimate"], row["p"], row["dof"]) == pytest.approx(
        (a.mean() - b.mean(), oracle.pvalue, oracle.df)
    )
    assert row["n_per_group"] == "a=20;b=30"
    variances = [
        cohort.loc[(cohort["group"] == g) & (cohort["session"] == s), "PT"].var() for g in "TC" for s in "12"
    ]
    unit = np.sqrt(np.mean(variances))
    assert row["sesoi_estimate"] == pytest.approx(0.5 * unit)
    correction = 1 - 3 / (4 * 48 - 1)
    assert row["effect_size"] == pytest.approx(correction * row["estimate"] / unit, rel=1e-3)
    assert row["p_permutation"] == pytest.approx(row["p"], abs=0.05)


def test_changes_of_an_edge_adjust_for_changes_of_motion():
    cohort = make_pairs()
    design = evaluate_claims(
        cohort, make_config(make_claim(outcome="A-B", contrast=SESSIONS, paired=True, between=GROUPS))
    ).designs["X"]
    assert design.covariates == ("mean_fd",)
    first, second = (cohort[cohort["session"] == session].set_index("participant_id") for session in "12")
    moved = (second["mean_fd"] - first["mean_fd"])[list(design.people)].to_numpy()
    in_a = (first["group"] == "T")[list(design.people)].to_numpy(dtype=float)
    outcome = (second["A-B"] - first["A-B"])[list(design.people)].to_numpy()
    oracle = OLS(outcome, np.column_stack([in_a, np.ones(50), moved])).fit()
    model = design.model
    assert np.linalg.lstsq(model.design, model.outcome, rcond=None)[0][0] == pytest.approx(oracle.params[0])


def test_each_sides_change_stands_beside_and_changes_are_drawn():
    cohort = make_pairs()
    claim = make_claim(contrast=SESSIONS, paired=True, between=GROUPS)
    found = list_parts(cohort, claim)
    a, b = compute_changes(cohort, "PT")
    assert found.loc[["change in T", "change in C"], "estimate"].tolist() == pytest.approx(
        [a.mean(), b.mean()]
    )
    table = draw(cohort, claim)
    assert table.loc[table["kind"] == "mean", "label"].tolist() == ["T", "C"]
    assert table.loc[table["kind"] == "mean", "y"].tolist() == pytest.approx([a.mean(), b.mean()])


def test_who_changes_sides_between_the_sessions_cannot_be_compared():
    cohort = make_pairs()
    cohort.loc[0, "group"] = "C"
    row = evaluate(cohort, make_claim(contrast=SESSIONS, paired=True, between=GROUPS)).loc["X"]
    assert row["reason"].startswith("somebody changes sides")


def test_power_of_changes_is_read_off_their_own_spread():
    cohort = make_pairs(n_a=60, n_b=60)
    claim = make_claim(contrast=SESSIONS, paired=True, between=GROUPS, expect="equivalent")
    row = evaluate(cohort, claim).loc["X"]
    a, b = compute_changes(cohort, "PT")
    spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    unit = row["sesoi_estimate"] / 0.5
    expected = find_min_detectable(plan_contrast(60, 60), alpha=0.05, rule="equivalence") * spread / unit
    assert row["min_detectable"] == pytest.approx(expected, rel=0.01)


# --- several levels

SITES = {"column": "site", "levels": ["X", "Y", "Z"]}


def make_sites(n=(20, 30, 50), spread=(2.0, 1.0, 1.0), seed=0):
    rng = np.random.default_rng(seed)
    cohort = make_cohort(n_a=n[0], n_b=n[1] + n[2], seed=seed)
    cohort["site"] = np.repeat(["X", "Y", "Z"], n)
    for name in ("PT", "A-B"):
        cohort[name] = 10 + np.repeat(spread, n) * rng.normal(size=sum(n)) + 0.7 * (cohort["site"] == "Y")
    return cohort


def split_sites(cohort, name="PT"):
    return [cohort.loc[cohort["site"] == site, name].to_numpy() for site in "XYZ"]


def test_several_levels_without_covariates_are_welchs_analysis_of_variance():
    cohort = make_sites()
    claim = make_claim(contrast=SITES, expect="different")
    row = evaluate(cohort, claim).loc["X"]
    oracle = anova_oneway(split_sites(cohort), use_var="unequal")
    assert row["estimator"] == "welch_anova"
    assert (row["p"], row["dof"]) == pytest.approx((oracle.pvalue, oracle.df_denom))
    against = equivalence_oneway(split_sites(cohort), 0.25**2, use_var="unequal")
    assert row["p_contradict"] == pytest.approx(against.pvalue)
    assert row["sesoi"] == 0.25
    assert row["n_per_group"] == "X=20;Y=30;Z=50"
    f2 = 2 * (oracle.statistic - 1) / 100
    assert row["effect_size"] == pytest.approx(max(f2, 0) ** 0.5)
    assert row["p_permutation"] == pytest.approx(row["p"], abs=0.1)
    assert row["p_family_maxt"] == pytest.approx(row["p"], abs=0.1)
    assert np.isnan(row["bayes_factor_10"])


def test_several_levels_with_covariates_are_an_hc3_wald_test():
    cohort = make_sites()
    row = evaluate(cohort, make_claim(outcome="A-B", contrast=SITES, expect="different")).loc["X"]
    dummies = [(cohort["site"] == site).astype(float) for site in "XY"]
    design = np.column_stack([*dummies, np.ones(100), cohort["age"], cohort["mean_fd"]])
    fit = OLS(cohort["A-B"].to_numpy(), design).fit(cov_type="HC3", use_t=True)
    oracle = fit.f_test(np.eye(2, 5))
    assert row["estimator"] == "wald_hc3"
    assert (row["p"], row["dof"]) == pytest.approx((float(oracle.pvalue), 95))
    against = stats.ncf.cdf(float(oracle.fvalue), 2, 95, 95 * 0.25**2)
    assert row["p_contradict"] == pytest.approx(against)


def test_the_order_of_the_levels_changes_nothing():
    cohort = make_sites()
    again = {"column": "site", "levels": ["Z", "X", "Y"]}
    rows = [
        evaluate(cohort, make_claim(outcome="A-B", contrast=each, expect="different")).loc["X"]
        for each in (SITES, again)
    ]
    numbers = [
        "estimate",
        "p",
        "p_contradict",
        "p_permutation",
        "p_family_maxt",
        "effect_size",
        "min_detectable",
    ]
    assert rows[0][numbers].astype(float).to_numpy() == pytest.approx(
        rows[1][numbers].astype(float).to_numpy()
    )


def test_each_pair_stands_beside_with_holms_correction():
    cohort = make_sites()
    found = list_parts(cohort, make_claim(contrast=SITES, expect="different"))
    x, y, z = split_sites(cohort)
    pairs = {"X minus Y": (x, y), "X minus Z": (x, z), "Y minus Z": (y, z)}
    p = [stats.ttest_ind(*pair, equal_var=False).pvalue for pair in pairs.values()]
    rows = found.loc[[f"pair {name}" for name in pairs]]
    assert rows["p"].tolist() == pytest.approx(p)
    smallest = np.argmin(p)
    assert rows["note"].iloc[smallest] == f"Holm-adjusted p = {min(1, 3 * p[smallest]):.3g}"
    assert found.loc["classical analysis of variance", "p"] == pytest.approx(stats.f_oneway(x, y, z).pvalue)
    assert found.loc["Kruskal-Wallis", "p"] == pytest.approx(stats.kruskal(x, y, z).pvalue)
    assert found.loc["largest Cook's distance", "estimate"] > 0


def test_many_people_without_a_difference_make_several_levels_negligible():
    cohort = make_sites(n=(400, 400, 400), spread=(1.0, 1.0, 1.0))
    cohort["PT"] = np.random.default_rng(3).normal(size=1200)
    row = evaluate(cohort, make_claim(contrast=SITES, expect="different")).loc["X"]
    assert row["verdict"] == "negligible"
    assert "default sesoi" in row["flags"]


def test_power_of_several_levels_is_that_of_the_noncentral_f():
    cohort = make_sites(n=(30, 30, 30), spread=(1.0, 1.0, 1.0))
    row = evaluate(cohort, make_claim(contrast=SITES, expect="different")).loc["X"]
    # at the smallest detectable f, at least the usual power without the rule on too small effects
    assert FTestAnovaPower().power(row["min_detectable"], 90, 0.05, 3) == pytest.approx(0.8, abs=0.02)
    assert row["reason"] is None or "people needed" in row["reason"]


def test_people_needed_of_several_levels_are_told_by_level():
    cohort = make_sites(n=(10, 10, 10), spread=(1.0, 1.0, 1.0), seed=5)
    cohort["PT"] = np.random.default_rng(5).normal(size=30)
    reason = evaluate(cohort, make_claim(contrast=SITES, expect="different")).loc["X", "reason"]
    sizes = [int(number) for number in reason.split(" people")[0].split(" + ")]
    assert len(sizes) == 3
    assert FTestAnovaPower().power(0.25, sum(sizes), 0.05, 3) > 0.78


def test_levels_without_people_or_variance_are_not_testable():
    cohort = make_sites()
    claim = make_claim(contrast=SITES, expect="different")
    assert "nobody is on side Z" in evaluate(cohort[cohort["site"] != "Z"], claim).loc["X", "reason"]
    cohort.loc[cohort["site"] == "Y", "PT"] = 12.0
    row = evaluate(cohort, claim).loc["X"]
    assert row["reason"] == "all 30 people of side Y have the same outcome, 12"


def test_several_levels_are_drawn_as_cells():
    table = draw(make_sites(), make_claim(contrast=SITES, expect="different"))
    assert table.loc[table["kind"] == "mean", "label"].tolist() == ["X", "Y", "Z"]


def test_fragility_of_several_levels_is_that_of_the_others():
    cohort = make_sites(n=(6, 7, 8), spread=(1.0, 1.0, 1.0), seed=2)
    cohort.loc[0, "PT"] += 6
    claim = make_claim(contrast=SITES, expect="different")
    whole = evaluate_claims(cohort, make_config(claim, n_permutations=0))
    own = whole.claims.loc[0, "verdict"]
    expected = [
        (person, verdict)
        for person in cohort["participant_id"]
        if (
            verdict := evaluate(cohort[cohort["participant_id"] != person], claim, n_permutations=0).loc[
                "X", "verdict"
            ]
        )
        != own
    ]
    assert list(whole.fragility["X"].changed) == expected


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ({"column": "site", "levels": ["X", "Y"]}, "levels: 2 found, three or more needed; for two a and b"),
        ({"column": "site", "levels": ["X", "Y", "X"]}, "levels: 'X' occurs twice"),
        ({"column": "site", "levels": ["X", "Y", "Z"], "a": "X"}, "levels stands instead of a and b"),
        ({"levels": ["X", "Y", "Z"]}, "column: missing; 'X' is a level of some column"),
        ({"column": "site", "levels": "X"}, "'X' found, a list of levels needed"),
        ({"column": "site", "levels": ["X", None, "Z"]}, "nothing found, a level"),
    ],
)
def test_levels_that_cannot_be_are_refused(contrast, message):
    with pytest.raises(ValueError, match=message):
        make_claim(contrast=contrast, expect="different")


def test_several_levels_have_no_direction():
    with pytest.raises(ValueError, match="'greater' does not go with a contrast of more than two levels"):
        make_claim(contrast=SITES)


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"contrast": SITES, "expect": "different"}, "PT: X, Y and Z differ"),
        ({"than": 14, "expect": "less"}, "PT: mean < 14"),
        ({"contrast": SESSIONS, "paired": True, "between": GROUPS}, "PT: change 2 − 1 in T > in C"),
        ({"predictor": "FS", "contrast": GROUPS}, "PT: slope on FS in T > in C"),
        ({"contrast": SEXES, "between": GROUPS, "expect": "less"}, "PT: F − M in T < in C"),
    ],
)
def test_formulas(changes, label):
    assert label_claim(make_claim(**changes).model_dump(mode="json")) == label


def test_claims_of_before_keep_their_hash():
    assert "between" not in make_claim(contrast=GROUPS).model_dump(mode="json")
    assert "between" in make_claim(contrast=SEXES, between=GROUPS).model_dump(mode="json")
