"""Cohorts as tables, without images: for calibration and power, where thousands are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rsconn.simulate.study import Study

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
        lost = edges if problem.loses == "every edge" else problem.loses.split(", ")
        table.loc[row, [column for column in lost if column in known]] = np.nan
        if "age" in problem.items:
            table.loc[row, "age"] = np.nan
