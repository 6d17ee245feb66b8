"""Plain lines of progress in place of Snakemake's own: people x of y, stage, time since the start.

`rsconn run` starts this module instead of ``python -m snakemake``; it registers one logger of Snakemake's plugin
interface and hands everything else on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, field
from io import StringIO
from logging import ERROR, LogRecord
from pathlib import Path
from types import ModuleType

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

# What `rsconn run` tells this process: `Watch` as JSON.
WATCH = "RSCONN_WATCH"
LOGGER = "rsconn"
_SECONDS_BETWEEN = 5.0
_LAST = "all"


@dataclass(frozen=True)
class Watch:
    """What the lines need to know.

    Attributes
    ----------
    people : dict of str to int
        Batch to its number of people.
    quiet : bool
        Whether only errors are printed.
    failures : str
        Where failed jobs are noted.
    """

    people: Mapping[str, int] = field(default_factory=dict)
    quiet: bool = False
    failures: str = ""


@dataclass(frozen=True)
class StartedJob:
    """One job: its rule, its batch (empty for those on the whole group), its log."""

    rule: str
    batch: str
    log: str


class LogHandler(LogHandlerBase):
    """Counts jobs as Snakemake reports them, and prints a line now and then."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self._watch = Watch(**json.loads(os.environ.get(WATCH, "{}")))
        self._started, self._last = time.monotonic(), 0.0
        self._jobs: dict[int, StartedJob] = {}
        self._planned: dict[str, int] = {}
        self._done: dict[str, list[StartedJob]] = {}
        self._failed: list[StartedJob] = []
        self._errors: list[str] = []

    def emit(self, record: LogRecord) -> None:
        """Take note of an event."""
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                self._planned = dict(getattr(record, "stats", {}))
            case LogEvent.JOB_INFO:
                self._start(record)
            case LogEvent.JOB_FINISHED:
                self._finish(self._jobs.get(getattr(record, "job_id", -1)))
            case LogEvent.JOB_ERROR:
                job = self._start(record)
                self._failed.append(job)
                self._say(f"{_name(job)} failed", always=True)
            case _ if record.levelno >= ERROR:
                self._errors.append(record.getMessage())

    def close(self) -> None:
        """Note what failed; tell what stopped the workflow before any job."""
        if self._watch.failures and self._failed:
            noted = {"failed": [asdict(job) for job in self._failed], "done": self._count_done()}
            Path(self._watch.failures).write_text(json.dumps(noted), encoding="utf-8")
        elif not self._failed:
            for line in self._errors:
                print(line, file=sys.stderr, flush=True)  # noqa: T201
        self._failed, self._errors = [], []
        super().close()

    def _start(self, record: LogRecord) -> StartedJob:
        values = record.__dict__
        log = values.get("log") or [""]
        wildcards = values.get("wildcards") or {}
        known = self._jobs.get(values["jobid"])
        job = known or StartedJob(values["rule_name"], str(wildcards.get("batch", "")), str(log[0]))
        self._jobs[values["jobid"]] = job
        return job

    def _finish(self, job: StartedJob | None) -> None:
        if job is None or job.rule == _LAST:
            return
        done = self._done.setdefault(job.rule, [])
        done.append(job)
        whole = len(done) >= self._planned.get(job.rule, 1)
        people = sum(self._watch.people.get(one.batch, 0) for one in done)
        if not job.batch:
            self._say(job.rule, always=True)
        elif whole and len(done) == len(self._watch.people):
            self._say(f"{job.rule}: {people} of {people} people", always=True)
        else:
            jobs = f"batch {len(done)} of {self._planned.get(job.rule, 1)}"
            self._say(f"{job.rule}: {people} {self._of_all(job.rule)}people, {jobs}", always=whole)

    def _of_all(self, rule: str) -> str:
        """Say of how many, where every batch is done anew."""
        again = self._planned.get(rule) == len(self._watch.people)
        return f"of {sum(self._watch.people.values())} " if again else ""

    def _count_done(self) -> dict[str, int]:
        return {rule: len(jobs) for rule, jobs in self._done.items()}

    def _say(self, text: str, *, always: bool) -> None:
        now = time.monotonic() - self._started
        if self._watch.quiet or not (always or now - self._last >= _SECONDS_BETWEEN):
            return
        self._last = now
        print(f"{int(now) // 60:3d}:{int(now) % 60:02d}  {text}", flush=True)  # noqa: T201


def _name(job: StartedJob) -> str:
    return f"{job.rule} of {job.batch}" if job.batch else job.rule


def read_failures(path: Path) -> tuple[list[StartedJob], dict[str, int]]:
    """Return the jobs that failed, and how many of each rule were done; nothing where nothing was noted."""
    if not path.is_file():
        return [], {}
    noted = json.loads(path.read_text(encoding="utf-8"))
    return [StartedJob(**job) for job in noted["failed"]], noted["done"]


def run_snakemake(arguments: Sequence[str]) -> None:
    """Run Snakemake with this module's logger; exits with its status."""
    from snakemake.cli import args_to_api, parse_args

    plugin = ModuleType("snakemake_logger_plugin_rsconn")
    plugin.LogHandler = LogHandler  # type: ignore[attr-defined]
    LoggerPluginRegistry().register_plugin(plugin.__name__, plugin)
    told = StringIO()
    try:
        with redirect_stderr(told):  # which profile it reads, which rsconn chose
            parser, options = parse_args(list(arguments))
    except SystemExit:
        sys.stderr.write(told.getvalue())
        raise
    sys.exit(0 if args_to_api(options, parser) else 1)


if __name__ == "__main__":
    run_snakemake(sys.argv[1:])
