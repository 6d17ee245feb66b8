from pathlib import Path

import pytest

from rsconn.errors import RunError
from rsconn.files.bids import Run
from rsconn.files.run_records import process_records, read_records, start_records, write_records


def _run(name: str) -> dict:
    return Run.from_dict(
        {"participant_id": name, "session": None, "name": f"{name}_task-rest", "entities": {"task": "rest"}}
    ).to_dict()


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
        ("extract", "volume 3 of 10 is cut short"),
        ("denoise", "no confounds"),
    ]
    assert back[0].facts == {"n": 1, "m": 2}
    assert back[2].facts == {"n": 1}
    assert "sub-2_task-rest: left out at extract: volume 3 of 10 is cut short" in capsys.readouterr().out


def test_a_bug_stops_the_job():
    def process(run, facts):
        raise KeyError("bug")

    with pytest.raises(KeyError):
        process_records(start_records([_run("sub-1")]), "extract", process)
