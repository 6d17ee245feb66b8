"""Scalars stay what was written, except null."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rsconn.errors import SettingsError
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


_GROWN = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_GROWN, "grown by aliases"),
        ("a: &a [*a]", "grown by aliases"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a: !!int x", "tag"),
        ("a: !!timestamp x", "tag"),
        ("a: !!python/object:os.system x", "tag"),
        ("a: !mine {b: 1}", "tag"),
    ],
)
def test_what_is_no_setting_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as error:
        read_yaml(path)
    assert "\n" not in str(error.value)
