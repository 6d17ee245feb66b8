"""The rows of a claim that have every covariate, and what the covariates look like as regressors there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rsconn.arrays import FloatArray
from rsconn.inference.model import LEVERAGE_TOLERANCE
from rsconn.study.claims.samples import Draft
from rsconn.study.people.used_columns import Column, Columns, Mask, encode, find_present, is_text, name_value

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim

# Pairs are compared at no change of motion: a change of motion between the sessions is no part of what is claimed.
MOTION_COLUMN = "mean_fd"


@dataclass(frozen=True)
class Coding:
    """How columns become regressors.

    Attributes
    ----------
    categorical : frozenset of str
        Columns whose numbers are codes of categories.
    group_column : str
        The table's name of the cohort column ``group``.
    """

    categorical: frozenset[str] = frozenset()
    group_column: str = "group"


def find_complete(columns: Columns, draft: Draft, names: Sequence[str]) -> Mask:
    """Return which rows (paired: of which both) have a value of every column; shape (n,)."""
    complete = np.ones(draft.rows.size, dtype=bool)
    for name in names:
        complete &= find_present(columns[name][draft.rows])
        if draft.partners is not None:
            complete &= find_present(columns[name][draft.partners])
    return complete


def encode_covariates(
    draft: Draft, columns: Columns, names: Sequence[str], coding: Coding
) -> Iterator[tuple[str, FloatArray]]:
    """Yield each covariate as regressors (n, k), numbers centred; for pairs the differences a - b.

    Differences of numbers are centred too, so that the intercept is the change at their mean (that of age is the
    time between the sessions). Those of motion and of categories (a scanner) are not: there the change where
    nothing of the kind changed is asked for.
    """
    for name in names:
        rows = draft.rows if draft.partners is None else np.concatenate([draft.rows, draft.partners])
        cells = columns[name][rows]
        is_category = is_text(cells) or name in coding.categorical
        block = encode(name_codes(cells) if is_category else cells)
        if draft.partners is not None:
            block = block[: draft.rows.size] - block[draft.rows.size :]
        free = is_category or (draft.partners is not None and name == MOTION_COLUMN)
        yield name, block if free or not block.size else block - block.mean(axis=0)


def name_codes(cells: Column) -> Column:
    """Return numbers as words, one for each value; words as they are."""
    return cells if is_text(cells) else np.array([name_value(cell) for cell in cells], dtype=object)


def find_lone(
    draft: Draft, columns: Columns, names: Sequence[str], coding: Coding
) -> tuple[Mask, str] | None:
    """Return who alone has a covariate's category (n,), and the rule that says so; None if nobody has.

    Such a person has leverage 1: their own coefficient takes up all that they could tell, so that the others'
    estimate is the same without them.
    """
    for name, block in encode_covariates(draft, columns, names, coding):
        design = np.column_stack([np.ones(draft.rows.size), block])
        if draft.rows.size <= design.shape[1]:
            continue
        left, sizes, _ = np.linalg.svd(_scale(design), full_matrices=False)
        basis = left[:, sizes > LEVERAGE_TOLERANCE * sizes.max(initial=0.0)]
        lone = np.asarray((basis**2).sum(axis=1) > 1 - LEVERAGE_TOLERANCE)
        if lone.any() and not lone.all():
            return lone, f"alone in {name} ({_name_some(draft, columns, name, lone)})"
    return None


def _scale(design: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(design, axis=0)
    return np.asarray(design / np.where(lengths > 0, lengths, 1.0))


def _name_some(draft: Draft, columns: Columns, name: str, lone: Mask) -> str:
    """Return the values that only one person has."""
    values = [name_value(cell) for cell in columns[name][draft.rows[lone]]]
    return ", ".join(values[:3]) + (", ..." if len(values) > 3 else "")


def merge_repeats(claim: Claim, columns: Columns, draft: Draft, names: Sequence[str]) -> Draft:
    """Keep one of a person's rows if they say the same; several different rows are not independent people."""
    ids = columns["participant_id"][draft.rows]
    if draft.partners is not None or len(set(ids.tolist())) == ids.size:
        return draft
    used = [draft.outcome, *np.atleast_2d(draft.tested.T), *(columns[name][draft.rows] for name in names)]
    keys = [tuple(column[index] for column in used) for index in range(ids.size)]
    seen: dict[str, tuple[Any, ...]] = {}
    first = np.array(
        [seen.setdefault(person, key) is key for person, key in zip(ids, keys, strict=True)], dtype=bool
    )
    different = sorted({person for person, key in zip(ids, keys, strict=True) if seen[person] != key})
    draft = draft.keep(first, "repeated rows of one person")
    if not different:
        return draft
    return replace(
        draft,
        fault=f"{len(different)} people ({different[0]}, ...) have several sessions in the sample; "
        f"restrict sample of claim {claim.id} to one, or use sessions: combine, or a paired contrast of two",
    )
