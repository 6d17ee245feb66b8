"""The page's sections on maps and regions."""

from __future__ import annotations

from calibration.judging import MAP_PARTS, Results
from calibration.map_ways import CASES, FWHM_VOXELS, N_NULL, name_part
from calibration.map_ways import FORMING_P as WAY_FORMING_P
from calibration.map_ways import SHAPE as MAP_SHAPE
from calibration.map_ways import WAYS as WAYS_OF_MAPS
from calibration.maps import FWHM_MM, N_GROUP, N_PERMUTATIONS, STATISTICS, VOXEL_MM, get_mask
from calibration.marks import list_map_rates, list_region_rates
from calibration.regions import FORMING_P, SHAPE, WAYS
from calibration.regions import N_PERMUTATIONS as N_REGION_PERMUTATIONS
from calibration.tables import compute_mc_error, mark, write_table
from calibration.texts import MAP_TITLES, MAP_WAYS, MAPS, REGIONS


def write_maps(results: Results) -> str:
    """Return the section on whole-brain maps."""
    rows = []
    for name in MAP_PARTS:
        for rate in results.rates.get(name, []):
            marked = mark([rate]) if results.is_guaranteed(name) else "none"
            row = [f"{rate.value:.2%}", f"≤ {rate.bound:.0%}", str(rate.n), f"{rate.mc_error:.2%}", marked]
            rows.append([MAP_TITLES[name], rate.subject, *row])
    text = MAPS.format(
        n=2 * N_GROUP, n_group=N_GROUP, mm=f"{VOXEL_MM:g}", n_voxels=f"{len(get_mask()[0]):,}", fwhm=f"{FWHM_MM:g}",
        n_permutations=N_PERMUTATIONS["clusters"], n_tfce=N_PERMUTATIONS["tfce"],
    )  # fmt: skip
    head = ["Errors", "Statistic", "Anything found", "Bound", "Cohorts", "MC error", "Mark"]
    return text + write_table(head, rows)


def write_ways(results: Results) -> str:
    """Return the table of both ways of making null maps; empty without results."""
    there = {name: results.tallies[name_part(name)] for name in CASES if name_part(name) in results.tallies}
    if not there:
        return ""
    rows = []
    for name, tally in there.items():
        rates = {rate.subject: f"{rate.value:.1%}" for rate in list_map_rates(tally)}
        pairs = [" / ".join(rates[f"{each}, {way}"] for way in WAYS_OF_MAPS) for each in STATISTICS]
        rows.append([name, str(tally.n), *pairs])
    n = min(tally.n for tally in there.values())
    text = MAP_WAYS.format(
        shape=" x ".join(map(str, MAP_SHAPE)), fwhm=f"{FWHM_VOXELS:g}", n_null=N_NULL, forming=f"{WAY_FORMING_P:g}",
        error=f"{compute_mc_error(n):.1%}",
    )  # fmt: skip
    return text + write_table(["Cohorts", "n", *STATISTICS], rows)


def write_regions(results: Results) -> str:
    """Return the section on regions that the data chose."""
    tally = results.tallies["regions"]
    rows = []
    for rate in list_region_rates(tally):
        marked = mark([rate]) if rate.subject == WAYS[-1] else "none, expected to fail"
        rows.append([rate.subject, f"{rate.value:.2%}", f"{rate.n:,}", marked])
    text = REGIONS.format(
        n_group=N_GROUP, shape=" x ".join(map(str, SHAPE)), forming=f"{FORMING_P:.0%}",
        n_permutations=N_REGION_PERMUTATIONS, n=f"{tally.n:,}", error=f"{compute_mc_error(tally.n):.2%}",
    )  # fmt: skip
    return text + write_table(["P of the region", "p ≤ 5 %", "Of cohorts", "Mark (≤ 5 %)"], rows)
