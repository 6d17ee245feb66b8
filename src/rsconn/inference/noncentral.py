"""The noncentral t distribution and TOST power, by one quadrature over the estimated error SD.

A t statistic is (z + noncentrality) / u with z standard normal and u = s/sigma = sqrt(chi2(dof)/dof). Given
u, everything is a normal probability; Gauss-Legendre over u does the rest, to 1e-12 and without the far-tail
NaNs of ``scipy.special.nctdtr``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import special

from rsconn.inference.model import Floats

N_NODES = 100
# A normal tail beyond this many SDs is below 1e-19; u, with its longer right tail, gets a few SDs more.
REACH_NORMAL, REACH_SD = 9.0, 13.0


def compute_noncentral_cdf(t: float, dof: float, noncentrality: float) -> float:
    """P(T <= t) = E[Phi(t u - noncentrality)].

    References
    ----------
    Johnson, Kotz & Balakrishnan (1995), Continuous univariate distributions 2, ch. 31. R: ``pt(t, dof,
    ncp)``.

    Examples
    --------
    >>> print(f"{compute_noncentral_cdf(-6.0, 34, -7.0):.10f}")
    0.8013266932
    """
    if t == 0:
        return float(special.ndtr(-noncentrality))
    # Phi changes only here; a large t makes it a step
    cuts = (noncentrality - REACH_NORMAL) / t, (noncentrality + REACH_NORMAL) / t
    return _integrate(lambda u: special.ndtr(t * u - noncentrality), dof, cuts, np.inf)


def compute_tost_power(noncentrality: float, dof: float, critical: float) -> float:
    """P(both one-sided tests reject) at zero effect, the bounds being +- noncentrality true standard errors.

    Given u the estimate must lie within noncentrality - critical u on either side:
    E[max(0, 2 Phi(noncentrality - critical u) - 1)].

    References
    ----------
    Phillips (1990), J Pharmacokinet Biopharm 18:137-144. R: ``PowerTOST::power.TOST(method = "owenq")``.
    """
    if critical <= 0 or noncentrality <= 0:
        return 0.0
    end = noncentrality / critical
    return _integrate(lambda u: 2 * special.ndtr(noncentrality - critical * u) - 1, dof, (end, end), end)


def _integrate(
    function: Callable[[Floats], Floats], dof: float, cuts: tuple[float, float], end: float
) -> float:
    """E[function(u)] over u up to ``end``, each stretch between the cuts by its own nodes."""
    spread = REACH_SD / np.sqrt(2 * dof)
    low, high = max(0.0, 1 - spread), min(1 + spread, end)
    if high <= low:
        return 0.0
    edges = np.unique(np.clip([low, *cuts, high], low, high))
    nodes, weights = _get_nodes()
    halves, middles = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    u = middles[:, None] + halves[:, None] * nodes
    return float((halves @ (function(u) * _compute_density(u, dof) * weights)).sum())


def _compute_density(u: Floats, dof: float) -> Floats:
    """Density of sqrt(chi2(dof)/dof)."""
    constant = np.log(2) + dof / 2 * np.log(dof / 2) - special.gammaln(dof / 2)
    return np.asarray(np.exp(constant + (dof - 1) * np.log(u) - dof * u**2 / 2))


@cache
def _get_nodes() -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    return nodes, weights
