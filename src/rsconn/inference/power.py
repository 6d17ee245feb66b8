"""What a design can see: power of the verdict rules, smallest detectable effect, the n that could decide.

Effects are on the scale of ``effect_size`` (g, or the partial r). Everything follows from the design and
never from the effect observed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import optimize, special

from rsconn.inference.model import Kind, Model, make_geometry
from rsconn.inference.noncentral import compute_noncentral_cdf, compute_tost_power

Rule = Literal["directional", "two-sided", "equivalence"]

LARGEST_N = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How precise a design is.

    Parameters
    ----------
    kind : {'contrast', 'slope', 'paired'}
    n : int
        People (paired: pairs).
    n_parameters : int
        Coefficients, the tested one included.
    information_per_person : float
        Noncentrality^2 per person of an effect of 1 (g, or f = r / sqrt(1 - r^2)). Two groups of shares p and
        1 - p without covariates: p (1 - p).
    """

    kind: Kind
    n: int
    n_parameters: int
    information_per_person: float

    @property
    def dof(self) -> int:
        """Residual degrees of freedom."""
        return self.n - self.n_parameters


def make_plan(model: Model) -> Plan:
    """Read a plan off a model's design; the outcome enters only as ``raw_sd`` of paired differences."""
    if model.kind == "paired":
        unit = 1.0 if model.raw_sd is None else model.raw_sd / float(model.outcome.std(ddof=1))
        return Plan("paired", model.n, model.n_parameters, unit**2)
    if model.kind == "contrast":
        information = make_geometry(model).information / model.n
        return Plan("contrast", model.n, model.n_parameters, information)
    return plan_slope(model.n, n_covariates=model.n_parameters - 2)


def plan_contrast(n_a: int, n_b: int, n_covariates: int = 0) -> Plan:
    """Plan two groups whose covariates are unrelated to the group.

    Examples
    --------
    >>> print(f"{find_min_detectable(plan_contrast(18, 18), alpha=0.05, rule='two-sided'):.2f}")
    0.96
    """
    n = n_a + n_b
    return Plan("contrast", n, 2 + n_covariates, n_a * n_b / n**2)


def plan_slope(n: int, n_covariates: int = 0) -> Plan:
    """Plan a slope: of n people, one constant and each covariate cost one.

    Examples
    --------
    >>> print(f"{find_min_detectable(plan_slope(18, 3), alpha=0.05, rule='two-sided'):.2f}")
    0.63
    """
    return Plan("slope", n, 2 + n_covariates, (n - 1 - n_covariates) / n)


def compute_noncentrality(plan: Plan, effect: float) -> float:
    """Expected t: effect * sqrt(information), with f = r / sqrt(1 - r^2) as the effect of a slope."""
    size = effect / np.sqrt(1 - effect**2) if plan.kind == "slope" else effect
    return float(size * np.sqrt(plan.n * plan.information_per_person))


def compute_power(plan: Plan, effect: float, *, alpha: float, rule: Rule) -> float:
    """Probability that the claim is supported.

    Parameters
    ----------
    plan : Plan
    effect : float
        True effect in the claimed direction; for ``equivalence`` the bound, with a true effect of zero.
    alpha : float
        Level of this claim: alpha / m in a family of m.
    rule : {'directional', 'two-sided', 'equivalence'}
        ``directional``: two-sided p < alpha and the claimed sign. ``two-sided``: p < alpha. ``equivalence``:
        TOST.

    Examples
    --------
    >>> print(f"{compute_power(plan_contrast(52, 92), 0.5, alpha=0.05, rule='equivalence'):.2f}")
    0.78
    """
    if plan.dof < 1:
        return 0.0
    noncentrality = compute_noncentrality(plan, effect)
    if rule == "equivalence":
        return compute_tost_power(noncentrality, plan.dof, alpha)
    critical = float(special.stdtrit(plan.dof, 1 - alpha / 2))
    power = _compute_upper_tail(critical, plan.dof, noncentrality)
    if rule == "two-sided":
        power += _compute_upper_tail(critical, plan.dof, -noncentrality)
    return power


def find_min_detectable(plan: Plan, *, alpha: float, rule: Rule, power: float = 0.8) -> float:
    """Smallest effect (g or partial r) that reaches ``power``; for ``equivalence`` the smallest bound.

    NaN when there are no degrees of freedom, or when the rule has this power without any effect.
    """
    if plan.dof < 1:
        return float("nan")
    highest = 1 - 1e-12 if plan.kind == "slope" else 1e6

    def excess(effect: float) -> float:
        return compute_power(plan, effect, alpha=alpha, rule=rule) - power

    if excess(0.0) >= 0 or excess(highest) < 0:
        return float("nan")
    return float(optimize.brentq(excess, 0.0, highest, xtol=1e-10))


def find_n(plan: Plan, effect: float, *, alpha: float, rule: Rule, power: float = 0.8) -> int | None:
    """Smallest n with this power at ``effect``, shares and covariates as planned; None above a million."""
    if effect <= 0:
        return None

    def is_enough(n: int) -> bool:
        return compute_power(scale_plan(plan, n), effect, alpha=alpha, rule=rule) >= power

    low, high = plan.n_parameters, plan.n_parameters + 1
    while not is_enough(high):
        low, high = high, 2 * high
        if high > LARGEST_N:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def scale_plan(plan: Plan, n: int) -> Plan:
    """Return the same design with another number of people."""
    if plan.kind == "slope":
        return plan_slope(n, plan.n_parameters - 2)
    return replace(plan, n=n)


def _compute_upper_tail(critical: float, dof: int, noncentrality: float) -> float:
    """P(T > critical) for the noncentral t."""
    return compute_noncentral_cdf(-critical, dof, -noncentrality)
