"""What a design can see: power of the verdict rules, smallest detectable effect, the n that could decide.

Effects are on the scale of ``effect_size`` (g, or the partial r). Everything follows from the design and
never from the effect observed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import optimize, special

from rsconn.inference.arrangements import (
    compute_design_effect,
    compute_satterthwaite_dof,
    compute_unit_forms,
    compute_unit_weights,
    describe_forms,
    estimate_likeness,
)
from rsconn.inference.model import Estimator, Floats, Geometry, Kind, Model, make_geometry
from rsconn.inference.noncentral import compute_noncentral_cdf, compute_tost_power
from rsconn.inference.omnibus import LevelsKernel, compute_levels_power

Rule = Literal["directional", "two-sided", "equivalence"]

LARGEST_N = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How precise a design is, and how well its estimator knows its own precision.

    With normal errors of equal variance the estimate lies around theta with variance 1 / information, and its
    squared standard error is about inflation / information times chi2(error_dof) / error_dof, independent of
    it. Classical least squares has inflation 1 and error_dof n - k; HC3 overstates a little and is less
    certain.

    Parameters
    ----------
    kind : {'contrast', 'slope', 'paired'}
    n : int
        People (paired: pairs).
    n_parameters : int
        Coefficients k, the tested one included.
    information_per_person : float
        Noncentrality^2 per person of an effect of 1 (g, or f = r / sqrt(1 - r^2)). Two groups of shares p and
        1 - p without covariates: p (1 - p).
    inflation, error_dof, test_dof : float
        Mean and certainty of the squared standard error, and the dof to which the statistic is referred.
    n_tested : int
        Coefficients tested together; with several an effect is an f, and inflation what their noncentrality loses.
    design_effect : float
        What families have multiplied the variance of the estimate by; it is in ``information_per_person``.
    """

    kind: Kind
    n: int
    n_parameters: int
    information_per_person: float
    inflation: float
    error_dof: float
    test_dof: float
    design_effect: float = 1.0
    n_tested: int = 1

    @property
    def dof(self) -> int:
        """Residual degrees of freedom."""
        return self.n - self.n_parameters


def make_plan(model: Model) -> Plan:
    """Read a plan off a model's design.

    The outcome enters only in the unit of paired differences, and in how alike the members of a family are.

    References
    ----------
    The moments of the standard error are those behind Bell & McCaffrey (2002), Surv Methodol 28:169-181.
    """
    if model.kind == "omnibus":
        return _plan_levels(model)
    geometry = make_geometry(model)
    information = _compute_information(model, geometry) / model.n
    if model.estimator == "ols_cr2":
        return _plan_families(model, geometry, information)
    inflation, error_dof = _describe_error(model.estimator, geometry)
    test_dof = float(model.n - model.n_parameters) if model.estimator == "ols_hc3" else error_dof
    return Plan(model.kind, model.n, model.n_parameters, information, inflation, error_dof, test_dof)


def _plan_levels(model: Model) -> Plan:
    kernel = LevelsKernel(model)
    dof = float(model.n - model.n_parameters)
    if model.estimator == "welch":
        shares = np.array([cell.mean() for cell in model.list_cells()])
        k = shares.size
        dof = float((k**2 - 1) / (3 * ((1 - shares) ** 2 / (shares * model.n - 1)).sum()))
    inflation = model.n / kernel.n_effective
    return Plan("omnibus", model.n, model.n_parameters, 1.0, inflation, dof, dof, n_tested=model.n_tested)


def _plan_families(model: Model, geometry: Geometry, information: float) -> Plan:
    """Plan with families: the variance of the estimate, and of its CR2 standard error, at the likeness found."""
    likeness = estimate_likeness(model.outcome, geometry, model.units)
    effect = compute_design_effect(geometry, model.units, likeness)
    forms, weights = (
        compute(geometry, model.units) for compute in (compute_unit_forms, compute_unit_weights)
    )
    mean, error_dof = describe_forms(forms, model.units, likeness)
    return Plan(
        model.kind,
        model.n,
        model.n_parameters,
        information / effect,
        mean / (geometry.information * effect),
        error_dof,
        compute_satterthwaite_dof(weights, geometry, model.units),
        effect,
    )


def plan_from_n(model: Model) -> Plan:
    """Plan by the numbers of people and covariates alone, as if before the data: classical, covariates unrelated."""
    n_nuisance = model.n_parameters - 1
    if model.kind == "contrast":
        sizes = [int(cell.sum()) for cell in model.list_cells()]
        if len(sizes) == 2:
            return plan_contrast(sizes[0], sizes[1], n_nuisance - 1)
        information = 1 / sum(1 / size for size in sizes) / model.n
        return _plan_classical("contrast", model.n, 1 + n_nuisance, information)
    if model.kind == "slope":
        return plan_slope(model.n, n_nuisance - 1)
    return _plan_classical("paired", model.n, 1 + n_nuisance, 1.0)


def plan_contrast(n_a: int, n_b: int, n_covariates: int = 0) -> Plan:
    """Plan two groups whose covariates are unrelated to the group.

    Examples
    --------
    >>> print(f"{find_min_detectable(plan_contrast(18, 18), alpha=0.05, rule='two-sided'):.2f}")
    0.96
    """
    n = n_a + n_b
    return _plan_classical("contrast", n, 2 + n_covariates, n_a * n_b / n**2)


def plan_slope(n: int, n_covariates: int = 0) -> Plan:
    """Plan a slope: of n people, one constant and each covariate cost one.

    Examples
    --------
    >>> print(f"{find_min_detectable(plan_slope(18, 3), alpha=0.05, rule='two-sided'):.2f}")
    0.63
    """
    return _plan_classical("slope", n, 2 + n_covariates, (n - 1 - n_covariates) / n)


def _plan_classical(kind: Kind, n: int, n_parameters: int, information_per_person: float) -> Plan:
    dof = float(n - n_parameters)
    return Plan(kind, n, n_parameters, information_per_person, 1.0, dof, dof)


def _compute_information(model: Model, geometry: Geometry) -> float:
    if model.kind == "slope":
        # the partial r is scaled by the predictor's own residual SD, so only the dof of that SD are left
        return float(model.n - model.n_parameters + 1)
    if model.raw_sd is None:
        return geometry.information
    squares = [cell.size * float(cell.var()) for cell in (model.outcome[rows] for rows in model.list_cells())]
    return geometry.information * model.raw_sd**2 * (model.n - len(squares)) / sum(squares)


def _describe_error(estimator: Estimator, geometry: Geometry) -> tuple[float, float]:
    """Mean (over that of the best estimator) and Satterthwaite dof of the squared standard error.

    It is e' diag(w) e / (d'd)^2 with e = M errors, so its first two moments are traces of diag(w) M.
    """
    power = 2 if estimator == "ols_hc3" else 1  # Welch's variance is HC2's in a two-group design
    weights: Floats = geometry.direction**2 / (1 - geometry.leverage) ** power
    crossed = geometry.basis.T @ (weights[:, None] * geometry.basis)
    trace = float(weights @ (1 - geometry.leverage))
    squares = float(weights**2 @ (1 - 2 * geometry.leverage)) + float((crossed**2).sum())
    return trace / geometry.information, trace**2 / squares


def compute_noncentrality(plan: Plan, effect: float, *, without_effect: bool = False) -> float:
    """Return an effect in true standard errors: effect * sqrt(information), a slope's effect being f.

    Without an effect (the bound of an equivalence test when nothing is there) a partial r is its own size: f is
    larger only because a predictor that explains something leaves less error.
    """
    size = effect / np.sqrt(1 - effect**2) if plan.kind == "slope" and not without_effect else effect
    return float(size * np.sqrt(plan.n * plan.information_per_person))


def compute_power(
    plan: Plan, effect: float, *, alpha: float, rule: Rule, sesoi: float | None = None
) -> float:
    """Probability that the claim is supported.

    Parameters
    ----------
    plan : Plan
    effect : float
        True effect in the claimed direction; for ``equivalence`` the bound, with a true effect of zero.
    alpha : float
        Level of this claim: alpha / m in a family of m.
    rule : {'directional', 'two-sided', 'equivalence'}
        ``directional``: two-sided p < alpha and the claimed sign. ``two-sided``: p < alpha.
        ``equivalence``: TOST.
    sesoi : float, optional
        Smallest effect of interest, for the first two rules: the claim is not supported where the data rule out
        an effect as large (one-sided p < alpha), however clearly there is one. The bound is taken to rise and fall
        with the sample's own SD, as that of a g or a partial r does.

    Examples
    --------
    >>> print(f"{compute_power(plan_contrast(52, 92), 0.5, alpha=0.05, rule='equivalence'):.2f}")
    0.78
    """
    if plan.dof < 1:
        return 0.0
    if plan.kind == "omnibus":
        n_effective = plan.n / plan.inflation
        return compute_levels_power(
            plan.n_tested, plan.test_dof, n_effective, effect, alpha=alpha, sesoi=sesoi
        )
    noncentrality = compute_noncentrality(plan, effect, without_effect=rule == "equivalence")
    tail = alpha if rule == "equivalence" else alpha / 2
    critical = float(special.stdtrit(plan.test_dof, 1 - tail) * np.sqrt(plan.inflation))
    if rule == "equivalence":
        return compute_tost_power(noncentrality, plan.error_dof, critical)
    if sesoi is not None:
        critical = max(critical, _find_least_supported(plan, effect, sesoi, alpha))
    power = compute_noncentral_cdf(-critical, plan.error_dof, -noncentrality)
    if rule == "two-sided":
        power += compute_noncentral_cdf(-critical, plan.error_dof, noncentrality)
    return power


def _find_least_supported(plan: Plan, effect: float, sesoi: float, alpha: float) -> float:
    """Return the statistic above which an effect as large as ``sesoi`` is not ruled out.

    A partial r bounds r s(y|Z) / s(x|Z), and s(y|Z) holds the true effect.
    """
    bound = compute_noncentrality(plan, sesoi, without_effect=True)
    if plan.kind == "slope":
        bound /= float(np.sqrt(1 - effect**2))
    return bound - float(special.stdtrit(plan.test_dof, 1 - alpha) * np.sqrt(plan.inflation))


def find_min_detectable(
    plan: Plan, *, alpha: float, rule: Rule, power: float = 0.8, sesoi: float | None = None
) -> float:
    """Smallest effect (g or partial r) that reaches ``power``; for ``equivalence`` the smallest bound.

    With ``sesoi`` it is an effect that is supported, not one that is negligible (`compute_power`).

    NaN when there are no degrees of freedom, when the rule has this power without any effect, or when not even a
    partial r of 1 would reach it.
    """
    if plan.dof < 1:
        return float("nan")
    highest = {"slope": 1 - 1e-12, "omnibus": 50.0}.get(plan.kind, 1e6)

    def excess(effect: float) -> float:
        return compute_power(plan, effect, alpha=alpha, rule=rule, sesoi=sesoi) - power

    if excess(0.0) >= 0 or excess(highest) < 0:
        return float("nan")
    return float(optimize.brentq(excess, 0.0, highest, xtol=1e-10))


def find_n(plan: Plan, effect: float, *, alpha: float, rule: Rule, power: float = 0.8) -> int | None:
    """Smallest n with this power at ``effect``, the sesoi; shares and covariates as planned; None above a million."""
    if effect <= 0:
        return None

    def is_enough(n: int) -> bool:
        plan_n = scale_plan(plan, n)
        return compute_power(plan_n, effect, alpha=alpha, rule=rule, sesoi=effect) >= power

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
    """Return the same design with another number of people: leverages shrink as 1/n, dof grow with n - k.

    Families keep their sizes and likeness.
    """
    k = plan.n_parameters
    if plan.dof < 1 or n <= k:
        return _plan_classical(plan.kind, n, k, plan.information_per_person)
    growth = (n - k) / plan.dof
    information = plan.information_per_person
    if plan.kind == "slope":
        information = (n - k + 1) / n / plan.design_effect
    inflation = 1 + (plan.inflation - 1) * plan.n / n
    return replace(
        plan,
        n=n,
        information_per_person=information,
        inflation=inflation,
        error_dof=plan.error_dof * growth,
        test_dof=plan.test_dof * growth,
    )
