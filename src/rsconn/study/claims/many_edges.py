"""Claims on many edges: whose edges, which model, the test of all of them, and one verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from rsconn.arrays import FloatArray
from rsconn.inference.edgewise import EdgewiseTest, compare_edges, draw_arrangements, exclude_effects
from rsconn.inference.estimators import adjust_holm
from rsconn.inference.model import Floats, Model
from rsconn.inference.patches import choose_exchange
from rsconn.inference.verdict_power import find_min_detectable, make_plan
from rsconn.inference.voxelwise import compute_critical
from rsconn.naming import format_edge
from rsconn.settings.claims import Verdict
from rsconn.settings.edge_claims import ANY_EDGE, EdgeClaim, list_pairs
from rsconn.study.claims.bounds import BoundSource, find_bound
from rsconn.study.claims.claim_table import CLAIM_COLUMNS, explain_dropped
from rsconn.study.claims.designs import Design, Terms, build_model
from rsconn.study.claims.flags import Flag
from rsconn.study.claims.verdicts import POWER, ClaimTest, decide, describe_needed_n, find_fault
from rsconn.study.people.used_columns import Columns

if TYPE_CHECKING:
    from rsconn.settings.config import Config
    from rsconn.settings.rois import RoiSet
    from rsconn.settings.sections import InferenceSettings

MATRIX_COLUMNS = (
    "roi_1", "roi_2", "network_1", "network_2", "n", "estimate", "std_error", "dof", "t", "p", "p_fwe", "q_fdr",
    "q_fdr_by", "component",
)  # fmt: skip
COMPONENT_COLUMNS = ("component", "sign", "n_edges", "intensity", "p_extent", "p_intensity", "n_rois", "rois")


@dataclass(frozen=True, eq=False)
class ManyEdges:
    """What was found of one claim on many edges.

    Attributes
    ----------
    claim : EdgeClaim
    design : Design
        Its people and covariates.
    pairs : list of (int, int)
        Its edges, as places of their regions in the set.
    test : EdgewiseTest or None
        None if it cannot be tested.
    estimates, std_errors : ndarray (n_edges,)
        Least squares, HC3.
    n : ndarray of int (n_edges,)
        People who have the edge.
    p_contradict : float
        The largest over the edges of the equivalence test's p: whether every edge is smaller than the bound.
    reason : str
        Why it cannot be tested; empty if it can.
    flags : tuple of Flag
    """

    claim: EdgeClaim
    design: Design
    pairs: Sequence[tuple[int, int]]
    test: EdgewiseTest | None
    estimates: FloatArray
    std_errors: FloatArray
    n: np.ndarray
    p_contradict: float
    reason: str
    flags: tuple[Flag, ...] = ()

    @property
    def p(self) -> float:
        """The smallest p of its edges, corrected by the largest |t|."""
        return math.nan if self.test is None else float(np.nanmin(self.test.p_fwe))


def add_any_edge(columns: Columns, z: FloatArray) -> dict[str, Any]:
    """Return the cohort with the column that stands for all edges: their mean, n/a for people without any."""
    known = np.isfinite(z)
    count = known.sum(axis=1)
    mean = np.where(known, z, 0.0).sum(axis=1) / np.maximum(count, 1)
    return {**columns, ANY_EDGE: np.where(count > 0, mean, np.nan)}


def evaluate_edge_claim(
    claim: EdgeClaim,
    columns: Columns,
    z: FloatArray,
    rois: RoiSet,
    terms: Terms,
    inference: InferenceSettings,
) -> ManyEdges:
    """Test a claim on many edges.

    Parameters
    ----------
    claim : EdgeClaim
    columns : mapping of str to array (n_rows,)
        The cohort.
    z : ndarray (n_rows, n_rois, n_rois)
        Fisher z of each row's edges; NaN where it lacks one.
    rois : RoiSet
        In the order of the matrices.
    terms : Terms
        What the config says of covariates and exchange.
    inference : InferenceSettings
        Number of permutations and seed.
    """
    pairs = list_pairs(claim.outcome, rois)
    first, second = np.array(pairs).T
    values = z[:, first, second]
    stand_in = claim.stand_in
    design = build_model(stand_in, add_any_edge(columns, values), terms)
    model = design.model
    nothing = np.full(len(pairs), np.nan)
    missing = ManyEdges(
        claim, design, pairs, None, nothing, nothing, np.zeros(len(pairs), int), math.nan, design.reason
    )
    if model is None:
        return missing
    bound = find_bound(stand_in, inference)
    alpha = claim.alpha or inference.alpha
    judged = ClaimTest(stand_in, design, alpha, bound.standardise(model), None, "", bound_source=bound.source)
    reason, flags = find_fault(judged, model)
    if reason or inference.n_permutations == 0:
        why = reason or "inference.n_permutations is 0; claims on many edges need them"
        return ManyEdges(**{**vars(missing), "reason": why, "flags": flags})
    own = values[design.rows]
    exchange = choose_exchange(model.kind)
    units = model.units if model.has_families else None
    arrangements = draw_arrangements(
        model.n, exchange, inference.n_permutations, inference.seed,
        blocks=None if exchange == "signs" else model.blocks, units=units,
    )  # fmt: skip
    test = compare_edges(
        own, np.array(pairs), model.tested, model.nuisance, arrangements, exchange,
        forming_p=claim.forming_p, units=units,
    )  # fmt: skip
    excluded = exclude_effects(own, model.tested, model.nuisance, bound.value, stand_in.form.scale)
    p_contradict = math.nan if model.has_families else float(np.max(excluded.p))
    return ManyEdges(
        claim, design, pairs, test, excluded.estimates, excluded.std_errors,
        np.isfinite(own).sum(axis=0), p_contradict, "", flags,
    )  # fmt: skip


def tabulate_matrix(found: ManyEdges, rois: RoiSet) -> pd.DataFrame:
    """Return one row per edge: `MATRIX_COLUMNS`, none if the claim cannot be tested."""
    test = found.test
    if test is None:
        return pd.DataFrame(columns=list(MATRIX_COLUMNS))
    regions = [[rois.rois[place] for place in side] for side in zip(*found.pairs, strict=True)]
    columns: dict[str, Any] = {}
    for number, side in enumerate(regions, start=1):
        columns[f"roi_{number}"] = [roi.name for roi in side]
        columns[f"network_{number}"] = [roi.network or None for roi in side]
    columns |= {
        "n": found.n, "estimate": found.estimates, "std_error": found.std_errors, "dof": test.dof, "t": test.t,
        "p": test.p, "p_fwe": test.p_fwe, "q_fdr": test.q_bh, "q_fdr_by": test.q_by, "component": test.component,
    }  # fmt: skip
    return pd.DataFrame(columns)[list(MATRIX_COLUMNS)]


def tabulate_components(found: ManyEdges, rois: RoiSet) -> pd.DataFrame:
    """Return one row per component: `COMPONENT_COLUMNS`, those of the largest intensity first."""
    test, rows = found.test, []
    if test is None:
        return pd.DataFrame(columns=list(COMPONENT_COLUMNS))
    for number in range(1, 1 + len(test.sizes)):
        members = np.flatnonzero(test.component == number)
        places = sorted({place for edge in members.tolist() for place in found.pairs[edge]})
        names = [rois.rois[place].name for place in places]
        rows.append((
            number, "positive" if test.t[members[0]] > 0 else "negative", int(test.sizes[number - 1]),
            test.intensities[number - 1], test.size_p[number - 1], test.intensity_p[number - 1],
            len(names), " ".join(names),
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COMPONENT_COLUMNS))


def tabulate_edge_claims(found: Sequence[ManyEdges], config: Config) -> pd.DataFrame:
    """Return one row per claim, as those of `rsconn.study.claims.claim_table.tabulate_claims`.

    Holm runs over the claims of each family, over both sets of p; each p is corrected over its edges already.
    """
    families = {(each.claim.family, each.claim.exploratory) for each in found}
    corrected: dict[str, tuple[int, float, float]] = {}
    for family in sorted(families):
        members = [each for each in found if (each.claim.family, each.claim.exploratory) == family]
        for_it = adjust_holm([each.p for each in members])
        against = adjust_holm([each.p_contradict for each in members])
        m = sum(each.test is not None for each in members)
        corrected |= {
            each.claim.id: (m, float(one), float(other))
            for each, one, other in zip(members, for_it, against, strict=True)
        }
    rows = [_describe(each, *corrected[each.claim.id], config) for each in found]
    return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS))


def _describe(
    found: ManyEdges, m: int, p_family: float, p_contradict_family: float, config: Config
) -> dict[str, Any]:
    claim, stand_in = found.claim, found.claim.stand_in
    bound, model = find_bound(stand_in, config.inference), found.design.model
    alpha = claim.alpha or config.inference.alpha
    row: dict[str, Any] = dict.fromkeys(CLAIM_COLUMNS, math.nan) | {
        "id": claim.id, "family": claim.family, "text": claim.text, "n": found.design.n,
        "n_per_group": found.design.n_per_group, "sesoi": bound.standardise(model), "estimator": None,
        "verdict": Verdict.NOT_TESTABLE.value, "flags": None, "reason": None,
    }  # fmt: skip
    flags, reasons = [*found.flags], [found.reason]
    if found.test is not None and model is not None:
        against = p_contradict_family if math.isfinite(p_contradict_family) else 1.0
        decision = decide(claim.expect, 1.0, p_family=p_family, p_contradict_family=against, alpha=alpha)
        level = _find_level(found.test, model, alpha / m)
        test = ClaimTest(
            stand_in, found.design, alpha, bound.standardise(model), None, "", bound_source=bound.source
        )
        plan = make_plan(model)
        row |= {
            "estimator": "max_t", "p": found.p, "p_contradict": found.p_contradict, "p_permutation": found.p,
            "p_family": p_family, "p_contradict_family": p_contradict_family, "verdict": decision.verdict.value,
            "min_detectable": find_min_detectable(
                plan, alpha=level, rule="two-sided", power=POWER, sesoi=test.power_sesoi
            ),
        }  # fmt: skip
        flags += decision.flags
        reasons = [_describe_strongest(found, found.test, alpha, config.rois)]
        if decision.verdict is Verdict.NEGLIGIBLE and bound.source is BoundSource.DEFAULT:
            flags.append(Flag.DEFAULT_SESOI)
        if decision.verdict is Verdict.INCONCLUSIVE:
            reasons.append(describe_needed_n(test, model, plan, alpha=level))
            flags += [Flag.UNDERPOWERED] if not row["min_detectable"] <= test.sesoi else []
    flags += [Flag.EXPLORATORY] if claim.exploratory else []
    return row | {
        "flags": ";".join(flags) or None,
        "reason": "; ".join(filter(None, [*reasons, *explain_dropped(found.design)])) or None,
    }


def _find_level(test: EdgewiseTest, model: Model, alpha: float) -> float:
    """Return the two-sided level at which one edge is tested: that of the |t| which the largest seldom exceeds."""
    critical = compute_critical(test.null_t, alpha)
    if not math.isfinite(critical):
        critical = float(np.max(test.null_t))
    return float(2 * special.stdtr(model.n - model.n_parameters, -critical))


def _describe_strongest(found: ManyEdges, test: EdgewiseTest, alpha: float, rois: RoiSet) -> str:
    strongest = int(np.nanargmax(np.abs(np.nan_to_num(test.t))))
    n_tested = int(np.isfinite(test.t).sum())
    n_found = int((np.nan_to_num(test.p_fwe, nan=1.0) < alpha).sum())
    t, dof, p = test.t[strongest], test.dof[strongest], test.p_fwe[strongest]
    name = format_edge(*(rois.names[place] for place in found.pairs[strongest]))
    return (
        f"{n_found} of {n_tested} edges at corrected p < {alpha:g}; the strongest is {name}, t({dof}) = {t:.2f}, "
        f"corrected p = {p:.3g}"
    )


def arrange_matrices(
    keys: Sequence[tuple[str, str | None]], found: Mapping[tuple[str, str | None], Floats], n_rois: int
) -> FloatArray:
    """Return the matrices (n_rows, n_rois, n_rois) in the order of the cohort's rows; NaN for people without."""
    z = np.full((len(keys), n_rois, n_rois), np.nan)
    for row, key in enumerate(keys):
        if key in found:
            z[row] = found[key]
    return z
