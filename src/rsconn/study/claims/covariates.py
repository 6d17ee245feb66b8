"""What a claim adjusts for: defaults that cannot be used are left out and named, listed ones are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.inference.model import Model, is_full_rank, make_geometry, project_out
from rsconn.study.claims.samples import Draft
from rsconn.study.people.used_columns import Columns, Mask, encode, find_present

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim


@dataclass(frozen=True, eq=False)
class Choice:
    """The covariates of a claim and the rows that have them all.

    Attributes
    ----------
    names : tuple of str
        Covariates that stand in the model.
    dropped : tuple of (str, str)
        Defaults that were left out, each with its reason.
    draft : Draft
        The claim's rows, complete in every covariate.
    fault : str
        Why the claim cannot be tested; empty if it can.
    """

    names: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    draft: Draft
    fault: str


def choose_covariates(
    claim: Claim, columns: Columns, draft: Draft, wanted: Sequence[str], *, listed: bool
) -> Choice:
    """Leave out default covariates that cannot be used, one at a time; refuse a listed one.

    Leaving one out can bring people back, so every round starts again from the people who have the rest.
    """
    names, dropped, fault = list(dict.fromkeys(wanted)), [], ""
    while found := _find_unusable(claim, columns, draft, names):
        name, why = found
        if listed:
            fault = f"covariate {name} {why}"
            break
        names.remove(name)
        dropped.append((name, why))
    complete = _find_complete(columns, draft, names)
    draft = _merge_repeats(
        claim, columns, draft.keep(complete, "no " + ", ".join(names)) if names else draft, names
    )
    return Choice(tuple(names), tuple(dropped), draft, draft.fault or fault)


def _find_unusable(
    claim: Claim, columns: Columns, draft: Draft, names: Sequence[str]
) -> tuple[str, str] | None:
    """Return the first covariate that cannot stand in the model, and why."""
    for name in names:
        if name not in columns:
            raise TableError(f"cohort: no column {name!r}, a covariate of claim {claim.id}")
        if name in {claim.outcome, claim.predictor, claim.contrast.column if claim.contrast else None}:
            return name, "is what the claim is about"
        if draft.rows.size and not _find_complete(columns, draft, [name]).any():
            return name, "is missing for everyone"
    complete = _find_complete(columns, draft, names)
    if complete.sum() < 2:
        return None  # too few people; nothing can be said of the covariates
    kept = replace(draft, flow=()).keep(complete, "")
    return _find_aliased(kept, columns, names)


def _find_aliased(draft: Draft, columns: Columns, names: Sequence[str]) -> tuple[str, str] | None:
    paired = draft.partners is not None
    constant = np.ones((draft.rows.size, 0 if paired else 1))
    before = constant
    for name, block in encode_covariates(draft, columns, names):
        if not np.ptp(block, axis=0).any() and (not paired or not block.any()):
            return name, "does not change within a person" if paired else "is constant in the sample"
        with_it = np.column_stack([before, block])
        if with_it.shape[1] + 1 > draft.rows.size:
            return None  # the model will be refused for its size
        if not is_full_rank(with_it):
            return name, "is aliased with the other covariates"
        if not is_full_rank(np.column_stack([draft.tested, with_it])):
            return name, "is aliased with what is tested"
        before = with_it
    return None


def encode_covariates(
    draft: Draft, columns: Columns, names: Sequence[str]
) -> Iterator[tuple[str, FloatArray]]:
    """Yield each covariate as regressors (n, k); within-person differences for pairs."""
    for name in names:
        if draft.partners is None:
            yield name, encode(columns[name][draft.rows])
        else:
            both = encode(columns[name][np.concatenate([draft.rows, draft.partners])])
            yield name, both[: draft.rows.size] - both[draft.rows.size :]


def _find_complete(columns: Columns, draft: Draft, names: Sequence[str]) -> Mask:
    complete = np.ones(draft.rows.size, dtype=bool)
    for name in names:
        complete &= find_present(columns[name][draft.rows])
        if draft.partners is not None:
            complete &= find_present(columns[name][draft.partners])
    return complete


def _merge_repeats(claim: Claim, columns: Columns, draft: Draft, names: Sequence[str]) -> Draft:
    """Keep one of a person's rows if they say the same; several different rows are not independent people."""
    if draft.partners is not None:
        return draft
    ids = columns["participant_id"][draft.rows]
    used = [draft.outcome, draft.tested, *(columns[name][draft.rows] for name in names)]
    keys = [tuple(column[index] for column in used) for index in range(ids.size)]
    seen: dict[str, tuple[Any, ...]] = {}
    first = np.array(
        [seen.setdefault(person, key) is key for person, key in zip(ids, keys, strict=True)], dtype=bool
    )
    if first.all():
        return draft
    different = sorted({person for person, key in zip(ids, keys, strict=True) if seen[person] != key})
    draft = draft.keep(first, "repeated rows of one person")
    if not different:
        return draft
    return replace(
        draft,
        fault=f"{len(different)} people ({different[0]}, ...) have several sessions in the sample; "
        f"restrict sample of claim {claim.id} to one, or use sessions: combine, or a paired contrast of two",
    )


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
    (`rsconn.study.second_looks.motion_checks`).

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
