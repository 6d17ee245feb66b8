"""Denoising as one projection: confounds, drifts and frequencies outside the band leave together.

Filtering first and regressing then (or the reverse) puts back what the first step took out; one projection
cannot. Lindquist et al. 2019, doi:10.1002/hbm.24528.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsconn.errors import RunError
from rsconn.signal.bands import Band
from rsconn.signal.complement import (
    is_narrow,
    leave_confounds,
    make_band_complement,
    make_band_design,
    make_basis,
)

# What is left of a series counts as nothing below this share of its size.
_NOTHING_LEFT = 1e-9


@dataclass(frozen=True, eq=False)
class Design:
    """What is to leave the series of one run, on its full time grid.

    Attributes
    ----------
    n_volumes : int
        Length of the run, censored volumes included.
    t_r : float
        Repetition time, s.
    band : (float or None, float or None)
        High-pass and low-pass, Hz.
    regressors : array (n_volumes, n_regressors)
        Confounds; may have no column.

    Raises
    ------
    RunError
        If the confounds have another number of rows.
    """

    n_volumes: int
    t_r: float
    band: Band
    regressors: np.ndarray

    def __post_init__(self) -> None:
        """Compare the lengths."""
        if len(self.regressors) != self.n_volumes:
            raise RunError(
                f"confounds have {len(self.regressors)} rows, the image has {self.n_volumes} volumes; "
                "they must be equal"
            )

    @property
    def matrix(self) -> np.ndarray:
        """Constant, linear trend, cosines outside the band, confounds: (n_volumes, 2 + n_outside + n_regressors)."""
        return np.column_stack([make_band_design(self.n_volumes, self.t_r, self.band), self.regressors])

    @property
    def is_narrow(self) -> bool:
        """Whether less is left than leaves, so that the complement is the smaller basis."""
        return is_narrow(self.n_volumes, self.t_r, self.band)

    def make_complement(self, sample_mask: np.ndarray) -> np.ndarray:
        """Return an orthonormal basis of what is left on the retained volumes, (n_retained, dof)."""
        basis = make_band_complement(self.n_volumes, self.t_r, self.band, sample_mask)
        return leave_confounds(basis, self.regressors[sample_mask])


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


def project_out(timeseries: np.ndarray, design: Design, sample_mask: np.ndarray) -> Projection:
    """Return what the design does not explain of the series, on the retained volumes.

    cleaned = y - Q Q'y = P P'y, Q an orthonormal basis of the design's retained rows, P one of its complement;
    whichever is smaller is made. Censored volumes are dropped rows.

    Parameters
    ----------
    timeseries : array (n_volumes, n_rois)
        Series; a column with NaN stays NaN.
    design : Design
        Confounds and band.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Raises
    ------
    RunError
        If no volume is retained.

    Examples
    --------
    >>> design = Design(3, 2.0, (None, None), np.array([[1.0], [0.0], [0.0]]))
    >>> result = project_out(np.array([[1.0], [2.0], [4.0]]), design, np.ones(3, dtype=bool))
    >>> result.rank, result.dof
    (3, 0)
    """
    n_retained = int(sample_mask.sum())
    if not n_retained:
        raise RunError(f"0 of {len(sample_mask)} volumes retained (censoring)")
    kept = timeseries[sample_mask]
    if design.is_narrow:
        left = design.make_complement(sample_mask)
        # the mean leaves first: a series is far from zero, which costs digits
        cleaned = left @ (left.T @ (kept - kept.mean(axis=0)))
        rank = n_retained - left.shape[1]
    else:
        basis = make_basis(design.matrix[sample_mask])
        cleaned = kept - basis @ (basis.T @ kept)
        # once more: rounding errors have the size of the mean
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


def count_dof(design: Design, sample_mask: np.ndarray) -> int:
    """Return the degrees of freedom that a design will leave, without any series.

    Parameters
    ----------
    design : Design
        Confounds and band.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Examples
    --------
    >>> count_dof(Design(5, 2.0, (None, None), np.empty((5, 0))), np.array([True, True, True, False, True]))
    2
    """
    n_retained = int(sample_mask.sum())
    if not n_retained:
        return 0
    if design.is_narrow:
        return int(design.make_complement(sample_mask).shape[1])
    return n_retained - int(make_basis(design.matrix[sample_mask]).shape[1])
