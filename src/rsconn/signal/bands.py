"""The discrete cosines of a run, and which of them lie in a band of frequencies."""

from __future__ import annotations

import numpy as np

Band = tuple[float | None, float | None]


def make_band_regressors(
    n_volumes: int, t_r: float, high_pass_hz: float | None, low_pass_hz: float | None
) -> np.ndarray:
    """Return the discrete cosines whose frequencies lie outside the band.

    DCT-II: column k is sqrt(2/n) cos(pi k (2 i + 1) / (2 n)) for volume i, at k / (2 n t_r) Hz, k = 1 to n -
    1. Frequencies up to and including `high_pass_hz`, and those above `low_pass_hz`, are outside.

    Parameters
    ----------
    n_volumes : int
        Length of the run, censored volumes included.
    t_r : float
        Repetition time, s.
    high_pass_hz, low_pass_hz : float or None
        Edges of the band, Hz; None leaves that side open.

    Returns
    -------
    float64 array (n_volumes, n_outside)
        Orthonormal columns, none of them constant.

    Examples
    --------
    >>> make_band_regressors(300, 2.0, 0.01, 0.08).shape
    (300, 215)
    """
    outside = ~find_band_bins(n_volumes, t_r, (high_pass_hz, low_pass_hz))
    return make_cosines(n_volumes, np.flatnonzero(outside) + 1)


def find_band_bins(n_volumes: int, t_r: float, band: Band) -> np.ndarray:
    """Return which of the DCT-II bins 1 to n_volumes - 1 lie in the band, as bool (n_volumes - 1,)."""
    high_pass_hz, low_pass_hz = band
    # in units of bins; the tolerance keeps 12.0 from becoming 11.999...
    bins = np.arange(1, n_volumes)
    scale, tolerance = 2 * n_volumes * t_r, 1e-9
    inside = np.ones(len(bins), dtype=bool)
    if high_pass_hz is not None:
        inside &= bins > high_pass_hz * scale + tolerance
    if low_pass_hz is not None:
        inside &= bins <= low_pass_hz * scale + tolerance
    return inside


def make_cosines(n_volumes: int, bins: np.ndarray) -> np.ndarray:
    """Return the orthonormal DCT-II columns of these bins (n_volumes, n_bins)."""
    phases = np.pi * (2 * np.arange(n_volumes) + 1) / (2 * n_volumes)
    return np.asarray(np.sqrt(2 / n_volumes) * np.cos(np.outer(phases, bins)))
