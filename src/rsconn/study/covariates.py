"""What a claim adjusts for: defaults that cannot be used are left out and named, listed ones are refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.inference.model import is_full_rank
from rsconn.study.claim_samples import Draft
from rsconn.study.columns import Columns, Mask, encode, find_present

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
