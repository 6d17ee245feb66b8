"""One word, one meaning: no module, public class or public function is called like another."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import rsconn

SOURCE = Path(rsconn.__file__).parent
VAGUE = {"utils", "helpers", "common", "misc", "tools"}


def list_definitions(path: Path) -> list[str]:
    """Return the public classes and functions of a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node.name for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


def test_no_two_modules_share_a_name() -> None:
    places = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        places[path.stem].append(str(path.relative_to(SOURCE)))
    del places["__init__"]
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
    assert not VAGUE & set(places)


def test_no_public_name_means_two_things() -> None:
    places = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for name in list_definitions(path):
            places[name].append(str(path.relative_to(SOURCE)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
