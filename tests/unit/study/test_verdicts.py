import pytest
from scipy import stats

from rsconn.inference.estimators import Estimate
from rsconn.study.claims.verdicts import compute_claim_p, decide, get_rule, get_sign

LOW, HIGH = 0.01, 0.8

# expect, estimate, p_family, p_contradict_family -> verdict, flags: one line per branch of DESIGN's order
BRANCHES = [
    ("greater", 1.0, LOW, HIGH, "supported", ()),
    ("greater", 1.0, LOW, LOW, "supported", ("smaller than sesoi",)),
    ("greater", -1.0, LOW, LOW, "contradicted", ("opposite",)),
    ("greater", -1.0, LOW, HIGH, "contradicted", ("opposite",)),
    ("greater", 0.1, HIGH, LOW, "contradicted", ("too small",)),
    ("greater", -0.1, HIGH, LOW, "contradicted", ("too small",)),
    ("greater", 0.3, HIGH, HIGH, "inconclusive", ()),
    ("less", -1.0, LOW, HIGH, "supported", ()),
    ("less", 1.0, LOW, LOW, "contradicted", ("opposite",)),
    ("less", -0.1, HIGH, LOW, "contradicted", ("too small",)),
    ("less", -0.3, HIGH, HIGH, "inconclusive", ()),
    ("positive", 1.0, LOW, HIGH, "supported", ()),
    ("positive", -1.0, LOW, LOW, "contradicted", ("opposite",)),
    ("negative", -1.0, LOW, HIGH, "supported", ()),
    ("negative", 1.0, LOW, LOW, "contradicted", ("opposite",)),
    ("different", -1.0, LOW, HIGH, "supported", ()),
    ("different", 1.0, LOW, LOW, "supported", ("smaller than sesoi",)),
    ("different", 0.1, HIGH, LOW, "contradicted", ()),
    ("different", 0.1, HIGH, HIGH, "inconclusive", ()),
    ("associated", -1.0, LOW, HIGH, "supported", ()),
    ("associated", 0.1, HIGH, LOW, "contradicted", ()),
    ("associated", 0.1, HIGH, HIGH, "inconclusive", ()),
    ("equivalent", 0.1, LOW, HIGH, "supported", ()),
    ("equivalent", 2.0, HIGH, LOW, "contradicted", ()),
    ("equivalent", 0.5, HIGH, HIGH, "inconclusive", ()),
    ("unrelated", -0.1, LOW, HIGH, "supported", ()),
    ("unrelated", -2.0, HIGH, LOW, "contradicted", ()),
    ("unrelated", 0.5, HIGH, HIGH, "inconclusive", ()),
]


@pytest.mark.parametrize(("expect", "estimate", "p", "p_contradict", "verdict", "flags"), BRANCHES)
def test_every_branch(expect, estimate, p, p_contradict, verdict, flags):
    decision = decide(expect, estimate, p_family=p, p_contradict_family=p_contradict, alpha=0.05)
    assert (decision.verdict, decision.flags) == (verdict, flags)


@pytest.mark.parametrize("expect", ["greater", "different", "equivalent"])
def test_p_equal_to_alpha_decides_nothing(expect):
    assert decide(expect, 1.0, p_family=0.05, p_contradict_family=0.05, alpha=0.05).verdict == "inconclusive"


def test_rules_and_signs():
    rules = {name: get_rule(name) for name in ("greater", "less", "positive", "negative")}
    assert set(rules.values()) == {"directional"}
    assert [get_sign(name) for name in ("greater", "positive", "less", "negative")] == [1, 1, -1, -1]
    assert get_rule("different") == get_rule("associated") == "two-sided"
    assert get_rule("equivalent") == get_rule("unrelated") == "equivalence"


def make_estimate(value, std_error=0.5, dof=20.0):
    return Estimate("ols_hc3", value, std_error, dof, value / std_error, 22)


@pytest.mark.parametrize(
    ("expect", "sign"), [("greater", 1), ("less", -1), ("positive", 1), ("negative", -1)]
)
def test_p_against_a_directional_claim(expect, sign):
    p, p_contradict = compute_claim_p(make_estimate(sign * 0.4), expect, 1.0)
    assert p == pytest.approx(2 * stats.t.sf(0.8, 20))
    # p of theta >= 1 when 0.4 was seen
    assert p_contradict == pytest.approx(stats.t.cdf((0.4 - 1.0) / 0.5, 20))


def test_p_of_a_claim_of_difference():
    p, p_contradict = compute_claim_p(make_estimate(-0.4), "different", 1.0)
    assert p == pytest.approx(2 * stats.t.sf(0.8, 20))
    assert p_contradict == pytest.approx(stats.t.sf((1.0 - 0.4) / 0.5, 20))


@pytest.mark.parametrize("value", [0.4, -0.4])
def test_p_of_a_claim_of_no_difference(value):
    p, p_contradict = compute_claim_p(make_estimate(value), "equivalent", 1.0)
    assert p == pytest.approx(stats.t.sf((1.0 - 0.4) / 0.5, 20))
    # the bound is the sample's own SD
    assert p_contradict == pytest.approx(stats.nct.sf(0.8, 20, 2.0) + stats.nct.cdf(-0.8, 20, 2.0))


@pytest.mark.parametrize("value", [0.4, -0.4])
def test_p_of_a_claim_of_no_association(value):
    p, p_contradict = compute_claim_p(make_estimate(value), "unrelated", 1.0)
    assert p == pytest.approx(stats.t.sf((1.0 - 0.4) / 0.5, 20))
    assert p_contradict == pytest.approx(
        stats.t.sf((0.4 - 1.0) / 0.5, 20) + stats.t.sf((0.4 + 1.0) / 0.5, 20)
    )
