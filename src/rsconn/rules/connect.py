"""Connect: the correlation matrix of each run, and the edges the study asks about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.analysis.run_chain import Sampling, connect_rois
from rsconn.arrays import FloatArray, drop_nan
from rsconn.files.bids import Run
from rsconn.files.bids_uris import cite_output
from rsconn.files.run_records import name_output, process_records, read_records, write_records
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json
from rsconn.published_tables import read_numbers
from rsconn.rules.run_jobs import ConnectJob
from rsconn.signal.connectivity import Edges

_ESTIMATORS = {
    "pearson": "Pearson correlation of the cleaned series, without shrinkage",
    "partial": "partial correlation given all other ROIs of the set, without shrinkage",
}


def connect(record: Path, *, before: Path, job: ConnectJob) -> None:
    """Connect the ROIs of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    before : Path
        The denoise stage's record.
    job : ConnectJob
        What it depends on.
    """

    def process(run: Run, facts: dict[str, Any]) -> dict[str, Any]:
        return _connect_run(run, facts, job)

    write_records(record, process_records(read_records([before]), "connect", process))


def _connect_run(run: Run, facts: Mapping[str, Any], job: ConnectJob) -> dict[str, Any]:
    names, cleaned = read_numbers(Path(facts["denoised"]))
    connections = connect_rois(
        cleaned,
        np.array([[names.index(first), names.index(second)] for first, second in job.edges]),
        job.estimation,
        sampling=_describe_sampling(facts, job),
        coverage=_order_coverage(facts, names),
    )
    _write_relmat(run, names, connections.relmat, facts, job)
    return {"edges": _list_edges(connections.edges, job.edges)}


def _describe_sampling(facts: Mapping[str, Any], job: ConnectJob) -> Sampling | None:
    """Return what the series are a sample of; None if they were denoised elsewhere."""
    quality = facts["quality"]
    if quality["dof"] is None:
        return None
    sample_mask = np.array([kept == "1" for kept in facts["sample_mask"]])
    return Sampling(sample_mask, quality["t_r"], job.band, quality["dof"])


def _order_coverage(facts: Mapping[str, Any], names: Sequence[str]) -> FloatArray:
    known = {row["roi"]: row["coverage"] for row in facts.get("coverage", ())}
    return np.array([known.get(name, math.nan) for name in names], dtype=float)


def _list_edges(edges: Edges, pairs: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    columns = (edges.r, edges.z, edges.z_variance, edges.z_variance_ac)
    return [
        {
            "edge": f"{first}-{second}",
            "r": drop_nan(r),
            "z": drop_nan(z),
            "z_variance": drop_nan(variance),
            "z_variance_ac": drop_nan(variance_ac),
        }
        for (first, second), r, z, variance, variance_ac in zip(pairs, *columns, strict=True)
    ]


def _write_relmat(
    run: Run, names: Sequence[str], relmat: np.ndarray, facts: Mapping[str, Any], job: ConnectJob
) -> None:
    statistic = name_relmat_statistic(job.estimation.kind)
    path = name_output(run, "relmat", ".tsv", seg=job.set_name, stat=statistic)
    write_tsv(path, {"Node": names, **dict(zip(names, relmat.T, strict=True))})
    described = {
        "Estimator": _ESTIMATORS[job.estimation.kind],
        "DegreesOfFreedom": "n/a" if facts["quality"]["dof"] is None else facts["quality"]["dof"],
        "MinimumCoverage": job.estimation.min_coverage,
        "Sources": [cite_output(Path(facts["denoised"]))],
    }
    write_json(path.with_suffix(".json"), described)


def name_relmat_statistic(kind: str) -> str:
    """Return the ``stat`` label of a matrix of correlations of a kind."""
    return f"{kind}correlation"
