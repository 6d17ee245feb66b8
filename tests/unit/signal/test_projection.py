"""Projection denoising against explicit least squares, brute-force rank and scipy's DCT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.fft import dct

from rsconn.errors import RunError
from rsconn.signal.projection import (
    NuisanceDesign,
    count_dof,
    find_band_bins,
    make_band_regressors,
    make_basis,
    make_cosines,
    project_out,
)

BAND = (0.01, 0.08)


def make_case(rng, *, n_volumes=240, n_regressors=16, n_rois=5, n_censored=30, band=BAND, t_r=2.0):
    """Series far from zero, confounds on scales from radians to squared signals, some volumes censored."""
    scales = 10.0 ** rng.uniform(-4, 6, n_regressors)
    regressors = rng.standard_normal((n_volumes, n_regressors)).cumsum(axis=0) * scales + 3 * scales
    series = 10_000 + 50 * rng.standard_normal((n_volumes, n_rois)).cumsum(axis=0)
    sample_mask = np.ones(n_volumes, dtype=bool)
    sample_mask[rng.choice(n_volumes, n_censored, replace=False)] = False
    return series, NuisanceDesign(n_volumes, t_r, band, regressors), sample_mask


def solve_least_squares(series, design, sample_mask):
    """Residuals of an explicit fit, columns scaled so that the solver sees a well-posed problem."""
    rows = design.matrix[sample_mask]
    rows = rows / np.linalg.norm(rows, axis=0)
    coefficients = np.linalg.lstsq(rows, series[sample_mask], rcond=None)[0]
    return series[sample_mask] - rows @ coefficients


@pytest.mark.parametrize("band", [BAND, (0.01, None), (None, 0.08), (None, None)])
@pytest.mark.parametrize("n_censored", [0, 30])
def test_cleaned_series_are_the_residuals_of_least_squares(rng, band, n_censored):
    series, design, sample_mask = make_case(rng, band=band, n_censored=n_censored)
    result = project_out(series, design, sample_mask)
    expected = solve_least_squares(series, design, sample_mask)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(result.cleaned, expected, rtol=0, atol=1e-10 * np.abs(series).max())


def test_dof_is_what_the_brute_force_rank_leaves(rng):
    series, design, sample_mask = make_case(rng)
    confounds = design.regressors
    copies = np.column_stack(
        [confounds, confounds[:, 2] + 3 * confounds[:, 3], np.zeros(240), confounds[:, 5]]
    )
    twice = replace(design, regressors=copies)
    result = project_out(series, twice, sample_mask)
    rows = design.matrix[sample_mask]
    rank = np.linalg.matrix_rank(rows / np.linalg.norm(rows, axis=0))
    assert rank == 2 + 16 + (239 - np.sum(find_band_bins(240, 2.0, BAND)))
    assert (result.rank, result.dof) == (rank, sample_mask.sum() - rank)
    assert count_dof(twice, sample_mask) == result.dof


@pytest.mark.parametrize("band", [BAND, (0.02, 0.09), (None, 0.05)])
@pytest.mark.parametrize("gap", [0, 5, 10, 20])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_the_complement_gives_what_a_basis_of_the_design_gives(rng, band, gap, share):
    """Whatever is censored. The longer a gap, the nearer to 0 a singular value and the fewer digits any way has."""
    series, design, sample_mask = make_case(rng, band=band, n_censored=0, n_rois=3)
    sample_mask[100 : 100 + gap] = False
    sample_mask[rng.random(240) < share] = False
    rows = design.matrix[sample_mask]
    basis = make_basis(rows)
    result = project_out(series, design, sample_mask)
    assert result.rank == basis.shape[1] == sample_mask.sum() - count_dof(design, sample_mask)
    if result.dof == 0:
        return
    smallest = np.linalg.svd(rows / np.linalg.norm(rows, axis=0), compute_uv=False)[result.rank - 1]
    kept = series[sample_mask] - series[sample_mask].mean(axis=0)
    expected = kept - basis @ (basis.T @ kept)
    np.testing.assert_allclose(result.cleaned, expected, rtol=0, atol=1e-14 / smallest * np.abs(kept).max())


def test_a_regressor_inside_the_band_costs_one_and_outside_it_nothing(rng):
    inside, outside = make_cosines(240, np.array([40])), make_cosines(240, np.array([100]))
    series, all_kept = rng.standard_normal((240, 1)), np.ones(240, dtype=bool)
    bare = project_out(series, NuisanceDesign(240, 2.0, BAND, np.empty((240, 0))), all_kept)
    assert project_out(series, NuisanceDesign(240, 2.0, BAND, inside), all_kept).dof == bare.dof - 1
    assert project_out(series, NuisanceDesign(240, 2.0, BAND, outside), all_kept).dof == bare.dof


def test_cleaned_series_are_orthogonal_to_the_design(rng):
    series, design, sample_mask = make_case(rng)
    cleaned = project_out(series, design, sample_mask).cleaned
    rows = design.matrix[sample_mask]
    rows = rows / np.linalg.norm(rows, axis=0)
    assert np.abs(rows.T @ cleaned).max() < 1e-13 * np.abs(cleaned).max()


def test_censored_volumes_have_no_influence(rng):
    series, design, sample_mask = make_case(rng)
    spoilt = series.copy()
    spoilt[~sample_mask] += 1e6
    expected = project_out(series, design, sample_mask).cleaned
    assert np.array_equal(project_out(spoilt, design, sample_mask).cleaned, expected)


def test_what_was_planted_in_the_band_is_kept_and_the_rest_is_gone():
    n_volumes, t_r = 300, 2.0
    kept = make_cosines(n_volumes, np.array([50]))
    drift = 30 * np.linspace(0, 1, n_volumes)[:, np.newaxis] + 10_000
    noise = 7 * make_cosines(n_volumes, np.array([5, 200])).sum(axis=1, keepdims=True)
    motion = np.random.default_rng(4).standard_normal((n_volumes, 1))
    design = NuisanceDesign(n_volumes, t_r, BAND, motion)
    series = kept + drift + noise + 2 * motion
    alone = project_out(kept, design, np.ones(n_volumes, dtype=bool)).cleaned
    cleaned = project_out(series, design, np.ones(n_volumes, dtype=bool)).cleaned
    np.testing.assert_allclose(cleaned, alone, atol=1e-9)
    assert np.corrcoef(cleaned.ravel(), kept.ravel())[0, 1] > 0.99


def test_cosines_are_scipys_dct():
    n_volumes = 31
    ours = make_cosines(n_volumes, np.arange(1, n_volumes))
    theirs = dct(np.eye(n_volumes), type=2, norm="ortho", axis=0)[1:].T
    np.testing.assert_allclose(ours, theirs, atol=1e-14)


@pytest.mark.parametrize(("n_volumes", "t_r"), [(300, 2.0), (240, 1.5), (200, 0.8), (160, 3.0), (137, 2.35)])
def test_high_pass_cosines_are_nilearns(n_volumes, t_r):
    from nilearn.signal import create_cosine_drift

    ours = make_band_regressors(n_volumes, t_r, 0.01, None)
    theirs = create_cosine_drift(0.01, np.arange(n_volumes) * t_r)[:, :-1]
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize(
    ("band", "expected"),
    [
        ((0.01, 0.08), range(13, 97)),  # 2 n t_r = 1200: bin 12 is 0.01 Hz exactly, bin 96 is 0.08 Hz
        ((None, 0.08), range(1, 97)),
        ((0.01, None), range(13, 300)),
        ((None, 9.0), range(1, 300)),
    ],
)
def test_edges_of_the_band(band, expected):
    assert (np.flatnonzero(find_band_bins(300, 2.0, band)) + 1).tolist() == list(expected)


def test_an_edge_on_a_bin_survives_rounding():
    # 0.07 x 400 is 28.000000000000004 as a float, 0.29 x 100 is 28.999999999999996
    assert np.flatnonzero(find_band_bins(250, 0.8, (0.07, None)))[0] + 1 == 29
    assert np.flatnonzero(find_band_bins(50, 1.0, (0.29, None)))[0] + 1 == 30
    assert np.flatnonzero(find_band_bins(50, 1.0, (None, 0.29)))[-1] + 1 == 29


def test_missing_constant_and_fully_explained_series_are_nan(rng):
    series, design, sample_mask = make_case(rng, n_rois=4)
    series[7, 0] = np.nan
    series[:, 1] = 8_000.0
    series[:, 2] = design.matrix @ rng.standard_normal(design.matrix.shape[1])
    cleaned = project_out(series, design, sample_mask).cleaned
    assert np.isnan(cleaned[:, :3]).all()
    assert np.isfinite(cleaned[:, 3]).all()


@pytest.mark.parametrize("band", [BAND, (None, None)])
def test_a_saturated_design_leaves_no_degree_of_freedom(rng, band):
    series = rng.standard_normal((20, 2))
    result = project_out(
        series, NuisanceDesign(20, 2.0, band, rng.standard_normal((20, 40))), np.ones(20, dtype=bool)
    )
    assert result.dof == 0
    assert np.isnan(result.cleaned).all()


def test_no_volume_retained_is_the_runs_error(rng):
    with pytest.raises(RunError, match=r"0 of 20 volumes retained \(censoring\)"):
        project_out(
            rng.standard_normal((20, 2)),
            NuisanceDesign(20, 2.0, BAND, np.empty((20, 0))),
            np.zeros(20, dtype=bool),
        )


def test_confounds_of_another_length_are_the_runs_error():
    with pytest.raises(RunError, match="confounds have 19 rows, the image has 20 volumes"):
        NuisanceDesign(20, 2.0, BAND, np.zeros((19, 3)))


def test_basis_does_not_depend_on_units(rng):
    design = rng.standard_normal((50, 6))
    plain, scaled = make_basis(design), make_basis(design * 10.0 ** np.array([-6, -3, 0, 3, 6, 9]))
    np.testing.assert_allclose(plain @ plain.T, scaled @ scaled.T, atol=1e-12)
