"""What each kind of claim tests: its rows and tested column, the simpler claims behind it, what to plant for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from rsconn.arrays import FloatArray
from rsconn.inference.model import Kind
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.study.claims.samples import Codes, Draft, FlowStep, find_sample, find_sides, name_sides
from rsconn.study.people.used_columns import Columns, Mask, get_numbers

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim, Contrast


@dataclass(frozen=True)
class Part:
    """A simpler claim that a claim is made of, and the people it is about.

    Attributes
    ----------
    name : str
        Such as ``slope in therapist``.
    claim : Claim
        A slope, a contrast or a change; it says nothing that is judged.
    people : bool array (n_rows,)
        Rows of the cohort.
    """

    name: str
    claim: Claim
    people: Mask


@dataclass(frozen=True)
class Construction:
    """How a kind of claim becomes arrays.

    Attributes
    ----------
    model : {'contrast', 'slope', 'paired'}
        What its model is to inference.
    draft : callable
        Return the rows that the claim can use before any covariate is looked at.
    plant : callable
        Return an outcome (n_rows,) of SD 1 with an effect: claim, columns, noise of SD 1 (n_rows,), effect.
    list_parts : callable
        Return the simpler claims that stand beside it.
    """

    model: Kind
    draft: Callable[[Claim, Columns, Mask | None], Draft]
    plant: Callable[[Claim, Columns, FloatArray, float], FloatArray]
    list_parts: Callable[[Claim, Columns], Sequence[Part]] = lambda _claim, _columns: ()


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
    return CONSTRUCTIONS[claim.kind].draft(claim, columns, people)


# --- rows -----------------------------------------------------------------------------------------


def _draft_contrast(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    return _drop_missing(claim, _draft_sides(claim, columns, people, claim.contrast))


def _draft_levels(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Test one column for each level but the last."""
    draft = _draft_sides(claim, columns, people, claim.contrast)
    names = name_sides(_need(claim.contrast))
    codes = np.asarray(draft.cells)[:, None]
    tested = (codes == np.arange(len(names) - 1)).astype(float)
    return _drop_missing(claim, replace(draft, tested=tested, cell_names=names))


def _draft_slope(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    draft = _draft_rows(claim, columns, find_sample(claim, columns, people))
    return _drop_missing(claim, replace(draft, tested=_get_predictor(claim, columns)[draft.rows]))


def _draft_slopes(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Test the product of side a and the predictor, beside the two: the slope in a minus that in b."""
    draft = _draft_sides(claim, columns, people, claim.contrast)
    draft = _drop_missing(claim, replace(draft, tested=_get_predictor(claim, columns)[draft.rows]))
    in_a, predictor = np.asarray(draft.cells == 0, dtype=float), draft.tested
    # centred, so that the product is told apart from the sides whatever the predictor's unit
    centre = predictor.mean() if predictor.size else 0.0
    return replace(draft, tested=(predictor - centre) * in_a, own=np.column_stack([in_a, predictor]))


def _draft_contrasts(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Test the product of two contrasts, beside the two: a - b on side a of `between` minus a - b on side b."""
    draft = _draft_sides(claim, columns, people, claim.contrast, claim.between)
    cells = np.asarray(draft.cells)
    sides = np.column_stack([cells // 2 == 0, cells % 2 == 0]).astype(float)
    return _drop_missing(claim, replace(draft, tested=sides.prod(axis=1), own=sides))


def _draft_sides(claim: Claim, columns: Columns, people: Mask | None, *contrasts: Contrast | None) -> Draft:
    """Return the rows that are on some side of every contrast, those of the first side of all tested."""
    named = [_need(contrast) for contrast in contrasts]
    cells, fault = _find_cells(named, columns, find_sample(claim, columns, people))
    names = tuple(" in ".join(pair) for pair in product(*map(name_sides, named))) if named[1:] else ("a", "b")
    draft = _draft_rows(claim, columns, cells >= 0)
    cells = cells[draft.rows]
    return replace(draft, tested=(cells == 0).astype(float), cells=cells, cell_names=names, fault=fault)


def _draft_pairs(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Pair each person's row of side a with that of side b; the outcome is the difference a - b."""
    sample = find_sample(claim, columns, people)
    sides = [sample & side for side in find_sides(_need(claim.contrast), columns)]
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
    changes, ones = outcome[rows] - outcome[partners], np.ones(len(pairs))
    return _drop_missing(claim, Draft(rows, partners, changes, ones, flow, fault, has_constant=False))


def _draft_changes(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Contrast the changes of people on two sides."""
    cells, fault = _find_cells([_need(claim.between)], columns, find_sample(claim, columns, people))
    draft = _draft_pairs(claim, columns, cells >= 0)
    there, before = cells[draft.rows], cells[draft.partners]
    fault = (
        draft.fault or fault or ("somebody changes sides between the two" if (there != before).any() else "")
    )
    return replace(
        draft,
        tested=(there == 0).astype(float),
        cells=there,
        cell_names=("a", "b"),
        fault=fault,
        has_constant=True,
    )


def _draft_mean(claim: Claim, columns: Columns, people: Mask | None) -> Draft:
    """Test the mean of how far the outcome is from the value."""
    draft = _draft_rows(claim, columns, find_sample(claim, columns, people))
    return _drop_missing(
        claim, replace(draft, outcome=draft.outcome - float(claim.than or 0.0), has_constant=False)
    )


def _draft_rows(claim: Claim, columns: Columns, sample: Mask) -> Draft:
    """Return the rows of the sample; nothing is tested yet."""
    rows = np.flatnonzero(sample)
    outcome = get_numbers(columns, claim.outcome, f"claim {claim.id}")[rows]
    return Draft(rows, None, outcome, np.ones(rows.size), (FlowStep("sample", rows.size, 0),))


def _drop_missing(claim: Claim, draft: Draft) -> Draft:
    draft = draft.keep(np.isfinite(draft.outcome), f"no {claim.outcome}")
    if claim.predictor is None:
        return draft
    return draft.keep(np.isfinite(draft.tested), f"no {claim.predictor}")


def _get_predictor(claim: Claim, columns: Columns) -> FloatArray:
    return get_numbers(columns, str(claim.predictor), f"claim {claim.id}")


def _find_cells(contrasts: Sequence[Contrast], columns: Columns, sample: Mask) -> tuple[Codes, str]:
    """Return which combination of sides (0, 1, ...; the last contrast fastest) each row is on, -1 for none."""
    cells, fault = np.where(sample, 0, -1), ""
    for contrast in contrasts:
        sides = find_sides(contrast, columns)
        if (np.sum(sides, axis=0) > 1)[sample].any():
            fault = "somebody is on both sides of the contrast"
        place = np.select(sides, [np.full(sample.size, code) for code in range(len(sides))], default=-1)
        cells = np.where((cells < 0) | (place < 0), -1, cells * len(sides) + place)
    return np.asarray(cells, dtype=np.int64), fault


def _need(contrast: Contrast | None) -> Contrast:
    if contrast is None:
        raise ValueError("a claim of this kind has a contrast")
    return contrast


# --- the simpler claims behind a comparison -------------------------------------------------------


def _list_slopes(claim: Claim, columns: Columns) -> list[Part]:
    slope = claim.model_copy(update={"contrast": None, "expect": "associated"})
    return _list_by_side(slope, "slope", _need(claim.contrast), columns)


def _list_contrasts(claim: Claim, columns: Columns) -> list[Part]:
    simple = claim.model_copy(update={"between": None, "expect": "different"})
    return _list_by_side(simple, "difference", _need(claim.between), columns)


def _list_pairs(claim: Claim, columns: Columns) -> list[Part]:
    contrast = _need(claim.contrast)
    everybody = np.ones(columns["participant_id"].size, dtype=np.bool_)
    return [
        Part(
            f"pair {first} minus {second}",
            claim.model_copy(
                update={"contrast": contrast.model_copy(update={"levels": None, "a": first, "b": second})}
            ),
            everybody,
        )
        for first, second in combinations(name_sides(contrast), 2)
    ]


def _list_changes(claim: Claim, columns: Columns) -> list[Part]:
    simple = claim.model_copy(update={"between": None, "expect": "different"})
    return _list_by_side(simple, "change", _need(claim.between), columns)


def _list_by_side(claim: Claim, what: str, contrast: Contrast, columns: Columns) -> list[Part]:
    names, sides = name_sides(contrast), find_sides(contrast, columns)
    return [Part(f"{what} in {name}", claim, side) for name, side in zip(names, sides, strict=True)]


# --- planted effects ------------------------------------------------------------------------------


def _plant_sides(claim: Claim, columns: Columns, noise: FloatArray, effect: float) -> FloatArray:
    """Raise the first side (of all contrasts) by the effect."""
    first = np.logical_and.reduce([find_sides(each, columns)[0] for each in claim.contrasts.values()])
    return np.asarray(noise + effect * first)


def _plant_levels(claim: Claim, columns: Columns, noise: FloatArray, effect: float) -> FloatArray:
    """Plant means in equal steps, their standard deviation over the people being the effect."""
    sides = np.array(find_sides(_need(claim.contrast), columns))
    steps = np.arange(len(sides)) @ sides
    there = sides.any(axis=0)
    return np.asarray(noise + effect * there * (steps - steps[there].mean()) / steps[there].std())


def _plant_mean(claim: Claim, columns: Columns, noise: FloatArray, effect: float) -> FloatArray:  # noqa: ARG001
    return np.asarray(float(claim.than or 0.0) + effect + noise)


def _plant_slope(claim: Claim, columns: Columns, noise: FloatArray, effect: float) -> FloatArray:
    return np.asarray(effect * columns[str(claim.predictor)] + np.sqrt(1 - effect**2) * noise)


def _plant_slopes(claim: Claim, columns: Columns, noise: FloatArray, effect: float) -> FloatArray:
    """Plant slopes that differ and have a mean of zero: a partial r with their difference alone."""
    in_a, in_b = find_sides(_need(claim.contrast), columns)
    share = in_a.sum() / (in_a | in_b).sum()
    product_ = columns[str(claim.predictor)] * (in_a - share) / np.sqrt(share * (1 - share))
    return np.asarray(np.where(in_a | in_b, effect * product_ + np.sqrt(1 - effect**2) * noise, noise))


CONSTRUCTIONS: Mapping[ClaimKind, Construction] = {
    ClaimKind.CONTRAST: Construction("contrast", _draft_contrast, _plant_sides),
    ClaimKind.SLOPE: Construction("slope", _draft_slope, _plant_slope),
    ClaimKind.CHANGE: Construction("paired", _draft_pairs, _plant_sides),
    ClaimKind.SLOPES_COMPARED: Construction("slope", _draft_slopes, _plant_slopes, _list_slopes),
    ClaimKind.CHANGES_COMPARED: Construction("contrast", _draft_changes, _plant_sides, _list_changes),
    ClaimKind.OMNIBUS: Construction("omnibus", _draft_levels, _plant_levels, _list_pairs),
    ClaimKind.MEAN: Construction("paired", _draft_mean, _plant_mean),
    ClaimKind.CONTRASTS_COMPARED: Construction("contrast", _draft_contrasts, _plant_sides, _list_contrasts),
}
