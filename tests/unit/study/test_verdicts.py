from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from rsconn.inference.estimators import Estimate
from rsconn.study.claims.verdicts import compute_claim_p, decide, get_rule, get_sign

LOW, HIGH = 0.01, 0.8

# expect, estimate, p_family, p_contradict_family -> verdict, flags: one line per branch of DESIGN's order
BRANCHES = [
    ("greater", 1.0, LOW, HIGH, "supported", ()),
    ("greater", 0.4, LOW, LOW, "negligible", ("in the claimed direction",)),
    ("greater", -1.0, LOW, LOW, "contradicted", ()),
    ("greater", -1.0, LOW, HIGH, "contradicted", ()),
    ("greater", 0.1, HIGH, LOW, "negligible", ()),
    ("greater", -0.1, HIGH, LOW, "negligible", ()),
    ("greater", 0.3, HIGH, HIGH, "inconclusive", ()),
    ("less", -1.0, LOW, HIGH, "supported", ()),
    ("less", 1.0, LOW, LOW, "contradicted", ()),
    ("less", -0.1, HIGH, LOW, "negligible", ()),
    ("less", -0.3, HIGH, HIGH, "inconclusive", ()),
    ("positive", 1.0, LOW, HIGH, "supported", ()),
    ("positive", -1.0, LOW, LOW, "contradicted", ()),
    ("negative", -1.0, LOW, HIGH, "supported", ()),
    ("negative", 1.0, LOW, LOW, "contradicted", ()),
    ("different", -1.0, LOW, HIGH, "supported", ()),
    ("different", 1.0, LOW, LOW, "negligible", ("not zero",)),
    ("different", 0.1, HIGH, LOW, "negligible", ()),
    ("different", 0.1, HIGH, HIGH, "inconclusive", ()),
    ("associated", -1.0, LOW, HIGH, "supported", ()),
    ("associated", 0.1, HIGH, LOW, "negligible", ()),
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


@pytest.mark.parametrize("p", [0.026, 0.049])
def test_all_of_alpha_is_spent_on_each_set(p):
    assert decide("greater", 1.0, p_family=p, p_contradict_family=1.0, alpha=0.05).verdict == "supported"
    assert decide("less", 1.0, p_family=p, p_contradict_family=1.0, alpha=0.05).verdict == "contradicted"
    assert decide("different", 1.0, p_family=p, p_contradict_family=1.0, alpha=0.05).verdict == "supported"
    assert decide("equivalent", 0.1, p_family=p, p_contradict_family=1.0, alpha=0.05).verdict == "supported"
    assert (
        decide("equivalent", 0.1, p_family=1.0, p_contradict_family=p, alpha=0.05).verdict == "contradicted"
    )
    assert decide("greater", 0.1, p_family=1.0, p_contradict_family=p, alpha=0.05).verdict == "negligible"
    assert decide("different", 0.1, p_family=p, p_contradict_family=p, alpha=0.05).flags == ("not zero",)


EXPECTATIONS = (
    "greater", "less", "positive", "negative", "different", "associated", "equivalent", "unrelated"
)  # fmt: skip
# once reached with one true effect, an answer is followed by these at most
FOLLOWED_BY = {
    "inconclusive": {"inconclusive", "supported", "negligible", "contradicted"},
    "supported": {"supported", "negligible"},
    "negligible": {"negligible", "contradicted"},
    "contradicted": {"contradicted"},
}


@pytest.mark.parametrize("expect", EXPECTATIONS)
@pytest.mark.parametrize("theta", np.linspace(-1.2, 1.2, 25))
def test_more_people_never_turn_an_answer_into_its_opposite(expect, theta):
    """A true effect held fixed, what is expected of the sample, and n from ten to ten million."""
    path = []
    for n in np.geomspace(10, 1e7, 120):
        estimate = make_estimate(theta, std_error=2 / np.sqrt(n), dof=n - 2)
        p, p_contradict = compute_claim_p(estimate, expect, 0.5)
        decision = decide(expect, theta, p_family=p, p_contradict_family=p_contradict, alpha=0.05)
        path.append(decision.verdict)
    assert all(after in FOLLOWED_BY[before] for before, after in pairwise(path))
    assert not {"supported", "contradicted"} <= set(path)
    # supported gives way to negligible only for effects that are there and smaller than the sesoi
    if {"supported", "negligible"} <= set(path):
        assert 0 < abs(theta) < 0.5
        assert decision.flags in (("in the claimed direction",), ("not zero",))
    sides = {"greater": theta, "positive": theta, "less": -theta, "negative": -theta}
    signed = sides.get(expect, abs(theta))
    if expect in {"equivalent", "unrelated"}:
        final = "supported" if abs(theta) < 0.49 else "contradicted"
    else:
        final = "contradicted" if signed < -1e-9 else "negligible" if signed < 0.49 else "supported"
    assert path[-1] == final or abs(abs(theta) - 0.5) < 1e-9


def test_half_the_smallest_effect_is_negligible_however_many_people():
    """g = 0.25 with D = 0.5 was contradicted with 100 per group and supported with 150."""
    answers = []
    for n in (50, 100, 150, 300, 1000):
        estimate = make_estimate(0.25, std_error=np.sqrt(2 / n), dof=2.0 * n - 2)
        p, p_contradict = compute_claim_p(estimate, "greater", 0.5)
        answers.append(decide("greater", 0.25, p_family=p, p_contradict_family=p_contradict, alpha=0.05))
    assert [str(answer.verdict) for answer in answers] == ["inconclusive", *["negligible"] * 4]
    assert [answer.flags for answer in answers[2:]] == [("in the claimed direction",)] * 3


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
