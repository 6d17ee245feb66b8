"""Sums of rows against a dense matrix product, whatever the layout of rows, the type and the place in memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rsconn.signal.weights import RowSums, make_weights

SHAPE, N_VOXELS = (7, 5, 3), 105
NAMES = ["a", "empty", "b", "c"]


def make_rows(rng, *, overlap, weighted):
    """Rows with runs of neighbours, single voxels, the grid's last voxel, and one row that is empty."""
    if overlap:
        members = [np.flatnonzero(rng.random(N_VOXELS) < share) for share in (0.9, 0.0, 0.5, 0.2)]
    else:
        owner = np.repeat(rng.integers(0, 4, 30), 7)[:N_VOXELS]
        owner[rng.random(N_VOXELS) < 0.1] = 2
        owner[owner == 1] = -1
        owner[-1] = 3
        members = [np.flatnonzero(owner == row) for row in range(4)]
    values = [rng.random(len(voxels)) + 0.1 if weighted else np.ones(len(voxels)) for voxels in members]
    dense = np.zeros((4, N_VOXELS))
    for row, voxels, weight in zip(dense, members, values, strict=True):
        row[voxels] = weight
    return make_weights(NAMES, list(zip(members, values, strict=True)), np.ones(4), SHAPE), dense


@pytest.mark.parametrize("code", ["u1", "<i2", ">i2", "<u2", "<i4", "<f4", ">f4", "<i8", "<f8"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("overlap", [False, True])
def test_sums_are_those_of_a_dense_product(rng, code, weighted, overlap):
    rows, dense = make_rows(rng, overlap=overlap, weighted=weighted)
    sums = RowSums(rows)
    volume = rng.integers(0, 200, N_VOXELS).astype(code)
    gathered = np.empty(len(sums.voxels), code)
    sums.gather(volume, gathered)
    assert_array_equal(gathered, volume[sums.voxels])
    assert_allclose(sums.sum(gathered), dense @ volume.astype(float), rtol=1e-14)
    assert len(np.unique(sums.voxels)) == len(sums.voxels) == dense.any(axis=0).sum()


def test_a_volume_at_an_odd_address_is_gathered_too(rng):
    rows, dense = make_rows(rng, overlap=False, weighted=False)
    raw = rng.integers(0, 256, 1 + 2 * N_VOXELS).astype(np.uint8)
    volume = raw[1:].view(np.int16)
    sums = RowSums(rows)
    gathered = np.empty(len(sums.voxels), np.int16)
    sums.gather(volume, gathered)
    assert_allclose(sums.sum(gathered), dense @ volume, rtol=1e-14)


def test_long_rows_of_large_integers_do_not_overflow():
    shape, voxels = (50, 50, 40), np.arange(100_000)
    sums = RowSums(make_weights(["all"], [(voxels, np.ones(len(voxels)))], [len(voxels)], shape))
    gathered = np.full(len(voxels), -32_768, np.int16)
    assert sums.sum(gathered).tolist() == [-32_768 * 100_000.0]


def test_neighbours_are_gathered_together():
    """Else the gathering is right and slow."""
    voxels = np.arange(2, 94)
    sums = RowSums(make_weights(["all"], [(voxels, np.ones(len(voxels)))], [len(voxels)], SHAPE))
    assert sums.voxels[:4].tolist() == [4, 5, 6, 7]
    assert sums.voxels[-4:].tolist() == [2, 3, 92, 93]


def test_rows_without_voxels_sum_to_nothing():
    nothing = (np.empty(0, np.intp), np.empty(0))
    sums = RowSums(make_weights(["a", "b"], [nothing, nothing], [1, 1], SHAPE))
    gathered = np.empty(0, np.int16)
    sums.gather(np.ones(N_VOXELS, np.int16), gathered)
    assert sums.sum(gathered).tolist() == [0.0, 0.0]
