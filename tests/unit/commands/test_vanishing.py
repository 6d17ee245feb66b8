import subprocess
from pathlib import Path
from types import SimpleNamespace

from rsconn.commands import run
from rsconn.commands.check import CheckResult


def test_a_file_that_vanishes_while_the_study_runs_costs_its_run_alone(tmp_path: Path, monkeypatch, capsys):
    bold, mask = tmp_path / "bold.nii.gz", tmp_path / "mask.nii.gz"
    bold.touch()
    mask.touch()
    results = tmp_path / "results"
    checked = CheckResult((), (), results, {}, (bold, mask))
    monkeypatch.setattr(run, "check_config", lambda _: checked)
    monkeypatch.setattr(run, "describe_outcome", lambda _: ["report"])
    calls = []

    def start(words, **_):
        calls.append(words)
        mask.unlink(missing_ok=True)
        return SimpleNamespace(returncode=1 if len(calls) == 1 else 0)

    monkeypatch.setattr(subprocess, "run", start)
    assert run.run_workflow(tmp_path / "config.yaml") == 0
    assert len(calls) == 2
    assert f"{mask}: gone since the start; going on without it" in capsys.readouterr().err
