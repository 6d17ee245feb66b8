"""Regions on grayordinates against explicit float64 means of nibabel's data."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rsconn.errors import SettingsError
from rsconn.files.cifti import read_dense_header, stream_dense
from rsconn.files.cifti_regions import build_run_weights
from rsconn.files.images import read_header
from rsconn.files.regions import build_weights
from rsconn.settings.rois import Roi
from rsconn.signal.extraction import extract_timeseries


def extract(path, rois):
    header = read_dense_header(path)
    return extract_timeseries(
        lambda: stream_dense(header),
        build_run_weights(rois, header),
        np.ones(header.n_voxels, bool),
        slope=header.slope,
        intercept=header.intercept,
    )


def get_data(path):
    return nib.load(path).get_fdata(dtype=np.float64)


def get_refusal(path, roi):
    with pytest.raises(SettingsError) as told:
        build_run_weights([{"name": "A", **roi}], read_dense_header(path))
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.fixture(params=[np.float32, np.int16], ids=["float32", "int16 with slope"])
def series(request, dense):
    return dense.save_series(n=12, dtype=request.param)


def test_labels_by_number_and_by_name(dense, series):
    keys = np.arange(len(dense.models)) % 4
    image = dense.save_labels("a.dlabel.nii", keys, {0: "???", 1: "L_V1", 2: "R_V1", 3: "PCC"})
    rois = [
        {"name": "B", "atlas": {"image": image, "label": "PCC"}},
        {"name": "A", "atlas": {"image": image, "label": 1}},
    ]
    found = extract(series, rois)
    data = get_data(series)
    for column, label in enumerate((3, 1)):
        assert_allclose(found.timeseries[:, column], data[:, keys == label].mean(axis=1), rtol=1e-12)
        assert found.n_voxels[column] == (keys == label).sum()
        assert found.coverage[column] == 1
        of_label = data[:, keys == label]
        assert_allclose(found.tsnr[column], (of_label.mean(axis=0) / of_label.std(axis=0)).mean(), rtol=1e-5)


def test_an_atlas_of_the_whole_cortex_is_matched_by_vertex(dense, series):
    """64k atlases have the medial wall too, and no voxels; the right cortex comes first here."""
    whole = nib.cifti2.BrainModelAxis.from_mask(np.ones(300, bool), name="CORTEX_RIGHT")
    whole = whole + nib.cifti2.BrainModelAxis.from_mask(np.ones(300, bool), name="CORTEX_LEFT")
    keys = np.zeros(600)
    keys[300:400] = 5  # left vertices 0 to 99, of which every seventh is no grayordinate of the series
    image = dense.save_labels("a.dlabel.nii", keys, {0: "???", 5: "five"}, models=whole)
    found = extract(series, [{"name": "A", "atlas": {"image": image, "label": "five"}}])
    mine = (dense.models.name == "CIFTI_STRUCTURE_CORTEX_LEFT") & (dense.models.vertex < 100)
    assert_allclose(found.timeseries[:, 0], get_data(series)[:, mine].mean(axis=1), rtol=1e-12)
    assert found.n_voxels[0] == 85
    assert found.coverage[0] == 0.85


def test_masks_and_weighted_maps(dense, series, rng):
    n = len(dense.models)
    mask, weights = rng.random(n) < 0.2, rng.random(n)
    masks = dense.save_scalars("m.dscalar.nii", [mask])
    maps = dense.save_scalars("w.dscalar.nii", [mask, weights])
    rois = [
        {"name": "M", "mask": masks},
        {"name": "W", "map": {"image": maps, "index": 1, "threshold": 0.5}},
    ]
    found = extract(series, rois)
    data = get_data(series)
    kept = np.where(weights.astype(np.float32) >= 0.5, weights.astype(np.float32), 0).astype(np.float64)
    assert_allclose(found.timeseries[:, 0], data[:, mask].mean(axis=1), rtol=1e-12)
    assert_allclose(found.timeseries[:, 1], data @ kept / kept.sum(), rtol=1e-12)


def test_a_mask_in_the_volume_takes_the_nuclei(dense, series):
    box = np.zeros((10, 12, 8), np.uint8)
    box[0:5, 4:7, 3:5] = 1  # 30 voxels, 12 of them in the left nucleus
    path = dense.folder / "box.nii.gz"
    nib.save(nib.Nifti1Image(box, dense.models.affine), path)
    found = extract(series, [{"name": "A", "mask": path}])
    models = dense.models
    inside = ~models.surface_mask
    inside[inside] = box[tuple(models.voxel[inside].T)] == 1
    assert_allclose(found.timeseries[:, 0], get_data(series)[:, inside].mean(axis=1), rtol=1e-12)
    assert (found.n_voxels[0], found.coverage[0]) == (12, 0.4)


def test_spheres_lie_where_the_nearest_grayordinate_is(dense, series):
    surfaces = dense.save_surfaces()
    models = dense.models
    on_cortex, in_nucleus = dense.vertices["left"][7].tolist(), [8.0, -4.0, 0.0]
    rois = [
        {"name": "C", "sphere": {"center_mm": on_cortex, "radius_mm": 9.0}, "surfaces": surfaces},
        {"name": "N", "sphere": {"center_mm": in_nucleus, "radius_mm": 6.0}, "surfaces": surfaces},
    ]
    found = extract(series, rois)
    data = get_data(series)
    near = np.linalg.norm(dense.vertices["left"].astype(float) - on_cortex, axis=1) <= 9
    vertices = (models.name == "CIFTI_STRUCTURE_CORTEX_LEFT") & near[models.vertex]
    assert 3 <= vertices.sum() < near.sum()
    assert_allclose(found.timeseries[:, 0], data[:, vertices].mean(axis=1), rtol=1e-12)
    assert_allclose(found.coverage[0], vertices.sum() / near.sum())
    centers = models.voxel @ models.affine[:3, :3].T + models.affine[:3, 3]
    voxels = ~models.surface_mask & (np.linalg.norm(centers - in_nucleus, axis=1) <= 6)
    assert voxels.sum() > 5
    assert_allclose(found.timeseries[:, 1], data[:, voxels].mean(axis=1), rtol=1e-12)


def test_a_sphere_across_the_midline_takes_both_sides(dense, series):
    surfaces = dense.save_surfaces()
    found = extract(
        series,
        [{"name": "A", "sphere": {"center_mm": [0, 0, 40.0], "radius_mm": 60.0}, "surfaces": surfaces}],
    )
    expected = sum(
        ((np.linalg.norm(points.astype(float) - [0, 0, 40.0], axis=1) <= 60) & dense.cortex).sum()
        for points in dense.vertices.values()
    )
    assert found.n_voxels[0] == expected


def test_volume_regions_are_what_they_are_in_a_volume(dense, tmp_path, rng):
    """All voxels of a volume as grayordinates: every kind of region equals the volume's own weights."""
    shape, affine = (9, 8, 7), np.array([[-3.0, 0, 0, 12], [0, 3, 0, -10], [0, 0, 3, -9], [0, 0, 0, 1]])
    everywhere = nib.cifti2.BrainModelAxis.from_mask(np.ones(shape, bool), name="OTHER", affine=affine)
    series = dense.save_series(models=everywhere)
    nib.save(nib.Nifti1Image(np.zeros((*shape, 2), np.float32), affine), tmp_path / "v.nii.gz")
    labels = rng.integers(0, 3, shape).astype(np.int16)
    nib.save(
        nib.Nifti1Image(labels, np.diag([3.0, 3, 3, 1]) + 0.5 * affine * (affine < 0)), tmp_path / "l.nii"
    )
    rois = [
        {"name": "S", "sphere": {"center_mm": [1.0, 2.0, 3.0], "radius_mm": 7.0}},
        {"name": "L", "atlas": {"image": tmp_path / "l.nii", "label": 2}},
        {"name": "T", "sphere": {"center_mm": [11.0, -8.0, -8.0], "radius_mm": 7.0}},
    ]
    mine = build_run_weights(rois, read_dense_header(series))
    theirs = build_weights(rois, read_header(tmp_path / "v.nii.gz"))
    voxel_of = np.ravel_multi_index(tuple(everywhere.voxel.T), shape, order="F")
    assert_allclose(mine.totals, theirs.totals)
    for row in range(3):
        part, other = slice(*mine.starts[row : row + 2]), slice(*theirs.starts[row : row + 2])
        assert sorted(voxel_of[mine.voxels[part]]) == sorted(theirs.voxels[other])


def test_a_volume_run_is_built_as_before(dense, tmp_path):
    nib.save(
        nib.Nifti1Image(np.zeros((9, 8, 7, 2), np.float32), np.diag([3.0, 3, 3, 1])), tmp_path / "v.nii.gz"
    )
    header = read_header(tmp_path / "v.nii.gz")
    rois = [{"name": "S", "sphere": {"center_mm": [9.0, 9.0, 9.0], "radius_mm": 7.0}}]
    assert build_run_weights(rois, header, 6.0).voxels.tolist() == build_weights(rois, header).voxels.tolist()


def test_smoothing_is_refused(dense):
    with pytest.raises(SettingsError, match=r"6 mm of smoothing .* denoising\.smoothing_fwhm_mm: 0 needed"):
        build_run_weights([], read_dense_header(dense.save_series()), 6.0)


def test_a_cortical_sphere_without_surfaces_names_the_option(dense):
    sphere = {"center_mm": [-40.0, 20.0, 5.0], "radius_mm": 6.0}
    told = get_refusal(dense.save_series(), {"sphere": sphere})
    assert "no voxel of run_bold.dtseries.nii lies at [-40.0, 20.0, 5.0]" in told
    assert "surfaces: {left: FILE, right: FILE} (*.surf.gii) in the ROI set" in told


def test_a_volume_region_of_a_series_of_vertices_names_the_option(dense):
    path = dense.save_series(models=dense.left + dense.right)
    nib.save(nib.Nifti1Image(np.ones((3, 3, 3), np.uint8), np.eye(4)), dense.folder / "m.nii.gz")
    told = get_refusal(path, {"mask": dense.folder / "m.nii.gz"})
    assert "has no voxels, only vertices; a *.dlabel.nii or *.dscalar.nii is needed" in told


def test_surfaces_of_another_density_are_refused(dense):
    path = dense.save_series()
    dense.vertices = {side: points[:-1] for side, points in dense.vertices.items()}
    region = {"sphere": {"center_mm": [-65, 0, 0], "radius_mm": 6.0}, "surfaces": dense.save_surfaces()}
    told = get_refusal(path, region)
    assert "surfaces.left: " in told
    assert "has 299 vertices, the series 300; a surface of the series' density is needed" in told
    region["surfaces"] = {"left": dense.folder / "none.surf.gii", "right": dense.folder / "none.surf.gii"}
    assert "surfaces.left: " in get_refusal(path, region)


def test_a_sphere_between_the_vertices_says_how_far_they_are(dense):
    center = (dense.vertices["left"][1].astype(float) * [1, 1, 1] - [30, 0, 0]).tolist()
    told = get_refusal(
        dense.save_series(),
        {"sphere": {"center_mm": center, "radius_mm": 2.0}, "surfaces": dense.save_surfaces()},
    )
    assert "no vertex within 2 mm of" in told
    assert "mm away (sphere.radius_mm, sphere.center_mm)" in told


def test_other_grayordinates_are_refused(dense):
    series = dense.save_series()
    fine = nib.cifti2.BrainModelAxis.from_mask(np.ones(400, bool), name="CORTEX_LEFT")
    image = dense.save_labels("fine.dlabel.nii", np.ones(400), {1: "A"}, models=fine)
    told = get_refusal(series, {"atlas": {"image": image, "label": 1}})
    assert "CORTEX_LEFT has 400 vertices, the series 300; files of one surface density (den-)" in told
    moved = dense.make_nucleus(1, "THALAMUS_LEFT", np.diag([2.0, 2, 2, 1]))
    image = dense.save_labels("moved.dlabel.nii", np.ones(len(moved)), {1: "A"}, models=moved)
    told = get_refusal(series, {"atlas": {"image": image, "label": 1}})
    assert "its voxels lie on another grid" in told
    other = nib.cifti2.BrainModelAxis.from_mask(np.ones(300, bool), name="CEREBELLUM")
    image = dense.save_scalars("other.dscalar.nii", [np.ones(300)], models=other)
    told = get_refusal(series, {"mask": image})
    assert "shares no grayordinate with run_bold.dtseries.nii" in told


# What is asked of an atlas with the labels A (1), A (2) and L_V1 (3), a mask of three values and two maps
WRONG = {
    "label twice": ({"atlas": {"image": "a", "label": "A"}}, "2 labels have this name"),
    "label not there": ({"atlas": {"image": "a", "label": "L_V2"}}, "no such label, nearest L_V1"),
    "number not there": ({"atlas": {"image": "a", "label": 7}}, "label 7 is not in"),
    "no mask": ({"mask": "a"}, "holds 1 beside 0 and 3, a mask is 0 and 1"),
    "several maps": ({"mask": "m"}, "has 2 maps, one is needed; for several use map:"),
    "several label maps": (
        {"atlas": {"image": "m", "label": 1}},
        "has 2 maps, one is needed; take one out (wb_command -cifti-merge)",
    ),
    "no such map": ({"map": {"image": "m", "index": 4}}, "has 2 maps from 0 on, none is map.index 4"),
    "empty map": (
        {"map": {"image": "m", "index": 0, "threshold": 9}},
        "leaves no grayordinate with a weight",
    ),
    "negative map": ({"map": {"image": "m", "index": 1}}, "negative weights"),
    "empty mask": ({"mask": "z"}, "leaves no grayordinate of the series"),
    "label outside": ({"atlas": {"image": "o", "label": 9}}, "no grayordinate of the series has label 9"),
    "no file": ({"mask": "none.dscalar.nii"}, "no such image file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_regions_that_cannot_be_are_refused(dense, name):
    n = len(dense.models)
    whole = nib.cifti2.BrainModelAxis.from_mask(np.ones(300, bool), name="CORTEX_LEFT")
    keys = np.where(np.arange(300) == 7, 9, 1)  # vertex 7 is no grayordinate of the series
    files = {
        "a": dense.save_labels("a.dlabel.nii", np.arange(n) % 4, {0: "???", 1: "A", 2: "A", 3: "L_V1"}),
        "m": dense.save_scalars("m.dscalar.nii", [np.ones(n), -np.ones(n)]),
        "z": dense.save_scalars("z.dscalar.nii", [np.zeros(n)]),
        "o": dense.save_labels("o.dlabel.nii", keys, {1: "A", 9: "B"}, models=whole),
    }
    region, message = WRONG[name]
    kind, definition = next(iter(region.items()))
    if kind == "mask":
        region = {"mask": files.get(definition, definition)}
    else:
        region = {kind: {**definition, "image": files[definition["image"]]}}
    assert message in get_refusal(dense.save_series(), region)


def test_settings_objects_will_do(dense):
    image = dense.save_labels("a.dlabel.nii", np.ones(len(dense.models)), {1: "A"})
    roi = Roi.model_validate({"name": "A", "atlas": {"image": str(image), "label": 1}})
    header = read_dense_header(dense.save_series())
    assert build_run_weights([roi], header).totals.tolist() == [len(dense.models)]
