import os
import tempfile
import time

from rsconn.commands.run import _make_environment
from rsconn.commands.verify import _list_files, _sweep_killed


def test_what_killed_runs_left_is_no_result_and_no_heap(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("rsconn-verify-old", "rsconn-verify-new", "other"):
        (tmp_path / name / "results").mkdir(parents=True)
    long_ago = time.time() - 3 * 24 * 3600
    for name in ("rsconn-verify-old", "other"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    _sweep_killed()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "rsconn-verify-new"]
    group = tmp_path / "other" / "group"
    group.mkdir()
    (group / ".123.edges.tsv").touch()
    (group / "edges.tsv").touch()
    assert _list_files(tmp_path / "other") == ["group/edges.tsv"]


def test_a_cache_that_cannot_be_written_is_replaced_by_one_in_the_results(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/dev/null")
    made = _make_environment(tmp_path, anonymise=False)
    assert made["XDG_CACHE_HOME"] == str(tmp_path / ".snakemake" / "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "XDG_CACHE_HOME" not in _make_environment(tmp_path, anonymise=False)
