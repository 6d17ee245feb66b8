"""Power in the band, and the variance of correlations of series whose spectra are not flat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dct

from rsconn.signal.connectivity import (
    compute_band_power,
    compute_edges,
    compute_relmat,
    compute_variance_ratio,
    compute_z,
    smooth_power,
)
from rsconn.signal.projection import NuisanceDesign, find_band_bins, make_cosines, project_out

BAND = (0.01, 0.08)
FIRST, SECOND = np.array([0]), np.array([1])


def test_power_without_censoring_is_the_dcts(rng):
    series = rng.standard_normal((120, 3))
    kept = np.ones(120, dtype=bool)
    bins = np.flatnonzero(find_band_bins(120, 2.0, BAND)) + 1
    expected = smooth_power(dct(series, norm="ortho", axis=0)[bins] ** 2)
    np.testing.assert_allclose(compute_band_power(series, kept, 2.0, BAND), expected, rtol=1e-10)


def test_smoothing_is_a_running_mean_over_the_mirrored_band():
    power = np.arange(27.0)[:, np.newaxis] ** 2
    padded = np.pad(power[:, 0], 2, mode="symmetric")
    expected = [padded[start : start + 5].mean() for start in range(27)]
    np.testing.assert_allclose(smooth_power(power)[:, 0], expected)


@pytest.mark.parametrize("n_bins", [1, 2, 3, 5, 67])
def test_smoothing_leaves_flat_power_as_it_is(n_bins):
    np.testing.assert_allclose(smooth_power(np.full((n_bins, 2), 3.0)), 3.0)


def test_white_spectra_give_back_dof():
    edges = compute_edges(np.eye(2), np.array([[0, 1]]), dof=30, power=np.full((40, 2), 5.0))
    assert edges.z_variance_ac[0] == pytest.approx(1 / 28, rel=1e-12)


def test_ratio_by_hand():
    power = np.array([[4.0, 1.0], [1.0, 1.0], [1.0, 4.0]])
    assert compute_variance_ratio(power, FIRST, SECOND)[0] == pytest.approx(36 / 9 / 3)
    assert compute_variance_ratio(power, FIRST, FIRST)[0] == pytest.approx(36 / 18 / 3)
    assert np.isnan(compute_variance_ratio(np.zeros((3, 2)), FIRST, SECOND)).all()


@pytest.mark.parametrize(("slope", "inflation"), [(0.0, 1.0), (-0.5, 1.2), (-0.8, 1.7)])
def test_variance_of_coloured_independent_series(rng, slope, inflation):
    """Steep spectra spread z more than dof says; the corrected variance comes near what simulation shows."""
    n_volumes, t_r, n_pairs = 240, 2.0, 500
    kept = np.ones(n_volumes, dtype=bool)
    bins = np.flatnonzero(find_band_bins(n_volumes, t_r, BAND)) + 1
    waves = make_cosines(n_volumes, bins) * (bins / bins[0]) ** slope
    series = waves @ rng.standard_normal((len(bins), 2 * n_pairs))
    design = NuisanceDesign(n_volumes, t_r, BAND, rng.standard_normal((n_volumes, 8)))
    projection = project_out(series, design, kept)
    edges = compute_edges(
        compute_relmat(projection.cleaned),
        np.arange(2 * n_pairs).reshape(n_pairs, 2),
        dof=projection.dof,
        power=compute_band_power(projection.cleaned, kept, t_r, BAND),
    )
    observed = np.mean(np.square(edges.z))
    assert observed > inflation * 0.9 * edges.z_variance[0]
    assert np.mean(edges.z_variance_ac) == pytest.approx(observed, rel=0.25)
    away, plainly = np.mean(edges.z_variance_ac) - observed, edges.z_variance[0] - observed
    assert abs(away) <= abs(plainly) + 0.001


def test_coupling_does_not_pass_for_autocorrelation(rng):
    """Two white series that correlate strongly keep nearly the dof they have."""
    shared = rng.standard_normal((240, 1))
    series = shared + 0.5 * rng.standard_normal((240, 2))
    kept = np.ones(240, dtype=bool)
    ratio = compute_variance_ratio(compute_band_power(series, kept, 2.0, BAND), FIRST, SECOND)[0]
    assert compute_z(compute_relmat(series))[0, 1] > 0.9
    assert 0.8 < ratio <= 1.1
