"""A claim and the cohort become arrays: who takes part, what is tested, what is adjusted for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rsconn.arrays import FloatArray
from rsconn.inference.model import Model, check_model, choose_estimator, choose_simple
from rsconn.settings.claim_kinds import ClaimKind
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.claims.complete_rows import Coding, encode_covariates
from rsconn.study.claims.covariates import LeftOutCovariate, choose_covariates
from rsconn.study.claims.kinds import CONSTRUCTIONS, draft_claim
from rsconn.study.claims.samples import Draft, FlowStep, find_blocks, find_units
from rsconn.study.people.used_columns import Column, Columns, Mask, Rows, find_present, is_text

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim, Contrast
    from rsconn.settings.config import Config


@dataclass(frozen=True)
class Terms:
    """What designs need to know of the config.

    Attributes
    ----------
    edges : frozenset of str
        Names that are edges; every other outcome or predictor is a score.
    edge_covariates, score_covariates : tuple of str
        Defaults for claims with an edge on either side, and for the others.
    group_column : str
        The table's name of the cohort column ``group``.
    circular_columns : tuple of str
        Column whose contrast or slope in these data defined the ROIs, first as the ROI set names it, then under
        its other names.
    exchange_within : str or None
        Column whose values are the blocks within which people are exchanged.
    exchange_whole : str or None
        Column of families, whose members depend on each other and are exchanged as a whole.
    group_levels : tuple of str
        Names of the groups in the config's order.
    categorical : frozenset of str
        Columns whose numbers are codes of categories.
    """

    edges: frozenset[str]
    edge_covariates: tuple[str, ...] = ()
    score_covariates: tuple[str, ...] = ()
    group_column: str = "group"
    circular_columns: tuple[str, ...] = ()
    exchange_within: str | None = None
    exchange_whole: str | None = None
    group_levels: tuple[str, ...] = ()
    categorical: frozenset[str] = frozenset()

    @property
    def coding(self) -> Coding:
        """How covariates become regressors."""
        return Coding(self.categorical, self.group_column)


def read_terms(config: Config) -> Terms:
    """Take from a config what designs need."""
    return Terms(
        edges=frozenset(str(getattr(edge, "name", edge)) for edge in config.edges),
        edge_covariates=tuple(config.covariates.edge),
        score_covariates=tuple(config.covariates.score),
        group_column=config.groups.column if config.groups is not None else "group",
        circular_columns=_list_circular_names(config),
        exchange_within=config.inference.exchange_within,
        exchange_whole=config.inference.exchange_whole,
        group_levels=tuple(config.groups.levels) if config.groups is not None else (),
        categorical=frozenset(config.categorical),
    )


def _list_circular_names(config: Config) -> tuple[str, ...]:
    """Names of the column that defined the ROIs in these data: the table's, and that of the group or score it is."""
    circular = config.rois.circular
    if circular is None or circular.data != "this":
        return ()
    pairs = [("group", config.groups.column)] if config.groups is not None else []
    pairs += [(name, score.column) for name, score in config.scores.items() if score.column is not None]
    names: tuple[str, ...] = (circular.contrast,)
    while others := [name for pair in pairs if set(names) & set(pair) for name in pair if name not in names]:
        names = tuple(dict.fromkeys((*names, *others)))
    return names


@dataclass(frozen=True, eq=False)
class Design:
    """A claim's model, or the reason why there is none.

    Attributes
    ----------
    model : Model or None
        None when the claim cannot be tested.
    reason : str
        Why the claim cannot be tested; empty if it can.
    people : tuple of str
        participant_id of each row (paired: of each pair), whether or not there is a model.
    n_per_group : str or None
        ``a=18;b=17``; None for slopes.
    covariates : tuple of str
        Covariates in the model.
    dropped : tuple of LeftOutCovariate
        Covariates that were left out.
    flow : tuple of FlowStep
        From the sample to the rows of the model; the numbers add up.
    rows : int array
        Rows of the cohort (paired: those of session a).
    circular : bool
        Whether the claim's own contrast defined its regions in these data, for which it cannot be tested.
    cell_names : tuple of str
        Of the model's cells, as in `n_per_group`.
    n_basis : int
        Columns of the model's nuisance that no covariate put there: the constant and the terms of a product.
    """

    model: Model | None
    reason: str
    people: tuple[str, ...]
    n_per_group: str | None
    covariates: tuple[str, ...]
    dropped: tuple[LeftOutCovariate, ...]
    flow: tuple[FlowStep, ...]
    rows: Rows
    circular: bool = False
    cell_names: tuple[str, ...] = ()
    n_basis: int = 1

    @property
    def n(self) -> int:
        """Number of people in the claim."""
        return len(self.people)


def build_model(
    claim: Claim,
    columns: Columns,
    terms: Terms,
    *,
    covariates: Sequence[str] | None = None,
    people: Mask | None = None,
) -> Design:
    """Turn a claim and the cohort into a model.

    Parameters
    ----------
    claim : Claim
        What is claimed.
    columns : mapping of str to array (n_rows,)
        The cohort (`rsconn.study.people.used_columns.make_columns`).
    terms : Terms
        What the config says of edges, covariates and circularity.
    covariates : sequence of str, optional
        Replaces the covariates for a sensitivity analysis; they are treated as defaults, never as listed.
    people : bool array (n_rows,), optional
        Further restricts the sample, for a sensitivity analysis.

    Returns
    -------
    Design
        A claim with an edge uses people with that edge; one without uses everyone with the scores. Nobody is
        lost for a covariate that is not used.

    Raises
    ------
    TableError
        If the claim names a column that the cohort lacks, or needs numbers where it has words.
    """
    draft = draft_claim(claim, columns, people)
    listed = covariates is None and claim.covariates is not None
    wanted = tuple(covariates) if covariates is not None else get_covariates(claim, terms)
    circularity = "" if draft.fault else _find_circularity(claim, columns, terms, draft)
    fault = draft.fault or circularity
    chosen = choose_covariates(claim, columns, draft, wanted, listed=listed, coding=terms.coding)
    draft = chosen.draft
    design = Design(
        model=None,
        reason=fault or chosen.fault or _find_empty_cell(draft),
        people=tuple(str(person) for person in columns["participant_id"][draft.rows]),
        n_per_group=_count_sides(claim, draft),
        cell_names=draft.cell_names,
        n_basis=draft.basis.shape[1],
        covariates=chosen.names,
        dropped=chosen.dropped,
        flow=draft.flow,
        rows=draft.rows,
        circular=bool(circularity),
    )
    return design if design.reason else _add_model(design, claim, columns, terms, draft)


def get_covariates(claim: Claim, terms: Terms) -> tuple[str, ...]:
    """Return a claim's own covariates, or the default list for claims with or without an edge; means have none."""
    if claim.kind is ClaimKind.MEAN:
        return ()
    if claim.covariates is not None:
        return tuple(claim.covariates)
    return terms.edge_covariates if has_edge(claim, terms) else terms.score_covariates


def has_edge(claim: Claim, terms: Terms) -> bool:
    """Say whether an edge stands on either side of a claim."""
    return claim.outcome in terms.edges or claim.predictor in terms.edges


def _find_circularity(claim: Claim, columns: Columns, terms: Terms, draft: Draft) -> str:
    names = terms.circular_columns
    if not names or not has_edge(claim, terms):
        return ""
    how = "the slope" if claim.contrast is None else "a contrast"
    about = {
        name for contrast in claim.contrasts.values() for name in _list_columns(contrast, columns, draft)
    }
    if claim.predictor is not None:
        about |= {claim.outcome, claim.predictor}
    if about.isdisjoint(names) and not any(
        _is_copied(columns[name], claim, draft) for name in names if name in columns
    ):
        return ""
    return f"circular: the ROIs were defined by {how} of {names[0]} in these data"


def _is_copied(column: Column, claim: Claim, draft: Draft) -> bool:
    """Say whether a claim is about a copy of a column: sides that its words tell apart, or its numbers rescaled."""
    cells = column[draft.rows]
    known = find_present(cells)
    cells = cells[known]
    if cells.size < 3 or np.ptp(draft.tested[known]) == 0:
        return False
    told = list(np.atleast_2d(draft.tested.T)) if draft.own is None else list(draft.own.T)
    n_sides = len(told) - (claim.predictor is not None)
    sides, numbers = ([column[known] for column in part] for part in (told[:n_sides], told[n_sides:]))
    if is_text(cells):
        return any(_tells_apart(cells, side) for side in sides)
    varied = [values for values in (cells, *numbers, draft.outcome[known]) if np.ptp(values) > 0]
    return len(numbers) == 1 and len(varied) == 3 and _are_alike(varied)


def _find_empty_cell(draft: Draft) -> str:
    """Say which side of a comparison nobody is on."""
    cells = zip(draft.cell_names, draft.list_cells(), strict=True)
    compared = draft.own is not None or draft.tested.ndim > 1
    empty = [name for name, cell in cells if compared and not cell.any()]
    return f"nobody is on side {empty[0]}" if empty else ""


def _tells_apart(words: Column, side: FloatArray) -> bool:
    return bool(np.ptp(side) > 0) and all(np.ptp(side[words == word]) == 0 for word in set(words.tolist()))


def _are_alike(numbers: Sequence[FloatArray]) -> bool:
    """Say whether the first of some columns is another one rescaled."""
    alike = np.atleast_2d(np.corrcoef(numbers))
    return bool(np.abs(alike[0, 1:]).max() > 1 - 1e-9)


def _list_columns(contrast: Contrast, columns: Columns, draft: Draft) -> set[str]:
    """Return what tells the sides apart: a condition that both sides share, such as one group, does not."""
    if contrast.column:
        return {contrast.column}
    conditions = [side.where for side in contrast.sides if not isinstance(side, str)]
    names = {name for condition in conditions for name in parse_expression(condition).columns}
    return {name for name in names if len(set(columns[name][draft.rows].tolist())) > 1}


def _count_sides(claim: Claim, draft: Draft) -> str | None:
    if claim.kind is ClaimKind.CHANGE:
        return f"a={draft.rows.size};b={draft.rows.size}"
    counts = zip(draft.cell_names, draft.list_cells(), strict=True)
    return ";".join(f"{re.sub('[;=]', '_', name)}={int(cell.sum())}" for name, cell in counts) or None


def _add_model(design: Design, claim: Claim, columns: Columns, terms: Terms, draft: Draft) -> Design:
    blocks = [block for _, block in encode_covariates(draft, columns, design.covariates, terms.coding)]
    nuisance = np.column_stack([draft.basis, *blocks])
    units, kind = find_units(columns, terms)[draft.rows], CONSTRUCTIONS[claim.kind].model
    if kind == "omnibus" and np.unique(units).size < units.size:
        return replace(
            design, reason="its people include families, of which no test of several levels is made"
        )
    n_covariates = nuisance.shape[1] - draft.basis.shape[1]
    plain = kind == "omnibus" or (kind == "contrast" and claim.outcome not in terms.edges)
    welch = plain and n_covariates == 0
    simple = "welch" if welch else choose_simple(kind, draft.tested, n_covariates)
    model = Model(
        outcome=draft.outcome,
        tested=draft.tested,
        nuisance=nuisance,
        kind=kind,
        estimator=choose_estimator(units, simple=simple),
        units=units,
        raw_sd=_compute_raw_sd(claim, columns, draft),
        blocks=find_blocks(claim, columns, terms, draft, design.covariates),
        cells=draft.cells if draft.own is not None or kind == "omnibus" else None,
    )
    fault = check_model(model)
    return replace(design, reason=fault) if fault else replace(design, model=model)


def _compute_raw_sd(claim: Claim, columns: Columns, draft: Draft) -> float | None:
    """Return the root of the mean variance of the outcome itself, for pairs: of both sessions, on each side."""
    cells = draft.list_cells() or [np.ones(draft.rows.size, dtype=np.bool_)]
    if draft.partners is None or min(int(cell.sum()) for cell in cells) < 2:
        return None
    outcome = columns[claim.outcome]
    variances = [
        np.var(outcome[rows[cell]], ddof=1) for cell in cells for rows in (draft.rows, draft.partners)
    ]
    return float(np.sqrt(np.mean(variances)))
