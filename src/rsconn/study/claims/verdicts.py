"""One claim on its own: its estimate, both of its p values, and what its design could see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rsconn.inference.estimators import (
    Estimate,
    compute_minimum_effect_p,
    compute_minimum_size_p,
    compute_p,
    compute_tost_p,
    estimate_model,
)
from rsconn.inference.model import Model
from rsconn.inference.verdict_power import Plan, Rule, compute_power, find_n, make_plan, plan_from_n
from rsconn.settings.claim_kinds import Scale
from rsconn.settings.claims import Verdict
from rsconn.study.claims.bounds import BoundSource, find_bound
from rsconn.study.claims.designs import Design
from rsconn.study.claims.flags import Flag

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.sections import InferenceSettings

POWER = 0.8
# A claim of no difference that could so seldom be supported is not tested.
_LEAST_TOST_POWER = 0.05
# Fewer people say too little of their own variance: with two, Welch's test supports 6.2 % of null claims at 5 %.
LEAST_PER_SIDE = 5
_LARGEST_R = 0.999


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
    estimate: Estimate
    bound: float
    p: float
    p_contradict: float

    @cached_property
    def plan(self) -> Plan:
        """How precise the design is; what decides needs none."""
        return make_plan(self.model)


@dataclass(frozen=True, eq=False)
class ClaimTest:
    """A claim, its design and its finding.

    Attributes
    ----------
    alpha, sesoi : float
        The claim's own, else the config's; `sesoi` is a g or a partial r, NaN if it was given in the outcome's
        units and there is no model.
    bound_source : BoundSource
        Who set the smallest effect of interest.
    flags : tuple of Flag
        What is odd about the people of a claim.
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
    bound_source: BoundSource = BoundSource.CONFIG
    flags: tuple[Flag, ...] = ()

    @property
    def power_sesoi(self) -> float:
        """`sesoi` for power; a partial r of 1 or more, as a bound in raw units can be, is next to 1."""
        return min(self.sesoi, _LARGEST_R) if self.claim.form.scale == "partial_r" else self.sesoi

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
    alpha = inference.alpha if claim.alpha is None else claim.alpha
    bound, model = find_bound(claim, inference), design.model
    test = ClaimTest(
        claim, design, alpha, bound.standardise(model), None, design.reason, bound_source=bound.source
    )
    if model is None:
        return test
    reason, flags = find_fault(test, model)
    if reason:
        return replace(test, reason=reason, flags=flags)
    estimate, limit = estimate_model(model), bound.convert(model)
    p, p_contradict = compute_claim_p(estimate, claim.expect, limit, scale=claim.form.scale)
    return replace(test, finding=Finding(model, estimate, limit, p, p_contradict))


def find_fault(test: ClaimTest, model: Model) -> tuple[str, tuple[Flag, ...]]:
    """Say why a model that could be estimated is not tested, and what is odd about it; '' if it is tested."""
    reason, flags = _find_thin_side(model, test.design.cell_names, test.claim)
    return reason or _find_hopeless(test, model), flags


def _find_thin_side(model: Model, names: Sequence[str], claim: Claim) -> tuple[str, tuple[Flag, ...]]:
    """Say why the sides of a contrast, or pairs, tell too little of their own error to be judged by."""
    if model.kind == "paired":
        few = model.n < LEAST_PER_SIDE
        what = "pairs" if claim.paired else "people"
        return (f"{model.n} {what}; at least {LEAST_PER_SIDE} needed" if few else ""), ()
    if model.kind != "contrast" and model.cells is None:
        return "", ()
    sides = {name: model.outcome[cell] for name, cell in zip(names, model.list_cells(), strict=True)}
    counts = ";".join(f"{name}={side.size}" for name, side in sides.items())
    if min(side.size for side in sides.values()) < LEAST_PER_SIDE:
        return f"a side has fewer than {LEAST_PER_SIDE} people ({counts})", ()
    constant = [name for name, side in sides.items() if np.ptp(side) <= 1e-12 * np.abs(side).max()]
    if not constant:
        return "", ()
    name = constant[0]
    value, n = float(sides[name][0]), sides[name].size
    return f"all {n} people of side {name} have the same outcome, {value:g}", (Flag.CONSTANT_SIDE,)


def _find_hopeless(test: ClaimTest, model: Model) -> str:
    """Say why a claim of no difference is not tested: its design leaves it next to no power at zero.

    Where g is in units of the model's own outcome the numbers of people and covariates alone decide, so that no
    outcome can make a claim testable. Pairs and families have no such plan: how alike sessions or relatives are is
    read off the data, and their own design decides.
    """
    if get_rule(test.claim.expect) != "equivalence":
        return ""
    as_planned = model.raw_sd is None and not model.has_families
    plan = plan_from_n(model) if as_planned else make_plan(model)
    power = compute_power(plan, test.power_sesoi, alpha=test.alpha, rule="equivalence")
    if power >= _LEAST_TOST_POWER:
        return ""
    needed = describe_needed_n(test, model, plan, alpha=test.alpha)
    return f"the equivalence test has {power:.1%} power with n = {plan.n}; {needed}"


def describe_needed_n(test: ClaimTest, model: Model, plan: Plan, *, alpha: float) -> str:
    """Say how many people could decide a claim, at its sesoi and never at the observed effect.

    Parameters
    ----------
    test : ClaimTest
        The claim, its smallest effect of interest and who set that.
    model, plan : Model, Plan
        The design; the shares of its groups and its number of covariates are kept.
    alpha : float
        Level of this claim: alpha / m in a family of m.
    """
    rule, sesoi = get_rule(test.claim.expect), test.power_sesoi
    needed = find_n(plan, sesoi, alpha=alpha, rule=rule, power=POWER)
    scale = test.claim.form.scale.replace("_", " ")
    at = f"for {POWER:.0%} power at {scale} {sesoi:g}"
    if rule == "equivalence":
        at = f"for {POWER:.0%} power to show {scale} within {sesoi:g}"
    if test.bound_source is BoundSource.DEFAULT:
        at += " (a default)"
    if test.bound_source is BoundSource.ORIGINAL:
        at += ", which the original had 33 % power to find"
    if needed is None:
        return f"more than a million people would be needed {at}"
    if plan.kind not in {"contrast", "omnibus"}:
        return f"{needed} {'pairs' if test.claim.paired else 'people'} needed {at}"
    sizes = [math.ceil(needed * float(cell.mean())) for cell in model.list_cells()]
    return f"{' + '.join(map(str, sizes))} people needed {at}"


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
    flags: tuple[Flag, ...] = ()


def get_rule(expect: str) -> Rule:
    """Return which rule decides a claim: 'directional', 'two-sided' or 'equivalence'."""
    return _RULES[expect]


def get_sign(expect: str) -> int:
    """Return -1 for claims of less or falling, else 1: what makes the claimed direction positive."""
    return -1 if expect in {"less", "negative"} else 1


def compute_claim_p(
    estimate: Estimate, expect: str, bound: float, *, scale: Scale = "g"
) -> tuple[float, float]:
    """Return the p that speaks for a claim and the p that speaks against it.

    Parameters
    ----------
    estimate : Estimate
        On the outcome's scale.
    expect : str
        What the claim says.
    bound : float
        Smallest effect of interest on the estimate's scale, positive.
    scale : {'g', 'partial_r'}
        What the bound comes from.

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
        against = (
            compute_minimum_size_p if (expect, scale) == ("equivalent", "g") else compute_minimum_effect_p
        )
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

    Notes
    -----
    For a directional claim: contradicted if the effect points the other way, else negligible if an effect as large
    as the smallest one of interest is ruled out, else supported if there is an effect. For a claim of any
    difference: negligible before supported. So a larger sample never turns one answer into its opposite.

    Examples
    --------
    >>> decide("less", -2.0, p_family=0.01, p_contradict_family=1.0, alpha=0.05).verdict
    <Verdict.SUPPORTED: 'supported'>
    >>> decide("greater", -2.0, p_family=0.01, p_contradict_family=0.001, alpha=0.05).verdict
    <Verdict.CONTRADICTED: 'contradicted'>
    >>> [str(flag) for flag in decide("greater", 0.2, p_family=0.01, p_contradict_family=0.001, alpha=0.05).flags]
    ['in the claimed direction']
    """
    for_it, against = p_family < alpha, p_contradict_family < alpha
    rule = get_rule(expect)
    if rule == "equivalence":
        if for_it:
            return Decision(Verdict.SUPPORTED)
        return Decision(Verdict.CONTRADICTED if against else Verdict.INCONCLUSIVE)
    if for_it and rule == "directional" and get_sign(expect) * estimate < 0:
        return Decision(Verdict.CONTRADICTED)
    if against:
        flag = Flag.CLAIMED_DIRECTION if rule == "directional" else Flag.NOT_ZERO
        return Decision(Verdict.NEGLIGIBLE, (flag,) if for_it else ())
    return Decision(Verdict.SUPPORTED if for_it else Verdict.INCONCLUSIVE)
