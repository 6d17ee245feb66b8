"""The cohort that can be expected before any image is read: people left by group, claims that cannot be tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rsconn.files.bids import Run
from rsconn.settings.config import Config
from rsconn.steps.predict import Prediction
from rsconn.study.claims.designs import build_model, read_terms
from rsconn.study.claims.evaluation import sort_columns
from rsconn.study.claims.verdicts import run_claim_test
from rsconn.study.people.cohort_table import build_cohort
from rsconn.study.people.ledger import FLOW_STAGES, NO_RUN, LedgerRow
from rsconn.study.people.run_edges import EDGE_COLUMNS, QUALITY_COLUMNS
from rsconn.study.people.scores import Scores

# What people with images are counted by; edges are not known before the images are read.
_STAGES = FLOW_STAGES[:3]


@dataclass(frozen=True)
class Expectation:
    """What the tables and the predicted runs amount to.

    Attributes
    ----------
    groups : dict of str to str
        Group to how many are in the tables, have images, keep a usable run.
    untestable : dict of str to str
        Claim id to why it cannot be tested with these people.
    strangers : tuple of str
        A line for everyone who has a run and no row in the tables, or whose id differs by leading zeros.
    """

    groups: Mapping[str, str]
    untestable: Mapping[str, str]
    strangers: tuple[str, ...]


def expect_cohort(
    people: pd.DataFrame,
    scores: Scores,
    runs: Sequence[Run],
    predictions: Mapping[str, Prediction],
    config: Config,
) -> Expectation:
    """Put together the cohort as if every usable run gave all its edges.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    scores : Scores
        Of the same people.
    runs : sequence of Run
        All runs; none in a study of scores only.
    predictions : mapping of str to Prediction
        Run name to what will become of it.
    config : Config
        Groups, edges and claims.

    Raises
    ------
    TableError, ProblemsError
        If a claim or covariate cannot use the tables.
    """
    lost = [_report_lost(run, reason) for run in runs if (reason := predictions[run.name].reason)]
    cohort = build_cohort(
        people,
        scores,
        _imagine_edges(runs, predictions, config),
        _tabulate_quality(runs, predictions),
        config,
        run_ledger=lost,
        with_runs={run.participant_id for run in runs},
    )
    strangers = cohort.ledger[cohort.ledger["rule"] == "not in the tables"]["reason"]
    stages = _STAGES if config.input.has_runs else _STAGES[:1]
    flow = cohort.flow[cohort.flow["stage"].isin(stages)]
    counts = flow.drop_duplicates(["group", "stage"]).groupby("group", sort=True)
    alone = cohort.ledger[cohort.ledger["rule"] == NO_RUN]["reason"]
    twins = [reason for reason in alone if "the dataset has" in reason]
    return Expectation(
        groups={
            str(group): ", ".join(f"{n} {stage}" for stage, n in zip(rows["stage"], rows["n"], strict=True))
            for group, rows in counts
        },
        untestable=_find_untestable(cohort.table, config),
        strangers=(*strangers, *twins),
    )


def _report_lost(run: Run, reason: str) -> LedgerRow:
    identity = (run.participant_id, run.session, run.name)
    return LedgerRow(*identity, "predicted", None, None, None, "connect", "excluded", reason)


def _imagine_edges(
    runs: Sequence[Run], predictions: Mapping[str, Prediction], config: Config
) -> pd.DataFrame:
    """Return one row per edge of everyone with a usable run; the numbers are drawn, only their presence counts."""
    usable = [run for run in runs if predictions[run.name].reason is None]
    separate = config.sessions == "separate"
    keys = sorted({(run.participant_id, run.session if separate else None) for run in usable}, key=str)
    rng = np.random.default_rng(0)
    rows = [(*key, edge.name, z) for key in keys for edge, z in _draw(config, rng)]
    return pd.DataFrame(rows, columns=["participant_id", "session", "edge", "z"]).reindex(
        columns=list(EDGE_COLUMNS)
    )


def _draw(config: Config, rng: np.random.Generator) -> list[tuple[Any, float]]:
    return list(zip(config.edges, rng.standard_normal(len(config.edges)).tolist(), strict=True))


def _tabulate_quality(runs: Sequence[Run], predictions: Mapping[str, Prediction]) -> pd.DataFrame:
    rows = [
        {
            "participant_id": run.participant_id,
            "session": run.session,
            "run": run.name,
            "n_volumes": predictions[run.name].n_volumes or 1,
            "mean_fd": predictions[run.name].mean_fd,
            "usable": predictions[run.name].reason is None,
        }
        for run in runs
    ]
    return pd.DataFrame(rows, columns=list(QUALITY_COLUMNS))


def _find_untestable(cohort: pd.DataFrame, config: Config) -> dict[str, str]:
    columns, terms = sort_columns(cohort), read_terms(config)
    tests = [
        run_claim_test(claim, build_model(claim, columns, terms), config.inference) for claim in config.claims
    ]
    return {test.claim.id: test.reason for test in tests if test.finding is None}
