"""Whether a verdict hangs on one person."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rsconn.inference.alternatives import leave_one_out
from rsconn.inference.estimators import Estimate, adjust_holm
from rsconn.settings.claims import Verdict
from rsconn.study.claims.claim_table import FamilyResult, judge
from rsconn.study.claims.verdicts import ClaimTest, compute_claim_p, decide


@dataclass(frozen=True)
class Fragility:
    """A claim with each of its people left out in turn.

    Attributes
    ----------
    n : int
        People left out, one at a time.
    lowest, highest : float
        Of the estimates.
    largest_p : float
        Of the uncorrected p that speaks for the claim.
    changed : tuple of (str, Verdict)
        participant_id and the verdict without that person, where it is another.
    """

    n: int
    lowest: float
    highest: float
    largest_p: float
    changed: tuple[tuple[str, Verdict], ...]


def find_fragility(test: ClaimTest, result: FamilyResult, family: Sequence[ClaimTest]) -> Fragility | None:
    """Repeat a claim's verdict without each of its people; None if the claim cannot be tested.

    The smallest effect of interest on the estimate's scale and the p of the family's other claims stay as they
    are: one question at a time.

    Parameters
    ----------
    test, result : ClaimTest, FamilyResult
        The claim.
    family : sequence of ClaimTest
        All claims of its family, itself among them.
    """
    if test.finding is None:
        return None
    verdict = judge(test, result).verdict
    others = [other.finding for other in family if other is not test and other.finding is not None]
    other_p = [finding.p for finding in others], [finding.p_contradict for finding in others]
    changed: list[tuple[str, Verdict]] = []
    values: list[float] = []
    p_values: list[float] = []
    for person, estimate in zip(test.design.people, leave_one_out(test.finding.model), strict=True):
        if estimate is None:
            changed.append((person, Verdict.NOT_TESTABLE))
            continue
        again, p = _judge_again(test, estimate, other_p)
        values.append(estimate.estimate)
        p_values.append(p)
        if again != verdict:
            changed.append((person, again))
    return Fragility(
        len(test.design.people),
        min(values, default=math.nan),
        max(values, default=math.nan),
        max(p_values, default=math.nan),
        tuple(changed),
    )


def _judge_again(
    test: ClaimTest, estimate: Estimate, other_p: tuple[Sequence[float], Sequence[float]]
) -> tuple[Verdict, float]:
    """Return the verdict with another estimate, and its p."""
    bound = test.finding.bound if test.finding else math.nan
    p, p_contradict = compute_claim_p(estimate, test.claim.expect, bound)
    decision = decide(
        test.claim.expect,
        estimate.estimate,
        p_family=float(adjust_holm([p, *other_p[0]])[0]),
        p_contradict_family=float(adjust_holm([p_contradict, *other_p[1]])[0]),
        alpha=test.alpha,
    )
    return decision.verdict, p
