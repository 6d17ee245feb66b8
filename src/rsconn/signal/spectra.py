"""Power of cleaned series in the band, and what its shape does to the variance of a correlation."""

from __future__ import annotations

import numpy as np

from rsconn.signal.bands import Band, find_band_bins, make_cosines

# Share of the band that smoothing averages over. Raw powers of coupled series rise and fall together and
# would pass for a shared spectrum (2 / n_averaged too much at r = 1); wide averages flatten steep spectra.
_SMOOTHING_SHARE = 0.15


def compute_power(cleaned: np.ndarray, sample_mask: np.ndarray, t_r: float, band: Band) -> np.ndarray:
    """Return the smoothed power of each series in each in-band DCT-II bin.

    Parameters
    ----------
    cleaned : array (n_retained, n_rois)
        Cleaned series.
    sample_mask : bool array (n_volumes,)
        True = retained; the cosines are those of the full run, at the retained volumes.
    t_r : float
        Repetition time, s.
    band : (float or None, float or None)
        High-pass and low-pass, Hz.

    Returns
    -------
    float64 array (n_bins, n_rois)
        Squared coefficients, averaged over 15 % of the band.
    """
    n_volumes = len(sample_mask)
    bins = np.flatnonzero(find_band_bins(n_volumes, t_r, band)) + 1
    coefficients = make_cosines(n_volumes, bins)[sample_mask].T @ cleaned
    return smooth_power(coefficients**2)


def smooth_power(power: np.ndarray) -> np.ndarray:
    """Average each bin with its neighbours; the band is mirrored at its ends."""
    n_bins = len(power)
    half = max(1, round(_SMOOTHING_SHARE * n_bins / 2))
    if n_bins <= half:
        return np.broadcast_to(power.mean(axis=0), power.shape).copy() if n_bins else power
    mirrored = np.concatenate([power[half - 1 :: -1], power, power[: -half - 1 : -1]])
    sums = np.cumsum(np.concatenate([np.zeros((1, power.shape[1])), mirrored]), axis=0)
    width = 2 * half + 1
    return np.asarray((sums[width:] - sums[:-width]) / width)


def compute_variance_ratio(power: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return [sum(Sx) sum(Sy) / sum(Sx Sy)] / K for each pair of series; 1 for white spectra.

    Parameters
    ----------
    power : array (n_bins, n_rois)
        Smoothed power.
    first, second : int array (n_edges,)
        Positions of the two series.

    Examples
    --------
    >>> flat, low = [1.0, 1.0], [3.0, 1.0]
    >>> compute_variance_ratio(np.array([flat, low]).T, np.array([0, 1]), np.array([1, 1])).tolist()
    [1.0, 0.8]
    """
    x, y = power[:, first], power[:, second]
    shared = (x * y).sum(axis=0)
    usable = shared > 0
    ratio = x.sum(axis=0) * y.sum(axis=0) / np.where(usable, shared, 1.0) / len(power)
    return np.where(usable, ratio, np.nan)
