"""What goes wrong in real studies, planted: each problem names the rule that should catch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from rsconn.simulate.people import People
from rsconn.simulate.runs import RunPlan


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one person.

    Attributes
    ----------
    kind : str
        ``motion``, ``short run``, ``drop-out``, ``missing answer``, ``missing questionnaire``,
        ``missing age``.
    loses : str
        What the person should drop out of.
    items : tuple of str
        Columns that are n/a, for the missing kinds; ``*`` stands for any ending.
    """

    kind: str
    loses: str
    items: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return the problem as JSON values."""
        return {"kind": self.kind, "loses": self.loses, "items": list(self.items)}


# (group, scanned) to the problems of its first people in table order. At most one person of a group of 18
# loses every edge, which is under the tenth (censoring.max_share_lost) that would stop a run.
_PLANNED: Mapping[tuple[str, bool], tuple[Problem, ...]] = {
    ("therapist", True): (
        Problem("motion", "every edge"),
        Problem("missing answer", "PT", ("iri_21",)),
    ),
    ("control", True): (
        Problem("short run", "every edge"),
        Problem("drop-out", "rACC-oPFC"),
    ),
    ("therapist", False): (Problem("missing answer", "FS", ("iri_16",)),),
    ("control", False): (
        Problem("missing questionnaire", "FS, PT, EC, PD", ("iri_*",)),
        Problem("missing answer", "ES", ("erq_09",)),
        Problem("missing age", "nothing: no claim on scores uses age", ("age",)),
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
    if problem.kind == "motion":
        return replace(plan, restlessness=2.6, n_jerks=plan.n_volumes // 10)
    if problem.kind == "short run":
        return replace(plan, n_volumes=int(0.45 * plan.n_volumes))
    if problem.kind == "drop-out":
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
