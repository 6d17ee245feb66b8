"""The tiny study as dense series (CIFTI), from the images to the report: the frozen verdicts, and seed maps per run."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rsconn.files.tables import read_tsv

pytestmark = pytest.mark.workflow
EXPECTED = Path(__file__).resolve().parents[1] / "reference" / "tiny" / "expected" / "group"


def _compare(found, expected, names):
    new, old = read_tsv(found), read_tsv(expected)
    for name in names:
        if any(cell.replace("n/a", "").strip("-.0123456789e") for cell in old[name]):
            assert new[name] == old[name], name
        else:
            numbers = [np.array([cell.replace("n/a", "nan") for cell in t[name]], float) for t in (new, old)]
            assert_allclose(*numbers, rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.slow
def test_dense_series_lead_to_the_verdicts_of_the_volumes(study, convert_to_dense):
    convert_to_dense(study.folder)
    for name in ("config.yaml", "rois.yaml"):
        study.edit(name, "MNI152NLin2009cAsym", "fsLR")
    study.edit("config.yaml", "batch_size: 4", "batch_size: 4\nseeds: [LAI]\nmaps: {smoothing_fwhm_mm: 0}")
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "group maps of grayordinates are not made" in done.stdout
    group = study.results / "group"
    _compare(
        group / "edges.tsv", EXPECTED / "edges.tsv", ("participant_id", "edge", "r", "z", "z_variance", "dof")
    )
    _compare(group / "coverage.tsv", EXPECTED / "coverage.tsv", ("run", "roi", "coverage", "n_voxels"))
    _compare(
        group / "quality.tsv", EXPECTED / "quality.tsv", ("run", "n_retained", "mean_fd", "mean_dvars", "dof")
    )
    _compare(
        group / "claims.tsv", EXPECTED / "claims.tsv", ("id", "n", "estimate", "p", "p_family", "verdict")
    )
    maps = sorted(study.results.glob("sub-*/func/*_seed-LAI_stat-fisherz_boldmap.dscalar.nii"))
    assert len(maps) == 12
    assert all(np.isfinite(nib.load(path).get_fdata()).any() for path in maps)
    assert not (group / "maps").exists()
    assert not list(study.results.glob("figures/map_*"))
    page = (study.results / "report.html").read_text(encoding="utf-8")
    assert "group maps of grayordinates are not made" in page
    assert 'href="#maps"' not in page
