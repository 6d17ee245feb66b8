"""The per-run path starts fast: it brings in numpy and the standard library, not the heavy libraries."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rsconn.rules.plan import plan_workflow

TINY = Path(__file__).resolve().parents[2] / "reference" / "tiny"
HEAVY = ("nilearn", "nibabel", "pandas", "matplotlib", "statsmodels", "scipy", "sklearn", "pydantic")
MODULES = (
    "rsconn.files.images",
    "rsconn.files.regions",
    "rsconn.files.writing",
    "rsconn.signal.seedmaps",
    "rsconn.rules.extract",
    "rsconn.rules.seedmap",
    "rsconn.rules.denoise",
    "rsconn.rules.connect",
)
# What the rules of the per-run path do for one run, in a process of its own.
WHOLE_PATH = """
import pickle
from pathlib import Path
plan = pickle.loads(Path("plan.pickle").read_bytes())
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.seedmap import make_seedmaps
extract(Path("extract.json"), runs=plan["runs"], job=plan["extract"])
make_seedmaps(Path("seedmap.json"), runs=plan["runs"], job=plan["seedmap"])
denoise(Path("denoise.json"), before=[Path("seedmap.json")], runs=[], job=plan["denoise"])
connect(Path("connect.json"), before=Path("denoise.json"), job=plan["connect"])
"""


def list_imported(code: str, folder: Path) -> set[str]:
    """Return the top-level packages that `python -X importtime` lists."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in rows}


@pytest.mark.parametrize("module", MODULES)
def test_importing_the_per_run_path_imports_no_heavy_library(module, tmp_path):
    imported = list_imported(f"import {module}", tmp_path)
    assert "numpy" in imported
    assert not set(HEAVY) & imported


def test_running_the_per_run_path_imports_no_heavy_library(tmp_path):
    shutil.copytree(TINY, tmp_path / "study", ignore=shutil.ignore_patterns("expected", "*.py"))
    config = tmp_path / "study" / "config.yaml"
    config.write_text(config.read_text() + "seeds: [LAI]\n")
    plan = plan_workflow([config])
    described = {
        "runs": plan.batches["batch-001"][:1],
        "extract": plan.extract_job,
        "seedmap": plan.seedmap_job,
        "denoise": plan.denoise_job,
        "connect": plan.connect_job,
    }
    (tmp_path / "plan.pickle").write_bytes(pickle.dumps(described))
    imported = list_imported(WHOLE_PATH, tmp_path)
    assert not set(HEAVY) & imported
    record = json.loads((tmp_path / "connect.json").read_text())[0]
    assert record["failed_stage"] is None, record["reason"]
    assert list(record["facts"]["seed_maps"]) == ["LAI"]
