"""What goes wrong in the middle: one bad run, a killed workflow, a user's mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from rsconn.files.tables import read_tsv

pytestmark = pytest.mark.workflow


def _find_bold(study, number: int = 0):
    return sorted(study.folder.glob("data/derivatives/fmriprep/sub-*/func/*_bold.nii.gz"))[number]


@pytest.mark.slow
def test_a_truncated_image_is_a_row_in_the_ledger_and_stops_nobody(study):
    bold = _find_bold(study)
    bold.write_bytes(bold.read_bytes()[: bold.stat().st_size // 2])
    person = bold.name.split("_")[0]
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "people: 11 of 12 with images kept" in done.stdout
    assert "otherwise than predicted" not in done.stdout  # the check had seen it
    assert "Select jobs to execute" not in done.stdout + done.stderr
    ledger = read_tsv(study.results / "group" / "exclusions.tsv")
    rows = [row for row, who in enumerate(ledger["participant_id"]) if who == person]
    excluded = [row for row in rows if ledger["decision"][row] == "excluded"]
    assert [ledger["stage"][row] for row in excluded] == ["extract"]
    assert "volume" in ledger["reason"][excluded[0]]
    cohort = read_tsv(study.results / "group" / "cohort.tsv")
    included = dict(zip(cohort["participant_id"], cohort["included"], strict=True))
    assert included[person] == "false"
    assert sum(value == "true" for value in included.values()) == 11
    assert person in (study.results / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(study):
    process = subprocess.Popen(
        [sys.executable, "-m", "rsconn.cli", "run", "config.yaml", "--cores", "1"],
        cwd=study.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    first = study.results / "work" / "extract" / "batch-001.json"
    deadline = time.monotonic() + 120
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert first.exists()
    assert not (study.results / "report.html").exists()
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (study.results / "report.html").exists()


def test_too_many_people_lost_stops_before_any_job(study):
    study.edit("config.yaml", "max_share_lost: 0.5", "max_share_lost: 0")
    study.edit("config.yaml", "min_degrees_of_freedom: 5", "min_degrees_of_freedom: 50")
    done = study.run()
    assert done.returncode == 2
    assert "censoring.max_share_lost allows 0%" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (study.results / "work").exists()


def test_a_mistyped_key_is_one_line_with_the_nearest_valid_one(study):
    study.edit("config.yaml", "covariates:", "covariate:")
    done = study.run()
    assert done.returncode == 2
    assert "covariates" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_check_says_ready_and_changes_nothing(study):
    before = sorted(path for path in study.folder.rglob("*"))
    done = study.rsconn("check", "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "ready: 12 people, 12 runs" in done.stdout
    assert "predicted degrees of freedom per run" in done.stdout
    assert sorted(path for path in study.folder.rglob("*")) == before


def test_check_lists_every_problem_at_once(study):
    _find_bold(study, 0).unlink()
    study.edit("config.yaml", "column: group", "column: grp")
    study.edit("rois.yaml", "center_mm: [-36, 18, 2]", "center_mm: [-90, 18, 2]")
    done = study.rsconn("check", "config.yaml")
    assert done.returncode == 2
    assert "no column 'grp' (groups.column)" in done.stdout
    assert "ROI 'LAI'" in done.stdout
