"""Scalars stay what was written, except null."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rsconn.settings.fields import read_yaml


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("run: 01", {"run": "01"}),
        ("country: no", {"country": "no"}),
        ("session: on", {"session": "on"}),
        ("alpha: 1e-3", {"alpha": "1e-3"}),
        ("id: 1_000", {"id": "1_000"}),
        ("date: 2022-04-01", {"date": "2022-04-01"}),
        ("ratio: 12:30", {"ratio": "12:30"}),
        ("x: null", {"x": None}),
        ("x: ~", {"x": None}),
        ("x:", {"x": None}),
        ("x: 'null'", {"x": "null"}),
        ("x: [a, 1, true]", {"x": ["a", "1", "true"]}),
        ("1: a", {"1": "a"}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}", {"a": {"x": "1"}, "b": {"x": "1", "y": "2"}}),
        ("﻿a: 1", {"a": "1"}),
    ],
)
def test_values_are_read_as_written(tmp_path: Path, text: str, content: Any) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path) == content
