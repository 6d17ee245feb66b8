from pathlib import Path

import pytest

from rsconn import provenance
from rsconn.code_graph import collect_code

LOW = '''"""Low."""
LIMIT = 1
OTHER = 1


def compute(x: int) -> int:
    """Return more."""
    # why
    return x + LIMIT


def unused():
    return OTHER


class Box:
    size = 1

    def measure(self):
        return "a measure"

    def label(self):
        return "a label"
'''
HIGH = """from __future__ import annotations

from typing import TYPE_CHECKING

from rsconn import low
from rsconn.report import page

if TYPE_CHECKING:
    from rsconn.low import Box


def run(box: Box):
    from rsconn.late import finish
    return finish(low.compute(1), box.measure())


def show():
    return page.FOLDER
"""
FILES = {
    "__init__.py": "",
    "low.py": LOW,
    "high.py": HIGH,
    "late.py": "TABLE = {}\nTABLE['a'] = 1\n\n\ndef finish(*values):\n    return TABLE, values\n",
    "report/__init__.py": "",
    "report/page.py": 'FOLDER = "rsconn.report"\n',
    "report/templates/page.html.j2": "old",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "rsconn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "rsconn"


# file, old text, new text: the edits that `run` has to see
SEEN = [
    ("low.py", "LIMIT = 1", "LIMIT = 22"),
    ("low.py", "x + LIMIT", "x - LIMIT  "),
    ("low.py", "a measure", "another measure"),
    ("late.py", "['a'] = 1", "['a'] = 22"),
    ("high.py", "compute(1)", "compute(22)"),
]
UNSEEN = [
    ("low.py", "OTHER = 1", "OTHER = 22"),
    ("low.py", "return OTHER", "return 22"),
    ("low.py", "a label", "another label"),
    ("low.py", "size = 1", "size = 22"),
    ("low.py", "Return more.", "Return much more."),
    ("low.py", "# why", "# because"),
    ("low.py", "x: int", "x: float"),
    ("high.py", "return page.FOLDER", "return None"),
    ("report/templates/page.html.j2", "old", "newer"),
]


@pytest.mark.parametrize(("name", "old", "new"), [*SEEN, *UNSEEN])
def test_the_digest_sees_what_the_function_uses_and_nothing_else(package, name, old, new):
    def digest() -> str:
        return provenance.compute_code_digest("rsconn.high.run", package=package)

    first = digest()
    path = package / name
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert (digest() != first) == ((name, old, new) in SEEN)


def test_templates_count_where_their_package_is_named(package):
    first = provenance.compute_code_digest("rsconn.high.show", package=package)
    (package / "report" / "templates" / "page.html.j2").write_text("newer", encoding="utf-8")
    assert provenance.compute_code_digest("rsconn.high.show", package=package) != first


def test_a_module_that_is_handed_on_counts_whole(package):
    (package / "high.py").write_text(
        "from rsconn import low\n\n\ndef run():\n    return getattr(low, 'x' + '')\n"
    )
    assert "rsconn.low.unused" in collect_code(["rsconn.high.run"], package)


def test_statements_that_run_on_import_count(package):
    (package / "late.py").write_text(FILES["late.py"] + "print('hello')\n", encoding="utf-8")
    assert any("hello" in text for text in collect_code(["rsconn.high.run"], package).values())


def test_what_is_beyond_is_not_followed(package):
    found = collect_code(["rsconn.high.run"], package, beyond=["rsconn.low.compute"])
    assert "rsconn.low.compute" not in found
    assert "rsconn.low.LIMIT" not in found


def test_a_name_that_leads_nowhere_takes_the_module(package):
    assert "rsconn.low.unused" in collect_code(["rsconn.low.no_such_name"], package)


def test_hash_json_ignores_key_order_and_sees_values():
    assert provenance.hash_json({"a": 1, "b": [1, 2]}) == provenance.hash_json({"b": [1, 2], "a": 1})
    assert provenance.hash_json({"a": 1}) != provenance.hash_json({"a": 2})


def test_hash_file_is_sha256(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert provenance.hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_versions_name_what_can_change_a_number():
    assert {"python", "numpy", "scipy", "statsmodels", "nilearn", "rsconn"} <= set(provenance.list_versions())
