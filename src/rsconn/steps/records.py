"""What a batch job says of each of its runs: done with these facts, or failed for this reason.

A record is the file that Snakemake sees. It is written last and whole, so a batch that was killed is run
again, and a run that fails becomes an entry with its reason instead of stopping the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rsconn.errors import UserError
from rsconn.files.bids import Run
from rsconn.files.writing import write_json


@dataclass(frozen=True)
class RunRecord:
    """One run after one stage.

    Attributes
    ----------
    run : dict
        The run as plain values (`rsconn.files.bids.Run.to_dict`).
    failed_stage : str or None
        Stage at which the run became unusable; None while it is usable.
    reason : str
        The error's line if it failed, else empty.
    facts : dict
        What later stages and the ledger need, plain JSON values, gathered from stage to stage.
    """

    run: dict[str, Any]
    failed_stage: str | None = None
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def start_records(runs: Iterable[dict[str, Any]]) -> list[RunRecord]:
    """Return a fresh record for each run."""
    return [RunRecord(run) for run in runs]


def process_records(
    records: Iterable[RunRecord], stage: str, process: Callable[[Run, dict[str, Any]], dict[str, Any]]
) -> list[RunRecord]:
    """Process each usable run; a user's mistake fails that run alone, a bug stops the job with its traceback.

    Parameters
    ----------
    records : iterable of RunRecord
        Records of the stage before; failed ones are passed on as they are.
    stage : str
        Name of this stage.
    process : callable
        Takes the run and the facts so far, returns the new facts.
    """
    return [_process_one(record, stage, process) for record in records]


def _process_one(
    record: RunRecord, stage: str, process: Callable[[Run, dict[str, Any]], dict[str, Any]]
) -> RunRecord:
    if record.failed_stage is not None:
        return record
    run = Run.from_dict(record.run)
    try:
        new_facts = process(run, record.facts)
    except UserError as error:
        print(f"{run.name}: left out at {stage}: {error}")  # noqa: T201 - the job's log
        return replace(record, failed_stage=stage, reason=str(error))
    return replace(record, facts={**record.facts, **new_facts})


def write_records(path: Path, records: Iterable[RunRecord]) -> None:
    """Write a batch's records as JSON."""
    write_json(path, [asdict(record) for record in records])


def read_records(paths: Iterable[Path]) -> list[RunRecord]:
    """Read the records of one or more batches, in the order of the paths."""
    return [RunRecord(**entry) for path in paths for entry in json.loads(path.read_text(encoding="utf-8"))]
