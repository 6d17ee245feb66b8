"""Denoise: what confounds, drifts and the band leave of each ROI series, on the retained volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.analysis.run_chain import (
    RunModel,
    choose_columns,
    choose_volumes,
    clean_series,
    describe_quality,
    make_run_model,
    predict_quality,
)
from rsconn.analysis.specification import RoiVariant
from rsconn.analysis.usability import RunQuality
from rsconn.arrays import drop_nan
from rsconn.errors import RunError, UserError
from rsconn.files.bids import Run
from rsconn.files.bids_uris import cite_output
from rsconn.files.confounds import read_confounds, read_parcellated
from rsconn.files.nilearn_mode import clean_like_nilearn
from rsconn.files.run_records import name_output, process_records, read_records, start_records, write_records
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json
from rsconn.published_tables import read_numbers
from rsconn.rules.run_jobs import DenoiseJob
from rsconn.signal.projection import Projection
from rsconn.signal.quality import compute_max_fd, compute_mean_fd
from rsconn.signal.regressors import Confounds


def denoise(record: Path, *, before: Sequence[Path], runs: Sequence[Run], job: DenoiseJob) -> None:
    """Denoise the ROI series of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    before : sequence of Path
        The extract stage's record; empty if the dataset is parcellated.
    runs : sequence of Run
        The batch, used if there is no record before.
    job : DenoiseJob
        What it depends on.
    """

    def process(run: Run, facts: dict[str, Any]) -> dict[str, Any]:
        if job.denoised:
            return _take_denoised(run, job)
        return _denoise_run(run, facts, job)

    records = read_records(before) if before else start_records(runs)
    write_records(record, process_records(records, "denoise", process))


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


def _denoise_run(run: Run, known: Mapping[str, Any], job: DenoiseJob) -> dict[str, Any]:
    rois, series = _read_series(run, known, job)
    t_r = known["t_r"] if known else settle_parcellated_t_r(run, job.t_r)
    confounds = read_run_confounds(run)
    cleaning, censoring = job.cleaning, job.censoring
    quality = choose_volumes(confounds, t_r, censoring).quality  # a result, whatever becomes of the run
    try:
        model = make_run_model(confounds, t_r, cleaning, censoring)
        quality = predict_quality(model)
        projection = clean_series(series, model, cleaning, clean_like_nilearn)
    except UserError as error:
        facts = _write_quality(run, quality, denoised=False)
        raise RunError(f"{run.name}: {error}", facts={"quality": facts}) from None
    sources = [cite_output(Path(known["timeseries"]))] if known else run.cite(run.timeseries)
    sources += run.cite(run.confounds)
    gaps = [] if known else list_incomplete(run, series, rois)
    return {**_write_denoised(run, rois, projection, model, job, sources=sources), "gaps": gaps}


def _read_series(run: Run, facts: Mapping[str, Any], job: DenoiseJob) -> tuple[list[str], np.ndarray]:
    if facts:
        names, series = read_numbers(Path(facts["timeseries"]))
        return list(job.rois), series[:, choose_columns(names, job.rois, RoiVariant())]
    columns = job.columns
    return list(columns), read_given_series(run, columns)


def read_given_series(run: Run, columns: Mapping[str, str]) -> np.ndarray:
    """Return the series (n_volumes, n_rois) of a run that came as a table.

    Parameters
    ----------
    run : Run
        The run.
    columns : mapping of str to str
        ROI to its column.

    Raises
    ------
    UserError
        If there is no table, a column is missing, or no column has a number in every row.
    """
    if run.timeseries is None:
        raise RunError(f"{run.name}: {'; '.join(run.problems) or 'no series'}")
    series = read_parcellated(run.timeseries, list(columns.values()))
    if not find_whole(series).any():
        raise RunError(f"{run.name}: {run.timeseries}: {_describe_gaps(series, list(columns))}")
    return series


def find_whole(series: np.ndarray) -> np.ndarray:
    """Return which given series have a number in every row and vary, bool (n_rois,); the others have no edge."""
    finite = np.isfinite(series).all(axis=0)
    return np.asarray(finite & (np.ptp(np.where(finite, series, 0.0), axis=0) > 0))


_SHOWN_GAPS = 5


def list_incomplete(run: Run, series: np.ndarray, rois: Sequence[str]) -> list[str]:
    """Return a line if regions of given series have gaps, which cost them their edges."""
    return [] if find_whole(series).all() else [f"{run.name}: {_describe_gaps(series, rois)}"]


def _describe_gaps(series: np.ndarray, rois: Sequence[str]) -> str:
    """Say which rows no region has, or which regions lack rows, and what mends it."""
    empty = np.flatnonzero(~np.isfinite(series).any(axis=1))
    if 0 < len(empty) < len(series):
        lines = _name_some([str(row + 2) for row in empty])  # the header is line 1
        return (
            f"{len(empty)} of {len(series)} rows are n/a in every region (line {lines}), and every row counts: take "
            "such rows out of the table and of its confounds, or write it without gaps (XCP-D: --output-type)"
        )
    lacking = _name_some([roi for roi, whole in zip(rois, find_whole(series), strict=True) if not whole])
    return f"n/a or constant in region {lacking}; no edge with it: write it without gaps, or choose other regions"


def _name_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_GAPS} more" if len(names) > _SHOWN_GAPS else ""
    return ", ".join(names[:_SHOWN_GAPS]) + more


def _take_denoised(run: Run, job: DenoiseJob) -> dict[str, Any]:
    """Take series that are denoised already: every row counts, degrees of freedom are unknown."""
    rois, series = _read_series(run, {}, job)
    path = name_output(run, "timeseries", ".tsv", seg=job.set_name, desc="denoised")
    write_tsv(path, dict(zip(rois, series.T, strict=True)))
    described = {
        "Description": "Series as given, denoised elsewhere; every row is used.",
        "DegreesOfFreedom": "n/a",
        "Sources": run.cite(run.timeseries),
    }
    write_json(path.with_suffix(".json"), described)
    quality = measure_denoised(run, len(series), job.t_r)
    facts = _write_quality(run, quality, denoised=True)
    gaps = list_incomplete(run, series, rois)
    return {"denoised": str(path), "sample_mask": "1" * len(series), "quality": facts, "gaps": gaps}


def measure_denoised(run: Run, n_volumes: int, t_r: float | None) -> RunQuality:
    """Return what is known of a run that came denoised: every volume counts.

    Parameters
    ----------
    run : Run
        The run.
    n_volumes : int
        Rows of its series.
    t_r : float or None
        As the config states it, s.
    """
    mean_fd, max_fd = _measure_given_motion(run)
    t_r = t_r or run.t_r
    minutes = n_volumes * t_r / 60 if t_r else None
    return RunQuality(
        n_volumes=n_volumes,
        n_retained=n_volumes,
        t_r=t_r,
        minutes_retained=minutes,
        mean_fd=mean_fd,
        max_fd=max_fd,
    )


def _write_quality(run: Run, quality: RunQuality, *, denoised: bool) -> dict[str, Any]:
    facts = {**asdict(quality), "mean_fd_source": "confounds" if quality.mean_fd is not None else None}
    write_json(name_output(run, "desc-quality", ".json"), {**facts, "denoised": denoised})
    return facts


def _measure_given_motion(run: Run) -> tuple[float | None, float | None]:
    """Return the mean and largest framewise displacement (mm) of a run that came denoised; None if unknown."""
    if run.confounds is None:
        return None, None
    fd = read_confounds(run.confounds, run.confounds_json).get("framewise_displacement")
    if fd is None:
        return None, None
    return drop_nan(compute_mean_fd(fd, 0)), drop_nan(compute_max_fd(fd, 0))


def _write_denoised(
    run: Run,
    rois: Sequence[str],
    projection: Projection,
    model: RunModel,
    job: DenoiseJob,
    *,
    sources: Sequence[str],
) -> dict[str, Any]:
    path = name_output(run, "timeseries", ".tsv", seg=job.set_name, desc="denoised")
    write_tsv(path, dict(zip(rois, projection.cleaned.T, strict=True)))
    described = {
        "Description": "Residuals after confounds, drift and frequencies outside the band; retained volumes only.",
        "Mode": job.cleaning.mode,
        "Strategy": job.strategy,
        "ConfoundRegressors": list(model.regressors.names),
        "Notes": list(model.regressors.notes),
        "HighpassCutoff": job.cleaning.high_pass_hz or "n/a",
        "LowpassCutoff": job.cleaning.low_pass_hz or "n/a",
        "RepetitionTime": model.design.t_r,
        "SampleMask": model.sample_mask.astype(int).tolist(),
        "NonSteadyStateVolumes": model.n_nonsteady,
        "Rank": projection.rank,
        "DegreesOfFreedom": projection.dof,
        "Sources": sources,
    }
    write_json(path.with_suffix(".json"), described)
    quality = describe_quality(model, rank=projection.rank, dof=projection.dof)
    facts = _write_quality(run, quality, denoised=False)
    return {
        "denoised": str(path),
        "sample_mask": "".join("1" if kept else "0" for kept in model.sample_mask),
        "quality": facts,
    }
