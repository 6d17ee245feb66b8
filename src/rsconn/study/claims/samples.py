"""Who takes part in a claim: its sample, its two sides, its pairs, and who lacks the outcome or the predictor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.people.used_columns import Columns, Mask, Rows, find_present, match_value

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim, Contrast, Where

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class FlowStep:
    """How many rows were left after one condition of a claim, and how many it took away."""

    rule: str
    n: int
    n_excluded: int


@dataclass(frozen=True, eq=False)
class Draft:
    """A claim on its way to a model: parallel arrays, one entry per row, or per pair of rows.

    Attributes
    ----------
    rows, partners : int arrays (n,)
        Cohort rows; for pairs those of side a, and of side b in `partners` (else None).
    outcome, tested : float arrays (n,)
        For pairs the differences a - b, and ones; for more than two levels `tested` has a column for each but the last.
    flow : tuple of FlowStep
        How the sample came down to these rows.
    fault : str
        Why the claim cannot be tested, as far as is known; empty if it can.
    own : float array (n, q), optional
        What the model needs beside what is tested, whatever is adjusted for: the two terms of a product.
    cells : int array (n,), optional
        Place in `cell_names` of the side, or combination of sides, that each row is on.
    cell_names : tuple of str
        Of a contrast ``a`` and ``b``.
    has_constant : bool
        Whether the model has a constant beside what is tested; where a mean is tested, that is the constant.
    """

    rows: Rows
    partners: Rows | None
    outcome: FloatArray
    tested: FloatArray
    flow: tuple[FlowStep, ...]
    fault: str = ""
    own: FloatArray | None = None
    cells: Codes | None = None
    cell_names: tuple[str, ...] = ()
    has_constant: bool = True

    def keep(self, mask: Mask, rule: str) -> Draft:
        """Keep some rows and write down how many went."""
        step = FlowStep(rule, int(mask.sum()), int((~mask).sum()))
        partners = None if self.partners is None else self.partners[mask]
        return replace(
            self,
            rows=self.rows[mask],
            partners=partners,
            outcome=self.outcome[mask],
            tested=self.tested[mask],
            flow=(*self.flow, step),
            own=None if self.own is None else self.own[mask],
            cells=None if self.cells is None else self.cells[mask],
        )

    @property
    def basis(self) -> FloatArray:
        """The constant and `own`: what stands in every model; shape (n, q)."""
        constant = np.ones((self.rows.size, int(self.has_constant)))
        return constant if self.own is None else np.column_stack([constant, self.own])

    def list_cells(self) -> list[Mask]:
        """Return the rows of each cell, in the order of their names; none where nothing is contrasted."""
        cells = self.cells
        return [] if cells is None else [cells == code for code in range(len(self.cell_names))]


def find_sample(claim: Claim, columns: Columns, people: Mask | None = None) -> Mask:
    """Return who is in a claim's sample (n_rows,), whatever they lack; `people` restricts it further."""
    sample = evaluate_condition(claim.sample, columns)
    return sample if people is None else sample & people


def find_sides(contrast: Contrast, columns: Columns) -> list[Mask]:
    """Return who is on each side of a contrast (n_rows,), in a claim's sample or not."""
    return [_find_side(contrast, side, columns) for side in contrast.sides]


def name_sides(contrast: Contrast) -> tuple[str, ...]:
    """Return what a contrast's sides are called: their levels, or ``side a`` where they are conditions."""
    return tuple(
        side if isinstance(side, str) else f"side {letter}"
        for side, letter in zip(contrast.sides, ascii_lowercase, strict=False)
    )


def name_cells(claim: Claim, draft: Draft) -> tuple[str, ...]:
    """Return what the cells are called in sentences: the levels where a contrast has levels."""
    contrast = claim.between if claim.paired else claim.contrast
    return (
        name_sides(contrast) if draft.cell_names == ("a", "b") and contrast is not None else draft.cell_names
    )


def evaluate_condition(condition: str, columns: Columns) -> Mask:
    """Return who satisfies a condition of the sample grammar, as bool array (n_rows,)."""
    expression = parse_expression(condition)
    names = expression.columns & columns.keys() or {"participant_id"}
    return expression.evaluate({name: columns[name].tolist() for name in sorted(names)})


def _find_side(contrast: Contrast, side: str | Where, columns: Columns) -> Mask:
    if not isinstance(side, str):
        return evaluate_condition(side.where, columns)
    if contrast.column is None or contrast.column not in columns:
        raise TableError(f"cohort: no column {contrast.column!r}, which a contrast names")
    return match_value(columns[contrast.column], side)


if TYPE_CHECKING:
    from rsconn.study.claims.designs import Terms

GROUP = "group"


def find_blocks(
    claim: Claim, columns: Columns, terms: Terms, draft: Draft, covariates: Sequence[str]
) -> Codes | None:
    """Return the block within which each row may be exchanged; None where all may.

    Blocks are the values of `inference.exchange_within`. A slope whose model adjusts for the group is exchanged
    within the groups as well, and slopes that are compared within their sides: the error variances may differ, and
    exchange between them would then mix errors that are not alike. Missing is a block too.

    Where the tested column does not vary within any block (a contrast of sites, exchanged within sites) there is
    nothing to exchange; the coarser blocks that leave something to exchange are taken instead, or none.
    """
    if not draft.has_constant:
        return None
    sides = [] if claim.predictor is None or draft.cells is None else [draft.cells]
    for names in _list_choices(claim, columns, terms, covariates, apart=bool(sides)):
        blocks = _encode([*(columns[name][draft.rows] for name in names), *sides])
        if any(np.ptp(draft.tested[blocks == block], axis=0).any() for block in np.unique(blocks)):
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
    claim: Claim, columns: Columns, terms: Terms, covariates: Sequence[str], *, apart: bool
) -> Iterator[list[str]]:
    """Columns whose values make blocks, the finest choice first; none if there are blocks without (`apart`)."""
    asked = [] if terms.exchange_within is None else [terms.exchange_within]
    names = {GROUP, terms.group_column}
    adjusted = claim.predictor is not None and not names.isdisjoint(covariates)
    group = [GROUP if GROUP in columns else terms.group_column] if adjusted else []
    yield from filter(None, ([*asked, *group], asked, group))
    if apart:
        yield []


def _encode(labels: Sequence[np.ndarray]) -> Codes:
    """Code each combination of labels (n,); shape (n,)."""
    rows = list(zip(*([str(label) for label in column.tolist()] for column in labels), strict=True))
    places = {row: place for place, row in enumerate(sorted(set(rows)))}
    return np.array([places[row] for row in rows], dtype=np.int64)
