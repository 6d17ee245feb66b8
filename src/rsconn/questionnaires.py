"""Questionnaires: sums from items or item means, and the reliability of a subscale.

The keys themselves are data: config/questionnaires, read by `rsconn.settings.instruments`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsconn.arrays import FloatArray


@dataclass(frozen=True)
class Subscale:
    """Items of one subscale, numbered from 1, and which of them are reversed."""

    items: tuple[int, ...]
    reversed_items: tuple[int, ...] = ()


@dataclass(frozen=True)
class Instrument:
    """A questionnaire: how many items, the lowest and highest answer, and its subscales."""

    name: str
    n_items: int
    low: float
    high: float
    subscales: Mapping[str, Subscale]


def compute_sum_range(form: Instrument, subscale: str) -> tuple[float, float]:
    """Return the lowest and the highest possible sum of a subscale.

    Examples
    --------
    >>> compute_sum_range(Instrument("short", 3, 1, 7, {"A": Subscale((1, 3))}), "A")
    (2, 14)
    """
    n_items = len(form.subscales[subscale].items)
    return form.low * n_items, form.high * n_items


def rescale(values: FloatArray, found: tuple[float, float], wanted: tuple[float, float]) -> FloatArray:
    """Map answers or item means linearly from the range in the table to the instrument's own.

    Parameters
    ----------
    values : array of any shape
        NaN stays NaN.
    found, wanted : (float, float)
        Lowest and highest answer, in the table and of the instrument.

    Examples
    --------
    >>> rescale(np.array([1.0, 3.0, 5.0]), (1, 5), (0, 4)).tolist()
    [0.0, 2.0, 4.0]
    """
    if tuple(found) == tuple(wanted):
        return np.asarray(values, dtype=float)
    slope = (wanted[1] - wanted[0]) / (found[1] - found[0])
    return wanted[0] + slope * (np.asarray(values, dtype=float) - found[0])


def key_items(
    items: FloatArray, form: Instrument, subscale: str, *, already_reversed: bool = False
) -> FloatArray:
    """Return a subscale's items, all pointing the same way.

    Parameters
    ----------
    items : array (n, n_items of the instrument)
        Answers on the instrument's own range; NaN = not answered.
    already_reversed : bool
        The reversed items of the table have been turned already.

    Returns
    -------
    array (n, n_items of the subscale)
        A reversed item becomes ``low + high - answer``.

    Examples
    --------
    >>> form = Instrument("short", 3, 0, 4, {"A": Subscale((1, 3), (3,))})
    >>> key_items(np.zeros((1, 3)), form, "A").tolist()
    [[0.0, 4.0]]
    """
    key = form.subscales[subscale]
    keyed = np.array(items, dtype=float)[:, [number - 1 for number in key.items]]
    if not already_reversed:
        turned = np.isin(key.items, key.reversed_items)
        keyed[:, turned] = form.low + form.high - keyed[:, turned]
    return keyed


def sum_items(keyed: FloatArray, *, max_missing_items: int = 0) -> FloatArray:
    """Sum keyed items; up to `max_missing_items` gaps count as the person's mean over the answered ones.

    Returns
    -------
    array (n,)
        NaN where more items are missing, or all are.

    Examples
    --------
    >>> sum_items(np.array([[1.0, 2.0, np.nan], [1.0, 2.0, 3.0]]), max_missing_items=1).tolist()
    [4.5, 6.0]
    """
    answered = np.isfinite(keyed)
    n_answered = answered.sum(axis=1)
    n_items = keyed.shape[1]
    totals = np.where(answered, keyed, 0.0).sum(axis=1)
    usable = (n_items - n_answered <= max_missing_items) & (n_answered > 0)
    scale = n_items / np.maximum(n_answered, 1)
    return np.where(usable, totals * scale, np.nan)


def score_items(
    items: FloatArray,
    form: Instrument,
    subscale: str,
    *,
    already_reversed: bool = False,
    max_missing_items: int = 0,
) -> FloatArray:
    """Score one subscale from the answers to a whole questionnaire.

    Parameters
    ----------
    items : array (n, n_items of the instrument)
        Answers on the instrument's own range (see `rescale`); NaN = not answered.
    already_reversed : bool
        The reversed items of the table have been turned already.
    max_missing_items : int
        Gaps that may be filled with the person's mean over the subscale.

    Returns
    -------
    array (n,)
        Sums; NaN where too many items are missing.

    Examples
    --------
    >>> form = Instrument("short", 3, 1, 7, {"A": Subscale((1, 3))})
    >>> score_items(np.full((1, 3), 4.0), form, "A").tolist()
    [8.0]
    """
    keyed = key_items(items, form, subscale, already_reversed=already_reversed)
    return sum_items(keyed, max_missing_items=max_missing_items)


def compute_alpha(keyed: FloatArray) -> float:
    """Return Cronbach's raw alpha over the people who answered every item.

    alpha = k / (k - 1) (1 - sum of item variances / variance of the sum).
    Cronbach (1951), Psychometrika 16:297; ``psych::alpha(...)$total$raw_alpha`` in R.

    Parameters
    ----------
    keyed : array (n, k)
        Items that point the same way.

    Returns
    -------
    float
        NaN with fewer than three complete people, one item, or a constant sum.

    Examples
    --------
    >>> compute_alpha(np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]]))
    1.0
    """
    complete = keyed[np.isfinite(keyed).all(axis=1)]
    n_people, n_items = complete.shape
    if n_people < 3 or n_items < 2:
        return float("nan")
    total = float(np.var(complete.sum(axis=1), ddof=1))
    if total == 0:
        return float("nan")
    return float(n_items / (n_items - 1) * (1 - np.var(complete, axis=0, ddof=1).sum() / total))


def compute_omega(keyed: FloatArray) -> float:
    """Return McDonald's omega total of the sum, from a one-factor model fitted by maximum likelihood.

    omega = (sum of loadings)^2 / ((sum of loadings)^2 + sum of unique variances), both on the items' own
    scale. McDonald (1999), Test Theory, eq. 6.20; ``factanal(factors = 1)`` in R, its loadings multiplied by
    the items' SDs.

    Parameters
    ----------
    keyed : array (n, k)
        Items that point the same way.

    Returns
    -------
    float
        NaN with fewer than three items, no more complete people than items, a constant item, or a model
        that does not converge to positive unique variances.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> trait = rng.normal(size=(5000, 1))
    >>> round(compute_omega(trait + rng.normal(size=(5000, 4))), 2)  # 4^2 / (4^2 + 4)
    0.8
    """
    complete = keyed[np.isfinite(keyed).all(axis=1)]
    n_people, n_items = complete.shape
    if n_items < 3 or n_people <= n_items:
        return float("nan")
    sds = complete.std(axis=0, ddof=1)
    if not (sds > 0).all():
        return float("nan")
    loadings, uniqueness = _fit_one_factor(np.asarray(np.corrcoef(complete, rowvar=False)))
    common = float((loadings * sds).sum() ** 2)
    return common / (common + float((uniqueness * sds**2).sum()))


def _fit_one_factor(correlations: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit one factor to a correlation matrix by maximum likelihood: loadings and unique variances (k,).

    The likelihood is concentrated on the unique variances, whose score equations are solved by a quasi-Newton
    step from a bounded descent (Joreskog 1967). NaN where a unique variance reaches its bound (Heywood case).
    """
    from scipy.optimize import minimize, root

    bound = 0.005  # as factanal's `lower`
    start = 0.5 / np.maximum(np.diag(np.linalg.pinv(correlations)), 1.0)
    descent = minimize(
        _compute_misfit,
        np.clip(start, bound, 1.0),
        args=(correlations,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(bound, 1.0)] * len(start),
    )
    polished: Any = root(lambda psi: _compute_misfit(psi, correlations)[1], descent.x, tol=1e-13)
    uniqueness = np.asarray(polished.x, dtype=float)
    # from the bound, the polishing may wander to a root that is no minimum, on one machine and not on another
    on_bound = not (descent.x > bound).all() or not (uniqueness > bound).all()
    if on_bound or np.abs(polished.fun).max() > 1e-8:
        return np.full(len(start), np.nan), np.full(len(start), np.nan)
    return _compute_loadings(uniqueness, correlations), uniqueness


def _compute_loadings(uniqueness: FloatArray, correlations: FloatArray) -> FloatArray:
    """Return the loadings (k,) that maximise the likelihood given the unique variances."""
    root_psi = np.sqrt(uniqueness)
    values, vectors = np.linalg.eigh(correlations / np.outer(root_psi, root_psi))
    loadings: FloatArray = root_psi * np.sqrt(max(values[-1] - 1.0, 0.0)) * vectors[:, -1]
    return loadings if loadings.sum() >= 0 else -loadings


def _compute_misfit(uniqueness: FloatArray, correlations: FloatArray) -> tuple[float, FloatArray]:
    """Return the concentrated misfit and its gradient in the unique variances."""
    root_psi = np.sqrt(np.maximum(uniqueness, 1e-6))
    values = np.linalg.eigvalsh(correlations / np.outer(root_psi, root_psi))[:-1]
    misfit = float((values - np.log(np.maximum(values, 1e-12)) - 1.0).sum())
    loadings = _compute_loadings(root_psi**2, correlations)
    gradient = (loadings**2 + root_psi**2 - np.diag(correlations)) / root_psi**4
    return misfit, gradient
