"""Inputs from other people's bug reports, and others of their kinds, made small; `docs/inputs.md` lists what happens.

Each spoils a sound study of four people (tiny images, or series). Threads are those of the programs in which the input
was met; *own* ones were made up beside them.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np


def load_studies() -> ModuleType:
    """Import the builders of small studies, which stand in conftest.py."""
    spec = importlib.util.spec_from_file_location("small_studies", Path(__file__).with_name("conftest.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


STUDIES = load_studies()
OWN = "own"


@dataclass(frozen=True)
class OddInput:
    """One input.

    Attributes
    ----------
    kind, name : str
        What it is one of, and what is odd.
    thread : str
        Where it was met.
    make : callable
        Takes an empty folder; afterwards config.yaml is there.
    outcome : {'read', 'told', 'left out', 'refused'}
        Read as the sound twin is; read, with a warning; a run is left out; nothing runs.
    said : str
        A regular expression for the line that tells; empty where nothing needs telling.
    """

    kind: str
    name: str
    thread: str
    make: Callable[[Path], Any]
    outcome: str
    said: str = ""


def images(spoil: Callable[[Path, list[Any]], Any], **texts: Any) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        spoil(folder, STUDIES.make_small_images(folder, **texts))

    return make


def tables(
    columns: dict[str, list[str]] | None = None, ids: list[str] | None = None, **texts: Any
) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        STUDIES.make_small_study(folder, n=6, columns=columns, ids=ids, **texts)

    return make


def series(spoil: Callable[[Path], Any]) -> Callable[[Path], Any]:
    def make(folder: Path) -> None:
        STUDIES.make_small_study(folder, n=6)
        spoil(folder)

    return make


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, old
    path.write_text(text.replace(old, new), encoding="utf-8")


def change_image(path: Path, change: Callable[[np.ndarray], np.ndarray], dtype: type = np.float32) -> None:
    image = nib.load(path)
    STUDIES.save_image(path, change(np.asarray(image.dataobj).copy()).astype(dtype))


def write_header(path: Path, offset: int, code: str, *values: float) -> None:
    raw = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into(f"<{code}", raw, offset, *values)
    path.write_bytes(gzip.compress(bytes(raw)))


def write_in_parts(path: Path) -> None:
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:999]) + gzip.compress(raw[999:]))


def write_json(bold: Path, text: str) -> None:
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text(text, encoding="utf-8")


def describe_dataset(folder: Path, **described: Any) -> None:
    (folder / "deriv/dataset_description.json").write_text(json.dumps({"Name": "Lab", **described}))


def rename_runs(folder: Path, person: str, old: str, new: str) -> None:
    for path in (folder / "deriv" / person / "func").iterdir():
        path.rename(path.with_name(path.name.replace(old, new)))


def copy_images(folder: Path, person: str, old: str, new: str) -> None:
    for path in list((folder / "deriv" / person / "func").iterdir()):
        path.with_name(path.name.replace(old, new)).write_bytes(path.read_bytes())


def first_series(folder: Path) -> Path:
    return folder / "given/sub-01/func/sub-01_task-rest_timeseries.tsv"


def join_series(folder: Path) -> None:
    """XCP-D's series of two directions, and the two joined."""
    for path in sorted((folder / "given").rglob("*_timeseries.tsv")):
        header, *rows = path.read_text().splitlines()
        for label, part in (("dir-AP", rows[:30]), ("dir-PA", rows[30:])):
            path.with_name(path.name.replace("rest", f"rest_{label}")).write_text(
                "\n".join([header, *part]) + "\n"
            )


def write_atlas(
    folder: Path, numbers: tuple[float, ...], table: bytes | str, dtype: type = np.float32
) -> None:
    """Put the three regions into one atlas with a label table."""
    labels = sum(STUDIES.make_cube(name) * float(number) for name, number in zip("ABC", numbers, strict=True))
    STUDIES.save_image(folder / "atlas.nii.gz", labels.astype(dtype))
    (folder / "labels.tsv").write_bytes(table if isinstance(table, bytes) else table.encode())
    rois = [
        f"  - {{name: {name}, atlas: {{image: atlas.nii.gz, labels_tsv: labels.tsv, label: {name}}}}}\n"
        for name in "ABC"
    ]
    (folder / "rois.yaml").write_text(f"name: Lab\nspace: {STUDIES.SPACE}\nrois:\n{''.join(rois)}")


LABELS = "index\tname\n1\tA\n2\tB\n3\tC\n"
SAME, MASKS, HEADERS = "the same data twice", "masks and regions", "headers and files of images"
VALUES, IDENTITY, TEXTS = "values of tables", "who is who", "encodings and label tables"
TREES, FILTERED, META = "paths and trees", "left out by a filter or a level", "metadata"
PEOPLE = [f"sub-{number:02d}" for number in range(1, 7)]
AGES = ["21", "35", "41", "29", "33", "57"]

ODD_INPUTS = (
    OddInput(SAME, "series of two directions and joined", "xcp_d#547", series(join_series), "read"),
    OddInput(
        SAME,
        "rec-norm and rec-nonorm of one run",
        "fmriprep#2227",
        images(lambda folder, _: (copy_images(folder, "sub-01", "rest", "rest_rec-norm"),)),
        "refused",
        "are the same run.*rec",
    ),
    OddInput(
        SAME,
        "cohorts 1 and 2 of a template",
        "fmriprep#3627",
        images(
            lambda folder, _: [
                rename_runs(folder, f"sub-0{n}", "_desc-preproc", f"_cohort-{1 + n % 2}_desc-preproc")
                for n in range(1, 5)
            ]
        ),
        "refused",
        "cohorts 1, 2.*cohort: 1",
    ),
    OddInput(
        SAME,
        "one image under two ids",
        OWN,
        images(lambda _, files: files[1].bold.write_bytes(files[0].bold.read_bytes())),
        "refused",
        "hold the same data: one person under two ids",
    ),
    OddInput(
        SAME,
        "confounds under the old and the new name, which differ",
        OWN,
        images(
            lambda _, files: (
                files[0]
                .confounds.with_name(files[0].confounds.name.replace("timeseries", "regressors"))
                .write_text("trans_x\n0\n")
            )
        ),
        "left out",
        "two confounds tables",
    ),
    OddInput(
        SAME,
        "one series in two sessions of a person",
        OWN,
        lambda folder: (
            STUDIES.make_small_study(folder, n=6, sessions=("1", "2"), extra="sessions: combine\n"),
            (folder / "given/sub-01/ses-2/func/sub-01_ses-2_task-rest_timeseries.tsv").write_bytes(
                (folder / "given/sub-01/ses-1/func/sub-01_ses-1_task-rest_timeseries.tsv").read_bytes()
            ),
        ),
        "told",
        "one of them is a copy",
    ),
    OddInput(
        MASKS,
        "brain mask empty in one person",
        "fmriprep#844",
        images(lambda _, files: change_image(files[0].mask, lambda data: data * 0)),
        "left out",
        "the mask is empty",
    ),
    OddInput(
        MASKS,
        "brain mask 1e-15 outside",
        "nilearn#1171",
        images(
            lambda _, files: change_image(
                files[0].mask, lambda data: np.where(np.indices(data.shape)[0] > 5, 1e-15, 1.0)
            )
        ),
        "read",
    ),
    OddInput(
        MASKS,
        "region's mask of 1 and 2",
        "nilearn#572",
        images(lambda folder, _: change_image(folder / "roi_A.nii.gz", lambda data: data + 1)),
        "refused",
        "roi_A.*a mask is 0 and 1",
    ),
    OddInput(
        MASKS,
        "brain mask of probabilities",
        OWN,
        images(
            lambda _, files: change_image(
                files[0].mask, lambda data: np.linspace(0, 1, data.size).reshape(data.shape)
            )
        ),
        "left out",
        "a brain mask is 0 outside and one value inside",
    ),
    OddInput(
        MASKS,
        "region outside one person's mask",
        OWN,
        images(
            lambda _, files: change_image(files[0].mask, lambda data: data * (1 - STUDIES.make_cube("A")))
        ),
        "left out",
        "0% of A has signal",
    ),
    OddInput(
        MASKS,
        "brain mask of 255",
        OWN,
        images(lambda _, files: change_image(files[0].mask, lambda data: data * 255.0)),
        "read",
    ),
    OddInput(
        HEADERS,
        "vox_offset 0 in a single file",
        "epam/mriviewer#249",
        images(lambda _, files: write_header(files[0].bold, 108, "f", 0.0)),
        "left out",
        "vox_offset is 0",
    ),
    OddInput(
        HEADERS,
        "time as the fifth dimension",
        "ANTsPy#878",
        images(lambda _, files: write_header(files[0].bold, 40, "8h", 5, 6, 6, 6, 1, 60, 1, 1)),
        "left out",
        "write it anew with time as the fourth dimension",
    ),
    OddInput(
        HEADERS,
        "macOS ._ files",
        "openneuro#2520",
        images(
            lambda _, files: files[0].bold.with_name(f"._{files[0].bold.name}").write_bytes(b"\0\5\x16\7")
        ),
        "read",
    ),
    OddInput(
        HEADERS,
        "image cut short",
        OWN,
        images(lambda _, files: files[0].bold.write_bytes(files[0].bold.read_bytes()[:-4000])),
        "left out",
        "the data end inside volume",
    ),
    OddInput(
        HEADERS, "gzip of several parts", OWN, images(lambda _, files: write_in_parts(files[0].bold)), "read"
    ),
    OddInput(
        HEADERS,
        "git-annex pointer in place of an image",
        "datalad#5032",
        images(lambda _, files: files[0].bold.write_bytes(b"/annex/objects/MD5E-s1--a.nii.gz\n")),
        "left out",
        "datalad get",
    ),
    OddInput(
        HEADERS,
        "a header that announces half of the volumes",
        OWN,
        images(lambda _, files: write_header(files[0].bold, 40, "8h", 4, 6, 6, 6, 30, 1, 1, 1)),
        "left out",
        "60 rows, the image 30 volumes",
    ),
    OddInput(
        VALUES,
        "-999 in age",
        "cchsflow#131",
        tables({"age": ["-999", *AGES[1:]]}, covariates="[age]"),
        "told",
        "-999 beside 29 to 57",
    ),
    OddInput(
        VALUES,
        "ages as 021Y",
        "bids-specification#1633",
        tables({"age": [f"0{age}Y" for age in AGES]}, covariates="[age]"),
        "refused",
        "a number with its unit",
    ),
    OddInput(
        VALUES,
        "thousands marks",
        "csvkit#652",
        tables({"tiv": ["1,231", "987", "1,100", "1,050", "999", "1,207"]}, covariates="[tiv]"),
        "refused",
        "thousands mark",
    ),
    OddInput(
        VALUES,
        "M, m and Male",
        "bids-specification#458",
        tables({"sex": ["M", "m", "Male", "F", "f", "Female"]}, covariates="[sex]"),
        "refused",
        "sex",
    ),
    OddInput(
        VALUES,
        "ages as '35 yrs'",
        OWN,
        tables({"age": [f"{age} yrs" for age in AGES]}, covariates="[age]"),
        "refused",
        "a number with its unit",
    ),
    OddInput(
        VALUES,
        "9999 in a covariate",
        OWN,
        tables({"dose": ["9999", "10", "12", "9", "14", "11"]}, covariates="[dose]"),
        "told",
        "9999 beside 9 to 14",
    ),
    OddInput(
        VALUES,
        "no-break spaces as thousands marks",
        OWN,
        tables(
            {"tiv": ["1\u00a0231", "987", "1\u00a0100", "1\u00a0050", "999", "1\u00a0207"]},
            covariates="[tiv]",
        ),
        "refused",
        "has a thousands mark; write 1231",
    ),
    OddInput(
        IDENTITY,
        "ids without their zeros",
        "PyNIDM#441",
        tables(ids=[person.replace("-0", "-") for person in PEOPLE]),
        "refused",
        r"sub-1: sub-01",
    ),
    OddInput(
        IDENTITY,
        "ids with sub- twice",
        "neurobagel#209",
        tables(ids=[f"sub-{person}" for person in PEOPLE]),
        "refused",
        "sub-sub-01: sub-01",
    ),
    OddInput(
        IDENTITY,
        "ids in capitals",
        "EEGDash#264",
        tables(ids=[person.upper() for person in PEOPLE]),
        "refused",
        "sub-01",
    ),
    OddInput(
        IDENTITY,
        "ids as 1.0, of a spreadsheet",
        OWN,
        tables(ids=[f"{n}.0" for n in range(1, 7)]),
        "refused",
        "sub-01",
    ),
    OddInput(
        IDENTITY,
        "ids with a site's prefix",
        OWN,
        tables(ids=[f"NYU-{n:02d}" for n in range(1, 7)]),
        "refused",
        "sub-01",
    ),
    OddInput(
        IDENTITY,
        "one id with a slip",
        OWN,
        lambda folder: STUDIES.make_small_study(
            folder, n=20, ids=[f"sub-{n:02d}" for n in (*range(1, 20), 99)]
        ),
        "told",
        "1 of 20 ids match nobody",
    ),
    OddInput(
        TEXTS,
        "label table in UTF-16",
        "legacy-validator#962",
        images(lambda folder, _: write_atlas(folder, (1, 2, 3), LABELS.encode("utf-16"))),
        "read",
    ),
    OddInput(
        TEXTS,
        "label table in Latin-1",
        "legacy-validator#962",
        images(
            lambda folder, _: write_atlas(
                folder, (1, 2, 3), LABELS.encode() + "4\tPr\u00e4cuneus\n".encode("latin-1")
            )
        ),
        "refused",
        "ROI 'A', 'B', 'C': .*not UTF-8",
    ),
    OddInput(
        TEXTS,
        "labels beyond a million",
        "nilearn#4274",
        images(
            lambda folder, _: write_atlas(
                folder, (614454277, 2, 3), LABELS.replace("1\tA", "614454277\tA"), np.int32
            )
        ),
        "read",
    ),
    OddInput(
        TEXTS,
        "label table quoted, with commas",
        "nilearn#4710",
        images(
            lambda folder, _: write_atlas(folder, (1, 2, 3), '"index","name"\n"1","A"\n"2","B"\n"3","C"\n')
        ),
        "read",
    ),
    OddInput(
        TEXTS,
        "series in UTF-16",
        OWN,
        series(
            lambda folder: first_series(folder).write_bytes(first_series(folder).read_text().encode("utf-16"))
        ),
        "read",
    ),
    OddInput(
        TEXTS,
        "series with quotes and Windows line ends",
        OWN,
        series(
            lambda folder: first_series(folder).write_bytes(
                first_series(folder)
                .read_text()
                .replace("A\tB\tC", '"A"\t"B"\t"C"')
                .replace("\n", "\r\n")
                .encode()
            )
        ),
        "read",
    ),
    OddInput(
        TEXTS,
        "people in Latin-1",
        OWN,
        lambda folder: (
            STUDIES.make_small_study(folder, n=6, columns={"town": ["K\u00f6ln"] * 6}),
            (folder / "participants.tsv").write_bytes(
                (folder / "participants.tsv").read_text(encoding="utf-8").encode("latin-1")
            ),
        ),
        "refused",
        "UTF-8",
    ),
    OddInput(
        TREES,
        "a folder called 'study {final}'",
        "snakemake#2455",
        lambda folder: STUDIES.make_small_study(folder / "study {final}", n=6),
        "refused",
        "braces",
    ),
    OddInput(
        TREES,
        "a dataset below sub-projects/",
        "pybids#595",
        lambda folder: STUDIES.make_small_study(folder / "sub-projects", n=6),
        "read",
    ),
    OddInput(
        TREES,
        "a link that leads to its own folder",
        "dirhash-python#31",
        images(lambda folder, _: (folder / "deriv/sub-02/ses-1").symlink_to("..")),
        "read",
    ),
    OddInput(
        TREES,
        "blanks, quotes, brackets and a dollar in the path",
        OWN,
        lambda folder: STUDIES.make_small_study(folder / "a 'b' [c] $d #e", n=6),
        "read",
    ),
    OddInput(
        TREES,
        "the folder above the dataset",
        OWN,
        images(lambda folder, _: edit(folder / "config.yaml", "derivatives: deriv", "derivatives: .")),
        "refused",
        "did you mean .*deriv",
    ),
    OddInput(
        TREES,
        "a link to content that is not there",
        OWN,
        images(
            lambda _, files: (files[0].mask.unlink(), files[0].mask.symlink_to("../../.git/annex/objects/x"))
        ),
        "left out",
        "datalad get",
    ),
    OddInput(
        FILTERED,
        "task-Rest in one person",
        "bids-specification#857",
        images(lambda folder, _: rename_runs(folder, "sub-01", "task-rest", "task-Rest")),
        "told",
        r"input.filters leave out \(task Rest\)",
    ),
    OddInput(
        FILTERED,
        "a run filter and a person without run",
        "fitlins#411",
        images(
            lambda folder, _: (
                [rename_runs(folder, f"sub-0{n}", "rest_", "rest_run-1_") for n in (2, 3, 4)]
                + [edit(folder / "config.yaml", "task: rest", "task: rest, run: 1")]
            )
        ),
        "told",
        r"input.filters leave out \(no run\)",
    ),
    OddInput(
        FILTERED,
        "a group written Pat",
        "bids-specification#458",
        tables({"group": ["con", "pat", "con", "Pat", "con", "pat"]}),
        "told",
        r"input.values: \{group: \{Pat: pat\}\}",
    ),
    OddInput(
        FILTERED,
        "another space in one person",
        OWN,
        images(lambda folder, _: rename_runs(folder, "sub-01", "2009cAsym", "6Asym")),
        "told",
        "space MNI152NLin6Asym",
    ),
    OddInput(
        FILTERED,
        "native space beside regions of a template",
        OWN,
        images(
            lambda folder, _: (
                [rename_runs(folder, f"sub-0{n}", STUDIES.SPACE, "T1w") for n in range(1, 5)]
                + [edit(folder / "config.yaml", STUDIES.SPACE, "T1w")]
            )
        ),
        "refused",
        "a space of each person's own",
    ),
    OddInput(
        FILTERED,
        "several sessions and no word on them",
        OWN,
        tables(sessions=("1", "2")),
        "refused",
        "sessions: not set",
    ),
    OddInput(
        META,
        "GeneratedBy: null",
        "xcp_d#1151",
        images(lambda folder, _: describe_dataset(folder, GeneratedBy=None)),
        "read",
    ),
    OddInput(
        META,
        "GeneratedBy as an object",
        "legacy-validator#1105",
        images(lambda folder, _: describe_dataset(folder, GeneratedBy={"Name": "fMRIPrep"})),
        "read",
    ),
    OddInput(
        META,
        "uneven VolumeTiming",
        "fmriprep#2322",
        images(lambda _, files: write_json(files[0].bold, json.dumps({"VolumeTiming": [0, 2, 10, 12, 14]}))),
        "left out",
        "VolumeTiming has volumes",
    ),
    OddInput(
        META,
        "GeneratedBy as text",
        OWN,
        images(lambda folder, _: describe_dataset(folder, GeneratedBy="fMRIPrep")),
        "read",
    ),
    OddInput(
        META,
        "RepetitionTime in milliseconds",
        OWN,
        images(lambda _, files: write_json(files[0].bold, '{"RepetitionTime": 2000}')),
        "left out",
        "input.t_r",
    ),
    OddInput(
        META,
        "JSON with a byte-order mark",
        OWN,
        images(lambda _, files: write_json(files[0].bold, '\ufeff{"RepetitionTime": 2.0}')),
        "read",
    ),
)
