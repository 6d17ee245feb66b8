"""One claim on its own: its estimate, both of its p values, and what its design could see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rsconn.inference.effect_sizes import convert_sesoi
from rsconn.inference.estimators import Estimate, estimate_model
from rsconn.inference.model import Model
from rsconn.inference.power import Plan, compute_power, find_n, make_plan, plan_from_n
from rsconn.study.designs import Design
from rsconn.study.verdicts import compute_claim_p, get_rule

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
        For and against the claim, before correction (`rsconn.study.verdicts.compute_claim_p`).
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
        Its model (`rsconn.study.designs.build_model`).
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
