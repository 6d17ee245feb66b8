"""Dense series (CIFTI) through the door of volumes: the tiny study's brain voxels as grayordinates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rsconn.analysis.run_chain import make_run_model
from rsconn.commands.check import check_config
from rsconn.errors import ProblemsError, SettingsError
from rsconn.files.run_records import read_records
from rsconn.files.tables import read_tsv
from rsconn.published_tables import read_numbers
from rsconn.report.page.methods_text import write_methods
from rsconn.rules.denoise import denoise, read_run_confounds
from rsconn.rules.extract import extract
from rsconn.rules.plan import plan_workflow
from rsconn.rules.seedmap import make_seedmaps
from rsconn.signal.projection import project_out

TINY = Path(__file__).resolve().parents[2] / "reference" / "tiny"
SPACE = "MNI152NLin2009cAsym"
EXTRACT, SEEDMAP, DENOISE = Path("work/extract.json"), Path("work/seedmap.json"), Path("work/denoise.json")
SEEDS = "seeds: [rACC, LAI]\nmaps: {smoothing_fwhm_mm: 0}\n"


@pytest.fixture
def volumes(tmp_path, monkeypatch):
    """The tiny study as it is: volumes."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(TINY, tmp_path / "volumes", ignore=shutil.ignore_patterns("expected", "*.py"))


@pytest.fixture
def study(tmp_path, monkeypatch, convert_to_dense):
    """The tiny study as dense series."""
    folder = shutil.copytree(TINY, tmp_path / "dense", ignore=shutil.ignore_patterns("expected", "*.py"))
    convert_to_dense(folder)
    for name in ("config.yaml", "rois.yaml"):
        edit(folder / name, SPACE, "fsLR")
    monkeypatch.chdir(tmp_path)
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def add(path, text):
    path.write_text(path.read_text() + text)


def list_series(study):
    return sorted(study.rglob("*_bold.dtseries.nii"))


def extract_batch(study):
    plan = plan_workflow([study / "config.yaml"])
    extract(EXTRACT, runs=plan.batches["batch-001"], job=plan.extract_job)
    return read_records([EXTRACT])


def test_series_and_quality_are_those_of_the_volumes(study, volumes):
    twins = extract_batch(volumes)
    expected = {record.run.name: read_numbers(Path(record.facts["timeseries"]))[1] for record in twins}
    records = extract_batch(study)
    assert len(records) == 4
    for record, twin in zip(records, twins, strict=True):
        assert record.failed_stage is None, record.reason
        names, series = read_numbers(Path(record.facts["timeseries"]))
        assert names == ("LAI", "dmPFC", "rACC", "oPFC")
        assert_allclose(series, expected[record.run.name], rtol=1e-12)
        for row, other in zip(record.facts["coverage"], twin.facts["coverage"], strict=True):
            assert row == {**other, "tsnr": pytest.approx(other["tsnr"], rel=1e-5)}
        assert (record.facts["t_r"], record.facts["n_volumes"]) == (twin.facts["t_r"], 60)


def test_what_a_series_is_from_stands_beside_it(study):
    [record, *_] = extract_batch(study)
    described = json.loads(Path(record.facts["timeseries"]).with_suffix(".json").read_text())
    assert (described["Space"], described["Density"]) == ("fsLR", "91k")
    assert described["Description"].startswith("Weighted mean over the usable grayordinates")
    assert described["Sources"] == record.run.cite(Path(record.run.bold))
    assert described["Sources"][0].startswith("bids:fmriprep:sub-")


def test_the_seeds_maps_are_correlations_of_denoised_grayordinates(study):
    add(study / "config.yaml", SEEDS)
    plan = plan_workflow([study / "config.yaml"])
    make_seedmaps(SEEDMAP, runs=plan.batches["batch-001"], job=plan.seedmap_job)
    denoise(DENOISE, before=[SEEDMAP], runs=[], job=plan.denoise_job)
    for record in read_records([DENOISE]):
        run, facts = record.run, record.facts
        names, cleaned = read_numbers(Path(facts["denoised"]))
        model = make_run_model(
            read_run_confounds(run), facts["t_r"], plan.denoise_job.cleaning, plan.denoise_job.censoring
        )
        series = nib.load(run.bold)
        rows = project_out(series.get_fdata(), model.design, model.sample_mask)
        for seed in ("LAI", "rACC"):
            path = Path(facts["seed_maps"][seed])
            assert path.name == f"{run.name}_seed-{seed}_stat-fisherz_boldmap.dscalar.nii"
            made = nib.load(path)
            assert made.header.get_axis(1) == series.header.get_axis(1)
            own = cleaned[:, names.index(seed)]
            r = own @ rows.cleaned / np.linalg.norm(rows.cleaned, axis=0) / np.linalg.norm(own)
            assert_allclose(np.tanh(made.get_fdata()[0]), r, atol=1e-5)
            described = json.loads(path.with_name(path.name.replace(".dscalar.nii", ".json")).read_text())
            assert described["Density"] == "91k"
            assert described["Sources"] == run.cite(run.bold, run.confounds)


def test_group_maps_are_not_asked_for(study):
    add(study / "config.yaml", SEEDS)
    plan = plan_workflow([study / "config.yaml"])
    assert plan.map_files == []
    assert plan.map_figures == []
    assert plan.list_extract_records("batch-001") == ["work/seedmap/batch-001.json"]


def test_the_check_is_ready_and_says_what_is_not_made(study):
    add(study / "config.yaml", SEEDS)
    checked = check_config(study / "config.yaml")
    assert checked.problems == ()
    assert checked.lines[-1].startswith("ready: 12 people, 12 runs")
    [line] = [line for line in checked.lines if "CIFTI" in line]
    assert line == (
        "seeds: dense series (CIFTI) get a map per run and seed (*_boldmap.dscalar.nii); group maps of "
        "grayordinates are not made"
    )


def test_the_check_predicts_what_it_predicts_for_volumes(study, volumes):
    lines = [line for line in check_config(study / "config.yaml").lines if "warning" not in line]
    assert lines == [line for line in check_config(volumes / "config.yaml").lines if "warning" not in line]


def test_the_methods_say_so(study):
    add(study / "config.yaml", SEEDS)
    plan = plan_workflow([study / "config.yaml"])
    settings = plan.config.model_dump(mode="json")
    text = write_methods({**settings, "dense": True}, {})
    assert "dense series (CIFTI) of grayordinates" in text
    assert "the mean over its grayordinates that carry signal" in text
    assert "group maps of grayordinates are not made" in text
    assert "brain mask" not in text
    assert "grayordinates" not in write_methods({**settings, "dense": False}, {})


SMOOTHED = {
    "denoising.smoothing_fwhm_mm: 6 mm": ("config.yaml", "0.15}", "0.15, smoothing_fwhm_mm: 6}"),
    "maps.smoothing_fwhm_mm: 6 mm": ("config.yaml", "batch_size: 4", "batch_size: 4\nseeds: [LAI]"),
    "variants.smoothing_fwhm_mm: 8 mm": (
        "rois.yaml",
        "  - name: dmPFC",
        "    variants: {smoothing_fwhm_mm: [4, 8]}\n  - name: dmPFC",
    ),
}


@pytest.mark.parametrize("told", SMOOTHED)
def test_smoothing_is_refused_before_any_job(study, told):
    name, old, new = SMOOTHED[told]
    edit(study / name, old, new)
    line = f"dense/config.yaml: {told} found; dense series (CIFTI) are not smoothed here, 0 needed"
    assert line in check_config(study / "config.yaml").problems
    with pytest.raises(SettingsError) as refused:
        plan_workflow([study / "config.yaml"])
    assert str(refused.value) == line


def test_volumes_and_dense_series_do_not_mix(study, volumes):
    shutil.rmtree(study / "data/derivatives/fmriprep/sub-02")
    shutil.copytree(volumes / "data/derivatives/fmriprep/sub-02", study / "data/derivatives/fmriprep/sub-02")
    edit(study / "config.yaml", "space: fsLR", f"space: [fsLR, {SPACE}]")
    edit(study / "config.yaml", "input:", "input:\n  accept_space_mismatch: true")
    line = (
        "dense/config.yaml: 11 of 12 runs are dense series (CIFTI), the others volumes; one kind is needed, "
        "name its space in input.filters"
    )
    with pytest.raises((SettingsError, ProblemsError)) as refused:
        plan_workflow([study / "config.yaml"])
    assert line in str(refused.value)


def test_confounds_of_another_length_leave_the_run_out(study):
    confounds = sorted(study.rglob("*_desc-confounds_timeseries.tsv"))[0]
    confounds.write_text("".join(confounds.read_text().splitlines(keepends=True)[:-3]))
    [first, *others] = extract_batch(study)
    assert (
        first.reason
        == f"sub-02_task-rest: {confounds.name} has 57 rows, the image 60 volumes; they must be equal"
    )
    assert {record.failed_stage for record in others} == {None}
    assert first.reason in " ".join(check_config(study / "config.yaml").lines)


def test_a_truncated_series_leaves_the_run_out(study):
    path = list_series(study)[1]
    path.write_bytes(path.read_bytes()[:-9999])
    records = extract_batch(study)
    assert [record.failed_stage for record in records] == [None, "extract", None, None]
    assert f"sub-03/func/{path.name}: the data end inside grayordinate" in records[1].reason


def test_a_sphere_on_a_cortex_without_surfaces_is_told_by_the_check(study):
    surface = nib.cifti2.BrainModelAxis.from_mask(np.ones(50, bool), name="CORTEX_LEFT")
    for path in list_series(study):
        image = nib.load(path)
        data = np.column_stack([image.get_fdata(), np.random.default_rng(1).normal(size=(60, 50))])
        axes = (image.header.get_axis(0), image.header.get_axis(1) + surface)
        nib.save(nib.Cifti2Image(data, header=axes), path)
    edit(study / "rois.yaml", "center_mm: [-36, 18, 2]", "center_mm: [-90, 18, 2]")
    [problem, *_] = check_config(study / "config.yaml").problems
    assert problem.startswith(
        f"{study / 'rois.yaml'}: ROI 'LAI': no voxel of sub-02_task-rest_space-fsLR_den-91k"
    )
    assert problem.endswith("needs surfaces: {left: FILE, right: FILE} (*.surf.gii) in the ROI set")
    add(study / "rois.yaml", "surfaces: {left: l.surf.gii, right: r.surf.gii}\n")
    problems = check_config(study / "config.yaml").problems
    assert "dense/rois.yaml: surfaces.left: dense/l.surf.gii does not exist" in problems


def test_an_atlas_of_other_grayordinates_is_told_by_the_check(study):
    models = nib.cifti2.BrainModelAxis.from_mask(np.ones((3, 3, 3), bool), name="OTHER", affine=np.eye(4))
    axis = nib.cifti2.LabelAxis(["atlas"], [{1: ("one", (1, 0, 0, 1))}])
    nib.save(nib.Cifti2Image(np.ones((1, 27)), header=(axis, models)), study / "a.dlabel.nii")
    add(study / "rois.yaml", "  - {name: X, source: ours, atlas: {image: a.dlabel.nii, label: one}}\n")
    [problem] = check_config(study / "config.yaml").problems
    assert problem == (
        f"{study / 'rois.yaml'}: ROI 'X': {study / 'a.dlabel.nii'}: its voxels lie on another grid ((3, 3, 3)) than "
        "those of the series ((16, 19, 16)); one grid is needed"
    )


def test_labels_equal_an_explicit_mean(study):
    [path, *_] = list_series(study)
    series = nib.load(path)
    keys = np.arange(series.shape[1]) % 7
    axis = nib.cifti2.LabelAxis(["atlas"], [{key: (f"P{key}", (1, 0, 0, 1)) for key in range(7)}])
    image = nib.Cifti2Image(keys[None].astype(np.float32), header=(axis, series.header.get_axis(1)))
    nib.save(image, study / "a.dlabel.nii")
    add(study / "rois.yaml", "  - {name: X, source: ours, atlas: {image: a.dlabel.nii, label: P3}}\n")
    [record, *_] = extract_batch(study)
    found = np.array(read_tsv(Path(record.facts["timeseries"]))["X"], float)
    data = series.get_fdata()[:, keys == 3]
    assert_allclose(found, data[:, np.ptp(data, axis=0) > 0].mean(axis=1), rtol=1e-12)
