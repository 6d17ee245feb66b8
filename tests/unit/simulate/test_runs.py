from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rsconn.simulate.simulated_runs import N_NONSTEADY, draw_run_plan, simulate_roi_series, simulate_run
from rsconn.simulate.truth import ROI_CENTERS_MM, plan_study

EDGES = plan_study().edges
COUPLING = {"LAI-dmPFC": 0.9, "rACC-oPFC": -0.4}


@pytest.fixture(scope="module")
def plan():
    return draw_run_plan(COUPLING, 120, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def run(plan, anatomy):
    return simulate_run(plan, anatomy, EDGES, rng=np.random.default_rng(1))


def find_voxels(anatomy, name, radius_mm=6.0):
    return np.linalg.norm(anatomy.compute_positions() - np.array(ROI_CENTERS_MM[name]), axis=1) <= radius_mm


def test_roi_series_are_coupled_as_planned(plan):
    long = replace(plan, n_volumes=200_000)
    series = simulate_roi_series(long, EDGES, rng=np.random.default_rng(2))

    def get_z(first, second):  # in the band: below it so few cycles fit in that any two series correlate
        spectra = np.array([np.fft.rfft(series[name]) for name in (first, second)])
        hz = np.fft.rfftfreq(long.n_volumes, 2.0)
        cross = spectra[:, (hz > 0.01) & (hz < 0.08)] @ spectra[:, (hz > 0.01) & (hz < 0.08)].conj().T
        return np.arctanh(cross[0, 1].real / np.sqrt(cross[0, 0].real * cross[1, 1].real))

    assert get_z("LAI", "dmPFC") == pytest.approx(0.9, abs=0.05)
    assert get_z("rACC", "oPFC") == pytest.approx(-0.4, abs=0.05)
    assert get_z("LAI", "rACC") == pytest.approx(0.0, abs=0.05)


def test_the_first_volumes_are_not_steady(run):
    level = run.image[N_NONSTEADY:].mean()
    assert run.image[0].mean() > 1.15 * level
    assert run.image[1].mean() > 1.04 * level
    assert run.image[N_NONSTEADY].mean() == pytest.approx(level, rel=0.01)


def test_orbitofrontal_tsnr_is_low(run, anatomy):
    steady = run.image[N_NONSTEADY:]
    tsnr = steady.mean(axis=0) / steady.std(axis=0)
    assert tsnr[find_voxels(anatomy, "oPFC")].mean() < 0.8 * tsnr[find_voxels(anatomy, "LAI")].mean()
    assert 80 < np.median(tsnr[run.mask]) < 160


def test_severe_drop_out_leaves_the_mask(plan, anatomy):
    severe = simulate_run(replace(plan, dropout=2.5), anatomy, EDGES, rng=np.random.default_rng(1))
    assert not severe.mask[find_voxels(anatomy, "oPFC")].any()
    assert severe.mask[find_voxels(anatomy, "LAI")].all()


def test_motion_enters_the_image(plan, anatomy):
    still = simulate_run(
        replace(plan, restlessness=0.0, n_jerks=0), anatomy, EDGES, rng=np.random.default_rng(3)
    )
    moved = simulate_run(
        replace(plan, restlessness=3.0, n_jerks=20), anatomy, EDGES, rng=np.random.default_rng(3)
    )

    def get_dvars(run):
        return np.sqrt((np.diff(run.image[N_NONSTEADY:][:, run.mask], axis=0) ** 2).mean(axis=1))

    change = np.abs(np.diff(moved.motion.true[N_NONSTEADY:], axis=0)) @ [1, 1, 1, 50, 50, 50]
    dvars = get_dvars(moved)
    assert dvars.mean() > 1.03 * get_dvars(still).mean()
    assert dvars[change > 0.8].mean() > 1.1 * dvars[change < 0.4].mean()


def test_ordinary_runs_keep_their_volumes():
    rng = np.random.default_rng(4)
    plans = [draw_run_plan(COUPLING, 240, rng=rng) for _ in range(500)]
    assert max(plan.n_jerks for plan in plans) <= 4
    assert max(plan.restlessness for plan in plans) <= 2.4
    assert max(plan.dropout for plan in plans) <= 1.15
