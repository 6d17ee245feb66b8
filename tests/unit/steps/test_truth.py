"""What was planted is shown and never analysed: no module but the report's step looks at it."""

from __future__ import annotations

import re
from pathlib import Path

from rsconn.settings.checks import find_missing_files
from rsconn.settings.config import read_config
from rsconn.steps.plan import Plan


def test_only_the_report_reads_the_truth(root: Path) -> None:
    users = {
        path.relative_to(root / "src" / "rsconn").as_posix()
        for path in (root / "src" / "rsconn").rglob("*.py")
        if re.search(r"(config|settings|file)\.truth\b|read_planted_places\(", path.read_text())
    }
    assert users == {"settings/checks.py", "report/planted.py", "steps/report.py"}


def test_no_rule_but_the_report_is_told_of_it(root: Path) -> None:
    plan = Plan(read_config(root / "config" / "config.yaml"), ())
    told = {
        name for name in dir(type(plan))
        if name.endswith("_settings") and "truth" in str(getattr(plan, name))
    }  # fmt: skip
    assert told == {"report_settings"}


def test_a_missing_truth_file_is_told_before_any_job(root: Path, tmp_path: Path) -> None:
    config = read_config(root / "config" / "config.yaml").model_copy(
        update={"truth": tmp_path / "truth.json"}
    )
    assert [line for line in find_missing_files(config) if "truth: " in line and "does not exist" in line]
