import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rsconn.errors import RunError, SystemTroubleError, UserError
from rsconn.files.bids import Run
from rsconn.files.bids_tree import list_files
from rsconn.files.confounds import read_confounds
from rsconn.files.image_headers import read_header
from rsconn.files.run_records import process_records, read_records, start_records, write_records
from rsconn.files.sidecars import read_json_object
from rsconn.published_tables import read_published_table


def _run(name: str) -> Run:
    return Run(name, None, f"{name}_task-rest", {"task": "rest"})


def test_one_bad_run_fails_alone_and_keeps_its_first_reason(tmp_path: Path, capsys):
    def first(run, facts):
        if run.participant_id == "sub-2":
            raise RunError("volume 3 of 10 is cut short")
        return {"n": 1}

    def second(run, facts):
        if run.participant_id == "sub-3":
            raise RunError("no confounds")
        return {"m": facts["n"] + 1}

    records = process_records(start_records([_run("sub-1"), _run("sub-2"), _run("sub-3")]), "extract", first)
    write_records(tmp_path / "a.json", process_records(records, "denoise", second))
    back = read_records([tmp_path / "a.json"])
    assert [(record.failed_stage, record.reason) for record in back] == [
        (None, ""),
        ("extract", "sub-2_task-rest: volume 3 of 10 is cut short"),
        ("denoise", "sub-3_task-rest: no confounds"),
    ]
    assert back[0].facts == {"n": 1, "m": 2}
    assert back[2].facts == {"n": 1}
    assert "sub-2_task-rest: left out at extract: volume 3 of 10 is cut short" in capsys.readouterr().out


def test_a_record_tells_where_files_lie_from_the_results_and_reasons_from_the_dataset(tmp_path: Path):
    data, results = tmp_path / "my data" / "fmriprep", tmp_path / "results"
    bold = data / "sub-1" / "func" / "sub-1_task-rest_bold.nii.gz"
    run = replace(_run("sub-1"), bold=bold, datasets={"fmriprep": str(data)})

    def process(run, facts):
        raise RunError(f"{run.bold}: torn; the mask is {tmp_path / 'mask.nii.gz'}")

    path = results / "work" / "extract" / "batch-001.json"
    write_records(path, process_records(start_records([run]), "extract", process))
    assert str(tmp_path) not in path.read_text()
    [record] = read_records([path])
    assert record.reason == "sub-1/func/sub-1_task-rest_bold.nii.gz: torn; the mask is mask.nii.gz"
    assert record.run == run
    assert record.run.cite(bold) == ["bids:fmriprep:sub-1/func/sub-1_task-rest_bold.nii.gz"]


def test_a_bug_stops_the_job():
    def process(run, facts):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        process_records(start_records([_run("sub-1")]), "extract", process)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (
            PermissionError(13, "Permission denied", "a.tsv"),
            "sub-1_task-rest: a.tsv: no permission to read it",
        ),
        (OSError(5, "Input/output error"), "sub-1_task-rest: the disk cannot read it"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "sub-1_task-rest: "),
    ],
)
def test_what_the_system_refuses_fails_one_run_alone(raised, told):
    def process(run, facts):
        if run.participant_id == "sub-1":
            raise raised
        return {"n": 1}

    first, second = process_records(start_records([_run("sub-1"), _run("sub-2")]), "extract", process)
    assert first.failed_stage == "extract"
    assert first.reason.startswith(told)
    assert second.facts == {"n": 1}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE])
def test_a_full_disk_costs_nobody_their_place(number):
    def process(run, facts):
        raise OSError(number, os.strerror(number), "work/x")

    with pytest.raises(SystemTroubleError, match=r"^work/x: "):
        process_records(start_records([_run("sub-1"), _run("sub-2")]), "extract", process)


def test_what_was_known_before_a_failure_is_kept():
    def process(run, facts):
        raise RunError("nothing left", facts={"quality": {"mean_fd": 0.9}})

    [record] = process_records(start_records([_run("sub-1")]), "denoise", process)
    assert record.facts == {"quality": {"mean_fd": 0.9}}


@pytest.mark.parametrize(
    "content", ["/annex/objects/MD5E-s5--ab.nii.gz\n", "version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_pointer_in_place_of_content_asks_for_the_content(tmp_path: Path, content):
    path = tmp_path / "sub-1_bold.nii.gz"
    path.write_text(content)
    for read in (
        read_header,
        lambda path: read_confounds(path, None),
        read_json_object,
        read_published_table,
    ):
        with pytest.raises(UserError, match=r"sub-1_bold.nii.gz: a pointer of git-annex .* `datalad get` it"):
            read(path)


def test_links_in_a_circle_are_no_traceback(tmp_path: Path):
    func = tmp_path / "sub-01" / "ses-1" / "func"
    func.mkdir(parents=True)
    (func / "sub-01_ses-1_task-rest_desc-preproc_bold.nii.gz").touch()
    (tmp_path / "sub-01" / "ses-2").symlink_to("..")
    (tmp_path / "sub-01" / "ses-3").symlink_to("ses-3")
    assert [file.name for file in list_files(tmp_path)] == ["sub-01_ses-1_task-rest_desc-preproc_bold.nii.gz"]
