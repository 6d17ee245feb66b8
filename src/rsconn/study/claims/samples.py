"""Who takes part in a claim: its sample, its two sides, its pairs, and who lacks the outcome or the predictor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.people.used_columns import Columns, Mask, Rows, find_present, get_numbers, match_value

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim


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
        For pairs the differences a - b, and ones.
    flow : tuple of FlowStep
        How the sample came down to these rows.
    fault : str
        Why the claim cannot be tested, as far as is known; empty if it can.
    """

    rows: Rows
    partners: Rows | None
    outcome: FloatArray
    tested: FloatArray
    flow: tuple[FlowStep, ...]
    fault: str = ""

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
        )


def draft_claim(claim: Claim, columns: Columns, people: Mask | None = None) -> Draft:
    """Return the rows that a claim can use before any covariate is looked at.

    Parameters
    ----------
    claim : Claim
        What is claimed.
    columns : mapping of str to array (n_rows,)
        The cohort.
    people : bool array (n_rows,), optional
        Restricts the sample further.

    Raises
    ------
    TableError
        If the claim names a column that the cohort lacks, or needs numbers where it has words.
    """
    return _draft_pairs(claim, columns, people) if claim.paired else _draft_rows(claim, columns, people)


def _draft_rows(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    sample = find_sample(claim, columns, people)
    both = False
    if claim.contrast is not None:
        in_a, in_b = find_sides(claim, columns)
        both = bool((in_a & in_b & sample).any())
        sample = sample & (in_a | in_b)
        tested = in_a.astype(float)
    else:
        tested = get_numbers(columns, str(claim.predictor), f"claim {claim.id}")
    rows = np.flatnonzero(sample)
    outcome = get_numbers(columns, claim.outcome, f"claim {claim.id}")
    draft = Draft(
        rows, None, outcome[rows], tested[rows], (FlowStep("sample", rows.size, 0),),
        fault="somebody is on both sides of the contrast" if both else "",
    )  # fmt: skip
    draft = draft.keep(np.isfinite(draft.outcome), f"no {claim.outcome}")
    if claim.contrast is None:
        draft = draft.keep(np.isfinite(draft.tested), f"no {claim.predictor}")
    return draft


def _draft_pairs(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Pair each person's row of side a with that of side b; the outcome is the difference a - b."""
    contrast = claim.contrast
    if contrast is None:
        raise ValueError(f"claim {claim.id} is paired and has no contrast")
    sample = find_sample(claim, columns, people)
    sides = [sample & side for side in find_sides(claim, columns)]
    ids = columns["participant_id"]
    by_person = [{ids[row]: row for row in np.flatnonzero(side)} for side in sides]
    fault = ""
    if any(len(rows) < side.sum() for rows, side in zip(by_person, sides, strict=True)):
        fault = "a person has several rows on one side of the contrast"
    everyone = sorted(set(by_person[0]) | set(by_person[1]))
    pairs = [person for person in everyone if person in by_person[0] and person in by_person[1]]
    rows, partners = (np.array([side[person] for person in pairs], dtype=np.intp) for side in by_person)
    outcome = get_numbers(columns, claim.outcome, f"claim {claim.id}")
    flow = (
        FlowStep("sample", len(everyone), 0),
        FlowStep("only one of the two", len(pairs), len(everyone) - len(pairs)),
    )
    draft = Draft(rows, partners, outcome[rows] - outcome[partners], np.ones(len(pairs)), flow, fault)
    return draft.keep(np.isfinite(draft.outcome), f"no {claim.outcome}")


def find_sample(claim: Claim, columns: Columns, people: Mask | None = None) -> Mask:
    """Return who is in a claim's sample (n_rows,), whatever they lack; `people` restricts it further."""
    sample = evaluate_condition(claim.sample, columns)
    return sample if people is None else sample & people


def find_sides(claim: Claim, columns: Columns) -> tuple[Mask, Mask]:
    """Return who is on side a and on side b of a claim's contrast, in the sample or not.

    Raises
    ------
    ValueError
        If the claim has no contrast.
    """
    contrast = claim.contrast
    if contrast is None:
        raise ValueError(f"claim {claim.id} has no contrast")
    return _find_side(contrast, contrast.a, columns), _find_side(contrast, contrast.b, columns)


def name_sides(claim: Claim) -> tuple[str, str]:
    """Return what a contrast's sides are called: their levels, or ``side a`` where they are conditions."""
    contrast = claim.contrast
    sides = (contrast.a, contrast.b) if contrast is not None else ("", "")
    first, second = (
        side if isinstance(side, str) else f"side {letter}" for letter, side in zip("ab", sides, strict=True)
    )
    return first, second


def evaluate_condition(condition: str, columns: Columns) -> Mask:
    """Return who satisfies a condition of the sample grammar, as bool array (n_rows,)."""
    expression = parse_expression(condition)
    names = expression.columns & columns.keys() or {"participant_id"}
    return expression.evaluate({name: columns[name].tolist() for name in sorted(names)})


def _find_side(contrast: Any, side: Any, columns: Columns) -> Mask:
    if not isinstance(side, str):
        return evaluate_condition(side.where, columns)
    if contrast.column not in columns:
        raise TableError(f"cohort: no column {contrast.column!r}, which a contrast names")
    return match_value(columns[contrast.column], side)


if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.study.claims.designs import Terms

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
