"""The section maps: what its mistakes are told as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rsconn.errors import UserError
from rsconn.settings.config import Config, parse_config

ROIS = "space: MNI152NLin2009cAsym\nrois:\n  - {name: A, sphere: {center_mm: [0, 0, 0]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rois.yaml").write_text(ROIS)
    return tmp_path


def parse(folder: Path, **maps: Any) -> Config:
    content = {
        "input": {"derivatives": "fmriprep", "participants": "participants.tsv"},
        "rois": "rois.yaml",
        "seeds": ["A"],
        "scores": {"PT": {"column": "pt"}, "EC": {"column": "ec"}},
        "maps": maps,
    }
    return parse_config(content, folder / "config.yaml")


def test_one_score_will_do(folder: Path) -> None:
    assert parse(folder, scores="PT", interaction=True).maps.scores == ("PT",)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"scores": ["PR"]}, r"maps\.scores: no score 'PR'; scores: PT, EC"),
        ({"scores": ["PT", "PT"]}, "scores: 'PT' occurs twice"),
        ({"interaction": True}, "interaction: true needs scores"),
        ({"primary": "tfce", "tfce": False}, "primary: tfce needs tfce: true"),
        ({"primary": "size"}, r"maps\.primary"),
        ({"n_permutations": 0}, r"maps\.n_permutations"),
        ({"min_people_share": 90}, r"maps\.min_people_share"),
        ({"cluster_forming": 0.01}, "did you mean 'cluster_forming_p'"),
    ],
)
def test_mistakes(folder: Path, maps: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(folder, **maps)
