"""Runs become edges of people: thresholds applied, runs of a person combined."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from rsconn.analysis.run_chain import RunEdges, combine_edges
from rsconn.files.run_records import RunRecord
from rsconn.settings.config import Config
from rsconn.signal.connectivity import Edges
from rsconn.study.people.ledger import LedgerRow, judge_coverage, judge_run, keeps_run, report_failed_run

EDGE_COLUMNS = (
    "participant_id", "session", "edge", "r", "z", "z_variance", "z_variance_ac", "dof", "n_runs", "z_between_run_sd",
)  # fmt: skip
QUALITY_COLUMNS = (
    "participant_id", "session", "run", "n_volumes", "n_retained", "minutes_retained", "t_r", "mean_fd", "max_fd",
    "mean_dvars", "rank", "dof", "mean_fd_source", "usable",
)  # fmt: skip
COVERAGE_COLUMNS = ("participant_id", "session", "run", "roi", "coverage", "n_voxels", "n_nonfinite", "tsnr")


@dataclass(frozen=True, eq=False)
class RunTables:
    """What the records of all runs say together.

    Attributes
    ----------
    edges : DataFrame
        One row per person x edge (x session), usable runs combined: `EDGE_COLUMNS`.
    quality : DataFrame
        One row per run that was read: `QUALITY_COLUMNS`.
    coverage : DataFrame
        One row per run x ROI: `COVERAGE_COLUMNS`.
    ledger : tuple of LedgerRow
        What was decided about runs and ROIs.
    """

    edges: pd.DataFrame
    quality: pd.DataFrame
    coverage: pd.DataFrame
    ledger: tuple[LedgerRow, ...]


def tabulate_runs(records: Sequence[RunRecord], config: Config) -> RunTables:
    """Apply the thresholds to every run and combine the usable ones.

    Runs of a session weigh dof - 2 (their number of volumes where dof is unknown); with ``sessions: combine`` all
    runs of a person are one session.

    Parameters
    ----------
    records : sequence of RunRecord
        The connect stage's.
    config : Config
        Thresholds, edges and what becomes of sessions.
    """
    judged = judge_records(records, config)
    usable = [record for record, kept in zip(records, judged.usable, strict=True) if kept]
    return RunTables(
        edges=_tabulate_edges(usable, config),
        quality=judged.quality,
        coverage=pd.DataFrame(_list_coverage(records), columns=list(COVERAGE_COLUMNS)),
        ledger=judged.ledger,
    )


@dataclass(frozen=True, eq=False)
class JudgedRuns:
    """What the thresholds make of runs.

    Attributes
    ----------
    usable : tuple of bool
        One per record.
    quality : DataFrame
        One row per run that was read: `QUALITY_COLUMNS`.
    ledger : tuple of LedgerRow
        Every rule that was applied.
    """

    usable: tuple[bool, ...]
    quality: pd.DataFrame
    ledger: tuple[LedgerRow, ...]


def judge_records(records: Sequence[RunRecord], config: Config) -> JudgedRuns:
    """Apply the thresholds to runs, or to what is predicted of them.

    Parameters
    ----------
    records : sequence of RunRecord
        With the facts of the stages up to denoising.
    config : Config
        Thresholds.
    """
    ledger: list[LedgerRow] = []
    usable, quality = [], []
    for record in records:
        facts = _get_quality(record)
        rows = list(_judge(record, facts, config))
        ledger += rows
        usable.append(keeps_run(rows))
        if record.facts.get("quality"):
            quality.append({**facts, "usable": usable[-1]})
    table = pd.DataFrame(quality, columns=list(QUALITY_COLUMNS))
    return JudgedRuns(tuple(usable), table, tuple(ledger))


def _get_quality(record: RunRecord) -> dict[str, Any]:
    return {**record.run.identity, **record.facts.get("quality", {})}


def _judge(record: RunRecord, facts: Mapping[str, Any], config: Config) -> Iterable[LedgerRow]:
    for warning in record.facts.get("warnings", ()):
        yield LedgerRow(
            facts["participant_id"],
            facts["session"],
            facts["run"],
            "input.t_r",
            record.facts["t_r"],
            None,
            "s",
            "extract",
            "flagged",
            warning,
        )
    for gap in record.facts.get("gaps", ()):
        yield LedgerRow(
            facts["participant_id"],
            facts["session"],
            facts["run"],
            "n/a in the series",
            None,
            None,
            None,
            "denoise",
            "flagged",
            gap,
        )
    if record.failed_stage is not None:
        yield from _judge_failed(record, facts, config)
        return
    yield from judge_run(facts, config.censoring, config.quality)
    coverage = {row["roi"]: row["coverage"] for row in record.facts.get("coverage", ())}
    yield from judge_coverage(facts, coverage, config.quality.min_coverage)


def _judge_failed(record: RunRecord, facts: Mapping[str, Any], config: Config) -> Iterable[LedgerRow]:
    """Say which threshold a failed run misses, where enough is known of it; else that it failed."""
    judged = judge_run(facts, config.censoring, config.quality) if record.facts.get("quality") else ()
    failed = report_failed_run(facts, record.failed_stage, record.reason)  # type: ignore[arg-type]
    explained = any(row.decision == "excluded" for row in judged)
    yield replace(failed, decision="flagged") if explained else failed
    yield from judged


def _list_coverage(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    return [
        {
            **record.run.identity,
            **row,
        }
        for record in records
        for row in record.facts.get("coverage", ())
    ]


def _tabulate_edges(records: Iterable[RunRecord], config: Config) -> pd.DataFrame:
    separate = config.sessions == "separate"
    groups: dict[tuple[str, str | None], list[RunRecord]] = {}
    for record in records:
        session = record.run.session if separate else None
        groups.setdefault((record.run.participant_id, session), []).append(record)
    rows = [
        row
        for key in sorted(groups, key=lambda key: (key[0], key[1] or ""))
        for row in _combine(key, groups[key])
    ]
    return pd.DataFrame(rows, columns=list(EDGE_COLUMNS))


def _combine(key: tuple[str, str | None], records: Sequence[RunRecord]) -> Iterable[dict[str, Any]]:
    names = [edge["edge"] for edge in records[0].facts["edges"]]
    combined = combine_edges([_read_edges(record) for record in records])
    columns = {
        "r": combined.edges.r,
        "z": combined.edges.z,
        "z_variance": combined.edges.z_variance,
        "z_variance_ac": combined.edges.z_variance_ac,
        "dof": combined.dof,
        "n_runs": combined.n_runs,
        "z_between_run_sd": combined.between_run_sd,
    }
    for position, name in enumerate(names):
        values = {column: array[position] for column, array in columns.items()}
        yield {"participant_id": key[0], "session": key[1], "edge": name, **values}


def _read_edges(record: RunRecord) -> RunEdges:
    rows, quality = record.facts["edges"], record.facts["quality"]
    columns = (
        np.array([_number(row[name]) for row in rows]) for name in ("r", "z", "z_variance", "z_variance_ac")
    )
    return RunEdges(Edges(*columns), _number(quality["dof"]), float(quality["n_volumes"]))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
