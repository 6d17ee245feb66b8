"""Claims and thresholds written down beforehand; what differs later is told."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.workflow


def _register(study) -> None:
    done = study.rsconn("register", "config.yaml", "--output", "registered.json")
    assert done.returncode == 0, done.stderr
    assert "registered 21 claims, SHA-256 " in done.stdout
    study.edit("config.yaml", "batch_size: 4", "registered: registered.json\nbatch_size: 4")


def test_nothing_changed_is_nothing_told(study):
    _register(study)
    assert "differs from" not in study.rsconn("check", "config.yaml").stdout


@pytest.mark.slow
def test_a_changed_threshold_and_claim_are_told(study):
    _register(study)
    study.edit("config.yaml", "fd_threshold_mm: 0.9", "fd_threshold_mm: 0.8")
    study.edit("claims.yaml", "expect: less", "expect: greater")
    shown = study.rsconn("check", "config.yaml").stdout
    lines = [line for line in shown.splitlines() if line.startswith("differs from")]
    assert any("fd_threshold_mm: registered 0.9, now 0.8" in line for line in lines)
    assert any("P5" in line for line in lines)
    done = study.run()
    assert done.returncode == 0, done.stderr
    page = (study.results / "report.html").read_text(encoding="utf-8")
    assert "This run differs from what was registered in registered.json" in page
    assert json.loads((study.results / "provenance.json").read_text())["deviations"]


def test_a_registration_is_never_replaced(study):
    _register(study)
    again = study.rsconn("register", "config.yaml", "--output", "registered.json")
    assert again.returncode == 2
    assert "it exists already" in again.stderr


def test_an_edited_registration_is_refused(study):
    _register(study)
    study.edit("registered.json", '"expect": "less"', '"expect": "greater"')
    done = study.rsconn("check", "config.yaml")
    assert done.returncode == 2
    assert "the file was changed after it was written" in done.stdout
