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


@pytest.fixture(scope="session")
def map_results(maps_builder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map_results")
    maps_builder.make_maps(folder / "group" / "maps")
    write_map_figures(folder / "group" / "maps", folder / "figures", maps_builder.SETTINGS, simulated=True)
    return folder


def test_every_model_has_its_picture_and_each_seed_its_means(map_results):
    names = {path.name for path in (map_results / "figures").iterdir()}
    stems = ("map_LAI_group", "map_LAI_PT", "means_LAI")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "png", "tsv")} | {
        "map_models.tsv"
    }


def test_pictures_are_the_same_bytes_every_time(maps_builder, map_results, tmp_path):
    write_map_figures(map_results / "group" / "maps", tmp_path, maps_builder.SETTINGS, simulated=True)
    for path in (map_results / "figures").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_without_maps_nothing_is_written(maps_builder, tmp_path):
    assert (
        write_map_figures(tmp_path / "maps", tmp_path / "figures", maps_builder.SETTINGS, simulated=False)
        == []
    )
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


def test_samples_are_the_voxels_that_hold_the_points(maps_builder):
    SHAPE, AFFINE = maps_builder.SHAPE, maps_builder.AFFINE
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


def test_slices_go_through_regions_and_peaks(maps_builder):
    rois = pd.DataFrame({"roi": ["A", "B"], "x_mm": [-36.0, 0.0], "y_mm": [18.0, 51.0], "z_mm": [2.0, 32.0]})
    slices = choose_slices(rois, maps_builder.CLUSTERS, 6)
    assert slices.groupby("axis").size().tolist() == [6, 6, 6]
    assert slices.query("axis == 'z' and through.str.contains('B')")["mm"].tolist() == [32]
    assert slices.query("axis == 'x' and through.str.contains('cluster 2')")["mm"].tolist() == [-54]
    assert slices["mm"].groupby(slices["axis"]).apply(lambda mm: mm.is_monotonic_increasing).all()


def test_limit_covers_what_is_there():
    assert choose_limit(np.array([0.0, -5.01, np.nan]), 1.0) == 6
    assert choose_limit(np.zeros(3), 1.0) == 1
