"""Denoising as one projection: confounds, drifts and frequencies outside the band leave together.

Filtering first and regressing then (or the reverse) puts back what the first step took out; one projection
cannot. Lindquist et al. 2019, doi:10.1002/hbm.24528.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsconn.errors import RunError

# What is left of a series counts as nothing below this share of its size.
_NOTHING_LEFT = 1e-9


@dataclass(frozen=True, eq=False)
class NuisanceDesign:
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


@dataclass(frozen=True, eq=False)
class Projector:
    """The projection of one design on the retained volumes, for any series of the run.

    Attributes
    ----------
    basis : array (n_retained, rank or dof)
        Orthonormal basis of what leaves, or of what stays: whichever is smaller.
    stays : bool
        Which of the two it is.
    sample_mask : bool array (n_volumes,)
        True = retained.
    """

    basis: np.ndarray
    stays: bool
    sample_mask: np.ndarray

    @property
    def dof(self) -> int:
        """Degrees of freedom that stay."""
        n_columns = int(self.basis.shape[1])
        return n_columns if self.stays else len(self.basis) - n_columns

    def clean(self, timeseries: np.ndarray) -> Projection:
        """Return what stays of series (n_volumes, n_rois)."""
        kept = timeseries[self.sample_mask]
        if self.stays:
            # the mean leaves first: a series is far from zero, which costs digits
            cleaned = self.basis @ (self.basis.T @ (kept - kept.mean(axis=0)))
        else:
            cleaned = kept - self.basis @ (self.basis.T @ kept)
            # once more: rounding errors have the size of the mean
            cleaned -= self.basis @ (self.basis.T @ cleaned)
        # in the order that a file would give, so that sums over it have the same digits
        cleaned = np.ascontiguousarray(drop_explained(cleaned, kept))
        return Projection(cleaned, len(kept) - self.dof, self.dof)


def project_out(timeseries: np.ndarray, design: NuisanceDesign, sample_mask: np.ndarray) -> Projection:
    """Return what the design does not explain of the series, on the retained volumes.

    cleaned = y - Q Q'y = P P'y, Q an orthonormal basis of the design's retained rows, P one of its complement;
    whichever is smaller is made. Censored volumes are dropped rows.

    Parameters
    ----------
    timeseries : array (n_volumes, n_rois)
        Series; a column with NaN stays NaN.
    design : NuisanceDesign
        Confounds and band.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Raises
    ------
    RunError
        If no volume is retained.

    Examples
    --------
    >>> design = NuisanceDesign(3, 2.0, (None, None), np.array([[1.0], [0.0], [0.0]]))
    >>> result = project_out(np.array([[1.0], [2.0], [4.0]]), design, np.ones(3, dtype=bool))
    >>> result.rank, result.dof
    (3, 0)
    """
    return make_projector(design, sample_mask).clean(timeseries)


def make_projector(
    design: NuisanceDesign, sample_mask: np.ndarray, *, band_complement: np.ndarray | None = None
) -> Projector:
    """Prepare the projection of a design.

    Parameters
    ----------
    design, sample_mask
        As for `project_out`.
    band_complement : array (n_retained, n_band), optional
        `make_band_complement` of the same run, band and sample mask, which designs with other confounds share.

    Raises
    ------
    RunError
        If no volume is retained.
    """
    if not sample_mask.any():
        raise RunError(f"0 of {len(sample_mask)} volumes retained (censoring)")
    if not design.is_narrow:
        return Projector(make_basis(design.matrix[sample_mask]), stays=False, sample_mask=sample_mask)
    if band_complement is None:
        band_complement = make_band_complement(design.n_volumes, design.t_r, design.band, sample_mask)
    left = leave_confounds(band_complement, design.regressors[sample_mask])
    return Projector(left, stays=True, sample_mask=sample_mask)


def drop_explained(cleaned: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return cleaned series, NaN where nothing but rounding errors is left of the series that were kept.

    Parameters
    ----------
    cleaned, kept : array (n_retained, n_rois)
        Series after and before cleaning, on the retained volumes.
    """
    gone = np.linalg.norm(cleaned, axis=0) <= _NOTHING_LEFT * np.linalg.norm(kept, axis=0)
    return np.where(gone, np.nan, cleaned)


def count_dof(design: NuisanceDesign, sample_mask: np.ndarray) -> int:
    """Return the degrees of freedom that a design will leave, without any series.

    Parameters
    ----------
    design : NuisanceDesign
        Confounds and band.
    sample_mask : bool array (n_volumes,)
        True = retained.

    Examples
    --------
    >>> count_dof(NuisanceDesign(5, 2.0, (None, None), np.empty((5, 0))), np.array([True, True, True, False, True]))
    2
    """
    n_retained = int(sample_mask.sum())
    if not n_retained:
        return 0
    if design.is_narrow:
        return int(design.make_complement(sample_mask).shape[1])
    return n_retained - int(make_basis(design.matrix[sample_mask]).shape[1])


# What is left of a confound counts as nothing below this share of its size: it lies outside the band.
_NOTHING_LEFT_OF_BASIS = 1e-9


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
    left = np.linalg.norm(projected, axis=0) > _NOTHING_LEFT_OF_BASIS * lengths
    return complete_basis(make_basis(projected[:, left]))


def complete_basis(basis: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the complement of orthonormal columns."""
    whole = np.linalg.qr(basis, mode="complete")[0]
    return np.asarray(whole[:, basis.shape[1] :])


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
