"""Cohort: people, scores and edges in one table; who was left out, and why, in another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from rsconn.files.left_out import find_left_out
from rsconn.files.run_records import RunRecord, read_records
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json
from rsconn.rules.columns import describe_columns
from rsconn.rules.prediction import foretell, predict_runs
from rsconn.settings.config import Config
from rsconn.study.people.cohort_table import PeopleHints, build_cohort
from rsconn.study.people.ledger import FLOW_STAGES, PersonRule
from rsconn.study.people.losses import compare_losses, explain_losses
from rsconn.study.people.own_names import check_own_names
from rsconn.study.people.participants import read_outsiders, read_people
from rsconn.study.people.run_edges import RunTables, tabulate_runs
from rsconn.study.people.scores import score_people
from rsconn.study.people.sites import find_sites, name_site


def gather_cohort(records: Sequence[Path], *, settings: Config) -> None:
    """Write the cohort, edges, ledger, flow, quality, coverage, score and prediction tables into ``group/``.

    Parameters
    ----------
    records : sequence of Path
        The connect stage's records of all batches; the working directory is the output folder.
    settings : Config
        All options, of which the step's job in `rsconn.rules.jobs` holds what it reads.

    Raises
    ------
    TableError, ProblemsError
        If the participants or phenotype tables cannot be used.
    """
    runs = read_records(records)
    tables = tabulate_runs(runs, settings)
    check_own_names(settings)
    people = read_people(settings.input, settings.groups, sessions=settings.sessions)
    scores = score_people(people, settings.scores)
    with_runs = {record.run.participant_id for record in runs}
    cohort = build_cohort(
        people,
        scores,
        tables.edges,
        tables.quality,
        settings,
        run_ledger=tables.ledger,
        with_runs=with_runs,
        hints=_find_hints(settings, set(people["participant_id"]) - with_runs),
    )
    quality = tables.quality.drop(columns="usable")
    if cohort.mean_fd_source == "participants":
        quality["mean_fd_source"] = "participants"
    ledger, flow = cohort.ledger, cohort.flow
    if not settings.input.has_runs:  # nobody was expected to have images
        ledger, flow = ledger[ledger["rule"] != PersonRule.NO_RUN], flow[flow["stage"] == FLOW_STAGES[0]]
    sites = find_sites(people, (record.run for record in runs), settings)
    written = {
        "cohort": cohort.table,
        "edges": tables.edges,
        "exclusions": name_site(ledger, sites),
        "flow": flow,
        "quality": name_site(quality, sites),
        "coverage": tables.coverage,
        "scores": scores.summary,
        "predicted": _compare_prediction(runs, tables, people, settings),
    }
    for name, table in written.items():
        write_table(Path("group") / f"{name}.tsv", table)


def _find_hints(settings: Config, without_run: Collection[str]) -> PeopleHints:
    """Look again at the tree and the tables for why people are left out."""
    outsiders = read_outsiders(settings.input, settings.groups, sessions=settings.sessions)
    if not settings.input.has_runs or not without_run:
        return PeopleHints(outsiders=outsiders)
    left_out = find_left_out(
        settings.input.folders,
        settings.input.filters,
        without_run,
        parcellated=bool(settings.input.parcellated),
        prefixes=settings.input.prefixes,
    )
    return PeopleHints(left_out, outsiders)


def _compare_prediction(
    records: Sequence[RunRecord], tables: RunTables, people: pd.DataFrame, settings: Config
) -> pd.DataFrame:
    """Return what the check predicts of everyone with a run, and what came of them."""
    runs = [record.run for record in records]
    usable = None if settings.edges else list(tables.quality.loc[tables.quality["usable"], "participant_id"])
    found = explain_losses(
        dict.fromkeys(run.participant_id for run in runs), tables.ledger, tables.edges, usable
    )
    groups = dict(zip(people["participant_id"], people["group"].astype(object), strict=True))
    known = {person: group if isinstance(group, str) else None for person, group in groups.items()}
    return compare_losses(foretell(predict_runs(runs, settings), settings).lost, found, known)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a result table and the JSON sidecar that describes its columns.

    Parameters
    ----------
    path : Path
        Ends in ``.tsv``; its stem names the table.
    table : DataFrame
        The table.
    """
    write_tsv(path, {str(name): table[name].tolist() for name in table.columns})
    write_json(path.with_suffix(".json"), describe_columns(path.stem, list(table.columns)))
