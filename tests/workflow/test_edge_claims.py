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
    result = study.run()
    assert result.returncode == 0, result.stdout + result.stderr
    claims = read_tsv(study.results / "group" / "claims.tsv")
    before = read_tsv(finished.results / "group" / "claims.tsv")
    assert claims["id"] == [*before["id"], "N1"]
    assert claims["p"][:-1] == before["p"]
    assert claims["estimator"][-1] == "max_t"
    assert claims["verdict"][-1] != "not testable"
    page = (study.results / "report.html").read_text(encoding="utf-8")
    assert 'id="claim-N1"' in page
    assert "Some edge differs." in page
    assert (study.results / "figures" / "matrix_N1.svg").is_file()
    matrix = read_tsv(study.results / "group" / "matrix_N1.tsv")
    n_rois = len({*matrix["roi_1"], *matrix["roi_2"]})
    assert len(matrix["roi_1"]) == n_rois * (n_rois - 1) / 2
    assert float(claims["p"][-1]) == min(float(p) for p in matrix["p_fwe"])


def test_a_claim_on_many_edges_reads_no_image_again(rerun):
    path = rerun.folder / "claims.yaml"
    path.write_text(path.read_text(encoding="utf-8") + CLAIM, encoding="utf-8")
    planned = set(rerun.list_planned())
    assert {"matrices", "infer", "report"} <= planned
    assert planned.isdisjoint({"extract", "denoise", "connect"})
