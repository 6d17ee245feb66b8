"""Each step of the group, with a config in which nothing else can be read than what its rule depends on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rsconn.rules.cohort import gather_cohort
from rsconn.rules.infer import infer
from rsconn.settings.config import read_config

pytestmark = pytest.mark.workflow

# The columns that claims name stand in the cohort's job; where they are named is for messages.
NAMED = [
    f"claims.{name}" for name in ("id", "outcome", "predictor", "contrast", "between", "sample", "covariates")
]


@pytest.fixture
def results(finished, tmp_path, monkeypatch):
    """A copy of the finished study's tables and records, in which the test stands."""
    folder = tmp_path / "results"
    for part in ("group", "work"):
        shutil.copytree(finished.results / part, folder / part)
    (tmp_path / "data").symlink_to(finished.folder / "data")  # records tell inputs from the results folder
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def config(finished):
    return read_config(finished.folder / "config.yaml")


def test_the_cohort_s_job_and_those_before_it_hold_what_the_cohort_reads(
    finished, results, config, narrow_config
):
    shutil.rmtree(results / "group")
    before = ("extract", "seedmap", "denoise", "connect")  # an edit of theirs makes their records new
    known = narrow_config(config, "cohort", *before, also=NAMED)
    gather_cohort(sorted((results / "work" / "connect").glob("*.json")), settings=known)
    assert_same(finished.results, results, "cohort")


def test_the_verdicts_job_holds_what_they_read(finished, results, config, narrow_config):
    infer(results / "group" / "cohort.tsv", settings=narrow_config(config, "infer"))
    assert_same(finished.results, results, "claims")


def test_what_no_rule_depends_on_cannot_be_read(config, narrow_config):
    known = narrow_config(config, "infer")
    assert known.inference == config.inference
    with pytest.raises(AttributeError, match="denoising"):
        _ = known.denoising
    with pytest.raises(AttributeError, match="filters"):
        _ = known.input.filters


def assert_same(before: Path, now: Path, table: str) -> None:
    files = list((now / "group").glob("*"))
    assert now / "group" / f"{table}.tsv" in files
    for path in files:
        assert path.read_bytes() == (before / "group" / path.name).read_bytes(), path.name
