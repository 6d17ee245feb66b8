"""Every benchmark script starts, and the one of speed goes through a section to its page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py"))


def run_script(name, *options):
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_starts(name):
    assert f"usage: {name}" in run_script(name, "--help")


def test_the_inputs_page_can_be_made():
    """Its script imports half of the package."""
    done = subprocess.run(
        [sys.executable, "-c", "import make_inputs"],
        cwd=FOLDER.parent / "docs", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_section_of_speed_becomes_a_page_with_its_figure(tmp_path):
    options = ("--tiny", "--repeats", "1", "--images", str(tmp_path))
    run_script("run.py", *options, "--only", "left")
    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "| left |" in page
    assert (
        "Not measured yet: ROI series of one run, Seed maps and ROI series in one pass, Two runs at once"
        in page
    )
    assert "| 2mm cache 100 labels |" in page
    run_script("run.py", *options, "--only", "together", "growth")
    page = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "| left |" in page, "what an earlier run measured is kept"
    assert "| 100 labels: two runs at once / one run: wall |" in page
    figure = (tmp_path / "performance.svg").read_text(encoding="utf-8")
    assert "peak memory (MiB)" in figure
    assert len(figure) < 250_000
