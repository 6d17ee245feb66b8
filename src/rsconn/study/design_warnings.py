"""Designs that resemble the stress scenarios of docs/calibration.md, where error rates are not guaranteed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from rsconn.arrays import FloatArray
from rsconn.inference.model import Model, make_geometry, project_out

UNEQUAL_SMALL_CELLS = "stress: unequal small cells"
STRONG_SKEW = "stress: strong skew"
HIGH_LEVERAGE = "stress: one person's leverage"

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
    flag : str
        For the flags column.
    detail : str
        The numbers behind it.
    """

    flag: str
    detail: str


def find_stress(model: Model) -> list[Stress]:
    """Return every resemblance of a testable model with a stress scenario; empty for ordinary designs.

    Looked at are the sizes and variances of the two sides of a contrast, the skew of the residuals, and the
    largest leverage. Motion that goes with the contrast has a flag of its own
    (`rsconn.study.motion_checks`).

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
    >>> [stress.flag for stress in find_stress(model)]
    ['stress: unequal small cells']
    """
    found = [_check_cells(model), _check_skew(model), _check_leverage(model)]
    return [stress for stress in found if stress is not None]


def _check_cells(model: Model) -> Stress | None:
    if model.kind != "contrast":
        return None
    residuals = _compute_residuals(model)
    sides = (residuals[model.in_a], residuals[~model.in_a])
    sizes = [side.size for side in sides]
    small, large = sorted(float(side.var(ddof=1)) for side in sides)
    if min(sizes) >= SMALL_CELL or max(sizes) <= LARGEST_N_RATIO * min(sizes):
        return None
    if large <= LARGEST_VARIANCE_RATIO * small:
        return None
    ratio = f"{large / small:.1f}" if small > 0 else "unbounded"
    return Stress(UNEQUAL_SMALL_CELLS, f"n {sizes[0]} and {sizes[1]}, ratio of the variances {ratio}")


def _check_skew(model: Model) -> Stress | None:
    """Skew of the same shape cancels in a contrast of equal n; in every other small design it does not."""
    smallest = model.n
    if model.kind == "contrast":
        n_a = int(model.in_a.sum())
        smallest, largest = sorted((n_a, model.n - n_a))
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
    if model.kind == "contrast":
        for side in (model.in_a, ~model.in_a):
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
    return np.asarray(project_out(model.outcome, make_geometry(model).basis))
