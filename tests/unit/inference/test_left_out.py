"""Regions found without a person against brute force, and what their p and the usual p do without an effect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from rsconn.inference import folds
from rsconn.inference.arrangements import draw_orders
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.folds import Selection, apply_orders_left_out, permute_left_out

SHAPE, N = (6, 5, 4), 14
VOXELS = np.arange(int(np.prod(SHAPE)))
NEIGHBOURS = find_neighbours(VOXELS, SHAPE)


def fit_t(outcome, tested, nuisance) -> np.ndarray:
    design = np.column_stack([tested, nuisance])
    beta, rss = np.linalg.lstsq(design, outcome, rcond=None)[:2]
    dof = len(outcome) - design.shape[1]
    return beta[0] / np.sqrt(rss / dof * np.linalg.inv(design.T @ design)[0, 0])


def average_brutally(maps, tested, nuisance, selection) -> tuple[np.ndarray, np.ndarray]:
    """Return the means (2, n) and counts (2, n_voxels): fit, label and average fold by fold."""
    dof = N - nuisance.shape[1] - 1
    h = stats.t.isf(stats.t.sf(selection.threshold, dof), dof - 1)
    means, counts = np.full((2, N), np.nan), np.zeros((2, VOXELS.size))
    for person in range(N):
        others = np.arange(N) != person
        t = fit_t(maps[others], tested[others], nuisance[others])
        comparable = stats.t.isf(stats.t.sf(np.abs(t), dof - 1), dof)
        for row, sign in enumerate((1, -1)):
            labels, count = ndimage.label((sign * t > h).reshape(SHAPE, order="F"))
            labels, region = labels.ravel(order="F"), []
            for k in range(1, count + 1):
                inside = labels == k
                masses = (comparable[inside] - selection.threshold).sum()
                if (inside.sum() if selection.criterion == "size" else masses) > selection.critical:
                    region += list(np.flatnonzero(inside))
            if region:
                means[row, person] = maps[person, region].mean()
                counts[row, region] += 1
    return means, counts


def judge_brutally(means, tested, nuisance) -> np.ndarray:
    t = np.full(2, np.nan)
    for row, sign in enumerate((1, -1)):
        present = np.isfinite(means[row])
        if present.sum() > nuisance.shape[1] + 1 and np.ptp(tested[present]) > 0:
            t[row] = fit_t(sign * means[row, present][:, None], tested[present], nuisance[present])[0]
    return t


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(4)
    noise = np.array([ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.7) for _ in range(N)])
    group = np.repeat([1.0, 0.0], N // 2)
    covariates = rng.normal(size=(N, 2)) + 0.4 * group[:, None]
    # what the nuisance explains differs between voxels
    maps = noise.reshape(N, -1, order="F") + rng.normal(size=VOXELS.size) * (3 + covariates[:, :1])
    maps[:, 10:16] += 0.7 * group[:, None]
    maps[:, 60:64] -= 0.6 * group[:, None]
    return maps, group, np.column_stack([np.ones(N), covariates])


@pytest.fixture(scope="module")
def orders():
    return draw_orders(N, None, 12, np.random.default_rng(8))


@pytest.mark.parametrize(
    "selection", [Selection(1.5), Selection(1.8, 2, "size"), Selection(1.8, 1.5), Selection(3.5)]
)
def test_equals_brute_force(study, orders, selection):
    maps, group, nuisance = study
    found = apply_orders_left_out(maps, group, nuisance, NEIGHBOURS, selection, orders)
    means, counts = average_brutally(maps, group, nuisance, selection)
    np.testing.assert_allclose(found.means, means, rtol=1e-5)
    np.testing.assert_array_equal(found.counts, counts)
    t = judge_brutally(means, group, nuisance)
    np.testing.assert_allclose(found.t, t, rtol=1e-4)
    for row in np.flatnonzero(np.isfinite(t)):
        present = np.isfinite(means[row])
        design = np.column_stack([group, nuisance])[present]
        expected = np.linalg.lstsq(design, means[row, present], rcond=None)[0][0]
        assert found.estimate[row] == pytest.approx(expected, rel=1e-4)
    fitted = nuisance @ np.linalg.lstsq(nuisance, maps, rcond=None)[0]
    for index, order in enumerate(orders):
        permuted = fitted + (maps - fitted)[order]
        means = average_brutally(permuted, group, nuisance, selection)[0]
        expected = judge_brutally(means, group, nuisance)
        assert found.null[index] == pytest.approx(np.fmax(expected, 0).max(), rel=1e-4)
    expected_p = (1 + (found.null[:, None] >= t).sum(axis=0)) / (len(orders) + 1)
    np.testing.assert_allclose(found.p[np.isfinite(t)], expected_p[np.isfinite(t)])
    assert np.isnan(found.p[np.isnan(t)]).all()


def test_result_does_not_depend_on_blocks(study, orders, monkeypatch):
    maps, group, nuisance = study
    whole = apply_orders_left_out(maps, group, nuisance, NEIGHBOURS, Selection(1.5), orders)
    monkeypatch.setattr(folds, "BATCH", 300)
    monkeypatch.setattr(folds, "TILE", 300)
    monkeypatch.setattr(folds, "_BLOCK", 17)
    parts = apply_orders_left_out(maps, group, nuisance, NEIGHBOURS, Selection(1.5), orders)
    np.testing.assert_allclose(whole.null, parts.null, rtol=1e-6)
    np.testing.assert_array_equal(whole.counts, parts.counts)


def test_no_region_has_no_p(study):
    maps, group, nuisance = study
    found = permute_left_out(maps, group, nuisance, NEIGHBOURS, Selection(50.0), n_permutations=9, seed=1)
    assert np.isnan(found.means).all()
    assert np.isnan(found.p).all()
    assert (found.null == 0).all()


def test_orders_respect_blocks(study, monkeypatch):
    maps, group, nuisance = study
    seen = []
    monkeypatch.setattr(folds, "apply_orders_left_out", lambda *arguments: seen.append(arguments[-1]))
    blocks = np.arange(N) % 3
    permute_left_out(
        maps, group, nuisance, NEIGHBOURS, Selection(2.0), n_permutations=20, seed=1, blocks=blocks
    )
    assert (blocks[seen[0]] == blocks).all()
    assert (seen[0] != np.arange(N)).any()


def test_person_without_whom_nothing_can_be_fitted(study, orders):
    maps, group, nuisance = study
    alone = np.column_stack([nuisance, np.arange(N) == 5])
    with pytest.raises(ValueError, match="without the person in row 5"):
        apply_orders_left_out(maps, group, alone, NEIGHBOURS, Selection(2.0), orders)
    with pytest.raises(ValueError, match="rank-deficient"):
        apply_orders_left_out(
            maps, group, np.column_stack([nuisance, group]), NEIGHBOURS, Selection(2.0), orders
        )


def test_repeated_selection_holds_where_the_usual_p_fails():
    shape, n, n_cohorts = (8, 8, 8), 20, 60
    neighbours = find_neighbours(np.arange(512), shape)
    group, rng = np.repeat([1.0, 0.0], n // 2), np.random.default_rng(3)
    selection, hits = Selection(stats.t.isf(0.005, n - 2)), np.zeros(2)
    for seed in range(n_cohorts):
        maps = ndimage.gaussian_filter(rng.normal(size=(n, *shape)), (0, 1, 1, 1)).reshape(n, -1, order="F")
        found = permute_left_out(
            maps, group, np.ones((n, 1)), neighbours, selection, n_permutations=99, seed=seed
        )
        hits += [
            np.nanmin(np.r_[1, found.p]) <= 0.05,
            np.nanmax(np.r_[0, found.t]) > stats.t.isf(0.05, n - 2),
        ]
    # four standard errors around 3 of 60
    assert 1 <= hits[0] <= 10
    assert hits[1] > 15
