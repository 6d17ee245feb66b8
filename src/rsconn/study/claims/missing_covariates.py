"""How many people each side of a claim loses because a covariate is missing, told before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rsconn.study.claims.complete_rows import find_complete
from rsconn.study.claims.covariates import CovariateFault
from rsconn.study.claims.designs import Terms, build_model, has_edge
from rsconn.study.claims.kinds import draft_claim
from rsconn.study.claims.samples import Draft, name_cells
from rsconn.study.people.used_columns import Columns, Mask

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim


@dataclass(frozen=True)
class Missing:
    """What one side of a claim lacks of its covariates.

    Attributes
    ----------
    option : str
        Where the covariates are named.
    default : bool
        Whether they are the config's defaults, not the claim's own list.
    side : str
        A level of the contrast, a group, or ``everybody``.
    counts : tuple of (str, int)
        Covariate to how many of the side lack it, most first; those that somebody lacks.
    n, n_lost : int
        People of the side, and those who lack any of the covariates.
    """

    option: str
    default: bool
    side: str
    counts: tuple[tuple[str, int], ...]
    n: int
    n_lost: int

    def describe(self) -> str:
        """Say how many of the side lack what."""
        lacking = ", ".join(
            f"{name} missing for {'all' if count == self.n else count}" for name, count in self.counts
        )
        return f"{self.option}: of {self.n} {self.side}, {lacking}"


def list_missing(claims: Sequence[Claim], columns: Columns, terms: Terms) -> list[Missing]:
    """Return what the sides of the claims lack of their covariates, each finding once.

    A covariate that everybody lacks costs nobody (it is left out), and one that nobody lacks is not told.

    Parameters
    ----------
    claims : sequence of Claim
        The config's claims.
    columns, terms : Columns, Terms
        As for `rsconn.study.claims.designs.build_model`.
    """
    found = [missing for claim in claims for missing in _look_at(claim, columns, terms)]
    return list(dict.fromkeys(found))


def list_losses(missing: Sequence[Missing], *, limit: float) -> list[str]:
    """Return a problem for each side that default covariates would cost a larger share than allowed.

    Parameters
    ----------
    missing : sequence of Missing
        Of all claims.
    limit : float
        ``censoring.max_share_lost``.
    """
    return [
        f"{loss.describe()}; {loss.n_lost} of {loss.n} would be lost for it "
        f"({loss.n_lost / loss.n:.0%}; censoring.max_share_lost allows {limit:.0%}); fill in the cells, take "
        f"{' or '.join(name for name, _ in loss.counts)} out of {loss.option}, or give the claims covariates "
        "of their own"
        for loss in missing
        if loss.default and loss.n_lost > limit * loss.n
    ]


def _look_at(claim: Claim, columns: Columns, terms: Terms) -> Iterator[Missing]:
    draft = draft_claim(claim, columns)
    default = claim.covariates is None
    option = f"claim {claim.id}, covariates"
    if default:
        option = f"covariates.{'edge' if has_edge(claim, terms) else 'score'}"
    design = build_model(claim, columns, terms)
    left_out = (left.name for left in design.dropped if left.fault == CovariateFault.MISSING)
    names = [*design.covariates, *left_out]
    there = {name: find_complete(columns, draft, [name]) for name in names}
    there = {name: mask for name, mask in there.items() if mask.any() and not mask.all()}
    for side, member in _list_sides(claim, columns, draft) if there else ():
        lacking = {name: int((member & ~mask).sum()) for name, mask in there.items()}
        counts = sorted(
            ((name, count) for name, count in lacking.items() if count), key=lambda item: -item[1]
        )
        if counts:
            whole = find_complete(columns, draft, list(there))
            yield Missing(
                option, default, side, tuple(counts), int(member.sum()), int((member & ~whole).sum())
            )


def _list_sides(claim: Claim, columns: Columns, draft: Draft) -> Iterator[tuple[str, Mask]]:
    """Yield the sides of contrasts; of pairs and slopes everybody, and each group."""
    if draft.cells is not None:
        levels = all(each.column for each in claim.contrasts.values())
        for name, member in zip(name_cells(claim, draft), draft.list_cells(), strict=True):
            yield name if levels else f"on {name} of claim {claim.id}", member
        return
    yield "people", draft.rows >= 0
    groups = columns.get("group")
    if groups is not None:
        cells = groups[draft.rows]
        for group in sorted({str(cell) for cell in cells if cell is not None}):
            yield group, cells == group
