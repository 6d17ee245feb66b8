"""Pictures of seed maps: they show the map that is there, outline what survives, and name their slices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from rsconn.files.image_headers import ImageHeader
from rsconn.files.image_writing import write_map
from rsconn.report.figures_maps import choose_limit
from rsconn.report.map_files import read_survivors
from rsconn.report.map_slices import BOX, HOT, Volume, blend, list_points
from rsconn.report.maps import write_map_figures
from rsconn.study.figure_maps import choose_slices, tabulate_models

AFFINE = np.array([[6.0, 0, 0, -78], [0, 6, 0, -114], [0, 0, 6, -72], [0, 0, 0, 1]])
SHAPE = (27, 33, 27)
SPHERE = {"kind": "sphere", "source": "s"}
SETTINGS = {
    "rois": {
        "rois": [
            {"name": "LAI", "sphere": {"center_mm": [-36, 18, 2], "radius_mm": 6}, **SPHERE},
            {"name": "dmPFC", "sphere": {"center_mm": [0, 51, 32], "radius_mm": 6}, **SPHERE},
        ]
    }
}
MODEL = {
    "name": "group", "kind": "contrast", "positive": "a > b", "negative": "b > a", "n": 20, "alpha": 0.05,
    "n_per_group": {"a": 11, "b": 9}, "covariates": ["age", "sex"], "reason": "", "n_permutations": 500,
    "permutation_seed": 1, "dof": 16, "cluster_forming_p": 0.001, "cluster_forming_t": 3.9, "n_clusters": 2,
    "method": "Freedman-Lane", "connectivity": "faces (6 neighbours)",
    "critical": {"max_t": 5.5, "size": 12, "mass": 20.5, "tfce": 900.0},
    "n_significant_voxels": {"max_t": 1, "size": 27, "mass": 27, "tfce": 0},
}  # fmt: skip
CLUSTERS = pd.DataFrame({
    "seed": "LAI", "model": "group", "cluster": [1, 2], "direction": ["a > b", "b > a"], "n_voxels": [27, 2],
    "size_mm3": [5832.0, 432.0], "mass": [40.0, 1.5], "p_size": [0.004, 0.6], "p_mass": [0.006, 0.7],
    "p_fwe": [0.02, 0.4], "p_tfce": [0.07, 0.8], "peak_t": [6.2, -4.4], "peak_dof": [16, 16],
    "peak_x": [0.0, -54.0], "peak_y": [48.0, -66.0], "peak_z": [30.0, 24.0], "region": ["mPFC 4", "IPL 1"],
    "region_distance_mm": [9.0, 4.0], "nearest_roi": ["dmPFC", "dmPFC"], "nearest_roi_distance_mm": [3.6, 129.0],
})  # fmt: skip


def make_maps(folder: Path) -> None:
    """Write a small group/maps: a block of large t at dmPFC, noise elsewhere."""
    rng = np.random.default_rng(3)
    header = ImageHeader(Path("none"), SHAPE, 1, np.dtype("f4"), 1.0, 0.0, AFFINE, 0.0, 352)
    everywhere = np.arange(np.prod(SHAPE))
    t = rng.standard_normal(SHAPE)
    block = (slice(12, 15), slice(26, 29), slice(16, 19))
    t[block] = 5.0
    t[13, 27, 17] = 6.2
    maps = {"t": t, "logpfwe": np.zeros(SHAPE), "logpsize": np.zeros(SHAPE), "logptfce": np.full(SHAPE, 0.1)}
    maps["logpfwe"][13, 27, 17] = -np.log10(0.02)
    maps["logpsize"][block] = -np.log10(0.004)
    folder.mkdir(parents=True)
    files = {name: f"LAI_group_{name}.nii.gz" for name in maps}
    files |= {"a": "LAI_mean-a.nii.gz", "b": "LAI_mean-b.nii.gz"}
    maps |= {"a": 0.1 * rng.standard_normal(SHAPE), "b": np.zeros(SHAPE)}
    for name, values in maps.items():
        write_map(folder / files[name], values.ravel(order="F").astype(np.float32), everywhere, header)
    means = {level: files.pop(level) for level in ("a", "b")}
    untested = {"name": "PT", "kind": "slope", "positive": "+", "negative": "-", "n": 3, "covariates": [],
                "reason": "n = 3 is too small for 4 parameters"}  # fmt: skip
    described = {
        "seed": "LAI", "people": [], "n_voxels": 20000, "n_voxels_left_out": 40, "min_people_share": 0.9,
        "smoothing_fwhm_mm": 6.0, "voxel_size_mm": [6, 6, 6], "means": means, "n": "", "n_runs": 21,
        "models": [{**MODEL, "files": files}, untested],
    }  # fmt: skip
    (folder / "LAI_models.json").write_text(json.dumps(described))
    CLUSTERS.to_csv(folder / "LAI_clusters.tsv", sep="\t", index=False)
    rois = {
        "seed": "LAI", "model": "group", "roi": ["LAI", "dmPFC"], "roi_x": [-36.0, 0.0], "roi_y": [18.0, 51.0],
        "roi_z": [2.0, 32.0], "n_voxels": [4, 4], "mean_t": [0.3, 4.9], "max_abs_t": [-0.9, 6.2],
        "min_p_fwe": [1.0, 0.02], "nearest_cluster": [1, 1], "peak_distance_mm": [55.0, 3.6],
        "voxel_distance_mm": [50.0, 1.1], "significant_voxel_distance_mm": ["n/a", 1.1],
    }  # fmt: skip
    pd.DataFrame(rois).to_csv(folder / "LAI_rois.tsv", sep="\t", index=False)


@pytest.fixture(scope="session")
def map_results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map_results")
    make_maps(folder / "group" / "maps")
    write_map_figures(folder / "group" / "maps", folder / "figures", SETTINGS, simulated=True)
    return folder


def test_every_model_has_its_picture_and_each_seed_its_means(map_results):
    names = {path.name for path in (map_results / "figures").iterdir()}
    stems = ("map_LAI_group", "map_LAI_PT", "means_LAI")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "png", "tsv")} | {
        "map_models.tsv"
    }


def test_pictures_are_the_same_bytes_every_time(map_results, tmp_path):
    write_map_figures(map_results / "group" / "maps", tmp_path, SETTINGS, simulated=True)
    for path in (map_results / "figures").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_without_maps_nothing_is_written(tmp_path):
    assert write_map_figures(tmp_path / "maps", tmp_path / "figures", SETTINGS, simulated=False) == []
    assert not (tmp_path / "figures").exists()


def test_models_table_holds_thresholds_and_reasons(map_results):
    described = json.loads((map_results / "group" / "maps" / "LAI_models.json").read_text())
    table = tabulate_models([described]).set_index("model")
    assert table.loc["group", ["n_a", "n_b", "critical_max_t", "n_significant_size"]].tolist() == [
        11,
        9,
        5.5,
        27,
    ]
    assert table.loc["PT", "reason"].startswith("n = 3")
    assert pd.isna(table.loc["PT", "critical_max_t"])


def test_samples_are_the_voxels_that_hold_the_points():
    data = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
    volume = Volume(data, AFFINE)
    centre = AFFINE[:3, :3] @ [5, 7, 9] + AFFINE[:3, 3]
    assert volume.sample(centre + np.array([2.9, -2.9, 2.9])) == data[5, 7, 9]
    assert volume.sample(np.array([500.0, 0, 0])) == 0


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_slices_lie_where_they_say(axis):
    points = list_points(axis, 12)
    order = "xyz"
    right, up = [name for name in order if name != axis]
    assert (points[..., order.index(axis)] == 12).all()
    assert (points[0, 0, order.index(right)], points[0, 0, order.index(up)]) == (BOX[right][0], BOX[up][0])
    assert points[0, 1, order.index(right)] > points[0, 0, order.index(right)]
    assert points[1, 0, order.index(up)] > points[0, 0, order.index(up)]


def test_colours_are_symmetric_and_zero_is_the_brain():
    brain = np.full((4, 3), 0.8)
    shown = blend(brain, np.array([0.0, np.nan, 8.0, 800.0]), limit=8, opaque_at=4)
    assert np.array_equal(shown[:2], brain[:2])
    assert np.allclose(shown[2:], to_rgb(HOT[-1]), atol=0.01)


def test_p_of_exactly_alpha_survives_single_precision(map_results, tmp_path):
    header = ImageHeader(Path("none"), (3, 1, 1), 1, np.dtype("f4"), 1.0, 0.0, np.eye(4), 0.0, 352)
    values = -np.log10(np.array([0.05, 0.0501, 0.02])).astype(np.float32)
    write_map(tmp_path / "p.nii.gz", values, np.arange(3), header)
    found = read_survivors(tmp_path, {"logpfwe": "p.nii.gz"}, 0.05, "logpfwe")
    assert found.data.ravel().tolist() == [1, 0, 1]
    assert read_survivors(tmp_path, {}, 0.05, "logptfce") is None


def test_slices_go_through_regions_and_peaks():
    rois = pd.DataFrame({"roi": ["A", "B"], "x_mm": [-36.0, 0.0], "y_mm": [18.0, 51.0], "z_mm": [2.0, 32.0]})
    slices = choose_slices(rois, CLUSTERS, 6)
    assert slices.groupby("axis").size().tolist() == [6, 6, 6]
    assert slices.query("axis == 'z' and through.str.contains('B')")["mm"].tolist() == [32]
    assert slices.query("axis == 'x' and through.str.contains('cluster 2')")["mm"].tolist() == [-54]
    assert slices["mm"].groupby(slices["axis"]).apply(lambda mm: mm.is_monotonic_increasing).all()


def test_limit_covers_what_is_there():
    assert choose_limit(np.array([0.0, -5.01, np.nan]), 1.0) == 6
    assert choose_limit(np.zeros(3), 1.0) == 1
