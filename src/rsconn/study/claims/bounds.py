"""The smallest effect of interest of a claim: who set it, and what it is on the scale of the estimate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rsconn.inference.effect_sizes import convert_sesoi
from rsconn.inference.model import Model
from rsconn.inference.replication import find_telescope_effect
from rsconn.settings.claims import RawBound
from rsconn.study.second_looks.original import describe_original

if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.sections import InferenceSettings


class BoundSource(StrEnum):
    """Who set a claim's smallest effect of interest."""

    CLAIM = "claim"
    ORIGINAL = "original"
    CONFIG = "config"
    DEFAULT = "default"


@dataclass(frozen=True)
class Bound:
    """A smallest effect of interest: a g or a partial r, or in the outcome's units, and who set it.

    Attributes
    ----------
    of_changes : bool
        In units of the SD of the pairs' changes, the only ones that an original's t of pairs gives.
    """

    value: float
    is_raw: bool
    source: BoundSource
    of_changes: bool = False

    def convert(self, model: Model) -> float:
        """Return it on the scale of the estimate."""
        if self.of_changes:
            return self.value * float(model.outcome.std(ddof=1))
        return self.value if self.is_raw else convert_sesoi(model, self.value)

    def standardise(self, model: Model | None) -> float:
        """Return it as a g or a partial r; NaN where that needs a model and there is none."""
        if not (self.is_raw or self.of_changes):
            return self.value
        return math.nan if model is None else self.convert(model) / convert_sesoi(model, 1.0)


def find_bound(claim: Claim, inference: InferenceSettings) -> Bound:
    """Return a claim's smallest effect of interest, its own or the config's."""
    if isinstance(claim.sesoi, RawBound):
        return Bound(claim.sesoi.raw, is_raw=True, source=BoundSource.CLAIM)
    if isinstance(claim.sesoi, str):
        return _find_original_bound(claim)
    if claim.sesoi is not None:
        return Bound(claim.sesoi, is_raw=False, source=BoundSource.CLAIM)
    name = claim.form.default
    is_set = name in inference.sesoi.model_fields_set
    source = BoundSource.CONFIG if is_set else BoundSource.DEFAULT
    value = float(getattr(inference.sesoi, name))
    # two groups of one size that differ by g have f = g / 2
    return Bound(value / 2 if claim.form.scale == "f" else value, is_raw=False, source=source)


def _find_original_bound(claim: Claim) -> Bound:
    """Return the effect that the original study had 33 % power to find (Simonsohn 2015)."""
    if claim.original is None:
        raise ValueError(f"claim {claim.id} has no original")
    effect = find_telescope_effect(describe_original(claim.original, claim))
    if claim.original.estimate is not None:
        return Bound(effect, is_raw=True, source=BoundSource.ORIGINAL)
    value = math.tanh(effect) if claim.form.scale == "partial_r" else effect
    return Bound(value, is_raw=False, source=BoundSource.ORIGINAL, of_changes=claim.paired)


def describe_original_bounds(claims: Sequence[Claim], inference: InferenceSettings) -> list[str]:
    """Say per claim with `sesoi: original` what that comes to."""
    bounds = [(claim, claim.original, find_bound(claim, inference)) for claim in claims]
    return [
        f"claim {claim.id}: sesoi: original is {_name_unit(claim, bound)}{bound.value:.3g}, which the original "
        f"({original.source}) had 33 % power to find"
        for claim, original, bound in bounds
        if original is not None and bound.source is BoundSource.ORIGINAL
    ]


def _name_unit(claim: Claim, bound: Bound) -> str:
    if bound.is_raw:
        return "in the outcome's units "
    return "in SDs of the changes " if bound.of_changes else "g " if claim.form.scale == "g" else "partial r "
