import json
import resource
from pathlib import Path

import pytest

from rsconn.errors import DatasetError, SystemTroubleError
from rsconn.files.writing import (
    check_new_files,
    check_results_folder,
    check_space,
    forget_lost_files,
    keep_file_list,
    replace_file,
    sweep_leftovers,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a" / "x.txt"
    write_text(path, "old")

    def fail() -> None:
        with replace_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["x.txt"]


def test_json_is_sorted_and_refuses_nan(tmp_path):
    write_json(tmp_path / "x.json", {"b": 1, "a": 0.1})
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 0.1,\n  "b": 1\n}\n'
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 0.1, "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "y.json", {"a": float("nan")})
    assert not (tmp_path / "y.json").exists()


@pytest.mark.parametrize("makers", [None, [], [{"Name": "fMRIPrep"}], {"Name": "rsconn"}, 3])
def test_a_dataset_of_others_is_no_results_folder(tmp_path, makers):
    description = {"Name": "mine"} if makers is None else {"GeneratedBy": makers}
    (tmp_path / "dataset_description.json").write_text(json.dumps(description))
    with pytest.raises(DatasetError, match="not written by rsconn"):
        check_results_folder(tmp_path, "output_dir")


@pytest.mark.parametrize("name", ["sub-01", "group", "report.html"])
def test_what_a_run_would_overwrite_is_refused_without_its_mark(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=name):
        check_results_folder(tmp_path, "output_dir")
    (tmp_path / ".snakemake").mkdir()
    check_results_folder(tmp_path, "output_dir")


def test_own_results_and_new_folders_are_taken(tmp_path):
    check_results_folder(tmp_path / "new", "output_dir")
    (tmp_path / "notes.txt").touch()
    check_results_folder(tmp_path, "output_dir")
    (tmp_path / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "rsconn"}]}')
    (tmp_path / "group").mkdir()
    check_results_folder(tmp_path, "output_dir")


def test_files_are_not_overwritten_without_the_mark(tmp_path):
    (tmp_path / "rois.yaml").write_text("- name: mine")
    with pytest.raises(DatasetError, match="exists already"):
        check_new_files([tmp_path / "rois.yaml"], "--output", mark=tmp_path / "rois.yaml")
    (tmp_path / "rois.yaml").write_text("# Made by `rsconn rois from-map`")
    check_new_files([tmp_path / "rois.yaml"], "--output", mark=tmp_path / "rois.yaml")


def test_leftovers_of_killed_writers_are_swept_and_nothing_else(tmp_path):
    kept = [tmp_path / name for name in (".bidsignore", "cohort.tsv", ".snakemake/.1.x", ".12")]
    gone = [tmp_path / ".77.claims.tsv", tmp_path / "group" / ".8.cohort.tsv"]
    for path in (*kept, *gone):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert sweep_leftovers(tmp_path) == 2
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in gone)


def test_a_job_lists_what_it_wrote_and_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = Path("work") / "files"
    with keep_file_list(lists / "a" / "1.json"):
        write_text(Path("sub-1") / "a.txt", "a")
        write_text(Path("b.txt"), "b")
        write_text(tmp_path / "c.txt", "c")
        Path("b.txt").unlink()
    with keep_file_list(lists / "b.json"):
        write_text(Path("d.txt"), "d")
    assert json.loads((lists / "a" / "1.json").read_text()) == ["c.txt", "sub-1/a.txt"]
    assert forget_lost_files(tmp_path) == []
    Path("c.txt").unlink()
    assert forget_lost_files(tmp_path) == [tmp_path / lists / "a" / "1.json"]
    Path("d.txt").write_text("")
    assert forget_lost_files(tmp_path) == [tmp_path / lists / "b.json"]
    assert list(lists.rglob("*.json")) == []


def test_a_job_that_failed_lists_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), keep_file_list(tmp_path / "list.json"):
        write_text(tmp_path / "a.txt", str(1 / 0))
    assert not (tmp_path / "list.json").exists()


def test_folders_that_cannot_be_written_are_told_apart(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name, found in {
        "file": ": a file;",
        "file/results": "file is a file;",
        "link": ": a link that leads nowhere;",
        "link/results": "link is a link that leads nowhere;",
    }.items():
        with pytest.raises(DatasetError, match=rf"{found}.* needed \(output_dir\)"):
            check_results_folder(tmp_path / name, "output_dir")
    check_results_folder(tmp_path / "new" / "results", "output_dir")


def test_a_limit_of_file_size_is_told(tmp_path):
    (tmp_path / ".snakemake").mkdir()
    check_space(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(SystemTroubleError, match="ulimit -f"):
            check_space(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / ".snakemake").iterdir())
