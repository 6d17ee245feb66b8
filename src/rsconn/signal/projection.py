"""Denoising as one projection: confounds, drifts and frequencies outside the band leave together.

Filtering first and regressing then (or the reverse) puts back what the first step took out; one projection
cannot. Lindquist et al. 2019, doi:10.1002/hbm.24528.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsconn.errors import RunError

Band = tuple[float | None, float | None]
# What is left of a series counts as nothing below this share of its size.
_NOTHING_LEFT = 1e-9


@dataclass(frozen=True)
class Projection:
    """Cleaned series and what cleaning cost.

    Attributes
    ----------
    cleaned : float64 array (n_retained, n_rois)
        Residuals on the retained volumes, in the unit of the series. A series that is missing, constant, or
        explained by the design to the last digit is NaN.
    rank : int
        Rank of the design on the retained volumes.
    dof : int
        n_retained - rank.
    """

    cleaned: np.ndarray
    rank: int
    dof: int


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


def make_design(n_volumes: int, t_r: float, band: Band, regressors: np.ndarray) -> np.ndarray:
    """Return the design of one run on its full time grid.

    Parameters
    ----------
    n_volumes : int
        Length of the run, censored volumes included.
    t_r : float
        Repetition time, s.
    band : (float or None, float or None)
        High-pass and low-pass, Hz.
    regressors : array (n_volumes, n_regressors)
        Confounds; may have no column.

    Returns
    -------
    float64 array (n_volumes, 2 + n_regressors + n_outside)
        Constant, linear trend, confounds, cosines outside the band.

    Raises
    ------
    RunError
        If the confounds have another number of rows.
    """
    if len(regressors) != n_volumes:
        raise RunError(
            f"confounds have {len(regressors)} rows, the image has {n_volumes} volumes; they must be equal"
        )
    trend = np.linspace(-1, 1, n_volumes)
    outside = make_band_regressors(n_volumes, t_r, *band)
    return np.column_stack([np.ones(n_volumes), trend, regressors, outside])


def project_out(timeseries: np.ndarray, design: np.ndarray, sample_mask: np.ndarray) -> Projection:
    """Return what the design does not explain of the series, on the retained volumes.

    cleaned = y - Q Q'y, Q an orthonormal basis of the design's retained rows. Censored volumes are dropped
    rows.

    Parameters
    ----------
    timeseries : array (n_volumes, n_rois)
        Series; a column with NaN stays NaN.
    design : array (n_volumes, n_columns)
        See `make_design`.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Raises
    ------
    RunError
        If no volume is retained.

    Examples
    --------
    >>> result = project_out(np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)), np.ones(3, dtype=bool))
    >>> result.rank, result.dof, result.cleaned.ravel().round(3).tolist()
    (1, 2, [-1.333, -0.333, 1.667])
    """
    n_retained = int(sample_mask.sum())
    if not n_retained:
        raise RunError(f"0 of {len(sample_mask)} volumes retained (censoring)")
    basis = make_basis(design[sample_mask])
    kept = timeseries[sample_mask]
    cleaned = kept - basis @ (basis.T @ kept)
    # once more: a series is far from zero, and its mean leaves rounding errors of its own size
    cleaned -= basis @ (basis.T @ cleaned)
    rank = basis.shape[1]
    return Projection(drop_explained(cleaned, kept), rank, n_retained - rank)


def drop_explained(cleaned: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return cleaned series, NaN where nothing but rounding errors is left of the series that were kept.

    Parameters
    ----------
    cleaned, kept : array (n_retained, n_rois)
        Series after and before cleaning, on the retained volumes.
    """
    gone = np.linalg.norm(cleaned, axis=0) <= _NOTHING_LEFT * np.linalg.norm(kept, axis=0)
    return np.where(gone, np.nan, cleaned)


def count_dof(design: np.ndarray, sample_mask: np.ndarray) -> int:
    """Return the degrees of freedom that a design will leave, without any series.

    Parameters
    ----------
    design : array (n_volumes, n_columns)
        See `make_design`.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Examples
    --------
    >>> count_dof(np.ones((5, 2)), np.array([True, True, True, False, True]))
    3
    """
    rank: int = make_basis(design[sample_mask]).shape[1]
    return int(sample_mask.sum()) - rank


def make_basis(design: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (n_rows, rank) of a design's columns.

    Columns are scaled to length 1 first, since squared signals and radians differ by ten orders of magnitude;
    then directions below the precision of numbers count as none (singular value <= max(shape) x eps x
    largest).
    """
    lengths = np.linalg.norm(design, axis=0)
    scaled = design[:, lengths > 0] / lengths[lengths > 0]
    left, singular, _ = np.linalg.svd(scaled, full_matrices=False)
    if not len(singular):
        return left
    tolerance = singular[0] * max(scaled.shape) * np.finfo(float).eps
    return np.asarray(left[:, singular > tolerance])
