"""One claim on its own: its estimate, both of its p values, and what its design could see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rsconn.inference.effect_sizes import convert_sesoi
from rsconn.inference.estimators import (
    Estimate,
    compute_minimum_effect_p,
    compute_minimum_size_p,
    compute_p,
    compute_tost_p,
    estimate_model,
)
from rsconn.inference.model import Model
from rsconn.inference.power import Plan, Rule, compute_power, find_n, make_plan, plan_from_n
from rsconn.study.claims.designs import Design

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.sections import InferenceSettings

POWER = 0.8
# A claim of no difference that could so seldom be supported is not tested.
_LEAST_TOST_POWER = 0.05


@dataclass(frozen=True, eq=False)
class Finding:
    """What was computed of a testable claim.

    Attributes
    ----------
    bound : float
        Smallest effect of interest in the units of the estimate.
    p, p_contradict : float
        For and against the claim, before correction (`rsconn.study.claims.verdicts.compute_claim_p`).
    """

    model: Model
    plan: Plan
    estimate: Estimate
    bound: float
    p: float
    p_contradict: float


@dataclass(frozen=True, eq=False)
class ClaimTest:
    """A claim, its design and its finding.

    Attributes
    ----------
    alpha, sesoi : float
        The claim's own, else the config's; `sesoi` is a g or a partial r.
    finding : Finding or None
        None if the claim cannot be tested.
    reason : str
        Why it cannot be tested; empty if it can.
    """

    claim: Claim
    design: Design
    alpha: float
    sesoi: float
    finding: Finding | None
    reason: str

    @property
    def family(self) -> tuple[str, bool]:
        """Claims corrected together; exploratory ones never share a family with confirmatory ones."""
        return self.claim.family, self.claim.exploratory


def run_claim_test(claim: Claim, design: Design, inference: InferenceSettings) -> ClaimTest:
    """Estimate a claim, unless its design or its n forbids.

    Parameters
    ----------
    claim : Claim
        What is claimed.
    design : Design
        Its model (`rsconn.study.claims.designs.build_model`).
    inference : InferenceSettings
        Defaults of alpha and sesoi.
    """
    default = inference.sesoi.partial_r if claim.contrast is None else inference.sesoi.g
    alpha = inference.alpha if claim.alpha is None else claim.alpha
    sesoi = default if claim.sesoi is None else claim.sesoi
    if design.model is None:
        return ClaimTest(claim, design, alpha, sesoi, None, design.reason)
    plan = make_plan(design.model)
    hopeless = _find_hopeless(claim, design.model, plan, alpha=alpha, sesoi=sesoi)
    if hopeless:
        return ClaimTest(claim, design, alpha, sesoi, None, hopeless)
    estimate, bound = estimate_model(design.model), convert_sesoi(design.model, sesoi)
    p, p_contradict = compute_claim_p(estimate, claim.expect, bound)
    finding = Finding(design.model, plan, estimate, bound, p, p_contradict)
    return ClaimTest(claim, design, alpha, sesoi, finding, "")


def _find_hopeless(claim: Claim, model: Model, plan: Plan, *, alpha: float, sesoi: float) -> str:
    """Say why a claim of no difference is not tested: its design leaves it next to no power at zero.

    For contrasts and slopes the numbers of people and covariates alone decide, so that no outcome can make a claim
    testable. Pairs and families have no such plan: how alike sessions or relatives are is read off the data, and
    their own design decides.
    """
    if get_rule(claim.expect) != "equivalence":
        return ""
    if model.kind != "paired" and not model.has_families:
        plan = plan_from_n(model)
    power = compute_power(plan, sesoi, alpha=alpha, rule="equivalence")
    if power >= _LEAST_TOST_POWER:
        return ""
    needed = describe_needed_n(model, plan, claim, sesoi, alpha=alpha)
    return f"the equivalence test has {power:.1%} power with n = {plan.n}; {needed}"


def describe_needed_n(model: Model, plan: Plan, claim: Claim, sesoi: float, *, alpha: float) -> str:
    """Say how many people could decide a claim, at its sesoi and never at the observed effect.

    Parameters
    ----------
    model, plan : Model, Plan
        The design; the shares of its groups and its number of covariates are kept.
    alpha : float
        Level of this claim: alpha / m in a family of m.
    """
    rule = get_rule(claim.expect)
    needed = find_n(plan, sesoi, alpha=alpha, rule=rule, power=POWER)
    scale = "partial r" if claim.contrast is None else "g"
    at = f"for {POWER:.0%} power at {scale} {sesoi:g}"
    if rule == "equivalence":
        at = f"for {POWER:.0%} power to show {scale} within {sesoi:g}"
    if needed is None:
        return f"more than a million people would be needed {at}"
    if plan.kind != "contrast":
        return f"{needed} {'pairs' if plan.kind == 'paired' else 'people'} needed {at}"
    share_a = float(model.in_a.mean())
    return f"{math.ceil(needed * share_a)} + {math.ceil(needed * (1 - share_a))} people needed {at}"


Verdict = Literal["supported", "contradicted", "inconclusive", "not testable"]

SUPPORTED: Verdict = "supported"
CONTRADICTED: Verdict = "contradicted"
INCONCLUSIVE: Verdict = "inconclusive"
NOT_TESTABLE: Verdict = "not testable"

OPPOSITE = "opposite"
TOO_SMALL = "too small"
SMALLER_THAN_SESOI = "smaller than sesoi"

_RULES: dict[str, Rule] = {
    "greater": "directional",
    "less": "directional",
    "positive": "directional",
    "negative": "directional",
    "different": "two-sided",
    "associated": "two-sided",
    "equivalent": "equivalence",
    "unrelated": "equivalence",
}


@dataclass(frozen=True)
class Decision:
    """A verdict and its flags."""

    verdict: Verdict
    flags: tuple[str, ...] = ()


def get_rule(expect: str) -> Rule:
    """Return which rule decides a claim: 'directional', 'two-sided' or 'equivalence'."""
    return _RULES[expect]


def get_sign(expect: str) -> int:
    """Return -1 for claims of less or falling, else 1: what makes the claimed direction positive."""
    return -1 if expect in {"less", "negative"} else 1


def compute_claim_p(estimate: Estimate, expect: str, bound: float) -> tuple[float, float]:
    """Return the p that speaks for a claim and the p that speaks against it.

    Parameters
    ----------
    estimate : Estimate
        On the outcome's scale.
    expect : str
        What the claim says.
    bound : float
        Smallest effect of interest on the estimate's scale, positive.

    Returns
    -------
    p : float
        Two-sided p of no effect; for claims of no difference the equivalence test's p.
    p_contradict : float
        With theta signed so that the claimed direction is positive: p of theta >= bound (directional), the
        equivalence test's p (different, associated), or p of abs(theta) <= bound (equivalent, unrelated; the
        bound of ``equivalent`` being a g, by the noncentral t).
    """
    rule = get_rule(expect)
    if rule == "equivalence":
        against = compute_minimum_size_p if expect == "equivalent" else compute_minimum_effect_p
        return compute_tost_p(estimate, bound), against(estimate, bound)
    p = compute_p(estimate)
    if rule == "two-sided":
        return p, compute_tost_p(estimate, bound)
    sign = get_sign(expect)
    return p, compute_p(estimate, null=sign * bound, alternative="less" if sign > 0 else "greater")


def decide(
    expect: str, estimate: float, *, p_family: float, p_contradict_family: float, alpha: float
) -> Decision:
    """Return the verdict on a testable claim.

    Parameters
    ----------
    expect : str
        What the claim says.
    estimate : float
        On any scale; its sign decides between the two directions.
    p_family, p_contradict_family : float
        Corrected over the family's testable claims.
    alpha : float
        Error rate of each of the two sets.

    Examples
    --------
    >>> decide("less", -2.0, p_family=0.01, p_contradict_family=1.0, alpha=0.05).verdict
    'supported'
    >>> decide("greater", -2.0, p_family=0.01, p_contradict_family=0.001, alpha=0.05)
    Decision(verdict='contradicted', flags=('opposite',))
    """
    for_it, against = p_family < alpha, p_contradict_family < alpha
    directional = get_rule(expect) == "directional"
    if for_it and directional and get_sign(expect) * estimate < 0:
        return Decision(CONTRADICTED, (OPPOSITE,))
    if for_it:
        return Decision(SUPPORTED, (SMALLER_THAN_SESOI,) if against else ())
    if against:
        return Decision(CONTRADICTED, (TOO_SMALL,) if directional else ())
    return Decision(INCONCLUSIVE)
