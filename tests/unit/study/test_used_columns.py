"""Names that are allowed and do nothing are told before any job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rsconn.settings.claims import Contrast
from rsconn.settings.config import Config, read_config
from rsconn.settings.rois import Circular
from rsconn.study.people.used_columns import list_unused_names, list_used_columns


@pytest.fixture
def people() -> pd.DataFrame:
    return pd.DataFrame({
        "participant_id": ["sub-1", "sub-1", "sub-2", "sub-3"],
        "group": ["therapist", "therapist", "control", "control"],
        "diagnosis": ["a", "a", "b", "b"],
        "own": ["f1", "f1", "f2", None],
        "none": [None] * 4,
        "twins": [None, None, "f1", "f1"],
    })  # fmt: skip


def change(root: Path, *, circular: dict[str, Any] | None = None, family: str | None = None) -> Config:
    config = read_config(root / "config" / "config.yaml")
    rois = config.rois.model_copy(update={"circular": Circular(**circular) if circular else None})
    inference = config.inference.model_copy(update={"exchange_whole": family})
    return config.model_copy(update={"rois": rois, "inference": inference})


@pytest.mark.parametrize("column", ["own", "none"])
def test_families_of_one_are_told(root: Path, people: pd.DataFrame, column: str) -> None:
    [line] = list_unused_names(people, change(root, family=column))
    assert line == (
        f"inference.exchange_whole: nobody shares a value of '{column}' with somebody else, so everybody is exchanged "
        "alone; a column of families needed, or null"
    )


def test_real_families_are_not(root: Path, people: pd.DataFrame) -> None:
    assert list_unused_names(people, change(root, family="twins")) == []
    assert list_unused_names(people, change(root)) == []


def test_a_contrast_of_no_column_is_told(root: Path, people: pd.DataFrame) -> None:
    [line] = list_unused_names(people, change(root, circular={"contrast": "handedness", "data": "this"}))
    assert line == (
        "circular.contrast of the ROI set: no column, score or edge is called 'handedness', so no claim is refused as "
        "circular"
    )


@pytest.mark.parametrize(
    "circular",
    [
        *({"contrast": name, "data": "this"} for name in ("group", "diagnosis", "PT", "LAI-dmPFC")),
        {"contrast": "handedness", "data": "HCP"},
    ],
)
def test_a_contrast_of_a_known_column_or_of_other_data_is_not(
    root: Path, people: pd.DataFrame, circular: dict[str, Any]
) -> None:
    assert list_unused_names(people, change(root, circular=circular)) == []


def test_the_column_of_a_contrast_is_used_and_a_condition_names_its_own(root: Path) -> None:
    config = read_config(root / "config" / "config.yaml")
    claim = config.claims[0]
    of_column = claim.model_copy(update={"id": "X1", "contrast": Contrast(column="site", a="p", b="q")})
    sides = {"a": {"where": "hand == 'l'"}, "b": {"where": "hand == 'r'"}}
    of_conditions = claim.model_copy(update={"id": "X2", "contrast": Contrast(**sides)})
    used = list_used_columns(config.model_copy(update={"claims": (of_column, of_conditions)}))
    assert "X1" in used["site"]
    assert "X2" in used["hand"]
    assert None not in used
