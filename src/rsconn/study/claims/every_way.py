"""Every claim under every way of analysing it: the same designs, estimators and verdicts as the primary analysis."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rsconn.arrays import FloatArray
from rsconn.settings.ways import Axis, Way, list_axes
from rsconn.study.claims.claim_table import FamilyResult
from rsconn.study.claims.designs import Terms, build_model, has_edge, read_terms
from rsconn.study.claims.evaluation import correct_families
from rsconn.study.claims.samples import find_sample, find_sides
from rsconn.study.claims.verdicts import ClaimTest, run_claim_test
from rsconn.study.people.used_columns import Columns, Mask
from rsconn.study.second_looks.motion_checks import MOTION_COLUMN

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.config import Config

# Median absolute deviation of a normal variable, in its SD.
_MAD_TO_SD = 1.4826


@dataclass(frozen=True, eq=False)
class WayEdges:
    """What a way makes of the runs, on the cohort's rows.

    Attributes
    ----------
    z : array (n_rows, n_edges)
        Fisher z; NaN where there is none.
    mean_fd : array (n_rows,) or None
        Of the runs that are usable so, mm; None where the participants table says it.
    """

    z: FloatArray
    mean_fd: FloatArray | None


@dataclass(frozen=True, eq=False)
class ClaimWay:
    """A claim under a way.

    Attributes
    ----------
    way : int
        Position of the way; 0 is the primary analysis.
    test, result
        As for the primary analysis.
    qc_fc : float
        Correlation of the edge with mean FD among the claim's people; NaN if unknown.
    """

    way: int
    test: ClaimTest
    result: FamilyResult
    qc_fc: float


def find_own_axes(claim: Claim, config: Config, axes: Sequence[Axis]) -> tuple[int, ...]:
    """Return the axes that can move a claim; along the others it is the same.

    Parameters
    ----------
    claim : Claim
        The claim.
    config : Config
        Edges and ROIs.
    axes : sequence of Axis
        `rsconn.settings.ways.list_axes`.
    """
    partial = any("partial" in axis.labels for axis in axes) or config.connectivity.kind == "partial"
    ends = {
        name for edge in config.edges if edge.name in _list_terms(claim) for name in (edge.first, edge.second)
    }
    regions = set(config.rois.names) if partial and ends else ends
    return tuple(position for position, axis in enumerate(axes) if _moves(axis.name, claim, config, regions))


def _moves(axis: str, claim: Claim, config: Config, regions: set[str]) -> bool:
    if axis.startswith("score_"):
        return axis.removeprefix("score_") in _list_terms(claim)
    if axis.startswith("roi_"):
        return axis.removeprefix("roi_") in regions
    if axis == "radius_mm":
        return any(config.rois.get(name).sphere for name in regions)
    return bool(regions)


def _list_terms(claim: Claim) -> set[str | None]:
    return {claim.outcome, claim.predictor}


def list_own_ways(claim: Claim, config: Config, ways: Sequence[Way]) -> list[int]:
    """Return the ways that differ for a claim, the primary first; only that one where no axis moves it."""
    axes = list_axes(config)
    fixed = set(range(len(axes))) - set(find_own_axes(claim, config, axes))
    return [
        position
        for position, way in enumerate(ways)
        if all(way.labels[axis] == axes[axis].labels[0] for axis in fixed)
    ]


def change_claim(claim: Claim, way: Way, default: Sequence[str]) -> Claim:
    """Return a claim with the scores and covariates of a way.

    Of a claim's own list the part that is no default (its group) stays; what it compares or relates is not added.
    """
    changes: dict[str, object] = {}
    versions = dict(way.scores)
    for term in ("outcome", "predictor"):
        if (name := getattr(claim, term)) in versions:
            changes[term] = versions[name]
    if claim.covariates is not None and way.covariates is not None:
        own = [name for name in claim.covariates if name not in default]
        about = _list_terms(claim) | ({claim.contrast.column} if claim.contrast is not None else set())
        changes["covariates"] = tuple(
            dict.fromkeys((*own, *(name for name in way.covariates if name not in about)))
        )
    return claim.model_copy(update=changes) if changes else claim


@dataclass(eq=False)
class WayTests:
    """The tests of all claims under the ways asked for; equal samples are tested once.

    Parameters
    ----------
    columns : mapping of str to array (n_rows,)
        The cohort, sorted (`rsconn.study.claims.evaluation.sort_columns`).
    config : Config
        Claims and what they rest on.
    ways : sequence of Way
        `rsconn.settings.ways.list_ways`.
    samples : sequence of WayEdges
        One per way.
    edges : sequence of str
        Names of the samples' columns.
    """

    columns: Columns
    config: Config
    ways: Sequence[Way]
    samples: Sequence[WayEdges]
    edges: Sequence[str]
    _known: dict[Hashable, ClaimTest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what all designs share."""
        self._terms = read_terms(self.config)
        self._changed_terms: dict[tuple[str, ...], Terms] = {}
        self._places = {name: place for place, name in enumerate(self.edges)}
        self._inference = self.config.inference.model_copy(update={"n_permutations": 0})

    def evaluate(self, position: int) -> dict[str, ClaimWay]:
        """Return claim id to its test and verdict under one way, families corrected within the way."""
        columns = self.make_way_columns(position)
        tests = tuple(self.test(claim, position, columns) for claim in self.config.claims)
        results = correct_families(tests, self._inference)
        return {
            claim.id: ClaimWay(position, test, result, self.relate_motion(test, columns))
            for claim, test, result in zip(self.config.claims, tests, results, strict=True)
        }

    def make_way_columns(self, position: int) -> dict[str, np.ndarray]:
        """Return the cohort with the edges and the motion of a way."""
        sample = self.samples[position]
        edges = {name: sample.z[:, place] for name, place in self._places.items()}
        motion = {} if sample.mean_fd is None else {MOTION_COLUMN: sample.mean_fd}
        return {**self.columns, **edges, **motion}

    def test(self, claim: Claim, position: int, columns: Columns) -> ClaimTest:
        """Test a claim on the cohort of a way."""
        way = self.ways[position]
        changed = change_claim(claim, way, self.config.covariates.edge)
        edges = [name for name in (changed.outcome, changed.predictor) if name in self._places]
        terms = self._find_terms(way.covariates) if edges else self._terms
        outlier_sd = way.outlier_sd if edges else None
        key = (
            claim.id, changed.outcome, changed.predictor, changed.covariates, terms.edge_covariates, outlier_sd,
            *(columns[str(name)].tobytes() for name in edges), self._describe_motion(position),
        )  # fmt: skip
        if key not in self._known:
            people = None
            if outlier_sd is not None:
                people = find_inliers(changed, columns, [str(name) for name in edges], outlier_sd)
            design = build_model(changed, columns, terms, people=people)
            self._known[key] = run_claim_test(changed, design, self.config.inference)
        return self._known[key]

    def _find_terms(self, covariates: tuple[str, ...] | None) -> Terms:
        """Return what designs would need of a config with these covariates of edges."""
        if covariates is None:
            return self._terms
        if covariates not in self._changed_terms:
            edge = self.config.covariates.model_copy(update={"edge": covariates})
            self._changed_terms[covariates] = read_terms(self.config.model_copy(update={"covariates": edge}))
        return self._changed_terms[covariates]

    def _describe_motion(self, position: int) -> bytes | None:
        motion = self.samples[position].mean_fd
        return None if motion is None else motion.tobytes()

    def relate_motion(self, test: ClaimTest, columns: Columns) -> float:
        """Return QC-FC: the correlation of the claim's edge with mean FD among its people."""
        if not has_edge(test.claim, self._terms) or test.claim.paired or MOTION_COLUMN not in columns:
            return np.nan
        name = test.claim.outcome if test.claim.outcome in self._places else test.claim.predictor
        rows = test.design.rows
        edge, motion = columns[str(name)][rows], columns[MOTION_COLUMN][rows]
        if motion.dtype.kind != "f":
            return np.nan
        known = np.isfinite(edge) & np.isfinite(motion)
        if known.sum() < 3 or np.ptp(edge[known]) == 0 or np.ptp(motion[known]) == 0:
            return np.nan
        return float(np.corrcoef(edge[known], motion[known])[0, 1])


def find_inliers(claim: Claim, columns: Columns, edges: Sequence[str], outlier_sd: float) -> Mask:
    """Return whose edges are within so many robust SDs (1.4826 MAD) of their side's median; (n_rows,).

    A side is that of a contrast; in a slope everybody is on one. Who has no edge stays, for others to leave out.
    """
    sample = find_sample(claim, columns)
    sides = [np.ones_like(sample)] if claim.contrast is None else find_sides(claim.contrast, columns)
    keep = np.ones_like(sample)
    for name in edges:
        for side in sides:
            keep &= ~_find_far(columns[name], sample & side, outlier_sd)
    return keep


def _find_far(values: FloatArray, among: Mask, outlier_sd: float) -> Mask:
    known = among & np.isfinite(values)
    if not known.any():
        return known
    middle = np.median(values[known])
    spread = _MAD_TO_SD * np.median(np.abs(values[known] - middle))
    with np.errstate(invalid="ignore"):
        return np.asarray(known & (np.abs(values - middle) > outlier_sd * spread))


def list_curves(config: Config, ways: Sequence[Way]) -> list[str]:
    """Return for each way which question it answers: `PRIMARY_CURVE`, or the estimand that it changes."""
    axes = list_axes(config)
    return [_name_curve(axes, way) for way in ways]


PRIMARY_CURVE = "primary"


def _name_curve(axes: Sequence[Axis], way: Way) -> str:
    changed = [
        f"{axis.name}={label}"
        for axis, label in zip(axes, way.labels, strict=True)
        if axis.is_estimand and label != axis.labels[0]
    ]
    return ";".join(changed) or PRIMARY_CURVE


def evaluate_ways(tests: WayTests, own: Mapping[str, Sequence[int]]) -> dict[str, list[ClaimWay]]:
    """Return claim id to its results under the ways that differ for it, in their order.

    Parameters
    ----------
    tests : WayTests
        What to test on.
    own : mapping of str to sequence of int
        Claim id to positions of ways (`list_own_ways`).
    """
    wanted = sorted({position for positions in own.values() for position in positions})
    found: dict[str, list[ClaimWay]] = {claim: [] for claim in own}
    sets = {claim: set(positions) for claim, positions in own.items()}
    for position in wanted:
        evaluated = tests.evaluate(position)
        for claim, positions in sets.items():
            if position in positions:
                found[claim].append(evaluated[claim])
    return found
