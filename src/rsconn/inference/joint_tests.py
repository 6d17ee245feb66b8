"""One test for all the ways of analysing one claim, and how much each choice moves the estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rsconn.inference.arrangements import draw_signs
from rsconn.inference.estimators import Estimate, adjust_holm
from rsconn.inference.model import Floats, Model
from rsconn.inference.permutation import TIE_TOLERANCE, compute_flipped_statistics


@dataclass(frozen=True)
class JointTest:
    """Whether the specifications of a claim, taken together, show more than chance would.

    Attributes
    ----------
    median : float
        Median of the studentised statistics, the claimed direction positive; absolute for two-sided claims.
    p_median : float
        Of a median as large under shared sign flips.
    share : float
        Share of the specifications with p < alpha, in the claimed direction.
    p_share : float
        Of a share as large.
    p : float
        The smaller of the two after Holm.
    """

    median: float
    p_median: float
    share: float
    p_share: float
    p: float


def run_joint_test(
    models: Sequence[Model],
    estimates: Sequence[Estimate],
    *,
    sign: int,
    alpha: float,
    n_flips: int,
    seed: int,
) -> JointTest:
    """Test all models of one claim at once.

    One Rademacher sign per person (or whole family), shared by all models, flips each model's null residuals; every
    model is fitted again to each. A person absent from a model contributes nothing to it. p = (b + 1) / (B + 1).

    Parameters
    ----------
    models : sequence of Model
        One per specification; the same object may occur many times and is fitted once.
    estimates : sequence of Estimate
        Theirs.
    sign : {1, -1, 0}
        Claimed direction; 0 for claims of any difference.
    alpha : float
        Two-sided level of each specification.
    n_flips : int
    seed : int

    References
    ----------
    Simonsohn, Simmons & Nelson (2020), Nat Hum Behav 4:1208-1214 (the two statistics, under permuted predictors);
    Girardi et al. (2024), Psychometrika 89:542-568 (sign flips for multiverses).
    """
    places: dict[int, int] = {}
    index = np.array([places.setdefault(id(model), len(places)) for model in models])
    unique = [models[int(np.flatnonzero(index == place)[0])] for place in range(len(places))]
    units = np.unique(np.concatenate([model.units for model in unique]))
    signs = draw_signs(units.size, n_flips, np.random.default_rng([seed, units.size]))
    null = compute_flipped_statistics(unique, signs, units)[:, index]
    dof = np.array([estimate.dof for estimate in estimates])
    observed = np.array([[estimate.statistic for estimate in estimates]])
    critical = special.stdtrit(dof, 1 - alpha / 2)
    median, share = _summarise(observed, critical, sign)
    p_median = _count_share(median[0], _summarise(null, critical, sign)[0])
    p_share = _count_share(share[0], _summarise(null, critical, sign)[1])
    smaller = float(adjust_holm([p_median, p_share]).min())
    return JointTest(float(median[0]), p_median, float(share[0]), p_share, smaller)


def _summarise(statistics: Floats, critical: Floats, sign: int) -> tuple[Floats, Floats]:
    """Return the median and the share beyond of each row (n_rows, n_models)."""
    if sign == 0:
        beyond = np.abs(statistics) > critical
        return np.abs(np.median(statistics, axis=1)), beyond.mean(axis=1)
    signed = sign * statistics
    return np.median(signed, axis=1), (signed > critical).mean(axis=1)


def _count_share(observed: float, null: Floats) -> float:
    """Return (b + 1) / (B + 1); equal but for rounding counts as equal."""
    extreme = int((null >= observed - TIE_TOLERANCE * abs(observed)).sum())
    return (extreme + 1) / (null.size + 1)


@dataclass(frozen=True)
class VarianceShare:
    """How much of the estimates' variance a choice, or two together, account for.

    Attributes
    ----------
    axes : tuple of int
        One position, or two: what the pair adds to all the single choices.
    share : float
        Of the total sum of squares.
    """

    axes: tuple[int, ...]
    share: float


def compute_variance_shares(levels: NDArray[np.intp], values: Floats) -> tuple[VarianceShare, ...]:
    """Return the share of the values' variance that goes with each axis, and with each pair beyond its two.

    A main effect is what the additive model of all axes loses without the axis; a pair is what the additive model
    gains by its cells. Where every combination occurs once these are the sums of squares of the analysis of
    variance.

    Parameters
    ----------
    levels : int array (n, n_axes)
        Level of each axis.
    values : array (n,)
        Finite.

    Examples
    --------
    >>> levels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> shares = compute_variance_shares(levels, np.array([0.0, 1.0, 2.0, 3.0]))
    >>> [(each.axes, round(each.share, 2)) for each in shares]
    [((0,), 0.8), ((1,), 0.2), ((0, 1), 0.0)]
    """
    moving = [axis for axis in range(levels.shape[1]) if np.ptp(levels[:, axis]) > 0] if len(levels) else []
    total = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if not moving or total <= 1e-24 * float((values**2).sum()):
        return ()
    dummies = {axis: _encode_levels(levels[:, axis]) for axis in moving}
    whole = _orthonormalise(np.column_stack([np.ones((len(values), 1)), *dummies.values()]))
    residuals = values - whole @ (whole.T @ values)
    left = float(residuals @ residuals)
    shares = []
    for axis in moving:
        others = [dummies[other] for other in moving if other != axis]
        basis = _orthonormalise(np.column_stack([np.ones((len(values), 1)), *others]))
        rest = values - basis @ (basis.T @ values)
        shares.append(VarianceShare((axis,), max(float(rest @ rest) - left, 0.0) / total))
    for first, second in combinations(moving, 2):
        cells = (dummies[first][:, :, None] * dummies[second][:, None, :]).reshape(len(values), -1)
        basis = _orthonormalise(cells - whole @ (whole.T @ cells))
        shares.append(VarianceShare((first, second), float(((basis.T @ residuals) ** 2).sum()) / total))
    return tuple(shares)


def _encode_levels(levels: NDArray[np.intp]) -> Floats:
    """Return a column per level after the first."""
    return np.asarray(levels[:, None] == np.unique(levels)[None, 1:], dtype=np.float64)


def _orthonormalise(columns: Floats) -> Floats:
    """Return an orthonormal basis of columns, those left of nothing apart."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-9 * np.sqrt(len(columns))])
