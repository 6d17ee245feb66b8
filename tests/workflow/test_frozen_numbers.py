"""Every number of the tiny study against its frozen value; a change must be named in the changelog."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from rsconn.files.tables import read_tsv

TINY = Path(__file__).resolve().parents[1] / "reference" / "tiny"
EXPECTED = TINY / "expected"
TABLES = sorted(path.relative_to(EXPECTED).as_posix() for path in EXPECTED.rglob("*.tsv"))

pytestmark = pytest.mark.workflow


def _as_number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def compare_tables(found: Path, expected: Path) -> list[str]:
    """Return a line per cell that differs: text exactly, numbers beyond 1e-10 of their size (or of 1)."""
    new, old = read_tsv(found), read_tsv(expected)
    if list(new) != list(old):
        return [f"columns {list(new)} instead of {list(old)}"]
    lines = []
    for name in old:
        if len(new[name]) != len(old[name]):
            return [f"{len(new[name])} rows instead of {len(old[name])}"]
        for row, (now, then) in enumerate(zip(new[name], old[name], strict=True)):
            first, second = _as_number(now), _as_number(then)
            same = now == then or (
                first is not None and second is not None and np.isclose(first, second, rtol=1e-10, atol=1e-10)
            )
            if not same:
                lines.append(f"{name}[{row}]: {now} instead of {then}")
    return lines


@pytest.mark.parametrize("table", TABLES)
def test_every_number_is_the_frozen_one(finished, table):
    assert compare_tables(finished.results / table, EXPECTED / table) == []


def test_every_result_table_is_frozen(finished):
    written = {
        path.relative_to(finished.results).as_posix()
        for part in ("group", "figures")
        for path in (finished.results / part).glob("*.tsv")
    }
    assert written == set(TABLES)


def test_the_changelog_names_the_frozen_numbers(root):
    spec = importlib.util.spec_from_file_location("freeze_tiny", TINY / "freeze.py")
    assert spec is not None
    assert spec.loader is not None
    freeze = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(freeze)
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8").split("### Numbers change", 1)[1]
    assert freeze.digest_expected() in changes


def test_the_comparison_sees_a_change(tmp_path):
    (tmp_path / "old.tsv").write_text("id\tx\na\t1.5\n")
    (tmp_path / "new.tsv").write_text("id\tx\na\t1.50000001\n")
    assert compare_tables(tmp_path / "new.tsv", tmp_path / "old.tsv") == ["x[0]: 1.50000001 instead of 1.5"]
    assert compare_tables(tmp_path / "old.tsv", tmp_path / "old.tsv") == []
