"""Permutation p values: Freedman-Lane with studentised statistics, and the sign-flip max-T of a family.

Freedman & Lane (1983), J Bus Econ Stat 1:292-298; Winkler et al. (2014), NeuroImage 92:381-397; studentising
makes the test valid for unequal variances too, in large samples: Janssen (1997), Stat Probab Lett 36:9-21;
DiCiccio & Romano (2017), J Am Stat Assoc 112:1211-1220.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from rsconn.inference.arrangements import (
    can_exchange,
    count_orders,
    draw_orders,
    draw_signs,
    draw_whole_orders,
    find_split_units,
    list_orders,
    list_signs,
)
from rsconn.inference.estimators import estimate_model
from rsconn.inference.exceedances import Kernel, compute_null_residuals, compute_statistics, make_kernel
from rsconn.inference.model import Floats, Integers, Model, residualise
from rsconn.inference.omnibus import LevelsKernel

# Rows that stay in the processor's cache together; the result does not depend on it.
CHUNK = 512
# Two orders of summation differ by rounding: equal statistics are ties, not smaller ones.
TIE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class PermutationTest:
    """Two-sided permutation p of theta = 0.

    Parameters
    ----------
    p : float
        (b + 1) / (B + 1) with b of B random arrangements at least as extreme; b / B when ``exact``.
    n_arrangements : int
        B.
    exact : bool
        Every arrangement was enumerated and there was no nuisance covariate.
    """

    p: float
    n_arrangements: int
    exact: bool


def permute(models: Sequence[Model], *, n_permutations: int, seed: int) -> tuple[PermutationTest, ...]:
    """Test each model by permuting its null-model residuals (paired: by flipping their signs).

    Families are exchanged as wholes, those of one size among themselves. Where that changes nothing of what is
    tested, as among families that all have one member on each side, each family's residuals take one sign instead.

    A model's p depends on its own rows and the seed only, never on its neighbours or the number of cores:
    models with the same number of rows, blocks and families share their orders.

    Parameters
    ----------
    models : sequence of Model
        Each has passed :func:`rsconn.inference.model.check_model`.
    n_permutations : int
        B; where no more than B arrangements exist and there is no nuisance covariate, all are enumerated.
    seed : int

    Examples
    --------
    >>> outcome, group = np.array([4.0, 6, 8, 1, 2, 3]), np.array([1.0, 1, 1, 0, 0, 0])
    >>> model = Model(outcome, group, np.ones((6, 1)), "contrast", "welch", np.arange(6))
    >>> permute([model], n_permutations=999, seed=1)
    (PermutationTest(p=0.1, n_arrangements=20, exact=True),)
    """
    orders: dict[Hashable, Integers] = {}
    return tuple(_permute_one(model, n_permutations, seed, orders) for model in models)


def _permute_one(model: Model, count: int, seed: int, orders: dict[Hashable, Integers]) -> PermutationTest:
    kernel = _prepare(model)
    residuals = residualise(model.outcome, kernel.nuisance_basis)
    if _is_enumerable(model, count):
        statistics = _enumerate(model, residuals, kernel)
        return PermutationTest(
            _count_extreme(statistics[0], statistics) / statistics.size, statistics.size, exact=True
        )
    observed = _compute(residuals[None, :], kernel)[0]
    if model.kind == "paired" or (model.has_families and not can_exchange(model)):
        statistics = _flip(model, residuals, kernel, count, seed)
    else:
        key = _make_key(model)
        if key not in orders:
            orders[key] = _draw(model, count, np.random.default_rng([seed, model.n]))
        statistics = _reorder(residuals, orders[key], kernel, _draw_split_signs(model, count, seed))
    return PermutationTest((_count_extreme(observed, statistics) + 1) / (count + 1), count, exact=False)


def _prepare(model: Model) -> Kernel | LevelsKernel:
    return LevelsKernel(model) if model.kind == "omnibus" else make_kernel(model)


def _compute(rows: Floats, kernel: Kernel | LevelsKernel) -> Floats:
    """Return t, or F, of each null outcome."""
    return kernel.compute(rows)[0] if isinstance(kernel, LevelsKernel) else compute_statistics(rows, kernel)


def _make_key(model: Model) -> Hashable:
    """What the orders of a model hang on."""
    blocks = None if model.blocks is None else model.blocks.tobytes()
    return model.n, blocks, model.units.tobytes() if model.has_families else None


def _draw(model: Model, count: int, rng: np.random.Generator) -> Integers:
    if model.has_families:
        return draw_whole_orders(model.units, model.blocks, count, rng)
    return draw_orders(model.n, model.blocks, count, rng)


def _is_enumerable(model: Model, count: int) -> bool:
    if model.kind == "paired":
        return model.nuisance.shape[1] == 0 and bool(2 ** np.unique(model.units).size <= count)
    return not model.has_families and model.nuisance.shape[1] == 1 and count_orders(model) <= count


def _enumerate(model: Model, residuals: Floats, kernel: Kernel | LevelsKernel) -> Floats:
    """Statistics of every arrangement, the observed one first."""
    if model.kind != "paired":
        return _reorder(residuals, list_orders(model), kernel)
    _, codes = np.unique(model.units, return_inverse=True)
    signs = list_signs(int(codes.max()) + 1)
    return _compute(signs[:, codes] * residuals, kernel)


def _reorder(
    residuals: Floats, orders: Integers, kernel: Kernel | LevelsKernel, signs: Floats | None = None
) -> Floats:
    """Statistics of reordered residuals; row i takes ``signs[:, i]`` where there are any."""
    parts = [slice(start, start + CHUNK) for start in range(0, len(orders), CHUNK)]
    rows = (
        residuals[orders[part]] if signs is None else signs[part] * residuals[orders[part]] for part in parts
    )
    return np.concatenate([_compute(each, kernel) for each in rows])


def _flip(model: Model, residuals: Floats, kernel: Kernel | LevelsKernel, count: int, seed: int) -> Floats:
    return _compute(_draw_unit_signs(model, count, seed) * residuals, kernel)


def _draw_unit_signs(model: Model, count: int, seed: int) -> Floats:
    """One sign per unit; shape (count, n)."""
    units, codes = np.unique(model.units, return_inverse=True)
    return draw_signs(units.size, count, np.random.default_rng([seed, units.size]))[:, codes]


def _draw_split_signs(model: Model, count: int, seed: int) -> Floats | None:
    """One sign per family of which exchange tells nothing, +1 for the others; None where there is no such family."""
    split = find_split_units(model) if model.has_families else np.zeros(1, dtype=np.bool_)
    return np.where(split, _draw_unit_signs(model, count, seed), 1.0) if split.any() else None


def _count_extreme(observed: float, statistics: Floats) -> int:
    # relative and absolute: an observed t of 0 up to rounding ties with every arrangement
    return int((np.abs(statistics) >= abs(observed) * (1 - TIE_TOLERANCE) - TIE_TOLERANCE).sum())


def compute_flipped_statistics(models: Sequence[Model], signs: Floats, units: Integers) -> Floats:
    """Statistics of every model when the null residuals of each unit (a person, a family) take its sign.

    Parameters
    ----------
    models : sequence of Model
    signs : ndarray, shape (n_flips, n_units)
    units : ndarray of int, shape (n_units,)
        Sorted codes of the columns of ``signs``; a unit absent from a model contributes nothing to it.

    Returns
    -------
    ndarray, shape (n_flips, n_models)
    """
    flipped = np.empty((len(signs), len(models)))
    for j, model in enumerate(models):
        kernel = make_kernel(model)
        residuals = compute_null_residuals(model, kernel)
        columns = np.searchsorted(units, model.units)
        for start in range(0, len(signs), CHUNK):
            rows = signs[start : start + CHUNK, columns] * residuals
            flipped[start : start + CHUNK, j] = compute_statistics(rows, kernel)
    return flipped


def sign_flip_maxt(
    models: Sequence[Model], groups: Sequence[Hashable], *, n_permutations: int, seed: int
) -> Floats:
    """Family-wise p values that know how the claims of a family hang together.

    One Rademacher sign per person (or whole family of people), shared by all claims of a family, flips each
    claim's null-model residuals;
    every statistic is turned into a p by its claim's dof, and the step-down minimum over the claims not yet
    passed gives the adjusted p. Valid where errors are symmetric; supplementary to Holm.

    Parameters
    ----------
    models : sequence of Model
        Equivalence claims stay out.
    groups : sequence
        Family of each model.

    Returns
    -------
    ndarray, shape (n_models,)

    References
    ----------
    Westfall & Young (1993), Resampling-based multiple testing, algorithm 2.8; Winkler et al. (2014),
    NeuroImage 92:381-397 (sign flipping).
    """
    adjusted = np.full(len(models), np.nan)
    for group in dict.fromkeys(groups):
        members = [i for i, name in enumerate(groups) if name == group]
        adjusted[members] = _adjust_family([models[i] for i in members], n_permutations, seed)
    return adjusted


def _flip_one(model: Model, signs: Floats, units: Integers) -> tuple[float, Floats]:
    """Return a model's p and those under the flips; shape (n_flips,)."""
    estimate = estimate_model(model)
    if estimate.levels is None:
        flipped = np.abs(compute_flipped_statistics([model], signs, units)[:, 0])
        observed = 2 * special.stdtr(estimate.dof, -abs(estimate.statistic))
        return float(observed), np.asarray(2 * special.stdtr(estimate.dof, -flipped))
    kernel = LevelsKernel(model)
    rows = signs[:, np.searchsorted(units, model.units)] * residualise(model.outcome, kernel.nuisance_basis)
    statistics, dof = kernel.compute(rows)
    return estimate.levels.compute_p(), np.asarray(stats.f.sf(statistics, model.n_tested, dof))


def _adjust_family(models: Sequence[Model], count: int, seed: int) -> Floats:
    units = np.unique(np.concatenate([model.units for model in models]))
    signs = draw_signs(units.size, count, np.random.default_rng([seed, units.size]))
    tests = [_flip_one(model, signs, units) for model in models]
    return adjust_step_down(np.array([p for p, _ in tests]), np.column_stack([null for _, null in tests]))


def adjust_step_down(observed: Floats, null: Floats) -> Floats:
    """Westfall-Young step-down minimum p.

    Parameters
    ----------
    observed : ndarray, shape (m,)
        P values of the claims.
    null : ndarray, shape (n_resamples, m)
        The same claims' p values under the null, jointly resampled.

    Returns
    -------
    ndarray, shape (m,)
        (b + 1) / (B + 1), never below the p of a claim with a smaller observed p.
    """
    order = np.argsort(observed, kind="stable")
    # column j: the smallest null p among the claims ranked j and after
    smallest = np.minimum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    extreme = (smallest <= observed[order] * (1 + TIE_TOLERANCE)).sum(axis=0)
    adjusted = np.empty(observed.size)
    adjusted[order] = np.maximum.accumulate((extreme + 1) / (len(null) + 1))
    return adjusted
