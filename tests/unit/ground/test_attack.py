"""A part of `make attack`: broken input for every reader, drawn by a fixed seed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "benchmarks"))
import mutants
from attacks.readers import ATTACKS, try_input

N_INPUTS = 40


@pytest.mark.parametrize("kind", ATTACKS)
def test_broken_input_is_read_as_it_stands_or_refused_in_a_line(kind):
    outcomes = [try_input(kind, seed) for seed in range(N_INPUTS)]
    assert [one for one in outcomes if one.outcome not in {"read", "refused"}] == []
    assert len({one.outcome for one in outcomes}) == 2 or kind == "names"


def test_mutants_are_small_changes_of_code_that_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    path = tmp_path / "a.py"
    path.write_text("def f(x: int = 2) -> bool:\n    '1 < 2'\n    return x < 1.0 and not -x == 3\n")
    found = mutants.list_mutants(path)
    changed = {
        path.read_bytes()[: one.start] + one.new.encode() + path.read_bytes()[one.end :] for one in found
    }
    assert len(changed) == len(found)
    for text in changed:
        compile(text, "a.py", "exec")
    assert {(one.old, one.new) for one in found} == {
        ("2", "3"), ("<", "<="), ("1.0", "1.02"), ("and", "or"), ("-", " "), ("==", "!="), ("3", "4"),
    }  # fmt: skip
