"""Correlations of cleaned series, their sampling variance, and runs combined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsconn.signal.projection import Band, find_band_bins, make_cosines


@dataclass(frozen=True)
class Edges:
    """Edges of one run; all arrays (n_edges,), NaN where a series is missing.

    Attributes
    ----------
    r : float64 array
        Pearson (or partial) correlation.
    z : float64 array
        Fisher z, arctanh(r).
    z_variance : float64 array
        1 / (dof - 2), as if volumes within the band were independent; NaN if dof is unknown or <= 2.
    z_variance_ac : float64 array
        The same with dof for autocorrelated series; see `compute_edges`.
    """

    r: np.ndarray
    z: np.ndarray
    z_variance: np.ndarray
    z_variance_ac: np.ndarray


@dataclass(frozen=True)
class CombinedRuns:
    """Edges of several runs as one; all arrays (n_edges,), NaN where no run has the edge.

    Attributes
    ----------
    r : float64 array
        tanh(z).
    z : float64 array
        Weighted mean.
    between_run_sd : float64 array
        Sample SD of the runs' z; NaN for fewer than two.
    n_runs : int array
        Runs that have the edge.
    weight : float64 array
        Sum of the weights used.
    """

    r: np.ndarray
    z: np.ndarray
    between_run_sd: np.ndarray
    n_runs: np.ndarray
    weight: np.ndarray


def compute_relmat(cleaned: np.ndarray) -> np.ndarray:
    """Return plain Pearson correlations; no shrinkage.

    r_ij = x_i'x_j / (|x_i| |x_j|) after taking off the means.

    Parameters
    ----------
    cleaned : array (n_retained, n_rois)
        Cleaned series; a column with any NaN, or constant, has NaN correlations.

    Returns
    -------
    float64 array (n_rois, n_rois)
        Symmetric, 1 on the diagonal.

    Examples
    --------
    >>> compute_relmat(np.array([[1.0, 2.0, 5.0], [2.0, 1.0, 5.0], [3.0, 3.0, 5.0]])).round(2)
    array([[1. , 0.5, nan],
           [0.5, 1. , nan],
           [nan, nan, nan]])
    """
    centred = cleaned - cleaned.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    # a constant column has rounding errors for residuals
    usable = lengths > 1e-12 * np.linalg.norm(cleaned, axis=0)
    relmat = np.full((cleaned.shape[1],) * 2, np.nan)
    scaled = centred[:, usable] / lengths[usable]
    correlations = np.clip(scaled.T @ scaled, -1.0, 1.0)
    np.fill_diagonal(correlations, 1.0)
    relmat[np.ix_(usable, usable)] = (correlations + correlations.T) / 2
    return relmat


def compute_partial_relmat(cleaned: np.ndarray) -> np.ndarray:
    """Return the correlation of each pair given all other ROIs of the set.

    r_ij = -P_ij / sqrt(P_ii P_jj) with P the inverse of the correlation matrix of the ROIs that have a
    series.

    Parameters
    ----------
    cleaned : array (n_retained, n_rois)
        Cleaned series.

    Returns
    -------
    float64 array (n_rois, n_rois)
        NaN for missing ROIs, and throughout where the series are linearly dependent (more ROIs than degrees
        of freedom, or one ROI twice): then no partial correlation exists.
    """
    relmat = compute_relmat(cleaned)
    usable = np.isfinite(np.diag(relmat))
    partial = np.full_like(relmat, np.nan)
    matrix = relmat[np.ix_(usable, usable)]
    if not len(matrix) or np.linalg.matrix_rank(matrix, hermitian=True) < len(matrix):
        return partial
    precision = np.linalg.inv(matrix)
    scale = np.sqrt(np.diag(precision))
    values = np.clip(-precision / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(values, 1.0)
    partial[np.ix_(usable, usable)] = (values + values.T) / 2
    return partial


def compute_z(r: np.ndarray) -> np.ndarray:
    """Return Fisher z = arctanh(r); NaN where |r| is 1 to the last digits: the two series are then one.

    Examples
    --------
    >>> compute_z(np.array([0.5, 1.0])).round(4)
    array([0.5493,    nan])
    """
    r = np.asarray(r, dtype=float)
    inside = np.abs(r) < 1 - 1e-12
    return np.where(inside, np.arctanh(np.where(inside, r, 0.0)), np.nan)


def compute_edges(
    relmat: np.ndarray,
    pairs: np.ndarray,
    *,
    dof: float | None,
    power: np.ndarray | None = None,
    n_conditioned: int = 0,
) -> Edges:
    """Return the edges of one run.

    z_variance = 1 / (dof - 2). z_variance_ac has in place of dof

        dof x [sum(Sx) sum(Sy) / sum(Sx Sy)] / K

    over the K in-band DCT-II bins of the two smoothed power spectra: the variance of the correlation of two
    independent series with these spectra. White spectra give back dof, and so 1 / (dof - 2).

    Parameters
    ----------
    relmat : array (n_rois, n_rois)
        Correlations.
    pairs : int array (n_edges, 2)
        ROI positions of each edge.
    dof : float or None
        Degrees of freedom of the cleaned series; None if unknown (input that was denoised elsewhere).
    power : array (n_bins, n_rois) or None
        Smoothed in-band power (`rsconn.signal.connectivity.compute_power`); None leaves z_variance_ac NaN.
    n_conditioned : int
        ROIs held constant in a partial correlation; each costs a degree of freedom.

    References
    ----------
    Bartlett 1946; Afyouni, Smith & Nichols 2019, doi:10.1016/j.neuroimage.2019.05.011.
    """
    first, second = np.asarray(pairs, dtype=int).reshape(-1, 2).T
    r = relmat[first, second]
    z = compute_z(r)
    known = float("nan") if dof is None else dof - n_conditioned
    ratio = np.full(r.shape, np.nan) if power is None else compute_variance_ratio(power, first, second)
    return Edges(
        r,
        z,
        _invert_dof(np.where(np.isnan(z), np.nan, known)),
        _invert_dof(np.where(np.isnan(z), np.nan, known * ratio)),
    )


def _invert_dof(dof: np.ndarray) -> np.ndarray:
    usable = np.nan_to_num(dof) > 2
    return np.where(usable, 1 / np.where(usable, dof - 2, 1.0), np.nan)


def combine_runs(z: np.ndarray, weights: np.ndarray) -> CombinedRuns:
    """Combine the runs of one session (or person): z = sum(w z) / sum(w) over the runs that have the edge.

    Parameters
    ----------
    z : array (n_runs, n_edges)
        Fisher z; NaN where a run lacks the edge.
    weights : array (n_runs,)
        dof - 2 of each run; n_volumes where dof is unknown. A run with weight <= 0 or NaN has no say.

    Examples
    --------
    >>> combine_runs(np.array([[0.2], [0.5]]), np.array([10.0, 20.0])).z.round(3)
    array([0.4])
    """
    usable = np.isfinite(z) & (np.nan_to_num(weights) > 0)[:, np.newaxis]
    shares = np.where(usable, np.nan_to_num(weights)[:, np.newaxis], 0.0)
    weight, n_runs = shares.sum(axis=0), usable.sum(axis=0)
    total = (shares * np.where(usable, z, 0.0)).sum(axis=0)
    mean = np.where(n_runs > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
    return CombinedRuns(np.tanh(mean), mean, _compute_sd(z, usable, n_runs), n_runs, weight)


def _compute_sd(z: np.ndarray, usable: np.ndarray, n_runs: np.ndarray) -> np.ndarray:
    several = n_runs > 1
    values = np.where(usable, z, 0.0)
    mean = values.sum(axis=0) / np.maximum(n_runs, 1)
    squares = (np.where(usable, values - mean, 0.0) ** 2).sum(axis=0)
    return np.where(several, np.sqrt(squares / np.where(several, n_runs - 1, 1)), np.nan)


def combine_variances(variances: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the variance of a combined z, sum(w^2 v) / sum(w)^2 per edge, over runs that have a variance.

    With v = 1 / w this is 1 / sum(w).

    Parameters
    ----------
    variances : array (n_runs, n_edges)
        Variance of each run's z; NaN where the run lacks the edge.
    weights : array (n_runs,)
        As in `combine_runs`.

    Returns
    -------
    float64 array (n_edges,)
        NaN where no run has the edge.
    """
    usable = np.isfinite(variances) & (np.nan_to_num(weights) > 0)[:, np.newaxis]
    shares = np.where(usable, np.nan_to_num(weights)[:, np.newaxis], 0.0)
    total = shares.sum(axis=0)
    spread = (shares**2 * np.where(usable, variances, 0.0)).sum(axis=0)
    return np.where(total > 0, spread / np.where(total > 0, total, 1.0) ** 2, np.nan)


# Share of the band that smoothing averages over. Raw powers of coupled series rise and fall together and
# would pass for a shared spectrum (2 / n_averaged too much at r = 1); wide averages flatten steep spectra.
_SMOOTHING_SHARE = 0.15


def compute_band_power(cleaned: np.ndarray, sample_mask: np.ndarray, t_r: float, band: Band) -> np.ndarray:
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
