"""The wheel carries the workflow: a study runs from nothing but what is inside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.workflow


def test_the_wheel_runs_a_study(study, tmp_path, root):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(root)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    house = site / "rsconn" / "house"
    assert (house / "Snakefile").is_file()
    assert (house / "config" / "studies" / "olalde-mathieu-2022" / "claims.yaml").is_file()
    assert (house / "config" / "strategies" / "acompcor.yaml").is_file()
    assert (site / "rsconn" / "report" / "templates" / "page.html.j2").is_file()
    planned = study.list_planned(code=site)
    assert planned == {"extract": 3, "denoise": 3, "connect": 3, "cohort": 1, "infer": 1, "report": 1}
