"""A simulated study before anything is written: people, their runs, their problems, and the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

import rsconn
from rsconn.simulate.claims_truth import describe_claims
from rsconn.simulate.simulated_people import People, simulate_items, simulate_people
from rsconn.simulate.simulated_runs import RunPlan, draw_run_plan
from rsconn.simulate.truth import GROUPS, ROI_CENTERS_MM, StudyPlan, describe_maps, plan_study

SEED = 20220401
NOTICE = "SIMULATED by rsconn: no person was scanned or asked; every value was drawn at random."
N_SCORED = (52, 92)
N_SCANNED = (18, 18)
N_VOLUMES = 240


@dataclass(frozen=True)
class Study:
    """A drawn study before anything is written.

    Attributes
    ----------
    plan : StudyPlan
    people : People
    runs : dict of str to RunPlan
        For each scanned person.
    problems : dict of str to Problem
        For each person with something wrong.
    seed : int
    """

    plan: StudyPlan
    people: People
    runs: dict[str, RunPlan]
    problems: dict[str, Problem]
    seed: int


def draw_study(
    *,
    seed: int = SEED,
    effect: float = 1.0,
    n_volumes: int = N_VOLUMES,
    n_scored: tuple[int, int] = N_SCORED,
    n_scanned: tuple[int, int] = N_SCANNED,
    problems: bool = True,
) -> Study:
    """Draw people and what their runs will be like, without drawing any image.

    Parameters
    ----------
    seed : int
    effect : float
        Multiplies every planted difference and association; 0 is the null study.
    n_volumes : int
    n_scored, n_scanned : (int, int)
        Therapists and controls.
    problems : bool
        False leaves everybody complete.

    Returns
    -------
    Study
    """
    plan = plan_study(effect)
    people = simulate_people(
        plan, n_scored=n_scored, n_scanned=n_scanned, rng=np.random.default_rng([seed, 0])
    )
    found = assign_problems(people) if problems else {}
    rng = np.random.default_rng([seed, 1])
    runs = {}
    for index in np.flatnonzero(people.scanned):
        name = people.participant_id[index]
        coupling = {edge: float(values[index]) for edge, values in people.edges.items()}
        runs[name] = spoil_run(draw_run_plan(coupling, n_volumes, rng=rng), found.get(name))
    return Study(plan, people, runs, found, seed)


def make_participants(study: Study) -> dict[str, list[Any]]:
    """Return participants.tsv as columns: id, group, sex, age and the raw answers, None where missing."""
    people = study.people
    rng = np.random.default_rng([study.seed, 4])
    answers: dict[str, list[Any]] = {}
    for score in study.plan.scores:
        drawn = simulate_items(people.sums[score.name], score, rng=rng)
        answers |= {item: column.tolist() for item, column in zip(score.items, drawn.T, strict=True)}
    columns: dict[str, list[Any]] = {
        "participant_id": list(people.participant_id),
        "group": people.group.tolist(),
        "sex": people.sex.tolist(),
        "age": people.age.tolist(),
    }
    columns |= {item: answers[item] for item in sorted(answers, key=_sort_iri_first)}
    return spoil_answers(columns, study.problems)


def describe_truth(study: Study) -> dict[str, Any]:
    """Return everything that was planted, as JSON values."""
    people = study.people
    n_scored, n_scanned = _count_groups(people.group), _count_groups(people.group[people.scanned])
    full = (n_scored, n_scanned) == (N_SCORED, N_SCANNED)
    return {
        "notice": NOTICE,
        "simulated": True,
        "version": rsconn.__version__,
        "seed": study.seed,
        "effect": study.plan.effect,
        "null": study.plan.effect == 0,
        "claims": describe_claims(study.plan, n_scored, full=full),
        "edges_note": "expected_* hold for 3 mm voxels, 240 volumes and the primary denoising",
        "edges": {
            edge.name: {
                "rois": [edge.first, edge.second],
                "true_mean_z": {group: edge.get_group_mean(group) for group in GROUPS},
                "true_sd_z": edge.sd,
                "expected_observed_g": edge.observed_g,
                "expected_reliability": edge.reliability,
            }
            for edge in study.plan.edges
        },
        "maps": describe_maps(study.plan),
        "roi_centers_mm": {name: list(center) for name, center in ROI_CENTERS_MM.items()},
        "problems": {name: problem.describe() for name, problem in study.problems.items()},
        "people": _describe_people(study),
    }


def _describe_people(study: Study) -> dict[str, Any]:
    people = study.people
    described = {}
    for index, name in enumerate(people.participant_id):
        entry: dict[str, Any] = {"sums": {score: int(sums[index]) for score, sums in people.sums.items()}}
        if name in study.runs:
            entry["true_z"] = dict(study.runs[name].coupling)
            entry["n_volumes"] = study.runs[name].n_volumes
        described[name] = entry
    return described


def _count_groups(group: np.ndarray) -> tuple[int, int]:
    first, second = (int((group == name).sum()) for name in GROUPS)
    return first, second


def _sort_iri_first(item: str) -> tuple[bool, str]:
    return item.startswith("erq"), item


class Trouble(StrEnum):
    """What can be wrong with a simulated person."""

    MOTION = "motion"
    SHORT_RUN = "short run"
    DROP_OUT = "drop-out"
    ANSWER = "missing answer"
    QUESTIONNAIRE = "missing questionnaire"
    AGE = "missing age"


EVERY_EDGE = "every edge"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one person.

    Attributes
    ----------
    kind : Trouble
        What it is.
    loses : str
        What the person should drop out of: `EVERY_EDGE`, or edges and scores.
    items : tuple of str
        Columns that are n/a, for the missing kinds; ``*`` stands for any ending.
    """

    kind: Trouble
    loses: str
    items: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return the problem as JSON values."""
        return {"kind": self.kind, "loses": self.loses, "items": list(self.items)}


# (group, scanned) to the problems of its first people in table order. At most one person of a group of 18
# loses every edge, which is under the tenth (censoring.max_share_lost) that would stop a run.
_PLANNED: Mapping[tuple[str, bool], tuple[Problem, ...]] = {
    ("therapist", True): (
        Problem(Trouble.MOTION, EVERY_EDGE),
        Problem(Trouble.ANSWER, "PT", ("iri_21",)),
    ),
    ("control", True): (
        Problem(Trouble.SHORT_RUN, EVERY_EDGE),
        Problem(Trouble.DROP_OUT, "rACC-oPFC"),
    ),
    ("therapist", False): (Problem(Trouble.ANSWER, "FS", ("iri_16",)),),
    ("control", False): (
        Problem(Trouble.QUESTIONNAIRE, "FS, PT, EC, PD", ("iri_*",)),
        Problem(Trouble.ANSWER, "ES", ("erq_09",)),
        Problem(Trouble.AGE, "nothing: no claim on scores uses age", ("age",)),
    ),
}


def assign_problems(people: People) -> dict[str, Problem]:
    """Return who has which problem, by participant_id."""
    assigned = {}
    for (group, scanned), planned in _PLANNED.items():
        members = np.flatnonzero((people.group == group) & (people.scanned == scanned))
        for index, problem in zip(members, planned, strict=False):
            assigned[people.participant_id[index]] = problem
    return assigned


def spoil_run(plan: RunPlan, problem: Problem | None) -> RunPlan:
    """Return the run plan with the person's problem, if it is one of images."""
    if problem is None:
        return plan
    if problem.kind == Trouble.MOTION:
        return replace(plan, restlessness=2.6, n_jerks=plan.n_volumes // 10)
    if problem.kind == Trouble.SHORT_RUN:
        return replace(plan, n_volumes=int(0.45 * plan.n_volumes))
    if problem.kind == Trouble.DROP_OUT:
        return replace(plan, dropout=1.55)
    return plan


def spoil_answers(columns: Mapping[str, list[Any]], problems: Mapping[str, Problem]) -> dict[str, list[Any]]:
    """Return the participants table with None where an answer is missing."""
    rows = {name: row for row, name in enumerate(columns["participant_id"])}
    spoiled = {name: list(values) for name, values in columns.items()}
    for participant_id, problem in problems.items():
        for name, values in spoiled.items():
            if any(fnmatchcase(name, pattern) for pattern in problem.items):
                values[rows[participant_id]] = None
    return spoiled
