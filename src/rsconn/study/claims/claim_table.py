"""Rows of group/claims.tsv: every claim's numbers, verdict, flags and reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rsconn.inference.alternatives import compute_bayes_factor
from rsconn.inference.effect_sizes import estimate_effect_size
from rsconn.inference.estimators import compute_interval
from rsconn.inference.verdict_power import find_min_detectable
from rsconn.settings.claims import Verdict
from rsconn.study.claims.bounds import BoundSource
from rsconn.study.claims.designs import Design
from rsconn.study.claims.flags import Flag, print_flags
from rsconn.study.claims.verdicts import (
    POWER,
    ClaimTest,
    Decision,
    Finding,
    decide,
    describe_needed_n,
    get_rule,
)

CLAIM_COLUMNS = (
    "id", "family", "text", "n", "n_per_group", "estimator", "estimate", "std_error", "dof",
    "ci_low", "ci_high", "ci_family_low", "ci_family_high", "effect_size", "effect_ci_low", "effect_ci_high",
    "p", "p_contradict", "p_permutation", "p_family", "p_contradict_family", "p_family_maxt",
    "bayes_factor_10", "sesoi", "sesoi_estimate", "min_detectable", "verdict", "flags", "reason",
)  # fmt: skip
_TEXT_COLUMNS = frozenset({"n_per_group", "estimator", "flags", "reason"})
# A Bayes factor beyond the range of floats is still a number in the table.
_LARGEST_BAYES_FACTOR = 1e300


@dataclass(frozen=True)
class FamilyResult:
    """What a claim owes to the other claims of its family, and to resampling.

    Attributes
    ----------
    m : int
        Testable claims in the family.
    p_family, p_contradict_family : float
        Holm over each set.
    p_permutation, p_family_maxt : float
        NaN for claims of no difference, and when no permutations were asked for.
    exact : bool
        Every permutation was enumerated, without nuisance covariates.
    """

    m: int
    p_family: float = math.nan
    p_contradict_family: float = math.nan
    p_permutation: float = math.nan
    p_family_maxt: float = math.nan
    exact: bool = False


def judge(test: ClaimTest, result: FamilyResult) -> Decision:
    """Return the verdict on a claim, testable or not."""
    if test.finding is None:
        return Decision(Verdict.NOT_TESTABLE)
    return decide(
        test.claim.expect,
        test.finding.estimate.estimate,
        p_family=result.p_family,
        p_contradict_family=result.p_contradict_family,
        alpha=test.alpha,
    )


def tabulate_claims(
    tests: Sequence[ClaimTest],
    results: Sequence[FamilyResult],
    warnings: Mapping[str, Sequence[str]],
    *,
    describe: bool = True,
) -> pd.DataFrame:
    """Return one row per claim with `CLAIM_COLUMNS`; NaN or None where a claim has no such value.

    Parameters
    ----------
    tests, results : sequences
        One each per claim.
    warnings : mapping of str to sequence of str
        Claim id to further flags.
    describe : bool
        Fill in what decides nothing: effect sizes, Bayes factors, smallest detectable effects, the n needed.
    """
    rows = [
        describe_claim(test, result, warnings.get(test.claim.id, ()), describe=describe)
        for test, result in zip(tests, results, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS))


def describe_claim(
    test: ClaimTest, result: FamilyResult, warnings: Sequence[str] = (), *, describe: bool = True
) -> dict[str, Any]:
    """Return one claim's row: what it is, and if it is testable its numbers and verdict."""
    row: dict[str, Any] = {name: None if name in _TEXT_COLUMNS else math.nan for name in CLAIM_COLUMNS}
    row |= {
        "id": test.claim.id,
        "family": test.claim.family,
        "text": test.claim.text,
        "n": test.design.n,
        "n_per_group": test.design.n_per_group,
        "sesoi": test.sesoi,
    }
    decision, reasons = judge(test, result), [test.reason]
    flags = [*test.flags, *warnings, *_list_default(test, decision.verdict)]
    flags += [Flag.CIRCULAR] if test.design.circular else []
    if test.finding is not None:
        alpha = test.alpha / result.m
        row |= _list_numbers(test.finding, alpha) | _list_p(test.finding, result)
        row |= _describe_effect(test, alpha) if describe else {}
        flags += [Flag.EXACT] if result.exact else []
        if describe and decision.verdict == Verdict.INCONCLUSIVE:
            reasons = [describe_needed_n(test, test.finding.model, test.finding.plan, alpha=alpha)]
            flags += [Flag.UNDERPOWERED] if not row["min_detectable"] <= test.sesoi else []
    flags += [Flag.EXPLORATORY] if test.claim.exploratory else []
    return row | {
        "verdict": decision.verdict.value,
        "flags": print_flags([*decision.flags, *flags]),
        "reason": "; ".join(filter(None, [*reasons, *explain_dropped(test.design)])) or None,
    }


def _list_default(test: ClaimTest, verdict: Verdict) -> list[Flag]:
    """Flag a smallest effect of interest that nobody set where the verdict rests on it."""
    rests = verdict is Verdict.NEGLIGIBLE or (
        verdict is not Verdict.NOT_TESTABLE and get_rule(test.claim.expect) == "equivalence"
    )
    return [Flag.DEFAULT_SESOI] if rests and test.bound_source is BoundSource.DEFAULT else []


def explain_dropped(design: Design) -> list[str]:
    """Return one phrase per default covariate that was left out."""
    return [f"covariate {left.name} left out: it {left.why}" for left in design.dropped]


def _list_numbers(finding: Finding, alpha: float) -> dict[str, Any]:
    estimate = finding.estimate
    low, high = compute_interval(estimate, 0.95)
    family_low, family_high = compute_interval(estimate, 1 - alpha)
    return {
        "estimator": estimate.estimator,
        "estimate": estimate.estimate,
        "std_error": estimate.std_error,
        "dof": estimate.dof,
        "ci_low": low,
        "ci_high": high,
        "ci_family_low": family_low,
        "ci_family_high": family_high,
        "sesoi_estimate": finding.bound,
    }


def _list_p(finding: Finding, result: FamilyResult) -> dict[str, float]:
    return {
        "p": finding.p,
        "p_contradict": finding.p_contradict,
        "p_permutation": result.p_permutation,
        "p_family": result.p_family,
        "p_contradict_family": result.p_contradict_family,
        "p_family_maxt": result.p_family_maxt,
    }


def _describe_effect(test: ClaimTest, alpha: float) -> dict[str, float]:
    """Return what is shown beside the verdict and never decides."""
    finding = test.finding
    if finding is None:
        return {}
    effect, rule = estimate_effect_size(finding.model), get_rule(test.claim.expect)
    return {
        "effect_size": effect.value,
        "effect_ci_low": effect.low,
        "effect_ci_high": effect.high,
        "bayes_factor_10": min(compute_bayes_factor(finding.model), _LARGEST_BAYES_FACTOR),
        "min_detectable": find_min_detectable(
            finding.plan, alpha=alpha, rule=rule, power=POWER, sesoi=test.power_sesoi
        ),
    }
