"""From tallies to rates: which of them have a pass mark, and which of these fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from calibration.cases import get_case
from calibration.marks import Rate, list_map_rates, list_rates, list_region_rates
from calibration.regions import WAYS
from calibration.scenarios import SCENARIOS
from calibration.tallies import Tally

MAP_PARTS = ("maps", "maps-tfce", "maps-unequal")
# Of the ways to a p for a circular region only the last claims an error rate.
_GUARANTEED = {"maps", "maps-tfce", "regions", *(each.name for each in SCENARIOS if each.guarantee)}


@dataclass(frozen=True)
class Results:
    """Everything that was computed.

    Attributes
    ----------
    tallies : mapping of str to Tally
        By part (`calibration.parts`).
    rates : mapping of str to list of Rate
        By scenario, and of `MAP_PARTS` and ``regions``.
    """

    tallies: Mapping[str, Tally]
    rates: Mapping[str, list[Rate]]

    @property
    def scenarios(self) -> list[str]:
        """Names of the scenarios that were computed."""
        return [scenario.name for scenario in SCENARIOS if scenario.name in self.rates]

    def is_guaranteed(self, name: str) -> bool:
        """Say whether a part's rates have a pass mark."""
        return name in _GUARANTEED

    def list_failed(self) -> Iterator[tuple[str, Rate]]:
        """Yield each failed rate with the name of its part."""
        for name, rates in self.rates.items():
            if self.is_guaranteed(name):
                yield from ((name, rate) for rate in rates if not rate.passed)


def judge_all(tallies: Mapping[str, Tally]) -> Results:
    """Compare every rate that has a bound with it."""
    rates = {}
    for scenario in SCENARIOS:
        if scenario.name in tallies:
            case = get_case(scenario.name)
            tally = tallies[scenario.name]
            rates[scenario.name] = list_rates(tally, case.config.claims, case.truth, scenario.planting)
    rates |= {name: list_map_rates(tallies[name]) for name in MAP_PARTS if name in tallies}
    if "maps-tfce" in rates:  # of the other statistics there are more cohorts
        rates["maps-tfce"] = [rate for rate in rates["maps-tfce"] if rate.subject == "TFCE"]
    if "regions" in tallies:
        found = list_region_rates(tallies["regions"])
        rates["regions"] = [rate for rate in found if rate.subject == WAYS[-1]]
    return Results(tallies, rates)
