"""Lines of progress and of failure, from the events that Snakemake reports."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from rsconn.commands import progress
from rsconn.commands.outcome import describe_failure
from rsconn.commands.progress import WATCH, LogHandler, Watch

PEOPLE = {"batch-001": 20, "batch-002": 16}


def tell(handler, event=None, level=logging.INFO, msg="", **values):
    record = logging.makeLogRecord({"levelno": level, "msg": msg, "event": event, **values})
    handler.emit(record)


def start(handler, number, rule, batch=""):
    wildcards = {"batch": batch} if batch else {}
    log = [f"logs/{rule}/{batch}.log" if batch else f"logs/{rule}.log"]
    tell(handler, LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards=wildcards, log=log)


def fail(handler, number, rule, batch):
    tell(
        handler, LogEvent.JOB_ERROR, logging.ERROR,
        jobid=number, rule_name=rule, wildcards=None, log=[f"logs/{rule}/{batch}.log"],
    )  # fmt: skip


@pytest.fixture
def make_handler(monkeypatch, tmp_path):
    """Return a maker of handlers for 36 people in two batches, as many lines as there are events."""
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0.0)

    def make(*, quiet=False):
        watch = Watch(PEOPLE, quiet, str(tmp_path / "failed.json"))
        monkeypatch.setenv(WATCH, json.dumps(asdict(watch)))
        return LogHandler(None, None)

    return make


def test_people_are_counted_stage_by_stage(make_handler, capsys):
    handler = make_handler()
    tell(handler, LogEvent.RUN_INFO, stats={"extract": 2, "denoise": 1, "cohort": 1, "all": 1, "total": 5})
    for number, batch in enumerate(PEOPLE):
        start(handler, number, "extract", batch)
        tell(handler, LogEvent.JOB_FINISHED, job_id=number)
    start(handler, 5, "denoise", "batch-002")
    tell(handler, LogEvent.JOB_FINISHED, job_id=5)
    for number, rule in ((6, "cohort"), (7, "all")):
        start(handler, number, rule)
        tell(handler, LogEvent.JOB_FINISHED, job_id=number)
    tell(handler, LogEvent.PROGRESS, msg="5 of 5 steps")
    tell(handler, msg="Select jobs to execute...")
    handler.close()
    shown = capsys.readouterr()
    assert [line[8:] for line in shown.out.splitlines()] == [
        "extract: 20 of 36 people, batch 1 of 2",
        "extract: 36 of 36 people",
        "denoise: 16 people, batch 1 of 1",
        "cohort",
    ]
    assert shown.err == ""


def test_a_quiet_run_prints_no_lines(make_handler, capsys):
    handler = make_handler(quiet=True)
    start(handler, 1, "extract", "batch-001")
    tell(handler, LogEvent.JOB_FINISHED, job_id=1)
    handler.close()
    assert capsys.readouterr().out == ""


def test_what_stops_the_workflow_before_any_job_is_told(make_handler, capsys):
    handler = make_handler()
    tell(handler, LogEvent.ERROR, logging.ERROR, "a.yaml: no such file")
    handler.close()
    assert capsys.readouterr().err == "a.yaml: no such file\n"


def test_a_failure_is_one_screen(make_handler, capsys, tmp_path):
    handler = make_handler()
    tell(handler, LogEvent.RUN_INFO, stats={"extract": 2})
    for number, batch in enumerate(PEOPLE):
        start(handler, number, "extract", batch)
    tell(handler, LogEvent.JOB_FINISHED, job_id=0)
    fail(handler, 1, "extract", "batch-002")
    tell(handler, LogEvent.ERROR, logging.ERROR, "CalledProcessError in file extract.smk")
    handler.close()
    assert "extract of batch-002 failed" in capsys.readouterr().out
    log = tmp_path / "logs/extract/batch-002.log"
    log.parent.mkdir(parents=True)
    log.write_text("Traceback ...\nValueError: boom\n\n")
    assert describe_failure(tmp_path, tmp_path / "failed.json") == [
        f"extract of batch-002 failed: ValueError: boom; log: {log}",
        "done all the same: extract 1; run the same command again to go on from there",
    ]
    assert "the workflow stopped" in describe_failure(tmp_path, tmp_path / "none.json")[0]
