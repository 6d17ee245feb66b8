"""People, sessions and spaces that a filter or a level leaves out: which one, and what settles it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rsconn.commands.check import check_config
from rsconn.errors import UserError
from rsconn.files.left_out import find_left_out
from rsconn.files.sidecars import describe_origin
from rsconn.rules.cohort import gather_cohort
from rsconn.rules.infer import find_simulated
from rsconn.rules.plan import plan_workflow
from rsconn.settings.config import read_config
from rsconn.study.people.ledger import compare_people


def rename(folder, person, old, new):
    for path in (folder / "deriv" / person / "func").iterdir():
        path.rename(path.with_name(path.name.replace(old, new)))


@pytest.mark.parametrize(
    ("filters", "old", "new", "said"),
    [
        ("{task: rest}", "task-rest", "task-Rest", "task Rest"),
        ("{task: rest, run: 1}", "_space", "_space", "no run"),
        ("{task: rest, space: MNI152NLin2009cAsym}", "MNI152NLin2009cAsym", "MNI152NLin6Asym", "space MNI152NLin6Asym"),
        ("{task: rest}", "desc-preproc_bold", "desc-smoothed_bold", "desc smoothed"),
        ("{task: rest, sub: [01, 02, 03]}", "_space", "_space", "sub 04"),
        ("{task: [rest], acq: none}", "task-rest", "task-rest_acq-mb4", "acq mb4"),
    ],
)  # fmt: skip
def test_the_filter_that_leaves_somebody_out_is_named(make_images, tmp_path, filters, old, new, said):
    make_images(filters=filters.replace("01, 02, 03", "'01', '02', '03'"))
    rename(tmp_path, "sub-04", old, new)
    if "run: 1" in filters:
        for person in ("sub-01", "sub-02", "sub-03"):
            rename(tmp_path, person, "task-rest", "task-rest_run-1")
    result = check_config(tmp_path / "config.yaml")
    assert f"warning: sub-04: has images that input.filters leave out ({said})" in result.lines


def test_series_that_filters_leave_out_are_named(tmp_path):
    series = tmp_path / "sub-01" / "func" / "sub-01_task-rest_seg-A_timeseries.tsv"
    series.parent.mkdir(parents=True)
    series.write_text("a\n1\n")
    found = find_left_out(
        [tmp_path], {"task": ["rest"], "seg": ["B"]}, {"sub-01", "sub-02"}, parcellated=True
    )
    assert found == {"sub-01": "seg A"}
    (first, second) = compare_people({"sub-01", "sub-02"}, set(), found)
    assert first.reason == (
        "sub-01: no run found; has images that input.filters leave out (seg A); in claims on scores only"
    )
    assert second.reason == "sub-02: no run found; in claims on scores only"


def test_a_group_spelt_otherwise_is_named_with_its_mapping(make_study, tmp_path):
    groups = ["pat" if index % 2 else "con" for index in range(20)]
    groups[1:4] = ["Pat", "Con", "other"]
    config = make_study(columns={"group": groups})
    (line,) = [line for line in check_config(config).lines if "not among groups.levels" in line]
    assert line == (
        "warning: column 'group': 'Pat', 'Con', 'other' (sub-02, sub-03, sub-04) not among groups.levels (pat, con); "
        "say input.values: {group: {Pat: pat, Con: con}}"
    )
    Path("work").mkdir()
    Path("work/connect.json").write_text("[]")
    gather_cohort([Path("work/connect.json")], settings=read_config(config))
    assert (
        "sub-02: column 'group' is 'Pat', none of groups.levels; in no group"
        in Path("group/exclusions.tsv").read_text()
    )


@pytest.mark.parametrize("extra", ["", "accept_space_mismatch: true\n  "])
def test_native_space_is_refused_beside_a_template(make_images, tmp_path, extra):
    make_images(filters="{task: rest, space: T1w}", input=f"  {extra}".rstrip(" ") if extra else "")
    for person in ("sub-01", "sub-02", "sub-03", "sub-04"):
        rename(tmp_path, person, "space-MNI152NLin2009cAsym", "space-T1w")
    (line,) = check_config(tmp_path / "config.yaml").problems
    assert "'T1w' found, a space of each person's own" in line
    assert "accept" not in line
    edited = (tmp_path / "config.yaml").read_text().replace("space: T1w", "res: none")
    (tmp_path / "config.yaml").write_text(edited)
    result = check_config(tmp_path / "config.yaml")
    assert any("image in space T1w, a space of each person's own" in line for line in result.lines)
    assert any("4 of 4 people" in line for line in result.problems)


def test_several_sessions_need_a_word(make_study, tmp_path):
    config = make_study(sessions=("1", "2"))
    (line,) = check_config(config).problems
    assert "sessions: not set, and 20 people have several (sub-01: 1, 2); combine" in line
    with pytest.raises(UserError, match="sessions: not set"):
        plan_workflow([config])
    config.write_text(config.read_text() + "sessions: combine\n")
    assert check_config(config).problems == ()


def test_one_session_each_needs_none(make_study):
    assert check_config(make_study(sessions=("1",))).problems == ()


@pytest.mark.parametrize(
    ("told", "makers"),
    [
        ({"GeneratedBy": None}, []),
        ({}, []),
        ({"GeneratedBy": {"Name": "fMRIPrep", "Version": "23.1.0"}}, ["fMRIPrep 23.1.0"]),
        ({"GeneratedBy": "fMRIPrep"}, ["fMRIPrep"]),
        ({"GeneratedBy": [None, {"Version": "1"}, 5, {"Name": "xcp_d"}]}, ["1", "xcp_d"]),
        ({"PipelineDescription": {"Name": "fmriprep", "Version": "1.4.1"}}, ["fmriprep 1.4.1"]),
    ],
)
def test_makers_are_read_in_every_shape(make_images, tmp_path, told, makers):
    make_images()
    described = tmp_path / "deriv/dataset_description.json"
    described.write_text(json.dumps({"Name": "Lab", **told}))
    assert describe_origin(tmp_path / "deriv") == {"Name": "Lab", "GeneratedBy": makers}
    assert find_simulated(read_config(tmp_path / "config.yaml")) is False
    shutil.rmtree(tmp_path / "deriv")
