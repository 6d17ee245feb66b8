"""Multiverse: every claim under every way of analysing it, from the ROI series that were extracted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rsconn.analysis.run_chain import choose_volumes
from rsconn.analysis.specification import Censoring
from rsconn.analysis.specification_loop import (
    RunInput,
    RunOutcome,
    Wish,
    analyse_wishes,
    combine_outcomes,
)
from rsconn.errors import UserError
from rsconn.files.bids import Run
from rsconn.files.nilearn_mode import clean_like_nilearn
from rsconn.files.run_records import RunRecord, read_records, start_records
from rsconn.files.tables import read_tsv
from rsconn.published_tables import read_numbers
from rsconn.rules.cohort import write_table
from rsconn.rules.denoise import (
    measure_denoised,
    read_given_series,
    read_run_confounds,
    settle_parcellated_t_r,
)
from rsconn.settings.config import Config
from rsconn.settings.rois import Edge
from rsconn.settings.ways import Way, list_ways
from rsconn.study.claims.evaluation import sort_columns
from rsconn.study.claims.every_way import WayEdges, WayTests, evaluate_ways, list_own_ways
from rsconn.study.claims.way_tables import tabulate_multiverse
from rsconn.study.people.cohort_table import average_motion, read_cohort

Key = tuple[str, str | None]


def run_multiverse(cohort: Path, *, before: Sequence[Path], runs: Sequence[Run], settings: Config) -> None:
    """Write multiverse.tsv, multiverse_joint.tsv and multiverse_axes.tsv beside the cohort.

    Parameters
    ----------
    cohort : Path
        ``group/cohort.tsv``; the working directory is the output folder.
    before : sequence of Path
        The extract stage's records; empty if the dataset is parcellated.
    runs : sequence of Run
        All runs, used if there are no records before.
    settings : Config
        All options, of which the step's job in `rsconn.rules.jobs` holds what it reads.
    """
    ways = list_ways(settings)
    records = read_records(before) if before else start_records(runs)
    columns = sort_columns(read_cohort(cohort))
    edges = list_claimed_edges(settings)
    taken = [run for record in records if (run := _read_run(record, settings)) is not None]
    samples = sample_ways(taken, settings, ways, columns, edges, keeps_motion=_is_given(cohort))
    own = {claim.id: list_own_ways(claim, settings, ways) for claim in settings.claims}
    own = {claim: positions for claim, positions in own.items() if len(positions) > 1}
    tests = WayTests(columns, settings, ways, samples, [edge.name for edge in edges])
    tables = tabulate_multiverse(evaluate_ways(tests, own), ways, settings)
    write_table(cohort.with_name("multiverse.tsv"), tables.ways)
    write_table(cohort.with_name("multiverse_joint.tsv"), tables.joint)
    write_table(cohort.with_name("multiverse_axes.tsv"), tables.axes)


def list_claimed_edges(config: Config) -> list[Edge]:
    """Return the edges that claims are about, in the config's order."""
    terms = {term for claim in config.claims for term in (claim.outcome, claim.predictor)}
    return [edge for edge in config.edges if edge.name in terms]


def _is_given(cohort: Path) -> bool:
    """Say whether mean FD comes from the participants table, whatever becomes of the runs."""
    return "participants" in read_tsv(cohort.with_name("quality.tsv"))["mean_fd_source"]


@dataclass(frozen=True, eq=False)
class RunSeries:
    """A run that can be analysed, whose it is (person, and session where these are separate), and its mean FD, mm."""

    key: Key
    input: RunInput
    mean_fd: float | None


def sample_ways(
    runs: Sequence[RunSeries],
    config: Config,
    ways: Sequence[Way],
    columns: Mapping[str, np.ndarray],
    edges: Sequence[Edge],
    *,
    keeps_motion: bool,
) -> list[WayEdges]:
    """Return the edges of everybody in the cohort under every way.

    Parameters
    ----------
    runs : sequence of RunSeries
        Runs that were extracted.
    config : Config
        ROIs, and what becomes of sessions.
    ways : sequence of Way
        The ways.
    columns : mapping of str to array (n_rows,)
        The sorted cohort, whose rows the result has.
    edges : sequence of Edge
        Those wanted.
    keeps_motion : bool
        Mean FD is the cohort's own, whichever runs are used.
    """
    wishes = [Wish(way.specification, way.series) for way in ways]
    unique = list(dict.fromkeys(wishes))
    names = config.rois.names
    pairs = np.array([[names.index(edge.first), names.index(edge.second)] for edge in edges]).reshape(-1, 2)
    outcomes = [analyse_wishes(run.input, unique, pairs, cleaner=clean_like_nilearn) for run in runs]
    keys = [
        (str(person), None if session is None or pd.isna(session) else str(session))
        for person, session in zip(columns["participant_id"], columns["session"], strict=True)
    ]
    of_wish = {
        wish: _sample_wish(place, runs, outcomes, keys, len(edges), keeps_motion=keeps_motion)
        for place, wish in enumerate(unique)
    }
    return [of_wish[wish] for wish in wishes]


def _sample_wish(
    place: int,
    runs: Sequence[RunSeries],
    outcomes: Sequence[Sequence[RunOutcome]],
    keys: Sequence[Key],
    n_edges: int,
    *,
    keeps_motion: bool,
) -> WayEdges:
    of_key: dict[Key, list[RunOutcome]] = {}
    for run, found in zip(runs, outcomes, strict=True):
        of_key.setdefault(run.key, []).append(found[place])
    z = np.array([combine_outcomes(of_key.get(key, ()), n_edges) for key in keys]).reshape(-1, n_edges)
    if keeps_motion:
        return WayEdges(z, None)
    quality = pd.DataFrame(
        {
            "participant_id": [run.key[0] for run in runs],
            "session": [run.key[1] for run in runs],
            "mean_fd": [run.mean_fd for run in runs],
            "n_volumes": [len(run.input.series) for run in runs],
            "usable": [found[place].edges is not None for found in outcomes],
        }
    )
    return WayEdges(z, np.array(average_motion(quality, list(keys)), dtype=float))


def _read_run(record: RunRecord, config: Config) -> RunSeries | None:
    """Return a run's series and confounds; None where the run failed, or would in every way."""
    if record.failed_stage is not None:
        return None
    run = record.run
    try:
        given = _read_given(run, config) if config.input.parcellated else _read_extracted(run, record.facts)
    except UserError as error:
        print(f"{run.name}: left out: {error}")  # noqa: T201 - the job's log
        return None
    session = run.session if config.sessions == "separate" else None
    return RunSeries((run.participant_id, session), given, given.quality.mean_fd)


def _read_extracted(run: Run, facts: Mapping[str, Any]) -> RunInput:
    names, series = read_numbers(Path(facts["timeseries"]))
    if "further_timeseries" in facts:
        more, further = read_numbers(Path(facts["further_timeseries"]))
        names, series = (*names, *more), np.hstack([series, further])
    rows = (*facts["coverage"], *facts.get("variant_coverage", ()))
    coverage = {row["roi"]: row["coverage"] for row in rows} | facts.get("further_coverage", {})
    confounds, t_r = read_run_confounds(run), facts["t_r"]
    quality = choose_volumes(confounds, t_r, Censoring()).quality
    return RunInput(names, series, coverage, t_r, confounds, quality)


def _read_given(run: Run, config: Config) -> RunInput:
    """Return the series of a parcellated run, alternatives included."""
    rois = {roi.name: str(roi.column) for roi in (*config.rois.rois, *config.rois.alternatives)}
    series = np.ascontiguousarray(read_given_series(run, rois))
    if config.input.denoised:
        quality = measure_denoised(run, len(series), config.input.t_r)
        return RunInput(tuple(rois), series, {}, None, None, quality)
    t_r, confounds = settle_parcellated_t_r(run, config.input.t_r), read_run_confounds(run)
    measured = choose_volumes(confounds, t_r, Censoring()).quality
    return RunInput(tuple(rois), series, {}, t_r, confounds, measured)
