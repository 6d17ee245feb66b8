"""What the p values of a claim mean for it: supported, contradicted, inconclusive, or not testable.

Each claim has two p values. ``p`` speaks for it: the two-sided p of no effect, or the equivalence test's p.
``p_contradict`` speaks against an effect as large as claimed (or as small, for claims of no difference). Both
are corrected over the family by Holm's method; the corrected ones decide, in the order of `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rsconn.inference.estimators import (
    Estimate,
    compute_minimum_effect_p,
    compute_minimum_size_p,
    compute_p,
    compute_tost_p,
)
from rsconn.inference.power import Rule

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
