"""Check: every problem at once, before any job, from config, tables, headers and confounds; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from rsconn.errors import ProblemsError, UserError
from rsconn.files.bids import Run
from rsconn.settings.checks import find_missing_files
from rsconn.settings.config import Config
from rsconn.steps.plan import Plan, make_plan
from rsconn.steps.predict import Prediction, check_regions, predict_run
from rsconn.study.ledger import LedgerRow, compare_people
from rsconn.study.people import read_people
from rsconn.study.scores import score_people
from rsconn.study.used_columns import check_used_columns

Result = TypeVar("Result")
_SHOWN = 5
# Seconds and memory of one run's image, measured on the demo: reading is most of it.
_SECONDS_PER_GIGABYTE = 3.0
_START_SECONDS = 15.0


@dataclass(frozen=True)
class CheckResult:
    """What the check found.

    Attributes
    ----------
    problems : tuple of str
        What must be mended before anything runs, one line each.
    lines : tuple of str
        What to print: what is there, warnings, problems, and "ready" if there is no problem.
    output_dir : Path
        Where results go; the current folder if the config could not be read.
    """

    problems: tuple[str, ...]
    lines: tuple[str, ...]
    output_dir: Path = field(default=Path())


def check_config(path: Path) -> CheckResult:
    """Find every problem of a config and the data it names.

    Parameters
    ----------
    path : Path
        The config file.
    """
    problems: list[str] = []
    plan = _try(problems, lambda: make_plan([path]))
    if plan is None:
        return _finish(problems, [], Path())
    config = plan.config
    problems += find_missing_files(config)
    if problems:
        return _finish(problems, [], config.output_dir)
    people = _try(problems, lambda: _read_scored_people(config))
    predictions = {run.name: predict_run(run, config) for run in plan.runs}
    warnings = [line for prediction in predictions.values() for line in prediction.warnings]
    problems += check_regions(plan)
    lines = [_describe_data(plan), *_describe_dof(predictions)]
    lines += _describe_unusable(plan.runs, predictions)
    if people is not None:
        lines += [row.reason or "" for row in _compare(people, plan.runs)]
        problems += check_share_lost(find_lost_people(plan, predictions), people, config)
    lines += [f"warning: {line}" for line in _shorten(warnings)]
    ready = f"ready: {_estimate(plan)}"
    return _finish(problems, lines if problems else [*lines, ready], config.output_dir)


def find_lost_people(plan: Plan, predictions: Mapping[str, Prediction]) -> dict[str, str | None]:
    """Say of everyone with images why all their runs are unusable; None for those who keep one.

    Parameters
    ----------
    plan : Plan
        Config and runs.
    predictions : mapping of str to Prediction
        Run name to what will become of it.
    """
    lost: dict[str, str | None] = {}
    for run in plan.runs:
        reason = predictions[run.name].reason
        if reason is None or run.participant_id not in lost:
            lost[run.participant_id] = reason
    return lost


def check_share_lost(lost: Mapping[str, str | None], people: pd.DataFrame, config: Config) -> list[str]:
    """Return a problem for each group, and for everybody, that loses more people than allowed.

    Parameters
    ----------
    lost : mapping of str to str or None
        Everyone with images, and why they keep no run.
    people : DataFrame
        ``participant_id`` and ``group``.
    config : Config
        ``censoring.max_share_lost``.
    """
    group_of = dict(zip(people["participant_id"], people["group"], strict=True))
    limit, problems = config.censoring.max_share_lost, []
    groups: dict[str, list[str | None]] = {"everybody": list(lost.values())}
    for person, reason in lost.items():
        if isinstance(group_of.get(person), str):
            groups.setdefault(group_of[person], []).append(reason)
    for name, reasons in groups.items():
        n_lost = sum(reason is not None for reason in reasons)
        if n_lost > limit * len(reasons):
            problems.append(
                f"{name}: {n_lost} of {len(reasons)} people with images would keep no usable run "
                f"({n_lost / len(reasons):.0%}; censoring.max_share_lost allows {limit:.0%}); remedies, for everyone "
                "alike: denoising.low_pass_hz: null, a larger censoring.fd_threshold_mm, or "
                "censoring.fd_threshold_mm: null with mean_fd as a covariate"
            )
    return problems


def _read_scored_people(config: Config) -> pd.DataFrame:
    people = read_people(config.input, config.groups, sessions=config.sessions)
    scores = score_people(people, config.scores)
    check_used_columns(people, scores.table.columns, config)
    return people


def _try(problems: list[str], read: Callable[[], Result]) -> Result | None:
    try:
        return read()
    except ProblemsError as error:
        problems += error.problems
    except UserError as error:
        problems.append(str(error))
    return None


def _describe_data(plan: Plan) -> str:
    people = len({run.participant_id for run in plan.runs})
    claims = len(plan.config.claims)
    rois = len(plan.config.rois.rois)
    return f"{people} people, {len(plan.runs)} runs, {rois} ROIs, {len(plan.config.edges)} edges, {claims} claims"


def _describe_dof(predictions: Mapping[str, Prediction]) -> list[str]:
    dof = [prediction.dof for prediction in predictions.values() if prediction.dof is not None]
    if not dof:
        return []
    spread = f"median {np.median(dof):g}, from {min(dof)} to {max(dof)}"
    return [f"predicted degrees of freedom per run: {spread} (n = {len(dof)} runs)"]


def _describe_unusable(runs: Sequence[Run], predictions: Mapping[str, Prediction]) -> list[str]:
    reasons = [predictions[run.name].reason for run in runs]
    unusable = [reason for reason in reasons if reason is not None]
    if not unusable:
        return []
    return [f"{len(unusable)} of {len(runs)} runs will be left out:", *(f"  {line}" for line in unusable)]


def _compare(people: pd.DataFrame, runs: Sequence[Run]) -> list[LedgerRow]:
    """Return the people who have images and no row in the tables; the reverse is usual and only counted."""
    rows = compare_people(set(people["participant_id"]), {run.participant_id for run in runs})
    return [row for row in rows if row.rule == "not in the tables"]


def _shorten(lines: Sequence[str]) -> list[str]:
    more = [f"... and {len(lines) - _SHOWN} more like these"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *more]


def _estimate(plan: Plan) -> str:
    n_bytes = sum(run.bold.stat().st_size for run in plan.runs if run.bold)
    seconds = _START_SECONDS + n_bytes / 1e9 * _SECONDS_PER_GIGABYTE * 4
    people = len({run.participant_id for run in plan.runs})
    return f"{people} people, {len(plan.runs)} runs, about {seconds:.0f} s on one core, 0.3 GB of memory"


def _finish(problems: Sequence[str], lines: Sequence[str], output_dir: Path) -> CheckResult:
    shown = [*lines, *(f"problem: {line}" for line in problems)]
    return CheckResult(tuple(problems), tuple(shown), output_dir)
