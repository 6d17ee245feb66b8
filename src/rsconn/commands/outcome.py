"""What a finished run says: verdicts by family, who was lost and why, where to look; or what failed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from rsconn.commands.check import shorten_by_kind
from rsconn.commands.progress import read_failures
from rsconn.files.tables import read_tsv
from rsconn.study.people.ledger import PersonRule
from rsconn.study.people.losses import LOST, describe_surprises

_N_A = "n/a"


def describe_outcome(results: Path) -> list[str]:
    """Return what to print after a run.

    Parameters
    ----------
    results : Path
        Its output folder.
    """
    group = results / "group"
    return [
        *_describe_verdicts(_read(group / "claims.tsv")),
        *_describe_people(_read(group / "predicted.tsv"), _read(group / "exclusions.tsv")),
        f"report: {results / 'report.html'}",
    ]


def _read(path: Path) -> pd.DataFrame:
    return pd.DataFrame(read_tsv(path) if path.is_file() else {})


def _describe_verdicts(claims: pd.DataFrame) -> list[str]:
    if claims.empty:
        return []
    lines = ["verdicts:"]
    for family, rows in claims.groupby("family", sort=False):
        counts = Counter(rows["verdict"])
        lines.append(f"  {family}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()))
        lines += [f"    {_describe_claim(row)}" for _, row in rows.iterrows()]
    return lines


def _describe_claim(row: pd.Series) -> str:
    known = [
        f"{name} {float(row[column]):.2g}"
        for name, column in (("effect", "effect_size"), ("p", "p_family"))
        if row.get(column, _N_A) != _N_A
    ]
    numbers = f" ({', '.join(known)})" if known else ""
    return f"{row['id']} {row['verdict']}{numbers}: {row['text']}"


def _describe_people(predicted: pd.DataFrame, ledger: pd.DataFrame) -> list[str]:
    if predicted.empty:
        return []
    lost = predicted[predicted["found"] == LOST]
    by_hand = (
        [] if ledger.empty else sorted(set(ledger["participant_id"][ledger["rule"] == PersonRule.EXCLUDED]))
    )
    lines = [f"people: {len(predicted) - len(lost)} of {len(predicted)} with images kept"]
    lines += [f"  lost: {line}" for line in shorten_by_kind([*lost["reason"]])]
    if by_hand:
        lines.append(f"  excluded by hand: {', '.join(by_hand)}")
    surprises = describe_surprises(predicted)
    if surprises:
        lines.append(f"  otherwise than predicted: {len(surprises)} (group/predicted.tsv)")
        lines += [f"    {line}" for line in shorten_by_kind(surprises)]
    return lines


_SHOWN_LINES = 12


def describe_failure(results: Path, failures: Path) -> list[str]:
    """Return one screen on a run that failed: which jobs, why, what still ran, which log.

    Parameters
    ----------
    results : Path
        Its output folder.
    failures : Path
        What `rsconn.commands.progress` noted.
    """
    failed, done = read_failures(failures)
    lines = []
    for job in failed[:_SHOWN_LINES]:
        what = f"{job.rule} of {job.batch}" if job.batch else job.rule
        log = results / job.log if job.log else results / "logs"
        lines.append(f"{what} failed: {_read_last_line(log)}; log: {log}")
    if len(failed) > _SHOWN_LINES:
        lines.append(f"... and {len(failed) - _SHOWN_LINES} more jobs, logs in {results / 'logs'}")
    if not failed:
        lines.append(
            f"the workflow stopped; its logs are in {results / 'logs'} and {results / '.snakemake' / 'log'}"
        )
    ran = ", ".join(f"{rule} {n}" for rule, n in done.items()) or "nothing"
    lines.append(f"done all the same: {ran}; run the same command again to go on from there")
    return lines


def _read_last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "no log was written"
    return next((line.strip() for line in reversed(lines) if line.strip()), "the log is empty")
