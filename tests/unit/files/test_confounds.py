"""Confounds of real fMRIPrep runs, read as nilearn reads them and chosen as nilearn chooses."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from rsconn.errors import RunError, TableError
from rsconn.files.confounds import read_confounds, rename_old_column
from rsconn.signal.projection import NuisanceDesign, project_out
from rsconn.signal.quality import count_nonsteady, make_sample_mask
from rsconn.signal.regressors import select_confounds

FMRIPREP_14 = [
    f"confounds/fmriprep-1.4_ds002790/sub-{label}_task-restingstate_acq-seq_desc-confounds_regressors.tsv"
    for label in ("0043", "0060", "0176")
]
FMRIPREP_20 = [
    f"confounds/fmriprep-20.2.1_ds003798/sub-{run}_desc-confounds_timeseries.tsv"
    for run in (
        "CC0005_ses-core1p1_task-rest_run-1",
        "CC0018_ses-core1p1_task-rest_run-1",
        "CC0018_ses-core1p1_task-rest_run-2",
        "CC0026_ses-core1p1_task-rest_run-2",
    )
]
FMRIPREP_23_SHAPED = ["rapidtide/sub-rapidtide/func/sub-rapidtide_task-rest_desc-confounds_timeseries.tsv"]
REAL = FMRIPREP_14 + FMRIPREP_20 + FMRIPREP_23_SHAPED

# Our strategy -> load_confounds' arguments; nilearn wants high_pass with compcor, its cosines are set aside.
STRATEGIES = {
    "motion 6": ({"motion": 6}, {"strategy": ["motion"], "motion": "basic"}),
    "motion 12": ({"motion": 12}, {"strategy": ["motion"], "motion": "derivatives"}),
    "motion 24": ({"motion": 24}, {"strategy": ["motion"], "motion": "full"}),
    "tissues 2": ({"wm_csf": 2}, {"strategy": ["wm_csf"], "wm_csf": "basic"}),
    "tissues 4": ({"wm_csf": 4}, {"strategy": ["wm_csf"], "wm_csf": "derivatives"}),
    "tissues 8": ({"wm_csf": 8}, {"strategy": ["wm_csf"], "wm_csf": "full"}),
    "global 1": ({"global_signal": 1}, {"strategy": ["global_signal"], "global_signal": "basic"}),
    "global 2": ({"global_signal": 2}, {"strategy": ["global_signal"], "global_signal": "derivatives"}),
    "global 4": ({"global_signal": 4}, {"strategy": ["global_signal"], "global_signal": "full"}),
    "36P": (
        {"motion": 24, "wm_csf": 8, "global_signal": 4},
        {
            "strategy": ["motion", "wm_csf", "global_signal"],
            "motion": "full",
            "wm_csf": "full",
            "global_signal": "full",
        },
    ),
    "aCompCor 5+5": (
        {"motion": 6, "acompcor_wm": 5, "acompcor_csf": 5},
        {
            "strategy": ["motion", "high_pass", "compcor"],
            "motion": "basic",
            "compcor": "anat_separated",
            "n_compcor": 5,
        },
    ),
    "aCompCor 2+2": (
        {"acompcor_wm": 2, "acompcor_csf": 2},
        {"strategy": ["high_pass", "compcor"], "compcor": "anat_separated", "n_compcor": 2},
    ),
    "aCompCor 50 %": (
        {"acompcor_variance": 0.5},
        {"strategy": ["high_pass", "compcor"], "compcor": "anat_separated", "n_compcor": "all"},
    ),
}


def read(path):
    sidecar = path.with_suffix(".json")
    return read_confounds(path, sidecar if sidecar.exists() else None)


@pytest.fixture
def load_with_nilearn(tmp_path):
    """nilearn's load_confounds on a copy beside an (empty) image of the run."""

    def load(tsv, **arguments):
        from nilearn.interfaces.fmriprep import load_confounds

        for file in (tsv, tsv.with_suffix(".json")):
            shutil.copyfile(file, tmp_path / file.name)
        image = tmp_path / (tsv.name.partition("_desc")[0] + "_desc-preproc_bold.nii.gz")
        image.touch()
        return load_confounds(str(image), demean=False, **arguments)

    return load


@pytest.mark.parametrize("file", REAL)
@pytest.mark.parametrize("case", STRATEGIES)
def test_chosen_confounds_are_those_of_nilearn(shared_data, load_with_nilearn, file, case):
    ours, theirs = STRATEGIES[case]
    confounds = read(shared_data / file)
    chosen = select_confounds(confounds.names, confounds.values, confounds.metadata, **ours)
    expected, _ = load_with_nilearn(shared_data / file, **theirs)
    expected = expected[[name for name in expected.columns if not name.startswith("cosine")]]
    assert set(chosen.names) == set(expected.columns)
    ordered = expected[list(chosen.names)].to_numpy()
    # below the first row: there nilearn repeats the second row in derivatives, where we write 0
    np.testing.assert_allclose(chosen.values[1:], ordered[1:], rtol=1e-12)
    whole = [not np.isnan(confounds.get(name)[0]) for name in chosen.names]
    np.testing.assert_allclose(chosen.values[0, whole], ordered[0, whole], rtol=1e-12)
    assert not chosen.values[0, ~np.array(whole)].any()


@pytest.mark.parametrize("file", REAL)
@pytest.mark.parametrize(("fd_threshold", "dvars_threshold"), [(0.5, 1.5), (0.2, 1e9), (1e9, 1.2)])
def test_retained_volumes_are_those_of_nilearn(
    shared_data, load_with_nilearn, file, fd_threshold, dvars_threshold
):
    confounds = read(shared_data / file)
    mask = make_sample_mask(
        confounds.get("framewise_displacement"),
        confounds.get("std_dvars"),
        fd_threshold_mm=fd_threshold,
        dvars_threshold=dvars_threshold,
        n_nonsteady=count_nonsteady(confounds.names, confounds.values),
    )
    _, kept = load_with_nilearn(
        shared_data / file,
        strategy=["scrub", "motion"],
        motion="basic",
        scrub=0,
        fd_threshold=fd_threshold,
        std_dvars_threshold=dvars_threshold,
    )
    expected = np.arange(len(mask)) if kept is None else kept
    assert np.flatnonzero(mask).tolist() == expected.tolist()


@pytest.mark.parametrize("file", REAL)
@pytest.mark.parametrize(
    "strategy",
    [
        {"motion": 6},
        {"motion": 24},
        {"motion": 6, "acompcor_wm": 5, "acompcor_csf": 5},
        {"acompcor_variance": 0.5},
        {"motion": 24, "wm_csf": 8, "global_signal": 4},
    ],
)
def test_dof_on_real_runs_is_what_the_rank_leaves(shared_data, rng, file, strategy):
    confounds = read(shared_data / file)
    chosen = select_confounds(confounds.names, confounds.values, confounds.metadata, **strategy)
    fd = confounds.get("framewise_displacement")
    mask = make_sample_mask(
        fd, None, fd_threshold_mm=0.5, n_nonsteady=count_nonsteady(confounds.names, confounds.values)
    )
    design = NuisanceDesign(len(fd), 1.5 if "rapidtide" in file else 2.0, (0.01, 0.08), chosen.values)
    result = project_out(rng.standard_normal((len(fd), 2)), design, mask)
    rows = design.matrix[mask]
    lengths = np.linalg.norm(rows, axis=0)
    rank = np.linalg.matrix_rank(rows[:, lengths > 0] / lengths[lengths > 0])
    assert result.dof == mask.sum() - rank


OLD_HEADER = (
    "CSF\tWhiteMatter\tGlobalSignal\tstdDVARS\tnon-stdDVARS\tvx-wisestdDVARS\tFramewiseDisplacement\ttCompCor00\t"
    "aCompCor00\taCompCor01\tCosine00\tNonSteadyStateOutlier00\tX\tY\tZ\tRotX\tRotY\tRotZ\tAROMAAggrComp01"
)


@pytest.fixture
def old_table(tmp_path):
    """A table with the columns of fMRIPrep 1.1."""
    path = tmp_path / "sub-01_task-rest_bold_confounds.tsv"
    rows = [[row + column / 100 for column in range(19)] for row in range(4)]
    for number, row in enumerate(rows):
        row[11] = float(number == 0)
    lines = ["\t".join(map(str, row)) for row in rows]
    lines[0] = lines[0].replace("0.06", "n/a", 1)
    path.write_text("\n".join([OLD_HEADER, *lines]) + "\n")
    return path


def test_old_columns_get_their_later_names(old_table):
    confounds = read_confounds(old_table, None)
    assert set(confounds.names) >= {"csf", "std_dvars", "a_comp_cor_01", "trans_x", "rot_z", "cosine00"}
    assert np.isnan(confounds.get("framewise_displacement")[0])
    assert count_nonsteady(confounds.names, confounds.values) == 1
    chosen = select_confounds(confounds.names, confounds.values, {}, motion=6, wm_csf=2, global_signal=1)
    np.testing.assert_allclose(chosen.values[2], 2 + np.array([12, 13, 14, 15, 16, 17, 1, 0, 2]) / 100)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ({"motion": 24}, "trans_x_derivative1.*6 motion, 0 motion derivatives"),
        (
            {"acompcor_wm": 5, "acompcor_csf": 5},
            "aCompCor WM, aCompCor CSF missing.*2 aCompCor whose mask no JSON",
        ),
    ],
)
def test_what_old_files_lack_is_said(old_table, strategy, message):
    confounds = read_confounds(old_table, None)
    with pytest.raises(RunError, match=message):
        select_confounds(confounds.names, confounds.values, confounds.metadata, **strategy)


def test_the_first_releases_numbered_without_zeros():
    assert [rename_old_column(name) for name in ("aCompCor0", "tCompCor5")] == [
        "a_comp_cor_00",
        "t_comp_cor_05",
    ]


def test_current_names_stay_as_they_are(shared_data):
    header = (shared_data / REAL[-1]).read_text().partition("\n")[0].split("\t")
    assert [rename_old_column(name) for name in header] == header


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty; a header line was needed"),
        ("a\tb\n", "a header and no rows; one row per volume"),
        ("0.1\t0.2\n0.3\t0.4\n", "the first line is numbers .0.1 ...."),
        ("a\ta\n1\t2\n", "column 'a' occurs twice"),
        ("X\ttrans_x\n1\t2\n", "column 'trans_x' occurs twice"),
        ("a\tb\n1\t2\t3\n", "line 2 has 3 cells, the header has 2"),
        ("a\tb\n1\tx\n", "line 2: 'x' found"),
        ("a\tb\n1,5\t2\n", "line 2: '1,5' found"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, message):
    path = tmp_path / "confounds.tsv"
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        read_confounds(path, None)


@pytest.mark.parametrize(
    ("text", "message"), [("{", "not readable as JSON"), ("[1]", "object was needed, found list")]
)
def test_a_broken_sidecar_is_refused(tmp_path, old_table, text, message):
    sidecar = tmp_path / "confounds.json"
    sidecar.write_text(text)
    with pytest.raises(TableError, match=message):
        read_confounds(old_table, sidecar)
