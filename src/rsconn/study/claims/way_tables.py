"""Rows of the multiverse's tables: every specification, what they say together, and which choice moves them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rsconn.inference.effect_sizes import compute_effect_size
from rsconn.inference.estimators import compute_interval
from rsconn.inference.joint_tests import JointTest, compute_variance_shares, run_joint_test
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.settings.claims import Verdict
from rsconn.settings.ways import Axis, Way, list_axes
from rsconn.study.claims.claim_table import judge
from rsconn.study.claims.every_way import PRIMARY_CURVE, ClaimWay, list_curves
from rsconn.study.claims.verdicts import get_rule, get_sign

if TYPE_CHECKING:
    from rsconn.settings.config import Config

JOINT_COLUMNS = (
    "claim", "curve", "n_specifications", "n_supported", "n_negligible", "n_contradicted", "n_inconclusive",
    "n_not_testable", "estimate_median", "estimate_low", "estimate_high", "estimate_primary", "share_below_primary",
    "primary_is_outlier", "median_t", "p_median", "share_significant", "p_share", "p_joint", "n_flips",
    "decisive_axis", "decisive_share",
)  # fmt: skip
AXIS_COLUMNS = ("claim", "curve", "axis", "with_axis", "share")
# The primary analysis is an outlier if it lies further out than all but this share of its siblings, on either side;
# or beyond Tukey's fences.
_TAIL, _FENCE, _LEAST_SIBLINGS = 0.025, 1.5, 10

Found = Mapping[str, Sequence[ClaimWay]]


@dataclass(frozen=True, eq=False)
class WayTables:
    """Tables of group/.

    Attributes
    ----------
    ways : DataFrame
        One row per specification x claim.
    joint : DataFrame
        One row per claim (x curve): `JOINT_COLUMNS`.
    axes : DataFrame
        One row per claim x axis, and pair of axes: `AXIS_COLUMNS`.
    """

    ways: pd.DataFrame
    joint: pd.DataFrame
    axes: pd.DataFrame


def tabulate_multiverse(found: Found, ways: Sequence[Way], config: Config) -> WayTables:
    """Return the three tables.

    Parameters
    ----------
    found : mapping of str to sequence of ClaimWay
        Claim id to its results (`rsconn.study.claims.every_way.evaluate_ways`).
    ways : sequence of Way
        All of them, in order.
    config : Config
        Axes, alpha, seed and number of flips.
    """
    axes, curves = list_axes(config), list_curves(config, ways)
    rows = [
        _describe_way(each, ways[each.way], curves[each.way], axes)
        for claim in found
        for each in found[claim]
    ]
    names = ("specification", *(axis.name for axis in axes), *_WAY_COLUMNS)
    parts = [(claim, *part) for claim in found for part in _split_curves(found[claim], curves)]
    joint = [_describe_joint(claim, curve, part, ways, config) for claim, curve, part in parts]
    shares = [row for claim, curve, part in parts for row in _list_shares(claim, curve, part, ways, axes)]
    return WayTables(
        pd.DataFrame(rows, columns=list(names)),
        pd.DataFrame(joint, columns=list(JOINT_COLUMNS)),
        pd.DataFrame(shares, columns=list(AXIS_COLUMNS)),
    )


_WAY_COLUMNS = (
    "primary", "claim", "n", "estimate", "std_error", "effect_size", "p", "verdict", "qc_fc", "curve", "n_per_group",
    "dof", "ci_family_low", "ci_family_high", "p_family", "reason",
)  # fmt: skip


def _describe_way(each: ClaimWay, way: Way, curve: str, axes: Sequence[Axis]) -> dict[str, Any]:
    test, result = each.test, each.result
    row = {
        "specification": each.way + 1,
        **{axis.name: label for axis, label in zip(axes, way.labels, strict=True)},
        **dict.fromkeys(_WAY_COLUMNS, math.nan),
        "primary": each.way == 0,
        "claim": test.claim.id,
        "n": test.design.n,
        "verdict": judge(test, result).verdict.value,
        "qc_fc": each.qc_fc,
        "curve": curve,
        "n_per_group": test.design.n_per_group,
        "reason": test.reason or None,
    }
    if test.finding is not None:
        estimate = test.finding.estimate
        low, high = compute_interval(estimate, 1 - test.alpha / result.m)
        row |= {
            "estimate": estimate.estimate,
            "std_error": estimate.std_error,
            "effect_size": compute_effect_size(test.finding.model),
            "p": test.finding.p,
            "dof": estimate.dof,
            "ci_family_low": low,
            "ci_family_high": high,
            "p_family": result.p_family,
        }
    return row


def _split_curves(results: Sequence[ClaimWay], curves: Sequence[str]) -> Iterator[tuple[str, list[ClaimWay]]]:
    """Yield the specifications that answer one question, the primary's first."""
    for curve in dict.fromkeys((PRIMARY_CURVE, *curves)):
        part = [each for each in results if curves[each.way] == curve]
        if part:
            yield curve, part


def _describe_joint(
    claim: str, curve: str, part: Sequence[ClaimWay], ways: Sequence[Way], config: Config
) -> dict[str, Any]:
    verdicts = Counter(judge(each.test, each.result).verdict for each in part)
    row: dict[str, Any] = {
        **dict.fromkeys(JOINT_COLUMNS, math.nan),
        "claim": claim,
        "curve": curve,
        "n_specifications": len(part),
        **{f"n_{verdict.name.lower()}": verdicts[verdict] for verdict in Verdict},
        "primary_is_outlier": None,
        "decisive_axis": None,
    }
    tested = [each for each in part if each.test.finding is not None]
    if not tested:
        return row
    estimates = np.array([_get_estimate(each) for each in tested])
    row |= {
        "estimate_median": float(np.median(estimates)),
        "estimate_low": float(estimates.min()),
        "estimate_high": float(estimates.max()),
        **_place_primary(tested, estimates),
    }
    joint = _test_jointly(tested, config)
    if joint is not None:
        row |= {
            "median_t": joint.median,
            "p_median": joint.p_median,
            "share_significant": joint.share,
            "p_share": joint.p_share,
            "p_joint": joint.p,
            "n_flips": config.multiverse.n_flips if config.multiverse else math.nan,
        }
    mains = [each for each in _compute_shares(tested, ways) if len(each.axes) == 1]
    if mains:
        largest = max(mains, key=lambda each: each.share)
        axes = list_axes(config)
        row |= {"decisive_axis": axes[largest.axes[0]].name, "decisive_share": largest.share}
    return row


def _get_estimate(each: ClaimWay) -> float:
    if each.test.finding is None:
        raise ValueError("a claim that cannot be tested has no estimate")
    return each.test.finding.estimate.estimate


def _place_primary(tested: Sequence[ClaimWay], estimates: np.ndarray) -> dict[str, Any]:
    """Return where the primary analysis stands among its siblings; nothing where it is not one of them."""
    place = next((place for place, each in enumerate(tested) if each.way == 0), None)
    if place is None:
        return {}
    primary, siblings = estimates[place], np.delete(estimates, place)
    placed: dict[str, Any] = {"estimate_primary": float(primary)}
    if not siblings.size:
        return placed
    # equal but for rounding counts as equal
    slack = 1e-9 * float(np.abs(estimates).max())
    below, above = (siblings < primary - slack).mean(), (siblings > primary + slack).mean()
    low, high = np.quantile(siblings, (0.25, 0.75))
    beyond = primary < low - _FENCE * (high - low) - slack or primary > high + _FENCE * (high - low) + slack
    extreme = max(below, above) > 1 - _TAIL
    outlier = siblings.size >= _LEAST_SIBLINGS and bool(extreme or beyond)
    return placed | {"share_below_primary": float(below), "primary_is_outlier": outlier}


def _test_jointly(tested: Sequence[ClaimWay], config: Config) -> JointTest | None:
    """Return the joint test; None for claims of no difference and of several levels, for which there is none."""
    first = tested[0].test
    rule = get_rule(first.claim.expect)
    if rule == "equivalence" or first.claim.kind is ClaimKind.OMNIBUS or config.multiverse is None:
        return None
    findings = [each.test.finding for each in tested if each.test.finding is not None]
    return run_joint_test(
        [finding.model for finding in findings],
        [finding.estimate for finding in findings],
        sign=get_sign(first.claim.expect) if rule == "directional" else 0,
        alpha=first.alpha,
        n_flips=config.multiverse.n_flips,
        seed=config.inference.seed,
    )


def _compute_shares(tested: Sequence[ClaimWay], ways: Sequence[Way]) -> Sequence[Any]:
    labels = np.array([ways[each.way].labels for each in tested], dtype=object)
    if not labels.size:
        return ()
    levels = np.column_stack([np.unique(column.astype(str), return_inverse=True)[1] for column in labels.T])
    return compute_variance_shares(levels, np.array([_get_estimate(each) for each in tested]))


def _list_shares(
    claim: str, curve: str, part: Sequence[ClaimWay], ways: Sequence[Way], axes: Sequence[Axis]
) -> Iterator[dict[str, Any]]:
    tested = [each for each in part if each.test.finding is not None]
    for each in _compute_shares(tested, ways):
        first, second = (*(axes[axis].name for axis in each.axes), None)[:2]
        yield {"claim": claim, "curve": curve, "axis": first, "with_axis": second, "share": each.share}
