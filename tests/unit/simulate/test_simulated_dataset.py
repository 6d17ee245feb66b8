from __future__ import annotations

import filecmp
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from rsconn.files.tables import read_tsv
from rsconn.published_tables import read_numbers
from rsconn.simulate.simulated_dataset import simulate_study, simulate_tiny_study


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return simulate_tiny_study(tmp_path_factory.mktemp("tiny") / "study")


def list_files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def get_func(folder: Path) -> Path:
    return sorted((folder / "derivatives" / "fmriprep").glob("sub-*/func"))[0]


def test_tiny_study_is_whole_and_small(tiny):
    names = {str(path) for path in list_files(tiny) if "sub-" not in str(path)}
    assert names == {
        "README",
        "dataset_description.json",
        "participants.json",
        "participants.tsv",
        "truth.json",
        "derivatives/fmriprep/dataset_description.json",
    }
    assert len(list((tiny / "derivatives" / "fmriprep").glob("sub-*"))) == 12
    assert sum((tiny / path).stat().st_size for path in list_files(tiny)) < 1.5e6


def test_each_person_has_fmriprep_names(tiny):
    func = get_func(tiny)
    subject = func.parent.name
    in_space = f"{subject}_task-rest_space-MNI152NLin2009cAsym_res-12"
    assert {path.name for path in func.iterdir()} == {
        f"{in_space}_desc-preproc_bold.nii.gz",
        f"{in_space}_desc-preproc_bold.json",
        f"{in_space}_desc-brain_mask.nii.gz",
        f"{in_space}_desc-brain_mask.json",
        f"{subject}_task-rest_desc-confounds_timeseries.tsv",
        f"{subject}_task-rest_desc-confounds_timeseries.json",
    }


def test_everything_says_simulated(tiny):
    for path in list_files(tiny):
        if path.name in {"dataset_description.json", "participants.json", "truth.json", "README"}:
            assert "SIMULATED" in (tiny / path).read_text(), path


def test_images_read_back_with_nibabel(tiny):
    nib = pytest.importorskip("nibabel")
    func = get_func(tiny)
    bold = nib.load(next(func.glob("*_bold.nii.gz")))
    mask = nib.load(next(func.glob("*_mask.nii.gz")))
    assert bold.shape == (16, 19, 16, 60)
    assert bold.get_data_dtype() == np.int16
    assert bold.dataobj.slope == 125.0
    assert bold.header.get_zooms() == (12.0, 12.0, 12.0, 2.0)
    assert bold.header.get_xyzt_units() == ("mm", "sec")
    assert int(bold.header["sform_code"]) == int(bold.header["qform_code"]) == 4
    np.testing.assert_array_equal(bold.affine, mask.affine)
    np.testing.assert_allclose(bold.header.get_qform(), bold.affine, atol=1e-4)
    inside = np.asarray(mask.dataobj) > 0
    data = np.asarray(bold.dataobj)
    assert data[inside].min() > 0
    assert (data[0, 0, 0] == 0).all()
    global_signal = data[inside].mean(axis=0)
    names, values = read_numbers(next(func.glob("*_timeseries.tsv")))
    np.testing.assert_allclose(values[:, names.index("global_signal")], global_signal, rtol=2e-3)


def test_nilearn_reads_the_confounds(tiny):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nilearn.interfaces.fmriprep import load_confounds

        bold = next(get_func(tiny).glob("*_bold.nii.gz"))
        confounds, sample_mask = load_confounds(
            str(bold),
            strategy=("motion", "high_pass", "wm_csf", "global_signal", "compcor"),
            motion="full",
            compcor="anat_separated",
            n_compcor=5,
        )
    assert len(confounds) == 60
    assert sum(name.startswith("a_comp_cor") for name in confounds) == 10
    assert {"cosine00", "global_signal", "csf", "white_matter", "trans_x_derivative1_power2"} <= set(
        confounds
    )
    assert len(sample_mask) == 58  # two volumes are not steady


def test_threads_do_not_change_a_byte(tiny, tmp_path):
    again = simulate_tiny_study(tmp_path / "again", n_jobs=1)
    files = list_files(tiny)
    assert files == list_files(again)
    same, *_ = filecmp.cmpfiles(tiny, again, map(str, files), shallow=False)
    assert len(same) == len(files)


def test_truth_matches_the_tables(tiny):
    truth = json.loads((tiny / "truth.json").read_text())
    table = read_tsv(tiny / "participants.tsv")
    assert list(truth["people"]) == sorted(table["participant_id"])
    scanned = {name for name, person in truth["people"].items() if "true_z" in person}
    assert scanned == {path.name for path in (tiny / "derivatives" / "fmriprep").glob("sub-*")}
    assert all(claim["expected"] == "open" for claim in truth["claims"].values())


def test_null_and_problems_reach_the_files(tmp_path):
    folder = simulate_study(
        tmp_path,
        seed=2,
        null=True,
        voxel_mm=12.0,
        n_volumes=60,
        n_scored=(4, 4),
        n_scanned=(2, 2),
        n_jobs=1,
    )
    truth = json.loads((folder / "truth.json").read_text())
    assert truth["null"] is True
    short = [name for name, problem in truth["problems"].items() if problem["kind"] == "short run"]
    confounds = next((folder / "derivatives" / "fmriprep" / short[0] / "func").glob("*_timeseries.tsv"))
    assert len(read_numbers(confounds)[1]) == 27
    assert "n/a" in (folder / "participants.tsv").read_text()
