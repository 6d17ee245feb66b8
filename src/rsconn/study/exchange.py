"""Who may be exchanged with whom under a claim's null hypothesis: blocks, and families that stay together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rsconn.study.claim_samples import Draft
from rsconn.study.columns import Columns, find_present

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.study.designs import Terms

Codes = NDArray[np.int64]

GROUP = "group"


def find_blocks(
    claim: Claim, columns: Columns, terms: Terms, draft: Draft, covariates: Sequence[str]
) -> Codes | None:
    """Return the block within which each row may be exchanged; None where all may.

    Blocks are the values of `inference.exchange_within`. A slope whose model adjusts for the group is exchanged
    within the groups as well: their error variances may differ, and exchange between them would then mix errors
    that are not alike. Missing is a block too.

    Where the tested column does not vary within any block (a contrast of sites, exchanged within sites) there is
    nothing to exchange; the coarser blocks that leave something to exchange are taken instead, or none.
    """
    if claim.paired:
        return None
    for names in _list_choices(claim, columns, terms, covariates):
        blocks = _encode([columns[name] for name in names], draft)
        if any(np.ptp(draft.tested[blocks == block]) > 0 for block in np.unique(blocks)):
            return blocks
    return None


def find_units(columns: Columns, terms: Terms) -> Codes:
    """Return whom each row of the cohort belongs to; shape (n_rows,).

    A person, or a family where `inference.exchange_whole` names one; without a family a person is one alone.
    """
    people = columns["participant_id"].astype(str)
    labels = [("person", name) for name in people.tolist()]
    if terms.exchange_whole is not None:
        families = columns[terms.exchange_whole]
        known = find_present(families)
        values = [str(value) for value in families.tolist()]
        labels = [
            ("family", value) if there else label
            for value, there, label in zip(values, known, labels, strict=True)
        ]
    places = {label: place for place, label in enumerate(sorted(set(labels)))}
    return np.array([places[label] for label in labels], dtype=np.int64)


def _list_choices(
    claim: Claim, columns: Columns, terms: Terms, covariates: Sequence[str]
) -> Iterator[list[str]]:
    """Columns whose values make blocks, the finest choice first."""
    asked = [] if terms.exchange_within is None else [terms.exchange_within]
    names = {GROUP, terms.group_column}
    adjusted = claim.contrast is None and not names.isdisjoint(covariates)
    group = [GROUP if GROUP in columns else terms.group_column] if adjusted else []
    yield from filter(None, ([*asked, *group], asked, group))


def _encode(labels: Sequence[np.ndarray], draft: Draft) -> Codes:
    """Code each combination of labels among the draft's rows; shape (n,)."""
    rows = list(
        zip(*([str(label) for label in column[draft.rows].tolist()] for column in labels), strict=True)
    )
    places = {row: place for place, row in enumerate(sorted(set(rows)))}
    return np.array([places[row] for row in rows], dtype=np.int64)
