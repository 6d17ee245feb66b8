"""What the check foretells of the multiverse, and the table that the command prints of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from rsconn.commands.multiverse_outlook import count_lost, describe_multiverse
from rsconn.commands.show_multiverse import show_multiverse
from rsconn.errors import UserError
from rsconn.files.tables import write_tsv
from rsconn.rules.plan import find_config_runs
from rsconn.settings.config import Config, read_config
from rsconn.settings.ways import list_ways

MULTIVERSE = """
multiverse:
  strategy: [acompcor, motion24]
  fd_threshold_mm: [0.9, 0.2]
  radius_mm: [14, 18]
"""


@pytest.fixture(scope="module")
def config(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    tiny = tmp_path_factory.mktemp("outlook") / "tiny"
    shutil.copytree(root / "tests" / "reference" / "tiny", tiny, ignore=shutil.ignore_patterns("expected"))
    with (tiny / "config.yaml").open("a") as config:
        config.write(MULTIVERSE)
    return read_config(tiny / "config.yaml")


def test_people_are_counted_as_each_way_would_lose_them(config: Config) -> None:
    runs, ways = find_config_runs(config), list_ways(config)
    lost = count_lost(config, runs, ways, {run.participant_id: "everybody" for run in runs})
    of = {way.labels: sum(count for _, count in counts) for way, counts in zip(ways, lost, strict=True)}
    assert of["acompcor", "0.9", "14"] == of["acompcor", "0.9", "18"] == 0
    # 24 motion terms leave runs of 60 volumes fewer degrees of freedom, and fewer still without some volumes
    assert 0 < of["motion24", "0.9", "14"] <= of["motion24", "0.2", "14"] <= len(runs)


def test_the_check_says_how_many_ways_there_are(config: Config) -> None:
    runs = find_config_runs(config)
    people = pd.DataFrame({"participant_id": [run.participant_id for run in runs], "group": "therapist"})
    lines = describe_multiverse(config, runs, people)
    assert lines[0].startswith(
        "multiverse: 8 ways to analyse (2 strategy x 2 fd_threshold_mm x 2 radius_mm), about "
    )
    assert lines[1] == "  4 further series from the same pass"
    assert any("of therapist: strategy motion24" in line for line in lines)
    assert describe_multiverse(config.model_copy(update={"multiverse": None}), runs, people) == []


def test_ways_are_printed_by_their_estimates(tmp_path: Path) -> None:
    joint = {
        "claim": ["F1"], "curve": ["primary"], "n_specifications": [2], "n_supported": [1], "n_negligible": [0],
        "n_contradicted": [0], "n_inconclusive": [1], "n_not_testable": [0], "p_joint": [0.004],
        "decisive_axis": ["low_pass_hz"], "decisive_share": [1.0],
    }  # fmt: skip
    ways = {
        "specification": [1, 2], "low_pass_hz": ["0.08", "none"], "radius_mm": [6, 6], "primary": ["true", "false"],
        "claim": ["F1", "F1"], "n": [36, 35], "estimate": [0.25, 0.125], "std_error": [0.1, 0.1],
        "effect_size": [0.8, 0.4], "p": [0.01, 0.2], "verdict": ["supported", "inconclusive"], "qc_fc": [None, 0.1],
    }  # fmt: skip
    write_tsv(tmp_path / "group" / "multiverse_joint.tsv", joint)
    write_tsv(tmp_path / "group" / "multiverse.tsv", ways)
    summary, header, first, second = show_multiverse(tmp_path, "F1")
    assert summary.startswith("F1 (primary), 2 ways: supported 1, negligible 0,")
    assert "radius_mm" not in header
    assert first.split() == ["2", "none", "35", "0.125", "0.1", "0.4", "0.2", "0.1", "inconclusive"]
    assert second.endswith("supported     <- primary")
    assert show_multiverse(tmp_path, None) == [summary]
    with pytest.raises(UserError, match="no claim 'F2'"):
        show_multiverse(tmp_path, "F2")
    with pytest.raises(UserError, match="no multiverse here"):
        show_multiverse(tmp_path / "elsewhere", None)
