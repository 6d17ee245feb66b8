"""Correlations against numpy and a regression oracle; variances against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.signal.connectivity import (
    combine_runs,
    combine_variances,
    compute_edges,
    compute_partial_relmat,
    compute_relmat,
    compute_z,
)

PAIRS = np.array([[0, 1], [2, 3]])


@pytest.fixture
def cleaned(rng):
    return rng.standard_normal((90, 6)) @ rng.standard_normal((6, 6)) + 100


def test_relmat_is_plain_pearson(cleaned):
    np.testing.assert_allclose(compute_relmat(cleaned), np.corrcoef(cleaned.T), rtol=0, atol=1e-13)


def test_relmat_is_symmetric_to_the_bit_and_one_on_the_diagonal(cleaned):
    relmat = compute_relmat(cleaned)
    assert np.array_equal(relmat, relmat.T)
    assert np.array_equal(np.diag(relmat), np.ones(6))


@pytest.mark.parametrize(
    "spoil", [lambda x: x[:, 2].fill(np.nan), lambda x: x[5:6, 2].fill(np.nan), lambda x: x[:, 2].fill(0.1)]
)
def test_a_missing_or_constant_series_is_nan_and_leaves_the_others_alone(cleaned, spoil):
    whole = compute_relmat(cleaned)
    spoil(cleaned)
    relmat = compute_relmat(cleaned)
    others = [0, 1, 3, 4, 5]
    assert np.isnan(relmat[2]).all()
    np.testing.assert_allclose(relmat[np.ix_(others, others)], whole[np.ix_(others, others)], atol=1e-15)


def test_partial_correlation_is_the_correlation_of_residuals(cleaned):
    partial = compute_partial_relmat(cleaned)
    for i, j in [(0, 1), (2, 5)]:
        rest = [k for k in range(6) if k not in (i, j)]
        given = np.column_stack([np.ones(90), cleaned[:, rest]])
        residuals = cleaned[:, [i, j]] - given @ np.linalg.lstsq(given, cleaned[:, [i, j]], rcond=None)[0]
        assert partial[i, j] == pytest.approx(np.corrcoef(residuals.T)[0, 1], abs=1e-10)


def test_partial_correlation_leaves_out_missing_series(cleaned):
    expected = compute_partial_relmat(cleaned[:, :5])
    cleaned[:, 5] = np.nan
    partial = compute_partial_relmat(cleaned)
    np.testing.assert_allclose(partial[:5, :5], expected, atol=1e-12)
    assert np.isnan(partial[5]).all()


def test_partial_correlation_of_dependent_series_does_not_exist(cleaned):
    twice = np.column_stack([cleaned, cleaned[:, 0] + cleaned[:, 1]])
    assert np.isnan(compute_partial_relmat(twice)).all()
    assert np.isnan(compute_partial_relmat(cleaned[:5])).all()


def test_edges_follow_the_pairs(cleaned):
    relmat = compute_relmat(cleaned)
    edges = compute_edges(relmat, np.array([[4, 1], [0, 5]]), dof=40)
    assert edges.r.tolist() == [relmat[4, 1], relmat[0, 5]]
    np.testing.assert_allclose(edges.z, np.arctanh(edges.r))
    assert edges.z_variance.tolist() == [1 / 38, 1 / 38]
    assert np.isnan(edges.z_variance_ac).all()


def test_conditioning_costs_degrees_of_freedom(cleaned):
    edges = compute_edges(compute_partial_relmat(cleaned), PAIRS, dof=40, n_conditioned=4)
    assert edges.z_variance.tolist() == [1 / 34, 1 / 34]


@pytest.mark.parametrize("dof", [None, 2, 1, 0])
def test_variance_without_enough_degrees_of_freedom_is_missing(cleaned, dof):
    edges = compute_edges(compute_relmat(cleaned), PAIRS, dof=dof, power=np.ones((9, 6)))
    assert np.isfinite(edges.z).all()
    assert np.isnan(edges.z_variance).all()
    assert np.isnan(edges.z_variance_ac).all()


def test_a_missing_edge_has_no_variance(cleaned):
    cleaned[:, 1] = np.nan
    edges = compute_edges(compute_relmat(cleaned), PAIRS, dof=40, power=np.ones((9, 6)))
    assert np.isnan([edges.r[0], edges.z[0], edges.z_variance[0], edges.z_variance_ac[0]]).all()
    assert edges.z_variance[1] == edges.z_variance_ac[1] == 1 / 38


def test_one_series_twice_has_no_z():
    assert np.isnan(compute_z(np.array([1.0, -1.0, 1 - 1e-15]))).all()


def test_fisher_z_has_the_stated_variance(rng):
    x = rng.standard_normal((4000, 30))
    y = 0.6 * x + 0.8 * rng.standard_normal((4000, 30))
    z = [compute_z(compute_relmat(np.column_stack(pair)))[0, 1] for pair in zip(x, y, strict=True)]
    stated = compute_edges(np.array([[1, 0.6], [0.6, 1]]), np.array([[0, 1]]), dof=29).z_variance[0]
    assert np.var(z) == pytest.approx(stated, rel=0.08)


def test_runs_combine_by_weight_and_a_missing_edge_has_no_say():
    z = np.array([[0.2, 0.3, np.nan], [0.5, np.nan, np.nan], [0.8, 0.9, np.nan]])
    combined = combine_runs(z, np.array([10.0, 20.0, 30.0]))
    np.testing.assert_allclose(combined.z[:2], [(2 + 10 + 24) / 60, (3 + 27) / 40])
    np.testing.assert_allclose(combined.between_run_sd[:2], [0.3, np.std([0.3, 0.9], ddof=1)])
    np.testing.assert_allclose(combined.r[:2], np.tanh(combined.z[:2]))
    assert combined.n_runs.tolist() == [3, 2, 0]
    assert combined.weight.tolist() == [60, 40, 0]
    assert np.isnan([combined.z[2], combined.r[2], combined.between_run_sd[2]]).all()


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan])
def test_a_run_without_weight_has_no_say(weight):
    combined = combine_runs(np.array([[0.2], [0.9]]), np.array([5.0, weight]))
    assert combined.z.tolist() == [0.2]
    assert combined.n_runs.tolist() == [1]
    assert np.isnan(combined.between_run_sd).all()


def test_variances_combine_to_one_over_the_summed_weights():
    weights = np.array([10.0, 20.0, 30.0])
    variances = np.array([[1 / 10, np.nan], [1 / 20, 1 / 20], [1 / 30, 2 / 30]])
    expected = [1 / 60, (20 + 900 * 2 / 30) / 2500]
    np.testing.assert_allclose(combine_variances(variances, weights), expected)
    assert np.isnan(combine_variances(np.array([[np.nan]]), np.array([5.0]))).all()
