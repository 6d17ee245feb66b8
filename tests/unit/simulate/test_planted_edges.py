"""Does the planted coupling come out of the images, in its size? Measured by an analysis of the tests' own."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rsconn.simulate.anatomy import make_anatomy
from rsconn.simulate.simulated_study import draw_study

_SPEC = importlib.util.spec_from_file_location("measure_edges", Path(__file__).with_name("measure_edges.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
measure_edges = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(measure_edges)


@pytest.fixture(scope="module")
def head():
    return measure_edges.restrict_to_measured(make_anatomy(3.0), thin=8)


@pytest.fixture(scope="module")
def measured(head):
    return measure_edges.measure_study(draw_study(seed=1, problems=False), head)


def test_ordinary_people_keep_their_degrees_of_freedom(measured):
    assert len(measured["dof"]) == 36
    assert measured["dof"].min() >= 35
    assert measured["dof"].max() <= 49  # 67 in-band regressors, less 16 confounds and two volumes
    assert measured["mean_fd"].max() < 0.4
    assert measured["coverage"].min() > 0.5


@pytest.mark.parametrize("edge", ["LAI-dmPFC", "rACC-oPFC"])
def test_measured_edges_follow_the_planted_ones(measured, edge):
    planned = {plan.name: plan for plan in draw_study(seed=1).plan.edges}[edge]
    true, z = measured[f"true_{edge}"], measured[edge]
    assert np.polyfit(true, z, 1)[0] == pytest.approx(planned.attenuation, abs=0.25)
    residual = z - planned.offset - planned.attenuation * true
    assert residual.std() == pytest.approx(planned.error_sd, rel=0.35)
    assert abs(residual.mean()) < 4 * planned.error_sd / 6


def test_problems_cost_what_they_should(head):
    study = draw_study(seed=1)
    names = {problem.kind: name for name, problem in study.problems.items() if name in study.runs}
    affected = replace(study, runs={name: study.runs[name] for name in names.values()})
    measured = measure_edges.measure_study(affected, head)
    row = {kind: index for index, kind in enumerate(names)}
    assert measured["dof"][row["motion"]] < 15
    assert measured["mean_fd"][row["motion"]] > 0.3
    assert study.runs[names["short run"]].n_volumes * 2 / 60 < 4
    assert measured["coverage"][row["drop-out"]] < 0.5
