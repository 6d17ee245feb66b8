"""Planted and found: counts that can be checked on fingers."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.study.maps.found_regions import PLANTED_COLUMNS, PlantedPlace, compare_planted, tabulate_planted

POINTS = np.column_stack([3.0 * np.arange(10), np.zeros(10), np.zeros(10)])
PLACE = PlantedPlace("LAI", "group", "a > b", "dmPFC", (3.0, 0.0, 0.0), 3.5)  # voxels 0, 1, 2


def compare(t, p, sign=1):
    return compare_planted(PLACE, sign, np.array(t, float), {"size": np.array(p, float)}, POINTS, 0.05)[0]


def test_overlap_counts_only_voxels_of_the_right_sign():
    t = [1, 4, 5, 6, -7, 0.1, 0.1, 0.1, 0.1, 0.1]
    p = [1, 0.01, 0.01, 0.01, 0.01, 1, 1, 1, 1, 1]
    row = compare(t, p)
    assert (row["found"], row["n_planted"], row["n_found"], row["n_both"]) == ("yes", 3, 3, 2)
    assert row["dice"] == pytest.approx(2 * 2 / 6)
    assert (row["peak_x"], row["peak_distance_mm"]) == (9.0, 6.0)
    assert (row["smallest_p"], row["strongest_t"]) == (0.01, 5.0)


def test_what_is_found_elsewhere_is_not_the_place():
    row = compare([1, 1, 1, 1, 1, 1, 1, 1, 1, 8], [1] * 9 + [0.01])
    assert (row["found"], row["dice"], row["peak_distance_mm"]) == ("no", 0.0, 24.0)


def test_a_negative_effect_and_nothing_found():
    row = compare([-3, -4, -2, 0, 0, 0, 0, 0, 0, 9], [1, 0.06, 1, 1, 1, 1, 1, 1, 1, 0.01], sign=-1)
    assert (row["found"], row["n_found"], row["strongest_t"], row["smallest_p"]) == ("no", 0, -4.0, 0.06)
    assert np.isnan(row["peak_distance_mm"])
    assert list(tabulate_planted([row])) == list(PLANTED_COLUMNS)
