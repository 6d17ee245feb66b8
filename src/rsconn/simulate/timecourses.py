"""Time courses with 1/f spectra, and how a head moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FD_RADIUS_MM = 50.0


@dataclass(frozen=True)
class Motion:
    """Head position over time; translations in mm, rotations in radians.

    Attributes
    ----------
    true, measured : float64 array (n_volumes, 6)
        trans_x, trans_y, trans_z, rot_x, rot_y, rot_z as they were, and as realignment finds them.
    """

    true: np.ndarray
    measured: np.ndarray


def simulate_series(
    n_series: int,
    n_volumes: int,
    t_r: float,
    *,
    rng: np.random.Generator,
    exponent: float = 1.0,
    cutoff_hz: float | None = 0.12,
) -> np.ndarray:
    """Draw independent series whose power falls as 1/f**exponent, times a Gaussian roll-off.

    Parameters
    ----------
    n_series, n_volumes : int
    t_r : float
        Repetition time, in s.
    rng : numpy.random.Generator
    exponent : float
    cutoff_hz : float or None
        Where the haemodynamic roll-off has reached exp(-1/2); None leaves the tail.

    Returns
    -------
    float64 array (n_series, n_volumes)
        Mean 0 and SD 1 each.
    """
    n_long = 2 * n_volumes  # half of a longer series is kept, so that ends do not meet
    frequencies = np.fft.rfftfreq(n_long, t_r)[1:]
    power = frequencies**-exponent
    if cutoff_hz is not None:
        power = power * np.exp(-0.5 * (frequencies / cutoff_hz) ** 2)
    phases = rng.standard_normal((2, n_series, len(frequencies)))
    spectrum = np.zeros((n_series, len(frequencies) + 1), dtype=complex)
    spectrum[:, 1:] = np.sqrt(power) * (phases[0] + 1j * phases[1])
    series = np.fft.irfft(spectrum, n=n_long, axis=1)[:, :n_volumes]
    series -= series.mean(axis=1, keepdims=True)
    return np.asarray(series / series.std(axis=1, keepdims=True))


def couple(first: np.ndarray, noise: np.ndarray, rho: float) -> np.ndarray:
    """Return a series that shares `rho` with `first` and is otherwise `noise` (both mean 0, SD 1)."""
    return np.asarray(rho * first + np.sqrt(1.0 - rho**2) * noise)


def simulate_motion(
    n_volumes: int, t_r: float, *, restlessness: float, n_jerks: int, rng: np.random.Generator
) -> Motion:
    """Draw head motion: slow drift, breathing, jitter, and sudden jerks that are partly taken back.

    Parameters
    ----------
    n_volumes : int
    t_r : float
    restlessness : float
        Multiplies drift, breathing and jitter; 1 gives a mean FD of about 0.12 mm.
    n_jerks : int
        Sudden moves of 0.6 to 1.5 mm FD.
    rng : numpy.random.Generator

    Returns
    -------
    Motion
    """
    weights = np.array([0.6, 0.9, 1.3, 1.2, 0.7, 0.6])  # people nod (z, rot_x) more than they slide
    drift = 0.12 * simulate_series(6, n_volumes, t_r, rng=rng, exponent=2.5, cutoff_hz=None).T
    phase = 2 * np.pi * (0.27 * t_r * np.arange(n_volumes) + 0.4 * np.cumsum(rng.standard_normal(n_volumes)))
    breathing = 0.012 * np.sin(phase)[:, None]
    jitter = 0.008 * rng.standard_normal((n_volumes, 6))
    moves = restlessness * weights * (drift + breathing + jitter) + _draw_jerks(n_volumes, n_jerks, rng)
    moves -= moves[0]
    true = moves * np.array([1.0, 1.0, 1.0, *[1.0 / FD_RADIUS_MM] * 3])
    error = 0.006 * rng.standard_normal((n_volumes, 6)) * [1, 1, 1, *[1 / FD_RADIUS_MM] * 3]
    return Motion(true, true + error)


def compute_fd(parameters: np.ndarray) -> np.ndarray:
    """Return Power's framewise displacement in mm, (n_volumes,), with NaN for the first volume.

    Sum of the absolute changes of the six parameters, rotations as arcs on a sphere of 50 mm
    (Power et al. 2012, NeuroImage 59:2142).
    """
    changes = np.abs(np.diff(parameters, axis=0)) * np.array([1.0, 1.0, 1.0, *[FD_RADIUS_MM] * 3])
    return np.concatenate([[np.nan], changes.sum(axis=1)])


def _draw_jerks(n_volumes: int, n_jerks: int, rng: np.random.Generator) -> np.ndarray:
    """Return steps (n_volumes, 6) in mm of arc: a quarter of each jerk stays, the rest is brief."""
    steps = np.zeros((n_volumes, 6))
    for onset in rng.integers(5, max(n_volumes - 5, 6), size=n_jerks):
        direction = rng.standard_normal(6)
        size = rng.uniform(0.6, 1.5) * direction / np.abs(direction).sum()
        steps[onset:] += 0.25 * size
        steps[onset : onset + int(rng.integers(1, 4))] += 0.75 * size
    return steps
