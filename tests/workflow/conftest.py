"""Run the tiny simulated study (tests/reference/tiny) through the real commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# One worker takes all of these, so that the finished study is run once.
TOGETHER = pytest.mark.xdist_group("workflow")
TINY = Path(__file__).resolve().parents[1] / "reference" / "tiny"


@dataclass(frozen=True)
class Study:
    """A copy of the tiny study in a folder of its own."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def rsconn(self, *words: str, code: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the study's folder; `code` is a source tree to use instead of the installed one."""
        environment = {**os.environ}
        if code is not None:
            environment["PYTHONPATH"] = str(code)
        return subprocess.run(
            [sys.executable, "-m", "rsconn.cli", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    def run(self, *words: str, cores: int = 2, code: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.rsconn("run", "config.yaml", "--cores", str(cores), *words, code=code)

    def list_planned(self, code: Path | None = None) -> dict[str, int]:
        """Return rule to number of jobs that a run would start."""
        shown = self.run("--", "--dry-run", code=code)
        assert shown.returncode == 0, shown.stderr
        lines = [line.split() for line in (shown.stdout + shown.stderr).splitlines()]
        rules = {"matrices", "extract", "seedmap", "denoise", "connect", "cohort", "infer", "maps", "report"}
        return {
            line[0]: int(line[1])
            for line in lines
            if len(line) == 2 and line[0] in rules and line[1].isdigit()
        }

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the workflow's tests on one worker."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(TOGETHER)


def copy_study(folder: Path) -> Study:
    """Copy the tiny study without its frozen results."""
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("expected", "*.py"))
    return Study(folder)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A fresh copy."""
    return copy_study(tmp_path / "study")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A copy that was run to its report on two cores; tests may read it, and copy it to change it."""
    done = copy_study(tmp_path_factory.mktemp("finished") / "study")
    result = done.run(cores=2)
    assert result.returncode == 0, result.stdout + result.stderr
    return done


@pytest.fixture
def rerun(finished: Study) -> Iterator[Study]:
    """The finished study, for edits of its settings and tables; they are undone afterwards, times included."""
    files = [*finished.folder.glob("*.yaml"), finished.folder / "data" / "participants.tsv"]
    before = {path: (path.read_bytes(), path.stat()) for path in files}
    yield finished
    for path, (content, status) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
