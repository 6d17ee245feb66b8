"""`rsconn check` on a small simulated study with faults planted: everything is told at once, and nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rsconn.commands.check import CheckResult, check_config

TINY = Path(__file__).resolve().parents[1] / "reference" / "tiny"
FUNC = "data/derivatives/fmriprep/sub-*/func"


class Study:
    """A copy of the tiny study that a test may spoil."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def set_cell(self, row: int, column: str, value: str) -> None:
        path = self.folder / "data/participants.tsv"
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        lines[row][lines[0].index(column)] = value
        path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")

    def find(self, pattern: str) -> list[Path]:
        found = sorted(self.folder.glob(f"{FUNC}/{pattern}"))
        assert found, pattern
        return found

    def check(self) -> CheckResult:
        return check_config(self.folder / "config.yaml")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    shutil.copytree(TINY, tmp_path / "study", ignore=shutil.ignore_patterns("expected", "*.py"))
    monkeypatch.chdir(tmp_path / "study")
    return Study(tmp_path / "study")


def write_image(path: Path, data: np.ndarray) -> None:
    affine = np.diag([12.0, 12.0, 12.0, 1.0])
    affine[:3, 3] = (-96, -132, -78)
    nib.save(nib.Nifti1Image(data, affine), path)


def match(lines: tuple[str, ...], pattern: str) -> list[str]:
    found = [line for line in lines if re.search(pattern, line)]
    assert found, f"{pattern!r} is in none of\n" + "\n".join(lines)
    return found


def test_a_sound_study_is_described_and_left_alone(study: Study) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")}
    result = study.check()
    assert result.problems == ()
    match(result.lines, r"^12 people with images, 12 runs, 4 ROIs, 2 edges, 21 claims$")
    assert (
        len(match(result.lines, r"^  sub-\d+_task-rest: \d+ of \d+ volumes .* degrees of freedom, mean FD"))
        == 12
    )
    match(
        result.lines,
        r"^  therapist: \d+ in the tables, \d+ with images, \d+ with a usable run, \d+ with a usable edge$",
    )
    match(result.lines, r"^\d+ of 21 claims can be tested with these people$")
    match(result.lines, r"^ready: 12 people, 12 runs")
    assert {path: path.stat().st_mtime_ns for path in study.folder.rglob("*")} == before


def test_faults_of_tables_images_and_regions_are_told_at_once(study: Study) -> None:
    study.edit("config.yaml", "column: group", "column: grp")
    study.edit("rois.yaml", "center_mm: [-36, 18, 2]", "center_mm: [-120, 18, 2]")
    study.find("*_desc-brain_mask.nii.gz")[0].unlink()
    result = study.check()
    match(result.problems, r"no column 'grp' \(groups.column\)")
    match(result.problems, r"ROI 'LAI': none of it in the brain mask in \d+ of 11 runs looked at")
    match(result.lines, r"no brain mask \(desc-brain_mask\) beside")


def test_a_missing_table_hides_no_fault_of_the_images(study: Study) -> None:
    (study.folder / "data/participants.tsv").unlink()
    first = study.find("*_bold.nii.gz")[0]
    shutil.copy(first, first.with_name(first.name.replace("task-rest", "task-rest_run-1")))
    shutil.copy(first, first.with_name(first.name.replace("task-rest", "task-rest_run-01")))
    result = study.check()
    match(result.problems, r"input.participants: .*participants.tsv does not exist")
    match(result.problems, r"run-01.* are the same run")


# what is edited in which file -> the problem
PROBLEMS = {
    "a person twice": ("data/participants.tsv", "sub-02\t", "sub-01\t", r"sub-01 occurs twice \(lines 2 and 3\)"),
    "a covariate that is no column": (
        "config.yaml", "edge: [mean_fd]", "edge: [mean_fd, handedness]",
        r"no column 'handedness' in the tables \(covariates.edge\)",
    ),
    "a level that nobody has": (
        "config.yaml", "therapist: therapist", "therapist: T", r"column 'group' has no 'T' \(groups.levels.therapist\)",
    ),
    "images in another space": (
        "rois.yaml", "space: MNI152NLin2009cAsym", "space: MNI152NLin6Asym",
        r"input.filters.space: 'MNI152NLin2009cAsym' found, the ROIs are in 'MNI152NLin6Asym'",
    ),
    "a filter that no file meets": ("config.yaml", "task: rest", "task: nback", r"task.*nback.*rest"),
    "no high-pass with aCompCor": (
        "config.yaml", "strategy: acompcor", "strategy: acompcor, high_pass_hz: null",
        r"high_pass_hz: null found; strategy 'acompcor' uses aCompCor.* 0.008 or more needed",
    ),
    "rules that cost too many people": (
        "config.yaml", "min_degrees_of_freedom: 5", "min_degrees_of_freedom: 60",
        r"^therapist: \d+ of \d+ people with images would keep no usable run",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_problems(study: Study, case: str) -> None:
    name, old, new, message = PROBLEMS[case]
    if case == "no high-pass with aCompCor":
        text = (study.folder / name).read_text()
        (study.folder / name).write_text(re.sub(r"high_pass_hz: [\d.]+, ", "", text))
    study.edit(name, old, new)
    match(study.check().problems, message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("9", r"'iri_01', sub-01: 9 is out of range, 0 to 4 needed"),
        ("often", r"'iri_01', sub-01: 'often' is not a number"),
        ("3,5", r"'3,5' is not a number; .* set input.decimal: ','"),
    ],
)
def test_answers_that_cannot_be(study: Study, value: str, message: str) -> None:
    study.set_cell(1, "iri_01", value)
    match(study.check().problems, message)


def test_ids_of_two_worlds_are_a_problem(study: Study) -> None:
    study.edit("data/participants.tsv", "sub-", "sub-T")
    (line,) = match(study.check().problems, "nobody is in both")
    assert re.search(r"sub-\d+, .* have images, sub-T01, sub-T02, sub-T03, \.\.\. are in the tables", line)


def test_a_person_with_images_and_no_row_is_named(study: Study) -> None:
    study.edit("data/participants.tsv", "sub-02\t", "sub-2\t")
    result = study.check()
    match(result.lines, r"warning: sub-02: has a run, no row in the tables; the tables have sub-2")
    assert result.problems == ()


@pytest.mark.parametrize(
    ("roi", "problem", "warning"),
    [
        ("sphere: {center_mm: [0, 0, 20], radius_mm: 1}",
         None, r"ROI 'X': 1 voxels in the brain mask; a mean of so few"),
        ("sphere: {center_mm: [0, 0, 148], radius_mm: 6}", r"ROI 'X': none of it in the brain mask in 12 of 12", None),
        ("sphere: {center_mm: [0, 0, 100], radius_mm: 60}, variants: {radius_mm: 6}",
         None, r"ROI 'X_R6': none of it in the brain mask in 12 of 12"),
        ("mask: absent.nii.gz", r"ROI 'X': absent.nii.gz does not exist", None),
        ("mask: empty.nii.gz", r"ROI 'X': .*empty.nii.gz leaves no voxel with a weight", None),
        ("atlas: {image: labels.nii.gz, label: 7}",
         r"ROI 'X': label 7 is not in .*labels.nii.gz, which has 1 labels", None),
        ("mask: corner.nii.gz", r"ROI 'X': none of it in the brain mask", None),
    ],
)  # fmt: skip
def test_regions(study: Study, roi: str, problem: str | None, warning: str | None) -> None:
    labels = np.zeros((17, 20, 17), np.uint8)
    write_image(study.folder / "empty.nii.gz", labels)
    labels[0, 0, 0] = 1
    write_image(study.folder / "corner.nii.gz", labels)
    write_image(study.folder / "labels.nii.gz", labels)
    study.edit("rois.yaml", "rois:\n", f"rois:\n  - {{name: X, source: here, {roi}}}\n")
    result = study.check()
    for lines, pattern in ((result.problems, problem), (result.lines, warning and f"^warning: .*{warning}")):
        if pattern:
            match(lines, pattern)
    assert bool(result.problems) == (problem is not None)


def test_all_unusable_regions_are_named(study: Study) -> None:
    write_image(study.folder / "empty.nii.gz", np.zeros((4, 4, 4), np.uint8))
    study.edit(
        "rois.yaml",
        "rois:\n",
        "rois:\n  - {name: X, mask: empty.nii.gz}\n  - {name: Y, mask: empty.nii.gz}\n",
    )
    problems = study.check().problems
    match(problems, "ROI 'X', 'Y': .*leaves no voxel")


def test_claims_that_these_people_cannot_test_are_named(study: Study) -> None:
    study.edit("claims.yaml", "- id: F1\n", '- id: F1\n  sample: "age > 200"\n')
    result = study.check()
    match(result.lines, r"  not testable: F1: ")
    match(result.lines, r"  not testable: P3: the equivalence test has .* people needed")
    assert result.problems == ()


def test_a_slow_high_pass_beside_acompcor_is_a_warning(study: Study) -> None:
    study.edit("config.yaml", "high_pass_hz: 0.01", "high_pass_hz: 0.005")
    match(study.check().lines, r"warning: denoising.high_pass_hz: 0.005 Hz is below the 0.0078 Hz")


def test_scores_alone_need_no_images(study: Study) -> None:
    (study.folder / "claims.yaml").write_text(
        "- {id: P1, family: f, text: t, source: s, outcome: FS, contrast: {column: group, a: therapist, b: control}, "
        "expect: greater}\n"
    )
    text = (study.folder / "config.yaml").read_text()
    text = re.sub(r"(?m)^(rois|edges|seeds): .*\n", "", text)
    text = re.sub(r"(?m)^  (derivatives|filters): .*\n", "", text)
    (study.folder / "config.yaml").write_text(text)
    result = study.check()
    assert result.problems == ()
    match(result.lines, r"^no images: \d scores, 1 claims$")
    match(result.lines, r"^ready: \d+ people, no images")


def test_files_dated_in_the_future_are_named(study: Study) -> None:
    later = time.time() + 10 * 24 * 3600
    bold = study.find("*_desc-preproc_bold.nii.gz")[0]
    for path in (bold, study.folder / "data" / "participants.tsv"):
        os.utime(path, (later, later))
    problems = study.check().problems
    assert len(problems) == 2
    match(problems, r"participants.tsv: dated \d{4}-\d\d-\d\d, in the future, .* `touch` it")
    match(problems, rf"{bold.name}: dated .* in the future")
