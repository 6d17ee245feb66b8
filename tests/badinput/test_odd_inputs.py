"""Every input of `odd_inputs.py` is read as its sound twin, or told in one line."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rsconn.commands.check import check_config
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.plan import plan_workflow


def _load():
    spec = importlib.util.spec_from_file_location("odd_inputs", Path(__file__).with_name("odd_inputs.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["odd_inputs"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


ODD = _load()


def find_config(folder):
    (config,) = folder.rglob("config.yaml")
    return config


@pytest.mark.parametrize("odd", ODD.ODD_INPUTS, ids=lambda odd: odd.name)
def test_it_is_read_or_told(odd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    odd.make(tmp_path)
    config = find_config(tmp_path)
    result = check_config(config)
    told = {
        "refused": [line for line in result.lines if line.startswith("problem: ")],
        "told": [line for line in result.lines if line.startswith("warning: ")],
        "left out": [line for line in result.lines if line.startswith("  ")],
        "read": [""],
    }[odd.outcome]
    assert any(re.search(odd.said, line) for line in told), "\n".join(result.lines)
    assert bool(result.problems) == (odd.outcome == "refused"), "\n".join(result.problems)
    if odd.outcome == "read":
        assert not [line for line in result.lines if re.search("left out|not set: |match nobody", line)]
        assert plan_workflow([config]).runs


@pytest.mark.parametrize(
    "odd", [odd for odd in ODD.ODD_INPUTS if odd.outcome == "read"], ids=lambda odd: odd.name
)
def test_what_is_read_has_the_numbers_of_its_twin(odd, tmp_path, monkeypatch):
    if odd.kind == ODD.SAME:
        pytest.skip("halves have numbers of their own")
    odd.make(tmp_path / "odd")
    plan = plan_workflow([find_config(tmp_path / "odd")])
    if plan.parcellated:
        ODD.STUDIES.make_small_study(tmp_path / "twin", n=6)
    else:
        ODD.STUDIES.make_small_images(tmp_path / "twin")
    found, twin = (compute_edges(one, tmp_path, monkeypatch) for one in ("odd", "twin"))
    np.testing.assert_allclose(found, twin, rtol=1e-12)


def compute_edges(name, folder, monkeypatch):
    plan = plan_workflow([find_config(folder / name)])
    (folder / f"{name}-out").mkdir()
    monkeypatch.chdir(folder / f"{name}-out")
    stages = [Path(f"work/{step}.json") for step in ("extract", "denoise", "connect")]
    if not plan.parcellated:
        extract(stages[0], runs=plan.batches["batch-001"], job=plan.extract_job)
    denoise(
        stages[1],
        before=[] if plan.parcellated else stages[:1],
        runs=plan.batches["batch-001"],
        job=plan.denoise_job,
    )
    connect(stages[2], before=stages[1], job=plan.connect_job)
    from rsconn.files.run_records import read_records

    (first, *_) = read_records(stages[2:])
    return [edge["z"] for edge in first.facts["edges"]]


def test_each_kind_has_inputs_from_threads_and_own_ones():
    own = Counter(odd.kind for odd in ODD.ODD_INPUTS if odd.thread == ODD.OWN)
    known = Counter(odd.kind for odd in ODD.ODD_INPUTS if odd.thread != ODD.OWN)
    assert all(own[kind] >= 3 and known[kind] >= 2 for kind in {odd.kind for odd in ODD.ODD_INPUTS})
