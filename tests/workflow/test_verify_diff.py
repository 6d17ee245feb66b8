"""Results computed again, and two runs compared, through the real commands."""

from __future__ import annotations

import shutil

import pytest
from _pytest.pytester import LineMatcher

pytestmark = pytest.mark.workflow


@pytest.fixture
def copied(finished, tmp_path):
    """The finished results somewhere else, to be tampered with; their config stays where it is."""
    shutil.copytree(finished.results, tmp_path / "copy", ignore=shutil.ignore_patterns(".snakemake"))
    return tmp_path / "copy"


def test_a_finished_run_is_verified_to_the_byte(finished):
    done = finished.rsconn("verify", "results", "--cores", "2")
    assert done.returncode == 0, done.stderr
    LineMatcher(done.stdout.splitlines()).fnmatch_lines(
        ["verified: * files are the same to the byte, 0 to 1e-10"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            "group/edges.tsv",
            "sub-05\t",
            "sub-55\t",
            "column participant_id: sub-55 in the results, sub-05 computed again",
        ),
        ("group/exclusions.tsv", "\n", "", "rows"),
    ],
)
def test_what_was_changed_is_named(finished, copied, name, old, new, said):
    path = copied / name
    path.write_text(path.read_text().replace(old, new, 1))
    done = finished.rsconn("verify", str(copied), "--config", "config.yaml", "--cores", "2")
    assert done.returncode == 2
    assert f"rsconn: {name}" in done.stderr
    assert said in done.stderr


@pytest.mark.slow
def test_a_sample_looks_at_runs_only(finished, copied):
    (copied / "group" / "claims.tsv").write_text("not looked at\n")
    done = finished.rsconn("verify", str(copied), "--config", "config.yaml", "--sample", "1", "--cores", "1")
    assert done.returncode == 0, done.stderr
    series = next(copied.rglob("*_relmat.tsv"))
    for path in copied.rglob("*_relmat.tsv"):
        path.write_text(path.read_text().replace("0.", "9.", 1))
    done = finished.rsconn("verify", str(copied), "--config", "config.yaml", "--sample", "1", "--cores", "1")
    assert done.returncode == 2, series
    assert "_relmat.tsv" in done.stderr


def test_another_config_is_refused(finished, copied, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text((finished.folder / "config.yaml").read_text() + "# edited\n")
    done = finished.rsconn("verify", str(copied), "--config", str(other))
    assert done.returncode == 2
    assert "not the config that made these results" in done.stderr


@pytest.mark.slow
def test_diff_says_which_option_moved_which_claims(finished, study):
    study.edit("config.yaml", "fd_threshold_mm: 0.9", "fd_threshold_mm: 0.7")
    assert study.run().returncode == 0
    done = finished.rsconn("diff", "results", str(study.results))
    assert done.returncode == 0, done.stderr
    assert "  censoring.fd_threshold_mm: 0.9 -> 0.7" in done.stdout.splitlines()
    moved = [line for line in done.stdout.splitlines() if line.startswith(("  F1", "  F2"))]
    assert moved
    assert not any(line.startswith("  P1") for line in done.stdout.splitlines())  # scores do not move
    same = finished.rsconn("diff", "results", "results").stdout
    assert "neither config, data nor versions" in same
    assert "  21 did not move" in same.splitlines()


def test_diff_of_no_run_is_one_line(finished, tmp_path):
    done = finished.rsconn("diff", "results", str(tmp_path))
    assert done.returncode == 2
    assert "no finished run here" in done.stderr
