"""Which runs and which of their ROIs count: the thresholds, applied in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeGuard

import numpy as np

from rsconn.analysis.specification import Usability
from rsconn.arrays import FloatArray


class Threshold(Enum):
    """A threshold that a run must meet; the value is the option that sets it."""

    MINUTES = "censoring.min_retained_minutes"
    DOF = "censoring.min_degrees_of_freedom"
    MEAN_FD = "quality.max_mean_fd_mm"


@dataclass(frozen=True)
class RunQuality:
    """What a run has that thresholds apply to; None is unknown (series denoised elsewhere).

    Attributes
    ----------
    n_volumes, n_retained : int or None
        Volumes of the run, and those left after non-steady state and censoring.
    t_r : float or None
        Repetition time, s.
    minutes_retained : float or None
        Time of the retained volumes, minutes.
    mean_fd, max_fd, mean_dvars : float or None
        Over steady-state volumes before censoring, mm (DVARS: unit of the file).
    rank, dof : int or None
        Rank of what left the series, and degrees of freedom that stay.
    """

    n_volumes: int | None = None
    n_retained: int | None = None
    t_r: float | None = None
    minutes_retained: float | None = None
    mean_fd: float | None = None
    max_fd: float | None = None
    mean_dvars: float | None = None
    rank: int | None = None
    dof: int | None = None


@dataclass(frozen=True)
class Judgement:
    """One threshold applied to one run.

    Attributes
    ----------
    threshold : Threshold
        Which.
    value, limit : float
        What the run has and what the threshold is, in minutes, degrees of freedom or mm.
    met : bool
        Whether the run passes; at the threshold it does.
    """

    threshold: Threshold
    value: float
    limit: float
    met: bool


def judge_quality(quality: RunQuality, usability: Usability) -> tuple[Judgement, ...]:
    """Apply the thresholds to what is known of a run.

    Examples
    --------
    >>> rows = judge_quality(RunQuality(minutes_retained=1.4, dof=20), Usability(4.0, 15, 0.5))
    >>> [(row.threshold.name, row.met) for row in rows]
    [('MINUTES', False), ('DOF', True)]
    """
    minutes, dof, mean_fd = quality.minutes_retained, quality.dof, quality.mean_fd
    least, needed, most = (
        usability.min_retained_minutes,
        usability.min_degrees_of_freedom,
        usability.max_mean_fd_mm,
    )
    rows = []
    if _is_known(minutes):
        rows.append(Judgement(Threshold.MINUTES, minutes, least, minutes >= least))
    if _is_known(dof):
        rows.append(Judgement(Threshold.DOF, dof, needed, dof >= needed))
    if _is_known(mean_fd) and most is not None:
        rows.append(Judgement(Threshold.MEAN_FD, mean_fd, most, mean_fd <= most))
    return tuple(rows)


def is_usable(judgements: Sequence[Judgement]) -> bool:
    """Say whether a run meets every threshold that could be applied to it."""
    return all(judgement.met for judgement in judgements)


def find_uncovered(coverage: FloatArray, min_coverage: float) -> np.ndarray:
    """Return which ROIs have too little signal, bool (n_rois,); an unknown coverage (NaN) is no obstacle.

    Parameters
    ----------
    coverage : array (n_rois,)
        Share of each ROI's weight inside the brain mask with signal, 0 to 1.
    min_coverage : float
        A ROI at it is covered.

    Examples
    --------
    >>> find_uncovered(np.array([0.5, 0.49, np.nan]), 0.5).tolist()
    [False, True, False]
    """
    return np.asarray(coverage, dtype=float) < min_coverage


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)
