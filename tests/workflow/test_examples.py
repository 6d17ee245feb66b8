"""Every config in config/examples checks and runs on the real data beside the repository, and gives known numbers."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiSpheresMasker
from numpy.testing import assert_allclose

from rsconn.commands.check import check_config
from rsconn.files.tables import read_tsv
from rsconn.published_tables import read_numbers
from rsconn.rules.cohort import gather_cohort
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.infer import infer
from rsconn.rules.plan import WorkflowPlan, plan_workflow
from rsconn.rules.report import write_report

EXAMPLES = Path(__file__).resolve().parents[2] / "config" / "examples"
# Config -> what the check's first line and its "ready" say
SAID = {
    "rapidtide": ("1 people with images, 1 runs, 4 ROIs, 2 edges, 0 claims", "1 people, 1 runs"),
    "rapidtide_labels": ("1 people with images, 1 runs, 4 ROIs, 2 edges, 0 claims", "1 people, 1 runs"),
    "rapidtide_smoothed": (
        "1 people with images, 1 runs, 4 ROIs and 24 variants of them, 2 edges, 0 claims",
        "1 people, 1 runs",
    ),
    "rpn": ("70 people with images, 70 runs, 4 ROIs, 2 edges, 13 claims", "70 people, 70 runs"),
    "ds000201": ("no images: 5 scores, 5 claims", "86 people, no images"),
    "ds003823": ("no images: 2 scores, 5 claims", "193 people, no images"),
}


def run_steps(plan: WorkflowPlan, *, to_the_report: bool = False) -> None:
    """Do what the workflow does, in this process and the working directory."""
    records = []
    for batch in plan.batches:
        stages = {name: Path("work") / name / f"{batch}.json" for name in ("extract", "denoise", "connect")}
        runs = plan.batches[batch]
        if not plan.parcellated:
            extract(stages["extract"], runs=runs, job=plan.extract_job)
        before = [] if plan.parcellated else [stages["extract"]]
        denoise(stages["denoise"], before=before, runs=runs, job=plan.denoise_job)
        connect(stages["connect"], before=stages["denoise"], job=plan.connect_job)
        records.append(stages["connect"])
    gather_cohort(records, settings=plan.config)
    infer(Path("group/cohort.tsv"), settings=plan.config)
    if to_the_report:
        write_report(Path("group"), settings=plan.config)


@pytest.fixture
def run(shared_data, tmp_path, monkeypatch):
    """Run an example in an empty folder; return its plan."""

    def run_example(name, **options):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        plan = plan_workflow([EXAMPLES / f"{name}.yaml"])
        run_steps(plan, **options)
        return plan

    return run_example


def read_one(pattern):
    (path,) = Path().rglob(pattern)
    names, values = read_numbers(path)
    return dict(zip(names, values.T, strict=True))


def read_claims():
    table = read_tsv(Path("group/claims.tsv"))
    return {
        claim: {name: cells[row] for name, cells in table.items()} for row, claim in enumerate(table["id"])
    }


def test_every_example_has_its_test():
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_every_example_is_ready(shared_data, name):
    result = check_config(EXAMPLES / f"{name}.yaml")
    assert result.problems == ()
    assert result.lines[0] == SAID[name][0]
    assert result.lines[-1].startswith(f"ready: {SAID[name][1]}, about")


@pytest.mark.slow
@pytest.mark.workflow
@pytest.mark.parametrize("name", SAID)
def test_every_example_runs_to_its_report(shared_data, tmp_path, name):
    done = subprocess.run(
        [sys.executable, "-m", "rsconn.cli", "run", str(EXAMPLES / f"{name}.yaml"), "--cores", "1"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / name / "report.html").is_file()


def test_ds003823_from_table_to_report(run):
    """ERQ sums, younger and older; the means and SDs are those that the study's notes on its norms quote."""
    run("ds003823", to_the_report=True)
    scores = read_tsv(Path("group/scores.tsv"))
    assert scores["n"] == ["192", "192"]
    claims = read_claims()
    assert claims["A1"]["n_per_group"] == "a=120;b=72"
    assert float(claims["A1"]["estimate"]) == pytest.approx(16.14 - 14.33, abs=0.011)
    assert float(claims["A2"]["estimate"]) == pytest.approx(29.59 - 30.19, abs=0.011)
    assert read_tsv(Path("group/flow.tsv"))["stage"] == ["in the tables"] * 2
    assert set(read_tsv(Path("group/exclusions.tsv"))["rule"]) == {"scores.CR", "scores.ES"}
    assert "Scores alone were analysed" in Path("methods.md").read_text()
    assert "A1" in Path("report.html").read_text()


def test_ds000201_item_means_with_decimal_commas(run):
    run("ds000201")
    assert read_tsv(Path("group/scores.tsv"))["possible_max"][:4] == ["28"] * 4
    claims = read_claims()
    assert claims["W1"]["n_per_group"] == "a=44;b=42"
    assert claims["W1"]["verdict"] == "supported"
    assert claims["X1"]["n"] == "86"


VOLUMES = [0, 100, 239]


@pytest.fixture
def mask_like_nilearn(shared_data):
    """Return what one of nilearn's maskers gives for some volumes of the real run, as float64."""
    func = shared_data / "rapidtide/sub-rapidtide/func"
    image = nib.load(next(func.glob("*_desc-preproc_bold.nii.gz")))
    part = np.stack([image.dataobj[..., volume] for volume in VOLUMES], axis=-1).astype(float)

    def mask(masker):
        masker.set_params(
            mask_img=next(func.glob("*_desc-brain_mask.nii.gz")), standardize=None, reports=False
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # labels outside the mask, options that will go
            return masker.fit_transform(nib.Nifti1Image(part, image.affine))

    return mask


def test_smoothed_spheres_and_their_variants_equal_nilearn(run, mask_like_nilearn):
    plan = run("rapidtide_smoothed")
    series = read_one("*_stat-mean_timeseries.tsv")
    centers = [roi.sphere.center_mm for roi in plan.config.rois.rois]
    for radius, fwhm, suffix in ((6, 6, ""), (8, 6, "_R8S6"), (4, None, "_R4S0")):
        expected = mask_like_nilearn(NiftiSpheresMasker(centers, radius=radius, smoothing_fwhm=fwhm))
        for column, name in enumerate(plan.config.rois.names):
            assert_allclose(series[name + suffix][VOLUMES], expected[:, column], rtol=1e-6)
    edges = read_tsv(Path("group/edges.tsv"))
    assert edges["edge"] == ["LAI-dmPFC", "rACC-oPFC"]


def test_variants_change_nothing_of_the_regions(run):
    run("rapidtide_smoothed")
    with_variants = read_one("*_stat-mean_timeseries.tsv")
    smoothed_edges = Path("group/edges.tsv").read_bytes()
    assert list(read_one("*_desc-denoised_timeseries.tsv")) == ["LAI", "dmPFC", "rACC", "oPFC"]
    run("rapidtide")
    plain = read_one("*_stat-mean_timeseries.tsv")
    assert Path("group/edges.tsv").read_bytes() != smoothed_edges
    for name, series in plain.items():
        assert_allclose(with_variants[f"{name}_R6S0"], series, rtol=1e-13)


def test_atlas_labels_by_name_equal_nilearn(run, mask_like_nilearn, shared_data):
    run("rapidtide_labels")
    series = read_one("*_stat-mean_timeseries.tsv")
    atlas = shared_data / "templates/MIST122/atlas_relabeled.nii.gz"
    masker = NiftiLabelsMasker(atlas, keep_masked_labels=False)
    expected = mask_like_nilearn(masker)
    labels = [int(label) for label in masker.labels_ if label]
    table = read_tsv(atlas.with_suffix("").with_suffix(".tsv"))
    number = {name: int(index) for name, index in zip(table["labels"], table["index"], strict=True)}
    for roi, name in (("AINS", "AINS_ad"), ("dmPFC", "DMPFcor_ac"), ("pgACC", "PGACcor")):
        assert_allclose(series[roi][VOLUMES], expected[:, labels.index(number[name])], rtol=1e-6)
