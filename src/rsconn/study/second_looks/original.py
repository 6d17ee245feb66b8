"""What the original study reported of a claim, beside what these data say; decides nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rsconn.inference.effect_sizes import compute_bias_factor, estimate_effect_size
from rsconn.inference.replication import (
    Evidence,
    compute_replication_bayes_factor,
    compute_sceptical_p,
    compute_telescope_p,
    convert_t_to_g,
    describe_g,
    describe_paired_g,
    describe_r,
    find_telescope_effect,
    predict_replication,
)
from rsconn.settings.claim_kinds import ClaimKind

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim, Original
    from rsconn.study.claims.verdicts import Finding


@dataclass(frozen=True)
class OriginalComparison:
    """One measure of how the new effect goes with the original's.

    Attributes
    ----------
    analysis, note : str
        Its name, and what it says in one sentence.
    estimate, low, high, p : float
        NaN where the measure has no such number.
    """

    analysis: str
    note: str
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan


def compare_with_original(claim: Claim, finding: Finding) -> Iterator[OriginalComparison]:
    """Yield prediction interval, small telescopes, replication Bayes factor and sceptical p of a claim with `original`.

    Effects are Hedges g, partial r, or in the outcome's units where the original gave an estimate; covariates change
    the errors of g and r by their number only.
    """
    if claim.original is None:
        return
    original, new = describe_original(claim.original, claim), _describe_new(claim, finding)
    kind = claim.form.scale.removeprefix("partial_")
    scale = _Scale("" if claim.original.estimate is not None else kind)
    yield _predict(original, new, scale)
    yield _look_through_telescope(original, new, scale)
    factor = compute_replication_bayes_factor(original, new)
    better, ratio = ("the original's effect", factor) if factor >= 1 else ("no effect", 1 / factor)
    yield OriginalComparison(
        "original: replication Bayes factor",
        f"these data are {ratio:.3g} times as likely under {better} as under "
        f"{'no effect' if factor >= 1 else 'the effect that the original found'}; prior: the original's posterior",
        estimate=factor,
    )
    p = compute_sceptical_p(original, new)
    convinced = "succeeds" if p < 0.025 else "does not succeed"
    yield OriginalComparison(
        "original: sceptical p",
        f"one-sided; at 2.5 % the replication {convinced} even for a sceptic of the original",
        p=p,
    )


@dataclass(frozen=True)
class _Scale:
    """How an effect is printed: g and units as they are, Fisher z as r."""

    kind: str

    def show(self, effect: float) -> float:
        return math.tanh(effect) if self.kind == "r" else effect

    def name(self, effect: float) -> str:
        return f"{self.kind} {self.show(effect):.2f}" if self.kind else f"{effect:.3g}"


def _predict(original: Evidence, new: Evidence, scale: _Scale) -> OriginalComparison:
    low, high = predict_replication(original, new)
    inside = "inside" if low <= new.effect <= high else "outside"
    return OriginalComparison(
        "original: prediction interval",
        f"the effect here, {scale.name(new.effect)}, lies {inside} the 95 % interval that "
        "the original predicts for this n",
        scale.show(original.effect),
        scale.show(low),
        scale.show(high),
    )


def _look_through_telescope(original: Evidence, new: Evidence, scale: _Scale) -> OriginalComparison:
    small = find_telescope_effect(original)
    p = compute_telescope_p(original, new, small)
    smaller = "is smaller than" if p < 0.05 else "may be as large as"
    signed = math.copysign(small, original.effect)
    return OriginalComparison(
        "original: small telescopes",
        f"the effect {smaller} {scale.name(signed)}, which the original had 33 % power to find",
        estimate=scale.show(signed),
        p=p,
    )


def describe_original(original: Original, claim: Claim) -> Evidence:
    """Return the original's effect and errors: Hedges g, Fisher z of r, units of the changes' SD, or the outcome's."""
    if original.estimate is not None and original.se is not None:
        return Evidence(original.estimate, original.se, original.se)
    if claim.kind is ClaimKind.SLOPE:
        n = original.n[0]
        r = original.r if original.r is not None else _convert_t_to_r(float(original.t or 0.0), n)
        return describe_r(r, n)
    if claim.form.n_original == 1:
        return _describe_pairs(float(original.t or 0.0), original.n[0])
    n_a, n_b = original.n
    g = original.g if original.g is not None else convert_t_to_g(float(original.t or 0.0), n_a, n_b)
    return describe_g(g, n_a, n_b)


def _describe_pairs(t: float, n: int) -> Evidence:
    """Return a paired t in units of the changes' SD, the only unit that a t alone gives."""
    return describe_paired_g(t / math.sqrt(n) * compute_bias_factor(n - 1), n)


def _convert_t_to_r(t: float, n: int) -> float:
    return t / math.sqrt(t**2 + n - 2)


def _describe_new(claim: Claim, finding: Finding) -> Evidence:
    model, estimate = finding.model, finding.estimate
    if claim.original is not None and claim.original.estimate is not None:
        return Evidence(estimate.estimate, estimate.std_error, estimate.std_error)
    effect = estimate_effect_size(model).value
    if claim.kind is ClaimKind.SLOPE:
        return describe_r(effect, model.n, model.nuisance.shape[1] - 1)
    if claim.form.n_original == 1:
        return _describe_pairs(estimate.estimate / estimate.std_error, model.n)
    n_a = int(model.in_a.sum())
    return describe_g(effect, n_a, model.n - n_a)
