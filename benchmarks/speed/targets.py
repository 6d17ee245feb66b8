"""What is read off the costs: ratios and amounts, each beside its limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from speed.measure import Cost
from speed.plan import READERS
from speed.results import Section


@dataclass(frozen=True)
class Target:
    """A ratio or an amount, and what it should be at most (or, with `at_least`, at least)."""

    text: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def find_floor(costs: dict[str, Cost], sample: str = "2mm") -> Cost:
    """Decompression alone by the faster of the two readers."""
    return min((costs[f"{sample} {reader}"] for reader in READERS), key=lambda cost: cost.wall_s)


def list_targets(name: str, section: Section) -> list[Target]:
    """The rows of a section that have a limit; none for a section without limits."""
    makers = {"series": _series, "maps": _maps, "together": _together, "permutation": _permutation}
    return list(makers[name](section)) if name in makers else []


def _series(section: Section) -> Iterator[Target]:
    costs, floor = section.costs, find_floor(section.costs)
    for rois in ("4 spheres", "100 labels"):
        ours, long = costs[f"2mm {rois}"], costs[f"long {rois}"]
        yield Target(f"{rois}: wall / decompression", ours.wall_s / floor.wall_s, 1.15)
        yield Target(f"{rois}: processor time / decompression", ours.cpu_s / floor.cpu_s, 1.3)
        yield Target(f"{rois}: peak memory (MiB)", ours.peak_mib, 80)
        yield Target(f"{rois}: peak memory, 1,200 / 300 volumes", long.peak_mib / ours.peak_mib, 1.1)
        yield Target(
            f"{rois}: nilearn, reports=False / rsconn",
            _speed(costs, f"nilearn {rois}", ours),
            6.5,
            at_least=True,
        )
    spheres = costs["2mm 4 spheres"]
    yield Target(
        "4 spheres: nilearn, default call / rsconn",
        _speed(costs, "nilearn 4 spheres, default", spheres),
        15,
        at_least=True,
    )
    variants = costs["2mm 100 variants"].wall_s / costs["2mm 1 sphere"].wall_s
    yield Target("100 ROI variants / one ROI: wall", variants, 1.15)


def _maps(section: Section) -> Iterator[Target]:
    costs, floor = section.costs, find_floor(section.costs)
    ours = costs["2mm 4 seeds"]
    yield Target("4 seed maps + 100 labels: wall / decompression", ours.wall_s / floor.wall_s, 1.5)
    yield Target("4 seed maps + 100 labels: peak memory (MiB)", ours.peak_mib, 200)
    smoothed = costs["2mm 4 seeds, smoothed 6 mm"].peak_mib
    yield Target("4 seed maps smoothed by 6 mm + 100 labels: peak memory (MiB)", smoothed, 200)
    yield Target(
        "4 seed maps: nilearn's cosine way / rsconn",
        _speed(costs, "nilearn 4 seeds, cosine", ours),
        10,
        at_least=True,
    )
    yield Target(
        "five recipes' seed maps / one recipe's: wall",
        costs["2mm 4 seeds, 5 recipes"].wall_s / ours.wall_s,
        1.3,
    )


def _together(section: Section) -> Iterator[Target]:
    both = section.costs["2mm 100 labels, two at once"].wall_s
    yield Target(
        "100 labels: two runs at once / one run: wall", both / section.costs["2mm 100 labels"].wall_s, 1.2
    )


def _permutation(section: Section) -> Iterator[Target]:
    seconds = find_number(section.texts["permutation.py"], r"21 claims, studentised \(s\)\s+([\d.]+)")
    if seconds is not None:
        yield Target("10,000 permutations of 21 claims (s)", seconds, 1)
    ratio = find_number(section.texts["voxelwise.py"], r"nilearn / rsconn\D*([\d.]+)")
    if ratio is not None:
        yield Target(
            "10,000 permutations of a map: nilearn's permuted_ols / rsconn: wall", ratio, 20, at_least=True
        )


def find_number(text: str, pattern: str) -> float | None:
    """Return the first number that a script printed after a label."""
    found = re.search(pattern, text)
    return float(found[1]) if found else None


def _speed(costs: dict[str, Cost], other: str, ours: Cost) -> float:
    return costs[other].wall_s / ours.wall_s
