"""Every estimate against R: tests/reference/r_values.tsv, made by oracle.R and compared afresh by `make oracle`."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "reference"


@pytest.fixture(scope="module")
def compare():
    """The comparison script as a module."""
    sys.path.insert(0, str(REFERENCE))
    try:
        return import_module("compare")
    finally:
        sys.path.remove(str(REFERENCE))


@pytest.fixture(scope="module")
def frozen(compare):
    return compare.read_values(REFERENCE / "r_values.tsv")


@pytest.fixture(scope="module")
def ours(compare):
    return compare.compute_all(compare.SHARED if compare.SHARED.is_dir() else None)


def _list_frozen_cases() -> list[str]:
    lines = (REFERENCE / "r_values.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return list(dict.fromkeys(line.split("\t")[0] for line in lines))


@pytest.mark.parametrize("case", _list_frozen_cases())
def test_case_agrees_with_r(compare, frozen, ours, case):
    found = {key: value for key, value in ours.items() if key[0] == case}
    if not found:
        pytest.skip(f"{case} needs the real tables of ../shared/data")
    expected = {key: value for key, value in frozen.items() if key[0] == case}
    assert compare.find_differences(found, expected) == []


def test_there_are_enough_cases(frozen):
    cases = {case for case, _ in frozen}
    assert len(cases) >= 40
    assert len(frozen) >= 1500


def test_comparison_sees_a_difference(compare, frozen):
    key = ("edge_by_group_adjusted", "primary.std_error")
    changed = {**frozen, key: frozen[key] * (1 + 3e-8)}
    assert len(compare.find_differences(changed, frozen)) == 1
    del changed[key]
    assert compare.find_differences(changed, frozen) == [
        "edge_by_group_adjusted\tprimary.std_error\tonly in the second"
    ]


def test_kept_table_is_the_simulated_one(compare):
    people = compare.case_list.read_people()
    assert len(people["group"]) == 60
    assert people["outlier"].max() == 4.2


def test_a_machine_without_r_gets_all_of_it(compare, monkeypatch):
    monkeypatch.setattr(compare.shutil, "which", lambda _: None)
    names = compare.list_missing()
    assert names[0] == "r-base-core"
    assert {"r-cran-clubsandwich", "r-cran-bayesfactor", "r-cran-sandwich"} < set(names)
    ran = []
    monkeypatch.setattr(compare.subprocess, "run", lambda command, **_: ran.append(command))
    compare.install([])
    assert ran == []
    compare.install(names)
    assert [command[:2] for command in ran] == [["apt-get", "update"], ["apt-get", "install"]]
    assert set(names) < set(ran[1])


def test_every_library_of_the_script_is_installed(compare):
    script = (REFERENCE / "oracle.R").read_text(encoding="utf-8")
    loaded = set(re.findall(r"library\((\w+)\)", script))
    assert loaded == set(compare.PACKAGES)
