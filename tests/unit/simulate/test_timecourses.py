from __future__ import annotations

import numpy as np
import pytest

from rsconn.simulate.simulated_runs import compute_fd, couple, simulate_motion, simulate_series


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_power_falls_with_the_exponent(exponent):
    series = simulate_series(400, 512, 2.0, rng=np.random.default_rng(0), exponent=exponent, cutoff_hz=None)
    taper = np.hanning(512)
    power = (np.abs(np.fft.rfft(series * taper, axis=1)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(512, 2.0)
    band = (hz > 0.02) & (hz < 0.2)
    slope = np.polyfit(np.log(hz[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.1)


def test_roll_off_empties_high_frequencies():
    series = simulate_series(200, 300, 2.0, rng=np.random.default_rng(1), exponent=0.0, cutoff_hz=0.05)
    power = (np.abs(np.fft.rfft(series, axis=1)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(300, 2.0)
    assert power[hz > 0.2].mean() < 0.02 * power[(hz > 0.01) & (hz < 0.03)].mean()


def test_series_are_standardised():
    series = simulate_series(5, 100, 2.0, rng=np.random.default_rng(2))
    np.testing.assert_allclose(series.mean(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(series.std(axis=1), 1.0, rtol=1e-12)


def test_couple_shares_rho():
    first, noise = np.random.default_rng(3).standard_normal((2, 200_000))
    assert np.corrcoef(first, couple(first, noise, -0.6))[0, 1] == pytest.approx(-0.6, abs=0.01)


def test_fd_of_one_step_by_hand():
    parameters = np.zeros((3, 6))
    parameters[1:] = [0.1, -0.2, 0.0, 0.002, 0.0, -0.001]
    np.testing.assert_allclose(compute_fd(parameters), [np.nan, 0.3 + 50 * 0.003, 0.0])


def test_restlessness_and_jerks_set_fd():
    def draw(restlessness, n_jerks, seed):
        motion = simulate_motion(
            240, 2.0, restlessness=restlessness, n_jerks=n_jerks, rng=np.random.default_rng(seed)
        )
        return compute_fd(motion.measured)[1:]

    calm = [draw(0.8, 0, seed) for seed in range(10)]
    restless = [draw(2.2, 0, seed) for seed in range(10)]
    jerky = [draw(2.6, 60, seed) for seed in range(10)]
    assert np.mean(calm) < 0.1
    assert 0.15 < np.mean(restless) < 0.25
    assert max(np.max(fd) for fd in calm) < 0.5
    assert min(np.mean(fd) for fd in jerky) > 0.45
    assert min((fd > 0.5).sum() for fd in jerky) > 60


def test_motion_is_measured_with_error():
    motion = simulate_motion(500, 2.0, restlessness=1.0, n_jerks=1, rng=np.random.default_rng(5))
    error = motion.measured - motion.true
    np.testing.assert_allclose(error[:, :3].std(), 0.006, rtol=0.1)
    np.testing.assert_allclose(50 * error[:, 3:].std(), 0.006, rtol=0.1)
    assert not motion.true[0].any()
