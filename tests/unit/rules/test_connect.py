"""The rules, one after the other over files, come to what the run chain makes of the same arrays."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.testing import assert_allclose

from rsconn.analysis.run_chain import analyse_run, choose_columns
from rsconn.analysis.specification import RoiVariant
from rsconn.files.nilearn_mode import clean_like_nilearn
from rsconn.files.run_records import read_records
from rsconn.published_tables import read_numbers
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise, read_run_confounds
from rsconn.rules.extract import extract
from rsconn.rules.plan import plan_workflow
from rsconn.rules.prediction import predict_runs

TINY = Path(__file__).resolve().parents[2] / "reference" / "tiny"
STAGES = [Path(f"work/{stage}.json") for stage in ("extract", "denoise", "connect")]


@pytest.mark.parametrize(
    "option", ["", "denoising: {mode: nilearn}", "connectivity: {kind: partial}\nquality: {min_coverage: 1}"]
)
def test_the_rules_are_the_run_chain(tmp_path, monkeypatch, option):
    plan = plan_study(tmp_path, option)
    monkeypatch.chdir(tmp_path)
    extract(STAGES[0], runs=plan.batches["batch-001"], job=plan.extract_job)
    denoise(STAGES[1], before=[STAGES[0]], runs=[], job=plan.denoise_job)
    connect(STAGES[2], before=STAGES[1], job=plan.connect_job)
    rois = plan.config.rois.names
    pairs = np.array([[rois.index(edge.first), rois.index(edge.second)] for edge in plan.config.edges])
    records = [record for record in read_records([STAGES[2]]) if record.failed_stage is None]
    assert records
    for record in records:
        run, facts = record.run, record.facts
        names, series = read_numbers(Path(facts["timeseries"]))
        result = analyse_run(
            series[:, choose_columns(names, rois, RoiVariant())],
            read_run_confounds(run),
            facts["t_r"],
            plan.config.specification,
            pairs,
            coverage=np.array([row["coverage"] for row in facts["coverage"]]),
            cleaner=clean_like_nilearn,
        )
        for name in ("r", "z", "z_variance", "z_variance_ac"):
            column = np.array([edge[name] for edge in facts["edges"]], dtype=float)
            assert_allclose(getattr(result.connections.edges, name), column, rtol=1e-12)
        assert result.quality.dof == facts["quality"]["dof"]
        if plan.config.denoising.mode == "projection":
            (predicted,) = predict_runs([run], plan.config)
            assert predicted.quality.dof == result.quality.dof


def plan_study(folder, option):
    """Plan a copy of the tiny study with some options replaced."""
    shutil.copytree(TINY, folder / "study", ignore=shutil.ignore_patterns("expected", "*.py"))
    config = folder / "study" / "config.yaml"
    content = yaml.safe_load(config.read_text())
    for section, values in (yaml.safe_load(option) or {}).items():
        content[section] = {**content.get(section, {}), **values}
    config.write_text(yaml.safe_dump(content, sort_keys=False))
    return plan_workflow([config])
