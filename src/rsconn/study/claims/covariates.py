"""What a claim adjusts for: what cannot be used is left out and named; what is tested must remain to be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.inference.model import Model, is_full_rank, make_geometry, residualise
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.claims.complete_rows import (
    Coding,
    encode_covariates,
    find_complete,
    find_lone,
    merge_repeats,
)
from rsconn.study.claims.flags import Flag
from rsconn.study.claims.samples import Draft, name_cells
from rsconn.study.people.used_columns import Columns

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim


class CovariateFault(StrEnum):
    """Why a covariate cannot stand in a claim's model, in the words that the claim's reason has."""

    ALIASED = "is aliased with what is tested"
    ALIASED_WITH_OTHERS = "is aliased with the other covariates"
    ABOUT = "is what the claim is about"
    MISSING = "is missing for"
    CONSTANT = "is constant in the sample"
    SAME_WITHIN_PERSON = "does not change within a person"
    CHANGES_ALIKE = "changes alike in everybody"
    NOT_OF_PAIRS = "is no default covariate of pairs"


# A person's two sessions differ in age by the time between them, which is part of what changed; sex does not change.
NOT_OF_PAIRS = frozenset({"age", "sex"})
# What a listed covariate may turn out to be without harm: it changes no estimate.
_CHANGES_NOTHING = frozenset(
    {CovariateFault.CONSTANT, CovariateFault.SAME_WITHIN_PERSON, CovariateFault.CHANGES_ALIKE}
)


@dataclass(frozen=True)
class LeftOutCovariate:
    """A covariate that cannot stand in a claim's model.

    Attributes
    ----------
    name : str
        Its column.
    fault : CovariateFault
        Why not.
    of : str
        For whom it is missing; else empty.
    """

    name: str
    fault: CovariateFault
    of: str = ""

    @property
    def why(self) -> str:
        """The fault in words."""
        return f"{self.fault} {self.of}".strip()


@dataclass(frozen=True, eq=False)
class Choice:
    """The covariates of a claim and the rows that have them all.

    Attributes
    ----------
    names : tuple of str
        Covariates that stand in the model.
    dropped : tuple of LeftOutCovariate
        Those that were left out.
    draft : Draft
        The claim's rows, complete in every covariate.
    refused : LeftOutCovariate or None
        One without which the claim cannot be tested; None if there is none.
    """

    names: tuple[str, ...]
    dropped: tuple[LeftOutCovariate, ...]
    draft: Draft
    refused: LeftOutCovariate | None = None

    @property
    def fault(self) -> str:
        """Why the claim cannot be tested; empty if it can."""
        if self.draft.fault or self.refused is None:
            return self.draft.fault
        return f"covariate {self.refused.name} {self.refused.why}"


def choose_covariates(
    claim: Claim,
    columns: Columns,
    draft: Draft,
    wanted: Sequence[str],
    *,
    listed: bool,
    coding: Coding | None = None,
) -> Choice:
    """Leave out covariates that cannot be used, one at a time.

    Leaving one out can bring people back, so every round starts again from the people who have the rest. A listed
    one may only be left out if that changes nothing. One that cannot be told apart from what is tested (all patients
    at one site) leaves the claim untestable, default or listed: unadjusted, the test would be of the site.
    """
    coding = coding or Coding()
    names, dropped = list(dict.fromkeys(wanted)), []
    while found := _find_unusable(claim, columns, draft, names, coding, listed=listed):
        if found.fault == CovariateFault.ALIASED or (listed and found.fault not in _CHANGES_NOTHING):
            break
        if found.fault == CovariateFault.CONSTANT:
            draft = _leave_lone(draft, columns, found.name, coding)
        names.remove(found.name)
        dropped.append(found)
    return Choice(tuple(names), tuple(dropped), _narrow(claim, columns, draft, names, coding), refused=found)


def _narrow(claim: Claim, columns: Columns, draft: Draft, names: Sequence[str], coding: Coding) -> Draft:
    """Keep who has every covariate, one of a person's equal rows, and nobody who alone has a category."""
    if names:
        draft = draft.keep(find_complete(columns, draft, names), "no " + ", ".join(names))
    draft = merge_repeats(claim, columns, draft, names)
    while found := find_lone(draft, columns, names, coding):
        lone, rule = found
        draft = draft.keep(~lone, rule)
    return draft


def _leave_lone(draft: Draft, columns: Columns, name: str, coding: Coding) -> Draft:
    """Leave out the one person without whom a covariate is constant: unadjusted, they would count as the others do."""
    there = find_complete(columns, draft, [name])
    found = find_lone(replace(draft, flow=()).keep(there, ""), columns, [name], coding)
    if found is None:
        return draft
    keep = np.ones(draft.rows.size, dtype=bool)
    keep[np.flatnonzero(there)[found[0]]] = False
    return draft.keep(keep, found[1])


def _find_unusable(
    claim: Claim, columns: Columns, draft: Draft, names: Sequence[str], coding: Coding, *, listed: bool
) -> LeftOutCovariate | None:
    """Return the first covariate that cannot stand in the model, and why."""
    for name in names:
        if name not in columns:
            raise TableError(f"cohort: no column {name!r}, a covariate of claim {claim.id}")
        if name in _list_subjects(claim, coding):
            return LeftOutCovariate(name, CovariateFault.ABOUT)
        if claim.paired and not listed and name in NOT_OF_PAIRS:
            return LeftOutCovariate(name, CovariateFault.NOT_OF_PAIRS)
        missing = _find_missing_side(claim, columns, draft, name)
        if missing:
            return LeftOutCovariate(name, CovariateFault.MISSING, missing)
    if find_complete(columns, draft, names).sum() < 2:
        return None  # too few people; nothing can be said of the covariates
    kept = _narrow(claim, columns, replace(draft, flow=()), names, coding)
    return _find_aliased(claim, kept, columns, names, coding)


def _list_subjects(claim: Claim, coding: Coding) -> set[str | None]:
    """Columns that a claim names as its outcome, predictor or contrast, the group under both of its names."""
    about = {claim.outcome, claim.predictor, *(each.column for each in claim.contrasts.values())}
    group = {"group", coding.group_column}
    return about | group if about & group else about


def _find_missing_side(claim: Claim, columns: Columns, draft: Draft, name: str) -> str:
    """Return whom a covariate is missing for: everyone, or everyone on one side of a contrast; else empty."""
    there = find_complete(columns, draft, [name])
    if draft.rows.size and not there.any():
        return "everyone"
    for side, label in zip(draft.list_cells(), name_cells(claim, draft), strict=True):
        if side.any() and not there[side].any():
            return f"all of {label}"
    return ""


def _find_aliased(
    claim: Claim, draft: Draft, columns: Columns, names: Sequence[str], coding: Coding
) -> LeftOutCovariate | None:
    before = draft.basis
    if draft.own is not None and not is_full_rank(np.column_stack([draft.tested, before])):
        return None  # the model will be refused whatever it adjusts for
    for name, block in encode_covariates(draft, columns, names, coding):
        if not block.any() or (draft.has_constant and not np.ptp(block, axis=0).any()):
            return LeftOutCovariate(name, _explain_constant(draft, columns, name))
        with_it = np.column_stack([before, block])
        if with_it.shape[1] + 1 > draft.rows.size:
            return None  # the model will be refused for its size
        if not is_full_rank(with_it):
            return LeftOutCovariate(name, CovariateFault.ALIASED_WITH_OTHERS)
        if not is_full_rank(np.column_stack([draft.tested, with_it])):
            about = name in _list_conditions(claim)
            return LeftOutCovariate(name, CovariateFault.ABOUT if about else CovariateFault.ALIASED)
        before = with_it
    return None


def _explain_constant(draft: Draft, columns: Columns, name: str) -> CovariateFault:
    if draft.partners is None:
        return CovariateFault.CONSTANT
    same = bool((columns[name][draft.rows] == columns[name][draft.partners]).all())
    return CovariateFault.SAME_WITHIN_PERSON if same else CovariateFault.CHANGES_ALIKE


def _list_conditions(claim: Claim) -> set[str]:
    """Columns that the conditions of contrasts' sides name."""
    sides = [side for each in claim.contrasts.values() for side in each.sides if not isinstance(side, str)]
    return {name for side in sides for name in parse_expression(side.where).columns}


UNEQUAL_SMALL_CELLS = Flag.UNEQUAL_SIDES
STRONG_SKEW = Flag.SKEW
HIGH_LEVERAGE = Flag.LEVERAGE

SMALL_CELL = 10
LARGEST_N_RATIO = 1.25
LARGEST_VARIANCE_RATIO = 2.0
# With this many people per cell the mean of an exponential variable (skew 2) is nearly normal.
ENOUGH_FOR_SKEW = 40
LARGEST_SKEW = 1.0
# A small normal sample seldom has a skew of more than so many of its standard errors.
CHANCE = 2.5
LARGEST_LEVERAGE = 0.5


@dataclass(frozen=True)
class Stress:
    """What of a design goes beyond what the tests promise.

    Attributes
    ----------
    flag : Flag
        For the flags column.
    detail : str
        The numbers behind it.
    """

    flag: Flag
    detail: str


def find_stress(model: Model) -> list[Stress]:
    """Return every resemblance of a testable model with a stress scenario; empty for ordinary designs.

    Looked at are the sizes and variances of the two sides of a contrast, the skew of the residuals, and the
    largest leverage. Motion that goes with the contrast has a flag of its own
    (`rsconn.study.second_looks.motion_checks`).

    Parameters
    ----------
    model : Model
        It has passed `rsconn.inference.model.check_model`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> outcome = np.concatenate([3 * rng.normal(size=8), rng.normal(size=40)])
    >>> group = np.repeat([1.0, 0.0], [8, 40])
    >>> model = Model(outcome, group, np.ones((48, 1)), "contrast", "welch", np.arange(48))
    >>> [str(stress.flag) for stress in find_stress(model)]
    ['small unequal groups']
    """
    found = [_check_cells(model), _check_skew(model), _check_leverage(model)]
    return [stress for stress in found if stress is not None]


def _check_cells(model: Model) -> Stress | None:
    if model.kind not in {"contrast", "omnibus"}:
        return None
    residuals = _compute_residuals(model)
    sides = [residuals[cell] for cell in model.list_cells()]
    sizes = [side.size for side in sides]
    variances = [float(side.var(ddof=1)) for side in sides]
    small, large = min(variances), max(variances)
    if min(sizes) >= SMALL_CELL or max(sizes) <= LARGEST_N_RATIO * min(sizes):
        return None
    if large <= LARGEST_VARIANCE_RATIO * small:
        return None
    ratio = f"{large / small:.1f}" if small > 0 else "unbounded"
    return Stress(UNEQUAL_SMALL_CELLS, f"n {' and '.join(map(str, sizes))}, ratio of the variances {ratio}")


def _check_skew(model: Model) -> Stress | None:
    """Skew of the same shape cancels in a contrast of equal n; in every other small design it does not."""
    smallest = model.n
    if model.kind in {"contrast", "omnibus"}:
        sizes = [int(cell.sum()) for cell in model.list_cells()]
        smallest, largest = min(sizes), max(sizes)
        if largest <= LARGEST_N_RATIO * smallest:
            return None
    if smallest >= ENOUGH_FOR_SKEW:
        return None
    skew = float(stats.skew(_standardise_sides(model), bias=False))
    if abs(skew) <= max(LARGEST_SKEW, CHANCE * _compute_skew_error(model.n)):
        return None
    return Stress(STRONG_SKEW, f"skew of the residuals {skew:+.1f} with n = {smallest}")


def _standardise_sides(model: Model) -> FloatArray:
    """Return the residuals (n,), those of each side of a contrast in units of their own SD."""
    residuals = _compute_residuals(model)
    if model.kind in {"contrast", "omnibus"}:
        for side in model.list_cells():
            residuals[side] /= max(float(residuals[side].std()), np.finfo(float).tiny)
    return residuals


def _compute_skew_error(n: int) -> float:
    """Standard error of the skew of n normal values."""
    return float(np.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))) if n > 2 else np.inf


def _check_leverage(model: Model) -> Stress | None:
    """A slope that hangs on one predictor value has an HC3 variance that hangs on one residual."""
    if model.kind != "slope":
        return None
    geometry = make_geometry(model)
    share = float((geometry.direction**2).max() / geometry.information)
    if share <= LARGEST_LEVERAGE:
        return None
    return Stress(HIGH_LEVERAGE, f"one person has {share:.0%} of the predictor's adjusted sum of squares")


def _compute_residuals(model: Model) -> FloatArray:
    """Return the residuals (n,) of the whole model."""
    return np.asarray(residualise(model.outcome, make_geometry(model).basis))
