"""The one pass that makes ROI series and seed maps: same series as without maps, and an image is read once."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rsconn.analysis.run_chain import make_run_model
from rsconn.files import images as image_streams
from rsconn.files.run_records import read_records
from rsconn.published_tables import read_numbers
from rsconn.rules.denoise import denoise, read_run_confounds
from rsconn.rules.extract import extract
from rsconn.rules.plan import plan_workflow
from rsconn.rules.seedmap import make_seedmaps
from rsconn.signal.projection import project_out

TINY = Path(__file__).resolve().parents[2] / "reference" / "tiny"
SEEDMAP, EXTRACT, DENOISE = Path("work/seedmap.json"), Path("work/extract.json"), Path("work/denoise.json")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The tiny study with two seeds; its first batch (four runs) is what the tests take."""
    shutil.copytree(TINY, tmp_path / "study", ignore=shutil.ignore_patterns("expected", "*.py"))
    config = tmp_path / "study" / "config.yaml"
    config.write_text(config.read_text() + "seeds: [rACC, LAI]\nmaps: {smoothing_fwhm_mm: 0}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "study"


def make_study_plan(study):
    return plan_workflow([study / "config.yaml"])


def run_pass(study):
    """Run the pass of the first batch; return its records."""
    plan = make_study_plan(study)
    make_seedmaps(SEEDMAP, runs=plan.batches["batch-001"], job=plan.seedmap_job)
    return read_records([SEEDMAP])


@pytest.fixture
def passes(monkeypatch):
    """Count how often each image's volumes are streamed."""
    counts: Counter[str] = Counter()
    stream = image_streams._stream_compressed

    def count(header):
        counts[header.path.name] += 1
        return stream(header)

    monkeypatch.setattr(image_streams, "_stream_compressed", count)
    return counts


def test_an_image_is_read_once(study, passes):
    records = run_pass(study)
    images = {Path(record.run.bold).name for record in records}
    assert len(images) == 4
    assert {name: n for name, n in passes.items() if name.endswith("_bold.nii.gz")} == dict.fromkeys(
        images, 1
    )


def test_the_series_are_the_bytes_of_extract(study):
    records = run_pass(study)
    plan = make_study_plan(study)
    made = {path: path.read_bytes() for path in Path().glob("sub-*/func/*_seg-*")}
    assert len(made) == 4 * 4
    for path in made:
        path.unlink()
    extract(EXTRACT, runs=plan.batches["batch-001"], job=plan.extract_job)
    assert {path: path.read_bytes() for path in Path().glob("sub-*/func/*_seg-*")} == made
    for record, twin in zip(records, read_records([EXTRACT]), strict=True):
        own = {name: fact for name, fact in record.facts.items() if not name.startswith("seed_maps")}
        assert own == twin.facts


def test_the_maps_are_the_correlations_of_denoised_voxels(study):
    records = run_pass(study)
    plan = make_study_plan(study)
    denoise(DENOISE, before=[SEEDMAP], runs=[], job=plan.denoise_job)
    for record in read_records([DENOISE]):
        run, facts = record.run, record.facts
        names, cleaned = read_numbers(Path(facts["denoised"]))
        model = make_run_model(
            read_run_confounds(run), facts["t_r"], plan.denoise_job.cleaning, plan.denoise_job.censoring
        )
        inside = nib.load(run.mask).get_fdata() > 0
        voxels = project_out(nib.load(run.bold).get_fdata()[inside].T, model.design, model.sample_mask)
        assert facts["seed_maps_dof"] == voxels.dof
        for seed in ("LAI", "rACC"):
            z = nib.load(facts["seed_maps"][seed]).get_fdata()
            own = cleaned[:, [names.index(seed)]]
            r = (
                (voxels.cleaned * own).sum(axis=0)
                / np.linalg.norm(voxels.cleaned, axis=0)
                / np.linalg.norm(own)
            )
            assert_allclose(np.tanh(z[inside]), r, atol=1e-5)
            assert not z[~inside].any()
    assert len(records) == 4


def test_a_run_that_cannot_be_denoised_fails_there_alone(study):
    confounds = sorted(study.rglob("*_desc-confounds_timeseries.tsv"))[1]
    confounds.write_text(confounds.read_text().replace("rot_z", "rotation_z"))
    records = run_pass(study)
    assert [record.failed_stage for record in records] == [None] * 4
    assert ["seed_maps" in record.facts for record in records] == [True, False, True, True]
    plan = make_study_plan(study)
    denoise(DENOISE, before=[SEEDMAP], runs=[], job=plan.denoise_job)
    after = read_records([DENOISE])
    assert [record.failed_stage for record in after] == [None, "denoise", None, None]
    assert after[1].reason.startswith("sub-03_task-rest: confounds: rot_z missing")
    assert Path(records[1].facts["timeseries"]).is_file()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("fd_threshold_mm: 0.9|fd_threshold_mm: 0.0000001", "volumes retained"),
        ("low_pass_hz: 0.15|low_pass_hz: 0.02", "no degrees of freedom left"),
    ],
)
def test_without_degrees_of_freedom_there_are_no_maps(study, setting, reason):
    config = study / "config.yaml"
    config.write_text(config.read_text().replace(*setting.split("|")))
    assert not any("seed_maps" in record.facts for record in run_pass(study))
    assert not list(Path().rglob("*_boldmap.nii.gz"))
    plan = make_study_plan(study)
    denoise(DENOISE, before=[SEEDMAP], runs=[], job=plan.denoise_job)
    for record in read_records([DENOISE]):
        assert record.failed_stage == "denoise"
        assert reason in record.reason


def test_a_truncated_image_fails_alone_at_extract(study):
    bold = sorted(study.rglob("*_bold.nii.gz"))[2]
    bold.write_bytes(bold.read_bytes()[:-5000])
    records = run_pass(study)
    assert [record.failed_stage for record in records] == [None, None, "extract", None]
    assert "the data end inside volume" in records[2].reason
