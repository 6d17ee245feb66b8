"""Framewise displacement, and which volumes a run keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsconn.errors import RunError

_NONSTEADY_PREFIX = "non_steady_state_outlier"


def get_column(names: Sequence[str], values: np.ndarray, name: str) -> np.ndarray | None:
    """Return one column (n_volumes,) of a confounds table, or None if it is absent.

    ``framewise_displacement`` is in mm, ``std_dvars`` has no unit; both lack a first value.
    """
    return values[:, list(names).index(name)] if name in names else None


def count_nonsteady(names: Sequence[str], values: np.ndarray) -> int:
    """Count the volumes at the start that fMRIPrep found before the steady state.

    Parameters
    ----------
    names : sequence of str
        Columns of the confounds file; ``non_steady_state_outlierNN`` holds a 1 at one volume each.
    values : array (n_volumes, n_columns)
        Their values.

    Raises
    ------
    RunError
        If the columns flag anything but the first volumes.

    Examples
    --------
    >>> count_nonsteady(["non_steady_state_outlier00", "csf"], np.array([[1, 5.0], [0, 6.0]]))
    1
    """
    columns = [index for index, name in enumerate(names) if name.startswith(_NONSTEADY_PREFIX)]
    flagged = np.flatnonzero(np.nan_to_num(values[:, columns]).any(axis=1))
    if not np.array_equal(flagged, np.arange(len(flagged))):
        raise RunError(
            f"confounds: {_NONSTEADY_PREFIX} columns flag volume {int(flagged[-1])} (counted from 0); "
            "only volumes at the start can be before the steady state"
        )
    return len(flagged)


def make_sample_mask(
    fd: np.ndarray | None,
    std_dvars: np.ndarray | None,
    *,
    fd_threshold_mm: float | None,
    dvars_threshold: float | None = None,
    n_nonsteady: int = 0,
    n_volumes: int | None = None,
) -> np.ndarray:
    """Say which volumes are retained: steady state, and neither FD nor DVARS above its threshold.

    Parameters
    ----------
    fd : array (n_volumes,) or None
        Framewise displacement, mm. A first value of NaN counts as retained.
    std_dvars : array (n_volumes,) or None
        Standardised DVARS.
    fd_threshold_mm, dvars_threshold : float or None
        A volume is left out above it, not at it; None means no censoring.
    n_nonsteady : int
        Volumes at the start that are always left out.
    n_volumes : int or None
        Needed where neither fd nor std_dvars is given.

    Returns
    -------
    bool array (n_volumes,)
        True = retained.

    Raises
    ------
    RunError
        If a threshold is set and its column is absent or has gaps below the first row.

    Examples
    --------
    >>> make_sample_mask(np.array([np.nan, 0.1, 0.6]), None, fd_threshold_mm=0.5)
    array([ True,  True, False])
    """
    given = next((column for column in (fd, std_dvars) if column is not None), None)
    length = len(given) if given is not None else n_volumes
    if length is None:
        raise ValueError("without fd and std_dvars, n_volumes is needed")
    retained = np.arange(length) >= n_nonsteady
    retained &= ~_find_above(
        fd, fd_threshold_mm, "framewise_displacement", "censoring.fd_threshold_mm", length
    )
    retained &= ~_find_above(std_dvars, dvars_threshold, "std_dvars", "censoring.dvars_threshold", length)
    return np.asarray(retained)


def _find_above(
    column: np.ndarray | None, threshold: float | None, name: str, option: str, length: int
) -> np.ndarray:
    if threshold is None:
        return np.zeros(length, dtype=bool)
    if column is None:
        raise RunError(f"confounds: no column {name}; it is needed to censor, or set {option}: null")
    gaps = int(np.isnan(column[1:]).sum())
    if gaps:
        raise RunError(f"confounds: {name} is n/a in {gaps} volumes after the first; set {option}: null")
    return np.asarray(np.nan_to_num(column) > threshold)


def compute_mean_fd(fd: np.ndarray, n_nonsteady: int) -> float:
    """Return the mean of finite FD (mm) over steady-state volumes, before censoring; NaN if there is none.

    Examples
    --------
    >>> float(compute_mean_fd(np.array([np.nan, 9.0, 0.1, 0.3]), n_nonsteady=2))
    0.2
    """
    steady = fd[n_nonsteady:]
    finite = steady[np.isfinite(steady)]
    return float(finite.mean()) if len(finite) else float("nan")


def compute_max_fd(fd: np.ndarray, n_nonsteady: int) -> float:
    """Return the largest finite FD (mm) over steady-state volumes; NaN if there is none."""
    steady = fd[n_nonsteady:]
    finite = steady[np.isfinite(steady)]
    return float(finite.max()) if len(finite) else float("nan")
