"""Whether a verdict hangs on one person: every family judged again without each of its people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rsconn.arrays import FloatArray
from rsconn.inference.estimators import Estimate, adjust_holm, estimate_model
from rsconn.inference.influence import OthersEstimate, leave_each_out, leave_out_of_variance
from rsconn.inference.model import Model, check_model
from rsconn.settings.claims import Verdict
from rsconn.study.claims.bounds import find_bound
from rsconn.study.claims.claim_table import FamilyResult, judge
from rsconn.study.claims.designs import Terms, build_model
from rsconn.study.claims.verdicts import (
    LEAST_PER_SIDE,
    ClaimTest,
    Finding,
    compute_claim_p,
    decide,
    find_fault,
    get_rule,
    run_claim_test,
)
from rsconn.study.people.used_columns import Columns, Mask

if TYPE_CHECKING:
    from rsconn.settings.sections import InferenceSettings

# A p as near to alpha as this share of it is computed in truth.
_NEAR = 1e-6


@dataclass(frozen=True)
class Fragility:
    """A claim with each person of its family left out in turn.

    Attributes
    ----------
    n : int
        People of the claim.
    lowest, highest : float
        Of the estimates without one of the claim's own people.
    changed : tuple of (str, Verdict)
        participant_id and the verdict without that person, where it is another.
    """

    n: int
    lowest: float
    highest: float
    changed: tuple[tuple[str, Verdict], ...]


@dataclass(frozen=True, eq=False)
class DesignSource:
    """What designs are built from again.

    Attributes
    ----------
    columns, terms, inference
        As for `rsconn.study.claims.designs.build_model`.
    """

    columns: Columns
    terms: Terms
    inference: InferenceSettings


def find_fragility(
    tests: Sequence[ClaimTest], results: Sequence[FamilyResult], source: DesignSource
) -> dict[str, Fragility]:
    """Repeat the verdicts of one family without each of its people.

    A person leaves the whole family: estimates, bounds in units of the sample's SD, both p of every claim and their
    correction are those that the others alone give.

    Parameters
    ----------
    tests, results : sequences
        The claims of one family.
    source : DesignSource

    Returns
    -------
    dict of str to Fragility
        By claim id; testable claims only.
    """
    tested = [(test, result) for test, result in zip(tests, results, strict=True) if test.finding is not None]
    if not tested:
        return {}
    claims = [test for test, _ in tested]
    people = sorted({person for test in claims for person in test.design.people})
    folds = _Folds.make(claims, people, source)
    folds.settle(claims, people, source)
    verdicts = folds.judge(claims)
    found = {}
    for column, (test, result) in enumerate(tested):
        before = judge(test, result).verdict
        own = folds.estimate[np.isin(people, test.design.people), column]
        changed = tuple(
            (person, row[column])
            for person, row in zip(people, verdicts, strict=True)
            if row[column] != before
        )
        lowest, highest = (np.nan, np.nan) if np.isnan(own).all() else (np.nanmin(own), np.nanmax(own))
        found[test.claim.id] = Fragility(test.design.n, float(lowest), float(highest), changed)
    return found


@dataclass(frozen=True, eq=False)
class _Folds:
    """Without each person, every claim of a family; arrays of shape (n_people, n_claims).

    Attributes
    ----------
    estimate : ndarray
        NaN where the claim has no model.
    p, p_contradict : ndarray, shape (2, n_people, n_claims)
        Lowest and highest they can be, before correction; NaN where the claim is not tested.
    """

    estimate: FloatArray
    p: FloatArray
    p_contradict: FloatArray

    @classmethod
    def make(cls, claims: Sequence[ClaimTest], people: Sequence[str], source: DesignSource) -> _Folds:
        """Bound every claim's p without each person; those who are not in a claim change nothing of it."""
        shape = len(people), len(claims)
        folds = cls(np.empty(shape), np.empty((2, *shape)), np.empty((2, *shape)))
        rows = {person: row for row, person in enumerate(people)}
        for column, test in enumerate(claims):
            finding = _get_finding(test)
            folds.estimate[:, column] = finding.estimate.estimate
            folds.p[..., column], folds.p_contradict[..., column] = finding.p, finding.p_contradict
            for person, bounds in zip(test.design.people, _bound_folds(test, source), strict=True):
                place = rows[person], column
                folds.estimate[place], folds.p[:, *place], folds.p_contradict[:, *place] = bounds
        return folds

    def settle(self, claims: Sequence[ClaimTest], people: Sequence[str], source: DesignSource) -> None:
        """Test in truth without those of whom the bounds leave a verdict open."""
        alpha = np.array([test.alpha for test in claims])
        undecided = np.zeros(self.estimate.shape, dtype=np.bool_)
        for low, high in (map(adjust_holm, self.p), map(adjust_holm, self.p_contradict)):
            undecided |= (low * (1 - _NEAR) < alpha) & (high * (1 + _NEAR) >= alpha)
        for row in np.flatnonzero(undecided.any(axis=1)).tolist():
            for column, test in enumerate(claims):
                if people[row] in test.design.people:
                    self._set(row, column, _test_without(test, people[row], source))

    def _set(self, row: int, column: int, again: ClaimTest) -> None:
        model, finding = again.design.model, again.finding
        self.estimate[row, column] = np.nan if model is None else estimate_model(model).estimate
        self.p[:, row, column] = np.nan if finding is None else finding.p
        self.p_contradict[:, row, column] = np.nan if finding is None else finding.p_contradict

    def judge(self, claims: Sequence[ClaimTest]) -> list[list[Verdict]]:
        """Return every claim's verdict without each person."""
        p, against = adjust_holm(self.p[0]), adjust_holm(self.p_contradict[0])
        return [
            [
                Verdict.NOT_TESTABLE
                if np.isnan(p[row, column])
                else decide(
                    test.claim.expect,
                    self.estimate[row, column],
                    p_family=p[row, column],
                    p_contradict_family=against[row, column],
                    alpha=test.alpha,
                ).verdict
                for column, test in enumerate(claims)
            ]
            for row in range(len(p))
        ]


def _get_finding(test: ClaimTest) -> Finding:
    if test.finding is None:
        raise ValueError(f"claim {test.claim.id} cannot be tested")
    return test.finding


def _bound_folds(test: ClaimTest, source: DesignSource) -> Iterator[tuple[float, list[float], list[float]]]:
    """Yield the estimate and both bounds of each p without each of a claim's people, in the order of its rows."""
    model, people = _get_finding(test).model, test.design.people
    left = None if _is_whole(model) or len(set(people)) < len(people) else leave_each_out(model)
    if left is None:
        yield from ((np.nan, [0.0, 1.0], [0.0, 1.0]) for _ in people)
        return
    unit, known = _find_units(test, left, source)
    scale = find_bound(test.claim, source.inference)
    bounds = np.full(model.n, scale.value) if scale.is_raw else scale.value * unit
    known &= ~_find_doubtful(test, (bounds / unit)[known])
    for row in range(model.n):
        if known[row]:
            p = [
                compute_claim_p(
                    _make_estimate(model, left, row, end),
                    test.claim.expect,
                    float(bounds[row]),
                    scale=test.claim.form.scale,
                )
                for end in (0, 1)
            ]
            yield (
                left.estimate[row],
                sorted(speaks for speaks, _ in p),
                sorted(against for _, against in p),
            )
        else:
            yield np.nan, [0.0, 1.0], [0.0, 1.0]


def _is_whole(model: Model) -> bool:
    """Say whether one row less is another model: families hang together, and what pairs adjust for is centred.

    The unit of contrasts that are compared is that of all of their cells, of changes that of both sessions.
    """
    if model.kind == "omnibus":
        return True
    compared = model.kind == "contrast" and (model.cells is not None or model.raw_sd is not None)
    return compared or model.has_families or (model.kind == "paired" and model.nuisance.shape[1] > 0)


def _find_units(test: ClaimTest, left: OthersEstimate, source: DesignSource) -> tuple[FloatArray, Mask]:
    """Return what a bound of 1 is without each person, for pairs from both sessions, and where that is known."""
    model, design = _get_finding(test).model, test.design
    if model.kind != "paired":
        return left.unit, left.known
    if model.raw_sd is None or find_bound(test.claim, source.inference).of_changes:
        variance, known = leave_out_of_variance(model.outcome)
        return np.sqrt(variance), left.known & known
    first = source.columns[test.claim.outcome][design.rows].astype(np.float64)
    one, other = leave_out_of_variance(first), leave_out_of_variance(first - model.outcome)
    return np.sqrt((one[0] + other[0]) / 2), left.known & one[1] & other[1]


def _find_doubtful(test: ClaimTest, sesoi: FloatArray) -> Mask:
    """Return the people (n,) without whom a claim might not be tested: a side too thin, or power too low."""
    model = _get_finding(test).model
    if model.raw_sd is not None:
        thin = model.n <= LEAST_PER_SIDE or get_rule(test.claim.expect) == "equivalence"
        return np.full(model.n, thin)
    doubtful = np.zeros(model.n, dtype=np.bool_)
    lowest = replace(test, sesoi=float(sesoi.min(initial=np.inf)))
    for side in model.list_cells():
        rest = model.keep(np.arange(model.n) != np.flatnonzero(side)[0])
        doubtful |= side & bool(find_fault(lowest, rest)[0])
    return doubtful


def _make_estimate(model: Model, left: OthersEstimate, row: int, end: int) -> Estimate:
    """Return the estimate without a person with its least (0) or most (1) error."""
    value, error = float(left.estimate[row]), float(left.std_error[end][row])
    dof = float(left.dof[1 - end][row])
    return Estimate(model.estimator, value, error, dof, value / error, model.n - 1)


def _test_without(test: ClaimTest, person: str, source: DesignSource) -> ClaimTest:
    """Test a claim on the others, with their own design where one row less is not all that changes."""
    model, design = _get_finding(test).model, test.design
    if model.raw_sd is None:
        rest = model.keep(np.array([name != person for name in design.people]))
        if check_model(rest) is None:
            return run_claim_test(test.claim, replace(design, model=rest), source.inference)
    others = np.asarray(source.columns["participant_id"] != person, dtype=np.bool_)
    again = build_model(test.claim, source.columns, source.terms, people=others)
    return run_claim_test(test.claim, again, source.inference)
