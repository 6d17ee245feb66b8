"""Matrices: claims on every edge of the ROI set, from the runs' correlation matrices.

Files in ``group/``: ``matrix_<claim>.tsv`` with a row per edge, ``matrix_<claim>_components.tsv`` with a row per
component, and ``edge_claims.tsv`` with a row per claim, which the rule infer passes on to ``claims.tsv``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rsconn.analysis.run_chain import RunEdges, combine_edges
from rsconn.arrays import FloatArray
from rsconn.files.run_records import RunRecord, name_output, read_records
from rsconn.files.tables import MISSING, read_tsv
from rsconn.rules.cohort import write_table
from rsconn.rules.connect import name_relmat_statistic
from rsconn.settings.config import Config
from rsconn.settings.edge_claims import ANY_EDGE
from rsconn.signal.connectivity import Edges, compute_z
from rsconn.study.claims.designs import read_terms
from rsconn.study.claims.many_edges import (
    arrange_matrices,
    evaluate_edge_claim,
    tabulate_components,
    tabulate_edge_claims,
    tabulate_matrix,
)
from rsconn.study.people.cohort_table import list_keys, read_cohort
from rsconn.study.people.run_edges import judge_records
from rsconn.study.people.used_columns import make_columns

Key = tuple[str, str | None]


def compare_matrices(records: Sequence[Path], *, settings: Config, cohort: Path) -> None:
    """Test every claim on many edges; the working directory is the output folder.

    Parameters
    ----------
    records : sequence of Path
        The connect stage's records of all batches.
    settings : Config
        All options, of which the step's job in `rsconn.rules.jobs` holds what it reads.
    cohort : Path
        ``group/cohort.tsv``.
    """
    folder = cohort.parent
    people = read_cohort(cohort).sort_values(["participant_id", "session"], kind="stable")
    terms = read_terms(settings)
    terms = replace(terms, edges=terms.edges | {ANY_EDGE})
    matrices = read_matrices(read_records(records), settings)
    z = arrange_matrices(list_keys(people), matrices, len(settings.rois.rois))
    columns = make_columns(people)
    found = [
        evaluate_edge_claim(claim, columns, z, settings.rois, terms, settings.inference)
        for claim in settings.edge_claims
    ]
    for path in folder.glob("matrix_*"):  # of claims that an earlier config made
        path.unlink()
    for each in found:
        write_table(folder / f"matrix_{each.claim.id}.tsv", tabulate_matrix(each, settings.rois))
        write_table(
            folder / f"matrix_{each.claim.id}_components.tsv", tabulate_components(each, settings.rois)
        )
    write_table(folder / "edge_claims.tsv", tabulate_edge_claims(found, settings))


def read_matrices(records: Iterable[RunRecord], config: Config) -> dict[Key, FloatArray]:
    """Return each person's (and session's) Fisher z of every pair of regions, usable runs combined.

    Runs weigh dof - 2, or their number of volumes where dof is unknown, as for edges that have a column.
    """
    known = list(records)
    judged = judge_records(known, config)
    runs: dict[Key, list[RunRecord]] = {}
    for record, usable in zip(known, judged.usable, strict=True):
        if usable:
            session = record.run.session if config.sessions == "separate" else None
            runs.setdefault((record.run.participant_id, session), []).append(record)
    return {key: _combine(own, config) for key, own in runs.items()}


def _combine(records: Sequence[RunRecord], config: Config) -> FloatArray:
    n_rois = len(config.rois.rois)
    runs = [_make_run(_read_relmat(record, config), record.facts["quality"]) for record in records]
    return combine_edges(runs).edges.z.reshape(n_rois, n_rois)


def _make_run(relmat: FloatArray, quality: Mapping[str, float | None]) -> RunEdges:
    r, dof = relmat.ravel(), quality["dof"]
    unknown = np.full(r.size, np.nan)
    edges = Edges(r, compute_z(r), unknown, unknown)
    return RunEdges(edges, np.nan if dof is None else float(dof), float(quality["n_volumes"] or 0))


def _read_relmat(record: RunRecord, config: Config) -> FloatArray:
    run = record.run
    statistic = name_relmat_statistic(config.connectivity.kind)
    path = name_output(run, "relmat", ".tsv", seg=config.rois.name, stat=statistic)
    table = read_tsv(path)
    rows = [
        [np.nan if cell == MISSING else float(cell) for cell in table[name]] for name in config.rois.names
    ]
    relmat = np.array(rows)
    np.fill_diagonal(relmat, np.nan)
    return relmat
