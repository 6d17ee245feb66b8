"""Cohorts as tables, without images: for calibration and power, where thousands are needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.settings.sample_grammar import ORDER_SIGNS, Comparison, parse_expression
from rsconn.simulate.simulated_study import EVERY_EDGE, Study

if TYPE_CHECKING:
    import pandas as pd


def simulate_cohort(study: Study, *, rng: np.random.Generator) -> pd.DataFrame:
    """Return the cohort table that analysing a drawn study would give, with measurement error instead of images.

    Measured z is offset + attenuation x true z + error, with the constants that the primary denoising was found
    to have (`EdgePlan`); mean FD follows the runs' restlessness. People with a problem lose what it costs them.

    Parameters
    ----------
    study : Study
        From `draw_study`; with ``effect=0`` a null cohort.
    rng : numpy.random.Generator
        Draws the measurement error.

    Returns
    -------
    pandas.DataFrame
        One row per person: participant_id, session (``n/a``), group, sex, age, scores, mean_fd, one z column per
        edge, included. Missing is NaN.
    """
    import pandas as pd  # the images' writer starts without it

    people = study.people
    columns: dict[str, Any] = {
        "participant_id": list(people.participant_id),
        "session": ["n/a"] * len(people.participant_id),
        "group": people.group,
        "sex": people.sex,
        "age": people.age.astype(float),
    }
    columns |= {name: sums.astype(float) for name, sums in people.sums.items()}
    columns["mean_fd"] = _draw_mean_fd(study, rng)
    columns |= _measure_edges(study, rng)
    table = pd.DataFrame(columns)
    _lose(table, study)
    edges = [edge.name for edge in study.plan.edges]
    return table.assign(included=table[edges].notna().any(axis=1))


def _draw_mean_fd(study: Study, rng: np.random.Generator) -> np.ndarray:
    """Return mean FD in mm, NaN without images; the slopes are those of `simulate_motion` over 240 volumes."""
    values = np.full(len(study.people.participant_id), np.nan)
    for index, name in enumerate(study.people.participant_id):
        if name in study.runs:
            run = study.runs[name]
            values[index] = 0.01 + 0.082 * run.restlessness + 1.8 * run.n_jerks / run.n_volumes
    return np.asarray(values * rng.normal(1.0, 0.05, size=len(values)))


def _measure_edges(study: Study, rng: np.random.Generator) -> dict[str, np.ndarray]:
    measured = {}
    for edge in study.plan.edges:
        true = study.people.edges[edge.name]
        values = edge.offset + edge.attenuation * true + edge.error_sd * rng.standard_normal(len(true))
        measured[edge.name] = np.where(study.people.scanned, values, np.nan)
    return measured


def _lose(table: pd.DataFrame, study: Study) -> None:
    """Blank, in place, what each problem costs."""
    edges = [edge.name for edge in study.plan.edges]
    known = [*study.people.sums, *edges]
    for name, problem in study.problems.items():
        row = table["participant_id"] == name
        lost = edges if problem.loses == EVERY_EDGE else problem.loses.split(", ")
        table.loc[row, [column for column in lost if column in known]] = np.nan
        if "age" in problem.items:
            table.loc[row, "age"] = np.nan


if TYPE_CHECKING:
    from rsconn.settings.claims import Claim
    from rsconn.settings.config import Config


SEXES = ("F", "M")
# Correlation of two sessions of one person.
RETEST = 0.5
_ELIGIBLE = "other"


@dataclass(frozen=True)
class StudyDesign:
    """The columns that planned people need.

    Attributes
    ----------
    groups : tuple of str
        Levels of the column ``group``; one nameless level if the config has no groups.
    group_column : str
        The table's own name of that column.
    factors : dict of str to tuple
        Further columns with the levels that claims tell apart; crossed and balanced within groups.
    limits : dict of str to (str, float)
        Columns of which claims ask an order only: the sign and the value. Everybody satisfies it.
    numbers : tuple of str
        Scores, edges and numeric covariates.
    sessions : tuple of str
        Two levels for paired claims, else ``n/a``.
    session_column : str
        What paired claims contrast.
    """

    groups: tuple[str, ...]
    group_column: str
    factors: dict[str, tuple[Any, ...]]
    limits: dict[str, tuple[str, float]]
    numbers: tuple[str, ...]
    sessions: tuple[str, ...]
    session_column: str


def read_study_design(config: Config) -> StudyDesign:
    """Take from a config and its claims which columns planned people need, and which levels these have.

    A column of which the claims name a single level (``handedness == 'right'``, ``excluded == 0``) is a condition
    of taking part, so everybody has it; of two or more levels, each gets its share of every group.
    """
    groups = tuple(config.groups.levels) if config.groups is not None else ("everybody",)
    group_column = config.groups.column if config.groups is not None else "group"
    levels, limits = _list_levels(config.claims)
    paired = [claim.contrast for claim in config.claims if claim.paired and claim.contrast is not None]
    session_column = str(paired[0].column) if paired else "session"
    sessions = (str(paired[0].b), str(paired[0].a)) if paired else ("n/a",)
    covariates = {
        name for claim in config.claims for name in (claim.covariates or ())
    } | {*config.covariates.edge, *config.covariates.score}  # fmt: skip
    known = {"group", group_column, session_column}
    factors = {name: values for name, values in levels.items() if name not in known}
    if "sex" in covariates:
        factors.setdefault("sex", SEXES)
    named = (*config.scores, *(edge.name for edge in config.edges), *sorted(covariates))
    taken = known | factors.keys() | limits.keys()
    numbers = tuple(name for name in dict.fromkeys(named) if name not in taken)
    return StudyDesign(groups, group_column, factors, limits, numbers, sessions, session_column)


def _list_levels(claims: Iterable[Claim]) -> tuple[dict[str, tuple[Any, ...]], dict[str, tuple[str, float]]]:
    """Return the levels that claims name, by column, and the columns of which they ask an order."""
    levels: dict[str, dict[Any, None]] = {}
    limits: dict[str, tuple[str, float]] = {}
    for claim in claims:
        for contrast in claim.contrasts.values():
            if contrast.column is not None:
                levels.setdefault(contrast.column, {}).update(dict.fromkeys(map(str, contrast.sides)))
        for comparison in _list_comparisons(claim):
            if comparison.operator in ORDER_SIGNS:
                limits[comparison.column] = (comparison.operator, float(comparison.values[0]))  # noqa: PD011
            else:
                without = comparison.operator in {"!=", "not in"}
                named = (_ELIGIBLE,) if without else comparison.values  # noqa: PD011
                levels.setdefault(comparison.column, {}).update(dict.fromkeys(named))
    found = {name: tuple(values) for name, values in levels.items()}
    for name, values in found.items():  # "not X" is met by the other levels, where there are any
        if len(values) > 1:
            found[name] = tuple(value for value in values if value != _ELIGIBLE)
    return found, {name: limit for name, limit in limits.items() if name not in found}


def _list_comparisons(claim: Claim) -> list[Comparison]:
    sides = [side for contrast in claim.contrasts.values() for side in contrast.sides]
    conditions = [claim.sample, *(side.where for side in sides if not isinstance(side, str))]
    return [found for condition in conditions for found in parse_expression(condition).comparisons]


def simulate_planned(
    design: StudyDesign, n_per_group: int, *, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Draw planned people.

    Parameters
    ----------
    design : StudyDesign
    n_per_group : int
        People of each group; factors are crossed, and their cells differ by one person at most.
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to array (n_rows,)
        One row per person and session. Every number is standard normal (two sessions of a person correlate by
        0.5), so an effect added to it is in units of its SD.
    """
    n_people, n_sessions = n_per_group * len(design.groups), len(design.sessions)
    person = np.tile(np.arange(n_people), n_sessions)
    within = np.arange(n_people) % n_per_group
    group = np.repeat(np.array(design.groups, dtype=object), n_per_group)
    columns: dict[str, NDArray[Any]] = {
        "participant_id": np.array([f"sub-{number:05d}" for number in person], dtype=object),
        "session": np.repeat(np.array(design.sessions, dtype=object), n_people),
        "group": group[person],
    }
    columns[design.group_column] = columns["group"]
    columns[design.session_column] = columns["session"]
    stride = 1
    for name, levels in design.factors.items():
        columns[name] = np.array(levels, dtype=object)[within // stride % len(levels)][person]
        stride *= len(levels)
    for name, (sign, value) in design.limits.items():
        excess = 1e-6 + np.abs(rng.standard_normal(n_people))[person]
        columns[name] = value + (excess if ">" in sign else -excess)
    for name in design.numbers:
        columns[name] = draw_numbers(person, rng=rng)
    return columns


def draw_numbers(person: NDArray[np.intp], *, rng: np.random.Generator) -> FloatArray:
    """Draw standard normal numbers (n_rows,), correlated by 0.5 over the rows of a person."""
    if np.unique(person).size == person.size:
        return rng.standard_normal(person.size)
    shared = rng.standard_normal(int(person.max()) + 1)[person]
    return np.asarray(RETEST**0.5 * shared + (1 - RETEST) ** 0.5 * rng.standard_normal(person.size))
