"""Whether motion, or having been left out, goes with what a claim is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from rsconn.inference.estimators import Estimate, compute_p, estimate_model
from rsconn.inference.model import Estimator, Model, check_model, choose_estimator
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.study.claims.designs import Design, Terms, has_edge
from rsconn.study.claims.samples import find_sample, find_sides
from rsconn.study.people.used_columns import Columns, Mask, is_text

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim, Contrast

MOTION_COLUMN = "mean_fd"
_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class MotionCheck:
    """How an edge claim stands to motion; an estimate is None where it cannot be made.

    Attributes
    ----------
    edge : Estimate or None
        QC-FC: change of the edge (Fisher z) per mm of mean FD.
    other : Estimate or None
        Mean FD (mm) of side a minus b, or its change per unit of the score.
    edge_model, other_model : Model or None
        Their models.
    """

    edge: Estimate | None
    other: Estimate | None
    edge_model: Model | None
    other_model: Model | None

    @property
    def is_threat(self) -> bool:
        """Whether motion goes with the sides or the score (p < .05), so that it could carry the claim."""
        return self.other is not None and compute_p(self.other) < _ALPHA


def check_motion(claim: Claim, design: Design, columns: Columns, terms: Terms) -> MotionCheck | None:
    """Relate mean FD to the edge and to the other side of a claim, among the claim's own people.

    Returns
    -------
    MotionCheck or None
        None for claims without an edge, paired claims, claims without a model, and where mean FD is unknown.
    """
    if design.model is None or claim.paired or not has_edge(claim, terms):
        return None
    motion = columns.get(MOTION_COLUMN)
    if motion is None or is_text(motion):
        return None
    motion = motion[design.rows]
    known = np.isfinite(motion)
    if not known.any():
        return None
    model, motion = design.model, motion[known]
    outcome, tested, units = model.outcome[known], model.tested[known], model.units[known]
    if claim.kind is ClaimKind.MEAN:
        alone = Model(outcome, motion, np.ones((motion.size, 1)), "slope", choose_estimator(units), units)
        return MotionCheck(_estimate(alone), None, alone, None)
    constant, own = np.ones((motion.size, 1)), model.nuisance[known, : design.n_basis]
    if claim.outcome in terms.edges:
        edge = outcome
        about = replace(model.keep(known), outcome=motion, nuisance=own, blocks=None)
        simple: Estimator = "ols_hc3" if model.kind == "slope" else "welch"
        other_model = replace(about, estimator=choose_estimator(units, simple=simple))
    else:
        edge = tested if design.n_basis == 1 else own[:, -1]
        other_model = Model(motion, outcome, constant, "slope", choose_estimator(units), units)
    edge_model = Model(edge, motion, constant, "slope", choose_estimator(units), units)
    return MotionCheck(_estimate(edge_model), _estimate(other_model), edge_model, other_model)


def _estimate(model: Model) -> Estimate | None:
    return None if check_model(model) else estimate_model(model)


@dataclass(frozen=True)
class ExclusionCheck:
    """Whether being left out goes with the sides of a contrast, or with the score of a slope.

    Attributes
    ----------
    n : int
        People of the claim's sample who have images.
    n_lost : int
        Those without the claim's edges.
    difference : float
        Share lost on side a minus b, or mean score of the lost minus the others; NaN if unknown.
    p : float
        Fisher's exact p, or Welch's; NaN where fewer than two were lost.
    note : str
        The numbers in words.
    """

    n: int
    n_lost: int
    difference: float
    p: float
    note: str


def check_exclusion(claim: Claim, columns: Columns, terms: Terms) -> ExclusionCheck | None:
    """Compare those with images who have the claim's edge with those who have not.

    People count as having images if their mean FD or any edge is known.

    Returns
    -------
    ExclusionCheck or None
        None for claims without an edge and for paired claims.
    """
    if claim.paired or not has_edge(claim, terms):
        return None
    sample = find_sample(claim, columns) & _find_imaged(columns, terms)
    needed = [term for term in (claim.outcome, claim.predictor) if term in terms.edges]
    lost = np.zeros(sample.size, dtype=bool)
    for edge in needed:
        lost |= ~np.isfinite(columns[edge])
    if claim.contrast is not None:
        return _compare_sides(claim.contrast, columns, sample, lost)
    score = next(
        (term for term in (claim.outcome, claim.predictor) if term and term not in terms.edges), None
    )
    return None if score is None else _compare_scores(columns[score], score, sample, lost)


def _find_imaged(columns: Columns, terms: Terms) -> Mask:
    names = [
        name
        for name in (MOTION_COLUMN, *sorted(terms.edges))
        if name in columns and not is_text(columns[name])
    ]
    return np.asarray(np.logical_or.reduce([np.isfinite(columns[name]) for name in names]), dtype=np.bool_)


def _compare_sides(contrast: Contrast, columns: Columns, sample: Mask, lost: Mask) -> ExclusionCheck:
    sides = [sample & side for side in find_sides(contrast, columns)]
    counts = [(int((side & lost).sum()), int(side.sum())) for side in sides]
    letters = zip(counts, ascii_lowercase, strict=False)
    note = "left out: " + ", ".join(f"{out} of {total} ({letter})" for (out, total), letter in letters)
    if len(counts) > 2:
        return ExclusionCheck(
            sum(total for _, total in counts), sum(out for out, _ in counts), np.nan, np.nan, note
        )
    n, n_lost = counts[0][1] + counts[1][1], counts[0][0] + counts[1][0]
    if not (counts[0][1] and counts[1][1]):
        return ExclusionCheck(n, n_lost, np.nan, np.nan, note)
    table = [[out, total - out] for out, total in counts]
    difference = counts[0][0] / counts[0][1] - counts[1][0] / counts[1][1]
    return ExclusionCheck(n, n_lost, difference, float(stats.fisher_exact(table).pvalue), note)


def _compare_scores(values: np.ndarray, name: str, sample: Mask, lost: Mask) -> ExclusionCheck:
    known = sample & np.isfinite(values)
    out, kept = values[known & lost], values[known & ~lost]
    note = f"left out: {out.size} of {out.size + kept.size} with {name}"
    difference = float(out.mean() - kept.mean()) if out.size and kept.size else np.nan
    p = np.nan
    if out.size > 1 and kept.size > 1 and (np.ptp(out) > 0 or np.ptp(kept) > 0):
        p = float(stats.ttest_ind(out, kept, equal_var=False).pvalue)
    return ExclusionCheck(out.size + kept.size, int(out.size), difference, p, note)
