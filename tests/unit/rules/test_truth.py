"""What was planted is shown and never analysed: no module but the report's step looks at it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rsconn.rules.jobs import JOBS
from rsconn.rules.plan import WorkflowPlan
from rsconn.rules.report import list_truth_problems
from rsconn.settings.checks import find_missing_files
from rsconn.settings.config import Config, read_config


def test_only_the_report_reads_the_truth(root: Path) -> None:
    users = {
        path.relative_to(root / "src" / "rsconn").as_posix()
        for path in (root / "src" / "rsconn").rglob("*.py")
        if re.search(r"(config|settings|file)\.truth\b|read_planted_places\(", path.read_text())
    }
    assert users == {"settings/checks.py", "report/maps/found.py", "rules/report.py"}


def test_no_rule_but_the_report_is_told_of_it(root: Path) -> None:
    plan = WorkflowPlan(read_config(root / "config" / "config.yaml"), ())
    assert {step for step in JOBS if "truth" in plan.make_job(step).get("settings", plan.make_job(step))} == {
        "report"
    }


def test_a_missing_truth_file_is_told_before_any_job(root: Path, tmp_path: Path) -> None:
    config = read_config(root / "config" / "config.yaml").model_copy(
        update={"truth": tmp_path / "truth.json"}
    )
    [line] = [line for line in find_missing_files(config) if "truth: " in line]
    assert line.endswith("truth.json does not exist; for real data remove truth")


def write_dataset(root: Path, folder: Path, maker: str) -> Config:
    """Return the demo's config with a dataset made by somebody."""
    (folder / "dataset_description.json").write_text(json.dumps({"GeneratedBy": [{"Name": maker}]}))
    config = read_config(root / "config" / "config.yaml")
    source = config.input.model_copy(update={"derivatives": (folder,)})
    return config.model_copy(update={"input": source, "truth": folder / "truth.json"})


def test_a_truth_file_beside_real_data_is_refused_before_any_job(root: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text('{"maps": []}')
    [line] = list_truth_problems(write_dataset(root, tmp_path, "fMRIPrep"))
    assert re.search(
        r"config\.yaml: truth: .*truth\.json found, and no input dataset says that it is simul", line
    )
    assert line.endswith("for real data remove truth")
    assert list_truth_problems(write_dataset(root, tmp_path, "rsconn simulate")) == []


def test_another_file_than_the_truth_is_told_before_any_job(root: Path, tmp_path: Path) -> None:
    config = write_dataset(root, tmp_path, "rsconn simulate")
    assert list_truth_problems(config) == []  # told with the other missing files
    (tmp_path / "truth.json").write_text("{}")
    [line] = list_truth_problems(config)
    assert "truth.json: not readable as what was planted" in line
    [folder] = list_truth_problems(config.model_copy(update={"truth": tmp_path}))
    assert "the truth.json of `rsconn simulate` needed (truth)" in folder
