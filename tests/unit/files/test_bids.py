"""Runs found in every layout that fMRIPrep has written, ragged trees included."""

from __future__ import annotations

import json

import pytest

from rsconn.errors import DatasetError
from rsconn.files.bids import Run, find_parcellated_runs, find_runs

REST = {"task": ["rest"], "space": ["MNI152NLin2009cAsym"]}
MNI = "space-MNI152NLin2009cAsym"


@pytest.fixture
def make_dataset(tmp_path):
    """Write empty files of these names, in the folders that their entities ask for; JSON may have content."""

    def make(*names, sidecars=None, name="fmriprep"):
        dataset = tmp_path / name
        for file in names:
            path = dataset / (file if "/" in file else place(file))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for file, content in (sidecars or {}).items():
            path = dataset / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        return dataset

    return make


def place(file):
    entities = dict(part.split("-", 1) for part in file.split("_") if "-" in part)
    session = f"ses-{entities['ses']}/" if "ses" in entities else ""
    return f"sub-{entities['sub']}/{session}func/{file}"


def list_files(run_name, *, space=MNI, confounds="desc-confounds_timeseries"):
    """The files that fMRIPrep writes of one run in one space."""
    grid = f"{run_name}_{space}"
    return [
        f"{grid}_desc-preproc_bold.nii.gz",
        f"{grid}_desc-preproc_bold.json",
        f"{grid}_desc-brain_mask.nii.gz",
        f"{grid}_boldref.nii.gz",
        f"{run_name}_{confounds}.tsv",
        f"{run_name}_{confounds}.json",
    ]


def get_names(run):
    paths = (run.bold, run.mask, run.confounds, run.confounds_json)
    return [path.name if path else None for path in paths]


DENSE = [
    "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii",
    None,
    "sub-01_task-rest_desc-confounds_timeseries.tsv",
    "sub-01_task-rest_desc-confounds_timeseries.json",
]
# Layout -> (files, filters, expected names of bold, mask, confounds, confounds_json)
LAYOUTS = {
    "fMRIPrep 1.0-1.1": (
        [
            f"sub-01_task-rest_bold_{MNI}_preproc.nii.gz",
            f"sub-01_task-rest_bold_{MNI}_brainmask.nii.gz",
            f"sub-01_task-rest_bold_{MNI}_variant-smoothAROMAnonaggr_preproc.nii.gz",
            "sub-01_task-rest_bold_space-T1w_preproc.nii.gz",
            "sub-01_task-rest_bold_space-T1w_brainmask.nii.gz",
            "sub-01_task-rest_bold_confounds.tsv",
        ],
        REST,
        [
            f"sub-01_task-rest_bold_{MNI}_preproc.nii.gz",
            f"sub-01_task-rest_bold_{MNI}_brainmask.nii.gz",
            "sub-01_task-rest_bold_confounds.tsv",
            None,
        ],
    ),
    "fMRIPrep 1.2-20.1": (
        list_files("sub-01_task-rest", confounds="desc-confounds_regressors"),
        REST,
        [
            f"sub-01_task-rest_{MNI}_desc-preproc_bold.nii.gz",
            f"sub-01_task-rest_{MNI}_desc-brain_mask.nii.gz",
            "sub-01_task-rest_desc-confounds_regressors.tsv",
            "sub-01_task-rest_desc-confounds_regressors.json",
        ],
    ),
    "fMRIPrep 20.2 and later, res": (
        [
            *list_files("sub-01_ses-a_task-rest_run-1", space=f"{MNI}_res-2"),
            *list_files("sub-01_ses-a_task-rest_run-1", space="space-MNI152NLin6Asym_res-2"),
            f"sub-01_ses-a_task-rest_run-1_{MNI}_res-2_desc-aseg_dseg.nii.gz",
            "sub-01_ses-a_task-rest_run-1_desc-coreg_boldref.nii.gz",
            "sub-01_ses-a_task-rest_run-1_hemi-L_space-fsaverage5_bold.func.gii",
            "sub-01_ses-a_task-rest_run-1_space-fsLR_den-91k_bold.dtseries.nii",
        ],
        REST,
        [
            f"sub-01_ses-a_task-rest_run-1_{MNI}_res-2_desc-preproc_bold.nii.gz",
            f"sub-01_ses-a_task-rest_run-1_{MNI}_res-2_desc-brain_mask.nii.gz",
            "sub-01_ses-a_task-rest_run-1_desc-confounds_timeseries.tsv",
            "sub-01_ses-a_task-rest_run-1_desc-confounds_timeseries.json",
        ],
    ),
    "multi-echo, combined beside the echoes": (
        [
            *list_files("sub-01_task-rest"),
            *(f"sub-01_task-rest_echo-{echo}_{MNI}_desc-preproc_bold.nii.gz" for echo in (1, 2, 3)),
            "sub-01_task-rest_echo-1_part-mag_desc-preproc_bold.nii.gz",
        ],
        REST,
        [
            f"sub-01_task-rest_{MNI}_desc-preproc_bold.nii.gz",
            f"sub-01_task-rest_{MNI}_desc-brain_mask.nii.gz",
            "sub-01_task-rest_desc-confounds_timeseries.tsv",
            "sub-01_task-rest_desc-confounds_timeseries.json",
        ],
    ),
    "multi-echo, one echo asked for": (
        [
            *list_files("sub-01_task-rest"),
            *(f"sub-01_task-rest_echo-{echo}_{MNI}_desc-preproc_bold.nii.gz" for echo in (1, 2, 3)),
        ],
        {**REST, "echo": ["2"]},
        [
            f"sub-01_task-rest_echo-2_{MNI}_desc-preproc_bold.nii.gz",
            f"sub-01_task-rest_{MNI}_desc-brain_mask.nii.gz",
            "sub-01_task-rest_desc-confounds_timeseries.tsv",
            "sub-01_task-rest_desc-confounds_timeseries.json",
        ],
    ),
    "multi-echo of 1.x, all named after echo 1": (
        list_files("sub-01_task-rest_echo-1", confounds="desc-confounds_regressors"),
        REST,
        [
            f"sub-01_task-rest_echo-1_{MNI}_desc-preproc_bold.nii.gz",
            f"sub-01_task-rest_echo-1_{MNI}_desc-brain_mask.nii.gz",
            "sub-01_task-rest_echo-1_desc-confounds_regressors.tsv",
            "sub-01_task-rest_echo-1_desc-confounds_regressors.json",
        ],
    ),
    "native space": (
        [
            "sub-01_task-rest_desc-preproc_bold.nii.gz",
            "sub-01_task-rest_desc-brain_mask.nii.gz",
            *list_files("sub-01_task-rest"),
        ],
        {"task": ["rest"], "space": ["none"]},
        [
            "sub-01_task-rest_desc-preproc_bold.nii.gz",
            "sub-01_task-rest_desc-brain_mask.nii.gz",
            "sub-01_task-rest_desc-confounds_timeseries.tsv",
            "sub-01_task-rest_desc-confounds_timeseries.json",
        ],
    ),
    "ICA-AROMA image, whose name has no res": (
        [
            *list_files("sub-01_task-rest", space="space-MNI152NLin6Asym_res-2"),
            "sub-01_task-rest_space-MNI152NLin6Asym_desc-smoothAROMAnonaggr_bold.nii.gz",
        ],
        {"task": ["rest"], "desc": ["smoothAROMAnonaggr"]},
        [
            "sub-01_task-rest_space-MNI152NLin6Asym_desc-smoothAROMAnonaggr_bold.nii.gz",
            "sub-01_task-rest_space-MNI152NLin6Asym_res-2_desc-brain_mask.nii.gz",
            "sub-01_task-rest_desc-confounds_timeseries.tsv",
            "sub-01_task-rest_desc-confounds_timeseries.json",
        ],
    ),
    "uncompressed, in the folder of the person": (
        [
            "sub-01/sub-01_task-rest_desc-preproc_bold.nii",
            "sub-01/sub-01_task-rest_desc-brain_mask.nii",
            "sub-01/sub-01_task-rest_desc-confounds_timeseries.tsv",
        ],
        {},
        [
            "sub-01_task-rest_desc-preproc_bold.nii",
            "sub-01_task-rest_desc-brain_mask.nii",
            "sub-01_task-rest_desc-confounds_timeseries.tsv",
            None,
        ],
    ),
    "acquisition, direction, cohort template": (
        list_files("sub-01_task-rest_acq-mb4_dir-PA", space="space-MNIPediatricAsym_cohort-1_res-2"),
        {"space": ["MNIPediatricAsym"], "acq": ["mb4"], "cohort": ["1"]},
        [
            "sub-01_task-rest_acq-mb4_dir-PA_space-MNIPediatricAsym_cohort-1_res-2_desc-preproc_bold.nii.gz",
            "sub-01_task-rest_acq-mb4_dir-PA_space-MNIPediatricAsym_cohort-1_res-2_desc-brain_mask.nii.gz",
            "sub-01_task-rest_acq-mb4_dir-PA_desc-confounds_timeseries.tsv",
            "sub-01_task-rest_acq-mb4_dir-PA_desc-confounds_timeseries.json",
        ],
    ),
    "dense series (CIFTI) beside the volumes": (
        [
            *list_files("sub-01_task-rest"),
            "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii",
            "sub-01_task-rest_space-fsLR_den-91k_bold.json",
        ],
        {"task": ["rest"], "space": ["fsLR"], "den": ["91k"]},
        DENSE,
    ),
    "dense series, which no filter names, beside the volumes": (
        [*list_files("sub-01_task-rest"), "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii"],
        {"task": ["rest"]},
        [
            f"sub-01_task-rest_{MNI}_desc-preproc_bold.nii.gz",
            f"sub-01_task-rest_{MNI}_desc-brain_mask.nii.gz",
            *DENSE[2:],
        ],
    ),
    "dense series alone": (
        [
            "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii",
            "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.json",
            "sub-01_task-rest_desc-confounds_timeseries.tsv",
            "sub-01_task-rest_desc-confounds_timeseries.json",
        ],
        {},
        DENSE,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(make_dataset, layout):
    files, filters, expected = LAYOUTS[layout]
    sidecars = {place(file): {} for file in files if file.endswith(".json")}
    (run,) = find_runs([make_dataset(*files, sidecars=sidecars)], filters)
    assert get_names(run) == expected
    assert run.problems == ()
    assert run.participant_id == "sub-01"


def test_ragged_tree(make_dataset):
    """Sessions, runs and tasks that not everyone has; each run gets its own companions."""
    names = [
        "sub-01_task-rest",
        "sub-02_ses-1_task-rest_run-1",
        "sub-02_ses-1_task-rest_run-2",
        "sub-02_ses-2_task-rest",
        "sub-03_task-rest_run-02",
        "sub-03_task-rest",
    ]
    others = ["sub-01_task-nback", "sub-04_task-nback"]
    files = [file for name in names + others for file in list_files(name)]
    sidecars = {place(file): {} for file in files if file.endswith(".json")}
    runs = find_runs([make_dataset(*files, sidecars=sidecars)], REST)
    assert [run.name for run in runs] == [*names[:4], "sub-03_task-rest", "sub-03_task-rest_run-02"]
    assert [run.session for run in runs] == [None, "1", "1", "2", None, None]
    for run in runs:
        assert all(name.startswith(f"{run.name}_{MNI}_desc") for name in get_names(run)[:2])
        assert get_names(run)[2] == f"{run.name}_desc-confounds_timeseries.tsv"


def test_a_run_does_not_borrow_another_runs_mask(make_dataset):
    files = [
        *list_files("sub-01_task-rest"),
        *(
            file
            for file in list_files("sub-01_task-rest_run-2")
            if "mask" not in file and "confounds" not in file
        ),
    ]
    sidecars = {place(file): {} for file in files if file.endswith(".json")}
    first, second = find_runs([make_dataset(*files, sidecars=sidecars)], REST)
    assert None not in get_names(first)
    assert get_names(second)[1:] == [None, None, None]
    assert len(second.problems) == 2
    assert "no brain mask (desc-brain_mask) beside sub-01_task-rest_run-2" in second.problems[0]
    assert "no confounds (desc-confounds_timeseries.tsv, _regressors.tsv)" in second.problems[1]


def test_masks_of_two_resolutions_stay_apart(make_dataset):
    files = [
        *list_files("sub-01_task-rest", space=f"{MNI}_res-1"),
        *list_files("sub-01_task-rest", space=f"{MNI}_res-2"),
    ]
    sidecars = {place(file): {} for file in files if file.endswith(".json")}
    (run,) = find_runs([make_dataset(*files, sidecars=sidecars)], {**REST, "res": ["2"]})
    assert all("res-2" in name for name in get_names(run)[:2])


def test_datasets_are_joined(make_dataset):
    first = make_dataset("sub-01_task-rest_desc-preproc_bold.nii.gz", name="a")
    second = make_dataset("sub-02_task-rest_desc-preproc_bold.nii.gz", name="b")
    assert [run.name for run in find_runs([second, first], {})] == ["sub-01_task-rest", "sub-02_task-rest"]


def test_companions_may_lie_in_another_dataset(make_dataset):
    files = list_files("sub-01_task-rest")
    sidecars = {place(file): {} for file in files if file.endswith(".json")}
    fmriprep = make_dataset(*files, sidecars=sidecars, name="fmriprep")
    image = f"sub-01_task-rest_{MNI}_desc-nonaggrDenoised_bold.nii.gz"
    aroma = make_dataset(image, "sub-02_task-rest_desc-nonaggrDenoised_bold.nii.gz", name="aroma")
    runs = find_runs([aroma, fmriprep], {"desc": ["nonaggrDenoised"]})
    assert get_names(runs[0]) == [
        image,
        f"sub-01_task-rest_{MNI}_desc-brain_mask.nii.gz",
        "sub-01_task-rest_desc-confounds_timeseries.tsv",
        "sub-01_task-rest_desc-confounds_timeseries.json",
    ]
    assert get_names(runs[1])[1:] == [None, None, None]


def test_an_image_without_res_takes_neither_of_two_masks(make_dataset):
    masks = [f"sub-01_task-rest_space-A_res-{res}_desc-brain_mask.nii.gz" for res in (1, 2)]
    (run,) = find_runs([make_dataset("sub-01_task-rest_space-A_desc-preproc_bold.nii.gz", *masks)], {})
    assert run.mask is None
    assert "no brain mask" in run.problems[0]


def test_a_mask_of_another_resolution_is_not_taken(make_dataset):
    mask = "sub-01_task-rest_space-A_res-2_desc-brain_mask.nii.gz"
    (run,) = find_runs([make_dataset("sub-01_task-rest_space-A_res-1_desc-preproc_bold.nii.gz", mask)], {})
    assert run.mask is None


def test_an_echo_takes_its_own_mask_first(make_dataset):
    masks = [f"sub-01_task-rest{echo}_desc-brain_mask.nii.gz" for echo in ("", "_echo-1", "_echo-2")]
    (run,) = find_runs([make_dataset("sub-01_task-rest_echo-2_desc-preproc_bold.nii.gz", *masks)], {})
    assert run.mask.name == masks[2]
    (run,) = find_runs(
        [make_dataset("sub-01_task-rest_desc-preproc_bold.nii.gz", *masks)], {"echo": ["none"]}
    )
    assert run.mask.name == masks[0]


def test_runs_survive_the_way_through_json(make_dataset):
    files = list_files("sub-01_ses-1_task-rest")
    sidecars = {place(file): {"RepetitionTime": 2.5} for file in files if file.endswith("bold.json")}
    (run,) = find_runs([make_dataset(*files[:5], sidecars=sidecars)], REST)
    assert Run.from_dict(json.loads(json.dumps(run.to_dict()))) == run
    assert run.t_r == 2.5


IMAGE = f"sub-01_ses-1_task-rest_run-1_{MNI}_desc-preproc_bold"
INHERITANCE = {
    "own sidecar": ({f"sub-01/ses-1/func/{IMAGE}.json": 2.0}, 2.0),
    "root only": ({"task-rest_bold.json": 2.1}, 2.1),
    "of the person": ({"sub-01/sub-01_task-rest_bold.json": 2.2, "task-rest_bold.json": 9.0}, 2.2),
    "nearer wins": ({"task-rest_bold.json": 9.0, f"sub-01/ses-1/func/{IMAGE}.json": 2.0}, 2.0),
    "more entities win in one folder": (
        {"task-rest_bold.json": 9.0, "task-rest_desc-preproc_bold.json": 2.3, "bold.json": 8.0},
        2.3,
    ),
    "another task says nothing": ({"task-nback_bold.json": 2.0}, None),
    "another run says nothing": ({"sub-01/ses-1/func/sub-01_ses-1_task-rest_run-2_bold.json": 2.0}, None),
    "a nearer one without TR changes nothing": (
        {"task-rest_bold.json": 2.4, f"sub-01/ses-1/func/{IMAGE}.json": None},
        2.4,
    ),
    "none": ({}, None),
}


@pytest.mark.parametrize("case", INHERITANCE)
def test_repetition_time_is_inherited(make_dataset, case):
    stated, expected = INHERITANCE[case]
    sidecars = {
        file: {"SkullStripped": False} if t_r is None else {"RepetitionTime": t_r}
        for file, t_r in stated.items()
    }
    (run,) = find_runs([make_dataset(f"{IMAGE}.nii.gz", sidecars=sidecars)], {})
    assert run.t_r == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"RepetitionTime": "2.0"}, "RepetitionTime is '2.0'; a number was needed"),
        ([1], "a JSON object was needed, found list"),
    ],
)
def test_a_sidecar_without_a_number_is_the_runs_problem(make_dataset, content, message):
    sidecars = {f"sub-01/ses-1/func/{IMAGE}.json": content}
    (run,) = find_runs([make_dataset(f"{IMAGE}.nii.gz", sidecars=sidecars)], {})
    assert run.t_r is None
    assert any(message in problem for problem in run.problems)


@pytest.mark.parametrize("ending", ["bold.json", "bold.dtseries.json"])
def test_a_dense_series_has_a_sidecar(make_dataset, ending):
    sidecars = {f"sub-01/func/sub-01_task-rest_space-fsLR_den-91k_{ending}": {"RepetitionTime": 0.8}}
    (run,) = find_runs([make_dataset(*DENSE[:1], sidecars=sidecars)], {})
    assert run.t_r == 0.8
    assert run.mask is None
    assert len(run.problems) == 1  # no confounds


def test_an_impossible_repetition_time_is_left_to_the_comparison_with_the_header(make_dataset):
    """So that input.t_r can settle it; series have no header, there it is the run's problem."""
    sidecars = {"bold.json": {"RepetitionTime": 2000}, "timeseries.json": {"RepetitionTime": 2000}}
    dataset = make_dataset(f"{IMAGE}.nii.gz", "sub-01_timeseries.tsv", sidecars=sidecars)
    (run,) = find_runs([dataset], {})
    assert run.t_r == 2000
    assert not any("2000" in problem for problem in run.problems)
    (run,) = find_parcellated_runs([dataset], {})
    assert run.t_r is None
    assert "a repetition time of 2000 s cannot be; set input.t_r" in run.problems[0]


def test_content_that_was_not_fetched_is_the_runs_problem(make_dataset):
    dataset = make_dataset("sub-01_task-rest_desc-brain_mask.nii.gz")
    folder = dataset / "sub-01/func"
    (folder / "sub-01_task-rest_desc-preproc_bold.nii.gz").symlink_to("../../.git/annex/gone")
    (run,) = find_runs([dataset], {})
    assert run.bold is None
    assert "is a link whose content is absent (`datalad get` it)" in " ".join(run.problems)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"run": ["1"]}, ["sub-01_task-rest_run-01", "sub-02_task-rest_run-1"]),
        ({"run": [1, "none"]}, ["sub-01_task-rest_run-01", "sub-02_task-rest_run-1", "sub-03_task-rest"]),
        ({"sub": ["sub-01", "99"]}, ["sub-01_task-rest_run-01", "sub-01_task-rest_run-02"]),
        ({"subject": ["02"]}, ["sub-02_task-rest_run-1"]),
    ],
)
def test_filters(make_dataset, filters, names):
    runs = [
        "sub-01_task-rest_run-01",
        "sub-01_task-rest_run-02",
        "sub-02_task-rest_run-1",
        "sub-03_task-rest",
    ]
    dataset = make_dataset(*(f"{run}_desc-preproc_bold.nii.gz" for run in runs))
    assert [run.name for run in find_runs([dataset], filters)] == names


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"fmriprep: no such folder; .*\(input.derivatives\)"):
        find_runs([tmp_path / "fmriprep"], {})


def test_a_folder_too_high_gets_a_hint(make_dataset):
    dataset = make_dataset("sub-01_task-rest_desc-preproc_bold.nii.gz")
    with pytest.raises(
        DatasetError, match=r"no \*_desc-preproc_bold.nii.gz in sub-.*did you mean .*/fmriprep\?"
    ):
        find_runs([dataset.parent], {})


REFUSED = {
    "volume and dense series of one run": (
        [*list_files("sub-01_task-rest"), DENSE[0]],
        {"task": ["rest"], "space": ["MNI152NLin2009cAsym", "fsLR"]},
        r"are the same run; choose one with input.filters: \{den: none\} or 91k",
    ),
    "density that is not there": (
        [*list_files("sub-01_task-rest"), DENSE[0]],
        {"task": ["rest"], "space": ["fsLR"], "den": ["170k"]},
        r"none of 2 files has den 170k \(found: 91k, none\); change input.filters",
    ),
    "task that is not there": (
        ["sub-01_task-rest_desc-preproc_bold.nii.gz", "sub-02_task-nback_desc-preproc_bold.nii.gz"],
        {"task": ["move"]},
        r"none of 2 files has task move \(found: nback, rest\); change input.filters",
    ),
    "one of the tasks is not there": (
        ["sub-01_task-rest_desc-preproc_bold.nii.gz"],
        {"task": ["rest", "rset"]},
        r"no file has task rset \(found: rest\); change input.filters.task",
    ),
    "entity that is nowhere": (
        ["sub-01_task-rest_desc-preproc_bold.nii.gz"],
        {"tsk": ["rest"]},
        r"has tsk rest \(found: none\)",
    ),
    "no preprocessed image": (
        ["sub-01_task-rest_bold.nii.gz", "sub-01_task-rest_desc-optcom_bold.nii.gz"],
        {},
        r"has desc preproc \(found: none, optcom\)",
    ),
    "each is there, not together": (
        [
            "sub-01_task-rest_space-A_desc-preproc_bold.nii.gz",
            "sub-01_task-nback_space-B_desc-preproc_bold.nii.gz",
        ],
        {"task": ["rest"], "space": ["B"]},
        "none of 2 files has all of desc preproc, task rest, space B together",
    ),
    "two spaces": (
        [f"sub-01_task-rest_space-{space}_desc-preproc_bold.nii.gz" for space in ("A", "B")],
        {},
        r"are the same run; choose one with input.filters: \{space: A\} or B",
    ),
    "two resolutions, in everyone": (
        [
            f"sub-0{n}_task-rest_space-A{res}_desc-preproc_bold.nii.gz"
            for n in (1, 2)
            for res in ("", "_res-2")
        ],
        {},
        r"are the same run \(2 such pairs\); choose one with input.filters: \{res: none\} or 2",
    ),
    "run-1 and run-01": (
        [f"sub-01_task-rest_run-{run}_desc-preproc_bold.nii.gz" for run in ("1", "01")],
        {},
        "are the same run; they differ only in how run is written; remove or rename one",
    ),
    "two reconstructions": (
        [f"sub-01_task-rest_rec-{rec}_desc-preproc_bold.nii.gz" for rec in ("norm", "nonorm")],
        {},
        r"are the same run; choose one with input.filters: \{rec: nonorm\} or norm",
    ),
    "one reconstruction named": (
        [f"sub-01_task-rest{rec}_desc-preproc_bold.nii.gz" for rec in ("", "_rec-norm")],
        {},
        r"are the same run; choose one with input.filters: \{rec: (none|norm)\} or (none|norm)",
    ),
    "magnitude and no part": (
        [f"sub-01_task-rest{part}_desc-preproc_bold.nii.gz" for part in ("", "_part-mag")],
        {},
        r"are the same run; choose one with input.filters: \{part: (none|mag)\}",
    ),
    "two cohorts of a template": (
        [f"sub-0{n}_task-rest_space-MNIPediatricAsym_cohort-{n}_desc-preproc_bold.nii.gz" for n in (1, 2)],
        {"space": ["MNIPediatricAsym"]},
        r"cohorts 1, 2 of space MNIPediatricAsym.*input.filters: \{cohort: 1\}",
    ),
    "compressed and not": (
        [f"sub-01_task-rest_desc-preproc_bold.nii{end}" for end in ("", ".gz")],
        {},
        "are the same run; remove one, or one of the datasets in input",
    ),
    "hyphen in a label": (
        ["sub-01_task-rest-eyes_desc-preproc_bold.nii.gz"],
        {},
        "'task-rest-eyes' is not a BIDS entity .*rename the file",
    ),
    "shell metacharacter in an ID": (
        ["sub-01;rm_task-rest_desc-preproc_bold.nii.gz"],
        {},
        "'sub-01;rm' is not a BIDS entity",
    ),
    "markup in an ID": (["sub-<b>_task-rest_desc-preproc_bold.nii.gz"], {}, "'sub-<b>' is not a BIDS entity"),
    "file in another person's folder": (
        ["sub-01/func/sub-02_task-rest_desc-preproc_bold.nii.gz"],
        {},
        "the name and the folder sub-01 disagree about sub",
    ),
    "file in another session's folder": (
        ["sub-01/ses-1/func/sub-01_ses-2_task-rest_desc-preproc_bold.nii.gz"],
        {},
        "the name and the folder ses-1 disagree about ses",
    ),
    "nameless": (["sub-01/func/task-rest_desc-preproc_bold.nii.gz"], {}, "the name has no sub-<label>"),
    "echoes without a combined image": (
        [f"sub-01_task-rest_echo-{echo}_desc-preproc_bold.nii.gz" for echo in (1, 2)],
        {},
        r"2 echoes of sub-01_task-rest and no combined image; choose one with input.filters: \{echo: 1\}",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(make_dataset, case):
    files, filters, message = REFUSED[case]
    with pytest.raises(DatasetError, match=message):
        find_runs([make_dataset(*files)], filters)


def test_the_same_run_in_two_datasets_is_refused(make_dataset):
    datasets = [make_dataset("sub-01_task-rest_desc-preproc_bold.nii.gz", name=name) for name in "ab"]
    with pytest.raises(
        DatasetError, match=r"a/sub-01.* and .*b/sub-01.* are the same run; .*one of the datasets"
    ):
        find_runs(datasets, {})


def test_an_unwanted_strange_name_does_no_harm(make_dataset):
    dataset = make_dataset(
        "sub-01_task-rest_desc-preproc_bold.nii.gz", "sub-01_task-eyes-open_desc-preproc_bold.nii.gz"
    )
    assert [run.name for run in find_runs([dataset], {"task": ["rest"]})] == ["sub-01_task-rest"]


# Dataset -> (files, filters, names of series, confounds)
PARCELLATED = {
    "XCP-D": (
        [
            "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_seg-4S156Parcels_stat-mean_timeseries.tsv",
            "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_seg-4S156Parcels_stat-coverage_bold.tsv",
            "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_seg-Tian_stat-mean_timeseries.tsv",
            "sub-01_task-rest_run-1_motion.tsv",
            "sub-01_task-rest_run-1_outliers.tsv",
        ],
        {"seg": ["4S156Parcels"]},
        [
            "sub-01_task-rest_run-1_space-MNI152NLin2009cAsym_seg-4S156Parcels_stat-mean_timeseries.tsv",
            "sub-01_task-rest_run-1_motion.tsv",
        ],
    ),
    "XCP-D before 0.5": (
        ["sub-01_task-rest_space-MNI152NLin2009cAsym_atlas-Gordon_timeseries.tsv"],
        {"atlas": ["Gordon"]},
        ["sub-01_task-rest_space-MNI152NLin2009cAsym_atlas-Gordon_timeseries.tsv", None],
    ),
    "giga_connectome": (
        [
            f"sub-01_task-rest_run-01_seg-Schaefer2018{n}Parcels7Networks_desc-denoiseSimple_timeseries.tsv"
            for n in (100, 200)
        ],
        {"seg": ["Schaefer2018100Parcels7Networks"]},
        [
            "sub-01_task-rest_run-01_seg-Schaefer2018100Parcels7Networks_desc-denoiseSimple_timeseries.tsv",
            None,
        ],
    ),
    "with fMRIPrep's confounds beside": (
        ["sub-01_task-rest_seg-A_timeseries.tsv", "sub-01_task-rest_desc-confounds_timeseries.tsv"],
        {},
        ["sub-01_task-rest_seg-A_timeseries.tsv", "sub-01_task-rest_desc-confounds_timeseries.tsv"],
    ),
    "plain": (["sub-01_timeseries.tsv"], {}, ["sub-01_timeseries.tsv", None]),
    "plain, all in one folder": (["./sub-01_timeseries.tsv"], {}, ["sub-01_timeseries.tsv", None]),
}


@pytest.mark.parametrize("case", PARCELLATED)
def test_parcellated_datasets(make_dataset, case):
    files, filters, expected = PARCELLATED[case]
    (run,) = find_parcellated_runs([make_dataset(*files)], filters)
    assert [path.name if path else None for path in (run.timeseries, run.confounds)] == expected
    assert run.problems == ()
    assert run.bold is None


@pytest.mark.parametrize(
    "made_by",
    [[{"Name": "XCP-D"}], {"Name": "xcp_d"}, [{"Name": "other"}], None, "text", [None, 3, "x"], "absent"],
)
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["sub-01_task-rest_run-1", "sub-01_task-rest_run-2", "sub-02_task-rest"]),
        ({"run": ["none"]}, ["sub-01_task-rest", "sub-02_task-rest"]),
    ],
)
def test_concatenated_runs_do_not_count_twice_whoever_wrote_them(make_dataset, made_by, filters, expected):
    runs = ["sub-01_task-rest_run-1", "sub-01_task-rest_run-2", "sub-01_task-rest", "sub-02_task-rest"]
    runs += ["sub-03_task-rest", "sub-03_task-rest_run-2"]  # one run without a number: nothing was joined
    expected = expected + [run for run in runs[4:] if not filters or run == runs[4]]
    dataset = make_dataset(
        *(f"{run}_seg-A_stat-mean_timeseries.tsv" for run in runs),
        sidecars={} if made_by == "absent" else {"dataset_description.json": {"GeneratedBy": made_by}},
    )
    assert [run.name for run in find_parcellated_runs([dataset], filters)] == expected


JOINED = {
    "directions": (["dir-AP", "dir-PA"], [""]),
    "runs and directions": (["dir-AP_run-1", "dir-PA_run-2"], [""]),
    "runs of each direction, and all": (
        ["dir-AP_run-1", "dir-AP_run-2", "dir-PA_run-1", "dir-PA_run-2"],
        ["dir-AP", "dir-PA", "run-1", ""],
    ),
    "one direction alone": (["dir-AP", ""], []),
}


@pytest.mark.parametrize("case", JOINED)
def test_what_is_joined_over_runs_or_directions_is_left_out(make_dataset, case):
    parts, joined = JOINED[case]
    names = {part: "_".join(filter(None, ("sub-01_task-rest", part))) for part in (*parts, *joined)}
    dataset = make_dataset(*(f"{name}_seg-A_timeseries.tsv" for name in names.values()))
    found = [run.name for run in find_parcellated_runs([dataset], {})]
    assert found == sorted(names[part] for part in parts)


def test_an_image_that_looks_joined_is_refused(make_dataset):
    runs = [f"sub-01_task-rest{run}_desc-preproc_bold.nii.gz" for run in ("", "_run-1", "_run-2")]
    dataset = make_dataset(*runs)
    with pytest.raises(DatasetError, match=r"run 1, 2 joined.*\{run: none\} or \{run: \[1, 2\]\}"):
        find_runs([dataset], {})
    assert len(find_runs([dataset], {"run": [1, 2]})) == 2
    assert len(find_runs([dataset], {"run": ["none"]})) == 1


def test_fmripreps_spelling_of_a_cohort_is_a_filter(make_dataset):
    dataset = make_dataset(
        *(f"sub-01_task-rest_space-MNIPediatricAsym_cohort-{n}_desc-preproc_bold.nii.gz" for n in (1, 2))
    )
    (run,) = find_runs([dataset], {"space": ["MNIPediatricAsym:cohort-2"]})
    assert run.entities["cohort"] == "2"
    with pytest.raises(DatasetError, match="differ in what follows the colon"):
        find_runs([dataset], {"space": ["MNIPediatricAsym:cohort-2", "MNIPediatricAsym:cohort-1"]})


@pytest.mark.parametrize("same", [True, False])
def test_two_confounds_tables_of_a_run_must_say_the_same(make_dataset, same):
    dataset = make_dataset(*list_files("sub-01_task-rest"), "sub-01_task-rest_desc-confounds_regressors.tsv")
    old = dataset / "sub-01/func/sub-01_task-rest_desc-confounds_regressors.tsv"
    old.write_text("" if same else "csf\n1\n")
    (run,) = find_runs([dataset], REST)
    assert any("two confounds tables" in problem for problem in run.problems) is not same


@pytest.mark.parametrize(
    "parent", ["sub-projects", "ses-baseline", "sub-02/ses-x", "study {final} [a] *? 'b' $x %d"]
)
def test_folders_above_the_dataset_say_nothing(make_dataset, parent):
    dataset = make_dataset(*list_files("sub-01_ses-1_task-rest"), name=f"{parent}/fmriprep")
    (run,) = find_runs([dataset], REST)
    assert run.session == "1"


def test_hidden_files_are_none_of_the_datasets(make_dataset):
    files = list_files("sub-01_task-rest")
    dataset = make_dataset(*files, *(f"sub-01/func/{mark}{file}" for file in files for mark in ("._", ".")))
    (run,) = find_runs([dataset], REST)
    assert run.name == "sub-01_task-rest"


@pytest.mark.parametrize("target", ["..", ".", "../..", "ses-2", "../sub-01"])
def test_links_that_lead_back_are_skipped(make_dataset, target):
    dataset = make_dataset(*list_files("sub-01_task-rest"))
    (dataset / "sub-01/ses-1").symlink_to(target)
    (dataset / "sub-01/ses-2").symlink_to("ses-1")
    assert len(find_runs([dataset], REST)) == 1


def test_a_folder_that_cannot_be_read_is_one_line(make_dataset, monkeypatch):
    import os

    dataset = make_dataset(*list_files("sub-01_task-rest"))
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("func"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DatasetError, match=r"sub-01/func"):
        find_runs([dataset], REST)


@pytest.mark.parametrize("inside", ["derivatives/fmriprep", "fmriprep", "study/derivatives/fmriprep-23.1"])
@pytest.mark.parametrize("raw", [True, False])
def test_the_derivatives_inside_a_raw_dataset_or_a_parent_are_named(make_dataset, inside, raw):
    inner = make_dataset(*list_files("sub-01_task-rest"), name=f"lab/{inside}")
    outer = make_dataset(*(["sub-01_task-rest_bold.nii.gz"] if raw else []), name="lab")
    with pytest.raises(DatasetError, match=f"did you mean {inner}\\?"):
        find_runs([outer], {"task": ["rest"]})


def test_gigas_sidecar_without_seg_gives_the_repetition_time(make_dataset):
    series = "sub-01_task-rest_seg-A_desc-denoiseSimple_timeseries.tsv"
    sidecars = {"sub-01/func/sub-01_task-rest_desc-denoiseSimple_timeseries.json": {"RepetitionTime": 0.8}}
    (run,) = find_parcellated_runs([make_dataset(series, sidecars=sidecars)], {})
    assert run.t_r == 0.8


def test_two_segmentations_are_told_apart_by_a_filter(make_dataset):
    dataset = make_dataset(*(f"sub-01_task-rest_seg-{seg}_timeseries.tsv" for seg in ("A", "B")))
    with pytest.raises(DatasetError, match=r"choose one with input.filters: \{seg: A\} or B"):
        find_parcellated_runs([dataset], {})
    assert len(find_parcellated_runs([dataset], {"seg": ["B"]})) == 1


def test_sampling_frequency_gives_the_repetition_time(make_dataset):
    sidecars = {"seg-A_timeseries.json": {"SamplingFrequency": 0.5}}
    (run,) = find_parcellated_runs([make_dataset("sub-01_seg-A_timeseries.tsv", sidecars=sidecars)], {})
    assert run.t_r == 2.0


def test_a_parcellated_dataset_without_series_is_refused(make_dataset):
    dataset = make_dataset("sub-01_task-rest_desc-confounds_timeseries.tsv")
    with pytest.raises(DatasetError, match=r"no \*_timeseries.tsv .*\(input.parcellated\)"):
        find_parcellated_runs([dataset], {})


def test_real_image_dataset(shared_data):
    (run,) = find_runs([shared_data / "rapidtide"], REST)
    assert None not in get_names(run)
    assert (run.participant_id, run.session, run.name) == ("sub-rapidtide", None, "sub-rapidtide_task-rest")
    assert run.t_r == 1.5


def test_real_parcellated_dataset(shared_data):
    runs = find_parcellated_runs([shared_data / "rpn"], {"seg": ["MIST122"]})
    assert len(runs) == 70
    assert sum(run.confounds is not None for run in runs) == 41 + 1  # bochum, and one of szeged
