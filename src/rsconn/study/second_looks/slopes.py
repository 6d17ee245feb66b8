"""Pooled against within-group slopes: whether what holds for everybody holds in each group (Simpson's paradox)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from rsconn.inference.estimators import Estimate, adjust_holm, compute_interval, compute_p, estimate_model
from rsconn.inference.model import Model, check_model
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.study.claims.designs import Design, Terms, build_model
from rsconn.study.claims.kinds import CONSTRUCTIONS
from rsconn.study.people.used_columns import Columns, match_value

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim

GROUP = "group"


class SlopeOf(StrEnum):
    """Whose slope it is, in the words of the sensitivity table; those of groups are followed by the groups."""

    ALL_GROUPS = "slope within groups"
    EVERYBODY = "slope without group"
    GROUP = "slope in"

    def name_analysis(self, *groups: str) -> str:
        """Return the name of an analysis: of one group's slope, or of one's minus another's."""
        return " ".join([self.value, " minus ".join(groups)]).strip()


_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Slope:
    """One of a claim's slopes.

    Attributes
    ----------
    name : str
        What was done, such as ``slope without group``.
    model, estimate
        None if it cannot be estimated.
    reason : str
        Why it cannot; empty if it can.
    n : int
        People.
    """

    name: str
    model: Model | None
    estimate: Estimate | None
    reason: str
    n: int


@dataclass(frozen=True, eq=False)
class SlopeComparison:
    """A claim's slope, seen from the groups.

    Attributes
    ----------
    slopes : tuple of Slope
        The common within-group slope, the slope without group, and each group's own.
    interactions : tuple of Slope
        Differences between two groups' slopes.
    """

    slopes: tuple[Slope, ...]
    interactions: tuple[Slope, ...]

    @property
    def signs_differ(self) -> bool:
        """Whether slopes point in different directions by more than noise.

        Two groups' slopes have different signs and the data tell them apart (Holm over the pairs of groups), or the
        intervals of two slopes exclude a common sign.
        """
        signs = {_find_sure_sign(slope) for slope in self.slopes}
        return {-1, 1} <= signs or self._groups_cross

    @property
    def _groups_cross(self) -> bool:
        p = [math.nan if slope.estimate is None else compute_p(slope.estimate) for slope in self.interactions]
        own = [slope.estimate for slope in self.slopes[2:]]
        return any(
            adjusted < _ALPHA and one is not None and other is not None and one.estimate * other.estimate < 0
            for adjusted, (one, other) in zip(adjust_holm(p), combinations(own, 2), strict=True)
        )


def compare_slopes(claim: Claim, design: Design, columns: Columns, terms: Terms) -> SlopeComparison | None:
    """Compare a slope with and without group, within each group, and between the groups.

    Parameters
    ----------
    claim, design : Claim, Design
        The claim and its own design.
    columns, terms : Columns, Terms
        As for `rsconn.study.claims.designs.build_model`.

    Returns
    -------
    SlopeComparison or None
        None for contrasts, for claims without a model, and where all people belong to one group.
    """
    if claim.kind is not ClaimKind.SLOPE or design.model is None or GROUP not in columns:
        return None
    present = {group for group in columns[GROUP][design.rows] if group is not None}
    groups = [
        *(level for level in terms.group_levels if level in present),
        *sorted(present - {*terms.group_levels}),
    ]
    if len(groups) < 2:
        return None
    others = [name for name in design.covariates if name not in {GROUP, terms.group_column}]
    member = {group: columns[GROUP] == group for group in groups}
    common = _fit(SlopeOf.ALL_GROUPS.value, build_model(claim, columns, terms, covariates=[*others, GROUP]))
    total = _fit(SlopeOf.EVERYBODY.value, build_model(claim, columns, terms, covariates=others))
    own = [
        _fit(
            SlopeOf.GROUP.name_analysis(group),
            build_model(claim, columns, terms, covariates=others, people=member[group]),
        )
        for group in groups
    ]
    interactions = [_fit_interaction(claim, columns, terms, others, pair) for pair in combinations(groups, 2)]
    return SlopeComparison((common, total, *own), tuple(interactions))


def list_parts(claim: Claim, design: Design, columns: Columns, terms: Terms) -> list[Slope]:
    """Return the slopes, contrasts or changes that a comparison compares, each from its own people."""
    parts = CONSTRUCTIONS[claim.kind].list_parts(claim, columns)
    return [
        _fit(
            part.name,
            build_model(part.claim, columns, terms, covariates=design.covariates, people=part.people),
        )
        for part in parts
    ]


def _fit(name: str, design: Design) -> Slope:
    if design.model is None:
        return Slope(name, None, None, design.reason, design.n)
    return Slope(name, design.model, estimate_model(design.model), "", design.n)


def _fit_interaction(
    claim: Claim, columns: Columns, terms: Terms, covariates: Sequence[str], pair: tuple[str, str]
) -> Slope:
    """Estimate the slope of the first group minus that of the second, everything else in common."""
    name = SlopeOf.GROUP.name_analysis(*pair)
    both = (columns[GROUP] == pair[0]) | (columns[GROUP] == pair[1])
    design = build_model(claim, columns, terms, covariates=[*covariates, GROUP], people=both)
    if design.model is None:
        return Slope(name, None, None, design.reason, design.n)
    in_first = match_value(columns[GROUP][design.rows], pair[0]).astype(float)
    model = replace(
        design.model,
        tested=design.model.tested * in_first,
        nuisance=np.column_stack([design.model.nuisance, design.model.tested]),
    )
    fault = check_model(model)
    if fault:
        return Slope(name, None, None, fault, design.n)
    return Slope(name, model, estimate_model(model), "", design.n)


def describe_signs(comparison: SlopeComparison) -> str | None:
    """Say that slopes point in different directions, and whether that is more than noise."""
    if not comparison.signs_differ:
        signs = {
            np.sign(slope.estimate.estimate) for slope in comparison.slopes if slope.estimate is not None
        }
        return "signs differ by no more than noise would give" if {-1.0, 1.0} <= signs else None
    sure = {slope.name: _find_sure_sign(slope) for slope in comparison.slopes}
    total = sure.pop(SlopeOf.EVERYBODY.value)
    if total and -total in sure.values():
        return "signs differ, intervals too (Simpson's paradox): what holds for everybody does not hold in each group"
    how = "intervals too" if {-1, 1} <= set(sure.values()) else "by the interaction"
    return f"the groups' slopes differ in sign, {how}: no slope holds for everybody"


def _find_sure_sign(slope: Slope) -> int:
    """Return the sign of both ends of a slope's 95 % interval; 0 if they differ or there is none."""
    if slope.estimate is None:
        return 0
    low, high = compute_interval(slope.estimate, 0.95)
    return int(low > 0) - int(high < 0)
