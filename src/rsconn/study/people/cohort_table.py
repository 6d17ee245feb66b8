"""One tidy table of people, scores, motion and edges, with the ledger and the flow of who was left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rsconn.files.tables import read_tsv
from rsconn.study.people.identity import match_sessions
from rsconn.study.people.ledger import (
    LedgerRow,
    PersonRule,
    compare_people,
    count_flow,
    report_excluded,
    tabulate_ledger,
)
from rsconn.study.people.participants import convert_column, read_people
from rsconn.study.people.same_people import check_same_edges
from rsconn.study.people.scores import Scores, score_people
from rsconn.study.people.used_columns import check_used_columns, list_used_columns

__all__ = ["Cohort", "build_cohort", "read_cohort", "read_people", "score_people"]

if TYPE_CHECKING:
    from rsconn.settings.config import Config


_TEXT_COLUMNS = frozenset({"participant_id", "session", "group"})
_Key = tuple[str, str | None]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Everybody in the tables, with or without images, but those excluded by hand.

    Attributes
    ----------
    table : DataFrame
        One row per person (x session when sessions are separate): participant_id, session, group, sex, age, one
        column per score, mean_fd (mm), one per edge (Fisher z), included (has a usable edge), then what claims
        and covariates name besides.
    ledger : DataFrame
        The run rows given, and those about people (`rsconn.study.people.ledger.LEDGER_COLUMNS`).
    flow : DataFrame
        `rsconn.study.people.ledger.count_flow`.
    mean_fd_source : {'participants', 'confounds', None}
        Where mean_fd comes from; a participants column wins.
    """

    table: pd.DataFrame
    ledger: pd.DataFrame
    flow: pd.DataFrame
    mean_fd_source: str | None


@dataclass(frozen=True)
class PeopleHints:
    """What else is known of people who are left out, by participant_id.

    Attributes
    ----------
    left_out : mapping of str to str
        What of their files the filters do not take.
    outsiders : mapping of str to str
        What the group column says of those in no group.
    """

    left_out: Mapping[str, str] = field(default_factory=dict)
    outsiders: Mapping[str, str] = field(default_factory=dict)


def build_cohort(
    people: pd.DataFrame,
    scores: Scores,
    edges: pd.DataFrame,
    quality: pd.DataFrame,
    config: Config,
    *,
    run_ledger: Iterable[LedgerRow] = (),
    with_runs: Collection[str] | None = None,
    hints: PeopleHints | None = None,
) -> Cohort:
    """Join people, scores, motion and edges.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    scores : Scores
        `rsconn.study.people.scores.score_people` of the same people.
    edges : DataFrame
        participant_id, session, edge, z: runs combined, usable runs only.
    quality : DataFrame
        One row per run: participant_id, session, run, n_volumes, mean_fd, and optionally usable (bool).
    config : Config
        Edges, groups, covariates and claims.
    run_ledger : iterable of LedgerRow
        What was decided about runs.
    with_runs : collection of str, optional
        participant_id of everyone with a run in the dataset, usable or not; by default those in `quality`.
    hints : PeopleHints, optional
        What the reasons may say besides.

    Raises
    ------
    TableError, ProblemsError
        A column that a covariate or claim names is absent, holds numbers and words mixed, or lacks a level; or two
        people have the same edges to the last digit.
    """
    check_used_columns(people, scores.table.columns, config)
    if config.sessions == "separate":
        labels = {*edges["session"].dropna(), *quality["session"].dropna()}
        people = match_sessions(people, labels)
    check_same_edges(edges)
    keys = _list_keys(people, edges, separate=config.sessions == "separate")
    table = _join(people, scores, keys)
    source = "participants" if "mean_fd" in people else None
    if source is None:
        table["mean_fd"] = average_motion(quality, keys)
        source = "confounds" if table["mean_fd"].notna().any() else None
    names = [edge.name for edge in config.edges]
    z = {(row.participant_id, _text(row.session), row.edge): row.z for row in edges.itertuples()}
    for name in names:
        table[name] = [_number(z.get((person, session, name))) for person, session in keys]
    usable = set(edges["participant_id"])
    table["included"] = table[names].notna().any(axis=1).to_numpy() if names else False
    if not names and config.edge_claims:  # whose edges stand in the matrices alone
        usable = set(quality["participant_id"][quality["usable"].astype(bool)])
        table["included"] = table["participant_id"].isin(usable)
    table = _arrange(table, list(scores.table.columns), names, list_used_columns(config))
    found = set(quality["participant_id"] if with_runs is None else with_runs)
    found |= {key.partition("_")[0] for key in config.exclude if "_" in key}
    by_hand = {key for key in config.exclude if "_" not in key}
    rows = [*run_ledger, *scores.ledger, *report_excluded(config.exclude)]
    known = hints or PeopleHints()
    rows += compare_people(set(people["participant_id"]) - by_hand, found - by_hand, known.left_out)
    rows += _report_people(table, people, usable, config, known.outsiders)
    ledger = tabulate_ledger(rows)
    flow = count_flow(table, ledger, usable)
    left = table[~table["participant_id"].isin(by_hand)].reset_index(drop=True)
    return Cohort(left, ledger, flow, source)


def read_cohort(path: Path) -> pd.DataFrame:
    """Read group/cohort.tsv: names as text, a column of numbers as numbers, ``n/a`` as missing."""
    columns = {
        name: np.array([None if cell == "n/a" else cell for cell in cells], dtype=object)
        if name in _TEXT_COLUMNS
        else convert_column(cells)
        for name, cells in read_tsv(path).items()
    }
    table = pd.DataFrame(columns)
    if "included" in table:
        table["included"] = [cell == "true" for cell in columns["included"]]
    return table


def list_keys(people: pd.DataFrame) -> list[tuple[str, str | None]]:
    """Return (participant_id, session) of every row."""
    return list(zip(people["participant_id"], map(_text, people["session"]), strict=True))


def _list_keys(people: pd.DataFrame, edges: pd.DataFrame, *, separate: bool) -> list[_Key]:
    """Return every (person, session) of the tables, and when sessions are separate those of the edges too."""
    known = list_keys(people)
    if not separate:
        return known
    everyone = set(people["participant_id"])
    scanned = zip(edges["participant_id"], map(_text, edges["session"]), strict=True)
    keys = set(known) | {key for key in scanned if key[0] in everyone}
    with_session = {person for person, session in keys if session is not None}
    return sorted(
        (key for key in keys if key[1] is not None or key[0] not in with_session),
        key=lambda key: (key[0], key[1] or ""),
    )


def _join(people: pd.DataFrame, scores: Scores, keys: list[_Key]) -> pd.DataFrame:
    """Put people and scores on the rows of the cohort.

    A table without sessions speaks for all of a person's; a session that no table knows takes what does not
    differ between the person's other sessions, scores excepted.
    """
    joined = people.drop(columns=[name for name in scores.table if name in people]).join(scores.table)
    index = {
        key: row
        for row, key in enumerate(zip(people["participant_id"], map(_text, people["session"]), strict=True))
    }
    rows = [index.get(key, index.get((key[0], None), -1)) for key in keys]
    table = joined.reindex(range(-1, len(joined))).loc[rows].reset_index(drop=True)
    table["participant_id"] = [person for person, _ in keys]
    table["session"] = pd.Series([session for _, session in keys], dtype=object)
    unknown = [position for position, row in enumerate(rows) if row == -1]
    if unknown:
        _fill_constant(table, joined, unknown, skip={"participant_id", "session", *scores.table})
    return table


def _fill_constant(table: pd.DataFrame, joined: pd.DataFrame, positions: list[int], skip: set[str]) -> None:
    by_person = dict(tuple(joined.groupby("participant_id", sort=False)))
    for name in [column for column in table.columns if column not in skip]:
        filled = table[name].astype(object)
        for position in positions:
            values = by_person[table["participant_id"].iloc[position]][name]
            if len(values) and values.notna().all() and (values == values.iloc[0]).all():
                filled.iloc[position] = values.iloc[0]
        table[name] = filled.infer_objects()


def average_motion(quality: pd.DataFrame, keys: list[_Key]) -> list[float]:
    """Return each person's mean FD (mm): the runs' means weighted by their volumes, usable runs if there are any."""
    runs: dict[_Key, list[tuple[float, float, bool]]] = {}
    for row in quality.itertuples():
        if np.isfinite(_number(row.mean_fd)):
            entry = (float(row.mean_fd), float(row.n_volumes), bool(getattr(row, "usable", True)))
            runs.setdefault((row.participant_id, _text(row.session)), []).append(entry)
            if _text(row.session) is not None:
                runs.setdefault((row.participant_id, None), []).append(entry)
    return [_weigh(runs.get(key, [])) for key in keys]


def _weigh(runs: list[tuple[float, float, bool]]) -> float:
    chosen = [run for run in runs if run[2]] or runs
    if not chosen:
        return float("nan")
    return float(np.average([fd for fd, _, _ in chosen], weights=[n for _, n, _ in chosen]))


def _arrange(
    table: pd.DataFrame, scores: list[str], edges: list[str], used: Mapping[str, str]
) -> pd.DataFrame:
    """Put the contract's columns first, then those that claims and covariates name."""
    for name in ("sex", "age"):
        if name not in table:
            table[name] = np.nan
    fixed = ["participant_id", "session", "group", "sex", "age", *scores, "mean_fd", *edges, "included"]
    return table[[*fixed, *(name for name in used if name not in fixed)]]


def _report_people(
    table: pd.DataFrame,
    people: pd.DataFrame,
    usable: Collection[str],
    config: Config,
    outsiders: Mapping[str, str],
) -> list[LedgerRow]:
    """Return rows for people with no group, and for those whose runs left them no edge."""
    rows = []
    included = table.groupby("participant_id", sort=True)["included"].any()
    groups = people.groupby("participant_id", sort=True)["group"].first()
    for person, has_edge in included.items():
        if config.groups is not None and pd.isna(groups[person]):
            cell = f"is {outsiders[str(person)]!r}, none" if person in outsiders else "names none"
            reason = f"{person}: column {config.groups.column!r} {cell} of groups.levels; in no group"
            rows.append(_person_row(str(person), PersonRule.NO_LEVEL, "flagged", reason))
        if not has_edge and person in usable:
            reason = f"{person}: a usable run, but no edge with both of its ROIs"
            rows.append(_person_row(str(person), PersonRule.NO_EDGE, "excluded", reason))
    return rows


def _person_row(person: str, rule: str, decision: Any, reason: str) -> LedgerRow:
    return LedgerRow(person, None, None, rule, None, None, None, "cohort", decision, reason)


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


def _number(value: Any) -> float:
    return float("nan") if value is None or pd.isna(value) else float(value)
