"""Denoise: what confounds, drifts and the band leave of each ROI series, on the retained volumes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.errors import RunError
from rsconn.files.bids import Run
from rsconn.files.confounds import Confounds, read_confounds, read_parcellated
from rsconn.files.run_records import name_output, process_records, read_records, start_records, write_records
from rsconn.files.tables import read_numbers, write_tsv
from rsconn.files.writing import write_json
from rsconn.signal.projection import Design, Projection, project_out
from rsconn.signal.quality import compute_max_fd, compute_mean_fd, count_nonsteady, make_sample_mask
from rsconn.signal.regressors import Regressors, select_confounds


def denoise(
    record: Path, *, before: Sequence[Path], runs: Sequence[dict[str, Any]], settings: Mapping[str, Any]
) -> None:
    """Denoise the ROI series of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    before : sequence of Path
        The extract stage's record; empty if the dataset is parcellated.
    runs : sequence of dict
        The batch, used if there is no record before.
    settings : mapping
        ``set_name``, ``rois`` (without their variants), ``columns`` (ROI to column of a parcellated dataset),
        ``denoised``, ``t_r``, ``denoising``, ``censoring``.
    """

    def process(run: Run, facts: dict[str, Any]) -> dict[str, Any]:
        if settings["denoised"]:
            return _take_denoised(run, settings)
        return _denoise_run(run, facts, settings)

    records = read_records(before) if before else start_records(runs)
    write_records(record, process_records(records, "denoise", process))


@dataclass(frozen=True)
class RunModel:
    """What denoising a run takes, known before its image is read.

    Attributes
    ----------
    regressors : Regressors
        Confounds of the strategy.
    design : Design
        Those confounds and the band.
    sample_mask : bool array (n_volumes,)
        True = retained.
    n_nonsteady : int
        Volumes left out at the start.
    mean_fd, max_fd, mean_dvars : float
        Over steady-state volumes before censoring, mm (DVARS: unit of the file); NaN if the file has none.
    """

    regressors: Regressors
    design: Design
    sample_mask: np.ndarray
    n_nonsteady: int
    mean_fd: float
    max_fd: float
    mean_dvars: float


def make_run_model(confounds: Confounds, t_r: float, settings: Mapping[str, Any]) -> RunModel:
    """Choose confounds and volumes.

    Parameters
    ----------
    confounds : Confounds
        The run's confounds; rows are volumes.
    t_r : float
        Repetition time, s.
    settings : mapping
        ``denoising`` and ``censoring`` sections as plain values.

    Raises
    ------
    RunError
        If a column is missing or has gaps.
    """
    denoising, censoring = settings["denoising"], settings["censoring"]
    names, values = confounds.names, confounds.values
    n_nonsteady = count_nonsteady(names, values)
    fd = confounds.get("framewise_displacement")
    sample_mask = make_sample_mask(
        fd,
        confounds.get("std_dvars"),
        fd_threshold_mm=censoring["fd_threshold_mm"],
        dvars_threshold=censoring["dvars_threshold"],
        n_nonsteady=n_nonsteady,
        n_volumes=len(values),
    )
    regressors = select_confounds(names, values, confounds.metadata, **denoising["terms"])
    band = (denoising["high_pass_hz"], denoising["low_pass_hz"])
    dvars = confounds.get("dvars")
    return RunModel(
        regressors,
        Design(len(values), t_r, band, regressors.values),
        sample_mask,
        n_nonsteady,
        mean_fd=compute_mean_fd(fd, n_nonsteady) if fd is not None else math.nan,
        max_fd=compute_max_fd(fd, n_nonsteady) if fd is not None else math.nan,
        mean_dvars=compute_mean_fd(dvars, n_nonsteady) if dvars is not None else math.nan,
    )


def read_run_confounds(run: Run) -> Confounds:
    """Read a run's confounds.

    Raises
    ------
    RunError
        If the run has none.
    """
    if run.confounds is None:
        raise RunError(f"{run.name}: no confounds file; they are needed to denoise (or input.denoised: true)")
    return read_confounds(run.confounds, run.confounds_json)


def settle_parcellated_t_r(run: Run, t_r: float | None) -> float:
    """Return the repetition time of a parcellated run.

    Raises
    ------
    RunError
        If neither its sidecar nor the config states it.
    """
    settled = t_r or run.t_r
    if settled is None:
        raise RunError(f"{run.name}: no RepetitionTime in its JSON; set input.t_r (seconds)")
    return settled


def _denoise_run(run: Run, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    rois, series = _read_series(run, facts, settings)
    t_r = facts["t_r"] if facts else settle_parcellated_t_r(run, settings["t_r"])
    confounds = read_run_confounds(run)
    if len(confounds.values) != len(series):
        raise RunError(
            f"{run.name}: confounds have {len(confounds.values)} rows, the series {len(series)}; they must be equal"
        )
    model = make_run_model(confounds, t_r, settings)
    if settings["denoising"]["mode"] == "nilearn":
        from rsconn.files.nilearn_mode import clean_like_nilearn

        projection = clean_like_nilearn(
            series, model.regressors.values, model.sample_mask, t_r, settings["denoising"]
        )
    else:
        projection = project_out(series, model.design, model.sample_mask)
    if projection.dof < 1:
        raise RunError(
            f"{run.name}: no degrees of freedom left ({int(model.sample_mask.sum())} volumes retained, "
            f"{projection.rank} taken by confounds and band); remedies: denoising.low_pass_hz: null, a looser "
            "censoring.fd_threshold_mm, a leaner denoising.strategy"
        )
    return _write_denoised(run, rois, projection, model, t_r, settings)


def _read_series(
    run: Run, facts: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[list[str], np.ndarray]:
    if facts:
        names, series = read_numbers(Path(facts["timeseries"]))
        return settings["rois"], series[:, [names.index(roi) for roi in settings["rois"]]]
    if run.timeseries is None:
        raise RunError(f"{run.name}: {'; '.join(run.problems) or 'no series'}")
    columns = settings["columns"]
    return list(columns), read_parcellated(run.timeseries, list(columns.values()))


def _take_denoised(run: Run, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Take series that are denoised already: every row counts, degrees of freedom are unknown."""
    rois, series = _read_series(run, {}, settings)
    if not np.isfinite(series).all(axis=0).any():
        raise RunError(f"{run.name}: no asked-for column of {run.timeseries} is complete")
    mean_fd, max_fd = measure_given_motion(run)
    path = name_output(run, "timeseries", ".tsv", seg=settings["set_name"], desc="denoised")
    write_tsv(path, dict(zip(rois, series.T, strict=True)))
    described = {
        "Description": "Series as given, denoised elsewhere; every row is used.",
        "DegreesOfFreedom": "n/a",
        "Sources": [str(run.timeseries)],
    }
    write_json(path.with_suffix(".json"), described)
    t_r = settings["t_r"] or run.t_r
    quality = {
        "n_volumes": len(series),
        "n_retained": len(series),
        "t_r": t_r,
        "minutes_retained": len(series) * t_r / 60 if t_r else None,
        "mean_fd": mean_fd,
        "max_fd": max_fd,
        "mean_dvars": None,
        "rank": None,
        "dof": None,
        "mean_fd_source": "confounds" if mean_fd is not None else None,
    }
    write_json(name_output(run, "desc-quality", ".json"), {**quality, "denoised": True})
    return {"denoised": str(path), "sample_mask": "1" * len(series), "quality": quality}


def measure_given_motion(run: Run) -> tuple[float | None, float | None]:
    """Return the mean and largest framewise displacement (mm) of a run that came denoised; None if unknown."""
    if run.confounds is None:
        return None, None
    fd = read_confounds(run.confounds, run.confounds_json).get("framewise_displacement")
    if fd is None:
        return None, None
    return _to_json(compute_mean_fd(fd, 0)), _to_json(compute_max_fd(fd, 0))


def _to_json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _write_denoised(
    run: Run,
    rois: Sequence[str],
    projection: Projection,
    model: RunModel,
    t_r: float,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    n_retained = int(model.sample_mask.sum())
    path = name_output(run, "timeseries", ".tsv", seg=settings["set_name"], desc="denoised")
    write_tsv(path, dict(zip(rois, projection.cleaned.T, strict=True)))
    denoising = settings["denoising"]
    described = {
        "Description": "Residuals after confounds, drift and frequencies outside the band; retained volumes only.",
        "Mode": denoising["mode"],
        "Strategy": denoising["strategy"]["name"],
        "ConfoundRegressors": list(model.regressors.names),
        "Notes": list(model.regressors.notes),
        "HighpassCutoff": denoising["high_pass_hz"] or "n/a",
        "LowpassCutoff": denoising["low_pass_hz"] or "n/a",
        "RepetitionTime": t_r,
        "SampleMask": model.sample_mask.astype(int).tolist(),
        "NonSteadyStateVolumes": model.n_nonsteady,
        "Rank": projection.rank,
        "DegreesOfFreedom": projection.dof,
    }
    write_json(path.with_suffix(".json"), described)
    quality = {
        "n_volumes": len(model.sample_mask),
        "n_retained": n_retained,
        "t_r": t_r,
        "minutes_retained": n_retained * t_r / 60,
        "mean_fd": _to_json(model.mean_fd),
        "max_fd": _to_json(model.max_fd),
        "mean_dvars": _to_json(model.mean_dvars),
        "rank": projection.rank,
        "dof": projection.dof,
        "mean_fd_source": "confounds" if math.isfinite(model.mean_fd) else None,
    }
    write_json(name_output(run, "desc-quality", ".json"), {**quality, "denoised": False})
    return {
        "denoised": str(path),
        "sample_mask": "".join("1" if kept else "0" for kept in model.sample_mask),
        "quality": quality,
    }
