import sys

import pytest

from rsconn.errors import TableError
from rsconn.files.run_records import find_user_errors, write_job_log


def test_everything_printed_goes_to_the_log(tmp_path, capsys):
    with write_job_log(str(tmp_path / "logs" / "a.log")):
        sys.stdout.write("out\n")
        sys.stderr.write("err\n")
    assert (tmp_path / "logs" / "a.log").read_text() == "out\nerr\n"
    assert capsys.readouterr().out == ""


def test_a_users_mistake_is_one_marked_line_and_exit_code_2(tmp_path):
    with pytest.raises(SystemExit) as stop, write_job_log(str(tmp_path / "a.log")):
        raise TableError("participants.tsv: 3 people twice")
    assert stop.value.code == 2
    assert (tmp_path / "a.log").read_text() == "error: participants.tsv: 3 people twice\n"
    assert find_user_errors(tmp_path, since=0) == ["participants.tsv: 3 people twice"]
    assert find_user_errors(tmp_path, since=1e12) == []


def test_a_bug_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), write_job_log(str(tmp_path / "a.log")):
        _ = 1 / 0
    text = (tmp_path / "a.log").read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError" in text
    assert find_user_errors(tmp_path, since=0) == []


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OSError(28, "No space left on device", "group/edges.tsv"), "group/edges.tsv: no space left on the disk"),
        (OSError(27, "File too large"), "output_dir: a file may not grow further here"),
        (PermissionError(13, "Permission denied", "/data/a.tsv"), "/data/a.tsv: no permission to read it"),
        (FileNotFoundError(2, "No such file", "/data/a.tsv"), "/data/a.tsv: no such file"),
    ],
)  # fmt: skip
def test_what_the_system_refuses_of_a_named_file_is_a_line(tmp_path, raised, told):
    with pytest.raises(SystemExit), write_job_log(str(tmp_path / "a.log")):
        raise raised
    [line] = find_user_errors(tmp_path, since=0)
    assert line.startswith(told)


@pytest.mark.parametrize(
    "raised", [FileNotFoundError(2, "No such file", "group/of_nobody.tsv"), OSError("what a library says")]
)
def test_a_file_of_the_results_that_nobody_wrote_is_a_bug(tmp_path, raised):
    with pytest.raises(type(raised)), write_job_log(str(tmp_path / "a.log")):
        raise raised
    assert find_user_errors(tmp_path, since=0) == []
