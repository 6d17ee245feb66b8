"""A claim and the cohort become arrays: who takes part, what is tested, what is adjusted for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import TableError
from rsconn.inference.model import Estimator, Model, check_model, is_full_rank
from rsconn.settings.sample_grammar import parse_expression
from rsconn.study.columns import (
    Columns,
    Mask,
    Rows,
    encode,
    find_present,
    get_numbers,
    match_value,
)

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.config import Config

FloatArray = NDArray[np.float64]


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
    circular_column : str or None
        Column whose contrast in these data defined the ROIs.
    group_levels : tuple of str
        Names of the groups in the config's order.
    """

    edges: frozenset[str]
    edge_covariates: tuple[str, ...] = ()
    score_covariates: tuple[str, ...] = ()
    group_column: str = "group"
    circular_column: str | None = None
    group_levels: tuple[str, ...] = ()


def read_terms(config: Config) -> Terms:
    """Take from a config what designs need."""
    circular = config.rois.circular
    return Terms(
        edges=frozenset(str(getattr(edge, "name", edge)) for edge in config.edges),
        edge_covariates=tuple(config.covariates.edge),
        score_covariates=tuple(config.covariates.score),
        group_column=config.groups.column if config.groups is not None else "group",
        circular_column=circular.contrast if circular is not None and circular.data == "this" else None,
        group_levels=tuple(config.groups.levels) if config.groups is not None else (),
    )


@dataclass(frozen=True)
class FlowStep:
    """How many rows were left after one condition of a claim, and how many it took away."""

    rule: str
    n: int
    n_excluded: int


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
    dropped : tuple of (str, str)
        Default covariates that were left out, each with its reason.
    flow : tuple of FlowStep
        From the sample to the rows of the model; the numbers add up.
    rows : int array
        Rows of the cohort (paired: those of session a).
    """

    model: Model | None
    reason: str
    people: tuple[str, ...]
    n_per_group: str | None
    covariates: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    flow: tuple[FlowStep, ...]
    rows: Rows

    @property
    def n(self) -> int:
        """Number of people in the claim."""
        return len(self.people)


@dataclass(frozen=True, eq=False)
class _Draft:
    """A claim on its way to a model: parallel arrays, one entry per row, or per pair of rows."""

    rows: Rows  # cohort rows (paired: session a)
    partners: Rows | None  # paired: cohort rows of session b
    outcome: FloatArray
    tested: FloatArray
    flow: tuple[FlowStep, ...]
    fault: str = ""

    def keep(self, mask: Mask, rule: str) -> _Draft:
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
        The cohort (`rsconn.study.columns.make_columns`).
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
    draft = _draft_paired(claim, columns, people) if claim.paired else _draft_rows(claim, columns, people)
    listed = covariates is None and claim.covariates is not None
    wanted = tuple(covariates) if covariates is not None else get_covariates(claim, terms)
    fault = draft.fault or _find_circularity(claim, terms)
    chosen = _choose_covariates(claim, columns, draft, wanted, listed=listed)
    draft = chosen.draft
    design = Design(
        model=None,
        reason=fault or chosen.fault,
        people=tuple(str(person) for person in columns["participant_id"][draft.rows]),
        n_per_group=_count_sides(claim, draft),
        covariates=chosen.names,
        dropped=chosen.dropped,
        flow=draft.flow,
        rows=draft.rows,
    )
    return design if design.reason else _add_model(design, claim, columns, terms, draft)


def get_covariates(claim: Claim, terms: Terms) -> tuple[str, ...]:
    """Return a claim's own covariates, or the default list for claims with or without an edge."""
    if claim.covariates is not None:
        return tuple(claim.covariates)
    return terms.edge_covariates if has_edge(claim, terms) else terms.score_covariates


def has_edge(claim: Claim, terms: Terms) -> bool:
    """Say whether an edge stands on either side of a claim."""
    return claim.outcome in terms.edges or claim.predictor in terms.edges


def _find_circularity(claim: Claim, terms: Terms) -> str:
    column = terms.circular_column
    if column is None or claim.contrast is None or not has_edge(claim, terms):
        return ""
    alias = {terms.group_column, "group"}
    names = alias if column in alias else {column}
    if names.isdisjoint(_list_contrast_columns(claim.contrast)):
        return ""
    return f"circular: the ROIs were defined by a contrast of {column} in these data"


def _list_contrast_columns(contrast: Any) -> set[str]:
    sides = [side.where for side in (contrast.a, contrast.b) if not isinstance(side, str)]
    found = {name for text in sides for name in parse_expression(text).columns}
    return found | ({contrast.column} if contrast.column else set())


def _draft_rows(claim: Claim, columns: Columns, people: Mask | None) -> _Draft:
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
    draft = _Draft(
        rows, None, outcome[rows], tested[rows], (FlowStep("sample", rows.size, 0),),
        fault="somebody is on both sides of the contrast" if both else "",
    )  # fmt: skip
    draft = draft.keep(np.isfinite(draft.outcome), f"no {claim.outcome}")
    if claim.contrast is None:
        draft = draft.keep(np.isfinite(draft.tested), f"no {claim.predictor}")
    return draft


def _draft_paired(claim: Claim, columns: Columns, people: Mask | None) -> _Draft:
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
    draft = _Draft(rows, partners, outcome[rows] - outcome[partners], np.ones(len(pairs)), flow, fault)
    return draft.keep(np.isfinite(draft.outcome), f"no {claim.outcome}")


def find_sample(claim: Claim, columns: Columns, people: Mask | None = None) -> Mask:
    """Return who is in a claim's sample (n_rows,), whatever they lack; `people` restricts it further."""
    sample = _evaluate(claim.sample, columns)
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


def _evaluate(condition: str, columns: Columns) -> Mask:
    expression = parse_expression(condition)
    names = expression.columns & columns.keys() or {"participant_id"}
    return expression.evaluate({name: columns[name].tolist() for name in sorted(names)})


def _find_side(contrast: Any, side: Any, columns: Columns) -> Mask:
    if not isinstance(side, str):
        return _evaluate(side.where, columns)
    if contrast.column not in columns:
        raise TableError(f"cohort: no column {contrast.column!r}, which a contrast names")
    return match_value(columns[contrast.column], side)


@dataclass(frozen=True, eq=False)
class _Choice:
    names: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    draft: _Draft
    fault: str


def _choose_covariates(
    claim: Claim, columns: Columns, draft: _Draft, wanted: Sequence[str], *, listed: bool
) -> _Choice:
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
    return _Choice(tuple(names), tuple(dropped), draft, draft.fault or fault)


def _find_unusable(
    claim: Claim, columns: Columns, draft: _Draft, names: Sequence[str]
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


def _find_aliased(draft: _Draft, columns: Columns, names: Sequence[str]) -> tuple[str, str] | None:
    paired = draft.partners is not None
    constant = np.ones((draft.rows.size, 0 if paired else 1))
    before = constant
    for name, block in _encode_covariates(draft, columns, names):
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


def _encode_covariates(
    draft: _Draft, columns: Columns, names: Sequence[str]
) -> Iterator[tuple[str, FloatArray]]:
    """Yield each covariate as regressors (n, k); within-person differences for pairs."""
    for name in names:
        if draft.partners is None:
            yield name, encode(columns[name][draft.rows])
        else:
            both = encode(columns[name][np.concatenate([draft.rows, draft.partners])])
            yield name, both[: draft.rows.size] - both[draft.rows.size :]


def _find_complete(columns: Columns, draft: _Draft, names: Sequence[str]) -> Mask:
    complete = np.ones(draft.rows.size, dtype=bool)
    for name in names:
        complete &= find_present(columns[name][draft.rows])
        if draft.partners is not None:
            complete &= find_present(columns[name][draft.partners])
    return complete


def _merge_repeats(claim: Claim, columns: Columns, draft: _Draft, names: Sequence[str]) -> _Draft:
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
        f"restrict sample of claim {claim.id} to one",
    )


def _count_sides(claim: Claim, draft: _Draft) -> str | None:
    if claim.contrast is None:
        return None
    n_a = int((draft.tested > 0.5).sum())
    n_b = n_a if claim.paired else draft.rows.size - n_a
    return f"a={n_a};b={n_b}"


def _add_model(design: Design, claim: Claim, columns: Columns, terms: Terms, draft: _Draft) -> Design:
    blocks = [block for _, block in _encode_covariates(draft, columns, design.covariates)]
    constant = np.ones((draft.rows.size, 0 if claim.paired else 1))
    nuisance = np.column_stack([constant, *blocks])
    codes = np.unique(columns["participant_id"].astype(str), return_inverse=True)[1]
    welch = claim.contrast is not None and not claim.paired and claim.outcome not in terms.edges
    estimator: Estimator = "welch" if welch and nuisance.shape[1] == 1 else "ols_hc3"
    model = Model(
        outcome=draft.outcome,
        tested=draft.tested,
        nuisance=nuisance,
        kind="paired" if claim.paired else "slope" if claim.contrast is None else "contrast",
        estimator=estimator,
        people=codes[draft.rows].astype(np.int64),
        raw_sd=_compute_raw_sd(claim, columns, draft),
    )
    fault = check_model(model)
    return replace(design, reason=fault) if fault else replace(design, model=model)


def _compute_raw_sd(claim: Claim, columns: Columns, draft: _Draft) -> float | None:
    """Return sqrt((s_a^2 + s_b^2) / 2) of the outcome itself, for pairs."""
    if draft.partners is None or draft.rows.size < 2:
        return None
    outcome = columns[claim.outcome]
    variances = [np.var(outcome[rows], ddof=1) for rows in (draft.rows, draft.partners)]
    return float(np.sqrt(np.mean(variances)))
