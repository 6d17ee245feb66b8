"""Rates with their Monte Carlo errors, and the pass marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.tallies import Tally
from rsconn.settings.claims import Claim, Verdict
from rsconn.study.claims.verdicts import get_rule, get_sign

# A rate fails when it misses its bound by more than so many Monte Carlo errors at the bound.
MARGIN = 3.0


@dataclass(frozen=True)
class Rate:
    """A rate over cohorts and its bound.

    Attributes
    ----------
    quantity, subject : str
        What was counted, of which claim or family.
    hits, n : int
    bound : float
    at_most : bool
        The rate may not exceed the bound (else: may not fall below it).
    """

    quantity: str
    subject: str
    hits: int
    n: int
    bound: float
    at_most: bool = True

    @property
    def value(self) -> float:
        """Rate, NaN without cohorts."""
        return self.hits / self.n if self.n else float("nan")

    @property
    def mc_error(self) -> float:
        """Standard error of the rate by chance alone, if it were at its bound."""
        return float((self.bound * (1 - self.bound) / self.n) ** 0.5) if self.n else float("nan")

    @property
    def excess(self) -> float:
        """By how many Monte Carlo errors the rate misses its bound; negative if it keeps it."""
        missed = self.value - self.bound if self.at_most else self.bound - self.value
        return missed / self.mc_error if self.n else float("-inf")

    @property
    def passed(self) -> bool:
        """Whether the bound holds within the margin."""
        return self.excess <= MARGIN


SIZE = "two-sided size"
DIRECTIONAL = "support of a direction without effect"
TOST = "TOST size at the bound"
PERMUTATION = "two-sided size, permutation"
COVERAGE = "coverage of 95 % intervals"
FAMILY = "any false support in the family"
FAMILY_MAXT = "any p < 5 % in the family, sign-flip max-T"
CONTRADICTION = "size of p_contradict at the bound"
FAMILY_CONTRADICTION = "any false negligible or contradicted in the family"


MAPS = "any corrected p ≤ 5 % in the map"
REGIONS = "p ≤ 5 % of a region that the data chose"


def list_map_rates(tally: Tally) -> list[Rate]:
    """Return how often each statistic found anything in maps without an effect."""
    found = [_count_at_most(MAPS, name, tally) for name in tally.ids]
    return [rate for rate in found if rate.n]


def list_region_rates(tally: Tally) -> list[Rate]:
    """Return how often each way to a p called a region real, of the cohorts that have such a region."""
    return [_count_at_most(REGIONS, name, tally) for name in tally.ids]


def _count_at_most(quantity: str, subject: str, tally: Tally) -> Rate:
    p = tally.get("p", [subject])[:, 0]
    p = p[np.isfinite(p)]
    return Rate(quantity, subject, int((p <= 0.05).sum()), p.size, 0.05)


def list_rates(
    tally: Tally, claims: Sequence[Claim], truth: Mapping[str, float], planting: str
) -> list[Rate]:
    """Return every rate of a scenario, with its bound; where nothing is counted there is no rate."""
    found = [count_coverage(tally, claim, truth[claim.id]) for claim in claims]
    count = _count_null if planting == "null" else _count_sesoi
    return [rate for rate in [*count(tally, claims), *found] if rate.n]


def _count_null(tally: Tally, claims: Sequence[Claim]) -> list[Rate]:
    rates = []
    for claim in claims:
        p = tally.get("p", [claim.id])[:, 0]
        rule = get_rule(claim.expect)
        if rule == "equivalence":
            rates.append(_count(TOST, claim.id, p))
            continue
        rates += [
            _count(SIZE, claim.id, p),
            _count(PERMUTATION, claim.id, tally.get("p_permutation", [claim.id])[:, 0]),
        ]
        if rule == "directional":
            claimed = get_sign(claim.expect) * tally.get("estimate", [claim.id])[:, 0] > 0
            rates.append(_count(DIRECTIONAL, claim.id, np.where(claimed | np.isnan(p), p, 1.0), bound=0.025))
    for family, members in _list_families(claims).items():
        supported = tally.has(Verdict.SUPPORTED, members).any(axis=1)
        rates.append(Rate(FAMILY, family, int(supported.sum()), tally.n, 0.05))
        maxt = tally.get("p_family_maxt", members)
        drawn = np.isfinite(maxt).any(axis=1)
        hits = (np.nan_to_num(maxt[drawn], nan=1.0) < 0.05).any(axis=1)
        rates.append(Rate(FAMILY_MAXT, family, int(hits.sum()), int(drawn.sum()), 0.05))
    return rates


def _count_sesoi(tally: Tally, claims: Sequence[Claim]) -> list[Rate]:
    rates = [_count(CONTRADICTION, claim.id, tally.get("p_contradict", [claim.id])[:, 0]) for claim in claims]
    for family, members in _list_families(claims).items():
        hits = (tally.has(Verdict.CONTRADICTED, members) | tally.has(Verdict.NEGLIGIBLE, members)).any(axis=1)
        rates.append(Rate(FAMILY_CONTRADICTION, family, int(hits.sum()), tally.n, 0.05))
    return rates


def count_coverage(tally: Tally, claim: Claim, truth: float) -> Rate:
    """Return how often the 95 % interval of a claim holds the truth."""
    low, high = (tally.get(name, [claim.id])[:, 0] for name in ("ci_low", "ci_high"))
    drawn = np.isfinite(low)
    hits = (low[drawn] <= truth) & (truth <= high[drawn])
    return Rate(COVERAGE, claim.id, int(hits.sum()), int(drawn.sum()), 0.95, at_most=False)


def _count(quantity: str, subject: str, p: np.ndarray, bound: float = 0.05) -> Rate:
    drawn = p[np.isfinite(p)]
    return Rate(quantity, subject, int((drawn < 0.05).sum()), drawn.size, bound)


def _list_families(claims: Sequence[Claim]) -> dict[str, list[str]]:
    families: dict[str, list[str]] = {}
    for claim in claims:
        families.setdefault(claim.family, []).append(claim.id)
    return families
