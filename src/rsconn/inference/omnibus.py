"""Several means at once: Welch's analysis of variance, and the Wald test with HC3 where there are covariates.

The effect is Cohen's f: n f^2 is the noncentrality of the F test, the sum of squares of the levels' (adjusted) means
around their mean, each in units of its own standard error. It has no direction. An f as large as a bound is ruled out
where F is small for a noncentral F with that noncentrality (Wellek's test of equivalence, with Welch's F).

References
----------
Welch (1951), Biometrika 38:330-336; MacKinnon & White (1985), J Econometrics 29:305-325; Wellek (2010), Testing
statistical hypotheses of equivalence and noninferiority, 7.2; Koh & Cribbie (2013), Br J Math Stat Psychol 66:426-434.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import optimize, stats

from rsconn.inference.model import Floats, Model, residualise


@dataclass(frozen=True, eq=False)
class LevelsKernel:
    """What turns outcomes of one design into F statistics.

    Attributes
    ----------
    model : Model
        Of kind ``omnibus``.
    nuisance_basis : ndarray, shape (n, q)
    tested_basis : ndarray, shape (n, n_tested)
        Orthonormal basis of the tested columns after the nuisance.
    leverage : ndarray, shape (n,)
        Of the whole design.
    """

    model: Model
    nuisance_basis: Floats = field(init=False)
    tested_basis: Floats = field(init=False)
    leverage: Floats = field(init=False)

    def __post_init__(self) -> None:
        nuisance = np.linalg.qr(self.model.nuisance)[0]
        tested = np.linalg.qr(residualise(self.model.tested, nuisance))[0]
        object.__setattr__(self, "nuisance_basis", nuisance)
        object.__setattr__(self, "tested_basis", tested)
        object.__setattr__(self, "leverage", (nuisance**2).sum(axis=1) + (tested**2).sum(axis=1))

    @property
    def n_effective(self) -> float:
        """What f^2 times this is the noncentrality: HC3 overstates variances by about n / (n - k)."""
        model = self.model
        return float(model.n if model.estimator == "welch" else model.n - model.n_parameters)

    def compute(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return F and its denominator dof of each outcome; rows (n_outcomes, n)."""
        if self.model.estimator == "welch":
            return _compute_welch(rows, self.model.list_cells())
        return self._compute_wald(rows), np.full(len(rows), float(self.model.n - self.model.n_parameters))

    def _compute_wald(self, rows: Floats) -> Floats:
        along = rows @ self.tested_basis
        residuals = rows - along @ self.tested_basis.T - (rows @ self.nuisance_basis) @ self.nuisance_basis.T
        weights = (residuals / (1 - self.leverage)) ** 2
        pairs = self.tested_basis[:, :, None] * self.tested_basis[:, None, :]
        variance = np.tensordot(weights, pairs, axes=1)
        solved = np.linalg.solve(variance, along[:, :, None])[:, :, 0]
        return np.asarray((along * solved).sum(axis=1) / along.shape[1])


def _compute_welch(rows: Floats, cells: list[np.ndarray]) -> tuple[Floats, Floats]:
    sizes = np.array([[cell.sum()] for cell in cells])
    means = np.array([rows[:, cell].mean(axis=1) for cell in cells])
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = sizes / np.array([rows[:, cell].var(axis=1, ddof=1) for cell in cells])
        shares = weights / weights.sum(axis=0)
        k = len(cells)
        between = (weights * (means - (shares * means).sum(axis=0)) ** 2).sum(axis=0) / (k - 1)
        spread = ((1 - shares) ** 2 / (sizes - 1)).sum(axis=0) / (k**2 - 1)
        statistics = between / (1 + 2 * (k - 2) * spread)
    return np.where(np.isnan(statistics), np.inf, statistics), np.asarray(1 / (3 * spread))


@dataclass(frozen=True)
class LevelsTest:
    """An F test of several coefficients.

    Attributes
    ----------
    statistic, n_tested, dof : float, int, float
        F and its two dof.
    n_effective : float
        n_effective f^2 is the noncentrality.
    spread : float
        Standard deviation of the levels' adjusted means over the people, in the outcome's units.
    unit : float
        Standard deviation of the outcome within the levels, given the covariates: what an f of 1 is.
    """

    statistic: float
    n_tested: int
    dof: float
    n_effective: float
    spread: float
    unit: float

    def compute_p(self) -> float:
        """P value of no difference at all."""
        return float(stats.f.sf(self.statistic, self.n_tested, self.dof))

    def compute_too_small_p(self, f: float) -> float:
        """P value of an effect of f or more."""
        return compute_f_cdf(self.statistic, self.n_tested, self.dof, self.n_effective * f**2)

    def estimate_f(self, level: float = 0.95) -> tuple[float, float, float]:
        """Return f without what chance alone adds, and its interval by the noncentral F; nothing is below 0.

        References
        ----------
        Steiger (2004), Psychol Methods 9:164-182.
        """
        squared = self.n_tested * (self.statistic - 1) / self.n_effective
        tail = (1 - level) / 2
        return max(0.0, squared) ** 0.5, self._find_f(1 - tail), self._find_f(tail)

    def _find_f(self, probability: float) -> float:
        def excess(f: float) -> float:
            return self.compute_too_small_p(f) - probability

        if excess(0.0) <= 0:
            return 0.0
        high = 1.0
        while excess(high) > 0:
            high *= 2
        return float(optimize.brentq(excess, 0.0, high, xtol=1e-10))


def compute_f_cdf(statistic: float, n_tested: float, dof: float, noncentrality: float) -> float:
    """P(F <= statistic); where F is certain to be larger scipy's answer is no number, and this is 0."""
    value = float(stats.ncf.cdf(statistic, n_tested, dof, noncentrality))
    return value if np.isfinite(value) else 0.0


def estimate_levels(model: Model) -> LevelsTest:
    """Test whether any of several means differs from the others.

    The model must have passed :func:`rsconn.inference.model.check_model`.
    """
    kernel = LevelsKernel(model)
    statistics, dof = kernel.compute(model.outcome[None, :])
    fitted = kernel.tested_basis @ (kernel.tested_basis.T @ model.outcome)
    left = residualise(model.outcome, np.column_stack([kernel.tested_basis, kernel.nuisance_basis]))
    unit = float(np.sqrt(left @ left / (model.n - model.n_parameters)))
    return LevelsTest(
        float(statistics[0]), model.n_tested, float(dof[0]), kernel.n_effective, float(fitted.std()), unit
    )


def compute_classical_p(model: Model) -> tuple[float, int]:
    """P value of the classical F test, which assumes equal variances, and its denominator dof."""
    kernel = LevelsKernel(model)
    whole, dof = residualise(model.outcome, kernel.nuisance_basis), model.n - model.n_parameters
    along = kernel.tested_basis.T @ whole
    statistic = along @ along / model.n_tested / ((whole @ whole - along @ along) / dof)
    return float(stats.f.sf(statistic, model.n_tested, dof)), dof


def compute_rank_p(model: Model) -> float:
    """P value of the Kruskal-Wallis test; covariates are ignored."""
    return float(stats.kruskal(*(model.outcome[cell] for cell in model.list_cells())).pvalue)


def compute_levels_power(
    n_tested: int, dof: float, n_effective: float, f: float, *, alpha: float, sesoi: float | None = None
) -> float:
    """Probability that the levels are found to differ by an effect of f that is not ruled out as too small."""
    critical = float(stats.f.isf(alpha, n_tested, dof))
    if sesoi is not None:
        critical = max(critical, float(stats.ncf.ppf(alpha, n_tested, dof, n_effective * sesoi**2)))
    return 1 - compute_f_cdf(critical, n_tested, dof, n_effective * f**2)
