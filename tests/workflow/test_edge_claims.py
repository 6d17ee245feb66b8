"""A claim on every edge goes the whole way: matrices, claims, figure and page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rsconn.files.tables import read_tsv

pytestmark = pytest.mark.workflow

CLAIM = """
- {id: N1, family: networks, text: "Some edge differs.", outcome: {edges: all}, expect: different, exploratory: true,
   contrast: {column: group, a: therapist, b: control}}
"""


def test_all_edges_as_one_claim(finished, tmp_path):
    study = type(finished)(Path(shutil.copytree(finished.folder, tmp_path / "study", symlinks=True)))
    path = study.folder / "claims.yaml"
    path.write_text(path.read_text(encoding="utf-8") + CLAIM, encoding="utf-8")
    assert {"matrices", "infer", "report"} <= set(study.list_planned()) - {"extract", "denoise", "connect"}
    result = study.run()
    assert result.returncode == 0, result.stdout + result.stderr
    claims = read_tsv(study.results / "group" / "claims.tsv")
    before = read_tsv(finished.results / "group" / "claims.tsv")
    assert claims["id"] == [*before["id"], "N1"]
    assert claims["p"][:-1] == before["p"]
    assert claims["estimator"][-1] in {"max_t", "n/a"}
    page = (study.results / "report.html").read_text(encoding="utf-8")
    assert 'id="claim-N1"' in page
    assert "Some edge differs." in page
    assert (study.results / "figures" / "matrix_N1.svg").is_file()
    matrix = read_tsv(study.results / "group" / "matrix_N1.tsv")
    assert matrix["roi_1"][0] == "LAI" or not matrix["roi_1"]
