"""ROI series of every kind of region against nilearn's maskers on float64 input."""

from __future__ import annotations

import gzip
import tracemalloc
import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import resample_to_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker, NiftiSpheresMasker
from numpy.testing import assert_allclose

from rsconn.errors import RunError, SettingsError
from rsconn.files.images import read_header, read_mask, stream_volumes
from rsconn.files.regions import WeightsBuilder, build_variants, build_weights, list_labels
from rsconn.settings.rois import Roi
from rsconn.signal.extraction import extract_timeseries

SHAPE, N_VOLUMES = (20, 22, 18), 15
AFFINE = np.array([[-3.0, 0, 0, 31.5], [0, 3, 0, -33], [0, 0, 3, -25], [0, 0, 0, 1]])
CENTERS = [(-6.2, 3.0, 1.7), (8, -9, 4), (2.0, 14.3, -8.8)]
SPHERES = [{"name": f"S{i}", "sphere": {"center_mm": c, "radius_mm": 6.0}} for i, c in enumerate(CENTERS)]


class Dataset:
    """A run on disk, its mask, and both as nilearn wants them: the image in float64."""

    def __init__(self, folder, code):
        rng = np.random.default_rng(11)
        brain = np.zeros(SHAPE, bool)
        brain[3:17, 3:19, 3:15] = True
        image = (rng.normal(900, 40, (*SHAPE, N_VOLUMES)) * (0.3 + brain[..., None])).astype(np.float32)
        self.run, self.mask = folder / "bold.nii.gz", folder / "mask.nii.gz"
        made = nib.Nifti1Image(image, AFFINE)
        made.set_data_dtype(code)
        nib.save(made, self.run)
        nib.save(nib.Nifti1Image(brain.astype(np.uint8), AFFINE), self.mask)
        self.float64 = nib.Nifti1Image(nib.load(self.run).get_fdata(), AFFINE)

    def extract(self, rois, fwhm=0.0):
        header = read_header(self.run)
        weights = build_weights(rois, header, fwhm)
        mask = read_mask(self.mask, header)
        return extract_timeseries(
            lambda: stream_volumes(header), weights, mask, slope=header.slope, intercept=header.intercept
        )


@pytest.fixture(params=[np.int16, np.float32], ids=["int16 with slope", "float32"], scope="module")
def dataset(request, tmp_path_factory):
    return Dataset(tmp_path_factory.mktemp("run"), request.param)


@pytest.fixture(scope="module")
def atlas(tmp_path_factory):
    """Labels on a 2 mm grid with another origin and orientation, reaching beyond the run's field of view."""
    affine = np.array([[2.0, 0, 0, -40], [0, 2, 0, -38], [0, 0, 2, -31], [0, 0, 0, 1]])
    x, y, z = np.meshgrid(np.arange(40), np.arange(38), np.arange(32), indexing="ij")
    labels = (1 + x // 10 + 4 * (y // 13) + 300 * (z // 16)).astype(np.int32)
    labels[:, :, 14:18] = 0
    path = tmp_path_factory.mktemp("atlas") / "atlas.nii.gz"
    nib.save(nib.Nifti1Image(labels, affine), path)
    return path


def run_masker(masker, image):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "After applying mask", UserWarning)  # regions that the mask removes
        return masker.fit_transform(image)


def test_the_run_has_a_slope_where_it_should(dataset):
    header = read_header(dataset.run)
    assert (header.dtype.kind == "i") == (header.slope != 1.0)


@pytest.mark.parametrize("fwhm", [None, 5.0])
def test_spheres_equal_nilearn(dataset, fwhm):
    masker = NiftiSpheresMasker(
        CENTERS, radius=6.0, mask_img=dataset.mask, smoothing_fwhm=fwhm, standardize=None, reports=False
    )
    found = dataset.extract(SPHERES, fwhm or 0.0)
    assert_allclose(found.timeseries, run_masker(masker, dataset.float64), rtol=1e-10)
    assert (found.coverage > 0.3).all()


@pytest.mark.parametrize("fwhm", [None, 7.0])
def test_labels_equal_nilearn(dataset, atlas, fwhm):
    on_grid = resample_to_img(atlas, dataset.float64, interpolation="nearest")
    masker = NiftiLabelsMasker(
        on_grid,
        mask_img=dataset.mask,
        smoothing_fwhm=fwhm,
        standardize=None,
        reports=False,
        keep_masked_labels=False,
    )
    expected = run_masker(masker, dataset.float64)
    labels = [int(label) for label in masker.labels_ if label]
    rois = [
        {"name": f"L{label}", "atlas": {"image": atlas, "labels_tsv": None, "label": label}}
        for label in labels
    ]
    found = dataset.extract(rois, fwhm or 0.0)
    assert max(labels) > 255
    assert_allclose(found.timeseries, expected, rtol=1e-10)


def test_a_mask_on_another_grid_equals_its_label(dataset, atlas, tmp_path):
    image = nib.load(atlas)
    one = nib.Nifti1Image((np.asarray(image.dataobj) == 306).astype(np.uint8), image.affine)
    nib.save(one, tmp_path / "roi.nii.gz")
    by_mask = dataset.extract([{"name": "M", "mask": tmp_path / "roi.nii.gz"}])
    by_label = dataset.extract([{"name": "L", "atlas": {"image": atlas, "label": 306}}])
    assert_allclose(by_mask.timeseries, by_label.timeseries, rtol=1e-14)
    assert_allclose(by_mask.coverage, by_label.coverage, rtol=1e-12)


@pytest.fixture
def maps(tmp_path):
    """Two smooth maps that do not overlap, on a 4 mm grid."""
    affine = np.array([[4.0, 0, 0, -42], [0, 4, 0, -42], [0, 0, 4, -34], [0, 0, 0, 1]])
    x, y, z = np.meshgrid(np.arange(21), np.arange(21), np.arange(17), indexing="ij")
    bumps = [np.maximum(0, 1 - ((x - cx) ** 2 + (y - 10) ** 2 + (z - 9) ** 2) / 12.0) for cx in (7, 15)]
    path = tmp_path / "maps.nii.gz"
    nib.save(nib.Nifti1Image(np.stack(bumps, axis=-1), affine), path)
    return path


def test_maps_are_weighted_means_on_the_linearly_resampled_map(dataset, maps):
    rois = [{"name": f"P{i}", "map": {"image": maps, "index": i, "threshold": None}} for i in (0, 1)]
    found = dataset.extract(rois)
    weights = resample_to_img(maps, dataset.float64, interpolation="linear").get_fdata()
    weights *= nib.load(dataset.mask).get_fdata()[..., None]
    expected = np.einsum("xyzt,xyzm->tm", dataset.float64.get_fdata(), weights) / weights.sum(axis=(0, 1, 2))
    assert_allclose(found.timeseries, expected, rtol=1e-10)


def test_maps_that_do_not_overlap_equal_nilearn_up_to_a_factor(dataset, maps):
    rois = [{"name": f"P{i}", "map": {"image": maps, "index": i, "threshold": None}} for i in (0, 1)]
    found = dataset.extract(rois).timeseries
    masker = NiftiMapsMasker(
        maps, mask_img=dataset.mask, standardize=None, reports=False, keep_masked_maps=False
    )
    least_squares = run_masker(masker, dataset.float64)
    ratio = found / least_squares
    assert_allclose(ratio, np.broadcast_to(ratio[0], ratio.shape), rtol=1e-6)


def test_a_threshold_leaves_the_heavy_part_of_a_map(dataset, maps):
    rois = [{"name": "P", "map": {"image": maps, "index": 1, "threshold": t}} for t in (0.0, 0.6)]
    light, heavy = (build_weights([roi], read_header(dataset.run)) for roi in rois)
    assert len(heavy.voxels) < len(light.voxels)


def test_kinds_mix_in_any_order_and_settings_objects_do_too(dataset, atlas):
    mixed = [
        Roi(name="L", atlas={"image": str(atlas), "label": 6}),
        SPHERES[1],
        {"name": "L2", "atlas": {"image": atlas, "label": 306}},
        SPHERES[0],
    ]
    found = dataset.extract(mixed)
    for column, roi in enumerate(mixed):
        assert_allclose(found.timeseries[:, column], dataset.extract([roi]).timeseries[:, 0], rtol=1e-14)


def test_coverage_counts_voxels_in_the_mask_and_those_outside_the_field_of_view(dataset, atlas):
    on_grid = resample_to_img(atlas, dataset.float64, interpolation="nearest").get_fdata()
    inside = nib.load(dataset.mask).get_fdata() > 0
    found = dataset.extract([{"name": "L", "atlas": {"image": atlas, "label": 6}}])
    # Label 6 fills 10 x 13 x 14 voxels of 8 mm3; the run's voxels have 27 mm3.
    whole = 10 * 13 * 14 * 8 / 27
    assert found.coverage[0] == pytest.approx((on_grid[inside] == 6).sum() / whole, rel=0.05)
    assert found.n_voxels[0] == (on_grid[inside] == 6).sum() < 0.9 * whole


def test_real_run_with_spheres_and_labels_equals_nilearn(shared_data):
    folder = shared_data / "rapidtide/sub-rapidtide/func"
    run = next(folder.glob("*_desc-preproc_bold.nii.gz"))
    mask = next(folder.glob("*_desc-brain_mask.nii.gz"))
    image = shared_data / "templates/MIST122/atlas_relabeled.nii.gz"
    table = image.with_suffix("").with_suffix(".tsv")
    rois = [
        {"name": f"L{i}", "atlas": {"image": image, "labels_tsv": table, "label": i}} for i in range(1, 123)
    ]
    rois += [{"name": "named", "atlas": {"image": image, "labels_tsv": table, "label": "CER6_p"}}, SPHERES[0]]
    header = read_header(run)
    weights = build_weights(rois, header)
    found = extract_timeseries(
        lambda: stream_volumes(header),
        weights,
        read_mask(mask, header),
        slope=header.slope,
        intercept=header.intercept,
    )
    few = [0, 100, 239]
    part = nib.Nifti1Image(
        np.stack([nib.load(run).dataobj[..., i] for i in few], axis=-1).astype(float), header.affine
    )
    labels = NiftiLabelsMasker(
        image, mask_img=mask, standardize=None, reports=False, keep_masked_labels=False
    )
    expected = run_masker(labels, part)
    columns = [int(label) - 1 for label in labels.labels_ if label]
    usable = found.n_voxels == np.bincount(
        weights.row_of_entry, read_mask(mask, header)[weights.voxels], minlength=124
    )
    chosen = [i for i, column in enumerate(columns) if usable[column]]
    assert len(chosen) > 100
    assert_allclose(found.timeseries[few][:, [columns[i] for i in chosen]], expected[:, chosen], rtol=1e-10)
    assert_allclose(found.timeseries[:, 122], found.timeseries[:, 8])
    sphere = NiftiSpheresMasker([CENTERS[0]], radius=6.0, mask_img=mask, standardize=None, reports=False)
    assert_allclose(found.timeseries[few, 123], sphere.fit_transform(part)[:, 0], rtol=1e-10)


def test_regions_that_cannot_be_used_are_named(dataset, atlas, maps, tmp_path):
    header = read_header(dataset.run)
    table = tmp_path / "labels.tsv"
    table.write_text("index\tname\n6\tinsula\n7\tcaudate\n1\ttwin\n2\ttwin\n")
    signed = tmp_path / "signed.nii.gz"
    nib.save(nib.Nifti1Image(np.linspace(-1, 1, 8).reshape(2, 2, 2, 1), AFFINE), signed)
    faults = [
        ({"mask": tmp_path / "absent.nii.gz"}, "no such file"),
        ({"mask": atlas}, r"holds \d+ beside 0 and 312, a mask is 0 and 1"),
        ({"mask": maps}, "has 2 volumes, one is needed"),
        ({"atlas": {"image": atlas, "label": 99}}, r"label 99 is not in .*24 labels from 1 to 312"),
        ({"atlas": {"image": atlas, "label": 0}}, "label 0 is not in"),
        ({"atlas": {"image": signed, "label": 1}}, "is no atlas|one is needed"),
        (
            {"atlas": {"image": atlas, "labels_tsv": table, "label": "insulla"}},
            "no such label, nearest insula",
        ),
        ({"atlas": {"image": atlas, "labels_tsv": table, "label": "twin"}}, "2 rows match"),
        ({"map": {"image": maps, "index": 2}}, "has 2 volumes from 0 on, none is map.index 2"),
        ({"map": {"image": signed, "index": 0}}, "negative weights"),
        ({"map": {"image": maps, "index": 0, "threshold": 9.0}}, "leaves no voxel with a weight"),
        ({"column": "A"}, "no sphere, mask, atlas or map"),
    ]
    for fields, message in faults:
        with pytest.raises(SettingsError, match=f"ROI 'R'.*({message})"):
            build_weights([{"name": "R", **fields}], header)


def test_variants_are_the_sets_one_would_build_one_by_one(dataset):
    header, mask = read_header(dataset.run), read_mask(dataset.mask, read_header(dataset.run))
    weights = build_variants(SPHERES, header, [(None, 0.0), (9.0, 0.0), (None, 6.0)])
    assert weights.names == tuple(f"S{i}_{label}" for label in ("S0", "R9S0", "S6") for i in range(3))
    found = extract_timeseries(
        lambda: stream_volumes(header), weights, mask, slope=header.slope, intercept=header.intercept
    )
    wide = [{"name": roi["name"], "sphere": {**roi["sphere"], "radius_mm": 9.0}} for roi in SPHERES]
    parts = [dataset.extract(SPHERES), dataset.extract(wide), dataset.extract(SPHERES, 6.0)]
    assert_allclose(found.timeseries, np.hstack([part.timeseries for part in parts]), rtol=1e-12)
    assert_allclose(found.coverage, np.hstack([part.coverage for part in parts]))


def test_weights_are_built_once_per_grid(dataset, atlas, tmp_path):
    header = read_header(dataset.run)
    builder = WeightsBuilder([{"name": "L", "atlas": {"image": atlas, "label": 6}}])
    first = builder.build(header)
    assert builder.build(read_header(dataset.run)) is first
    nib.save(nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), AFFINE), tmp_path / "other.nii.gz")
    assert builder.build(read_header(tmp_path / "other.nii.gz")).shape == (9, 9, 9)


@pytest.mark.parametrize("label", [-30445, 614454277, 2**40])
def test_labels_may_be_large_or_negative_and_a_wrong_value_is_named(label):
    data = np.array([0.0, 1.0, label])
    assert list_labels("A", "atlas.nii", data).tolist() == sorted([0, 1, label])
    with pytest.raises(SettingsError, match=r"is no atlas, it holds 2\.0235"):
        list_labels("A", "atlas.nii", np.array([0, 1, 2.0235]))


@pytest.mark.parametrize(
    ("values", "n_inside"),
    [
        ((0, 1), 9), ((0, 255), 9), ((np.nan, 1), 9), ((1e-15, 1), 9), ((-1e-12, 1), 9), ((0, 0.9999999), 9),
        ((1, 2), None), ((0.02, 1), None), ((-1, 1), None), ((0, 0.3, 0.8, 1), None),
    ],
)  # fmt: skip
def test_a_mask_is_binary_or_refused(tmp_path, values, n_inside):
    data = np.full((4, 4, 4), values[0], float)
    data[0, :3, :3] = values[-1] if len(values) == 2 else 1
    for place, value in enumerate(values[1:-1]):
        data[3, 3, place] = value
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "mask.nii")
    header = read_header(tmp_path / "mask.nii")
    roi = {"name": "R", "mask": tmp_path / "mask.nii"}
    if n_inside is None:
        with pytest.raises(SettingsError, match=r"'R': .*mask\.nii holds .*a mask is 0 and 1"):
            build_weights([roi], header)
        with pytest.raises(
            RunError, match=r"mask\.nii: a brain mask is 0 outside and one value inside, this one holds"
        ):
            read_mask(tmp_path / "mask.nii", header)
    else:
        assert len(build_weights([roi], header).voxels) == n_inside
        assert read_mask(tmp_path / "mask.nii", header).sum() == n_inside


@pytest.mark.parametrize("label", [-30445, 614454277, 2_000_001])
def test_labels_may_be_large_or_negative(tmp_path, label):
    data = np.zeros((4, 4, 4), np.int32)
    data[1, :2], data[2] = label, 5
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "atlas.nii")
    header = read_header(tmp_path / "atlas.nii")
    atlas = {"image": tmp_path / "atlas.nii", "label": label}
    assert len(build_weights([{"name": "R", "atlas": atlas}], header).voxels) == 8
    (tmp_path / "labels.tsv").write_text(f"index\tname\n5\tother\n{label}\tmine\n")
    named = {**atlas, "label": "mine", "labels_tsv": tmp_path / "labels.tsv"}
    assert len(build_weights([{"name": "R", "atlas": named}], header).voxels) == 8


def test_a_value_that_is_no_label_is_named(tmp_path):
    data = np.zeros((4, 4, 4))
    data[1], data[2] = 2.0235, 5
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "atlas.nii")
    roi = {"name": "R", "atlas": {"image": tmp_path / "atlas.nii", "label": 5}}
    with pytest.raises(SettingsError, match=r"holds 2\.0235"):
        build_weights([roi], read_header(tmp_path / "atlas.nii"))


def write_zeros(path, shape):
    """Write a NIfTI-1 of zeros (uint8) that is small on disk, whatever its shape."""
    header = nib.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header.set_sform(np.diag([2.0, 2, 2, 1]), code=1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(int(np.prod(shape[3:]))):
            file.write(bytes(int(np.prod(shape[:3]))))
    return path


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((100, 100, 100, 60), "has 60 volumes, one is needed"),
        ((420, 410, 410), "at most 6.71e[+]07 are read"),
    ],
)
@pytest.mark.parametrize("kind", ["mask", "atlas", "map"])
def test_a_small_file_that_would_fill_the_memory_is_one_line(dataset, tmp_path, kind, shape, told):
    path = write_zeros(tmp_path / "big.nii.gz", shape)
    region = {
        "mask": {"mask": path},
        "atlas": {"atlas": {"image": path, "label": 1}},
        "map": {"map": {"image": path, "index": 60}},
    }[kind]
    run = read_header(dataset.run)
    told = told if kind != "map" or len(shape) == 3 else "has 60 volumes from 0 on"
    tracemalloc.start()
    with pytest.raises(SettingsError, match=told):
        build_weights([{"name": "R", **region}], run)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
