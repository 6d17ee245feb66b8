"""What a batch job says of each of its runs: done with these facts, or failed for this reason.

A record is the file that Snakemake sees. It is written last and whole, so a batch that was killed is run
again, and a run that fails becomes an entry with its reason instead of stopping the others.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rsconn.errors import RunError, SystemTroubleError, UserError, refuse_unreadable
from rsconn.files.bids import Run
from rsconn.files.bids_uris import drop_folders
from rsconn.files.writing import write_json
from rsconn.naming import RUN_ENTITIES, format_name


@dataclass(frozen=True)
class RunRecord:
    """One run after one stage.

    Attributes
    ----------
    run : Run
        The run.
    failed_stage : str or None
        Stage at which the run became unusable; None while it is usable.
    reason : str
        The error's line if it failed, with paths as they are within the dataset, else empty.
    facts : dict
        What later stages and the ledger need, plain JSON values, gathered from stage to stage.
    """

    run: Run
    failed_stage: str | None = None
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def start_records(runs: Iterable[Run]) -> list[RunRecord]:
    """Return a fresh record for each run."""
    return [RunRecord(run) for run in runs]


def process_records(
    records: Iterable[RunRecord], stage: str, process: Callable[[Run, dict[str, Any]], dict[str, Any]]
) -> list[RunRecord]:
    """Process each usable run; a user's mistake fails that run alone, a bug or a full disk stops the job.

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
    run = record.run
    try:
        with refuse_unreadable(run.name):
            new_facts = process(run, record.facts)
    except SystemTroubleError:
        raise
    except UserError as error:
        print(f"{run.name}: left out at {stage}: {error}")  # noqa: T201 - the job's log
        return fail_record(record, run, stage, error)
    return replace(record, facts={**record.facts, **new_facts})


def fail_record(record: RunRecord, run: Run, stage: str, error: UserError) -> RunRecord:
    """Return the record of a run that an error left out; its reason names the run or a file of its own.

    Parameters
    ----------
    record : RunRecord
        Before the stage.
    run : Run
        The same run.
    stage : str
        Where it failed.
    error : UserError
        Why; what it knows of the run is kept.
    """
    known = error.facts if isinstance(error, RunError) else {}
    reason = str(error) if run.participant_id in str(error) else f"{run.name}: {error}"
    return replace(
        record,
        failed_stage=stage,
        reason=drop_folders(reason, run.datasets.values()),
        facts={**record.facts, **known},
    )


def write_records(path: Path, records: Iterable[RunRecord]) -> None:
    """Write a batch's records as JSON; where inputs lie is told from the results folder, so both can move together."""
    results = _find_results(path)
    moved = [
        replace(record, run=record.run.move(lambda file: Path(os.path.relpath(file, results))))
        for record in records
    ]
    write_json(path, [{**vars(record), "run": record.run.to_dict()} for record in moved])


def read_records(paths: Iterable[Path]) -> list[RunRecord]:
    """Read the records of one or more batches, in the order of the paths."""
    return [record for path in paths for record in _read_batch(path)]


def _read_batch(path: Path) -> list[RunRecord]:
    results = _find_results(path)
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [
        RunRecord(**{**entry, "run": Run.from_dict(entry["run"]).move(lambda file: _join(results, file))})
        for entry in entries
    ]


def _join(folder: Path, file: Path) -> Path:
    return Path(os.path.normpath(folder / file))


def _find_results(record: Path) -> Path:
    """Return the output folder, real, of a record in ``work/<stage>/``; an odd place has a folder of its own."""
    real = record.resolve()
    return real.parents[min(2, len(real.parents) - 1)]


def name_output(run: Run, suffix: str, extension: str, **entities: str) -> Path:
    """Return the path, relative to the output folder, of one of a run's derivatives.

    Parameters
    ----------
    run : Run
        The run.
    suffix, extension : str
        BIDS suffix and extension, such as ``timeseries`` and ``.tsv``.
    **entities : str
        What this derivative adds, such as ``seg`` and ``stat``.
    """
    of_run = {key: run.entities[key] for key in RUN_ENTITIES if key in run.entities}
    folder = Path(run.participant_id)
    if run.session is not None:
        folder = folder / f"ses-{run.session}"
    return folder / "func" / format_name({**of_run, **entities}, suffix, extension)


_ERROR_MARK = "error: "


@contextmanager
def write_job_log(path: str) -> Iterator[None]:
    """Send everything printed to the log; turn a `UserError` into one marked line and exit code 2.

    Snakemake neither creates a script's log nor keeps what it printed. A bug leaves its traceback in the log.
    """
    log = Path(path)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8", buffering=1) as stream,
        redirect_stdout(stream),
        redirect_stderr(stream),
    ):
        try:
            with refuse_unreadable(of_job=True):
                yield
        except UserError as error:
            with suppress(OSError):  # a full disk: `rsconn run` finds that out
                print("\n".join(_ERROR_MARK + line for line in str(error).splitlines()))  # noqa: T201 - the log
            sys.exit(2)
        except Exception:
            import traceback

            traceback.print_exc()
            raise


def find_user_errors(logs: Path, *, since: float) -> list[str]:
    """Return the marked lines of the logs written after a time (seconds since the epoch), oldest log first."""
    files = sorted((file for file in logs.rglob("*.log")), key=lambda file: file.stat().st_mtime)
    lines = [
        line.removeprefix(_ERROR_MARK)
        for file in files
        if file.stat().st_mtime >= since
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith(_ERROR_MARK)
    ]
    return list(dict.fromkeys(lines))
