"""Every edge of a set of regions against one model: the largest |t|, false discovery rates, and components.

An edge is to this what a voxel is to a map (`rsconn.inference.voxelwise`): the same residuals, orders or signs.
Two edges are neighbours if they share a region, so that edges beyond a threshold form components of a graph; their
extent (edges) and intensity (sum of |t| - threshold) are compared with the largest of each null outcome. Edges of
opposite sign never share a component.

References
----------
Zalesky, Fornito & Bullmore (2010), NeuroImage 53:1197-1207 (network-based statistic); Benjamini & Hochberg (1995),
J R Stat Soc B 57:289-300; Benjamini & Yekutieli (2001), Ann Stat 29:1165-1188.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import false_discovery_control

from rsconn.inference.exceedances import Exceedances, choose_batch, find_exceedances, find_largest
from rsconn.inference.model import Floats, Integers, is_full_rank
from rsconn.inference.patches import (
    Exchange,
    Patch,
    draw_map_orders,
    draw_map_signs,
    leave_out_broken,
    split_patches,
)
from rsconn.inference.voxelwise import compute_corrected_p, compute_observed

# The largest |t| is looked for among the edges beyond this p, and elsewhere only if there is none.
_SEARCH_P = 0.001


@dataclass(frozen=True, eq=False)
class Components:
    """Edges beyond the threshold that hang together, of one outcome or of many.

    Attributes
    ----------
    permutation : ndarray of int, shape (n_components,)
        Outcome that each belongs to.
    sizes : ndarray of int, shape (n_components,)
        Edges.
    intensities : ndarray, shape (n_components,)
        Sums of |t| - threshold.
    labels : ndarray of int, shape (n_exceedances,)
        Component of each exceedance.
    """

    permutation: Integers
    sizes: Integers
    intensities: Floats
    labels: Integers


@dataclass(frozen=True, eq=False)
class EdgewiseTest:
    """What all edges say; all p are two-sided.

    Attributes
    ----------
    t : ndarray, shape (n_edges,)
        Classical t from the people who have the edge; NaN where it cannot be tested.
    dof : ndarray of int, shape (n_edges,)
        Its degrees of freedom, 0 where it cannot be tested.
    p, p_fwe : ndarray, shape (n_edges,)
        Uncorrected, and corrected by the largest |t| of any edge.
    q_bh, q_by : ndarray, shape (n_edges,)
        False discovery rates by Benjamini & Hochberg, and by Benjamini & Yekutieli, who allow any dependence.
    threshold : float
        |t| that forms components.
    component : ndarray of int, shape (n_edges,)
        Component of each edge, counted from 1, the largest intensity first; 0 outside.
    sizes, intensities : ndarray, shape (n_components,)
    size_p, intensity_p : ndarray, shape (n_components,)
        Corrected by the largest component of any null outcome.
    null_t, null_size, null_intensity : ndarray, shape (n_arrangements,)
        The null distributions.
    """

    t: Floats
    dof: Integers
    p: Floats
    p_fwe: Floats
    q_bh: Floats
    q_by: Floats
    threshold: float
    component: Integers
    sizes: Integers
    intensities: Floats
    size_p: Floats
    intensity_p: Floats
    null_t: Floats
    null_size: Integers
    null_intensity: Floats


def draw_arrangements(
    n: int, exchange: Exchange, count: int, seed: int, *, blocks: Integers | None, units: Integers | None
) -> Integers | Floats:
    """Draw orders within blocks, or signs, of n people; families move or flip as wholes; shape (count, n)."""
    if exchange == "signs":
        return draw_map_signs(n, units, count, seed)
    return draw_map_orders(n, blocks, units, count, seed)


def compare_edges(
    values: NDArray[Any],
    pairs: Integers,
    tested: Floats,
    nuisance: Floats,
    arrangements: Integers | Floats,
    exchange: Exchange,
    *,
    forming_p: float = 0.001,
    units: Integers | None = None,
) -> EdgewiseTest:
    """Test one column of a design in every edge.

    Parameters
    ----------
    values : ndarray, shape (n_people, n_edges)
        Fisher z; NaN where a person lacks an edge, whose model is then of the others.
    pairs : ndarray of int, shape (n_edges, 2)
        Regions that each edge joins.
    tested : ndarray, shape (n_people,)
    nuisance : ndarray, shape (n_people, q)
        Everything adjusted for, the constant among it.
    arrangements : ndarray, shape (n_arrangements, n_people)
        See `draw_arrangements`; p are (b + 1) / (B + 1).
    exchange : {'orders', 'signs'}
        What the arrangements are.
    forming_p : float
        Two-sided p beyond which edges form components.
    units : ndarray of int, shape (n_people,), optional
        Families; one of whom a member lacks an edge is left out there.
    """
    if units is not None:
        values = leave_out_broken(values, units)
    patches = tuple(split_patches(values, tested, nuisance, exchange))
    full_dof = len(tested) - nuisance.shape[1] - 1
    threshold = float(-special.stdtrit(full_dof, forming_p / 2))
    null_t, null_size, null_intensity = _find_maxima(patches, arrangements, pairs, threshold)
    t, comparable, dof = compute_observed(patches, len(pairs))
    tested_edges = np.isfinite(t)
    above = np.flatnonzero(np.abs(np.nan_to_num(comparable)) > threshold)
    found = form_components(
        Exceedances(np.zeros(len(above), np.int64), above, comparable[above]), pairs, threshold
    )
    ranked = np.lexsort((-found.sizes, -found.intensities))
    component = np.zeros(len(pairs), np.int64)
    component[above] = np.argsort(ranked)[found.labels] + 1
    p = np.full(len(pairs), np.nan)
    p[tested_edges] = 2 * special.stdtr(dof[tested_edges], -np.abs(t[tested_edges]))
    return EdgewiseTest(
        t=t,
        dof=dof,
        p=p,
        p_fwe=np.where(tested_edges, compute_corrected_p(np.nan_to_num(comparable), null_t), np.nan),
        q_bh=_control_discoveries(p, "bh"),
        q_by=_control_discoveries(p, "by"),
        threshold=threshold,
        component=component,
        sizes=found.sizes[ranked],
        intensities=found.intensities[ranked],
        size_p=compute_corrected_p(found.sizes[ranked], null_size),
        intensity_p=compute_corrected_p(found.intensities[ranked], null_intensity),
        null_t=null_t,
        null_size=null_size,
        null_intensity=null_intensity,
    )


def _control_discoveries(p: Floats, method: str) -> Floats:
    q, known = np.full(len(p), np.nan), np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known], method=method)
    return q


def _find_maxima(
    patches: Sequence[Patch], arrangements: Integers | Floats, pairs: Integers, threshold: float
) -> tuple[Floats, Integers, Floats]:
    """Return the largest |t|, and the largest component's extent and intensity, of each null outcome."""
    count = len(arrangements)
    t, size, intensity = np.zeros(count), np.zeros(count, np.int64), np.zeros(count)
    if not patches:
        return t, size, intensity
    search = min(float(-special.stdtrit(patches[0].full_dof, _SEARCH_P / 2)), threshold)
    step = choose_batch(patches[0])
    for start in range(0, count, step):
        batch, part = arrangements[start : start + step], slice(start, start + step)
        found = find_exceedances(patches, batch, search)
        np.maximum.at(t[part], found.permutation, np.abs(found.t))
        missing = np.flatnonzero(t[part] == 0)
        t[start + missing] = find_largest(patches, batch[missing])
        components = form_components(found.above(threshold), pairs, threshold)
        np.maximum.at(size[part], components.permutation, components.sizes)
        np.maximum.at(intensity[part], components.permutation, components.intensities)
    return t, size, intensity


def form_components(found: Exceedances, pairs: Integers, threshold: float) -> Components:
    """Join exceedances that share a region, a sign and an outcome.

    Examples
    --------
    >>> pairs = np.array([[0, 1], [0, 2], [1, 2], [3, 4]])
    >>> found = Exceedances(np.zeros(3, int), np.array([0, 2, 3]), np.array([4.0, 5.0, -4.0]))
    >>> joined = form_components(found, pairs, 3.0)
    >>> joined.sizes.tolist(), joined.intensities.tolist()
    ([1, 2], [1.0, 3.0])
    """
    if not len(found.t):
        nothing = np.zeros(0, np.int64)
        return Components(nothing, nothing, np.zeros(0), nothing)
    graph = 2 * found.permutation + (found.t > 0)
    # a node for each region of each outcome and sign, of which few have any edge
    nodes = graph[:, None] * (int(pairs.max()) + 1) + pairs[found.voxel]
    kept, ends = np.unique(nodes, return_inverse=True)
    first, second = ends.reshape(nodes.shape).T
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(kept), len(kept)))
    of_node = connected_components(links, directed=False)[1]
    labels = of_node[first].astype(np.int64)
    permutation = np.zeros(int(labels.max()) + 1, np.int64)
    permutation[labels] = found.permutation
    return Components(
        permutation,
        np.bincount(labels),
        np.asarray(np.bincount(labels, np.abs(found.t) - threshold), np.float64),
        labels,
    )


@dataclass(frozen=True, eq=False)
class ExcludedEffects:
    """Whether each edge's effect is smaller than a bound.

    Attributes
    ----------
    estimates, std_errors : ndarray, shape (n_edges,)
        Coefficient of what is tested, and its HC3 standard error; NaN where it cannot be fitted.
    p : ndarray, shape (n_edges,)
        Of the equivalence test, t(n - k); 1 where it cannot be fitted.
    """

    estimates: Floats
    std_errors: Floats
    p: Floats


def exclude_effects(
    values: NDArray[Any], tested: Floats, nuisance: Floats, bound: float, scale: str
) -> ExcludedEffects:
    """Test that each edge's effect is smaller than a bound: a g of contrasts, a partial r of slopes.

    The largest of these p is that of all edges being smaller (an intersection-union test): none is corrected.

    Parameters
    ----------
    values : ndarray, shape (n_people, n_edges)
        NaN where a person lacks an edge.
    tested : ndarray, shape (n_people,)
        1 and 0 for the sides of a contrast.
    nuisance : ndarray, shape (n_people, q)
    bound : float
        Positive.
    scale : {'g', 'partial_r'}
    """
    n_edges = values.shape[1]
    estimates, errors, p = np.full(n_edges, np.nan), np.full(n_edges, np.nan), np.ones(n_edges)
    patterns, codes = np.unique(np.isfinite(values), axis=1, return_inverse=True)
    for code, present in enumerate(patterns.T):
        edges = np.flatnonzero(codes == code)
        design = np.column_stack([tested, nuisance])[present]
        dof = len(design) - design.shape[1]
        if dof < 1 or not is_full_rank(design):
            continue
        own = values[np.ix_(present, edges)]
        estimates[edges], errors[edges], rest = _fit_hc3(own, design)
        limit = bound * _scale_bound(own, rest, estimates[edges], design, scale)
        with np.errstate(divide="ignore", invalid="ignore"):
            worst = (np.abs(estimates[edges]) - limit) / errors[edges]
        p[edges] = np.where(errors[edges] > 0, special.stdtr(dof, worst), 1.0)
    return ExcludedEffects(estimates, errors, p)


def _fit_hc3(values: Floats, design: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the first coefficient, its HC3 standard error and the residuals of every column."""
    inverse = np.linalg.pinv(design)
    coefficients = inverse @ values
    rest = values - design @ coefficients
    leverage = np.einsum("ij,ji->i", design, inverse)
    weights = (inverse[0] / np.maximum(1 - leverage, 1e-12)) ** 2
    return coefficients[0], np.sqrt(weights @ rest**2), rest


def _scale_bound(values: Floats, rest: Floats, slopes: Floats, design: Floats, scale: str) -> Floats:
    """Return what turns a g, or a partial r, into the units of the estimate, of every column."""
    if scale == "g":
        sides = [values[design[:, 0] > 0.5], values[design[:, 0] <= 0.5]]
        return np.asarray(np.sqrt(np.mean([side.var(axis=0, ddof=1) for side in sides], axis=0)))
    nuisance = design[:, 1:]
    alone = design[:, 0] - nuisance @ np.linalg.lstsq(nuisance, design[:, 0], rcond=None)[0]
    # the outcome given the covariates is what is left plus what is tested explains
    outcome = np.sqrt(((rest + np.outer(alone, slopes)) ** 2).sum(axis=0))
    return np.asarray(outcome / np.linalg.norm(alone))
