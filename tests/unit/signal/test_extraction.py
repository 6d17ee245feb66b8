"""Extraction against an explicit float64 computation on the whole array."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d

from rsconn.signal.extraction import extract_timeseries
from rsconn.signal.weights import make_map_weights, make_mask_weights, smooth_weights, stack_weights

SHAPE = (6, 5, 4)
N_VOXELS = 120
AFFINE = np.diag([3.0, 3, 3, 1])


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def regions():
    slabs = np.zeros((3, *SHAPE), bool)
    slabs[0, :2], slabs[1, 1:4, 1:4], slabs[2, 5] = True, True, True
    return make_mask_weights(["A", "B", "C"], list(slabs))


def opener(data):
    """Volumes of data (n_volumes, n_voxels) through one reused buffer, as the reader of images gives them."""

    def open_volumes():
        buffer = np.empty_like(data[0])
        for volume in data:
            buffer[:] = volume
            yield buffer

    return open_volumes


def average(data, weights, usable, *, slope=1.0, intercept=0.0):
    """The definition, voxel by voxel: scale, then weighted mean over usable voxels."""
    series = np.full((len(data), weights.n_rois), np.nan)
    for row in range(weights.n_rois):
        entries = slice(weights.starts[row], weights.starts[row + 1])
        voxels, values = weights.voxels[entries], weights.values[entries] * usable[weights.voxels[entries]]
        if values.any():
            scaled = data[:, voxels[values > 0]].astype(np.float64) * slope + intercept
            series[:, row] = np.average(scaled, axis=1, weights=values[values > 0])
    return series


@pytest.mark.parametrize("code", ["i2", ">i2", "u1", "i4", "f4", ">f4", "f8"])
def test_means_equal_the_definition_for_every_stored_type(rng, regions, code):
    data = rng.integers(0, 200, (12, N_VOXELS)).astype(code)
    mask = rng.random(N_VOXELS) < 0.8
    found = extract_timeseries(opener(data), regions, mask, slope=0.37, intercept=-12.5)
    assert_allclose(found.timeseries, average(data, regions, mask, slope=0.37, intercept=-12.5), rtol=1e-12)
    assert found.timeseries.dtype == np.float64
    assert_array_equal(
        found.n_voxels, [mask[row].sum() for row in np.split(regions.voxels, regions.starts[1:-1])]
    )


@pytest.mark.parametrize("code", ["u2", "i2", "i1"])
def test_sums_of_large_regions_do_not_overflow(code):
    shape = (100, 100, 20)
    size, extreme = 200_000, np.iinfo(code).max
    data = np.full((3, size), extreme, code)
    data[1, ::2] -= 1
    halves = np.zeros((2, *shape), bool)
    halves[0, :90], halves[1, 90:] = True, True
    found = extract_timeseries(opener(data), make_mask_weights(["A", "B"], list(halves)), data[1] != extreme)
    assert_array_equal(found.timeseries, [[extreme] * 2, [extreme - 1] * 2, [extreme] * 2])


def test_means_of_large_float32_values_keep_ten_digits(rng, regions):
    data = (rng.normal(0, 1, (40, N_VOXELS)) + 30_000).astype(np.float32)
    found = extract_timeseries(opener(data), regions, np.ones(N_VOXELS, bool))
    assert_allclose(found.timeseries, average(data, regions, np.ones(N_VOXELS)), rtol=1e-13)


def test_weighted_rows_give_weighted_means(rng):
    maps = make_map_weights(["A", "B"], list(rng.random((2, *SHAPE)) * (rng.random((2, *SHAPE)) < 0.5)))
    data = rng.normal(100, 5, (9, N_VOXELS))
    mask = rng.random(N_VOXELS) < 0.7
    found = extract_timeseries(opener(data), maps, mask, slope=2.0, intercept=1.0)
    assert_allclose(found.timeseries, average(data, maps, mask, slope=2.0, intercept=1.0), rtol=1e-12)
    inside = mask[maps.voxels]
    expected = [(maps.values * inside)[maps.row_of_entry == row].sum() / maps.totals[row] for row in (0, 1)]
    assert_allclose(found.coverage, expected)


@pytest.mark.parametrize("code", ["i2", "f4", "f8"])
@pytest.mark.parametrize("constant", [0, 77])
def test_constant_voxels_leave_their_region(rng, regions, code, constant):
    data = rng.integers(1000, 1200, (10, N_VOXELS)).astype(code)
    dead = np.zeros(N_VOXELS, bool)
    dead[[0, 1, 30, 31]] = True
    data[2:, dead] = constant  # the two non-steady volumes before have other values there
    found = extract_timeseries(opener(data), regions, np.ones(N_VOXELS, bool), n_nonsteady=2)
    assert_allclose(found.timeseries, average(data, regions, ~dead), rtol=1e-12)
    gone = [dead[row].sum() for row in np.split(regions.voxels, regions.starts[1:-1])]
    assert_array_equal(found.n_voxels, np.diff(regions.starts) - gone)
    assert_allclose(found.coverage, 1 - gone / np.diff(regions.starts))


@pytest.mark.parametrize("constant", [0, 1500])
def test_constant_voxels_leave_a_smoothed_region_and_still_blur_into_it(rng, regions, constant):
    data = rng.integers(1000, 1200, (10, N_VOXELS)).astype(np.int16)
    dead = np.zeros(N_VOXELS, bool)
    dead[[0, 1, 30, 31]] = True
    data[:, dead] = constant
    mask = rng.random(N_VOXELS) < 0.9
    smoothed = data.reshape(10, *SHAPE[::-1]).astype(float)
    for axis in (1, 2, 3):
        smoothed = gaussian_filter1d(smoothed, 4.0 / np.sqrt(8 * np.log(2)) / 3, axis=axis)
    found = extract_timeseries(opener(data), smooth_weights(regions, AFFINE, 4.0), mask, intercept=-7.0)
    expected = average(smoothed.reshape(10, -1), regions, mask & ~dead, intercept=-7.0)
    assert_allclose(found.timeseries, expected, rtol=1e-10)


def test_a_smoothed_region_takes_voxels_that_are_not_finite_for_zero(rng, regions):
    data = rng.normal(1000, 10, (10, N_VOXELS))
    data[4, 2] = np.nan  # outside the mask, beside region A
    mask = np.ones(N_VOXELS, bool)
    mask[2] = False
    zeroed = data.copy()
    zeroed[:, 2] = 0.0
    smooth = smooth_weights(regions, AFFINE, 4.0)
    found = extract_timeseries(opener(data), smooth, mask)
    assert_allclose(found.timeseries, extract_timeseries(opener(zeroed), smooth, mask).timeseries, rtol=1e-12)
    assert found.n_nonfinite.tolist() == [0, 0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_once_not_finite_leaves_its_region_for_the_whole_run(rng, regions, bad):
    data = rng.normal(1000, 10, (10, N_VOXELS)).astype(np.float32)
    data[6, 0] = bad
    data[0, 1] = bad  # a non-steady volume does not count
    found = extract_timeseries(opener(data), regions, np.ones(N_VOXELS, bool), n_nonsteady=1)
    usable = np.ones(N_VOXELS, bool)
    usable[0] = False
    assert_allclose(found.timeseries[1:], average(data, regions, usable)[1:], rtol=1e-12)
    assert found.n_nonfinite.tolist() == [1, 0, 0]
    assert found.n_voxels.tolist() == [39, 36, 20]
    assert np.isfinite(found.timeseries[1:]).all()


def test_the_run_is_read_twice_only_if_a_voxel_must_leave(rng, regions):
    data = rng.normal(1000, 10, (4, N_VOXELS))
    data[:, 3] = 0.0
    passes = []

    def counting():
        passes.append(1)
        return opener(data)()

    extract_timeseries(counting, regions, np.ones(N_VOXELS, bool))
    assert len(passes) == 1
    data[2, 0] = np.nan
    extract_timeseries(counting, regions, np.ones(N_VOXELS, bool))
    assert len(passes) == 3


def test_a_region_without_usable_voxels_is_nan_and_harms_no_other(rng, regions):
    data = rng.normal(1000, 10, (8, N_VOXELS)).astype(np.float32)
    mask = np.ones(N_VOXELS, bool)
    mask[regions.voxels[regions.starts[2] :]] = False
    found = extract_timeseries(opener(data), regions, mask)
    assert np.isnan(found.timeseries[:, 2]).all()
    assert found.coverage.tolist() == [1, 1, 0]
    assert np.isnan(found.tsnr[2])
    assert_allclose(found.timeseries[:, :2], average(data, regions, mask)[:, :2], rtol=1e-12)


def test_nothing_in_the_mask_gives_nan_series_of_the_run_s_length(regions):
    found = extract_timeseries(opener(np.ones((5, N_VOXELS))), regions, np.zeros(N_VOXELS, bool))
    assert found.timeseries.shape == (5, 3)
    assert np.isnan(found.timeseries).all()


def test_coverage_counts_the_part_outside_the_field_of_view(rng, regions):
    cut = replace(regions, totals=regions.totals * 2)
    found = extract_timeseries(opener(rng.normal(size=(5, N_VOXELS))), cut, np.ones(N_VOXELS, bool))
    assert found.coverage.tolist() == [0.5, 0.5, 0.5]


def test_tsnr_is_the_mean_over_voxels_in_image_units(rng, regions):
    data = rng.integers(800, 1200, (50, N_VOXELS)).astype(np.int16)
    data[:3] = 9999
    found = extract_timeseries(
        opener(data), regions, np.ones(N_VOXELS, bool), slope=0.5, intercept=30.0, n_nonsteady=3
    )
    image = data[3:] * 0.5 + 30.0
    tsnr = image.mean(axis=0) / image.std(axis=0)
    expected = [tsnr[row].mean() for row in np.split(regions.voxels, regions.starts[1:-1])]
    assert_allclose(found.tsnr, expected, rtol=1e-5)


def test_variants_of_a_region_are_more_rows_of_the_same_pass(rng, regions):
    data = rng.normal(1000, 10, (8, N_VOXELS))
    mask = rng.random(N_VOXELS) < 0.8
    variants = stack_weights([regions, smooth_weights(regions, AFFINE, 5.0)])
    both = extract_timeseries(opener(data), variants, mask)
    assert_array_equal(both.timeseries[:, :3], extract_timeseries(opener(data), regions, mask).timeseries)
    alone = extract_timeseries(opener(data), smooth_weights(regions, AFFINE, 5.0), mask).timeseries
    assert_allclose(both.timeseries[:, 3:], alone, rtol=1e-13)
    assert_array_equal(both.coverage[:3], both.coverage[3:])


@pytest.mark.parametrize(
    ("code", "slope", "intercept"), [("f4", 1.0, 0.0), ("i2", 1.0, 0.0), ("i2", 0.5, -50.0)]
)
@pytest.mark.parametrize("part", [slice(0, 120), slice(0, 60), slice(60, 120)])
def test_volumes_that_are_blank_in_part_are_found(rng, regions, code, slope, intercept, part):
    data = rng.normal(1000, 20, (30, N_VOXELS)).astype(code)
    zero = -intercept / slope
    data[:, 3], data[0], data[[12, 29], part] = zero, zero, zero
    found = extract_timeseries(
        opener(data), regions, np.ones(N_VOXELS, bool), slope=slope, intercept=intercept, n_nonsteady=1
    )
    assert found.blank_volumes == (12, 29)


def test_zeros_of_images_around_zero_and_of_few_voxels_are_no_fault(rng, regions):
    mask = np.ones(N_VOXELS, bool)
    around = rng.integers(-1, 2, (200, N_VOXELS)).astype("i2")
    assert extract_timeseries(opener(around), regions, mask).blank_volumes == ()
    few = rng.normal(1000, 20, (30, N_VOXELS)).astype("f4")
    few[5, :10] = 0
    few[:, 20:60] = 0
    assert extract_timeseries(opener(few), regions, mask).blank_volumes == ()
