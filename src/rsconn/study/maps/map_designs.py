"""Which models a study's maps are fitted to: the groups' difference, slopes of scores, their interaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.inference.arrangements import count_whole_orders
from rsconn.inference.model import is_full_rank
from rsconn.inference.patches import Exchange, choose_exchange
from rsconn.settings.claims import Claim, Contrast
from rsconn.study.claims.complete_rows import encode_covariates
from rsconn.study.claims.covariates import Choice, CovariateFault, LeftOutCovariate, choose_covariates
from rsconn.study.claims.designs import Terms
from rsconn.study.claims.samples import Draft, find_blocks, find_units
from rsconn.study.people.used_columns import Column, Columns, Mask, Rows, find_present, get_numbers, is_text

if TYPE_CHECKING:
    from rsconn.settings.config import Config


# With fewer exchanges that differ no corrected p could be below 5 %.
_LEAST_EXCHANGES = 20


@dataclass(frozen=True, eq=False)
class MapDesign:
    """One model of the maps, or the reason why it cannot be fitted.

    Attributes
    ----------
    name : str
        Part of the files' names: ``group``, a score, ``<score>-by-group``.
    kind : {'contrast', 'slope', 'interaction'}
    text : str
        What a positive t means.
    opposite : str
        What a negative t means.
    rows : int array (n,)
        Rows of the cohort.
    tested : float64 array (n,)
    nuisance : float64 array (n, q)
        Constant first.
    covariates : tuple of str
        What stands in the model besides what is tested.
    dropped : tuple of LeftOutCovariate
        Default covariates left out.
    reason : str
        Why there is no test; empty if there is one.
    blocks : int array (n,) or None
        Within which people are exchanged, as for a claim of the same kind (`rsconn.study.claims.samples`); None
        where signs are flipped.
    units : int array (n,) or None
        Families that are exchanged as wholes; None if there are none.

    Notes
    -----
    Groups may differ in variance, so a contrast flips signs, which needs no blocks. A score may be skewed, and
    flips need symmetry: slopes, and what slopes differ by, exchange people.
    """

    name: str
    kind: str
    text: str
    opposite: str
    rows: Rows
    tested: FloatArray
    nuisance: FloatArray
    covariates: tuple[str, ...]
    dropped: tuple[LeftOutCovariate, ...]
    reason: str
    blocks: NDArray[np.int64] | None = None
    units: NDArray[np.int64] | None = None

    @property
    def exchange(self) -> Exchange:
        """What makes null outcomes."""
        return choose_exchange(self.kind)


@dataclass(frozen=True, eq=False)
class _Wish:
    """A model before its covariates are chosen."""

    name: str
    kind: str
    text: str
    opposite: str
    about: Claim
    rows: Rows
    tested: FloatArray
    wanted: tuple[str, ...]


def merge_sessions(columns: Columns) -> dict[str, Column]:
    """Return one row per person: the mean of numbers, the first of words.

    Examples
    --------
    >>> columns = {"participant_id": np.array(["a", "b", "a"], object), "x": np.array([1.0, np.nan, 3.0])}
    >>> {name: values.tolist() for name, values in merge_sessions(columns).items()}
    {'participant_id': ['a', 'b'], 'x': [2.0, nan]}
    """
    _, first, codes = np.unique(columns["participant_id"].astype(str), return_index=True, return_inverse=True)
    order = np.argsort(first)
    return {
        name: np.array(
            [_merge(column[codes == person]) for person in order], dtype=object if is_text(column) else float
        )
        for name, column in columns.items()
    }


def _merge(cells: Column) -> str | float | None:
    present = cells[find_present(cells)]
    if is_text(cells):
        return str(present[0]) if present.size else None
    return float(present.mean()) if present.size else float("nan")


def list_map_designs(columns: Columns, has_map: Mask, config: Config) -> tuple[MapDesign, ...]:
    """Return the models that a config asks of its maps.

    Parameters
    ----------
    columns : mapping of str to array (n_people,)
        The cohort, one row per person.
    has_map : bool array (n_people,)
        Who has a map.
    config : Config
        Groups, ``covariates.edge``, ``maps``, and who may be exchanged (``inference``).

    Raises
    ------
    TableError
        A covariate or score is not in the cohort.
    """
    terms = Terms(
        edges=frozenset(),
        group_column=config.groups.column if config.groups else "group",
        exchange_within=config.inference.exchange_within,
        exchange_whole=config.inference.exchange_whole,
        categorical=frozenset(config.categorical),
    )
    return tuple(_choose(wish, columns, terms) for wish in _list_wishes(columns, has_map, config))


def _list_wishes(columns: Columns, has_map: Mask, config: Config) -> Iterator[_Wish]:
    levels = tuple(config.groups.levels) if config.groups else ()
    covariates = tuple(config.covariates.edge)
    for a, b in combinations(levels, 2):
        rows = np.flatnonzero(has_map & np.isin(columns["group"], (a, b)))
        about = _describe(contrast=Contrast(column="group", a=a, b=b))
        name = "group" if len(levels) == 2 else f"group-{a}-{b}"
        tested = (columns["group"][rows] == a).astype(float)
        yield _Wish(name, "contrast", f"{a} > {b}", f"{b} > {a}", about, rows, tested, covariates)
    for score in config.maps.scores:
        yield from _list_slopes(score, columns, has_map, levels, config)


def _list_slopes(
    score: str, columns: Columns, has_map: Mask, levels: Sequence[str], config: Config
) -> Iterator[_Wish]:
    values = get_numbers(columns, score, "maps.scores")
    rows = has_map & np.isfinite(values)
    if levels:
        rows &= np.isin(columns["group"], levels)
    chosen = np.flatnonzero(rows)
    about, group = _describe(predictor=score), ("group",) if len(levels) > 1 else ()
    rest = (*group, *config.covariates.edge)
    text, opposite = f"higher with {score}", f"lower with {score}"
    yield _Wish(score, "slope", text, opposite, about, chosen, values[chosen], rest)
    if config.maps.interaction and len(levels) == 2:
        a, b = levels
        product = (values[chosen] - values[chosen].mean()) * (columns["group"][chosen] == a)
        about = _describe(predictor=f"{score} by group")
        text, opposite = f"slope of {score}: {a} > {b}", f"slope of {score}: {b} > {a}"
        yield _Wish(
            f"{score}-by-group", "interaction", text, opposite, about, chosen, product, (score, *rest)
        )


def _describe(*, contrast: Contrast | None = None, predictor: str | None = None) -> Claim:
    """Return the claim whose covariates are chosen; nothing is claimed of a map."""
    expect = "different" if contrast else "associated"
    return Claim(
        id="maps", family="maps", text="seed maps", outcome="seed map", contrast=contrast,
        predictor=predictor, expect=expect,
    )  # fmt: skip


def _choose(wish: _Wish, columns: Columns, terms: Terms) -> MapDesign:
    draft = Draft(wish.rows, None, np.zeros(wish.rows.size), wish.tested, ())
    coding = terms.coding
    chosen = choose_covariates(wish.about, columns, draft, wish.wanted, listed=False, coding=coding)
    draft = chosen.draft
    blocks = [block for _, block in encode_covariates(draft, columns, chosen.names, coding)]
    nuisance = np.column_stack([np.ones(draft.rows.size), *blocks])
    flips = choose_exchange(wish.kind) == "signs"
    exchanged = None if flips else find_blocks(wish.about, columns, terms, draft, chosen.names)
    units = find_units(columns, terms)[draft.rows]
    families = units if np.unique(units).size < units.size else None
    return MapDesign(
        name=wish.name,
        kind=wish.kind,
        text=wish.text,
        opposite=wish.opposite,
        rows=draft.rows,
        tested=draft.tested,
        nuisance=nuisance,
        covariates=chosen.names,
        dropped=chosen.dropped,
        reason=_find_lost_term(wish, chosen)
        or chosen.fault
        or _find_fault(wish.kind, draft.tested, nuisance)
        or _find_fixed(wish.kind, draft.tested, exchanged, families),
        blocks=exchanged,
        units=families,
    )


def _find_fixed(
    kind: str, tested: FloatArray, blocks: NDArray[np.int64] | None, units: NDArray[np.int64] | None
) -> str:
    """Say so if few exchanges, or flips, of whole families change what is tested."""
    if units is None:
        return ""
    if choose_exchange(kind) == "signs":
        # flipping all does nothing to |t|
        n_families = np.unique(units).size
        few = (
            f"{n_families} families have too few signs to flip"
            if 2 ** (n_families - 1) < _LEAST_EXCHANGES
            else ""
        )
    else:
        found = count_whole_orders(tested, units, blocks)
        few = "no exchange changes" if found == 1 else f"only {found - 1} of the exchanges change"
        few = f"{few} what is tested" if found < _LEAST_EXCHANGES else ""
    return few and f"families are exchanged as wholes (inference.exchange_whole), and {few}"


def _find_lost_term(wish: _Wish, chosen: Choice) -> str:
    """Say why slopes cannot be tested if a term went without which the coefficient means something else.

    Without the score or the group the product of both is one group's slope, not a difference of slopes; and without
    a group that the score tells, the slope is that group's difference.
    """
    terms = wish.wanted[:2] if wish.kind == "interaction" else ("group",) if wish.kind == "slope" else ()
    left_out = list(chosen.dropped) if wish.kind == "interaction" else []
    if chosen.refused and chosen.refused.fault == CovariateFault.ALIASED and not chosen.draft.fault:
        left_out.append(chosen.refused)
    lost = {left.name: left.why for left in left_out}
    return next(
        (
            f"{wish.name} cannot be told apart from the other terms: {name} {lost[name]}"
            for name in terms
            if name in lost
        ),
        "",
    )


def _find_fault(kind: str, tested: FloatArray, nuisance: FloatArray) -> str:
    n, n_parameters = len(tested), nuisance.shape[1] + 1
    if n < n_parameters + 2:
        return f"n = {n} is too small for {n_parameters} parameters"
    n_a = int((tested > 0.5).sum())
    if kind == "contrast" and min(n_a, n - n_a) < 2:
        return f"a group needs at least 2 people (a={n_a};b={n - n_a})"
    if not is_full_rank(np.column_stack([tested, nuisance])):
        return "the design is rank-deficient: what is tested cannot be told apart from the covariates"
    return ""
