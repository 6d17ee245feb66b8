"""Cluster and region tables of maps, on a line of voxels counted by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from rsconn.inference.voxelwise import MapTest, Maxima
from rsconn.study.maps.map_tables import (
    CLUSTER_TEXTS,
    ROI_TEXTS,
    Places,
    find_peaks,
    tabulate_clusters,
    tabulate_roi_tests,
)

DESIGN = SimpleNamespace(name="group", text="a > b", opposite="b > a")
POINTS = np.column_stack([3.0 * np.arange(8), np.zeros(8), np.zeros(8)])
ROIS = Places(("seed", "near", "far"), np.array([[0.0, 0, 0], [9, 4, 0], [21, 0, 30]]))
LANDMARKS = Places(("one", "two"), np.array([[6.0, 0, 0], [np.nan, 0, 0]]))


@pytest.fixture
def test_of_line() -> MapTest:
    t = np.array([0.5, 4.0, 5.0, 3.5, np.nan, -4.5, -3.4, 0.1])
    p = np.array([1.0, 0.1, 0.02, 0.2, np.nan, 0.06, 0.3, 1.0])
    return MapTest(
        t=t, dof=np.where(np.isnan(t), 0, 30), p=p, threshold=3.0, labels=np.array([0, 1, 1, 1, 0, 2, 2, 0]),
        sizes=np.array([3, 2]), masses=np.array([3.5, 1.9]), size_p=np.array([0.03, 0.2]),
        mass_p=np.array([0.04, 0.3]), tfce=t, tfce_p=p / 2, null=Maxima(t, t.astype(bool), t, None),
    )  # fmt: skip


def test_clusters(test_of_line: MapTest) -> None:
    table = tabulate_clusters("seed", DESIGN, test_of_line, POINTS, 27.0, landmarks=LANDMARKS, rois=ROIS)
    assert list(table) == list(CLUSTER_TEXTS)
    assert table["cluster"].tolist() == [1, 2]
    assert table["direction"].tolist() == ["a > b", "b > a"]
    assert table["size_mm3"].tolist() == [81, 54]
    assert table["peak_x"].tolist() == [6, 15]
    assert table["peak_t"].tolist() == [5.0, -4.5]
    assert table["p_fwe"].tolist() == [0.02, 0.06]
    assert table["p_tfce"].tolist() == [0.01, 0.03]
    assert table["p_mass"].tolist() == [0.04, 0.3]
    assert table["region"].tolist() == ["one", "one"]
    assert table["region_distance_mm"].tolist() == [0, 9]
    assert table["nearest_roi"].tolist() == ["near", "near"]  # never the seed itself
    assert table["nearest_roi_distance_mm"].tolist() == [5, pytest.approx(np.hypot(6, 4))]


def test_rois(test_of_line: MapTest) -> None:
    members = [np.array([0, 1]), np.array([3, 4, 5]), np.array([4])]
    table = tabulate_roi_tests(
        "seed", DESIGN, test_of_line, POINTS, rois=ROIS, members=members, sizes=[2, 4, 1], alpha=0.05
    )
    assert list(table) == list(ROI_TEXTS)
    assert table["n_voxels"].tolist() == [2, 2, 0]
    assert table["mean_t"].tolist()[:2] == [2.25, -0.5]
    assert table["max_abs_t"].tolist()[:2] == [4.0, -4.5]
    assert table["min_p_fwe"].tolist()[:2] == [0.1, 0.06]
    assert np.isnan(table["mean_t"][2])
    assert table["share_tested"].tolist() == [1.0, 0.5, 0.0]
    for name, shares in {"max_t": [0, 0], "size": [0.5, 0.5], "mass": [0.5, 0.5], "tfce": [0.5, 0.5]}.items():
        assert table[f"share_{name}"].tolist()[:2] == shares, name
    assert np.isnan(table["share_max_t"][2])
    assert table["nearest_cluster"].tolist() == ["1", "1", "2"]
    assert table["peak_distance_mm"][1] == 5
    assert table["voxel_distance_mm"][1] == 4  # the cluster's last voxel lies beside the centre
    assert table["significant_voxel_distance_mm"][2] == pytest.approx(np.hypot(12, 30))


def test_no_cluster(test_of_line: MapTest) -> None:
    empty = MapTest(
        **{
            **vars(test_of_line),
            "labels": np.zeros(8, int),
            "sizes": np.empty(0),
            "masses": np.empty(0),
            "size_p": np.empty(0),
            "mass_p": np.empty(0),
        }
    )
    assert find_peaks(empty).size == 0
    assert tabulate_clusters("seed", DESIGN, empty, POINTS, 27.0, landmarks=LANDMARKS, rois=ROIS).empty
    table = tabulate_roi_tests(
        "seed", DESIGN, empty, POINTS, rois=ROIS, members=[np.array([0])] * 3, sizes=[1] * 3, alpha=0.05
    )
    assert table["nearest_cluster"].tolist() == ["n/a"] * 3
    assert table["voxel_distance_mm"].isna().all()
