"""The exclusion ledger: every rule that was applied to a person or a run, with its value, threshold and decision."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from rsconn.analysis.specification import Usability
from rsconn.analysis.usability import Judgement, RunQuality, Threshold, find_uncovered, judge_quality
from rsconn.study.people.identity import find_twins

if TYPE_CHECKING:
    from rsconn.settings.sections import CensoringSettings, QualitySettings

Stage = Literal["index", "extract", "denoise", "connect", "cohort", "claim"]
Ruling = Literal["excluded", "kept", "flagged"]

STAGES: tuple[Stage, ...] = ("index", "extract", "denoise", "connect", "cohort", "claim")
NO_GROUP = "no group"


class PersonRule(StrEnum):
    """Rules of the ledger that are no threshold of a run (`rsconn.analysis.usability.Threshold`)."""

    NO_RUN = "no run found"
    NOT_IN_TABLES = "not in the tables"
    EXCLUDED = "exclude"
    NO_LEVEL = "groups.levels"
    NO_EDGE = "no usable edge"
    LITTLE_COVERAGE = "quality.min_coverage"


FLOW_STAGES = ("in the tables", "with images", "with a usable run", "with a usable edge")
FLOW_COLUMNS = ("stage", "group", "n", "n_excluded", "rule")


@dataclass(frozen=True)
class LedgerRow:
    """One rule applied to one person or run.

    Attributes
    ----------
    participant_id : str
    session, run : str or None
        None where the rule is about the person.
    rule : str
        Config key of the threshold, such as ``censoring.min_retained_minutes``, or a few words.
    value, threshold : float or None
        What was found and what was needed, in `unit`.
    stage, decision
        Where it was decided, and how.
    reason : str or None
        One line for people; None where the rule was met.
    """

    participant_id: str
    session: str | None
    run: str | None
    rule: str
    value: float | None
    threshold: float | None
    unit: str | None
    stage: Stage
    decision: Ruling
    reason: str | None


LEDGER_COLUMNS = tuple(field.name for field in fields(LedgerRow))


def tabulate_ledger(rows: Iterable[LedgerRow]) -> pd.DataFrame:
    """Return the ledger as a table, sorted by person, session, run, stage and rule."""
    ordered = sorted(
        rows,
        key=lambda row: (
            row.participant_id,
            row.session or "",
            row.run or "",
            STAGES.index(row.stage),
            row.rule,
        ),
    )
    return pd.DataFrame([tuple(vars(row).values()) for row in ordered], columns=list(LEDGER_COLUMNS))


def judge_run(
    facts: Mapping[str, Any], censoring: CensoringSettings, thresholds: QualitySettings
) -> tuple[LedgerRow, ...]:
    """Apply the thresholds of a run; the run is lost if any row says excluded.

    Parameters
    ----------
    facts : mapping
        One row of group/quality.tsv: participant_id, session, run, n_volumes, n_retained, minutes_retained, dof,
        mean_fd. A value of None or NaN is unknown (denoised input has no dof) and not judged.

    Examples
    --------
    >>> from types import SimpleNamespace as Settings
    >>> facts = {"participant_id": "sub-01", "session": None, "run": "sub-01_task-rest", "n_volumes": 120,
    ...          "n_retained": 41, "minutes_retained": 1.37, "dof": 20, "mean_fd": 0.2}
    >>> rows = judge_run(facts, Settings(min_retained_minutes=4, min_degrees_of_freedom=15),
    ...                  Settings(max_mean_fd_mm=0.5))
    >>> [row.decision for row in rows]
    ['excluded', 'kept', 'kept']
    >>> print(rows[0].reason)
    sub-01_task-rest: 41 of 120 volumes retained (1.4 min), 4 min needed (censoring.min_retained_minutes)
    """
    quality = RunQuality(**{name: facts[name] for name in ("minutes_retained", "dof", "mean_fd")})
    usability = Usability(
        censoring.min_retained_minutes, censoring.min_degrees_of_freedom, thresholds.max_mean_fd_mm
    )
    return tuple(
        _rule(
            facts,
            judged.threshold.value,
            judged.value,
            judged.limit,
            _UNITS[judged.threshold],
            judged.met,
            _describe_shortfall(facts, judged),
        )
        for judged in judge_quality(quality, usability)
    )


_UNITS = {Threshold.MINUTES: "min", Threshold.DOF: None, Threshold.MEAN_FD: "mm"}


def _describe_shortfall(facts: Mapping[str, Any], judged: Judgement) -> str:
    name, value, limit, option = facts["run"], judged.value, judged.limit, judged.threshold.value
    kept = f"{name}: {_count(facts, 'n_retained')} of {_count(facts, 'n_volumes')} volumes retained"
    match judged.threshold:
        case Threshold.MINUTES:
            return f"{kept} ({value:.1f} min), {limit:g} min needed ({option})"
        case Threshold.DOF:
            return f"{kept}, {value:g} degrees of freedom left, {limit} needed ({option})"
        case Threshold.MEAN_FD:
            return f"{name}: mean framewise displacement {value:.2f} mm, {limit:g} mm allowed ({option})"


def keeps_run(rows: Iterable[LedgerRow]) -> bool:
    """Say whether a run counts: too little coverage costs a ROI, anything else that excludes the run."""
    return all(row.decision != "excluded" or row.rule == PersonRule.LITTLE_COVERAGE for row in rows)


def judge_coverage(
    facts: Mapping[str, Any], coverage: Mapping[str, float], least: float
) -> tuple[LedgerRow, ...]:
    """Apply quality.min_coverage to every ROI of a run; a ROI that fails is n/a there, the run stays.

    Parameters
    ----------
    facts : mapping
        participant_id, session and run.
    coverage : mapping of str to float
        ROI to the share of its weight inside the brain mask with signal; NaN is unknown.
    least : float
        quality.min_coverage.

    Returns
    -------
    tuple of LedgerRow
        Of failing ROIs only.
    """
    rows = []
    uncovered = find_uncovered(np.array(list(coverage.values()), dtype=float), least)
    for (roi, share), low in zip(coverage.items(), uncovered, strict=True):
        if low:
            reason = (
                f"{facts['run']}: {share:.0%} of {roi} has signal, {least:.0%} needed (quality.min_coverage)"
            )
            row = _rule(facts, PersonRule.LITTLE_COVERAGE, share, least, None, False, reason)  # noqa: FBT003
            rows.append(row)
    return tuple(rows)


def report_failed_run(facts: Mapping[str, Any], stage: Stage, reason: str) -> LedgerRow:
    """Return the row of a run that could not be processed."""
    run = facts["run"]
    return LedgerRow(
        facts["participant_id"],
        facts["session"],
        run,
        f"failed at {stage}",
        None,
        None,
        None,
        stage,
        "excluded",
        reason,
    )


def report_excluded(excluded: Mapping[str, str]) -> list[LedgerRow]:
    """Return a row for each person, session or run that the config excludes by hand, with the reason given."""
    rows = []
    for key, reason in excluded.items():
        person, *others = key.split("_")
        session = next((part[4:] for part in others if part.startswith("ses-")), None)
        run = key if [part for part in others if not part.startswith("ses-")] else None
        text = f"{key}: {reason} (exclude)"
        rows.append(
            LedgerRow(person, session, run, PersonRule.EXCLUDED, None, None, None, "index", "excluded", text)
        )
    return rows


def compare_people(
    in_tables: Collection[str], with_runs: Collection[str], left_out: Mapping[str, str] | None = None
) -> list[LedgerRow]:
    """Return a row for everyone who is in the tables without a run, or has a run without being in a table.

    Where an id seems to be another's in another spelling, or the filters leave out what there is, the reason says so.

    Parameters
    ----------
    in_tables, with_runs : collection of str
        participant_id.
    left_out : mapping of str to str, optional
        participant_id to what of their files the filters do not take (`rsconn.files.left_out`).
    """
    rows = []
    twins = find_twins(set(in_tables) - set(with_runs), set(with_runs) - set(in_tables))
    tables_twins = {theirs: mine for mine, theirs in twins.items()}
    for person in sorted(set(in_tables) - set(with_runs)):
        twin = twins.get(person)
        filtered = (left_out or {}).get(person)
        hint = f"; has images that input.filters leave out ({filtered})" if filtered else ""
        hint = f"; the dataset has {twin}" if twin else hint
        rows.append(
            _absent(person, PersonRule.NO_RUN, f"{person}: no run found{hint}; in claims on scores only")
        )
    for person in sorted(set(with_runs) - set(in_tables)):
        twin = tables_twins.get(person)
        hint = f"; the tables have {twin}" if twin else ""
        rows.append(
            _absent(person, PersonRule.NOT_IN_TABLES, f"{person}: has a run, no row in the tables{hint}")
        )
    return rows


def count_flow(cohort: pd.DataFrame, ledger: pd.DataFrame, with_usable_run: Collection[str]) -> pd.DataFrame:
    """Count, group by group, how many people were left after each stage and which rule took the others.

    Parameters
    ----------
    cohort : DataFrame
        participant_id, group, included; a person with several sessions counts once.
    ledger : DataFrame
        As `tabulate_ledger` returns it; a person's earliest exclusion names the rule.
    with_usable_run : collection of str
        participant_id of everyone with a run that met the rules.

    Returns
    -------
    DataFrame
        stage, group, n (left after the stage), n_excluded, rule. Several rules of a stage and group have a row
        each; n plus the n_excluded of its rows is the n of the stage before.
    """
    people = cohort.groupby("participant_id", sort=True).agg(
        group=("group", "first"), included=("included", "any")
    )
    lost_by = _find_first_rules(ledger)
    whole = ledger["session"].isna() & ledger["run"].isna()
    by_hand = set(ledger["participant_id"][whole & (ledger["rule"] == PersonRule.EXCLUDED)])
    rows: list[tuple[str, str, int, int, str | None]] = []
    for group, members in people.groupby(people["group"].astype(object).fillna(NO_GROUP), sort=True):
        left = list(members.index)
        rows.append((FLOW_STAGES[0], str(group), len(left), 0, None))
        with_edge = set(members.index[members["included"]])
        conditions = (
            {person for person in left if lost_by.get(person) != PersonRule.NO_RUN and person not in by_hand},
            with_edge | set(with_usable_run),
            with_edge,
        )
        for stage, condition in zip(FLOW_STAGES[1:], conditions, strict=True):
            after = [person for person in left if person in condition]
            rows += _count_rules(stage, str(group), left, after, lost_by)
            left = after
    return pd.DataFrame(rows, columns=list(FLOW_COLUMNS))


def _count_rules(
    stage: str, group: str, before: Sequence[str], after: Sequence[str], lost_by: Mapping[str, str]
) -> list[tuple[str, str, int, int, str | None]]:
    lost = [lost_by.get(person, PersonRule.NO_EDGE.value) for person in before if person not in set(after)]
    if not lost:
        return [(stage, group, len(after), 0, None)]
    return [(stage, group, len(after), lost.count(rule), rule) for rule in sorted(set(lost))]


def _find_first_rules(ledger: pd.DataFrame) -> dict[str, str]:
    """Return each person's earliest exclusion."""
    excluded = ledger[ledger["decision"] == "excluded"]
    order = excluded["stage"].map(STAGES.index).astype(int)
    first = excluded.assign(order=order).sort_values(["order", "rule"], kind="stable")
    return dict(first.groupby("participant_id", sort=True)["rule"].first())


def _rule(
    facts: Mapping[str, Any],
    rule: str,
    value: float,
    threshold: float,
    unit: str | None,
    met: bool,  # noqa: FBT001 - a private helper
    reason: str,
) -> LedgerRow:
    return LedgerRow(
        facts["participant_id"],
        facts["session"],
        facts["run"],
        rule,
        float(value),
        float(threshold),
        unit,
        "connect",
        "kept" if met else "excluded",
        None if met else reason,
    )


def _absent(person: str, rule: str, reason: str) -> LedgerRow:
    return LedgerRow(person, None, None, rule, None, None, None, "index", "excluded", reason)


def _is_known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value)) and value is not pd.NA


def _count(facts: Mapping[str, Any], name: str) -> str:
    return f"{facts[name]:g}" if _is_known(facts[name]) else "n/a"
