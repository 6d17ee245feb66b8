"""The page's sections on maps and regions."""

from __future__ import annotations

from calibration.judging import MAP_PARTS, Results
from calibration.maps import FWHM_MM, N_GROUP, N_PERMUTATIONS, VOXEL_MM, get_mask
from calibration.marks import list_region_rates
from calibration.regions import FORMING_P, SHAPE, WAYS
from calibration.regions import N_PERMUTATIONS as N_REGION_PERMUTATIONS
from calibration.tables import compute_mc_error, mark, write_table
from calibration.texts import MAP_TITLES, MAPS, REGIONS


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
