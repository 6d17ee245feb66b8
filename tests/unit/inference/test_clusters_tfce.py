"""Clusters and TFCE against scipy.ndimage and nilearn, and against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from nilearn.mass_univariate._utils import calculate_cluster_measures, calculate_tfce
from scipy import ndimage

from rsconn.inference.clusters import compute_tfce, find_neighbours, form_clusters
from rsconn.inference.exceedances import Exceedances

SHAPE = (11, 9, 10)
STRUCTURE = ndimage.generate_binary_structure(3, 1)


@pytest.fixture(scope="module", params=[0.0, 1.0, 2.5])
def maps(request):
    """Six maps of one smoothness within a mask with holes, and the mask's voxels."""
    rng = np.random.default_rng(4)
    mask = rng.random(SHAPE) > 0.1
    noise = rng.standard_t(5, size=(6, *SHAPE))
    smooth = ndimage.gaussian_filter(noise, (0, *[request.param] * 3))
    volumes = 1.3 * smooth / smooth.std() * mask
    voxels = np.flatnonzero(mask.ravel(order="F"))
    return volumes, volumes.reshape(6, -1, order="F")[:, voxels], voxels


def test_neighbours_are_found_both_ways():
    rng = np.random.default_rng(0)
    mask = rng.random(SHAPE) > 0.4
    voxels = np.flatnonzero(mask.ravel(order="F"))
    neighbours = find_neighbours(voxels, SHAPE)
    x, y, z = np.unravel_index(voxels, SHAPE, order="F")
    for axis, coordinate in enumerate((x, y, z)):
        here = np.flatnonzero(neighbours[axis] >= 0)
        there = neighbours[axis, here]
        assert (coordinate[there] == coordinate[here] + 1).all()
        step = [slice(None)] * 3
        step[axis] = slice(1, None)
        back = [slice(None)] * 3
        back[axis] = slice(None, -1)
        assert len(here) == (mask[tuple(step)] & mask[tuple(back)]).sum()


def test_largest_clusters_equal_nilearn(maps):
    volumes, values, voxels = maps
    threshold = 1.0
    permutation, voxel = np.nonzero(np.abs(values) > threshold)
    found = Exceedances(permutation, voxel, values[permutation, voxel])
    clusters = form_clusters(found, find_neighbours(voxels, SHAPE), threshold)
    sizes, masses = calculate_cluster_measures(
        np.moveaxis(volumes, 0, 3), threshold, STRUCTURE, two_sided_test=True
    )
    for index in range(6):
        mine = clusters.permutation == index
        assert clusters.sizes[mine].max() == sizes[index]
        assert clusters.masses[mine].max() == pytest.approx(masses[index])
        n_expected = sum(ndimage.label(sign * volumes[index] > threshold)[1] for sign in (1, -1))
        assert mine.sum() == n_expected


def test_no_exceedance_no_cluster():
    nothing = Exceedances(np.empty(0, int), np.empty(0, int), np.empty(0))
    clusters = form_clusters(nothing, find_neighbours(np.arange(8), (2, 2, 2)), 1.0)
    assert clusters.sizes.size == clusters.masses.size == clusters.labels.size == 0


def test_tfce_equals_nilearn(maps):
    volumes, values, voxels = maps
    expected = calculate_tfce(np.moveaxis(volumes, 0, 3).copy(), STRUCTURE)
    expected = np.moveaxis(expected, 3, 0).reshape(6, -1, order="F")[:, voxels]
    found = compute_tfce(values, find_neighbours(voxels, SHAPE))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_tfce_of_a_map_does_not_depend_on_its_neighbours(maps):
    _, values, voxels = maps
    neighbours = find_neighbours(voxels, SHAPE)
    one_by_one = np.concatenate([compute_tfce(row[None], neighbours) for row in values])
    np.testing.assert_allclose(compute_tfce(values, neighbours), one_by_one, rtol=1e-12)


def test_tfce_by_hand():
    """A peak of 3 beside a shoulder of 1.5: two voxels up to 1.5, one above; a lone -1.5 elsewhere."""
    row = np.array([[1, -1, -1], [-1, -1, -1], [-1, -1, -1]])
    heights = 3 * np.arange(1, 101) / 100
    low, high = (heights[:50] ** 2).sum(), (heights[50:] ** 2).sum()
    expected = [np.sqrt(2) * low + high, np.sqrt(2) * low, -low]
    np.testing.assert_allclose(compute_tfce(np.array([[3.0, 1.5, -1.5]]), row)[0], expected)


def test_tfce_of_an_empty_map_is_zero():
    assert (compute_tfce(np.zeros((2, 8)), find_neighbours(np.arange(8), (2, 2, 2))) == 0).all()
