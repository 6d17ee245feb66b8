"""Pictures of seed maps: they show the map that is there, outline what survives, and name their slices."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from rsconn.errors import DatasetError
from rsconn.files.image_headers import ImageHeader
from rsconn.files.writing import write_json, write_map
from rsconn.report.figures.style import shrink_pictures
from rsconn.report.maps.found import compare_maps, mark_survivors, project_map, read_planted_places
from rsconn.report.maps.map_pictures import write_map_figures
from rsconn.report.maps.map_viewer import read_survivors
from rsconn.report.maps.mosaics import (
    BOX,
    HOT,
    Volume,
    blend,
    choose_slices,
    list_points,
    read_descriptions,
    tabulate_models,
)
from rsconn.report.maps.seed_mosaics import choose_limit
from rsconn.simulate.simulated_study import describe_truth, draw_study


@pytest.fixture(scope="session")
def map_results(maps_builder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map_results")
    maps_builder.make_maps(folder / "group" / "maps")
    write_map_figures(folder / "group" / "maps", folder / "figures", maps_builder.SETTINGS, simulated=True)
    return folder


def test_every_model_has_its_picture_and_each_seed_its_means(map_results):
    names = {path.name for path in (map_results / "figures").iterdir()}
    stems = ("map_LAI_group", "map_LAI_PT", "means_LAI", "cover_LAI")
    found = {"found_LAI_group.svg", "found_LAI_group.png", "map_models.tsv"}
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "png", "tsv")} | found


def test_pictures_are_the_same_bytes_every_time(maps_builder, map_results, tmp_path):
    write_map_figures(map_results / "group" / "maps", tmp_path, maps_builder.SETTINGS, simulated=True)
    for path in (map_results / "figures").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_what_was_planted_is_laid_over_what_was_found(maps_builder, map_results):
    folder = map_results / "group" / "maps"
    table = compare_maps(folder, read_descriptions(folder), maps_builder.PLACES).set_index("correction")
    assert table["found"].to_dict() == {
        "cluster mass": "yes",
        "largest |t|": "yes",
        "cluster extent": "yes",
        "TFCE": "no",
    }
    assert table.index[0] == "cluster mass"  # the primary one
    assert table.loc["cluster extent", "n_found"] == 27
    assert table.loc["cluster extent", "n_both"] > 20
    assert table.loc["cluster extent", "dice"] > 0.6
    assert table.loc["largest |t|", "peak_distance_mm"] == pytest.approx(np.hypot(3, 2))
    assert not (map_results / "figures" / "map_planted.tsv").exists()


def test_a_truth_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "truth.json"
    path.write_text('{"maps": [{"seed": "LAI"}]}')
    with pytest.raises(
        DatasetError, match=r"truth\.json: not readable as what was planted .*rsconn simulate"
    ):
        read_planted_places(path)


def test_the_truth_of_a_simulated_study_can_be_read(tmp_path):
    write_json(tmp_path / "truth.json", describe_truth(draw_study(seed=1)))
    places = read_planted_places(tmp_path / "truth.json")
    assert {(place.seed, place.region) for place in places} == {("LAI", "dmPFC"), ("rACC", "oPFC")}
    directions = {(place.seed, place.model): place.direction for place in places}
    assert directions["LAI", "group"] == "therapist > control"
    assert directions["rACC", "group"] == "control > therapist"
    assert directions["LAI", "PT"] == "lower with PT"
    write_json(tmp_path / "null.json", describe_truth(draw_study(seed=1, effect=0.0)))
    assert read_planted_places(tmp_path / "null.json") == ()


@pytest.mark.parametrize(("view", "row", "column"), [("z", 26, 13), ("y", 16, 13), ("l", 16, 26)])
def test_glass_brain_shows_the_strongest_value_along_each_line(maps_builder, view, row, column):
    data = np.zeros(maps_builder.SHAPE)
    data[13, 26, 16], data[13, 26, 20], data[20, 26, 16] = -5.0, 2.0, 3.0
    shown = project_map(Volume(data, maps_builder.AFFINE), view)
    assert shown.min() == -5.0
    assert (shown == 3.0).any() == (view in {"z", "y"})  # the right half is not seen from the left
    up, right = np.argwhere(shown == -5.0).mean(axis=0) * 2
    axes = {"z": ("x", "y"), "y": ("x", "z"), "l": ("y", "z")}[view]
    origin = dict(zip("xyz", maps_builder.AFFINE[:3, 3], strict=True))
    assert BOX[axes[0]][0] + right == pytest.approx(origin[axes[0]] + 6 * column, abs=1.5)
    assert BOX[axes[1]][0] + up == pytest.approx(origin[axes[1]] + 6 * row, abs=1.5)


def test_a_voxel_survives_by_any_correction(maps_builder):
    t = Volume(np.array([[[3.0, 4.0, 5.0]]]), np.eye(4))
    survivors = {
        "max_t": Volume(np.array([[[0, 0, 1.0]]]), np.eye(4)),
        "size": Volume(np.array([[[0, 1.0, 0]]]), np.eye(4)),
    }
    assert mark_survivors(survivors, t).ravel().tolist() == [0, 1, 1]


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


def test_pictures_in_an_svg_keep_every_pixel(map_results):
    svg = (map_results / "figures" / "found_LAI_group.svg").read_bytes()
    pictures = [base64.b64decode(part) for part in re.findall(rb"data:image/png;base64,([^\"]+)", svg)]
    assert len(pictures) >= 10  # four views, six slices, the colour bar
    assert all(Image.open(io.BytesIO(each)).mode == "P" for each in pictures)
    pixels = np.random.default_rng(1).integers(0, 3, (9, 7, 4)).astype(np.uint8) * 127
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="png")
    text = b'<image href="data:image/png;base64,' + base64.b64encode(stream.getvalue()) + b'"/>'
    [small] = re.findall(rb"base64,([^\"]+)", shrink_pictures(text))
    again = np.asarray(Image.open(io.BytesIO(base64.b64decode(small))).convert("RGBA"))
    np.testing.assert_array_equal(again, pixels)
