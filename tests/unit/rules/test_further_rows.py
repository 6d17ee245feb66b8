"""Regions of the multiverse come from the same pass, and touch nothing of the primary analysis."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rsconn.published_tables import read_numbers
from rsconn.rules.extract import extract
from rsconn.rules.plan import WorkflowPlan, find_config_runs
from rsconn.rules.seedmap import make_seedmaps
from rsconn.settings.config import read_config

MULTIVERSE = """
multiverse:
  radius_mm: [12, 15]
  smoothing_fwhm_mm: [20]
  roi: {LAI: [LAI_mask]}
"""
ALTERNATIVE = """
alternatives:
  - {name: LAI_mask, of: LAI, sphere: {center_mm: [-30, 18, 2], radius_mm: 12}}
"""


@pytest.fixture
def plan(root: Path, tmp_path: Path) -> WorkflowPlan:
    tiny = tmp_path / "tiny"
    shutil.copytree(
        root / "tests" / "reference" / "tiny", tiny, ignore=shutil.ignore_patterns("expected", "sub-0[2-9]*")
    )
    with (tiny / "rois.yaml").open("a") as rois:
        rois.write(ALTERNATIVE)
    with (tiny / "config.yaml").open("a") as config:
        config.write(MULTIVERSE)
    settings = read_config(tiny / "config.yaml")
    return WorkflowPlan(settings, find_config_runs(settings)[:1])


def run_step(plan: WorkflowPlan, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> dict:
    """Extract one run in a folder and return its facts."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    step = make_seedmaps if "seeds" in changes else extract
    job = plan.seedmap_job if "seeds" in changes else plan.extract_job
    step(Path("record.json"), runs=plan.batches["batch-001"], job=replace(job, **changes))
    [entry] = json.loads(Path("record.json").read_text())
    assert entry["failed_stage"] is None, entry["reason"]
    return entry["facts"]


@pytest.mark.parametrize("changes", [{}, {"seeds": ("LAI",), "maps_smoothing_fwhm_mm": 0.0}])
def test_the_primary_files_stay_as_they_are(
    plan: WorkflowPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    facts = run_step(plan, tmp_path / "with", monkeypatch, **changes)
    run_step(plan, tmp_path / "without", monkeypatch, **changes, further_rois=())
    written = {path.relative_to(tmp_path / "with") for path in (tmp_path / "with").rglob("sub-*.*")}
    before = {path.relative_to(tmp_path / "without") for path in (tmp_path / "without").rglob("sub-*.*")}
    further = Path(facts["further_timeseries"])
    assert written - before == {further, further.with_suffix(".json")}
    for name in before:
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes(), name


def test_further_series_are_what_they_would_be_as_regions(
    plan: WorkflowPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = run_step(plan, tmp_path / "beside", monkeypatch)
    names, beside = read_numbers(tmp_path / "beside" / facts["further_timeseries"])
    assert {"LAI_R15S20", "dmPFC_S20", "LAI_mask", "LAI_mask_R15"} <= set(names)
    assert set(facts["further_coverage"]) == set(names)
    rows = tuple(replace(row, variant_of=None) for row in plan.extract_job.further_rois)
    alone = run_step(plan, tmp_path / "alone", monkeypatch, rois=rows, further_rois=())
    assert np.array_equal(read_numbers(tmp_path / "alone" / alone["timeseries"])[1], beside)
