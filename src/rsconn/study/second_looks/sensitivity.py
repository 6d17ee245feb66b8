"""Every claim looked at in other ways; none of them decides a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rsconn.inference.alternatives import (
    compute_bayes_factor,
    compute_interval_bayes_factor,
    compute_rank_interval,
    compute_superiority_interval,
    estimate_brunner_munzel,
    estimate_hc2_bm,
    estimate_huber,
    estimate_partial_spearman,
    get_prior_scale,
    is_plain,
)
from rsconn.inference.effect_sizes import correct_attenuation, estimate_effect_size
from rsconn.inference.estimators import (
    Alternative,
    Estimate,
    adjust_holm,
    compute_interval,
    compute_p,
    compute_tost_p,
    estimate_model,
    estimate_ols,
    estimate_ols_hc3,
)
from rsconn.inference.influence import compute_cooks_distance
from rsconn.inference.model import Model
from rsconn.inference.omnibus import compute_classical_p, compute_rank_p
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.study.claims.claim_table import explain_dropped
from rsconn.study.claims.covariates import find_stress
from rsconn.study.claims.designs import Terms, build_model, has_edge, read_terms
from rsconn.study.claims.evaluation import Evaluation, evaluate_claims, sort_columns
from rsconn.study.claims.verdicts import ClaimTest, Finding, get_rule, get_sign
from rsconn.study.people.used_columns import Columns, find_present
from rsconn.study.second_looks.fragility import Fragility
from rsconn.study.second_looks.motion_checks import MOTION_COLUMN, check_exclusion, check_motion
from rsconn.study.second_looks.original import compare_with_original
from rsconn.study.second_looks.slopes import Slope, compare_slopes, describe_signs, list_parts

if TYPE_CHECKING:
    from rsconn.settings.config import Config

SENSITIVITY_COLUMNS = (
    "claim", "analysis", "n", "estimate", "std_error", "dof", "ci_low", "ci_high", "p", "effect_size", "note",
)  # fmt: skip
_SHOWN = 5
# Estimates that cannot go beyond their bounds have intervals that do not either.
_INTERVALS = {"partial_spearman": compute_rank_interval, "brunner_munzel": compute_superiority_interval}

Row = dict[str, Any]


def evaluate_sensitivity(
    cohort: pd.DataFrame,
    config: Config,
    evaluation: Evaluation | None = None,
    *,
    reliability: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return the sensitivity analyses of every testable claim.

    Parameters
    ----------
    cohort, config : DataFrame, Config
        As for `rsconn.study.claims.evaluation.evaluate_claims`.
    evaluation : Evaluation, optional
        Its result, if it is at hand.
    reliability : mapping of str to float, optional
        Score to its reliability, such as alpha: slopes on such a score are corrected for attenuation too.

    Returns
    -------
    DataFrame
        One row per claim and analysis with `SENSITIVITY_COLUMNS`: `estimate` in the unit of the analysis, `p`
        two-sided, NaN or None where an analysis has no such number.
    """
    if evaluation is None:
        silent = config.inference.model_copy(update={"n_permutations": 0})
        evaluation = evaluate_claims(cohort, config.model_copy(update={"inference": silent}))
    columns, terms = sort_columns(cohort), read_terms(config)
    rows: list[Row] = []
    for test in evaluation.tests:
        if test.finding is not None:
            rows += _adjust_otherwise(test, test.finding, columns, terms)
            rows += _list_slopes(test, columns, terms)
            rows += _estimate_otherwise(test, test.finding, reliability or {})
            rows += _compare_with_original(test, test.finding)
            rows += _describe_influence(test, test.finding, evaluation.fragility.get(test.claim.id))
        rows += _describe_motion(test, columns, terms)
    return pd.DataFrame(rows, columns=list(SENSITIVITY_COLUMNS))


def _make_row(claim: str, analysis: str, **numbers: Any) -> Row:
    row: Row = dict.fromkeys(SENSITIVITY_COLUMNS, math.nan) | {"note": None}
    return row | {"claim": claim, "analysis": analysis} | numbers


def _make_estimate_row(claim: str, analysis: str, found: Estimate, **more: Any) -> Row:
    if not found.std_error > 0:  # ranks that separate the sides completely have no error to estimate
        p = math.nan if found.levels is None else compute_p(found)
        return _make_row(claim, analysis, n=found.n, estimate=found.estimate, dof=found.dof, p=p, **more)
    low, high = _INTERVALS.get(found.estimator, compute_interval)(found, 0.95)
    return _make_row(
        claim,
        analysis,
        n=found.n,
        estimate=found.estimate,
        std_error=found.std_error,
        dof=found.dof,
        ci_low=low,
        ci_high=high,
        p=compute_p(found),
        **more,
    )


def _compare(test: ClaimTest, finding: Finding, estimate: Estimate, *more: str) -> str | None:
    """Say where another estimate of the same quantity disagrees with the primary one."""
    notes = list(more)
    equivalence = get_rule(test.claim.expect) == "equivalence"
    if estimate.estimate * finding.estimate.estimate < 0 and not equivalence:
        notes.append("opposite sign")
    if equivalence:
        p, before = compute_tost_p(estimate, finding.bound), finding.p
        notes.append(f"equivalence p = {p:.3g}")
    else:
        p, before = compute_p(estimate), finding.p
    if (p < test.alpha) != (before < test.alpha):
        notes.append(f"uncorrected p on the other side of {test.alpha:g}")
    return "; ".join(notes) or None


def _adjust_otherwise(test: ClaimTest, finding: Finding, columns: Columns, terms: Terms) -> Iterator[Row]:
    """Repeat the primary estimate with other covariates."""
    if test.claim.kind is ClaimKind.MEAN:
        return
    used = test.design.covariates
    variants: dict[str, tuple[str, ...]] = {}
    if (
        has_edge(test.claim, terms)
        and MOTION_COLUMN in columns
        and find_present(columns[MOTION_COLUMN]).any()
    ):
        without = tuple(name for name in used if name != MOTION_COLUMN)
        variants[f"with{'out' if MOTION_COLUMN in used else ''} {MOTION_COLUMN}"] = (
            without if MOTION_COLUMN in used else (*used, MOTION_COLUMN)
        )
    if used:
        variants["without covariates"] = ()
    else:
        known = [name for name in terms.edge_covariates if name in columns and name != MOTION_COLUMN]
        if known and not has_edge(test.claim, terms):
            variants[f"with {', '.join(known)}"] = tuple(known)
    for analysis, covariates in variants.items():
        design = build_model(test.claim, columns, terms, covariates=covariates)
        if design.model is None:
            yield _make_row(test.claim.id, analysis, n=design.n, note=design.reason)
            continue
        estimate = estimate_model(design.model)
        note = _compare(test, finding, estimate, *explain_dropped(design))
        yield _make_estimate_row(
            test.claim.id, analysis, estimate, effect_size=_size(design.model), note=note
        )


def _size(model: Model) -> float:
    return estimate_effect_size(model).value


def _list_slopes(test: ClaimTest, columns: Columns, terms: Terms) -> Iterator[Row]:
    parts = list_parts(test.claim, test.design, columns, terms)
    p = adjust_holm([math.nan if part.estimate is None else compute_p(part.estimate) for part in parts])
    for part, adjusted in zip(parts, p, strict=True):
        several = test.claim.kind is ClaimKind.OMNIBUS
        yield _describe_slope(test, part, f"Holm-adjusted p = {adjusted:.3g}" if several else None)
    comparison = compare_slopes(test.claim, test.design, columns, terms)
    if comparison is None:
        return
    for slope in comparison.slopes:
        yield _describe_slope(test, slope, describe_signs(comparison))
    for slope in comparison.interactions:
        yield _describe_slope(test, slope, None)


def _describe_slope(test: ClaimTest, slope: Slope, note: str | None) -> Row:
    if slope.estimate is None or slope.model is None:
        return _make_row(test.claim.id, slope.name, n=slope.n, note=slope.reason)
    return _make_estimate_row(
        test.claim.id, slope.name, slope.estimate, effect_size=_size(slope.model), note=note
    )


def _estimate_otherwise(test: ClaimTest, finding: Finding, reliability: Mapping[str, float]) -> Iterator[Row]:
    """Estimate the same design by other estimators: classical, HC2, robust, ranks, Bayes."""
    model, claim = finding.model, test.claim
    if model.kind == "omnibus":
        yield from _compare_levels_otherwise(test, model)
        return
    families = ("families ignored",) if model.has_families else ()
    for analysis, estimate in (
        ("classical least squares", estimate_ols(model)),
        _estimate_other_error(model),
        ("Huber's M-estimate", estimate_huber(model)),
    ):
        note = _compare(test, finding, estimate, *families)
        yield _make_estimate_row(claim.id, analysis, estimate, note=note)
    # ranks do not add up: nothing of the kind stands for a difference of differences
    compared = model.cells is not None
    if model.kind == "contrast" and not compared:
        ignored = ("covariates ignored",) if test.design.covariates else ()
        note = "; ".join(("estimate is P(a > b) - 1/2", *ignored, *families))
        yield _make_estimate_row(claim.id, "Brunner-Munzel", estimate_brunner_munzel(model), note=note)
    if model.kind != "paired" and not compared:
        ranks = estimate_partial_spearman(model)
        note = "; ".join(("estimate is the partial rank correlation", *families))
        yield _make_estimate_row(claim.id, "partial Spearman", ranks, effect_size=ranks.estimate, note=note)
    yield from _vary_prior(test, finding, families)
    if get_rule(claim.expect) == "directional":
        side: Alternative = "greater" if get_sign(claim.expect) > 0 else "less"
        factor = min(compute_bayes_factor(model, side), 1e300)
        note = "estimate is the Bayes factor of an effect in the claimed direction against none"
        note = "; ".join((note, *families))
        yield _make_row(claim.id, "one-sided Bayes factor", n=model.n, estimate=factor, note=note)
    for stress in find_stress(model):
        yield _make_row(claim.id, stress.flag, n=model.n, note=stress.detail)
    alpha = math.nan if compared else reliability.get(claim.predictor or "", math.nan)
    if math.isfinite(alpha):
        slope = correct_attenuation(model, finding.estimate.estimate, alpha)
        note = f"reliability of {claim.predictor}: {alpha:.2f}"
        yield _make_row(claim.id, "corrected for attenuation", n=model.n, estimate=slope, note=note)


def _vary_prior(test: ClaimTest, finding: Finding, families: Sequence[str]) -> Iterator[Row]:
    """The Bayes factor with its prior, at half and at twice its scale; of the interval for claims of no difference."""
    model, claim = finding.model, test.claim
    scale = get_prior_scale(model)
    of = "difference in SDs" if is_plain(model) else "standardised coefficient"
    for name, widened in (("", 1.0), (", half the scale", 0.5), (", twice the scale", 2.0)):
        factor = compute_bayes_factor(model, widened=widened)
        if math.isnan(factor):
            return
        note = f"estimate is the Bayes factor of an effect against none; prior: Cauchy({scale * widened:.3f}), {of}"
        yield _make_row(
            claim.id,
            f"Bayes factor{name}",
            n=model.n,
            estimate=min(factor, 1e300),
            note="; ".join((note, *families)),
        )
    if get_rule(claim.expect) == "equivalence":
        factor = min(compute_interval_bayes_factor(model, finding.bound), 1e300)
        note = "estimate is the Bayes factor of an effect within the bound against one beyond"
        yield _make_row(
            claim.id,
            "interval Bayes factor",
            n=model.n,
            estimate=factor,
            note="; ".join((f"{note}; prior: Cauchy({scale:.3f}), {of}", *families)),
        )


def _estimate_other_error(model: Model) -> tuple[str, Estimate]:
    """Return the standard error that is not the primary estimator's: HC3 beside HC2, else HC2."""
    if model.estimator == "ols_hc2":
        return "HC3 with t(n - k)", estimate_ols_hc3(model)
    return "HC2 with Bell-McCaffrey dof", estimate_hc2_bm(model)


def _compare_levels_otherwise(test: ClaimTest, model: Model) -> Iterator[Row]:
    """Test several levels by the classical analysis of variance, and without covariates by ranks."""
    p, dof = compute_classical_p(model)
    yield _make_row(test.claim.id, "classical analysis of variance", n=model.n, dof=dof, p=p)
    ignored = "covariates ignored" if test.design.covariates else None
    yield _make_row(test.claim.id, "Kruskal-Wallis", n=model.n, p=compute_rank_p(model), note=ignored)
    for stress in find_stress(model):
        yield _make_row(test.claim.id, stress.flag, n=model.n, note=stress.detail)


def _compare_with_original(test: ClaimTest, finding: Finding) -> Iterator[Row]:
    for found in compare_with_original(test.claim, finding):
        yield _make_row(
            test.claim.id,
            found.analysis,
            n=finding.model.n,
            estimate=found.estimate,
            ci_low=found.low,
            ci_high=found.high,
            p=found.p,
            note=found.note,
        )


def _describe_influence(test: ClaimTest, finding: Finding, fragility: Fragility | None) -> Iterator[Row]:
    """Say what one person can do: the range without each in turn, and who moves the fit most."""
    if fragility is not None:
        yield _make_row(
            test.claim.id,
            "leave one out",
            n=test.design.n - 1,
            estimate=finding.estimate.estimate,
            ci_low=fragility.lowest,
            ci_high=fragility.highest,
            p=math.nan,
            note=f"interval: range of the estimate; {_describe_changes(fragility)}",
        )
    distances = compute_cooks_distance(finding.model)
    order = np.argsort(-distances, kind="stable")
    limit = 4 / finding.model.n
    shown = [
        f"{test.design.people[row]} {distances[row]:.2f}" for row in order[:_SHOWN] if distances[row] > limit
    ]
    note = f"above 4/n = {limit:.2g}: {', '.join(shown) or 'nobody'}"
    yield _make_row(
        test.claim.id,
        "largest Cook's distance",
        n=finding.model.n,
        estimate=float(distances.max()),
        note=note,
    )


def _describe_changes(fragility: Fragility) -> str:
    if not fragility.changed:
        return "the verdict stays the same without any one person"
    verdicts = {verdict for _, verdict in fragility.changed}
    if len(fragility.changed) == fragility.n and len(verdicts) == 1:
        return f"without any one of its people the verdict would be {verdicts.pop()}"
    shown = ", ".join(f"{person} ({verdict})" for person, verdict in fragility.changed[:_SHOWN])
    more = f" and {len(fragility.changed) - _SHOWN} more" if len(fragility.changed) > _SHOWN else ""
    return f"the verdict would be another without {shown}{more}"


def _describe_motion(test: ClaimTest, columns: Columns, terms: Terms) -> Iterator[Row]:
    """QC-FC, motion across the sides or along the score, and who was left out."""
    claim = test.claim
    other = "sides" if claim.contrast is not None else _get_score(claim.outcome, claim.predictor, terms)
    motion = check_motion(claim, test.design, columns, terms)
    if motion is not None and motion.edge is not None and motion.edge_model is not None:
        note = "QC-FC: change of the edge per mm of mean FD; effect size is the correlation"
        yield _make_estimate_row(
            claim.id, "edge and mean_fd", motion.edge, effect_size=_size(motion.edge_model), note=note
        )
    if motion is not None and motion.other is not None and motion.other_model is not None:
        threat = "motion goes with what the claim is about" if motion.is_threat else None
        yield _make_estimate_row(
            claim.id, f"mean_fd and {other}", motion.other, effect_size=_size(motion.other_model), note=threat
        )
    exclusion = check_exclusion(claim, columns, terms)
    if exclusion is not None:
        yield _make_row(
            claim.id,
            f"exclusion and {other}",
            n=exclusion.n,
            estimate=exclusion.difference,
            p=exclusion.p,
            note=exclusion.note,
        )


def _get_score(outcome: str, predictor: str | None, terms: Terms) -> str:
    """Return what stands across from the edge; the predictor if both are edges."""
    return str(predictor if outcome in terms.edges else outcome)
