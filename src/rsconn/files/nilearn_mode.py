"""Denoising as nilearn does it, for comparison: `nilearn.signal.clean` with its Butterworth filter.

It lives among the files because the numerics never import nilearn; so does nothing else here until it is
called.
"""

from __future__ import annotations

import numpy as np

from rsconn.errors import RunError
from rsconn.signal.projection import NuisanceDesign, Projection, drop_explained


def clean_like_nilearn(
    timeseries: np.ndarray,
    design: NuisanceDesign,
    sample_mask: np.ndarray,
) -> Projection:
    """Return what nilearn's ``signal.clean`` leaves of the series, on the retained volumes.

    Censored volumes are interpolated with a cubic spline, series and confounds are detrended and filtered,
    the volumes are left out, and the confounds are regressed out. Volumes censored at either end of the run
    leave before filtering.

    Parameters
    ----------
    timeseries : array (n_volumes, n_rois)
        Series; a column with NaN stays NaN.
    design : NuisanceDesign
        Confounds, repetition time and band; drifts leave as nilearn has it.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Returns
    -------
    Projection
        A filter has no rank. ``dof`` is that of the whole operation M on white noise, trace(C)^2 / trace(C^2)
        with C = MM' after taking off the mean, rounded; for a projection this is its rank. ``rank`` is
        n_retained - dof.

    Raises
    ------
    RunError
        If too few volumes are retained for the filter.

    Notes
    -----
    The interpolation is done here. nilearn 0.14.1 indexes with ``~sample_mask`` where the mask holds
    positions, so a volume i keeps its censored value if volume n - 1 - i is censored too, and the filter
    spreads it; the result is equal wherever that does not happen.

    References
    ----------
    Lindquist et al. 2019, doi:10.1002/hbm.24528.
    """
    kept = np.flatnonzero(sample_mask)
    if len(kept) < 2:
        raise RunError(f"{len(kept)} of {len(sample_mask)} volumes retained (censoring)")
    span = slice(kept[0], kept[-1] + 1)
    inside, regressors = sample_mask[span], design.regressors[span]
    usable = np.isfinite(timeseries[sample_mask]).all(axis=0)
    cleaned = np.full((len(kept), timeseries.shape[1]), np.nan)
    cleaned[:, usable] = _clean(timeseries[span][:, usable], regressors, inside, design.t_r, design.band)
    dof = _compute_dof(_clean(np.eye(len(inside)), regressors, inside, design.t_r, design.band))
    return Projection(drop_explained(cleaned, timeseries[sample_mask]), len(kept) - dof, dof)


def _clean(
    series: np.ndarray,
    confounds: np.ndarray,
    sample_mask: np.ndarray,
    t_r: float,
    band: tuple[float | None, float | None],
) -> np.ndarray:
    from nilearn.signal import clean

    high_pass, low_pass = band
    try:
        cleaned = clean(
            _interpolate(series, sample_mask),
            confounds=_interpolate(confounds, sample_mask) if confounds.shape[1] else None,
            sample_mask=np.flatnonzero(sample_mask),
            detrend=True,
            standardize=None,
            filter="butterworth" if high_pass or low_pass else False,
            high_pass=high_pass,
            low_pass=low_pass,
            t_r=t_r,
        )
    except ValueError as error:
        if "padlen" not in str(error):
            raise
        raise RunError(f"{len(sample_mask)} volumes are too few for nilearn's Butterworth filter") from None
    return np.asarray(cleaned)


def _interpolate(values: np.ndarray, sample_mask: np.ndarray) -> np.ndarray:
    from scipy.interpolate import CubicSpline

    if sample_mask.all() or not values.shape[1]:
        return values.copy()
    positions = np.arange(len(values))
    filled = values.copy()
    spline = CubicSpline(positions[sample_mask], values[sample_mask])
    filled[~sample_mask] = spline(positions[~sample_mask])
    return filled


def _compute_dof(operation: np.ndarray) -> int:
    centred = operation - operation.mean(axis=0)
    covariance = centred @ centred.T
    spread = np.sum(covariance**2)
    return round(float(np.trace(covariance) ** 2 / spread)) if spread > 0 else 0
