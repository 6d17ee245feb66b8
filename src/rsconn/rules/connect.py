"""Connect: the correlation matrix of each run, and the edges the study asks about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.files.bids import Run
from rsconn.files.run_records import name_output, process_records, read_records, write_records
from rsconn.files.tables import read_numbers, write_tsv
from rsconn.files.writing import write_json
from rsconn.signal.connectivity import (
    Edges,
    compute_edges,
    compute_partial_relmat,
    compute_power,
    compute_relmat,
)

_ESTIMATORS = {
    "pearson": "Pearson correlation of the cleaned series, without shrinkage",
    "partial": "partial correlation given all other ROIs of the set, without shrinkage",
}


def connect(record: Path, *, before: Path, settings: Mapping[str, Any]) -> None:
    """Connect the ROIs of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    before : Path
        The denoise stage's record.
    settings : mapping
        ``set_name``, ``edges`` (pairs of ROI names), ``kind``, ``min_coverage``, ``band_hz``.
    """

    def process(run: Run, facts: dict[str, Any]) -> dict[str, Any]:
        return _connect_run(run, facts, settings)

    write_records(record, process_records(read_records([before]), "connect", process))


def _connect_run(run: Run, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    names, cleaned = read_numbers(Path(facts["denoised"]))
    low = [row for row in facts.get("coverage", []) if row["coverage"] < settings["min_coverage"]]
    cleaned[:, [names.index(row["roi"]) for row in low]] = np.nan
    partial = settings["kind"] == "partial"
    relmat = compute_partial_relmat(cleaned) if partial else compute_relmat(cleaned)
    dof = facts["quality"]["dof"]
    edges = compute_edges(
        relmat,
        np.array([[names.index(first), names.index(second)] for first, second in settings["edges"]]),
        dof=dof,
        power=_compute_power(cleaned, facts, settings) if dof is not None else None,
        n_conditioned=int(np.isfinite(np.diag(relmat)).sum()) - 2 if partial else 0,
    )
    _write_relmat(run, names, relmat, dof, settings)
    return {"edges": _list_edges(edges, settings["edges"]), "low_coverage": low}


def _compute_power(
    cleaned: np.ndarray, facts: Mapping[str, Any], settings: Mapping[str, Any]
) -> np.ndarray | None:
    sample_mask = np.array([kept == "1" for kept in facts["sample_mask"]])
    high_pass_hz, low_pass_hz = settings["band_hz"]
    return compute_power(cleaned, sample_mask, facts["quality"]["t_r"], (high_pass_hz, low_pass_hz))


def _list_edges(edges: Edges, pairs: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    columns = (edges.r, edges.z, edges.z_variance, edges.z_variance_ac)
    return [
        {
            "edge": f"{first}-{second}",
            "r": _to_json(r),
            "z": _to_json(z),
            "z_variance": _to_json(variance),
            "z_variance_ac": _to_json(variance_ac),
        }
        for (first, second), r, z, variance, variance_ac in zip(pairs, *columns, strict=True)
    ]


def _to_json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _write_relmat(
    run: Run, names: Sequence[str], relmat: np.ndarray, dof: int | None, settings: Mapping[str, Any]
) -> None:
    statistic = "pearsoncorrelation" if settings["kind"] == "pearson" else "partialcorrelation"
    path = name_output(run, "relmat", ".tsv", seg=settings["set_name"], stat=statistic)
    write_tsv(path, {"Node": names, **dict(zip(names, relmat.T, strict=True))})
    described = {
        "Estimator": _ESTIMATORS[settings["kind"]],
        "DegreesOfFreedom": dof if dof is not None else "n/a",
        "MinimumCoverage": settings["min_coverage"],
    }
    write_json(path.with_suffix(".json"), described)
