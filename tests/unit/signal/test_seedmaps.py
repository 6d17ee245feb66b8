"""Seed maps against cleaning every voxel's series in float64 and correlating it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d

from rsconn.signal.extraction import extract_timeseries
from rsconn.signal.projection import NuisanceDesign, make_band_complement, make_band_design, project_out
from rsconn.signal.seedmaps import BandProducts, SeedRecipes, compute_fisher_z, extract_seed_maps
from rsconn.signal.weights import make_mask_weights

SHAPE, N_VOLUMES, T_R, BAND = (11, 9, 8), 140, 2.0, (0.01, 0.08)
N_VOXELS = 11 * 9 * 8
AFFINE = np.diag([3.0, 3, 3, 1])


class Study:
    """A run whose voxels share slow, fast and in-band signals, as stored numbers; confounds; a sample mask."""

    def __init__(self, code, *, seed=3):
        rng = np.random.default_rng(seed)
        time = np.arange(N_VOLUMES) * T_R
        shared = np.stack(
            [np.sin(2 * np.pi * f * time + p) for f, p in ((0.003, 0), (0.03, 1), (0.05, 2), (0.2, 0))]
        )
        noise = rng.normal(size=(N_VOLUMES, N_VOXELS))
        series = 9000 + 60 * (shared.T @ rng.normal(size=(4, N_VOXELS))) + 40 * noise
        series += 200 * np.linspace(-1, 1, N_VOLUMES)[:, None] * rng.normal(size=N_VOXELS)
        self.data = np.round(series).astype(code)
        self.mask = rng.random(N_VOXELS) < 0.8
        self.retained = rng.random(N_VOLUMES) < 0.9
        self.confounds = [
            np.empty((N_VOLUMES, 0)),
            rng.normal(size=(N_VOLUMES, 6)),
            rng.normal(size=(N_VOLUMES, 14)),
        ]
        regions = np.zeros((3, *SHAPE), bool)
        regions[0, :3], regions[1, 5:8, 3:6], regions[2, 9:, 6:] = True, True, True
        self.weights = make_mask_weights(["A", "B", "C"], list(regions))

    def open_volumes(self):
        buffer = np.empty_like(self.data[0])
        for volume in self.data:
            buffer[:] = volume
            yield buffer

    def run(self, *, fwhm=0.0, slope=1.0, seeds=(0, 2), **options):
        recipes = SeedRecipes(T_R, BAND, self.retained, self.confounds, seeds, fwhm)
        return extract_seed_maps(
            self.open_volumes, self.weights, self.mask, recipes, affine=AFFINE, slope=slope, **options
        )

    def correlate(self, confounds, *, fwhm=0.0, slope=1.0, seeds=(0, 2)):
        """Clean everything in float64, then correlate: (n_seeds, n_voxels_in_mask)."""
        image = self.data.astype(np.float64) * slope
        series = extract_timeseries(self.open_volumes, self.weights, self.mask, slope=slope).timeseries
        if fwhm:
            grid = image.reshape(N_VOLUMES, *SHAPE[::-1])
            for axis in (1, 2, 3):
                grid = gaussian_filter1d(grid, fwhm / np.sqrt(8 * np.log(2)) / 3, axis=axis)
            image = grid.reshape(N_VOLUMES, -1)
        design = NuisanceDesign(N_VOLUMES, T_R, BAND, confounds)
        voxels = project_out(image[:, self.mask], design, self.retained)
        cleaned = project_out(series[:, list(seeds)], design, self.retained).cleaned
        both = np.corrcoef(np.hstack([cleaned, voxels.cleaned]).T)
        return both[: len(seeds), len(seeds) :], voxels.dof


@pytest.fixture(params=["<i2", ">i2", "<f4", "<f8", "<i4", "<u2"])
def study(request):
    return Study(request.param)


def test_every_recipe_and_seed_equals_cleaning_then_correlating(study):
    extraction, maps = study.run()
    assert maps.r.shape == (3, 2, study.mask.sum())
    for recipe, confounds in enumerate(study.confounds):
        expected, dof = study.correlate(confounds)
        assert maps.dof[recipe] == dof
        assert_allclose(maps.r[recipe], expected, atol=5e-6)
    alone = extract_timeseries(study.open_volumes, study.weights, study.mask)
    assert_array_equal(extraction.timeseries, alone.timeseries)
    assert np.abs(maps.r).max() > 0.5


@pytest.mark.parametrize("fwhm", [0.0, 5.0])
def test_a_recipe_alone_gives_what_it_gives_among_others(fwhm):
    """Alone, only what it leaves is kept of each voxel."""
    study = Study("<i2")
    together = study.run(fwhm=fwhm)[1]
    for recipe, confounds in enumerate(study.confounds):
        study.confounds = [confounds]
        alone = study.run(fwhm=fwhm)[1]
        assert alone.dof == (together.dof[recipe],)
        assert_allclose(alone.r[0], together.r[recipe], atol=5e-6)


@pytest.mark.parametrize("fwhm", [3.0, 8.0])
def test_smoothed_maps_equal_smoothing_the_image_before_masking(fwhm):
    study = Study("<i2")
    _, maps = study.run(fwhm=fwhm)
    for recipe, confounds in enumerate(study.confounds):
        assert_allclose(maps.r[recipe], study.correlate(confounds, fwhm=fwhm)[0], atol=5e-6)


@pytest.mark.parametrize("fwhm", [0.0, 5.0])
def test_several_passes_give_the_same_maps_with_less_memory(fwhm, monkeypatch):
    monkeypatch.setattr("rsconn.signal.seedmaps._WAITING_BYTES", 0)  # eight volumes at a time
    study = Study("<f4")
    _, whole = study.run(fwhm=fwhm)
    _, parts = study.run(fwhm=fwhm, max_bytes=N_VOXELS * 39 * 4 // 3)
    assert_allclose(parts.r, whole.r, atol=2e-6)


def test_a_negative_slope_turns_no_sign():
    study = Study("<i2")
    assert_allclose(study.run(slope=-0.5)[1].r, study.run(slope=2.0)[1].r, atol=1e-6)


def test_voxels_without_variance_or_not_finite_are_nan_and_harm_no_other():
    study = Study("<f4")
    inside = np.flatnonzero(study.mask)
    clean = study.run(seeds=(2,))[1].r
    spoilt = [i for i in (40, 300) if inside[i] not in study.weights.voxels[study.weights.starts[2] :]]
    study.data[:, inside[spoilt[0]]] = 5000.0
    study.data[77, inside[spoilt[1]]] = np.nan
    study.retained[77] = True
    fresh = Study("<f4")
    fresh.retained[77] = True
    found, expected = study.run(seeds=(2,))[1].r, fresh.run(seeds=(2,))[1].r
    assert clean.shape == found.shape
    assert np.isnan(found[..., spoilt]).all()
    others = np.setdiff1d(np.arange(len(inside)), spoilt)
    assert_array_equal(found[..., others], expected[..., others])


def test_a_voxel_that_is_not_finite_is_zero_for_its_smoothed_neighbours():
    study, zeroed = Study("<f4"), Study("<f4")
    inside = np.flatnonzero(study.mask)
    lost = next(i for i in range(200, 300) if inside[i] not in study.weights.voxels)
    study.retained[50] = zeroed.retained[50] = True
    study.data[50, inside[lost]] = np.inf
    zeroed.data[:, inside[lost]] = 0
    found, expected = study.run(fwhm=5.0)[1].r, zeroed.run(fwhm=5.0)[1].r
    assert np.isnan(found[..., lost]).all()
    others = np.arange(len(inside)) != lost
    assert_allclose(found[..., others], expected[..., others], atol=2e-6)


def test_large_offsets_and_drifts_do_no_harm():
    study = Study("<f4")
    study.data += np.float32(50_000)
    study.data += (2_000 * np.linspace(0, 1, N_VOLUMES)[:, None]).astype(np.float32)
    _, maps = study.run()
    assert_allclose(maps.r[1], study.correlate(study.confounds[1])[0], atol=1e-5)


def test_confounds_outside_the_band_cost_no_degree_of_freedom():
    study = Study("<f4")
    slow = np.cos(np.pi * 1 * (2 * np.arange(N_VOLUMES) + 1) / (2 * N_VOLUMES))[:, None]
    study.confounds = [np.empty((N_VOLUMES, 0)), slow]
    _, maps = study.run()
    assert maps.dof[0] == maps.dof[1] == study.correlate(slow)[1]


@pytest.mark.parametrize("band", [BAND, (0.01, None), (None, 0.05), (None, None)])
@pytest.mark.parametrize("share", [1.0, 0.85, 0.5])
def test_the_complement_is_all_that_the_design_leaves(band, share):
    retained = np.random.default_rng(1).random(N_VOLUMES) < share
    basis = make_band_complement(N_VOLUMES, T_R, band, retained)
    design = make_band_design(N_VOLUMES, T_R, band)[retained]
    assert_allclose(basis.T @ design, 0, atol=1e-10)
    assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    assert basis.shape[1] == retained.sum() - np.linalg.matrix_rank(design)


def test_too_few_volumes_are_noticed():
    products = BandProducts(np.eye(4)[:, :2], np.ones(4, bool), np.arange(3))
    products.add(np.ones(3))
    with pytest.raises(ValueError, match="1 volumes came, the sample mask has 4"):
        products.finish()


def test_fisher_z_is_finite_where_a_seed_meets_itself():
    z = compute_fisher_z(np.array([-1.0, 0.3, 1.0, np.nan], np.float32))
    assert_allclose(z, [-7.2543, np.arctanh(0.3), 7.2543, np.nan], rtol=1e-4)
