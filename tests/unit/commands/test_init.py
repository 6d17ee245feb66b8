"""`rsconn init`: the first config passes the check, says why, asks what it cannot know, and never overwrites."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rsconn import cli
from rsconn.commands.first_rules import _place_two
from rsconn.commands.init import look_at, write_first_config
from rsconn.settings.config import Config, read_config

TINY = Path(__file__).resolve().parents[2] / "reference" / "tiny"


def run_init(capsys, *words: object) -> str:
    """Return what `rsconn init` prints; it must end well, which it does if the check finds no problem."""
    code = cli.main(["init", *map(str, words)])
    shown = capsys.readouterr()
    assert code == 0, shown.out + shown.err
    return shown.out


def read_written(folder: Path) -> Config:
    return read_config(folder / "config.yaml")


@dataclass(frozen=True)
class Written:
    """What `rsconn init` wrote for the tiny study, beside the config that a person wrote."""

    folder: Path
    ready: bool
    shown: str

    @property
    def text(self) -> str:
        return (self.folder / "config.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Written:
    by_hand = tmp_path_factory.mktemp("tiny")
    for name in ("config", "rois", "claims"):
        shutil.copy(TINY / f"{name}.yaml", by_hand)
    (by_hand / "data").symlink_to(TINY / "data")
    lines, ready = write_first_config(by_hand / "data", [], by_hand / "first")
    return Written(by_hand / "first", ready, "\n".join(lines))


def test_the_tiny_study_gives_the_config_that_a_person_wrote(tiny):
    assert tiny.ready
    assert "ready: 12 people, 12 runs" in tiny.shown
    found, written = read_written(tiny.folder), read_config(tiny.folder.parent / "config.yaml")
    for section in ("input", "sessions", "edges", "groups", "scores", "connectivity"):
        assert getattr(found, section) == getattr(written, section), section
    assert found.rois == written.rois  # 12 mm voxels: the spheres were widened
    assert found.covariates.edge == ("age", "sex", "mean_fd")


def test_short_runs_get_rules_that_keep_them_and_a_question_each(tiny):
    assert (
        "low_pass_hz: null  # ? with a low-pass of 0.08 Hz too few degrees of freedom are left" in tiny.text
    )
    assert "min_retained_minutes: 1  # ? runs last 2.0 min" in tiny.text
    assert re.search(r"# Predicted degrees of freedom, 0.01-0.08 Hz: 36P 0, acompcor 0", tiny.text)


def test_reasons_stand_behind_the_guesses(tiny):
    assert "# control (10), therapist (10); name in claims: value in the table" in tiny.text
    assert "answers from 0 to 4; alpha 0.58 if reversed items are as answered" in tiny.text


def test_claims_are_examples_to_edit(tiny):
    claims = read_written(tiny.folder).claims
    assert [claim.id for claim in claims] == ["C1", "C2", "S1", "S2", "B1"]
    assert all(claim.exploratory for claim in claims)
    assert claims[0].contrast is not None
    assert (claims[0].contrast.a, claims[0].contrast.b) == ("therapist", "control")
    assert "expect: different  # ?" in (tiny.folder / "claims.yaml").read_text()


@pytest.mark.parametrize("name", ["config.yaml", "rois.yaml", "claims.yaml"])
def test_nothing_is_overwritten(tmp_path, capsys, name):
    (tmp_path / name).write_text("mine\n")
    assert cli.main(["init", str(TINY / "data"), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{name}: it exists already and is not overwritten" in error
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine\n"


def test_an_empty_folder_is_one_line(tmp_path, capsys):
    assert cli.main(["init", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--table" in error


# --- real data ------------------------------------------------------------------------------------------------------


def test_series_of_two_sites(tmp_path, capsys, shared_data):
    run_init(capsys, shared_data / "rpn", "--output", tmp_path)
    found = read_written(tmp_path)
    assert found.input.parcellated == (shared_data / "rpn",)
    assert found.input.denoised is True
    assert found.rois.name == "MIST122"
    assert found.groups is not None
    assert found.groups.column == "site"
    assert found.input.values["anx_trait"] == {"19": "n/a"}
    assert found.scores["anx_trait"].range == (20, 80)
    assert found.covariates.edge == ("age", "sex", "mean_fd")


@pytest.mark.slow
def test_one_real_run_without_a_table(tmp_path, capsys, shared_data):
    run_init(capsys, shared_data / "rapidtide", "--output", tmp_path)
    found = read_written(tmp_path)
    assert (tmp_path / "participants.tsv").read_text() == "participant_id\nsub-rapidtide\n"
    assert found.denoising.strategy.name == "acompcor"
    assert found.claims == ()


def test_item_means_with_decimal_commas(tmp_path, capsys, shared_data):
    run_init(capsys, shared_data / "phenotype" / "ds000201", "--output", tmp_path)
    found = read_written(tmp_path)
    assert found.input.decimal == ","
    assert found.input.values["Sex"] == {"Female": "F", "Male": "M"}
    assert found.groups is not None
    assert found.groups.column == "AgeGroup"
    score = found.scores["FS"]
    assert (score.column, score.coding, score.range) == ("IRI_F", "mean", (1, 5))
    assert found.scores["STAI_T"].range == (20, 80)


def test_sums_by_the_words_of_their_names(tmp_path, capsys, shared_data):
    run_init(capsys, shared_data / "phenotype" / "ds003823", "--output", tmp_path)
    found = read_written(tmp_path)
    assert found.scores["CR"].column == "erq-FR_reappraisal_w1"
    assert found.scores["ES"].coding == "sum"
    assert found.groups is not None
    assert found.groups.levels == {"YA": "YA", "OA": "OA"}


@pytest.mark.slow
def test_items_that_are_reversed_already(tmp_path, capsys, shared_data):
    run_init(capsys, shared_data / "questionnaires", "--output", tmp_path)
    found = read_written(tmp_path)
    assert {score.coding for score in found.scores.values()} == {"items_reversed"}
    assert {claim.contrast.column for claim in found.claims if claim.contrast} == {"sex"}


# --- a lab ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lab:
    folder: Path
    first: Written


@pytest.fixture(scope="module")
def lab(lab_folder) -> Lab:
    folder = lab_folder
    lines, ready = write_first_config(folder, [], folder / "study")
    return Lab(folder, Written(folder / "study", ready, "\n".join(lines)))


def test_a_lab_is_read_as_it_lies(lab):
    assert lab.first.ready, lab.first.shown
    found = read_written(lab.first.folder)
    assert found.input.derivatives == (lab.folder / "bids" / "derivatives" / "fmriprep",)
    assert found.input.participants == lab.folder / "bids" / "participants.tsv"
    assert found.input.phenotype == (lab.folder / "pheno" / "iri.tsv",)
    assert found.input.filters == {"task": ("resting",), "space": ("MNI152NLin2009cAsym",)}
    assert found.input.values == {"sex": {"male": "M", "female": "F"}}
    assert found.covariates.edge == ("age", "sex", "site", "mean_fd")
    assert found.categorical == ("site",)
    assert "by fMRIPrep 23.2.0" in lab.first.text
    assert "sessions: combine  # ? ses-01, ses-02" in lab.first.text


def test_other_spellings_of_ids_are_settled_and_a_slip_is_asked_about(lab):
    found = read_written(lab.first.folder)
    assert found.input.id_column == "ID"
    assert found.input.ids["ctl-01"] == "sub-CTL01"
    assert len(found.input.ids) == 11
    assert "# ? PTA-06: sub-PAT06  # the same person?" in lab.first.text


def test_a_question_about_an_id_is_answered_by_taking_its_mark_away(lab, tmp_path):
    answered = lab.first.folder / "answered.yaml"
    answered.write_text(lab.first.text.replace("# ? PTA-06", "PTA-06"))
    assert read_config(answered).input.ids["PTA-06"] == "sub-PAT06"


def test_who_would_stop_the_study_is_named_in_the_limit(lab):
    assert "max_share_lost: 0.2  # ? else it stops: Patient: 1 of 6 people" in lab.first.text


def test_a_raw_dataset_leads_to_its_derivatives_and_a_table_may_be_named(lab):
    seen = look_at(lab.folder / "bids", [lab.folder / "pheno" / "iri.tsv"])
    before = read_written(lab.first.folder).input
    assert seen.images is not None
    assert seen.tables is not None
    assert (seen.images.folder,) == before.derivatives
    assert seen.tables.settings.tables == before.tables
    assert seen.tables.settings.ids == before.ids


def test_an_image_that_is_cut_short_and_a_mover_are_no_obstacle(lab):
    assert "24 runs" in lab.first.shown
    assert not [line for line in lab.first.shown.splitlines() if line.startswith("problem")]


# --- what names and values say --------------------------------------------------------------------------------------


def make_table(folder: Path, columns: dict[str, list[str]]) -> Path:
    rows = ["\t".join(columns), *("\t".join(row) for row in zip(*columns.values(), strict=True))]
    folder.mkdir(exist_ok=True)
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")
    return folder


def look_at_columns(tmp_path: Path, **columns: list[str]):
    n = len(next(iter(columns.values())))
    ids = {"participant_id": [f"sub-{number:02d}" for number in range(n)]}
    scores = {"bdi": [str(number % 9) for number in range(n)]}
    return look_at(make_table(tmp_path / "data", ids | scores | columns), [])


def test_spellings_of_a_group_become_one(tmp_path):
    seen = look_at_columns(tmp_path, Diagnosis=["HC", "hc", "HC", "HC", "MDD", "MDD", "mdd", "MDD"])
    assert seen.columns.groups.value == {"column": "Diagnosis", "levels": {"HC": "HC", "MDD": "MDD"}}
    assert seen.columns.cells["Diagnosis"].value == {"hc": "HC", "mdd": "MDD"}
    assert seen.columns.sides == ("MDD", "HC")


def test_groups_by_number_are_asked_about(tmp_path):
    guess = look_at_columns(tmp_path, group=["1", "2"] * 5).columns.groups
    assert guess.value["levels"] == {"group_1": "1", "group_2": "2"}
    assert not guess.sure


def test_marks_for_missing_and_units_of_ages_are_mapped(tmp_path):
    seen = look_at_columns(tmp_path, Age=["31", "40", "-999", "55", "28", "35"])
    assert seen.columns.cells["Age"].value == {"-999": "n/a"}
    assert not seen.columns.cells["Age"].sure
    seen = look_at_columns(tmp_path, Age=["31 years", "40 years", "25 years", "55 years", "28 years"])
    assert seen.columns.cells["Age"].value["31 years"] == "31"


def test_a_site_that_says_who_is_in_which_group_is_left_out_and_told(tmp_path):
    columns = {
        "group": ["a", "a", "b", "b"] * 3,
        "site": ["X", "X", "Y", "Y"] * 3,
        "age": list("345678234567"),
    }
    seen = look_at_columns(tmp_path, **columns)
    assert seen.columns.covariates.value == ("age",)
    assert "site cannot be told apart from group" in seen.columns.covariates.reason
    assert not seen.columns.covariates.sure


def test_items_numbered_one_higher_get_their_range(tmp_path):
    items = {f"ERQ{number}": [str((number * k + k) % 7) for k in range(1, 13)] for number in range(1, 11)}
    guess = look_at_columns(tmp_path, **items).scores.scores["CR"]
    assert guess.value["items"] == "ERQ{}"
    assert guess.value["range"] == [0, 6]


def test_items_of_an_unknown_questionnaire_are_asked_about(tmp_path):
    items = {f"q{number:02d}": [str((number * k) % 4) for k in range(1, 13)] for number in range(1, 9)}
    questions = look_at_columns(tmp_path, **items).scores.questions
    assert any("q{:02d}: 8 items answered from 0 to 3; which questionnaire?" in line for line in questions)


def test_regions_are_placed_in_images_that_no_published_one_meets():
    centers = np.array([(x, y, z) for x in range(-20, 21, 10) for y in (0, 10) for z in (0, 10)], dtype=float)
    first, second = _place_two(centers, 10.0)
    assert first.sphere.center_mm[0] < 0 < second.sphere.center_mm[0]
    assert first.sphere.radius_mm == 12


def test_other_ways_of_analysing_are_those_that_the_runs_allow(lab):
    found = read_written(lab.first.folder).multiverse
    assert found is not None
    assert found.strategy == ("acompcor", "motion24")  # the confounds of 36P are not there
    assert found.global_signal == ()
    assert found.covariates[0] == ("age", "sex", "site", "mean_fd")
