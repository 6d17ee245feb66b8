"""Rows of weights against nilearn's spheres and against counting."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiSpheresMasker
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d

from rsconn.signal.grids import apply_kernels
from rsconn.signal.weights import (
    keep_voxels,
    make_label_weights,
    make_map_weights,
    make_mask_weights,
    make_sphere_weights,
    smooth_weights,
    stack_weights,
    take_row,
)

SHAPE = (14, 12, 10)
AFFINES = {
    "3 mm": np.array([[3.0, 0, 0, -20], [0, 3, 0, -17], [0, 0, 3, -14], [0, 0, 0, 1]]),
    "2 mm, x flipped": np.array([[-2.0, 0, 0, 13], [0, 2, 0, -12], [0, 0, 2, -9], [0, 0, 0, 1]]),
    "oblique": np.array([[2.9, 0.4, 0, -20], [-0.4, 2.9, 0.2, -17], [0, -0.2, 3.5, -14], [0, 0, 0, 1]]),
    "1.8 mm as float32": np.diag([np.float32(1.8)] * 3 + [1.0]).astype(float) + np.eye(4, k=3) * -11.5,
}


def find_nilearn_sphere(center, radius, affine, shape) -> np.ndarray:
    """Flat file-order indices of a nilearn sphere, read off an image whose voxel values are powers of membership."""
    n_voxels = int(np.prod(shape))
    members = []
    # One volume per voxel is wasteful and leaves no doubt: the sphere's mean of a one-hot image is 1/n or 0.
    for start in range(0, n_voxels, 420):
        one_hot = np.eye(n_voxels)[:, start : start + 420].reshape(*shape, -1, order="F")
        masker = NiftiSpheresMasker([center], radius=radius, reports=False, standardize=None)
        means = masker.fit_transform(nib.Nifti1Image(one_hot, affine))
        members.extend(start + np.flatnonzero(np.atleast_2d(means)[:, 0] > 0))
    return np.array(members)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
@pytest.mark.parametrize("radius", [0.5, 2.0, 6.0])
def test_sphere_members_are_those_of_nilearn(affine, radius):
    shape = (9, 8, 7)
    center = (affine @ [4.3, 3.6, 3.1, 1])[:3]
    weights = make_sphere_weights(["A"], [center], [radius], affine, shape)
    assert_array_equal(weights.voxels, find_nilearn_sphere(center, radius, affine, shape))
    assert (weights.values == 1).all()


def test_nilearn_s_namesake_of_the_centre_belongs_to_a_small_sphere():
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -0.8 - 9.0
    center = (0.9, 0.9, 0.9)  # nearest voxel at 2.2; the one at -0.8 is 0 too when cut to an integer
    weights = make_sphere_weights(["A"], [center], [0.5], affine, (8, 8, 8))
    assert len(weights.voxels) == 2
    assert_array_equal(weights.voxels, find_nilearn_sphere(center, 0.5, affine, (8, 8, 8)))


def test_voxels_exactly_at_the_radius_belong_to_the_sphere():
    weights = make_sphere_weights(
        ["A"], [[0, 0, 0]], [6], np.diag([3.0, 3, 3, 1]) - 15 * np.eye(4, k=3)[[0, 1, 2, 3]], (11, 11, 11)
    )
    assert weights.totals.tolist() == [33]  # 1 + 6 + 12 + 8 + 6 lattice points within 2 steps


def test_total_counts_the_part_outside_the_field_of_view():
    affine = np.diag([3.0, 3, 3, 1])
    weights = make_sphere_weights(["corner", "away"], [[0, 0, 0], [-30, 0, 0]], [6, 6], affine, SHAPE)
    assert weights.totals.tolist() == [33, 33]
    assert np.diff(weights.starts).tolist() == [11, 0]  # the octant: 1 + 3 + 3 + 1 + 3


def test_masks_labels_and_maps_give_file_order_rows():
    rng = np.random.default_rng(1)
    atlas = rng.integers(0, 4, SHAPE).astype(float)
    labels = make_label_weights(["three", "one"], atlas, [3, 1])
    masks = make_mask_weights(["three", "one"], [atlas == 3, atlas == 1])
    maps = make_map_weights(
        ["three", "one"], [np.where(atlas == 3, 0.25, 0), np.where(atlas == 1, 2.0, -1.0)]
    )
    values = rng.normal(size=SHAPE)
    for weights in (labels, masks, maps):
        for row, label in enumerate((3, 1)):
            one = take_row(weights, row)
            mean = one.values @ values.ravel(order="F")[one.voxels] / one.values.sum()
            assert_allclose(mean, values[atlas == label].mean(), rtol=1e-12)
    assert_allclose(maps.totals, [0.25 * (atlas == 3).sum(), 2.0 * (atlas == 1).sum()])


def test_a_label_beyond_255_is_itself():
    atlas = np.array([[[1.0, 257.0, 513.0]]])
    assert make_label_weights(["A"], atlas, [257]).voxels.tolist() == [1]


def test_stacked_rows_keep_their_order_and_grids_must_agree():
    one = make_mask_weights(["A"], [np.ones(SHAPE, bool)])
    two = make_sphere_weights(["B"], [[0, 0, 0]], [3], np.diag([3.0, 3, 3, 1]), SHAPE)
    both = stack_weights([one, two])
    assert both.names == ("A", "B")
    assert_array_equal(take_row(both, 1).voxels, two.voxels)
    with pytest.raises(ValueError, match="different grids"):
        stack_weights([one, make_mask_weights(["C"], [np.ones((2, 2, 2), bool)])])


def test_keeping_voxels_leaves_the_total():
    weights = make_mask_weights(["A", "B"], [np.ones((2, 2, 1), bool), np.eye(2, dtype=bool)[:, :, None]])
    kept = keep_voxels(weights, np.array([True, False, True, False]))
    assert kept.voxels.tolist() == [0, 2, 0]
    assert kept.starts.tolist() == [0, 2, 3]
    assert kept.totals.tolist() == [4, 2]


@pytest.mark.parametrize("fwhm", [0.8, 4.0, 12.0])
def test_smoothed_rows_give_the_mean_of_the_smoothed_image(fwhm):
    affine = np.diag([-2.0, 3, 2.5, 1])
    image = np.random.default_rng(3).normal(size=SHAPE)
    region = np.zeros(SHAPE, bool)
    region[:3, 5:, 4] = region[11:, 0, :] = True  # touches the edges, where the image is reflected
    weights = smooth_weights(make_mask_weights(["A"], [region]), affine, fwhm)
    smoothed = image.copy()
    for axis, size in enumerate((2.0, 3.0, 2.5)):
        smoothed = gaussian_filter1d(smoothed, fwhm / np.sqrt(8 * np.log(2)) / size, axis=axis)
    rows = apply_kernels(weights)
    assert_allclose(rows.values @ image.ravel(order="F")[rows.voxels], smoothed[region].sum(), rtol=1e-10)
    assert_allclose(rows.values.sum(), region.sum(), rtol=1e-12)


def test_only_rows_with_a_kernel_are_smoothed():
    weights = make_sphere_weights(["A"], [[12, 12, 12]], [4], np.diag([3.0, 3, 3, 1]), SHAPE)
    both = apply_kernels(stack_weights([weights, smooth_weights(weights, np.diag([3.0, 3, 3, 1]), 6.0)]))
    assert_array_equal(take_row(both, 0).voxels, weights.voxels)
    assert len(take_row(both, 1).voxels) > 5 * len(weights.voxels)
