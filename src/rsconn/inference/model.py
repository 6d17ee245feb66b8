"""One tested coefficient and its nuisance: the only thing that inference knows of a claim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Kind = Literal["contrast", "slope", "paired", "omnibus"]
Estimator = Literal["welch", "ols_hc2", "ols_hc3", "ols_cr2"]

# A design column, scaled to length one, that others reproduce to this accuracy is aliased with them.
RANK_TOLERANCE = 1e-9
# Rounding leaves a leverage of exactly 1 within a few ulp of it; HC3 divides by (1 - leverage)^2.
LEVERAGE_TOLERANCE = 1e-9
# Sides of a contrast whose sizes differ by more than this factor are judged by HC3.
LARGEST_HC2_RATIO = 1.1


@dataclass(frozen=True, eq=False)
class Model:
    """outcome = tested * theta + nuisance @ gamma + error, with theta the quantity of the claim.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
        Outcome in its own units; for ``paired`` the within-person differences a - b.
    tested : ndarray, shape (n,)
        ``contrast``: 1.0 for a, 0.0 for b. ``slope``: the predictor. ``paired``: ones. ``omnibus``: a column of 1.0 and
        0.0 for each level but the last, shape (n, n_tested).
    nuisance : ndarray, shape (n, q)
        Everything adjusted for, the constant as first column; for ``paired`` there is no constant and q may
        be 0.
    kind : {'contrast', 'slope', 'paired', 'omnibus'}
    estimator : {'welch', 'ols_hc2', 'ols_hc3', 'ols_cr2'}
        ``welch`` is for contrasts whose only nuisance is the constant, ``ols_cr2`` for units of several rows; see
        :func:`choose_simple` for the others.
    units : ndarray of int, shape (n,)
        Whom each row belongs to: a person, or a family whose members depend on each other and are exchanged as a
        whole. The same code means the same unit in every model of a study.
    blocks : ndarray of int, shape (n,), optional
        Rows are exchangeable only within a block (a site, for example).
    cells : ndarray of int, shape (n,), optional
        Which side, or combination of sides, each row is on, where there are others than a and b; see `list_cells`.
    raw_sd : float, optional
        Of paired differences, also contrasted ones: the root of the mean variance of the outcome itself, the unit of
        g. Without it the SD of the model's outcome within its cells is the unit.

    Raises
    ------
    ValueError
        When shapes disagree or a value is not finite: the caller leaves incomplete people out and counts
        them.
    """

    outcome: Floats
    tested: Floats
    nuisance: Floats
    kind: Kind
    estimator: Estimator
    units: Integers
    blocks: Integers | None = None
    raw_sd: float | None = None
    cells: Integers | None = None

    def __post_init__(self) -> None:
        n = self.outcome.size
        if (
            self.tested.shape[:1] != (n,)
            or self.tested.ndim != 1 + (self.kind == "omnibus")
            or self.units.shape != (n,)
        ):
            raise ValueError(f"{n} outcomes, tested {self.tested.shape}, units {self.units.shape}")
        if self.nuisance.ndim != 2 or self.nuisance.shape[0] != n:
            raise ValueError(f"{n} outcomes, nuisance {self.nuisance.shape}")
        for name, codes in (("blocks", self.blocks), ("cells", self.cells)):
            if codes is not None and codes.shape != (n,):
                raise ValueError(f"{n} outcomes, {name} {codes.shape}")
        if not (np.isfinite(self.outcome).all() and np.isfinite(self.design).all()):
            raise ValueError("a model holds complete, finite rows only")
        if self.estimator == "welch" and (
            self.kind not in {"contrast", "omnibus"} or self.n_parameters != len(self.list_cells())
        ):
            raise ValueError("Welch's test is for a contrast without covariates")
        if self.estimator != "ols_cr2" and self.has_families:
            raise ValueError("several rows of one unit need ols_cr2")

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.outcome.size)

    @property
    def has_families(self) -> bool:
        """Whether a unit has several rows."""
        return bool(np.unique(self.units).size < self.units.size)

    @property
    def n_parameters(self) -> int:
        """Number of coefficients, the tested ones included."""
        return int(self.nuisance.shape[1]) + self.n_tested

    @property
    def n_tested(self) -> int:
        """Number of tested coefficients."""
        return 1 if self.tested.ndim == 1 else int(self.tested.shape[1])

    @property
    def design(self) -> Floats:
        """The tested column, then the nuisance; shape (n, n_parameters)."""
        return np.column_stack([self.tested, self.nuisance])

    def list_cells(self) -> list[NDArray[np.bool_]]:
        """Return the rows of each cell: those of one code, the two sides of a contrast, or everybody."""
        if self.cells is not None:
            return [self.cells == code for code in np.unique(self.cells)]
        return [self.in_a, ~self.in_a] if self.kind == "contrast" else [np.ones(self.n, dtype=np.bool_)]

    @property
    def in_a(self) -> NDArray[np.bool_]:
        """Rows of group a; for contrasts only."""
        return np.asarray(self.tested > 0.5)

    def keep(self, rows: NDArray[np.bool_]) -> Model:
        """Return the model of some of its rows (n,); the unit of paired differences stays."""
        return replace(
            self,
            outcome=self.outcome[rows],
            tested=self.tested[rows],
            nuisance=self.nuisance[rows],
            units=self.units[rows],
            blocks=None if self.blocks is None else self.blocks[rows],
            cells=None if self.cells is None else self.cells[rows],
        )


def choose_simple(kind: Kind, tested: Floats, n_covariates: int) -> Estimator:
    """Return how least squares judges independent rows: HC2 with Bell-McCaffrey dof where that keeps its level.

    It does for pairs (without covariates it is the paired t) and, with covariates, for sides of about one size; where
    a small side varies more than a large one it supports up to 6 % of null claims at 5 %, and HC3 does not.
    """
    if kind in {"slope", "omnibus"} or (kind == "contrast" and n_covariates == 0):
        return "ols_hc3"
    if kind == "paired":
        return "ols_hc2"
    n_a = int((tested > 0.5).sum())
    smaller, larger = sorted((n_a, tested.size - n_a))
    return "ols_hc2" if larger <= LARGEST_HC2_RATIO * smaller else "ols_hc3"


def choose_estimator(units: Integers, *, simple: Estimator = "ols_hc3") -> Estimator:
    """Return the primary estimator: ``simple`` for independent rows, CR2 where a unit has several."""
    return simple if np.unique(units).size == units.size else "ols_cr2"


@dataclass(frozen=True, eq=False)
class Geometry:
    """What the design alone fixes, whatever the outcome.

    Parameters
    ----------
    direction : ndarray, shape (n,)
        The tested column with the nuisance projected out.
    nuisance_basis : ndarray, shape (n, q)
        Orthonormal basis of the nuisance.
    leverage : ndarray, shape (n,)
        Diagonal of the hat matrix of the whole design.
    """

    direction: Floats
    nuisance_basis: Floats
    leverage: Floats

    @property
    def information(self) -> float:
        """Sum of squares of the direction: error variance / information = Var(theta)."""
        return float(self.direction @ self.direction)

    @property
    def basis(self) -> Floats:
        """Orthonormal basis of the whole design, the tested direction first; shape (n, n_parameters)."""
        if self.direction.ndim > 1:
            return np.column_stack([np.linalg.qr(self.direction)[0], self.nuisance_basis])
        return np.column_stack([self.direction / np.sqrt(self.information), self.nuisance_basis])


def residualise(values: Floats, basis: Floats) -> Floats:
    """Return what an orthonormal basis (n, q) leaves of values (n,) or (n, m).

    It subtracts twice: once leaves rounding errors of the size of what was taken out.
    """
    left = values - basis @ (basis.T @ values)
    return np.asarray(left - basis @ (basis.T @ left), dtype=np.float64)


def make_geometry(model: Model) -> Geometry:
    """Split the design into the tested direction and the nuisance (Frisch-Waugh-Lovell).

    The design must have full rank; see :func:`check_model`.
    """
    nuisance_basis = np.linalg.qr(model.nuisance)[0]
    direction = residualise(model.tested, nuisance_basis)
    if direction.ndim > 1:
        own = (np.linalg.qr(direction)[0] ** 2).sum(axis=1)
    else:
        own = direction**2 / (direction @ direction)
    leverage = (nuisance_basis**2).sum(axis=1) + own
    return Geometry(direction, nuisance_basis, leverage)


def is_full_rank(design: Floats) -> bool:
    """Say whether no column of a design (n, k) is a combination of the others."""
    lengths = np.linalg.norm(design, axis=0)
    if design.shape[0] < design.shape[1] or (lengths == 0).any():
        return False
    return bool(np.linalg.matrix_rank(design / lengths, rtol=RANK_TOLERANCE) == design.shape[1])


def check_model(model: Model) -> str | None:
    """Say why a model cannot be tested, or None when it can.

    Examples
    --------
    >>> ones = np.ones(4)
    >>> model = Model(ones, np.array([1.0, 1, 0, 0]), ones[:, None], "contrast", "welch", np.arange(4))
    >>> check_model(model)
    'the outcome is constant'
    """
    return _check_size(model) or _check_design(model) or _check_outcome(model)


def _check_size(model: Model) -> str | None:
    if model.n <= model.n_parameters:
        return f"n = {model.n} is too small for {model.n_parameters} parameters"
    if model.kind in {"contrast", "omnibus"}:
        sizes = [int(cell.sum()) for cell in model.list_cells()]
        if min(sizes) < 2:
            counts = ";".join(
                f"{letter}={size}" for letter, size in zip(ascii_lowercase, sizes, strict=False)
            )
            return f"a group needs at least 2 people ({counts})"
    return None


def _check_design(model: Model) -> str | None:
    if not is_full_rank(model.design):
        return "the design is rank-deficient: what is tested cannot be told apart from the covariates"
    geometry = make_geometry(model)
    if (geometry.leverage > 1 - LEVERAGE_TOLERANCE).any():
        return "one person alone determines a coefficient (leverage 1)"
    if any(_determines(geometry.basis[rows]) for rows in split_units(model.units) if rows.size > 1):
        return "one family alone determines a coefficient (leverage 1)"
    return None


def _determines(own: Floats) -> bool:
    """Say whether rows (m, k) of the design's orthonormal basis are all that a coefficient rests on."""
    return bool(np.linalg.norm(own, 2) ** 2 > 1 - LEVERAGE_TOLERANCE)


def split_units(units: Integers) -> list[Integers]:
    """Return the rows of each unit, in the order of their codes."""
    order = np.argsort(units, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(units[order])) + 1)


def _check_outcome(model: Model) -> str | None:
    spread = np.ptp(model.outcome)
    negligible = 1e-12 * np.abs(model.outcome).max()
    if spread <= negligible and (model.kind != "paired" or negligible == 0):
        return "the outcome is constant"
    geometry = make_geometry(model)
    residuals = residualise(model.outcome, geometry.basis)
    if np.abs(residuals).max() <= max(1e-10 * spread, negligible):
        return "the design reproduces the outcome exactly: no error is left to judge by"
    if _have_no_error(model, geometry.direction, residuals, negligible):
        return "those who tell the estimate do not vary otherwise: no error is left to judge it by"
    return None


def _have_no_error(model: Model, direction: Floats, residuals: Floats, negligible: float) -> bool:
    """Say whether residuals are left, but none where the tested direction is: a robust variance would be nothing."""
    if direction.ndim > 1:
        return False  # a side without variance is told by name
    scores = direction * residuals
    if model.estimator == "ols_cr2":
        scores = np.array([scores[rows].sum() for rows in split_units(model.units)])
    size = np.linalg.norm(direction) * max(1e-10 * float(np.linalg.norm(residuals)), negligible)
    return bool(np.linalg.norm(scores) <= size)
