"""Bases of what a design spans, and of what it leaves.

With a band-pass most of a run's dimensions are regressors outside the band. What they leave is small, and known:
the cosines of the band. So nothing of the size of the time grid squared has to be made or decomposed.
"""

from __future__ import annotations

import numpy as np

from rsconn.signal.bands import Band, find_band_bins, make_band_regressors, make_cosines

# What is left of a confound counts as nothing below this share of its size: it lies outside the band.
_NOTHING_LEFT = 1e-9


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


def make_band_design(n_volumes: int, t_r: float, band: Band) -> np.ndarray:
    """Return constant, linear trend and the cosines outside the band, (n_volumes, 2 + n_outside)."""
    trend = np.linspace(-1, 1, n_volumes)
    outside = make_band_regressors(n_volumes, t_r, *band)
    return np.column_stack([np.ones(n_volumes), trend, outside])


def is_narrow(n_volumes: int, t_r: float, band: Band) -> bool:
    """Tell whether the band is at most half of the frequencies, so that its own cosines are the smaller basis."""
    return bool(2 * find_band_bins(n_volumes, t_r, band).sum() <= n_volumes)


def make_band_complement(n_volumes: int, t_r: float, band: Band, sample_mask: np.ndarray) -> np.ndarray:
    """Return B: an orthonormal basis of what constant, trend and frequencies outside the band leave.

    Parameters
    ----------
    n_volumes : int
        Length of the run.
    t_r : float
        Repetition time, s.
    band : (float or None, float or None)
        High-pass and low-pass, Hz.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Returns
    -------
    float64 array (n_retained, n_band)

    Examples
    --------
    >>> make_band_complement(300, 2.0, (0.01, 0.08), np.ones(300, bool)).shape
    (300, 83)
    """
    if not is_narrow(n_volumes, t_r, band):
        return complete_basis(make_basis(make_band_design(n_volumes, t_r, band)[sample_mask]))
    bins = np.flatnonzero(find_band_bins(n_volumes, t_r, band)) + 1
    return _combine_cosines(make_cosines(n_volumes, bins), sample_mask)


def _combine_cosines(cosines: np.ndarray, sample_mask: np.ndarray) -> np.ndarray:
    """Return the combinations of the band's cosines that vanish in censored volumes, without the trend.

    On the whole time grid the cosines are orthonormal and orthogonal to all that leaves but the trend. A
    series that also vanishes where volumes are censored stays orthogonal to it on the others.
    """
    _, singular, right = np.linalg.svd(cosines[~sample_mask], full_matrices=True)
    # the same singular values as those below 1 of the design's retained rows, cut at the same size
    tolerance = len(sample_mask) * np.finfo(float).eps
    kept = cosines[sample_mask] @ right[np.count_nonzero(singular > tolerance) :].T
    trend = np.linspace(-1, 1, len(sample_mask))[sample_mask, None]
    return leave_confounds(kept, trend)


def leave_confounds(basis: np.ndarray, confounds: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what confounds leave of a space, in coordinates of the time grid.

    Parameters
    ----------
    basis : array (n_retained, n_band)
        Orthonormal columns, orthogonal to constants.
    confounds : array (n_retained, n_confounds)
        Confounds on the retained volumes; may have no column.

    Returns
    -------
    float64 array (n_retained, dof)
    """
    return np.asarray(basis @ find_remainder(basis, confounds))


def find_remainder(basis: np.ndarray, confounds: np.ndarray) -> np.ndarray:
    """Return what confounds leave of a space, in coordinates of its basis, (n_band, dof).

    Confounds that lie outside the space and leave only rounding errors there take nothing.
    """
    lengths = np.linalg.norm(confounds, axis=0)
    projected = basis.T @ (confounds - confounds.mean(axis=0)) if len(confounds) else basis.T @ confounds
    left = np.linalg.norm(projected, axis=0) > _NOTHING_LEFT * lengths
    return complete_basis(make_basis(projected[:, left]))


def complete_basis(basis: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the complement of orthonormal columns."""
    whole = np.linalg.qr(basis, mode="complete")[0]
    return np.asarray(whole[:, basis.shape[1] :])
