"""What the predicted runs and the tables amount to: regions, people by group, claims."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.analysis.usability import Threshold, find_uncovered
from rsconn.errors import UserError
from rsconn.files.bids import Run
from rsconn.files.cifti_regions import build_run_weights
from rsconn.files.images import read_run_header
from rsconn.rules.plan import WorkflowPlan
from rsconn.rules.prediction import Foretold, Prediction
from rsconn.settings.config import Config
from rsconn.study.claims.designs import Terms, build_model, read_terms
from rsconn.study.claims.evaluation import sort_columns
from rsconn.study.claims.missing_covariates import list_losses, list_missing
from rsconn.study.claims.verdicts import run_claim_test
from rsconn.study.people.cohort_table import average_motion, build_cohort, list_keys
from rsconn.study.people.ledger import FLOW_STAGES, PersonRule
from rsconn.study.people.losses import Loss
from rsconn.study.people.own_names import compare_mean_fd
from rsconn.study.people.scores import Scores
from rsconn.study.people.used_columns import Columns

_FEW_VOXELS = 5
_SHOWN_ROIS = 5


@dataclass(frozen=True)
class RegionCheck:
    """What is wrong with the ROIs on the runs' grids: obstacles, and what is odd and no obstacle."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_regions(plan: WorkflowPlan, predictions: Sequence[Prediction]) -> RegionCheck:
    """Compare every ROI with the brain masks of the runs.

    A ROI that is outside the mask, or covered too little, in all of these runs is a problem; in some of them,
    or if it is a variant or has few voxels, a warning.

    Parameters
    ----------
    plan : WorkflowPlan
        Config and runs.
    predictions : sequence of Prediction
        Of the same runs.
    """
    if not plan.config.input.derivatives:
        return RegionCheck()
    read = [prediction for prediction in predictions if prediction.record.facts]
    blocked = [prediction.run for prediction in read if prediction.inside is None]
    if blocked:
        return RegionCheck(problems=tuple(_list_unusable_rois(blocked[0], plan)))
    counts = [prediction.inside for prediction in read if prediction.inside is not None]
    return _judge_regions(np.array(counts), plan) if counts else RegionCheck()


def _list_unusable_rois(run: Run, plan: WorkflowPlan) -> Iterator[str]:
    """Yield the fault of every region that cannot be built, not of the first alone."""
    assert run.bold is not None  # noqa: S101 - its header was read
    header = read_run_header(run.bold)
    faults: dict[str, list[str]] = {}
    for roi in plan.extract_job.rois:
        try:
            build_run_weights([roi.region], header, 0.0)
        except UserError as error:
            if roi.variant_of is None:
                faults.setdefault(str(error).removeprefix(f"ROI {roi.name!r}: "), []).append(roi.name)
    for fault, names in faults.items():
        others = f" and {len(names) - _SHOWN_ROIS} more" if len(names) > _SHOWN_ROIS else ""
        yield f"{plan.config.rois_path}: ROI {', '.join(map(repr, names[:_SHOWN_ROIS]))}{others}: {fault}"


def _judge_regions(counts: NDArray[np.float64], plan: WorkflowPlan) -> RegionCheck:
    """Judge shares and voxels of (n_runs, 2, n_rows)."""
    least, n_runs = plan.config.quality.min_coverage, len(counts)
    brain = "among the grayordinates" if plan.dense else "in the brain mask"
    problems: list[str] = []
    warnings: list[str] = []
    for roi, shares, voxels in zip(plan.extract_job.rois, counts[:, 0].T, counts[:, 1].T, strict=True):
        low = int(find_uncovered(shares, least).sum())
        where = f"{plan.config.rois_path}: ROI {roi.name!r}"
        if low or not voxels.any():
            found = f"at most {shares.max():.0%}" if voxels.any() else "none"
            if low < n_runs:
                found = f"as little as {shares.min():.0%}"
            line = (
                f"{where}: {found} of it {brain} in {max(low, 1)} of {n_runs} runs looked at, {least:.0%} "
                "needed (quality.min_coverage)"
            )
            obstacle = (low == n_runs or not voxels.any()) and roi.variant_of is None
            (problems if obstacle else warnings).append(line)
        elif np.median(voxels) < _FEW_VOXELS:
            warnings.append(f"{where}: {np.median(voxels):g} voxels {brain}; a mean of so few is noisy")
    return RegionCheck(tuple(problems), tuple(warnings))


@dataclass(frozen=True)
class ExpectedCohort:
    """What the tables and the predicted runs amount to.

    Attributes
    ----------
    groups : dict of str to str
        Group to how many are in the tables, have images, keep a usable run and a usable edge.
    untestable : dict of str to str
        Claim id to why it cannot be tested with these people.
    strangers : tuple of str
        A line for everyone who has a run and no row in the tables.
    oddities : tuple of str
        What is odd about people and no obstacle.
    missing : tuple of str
        What each side of the claims lacks of their covariates.
    problems : tuple of str
        Sides that default covariates would cost too many people.
    """

    groups: Mapping[str, str]
    untestable: Mapping[str, str]
    strangers: tuple[str, ...]
    oddities: tuple[str, ...]
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def expect_cohort(
    people: pd.DataFrame,
    scores: Scores,
    runs: Sequence[Run],
    foretold: Foretold,
    config: Config,
) -> ExpectedCohort:
    """Put together the cohort as the predicted runs would make it.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    scores : Scores
        Of the same people.
    runs : sequence of Run
        All runs; none in a study of scores only.
    foretold : Foretold
        What the rules make of them.
    config : Config
        Groups, edges and claims.

    Raises
    ------
    TableError, ProblemsError
        If a claim or covariate cannot use the tables.
    """
    quality = foretold.judged.quality
    cohort = build_cohort(
        people,
        scores,
        foretold.edges,
        quality,
        config,
        run_ledger=foretold.judged.ledger,
        with_runs={run.participant_id for run in runs},
    )
    strangers = cohort.ledger[cohort.ledger["rule"] == PersonRule.NOT_IN_TABLES]["reason"]
    columns, terms = sort_columns(cohort.table), read_terms(config)
    missing = list_missing(config.claims, columns, terms)
    return ExpectedCohort(
        groups=_count_groups(cohort.flow, config),
        untestable=_find_untestable(columns, terms, config),
        strangers=tuple(strangers),
        oddities=tuple(compare_mean_fd(people, average_motion(quality, list_keys(people)))),
        missing=tuple(loss.describe() for loss in missing),
        problems=tuple(list_losses(missing, limit=config.censoring.max_share_lost)),
    )


def _count_groups(flow: pd.DataFrame, config: Config) -> dict[str, str]:
    """Return group to how many are left after each stage, in words."""
    stages = FLOW_STAGES if config.edges else FLOW_STAGES[:3]
    known = flow[flow["stage"].isin(stages if config.input.has_runs else stages[:1])]
    counts = known.drop_duplicates(["group", "stage"]).groupby("group", sort=True)
    return {
        str(group): ", ".join(f"{n} {stage}" for stage, n in zip(rows["stage"], rows["n"], strict=True))
        for group, rows in counts
    }


def _find_untestable(columns: Columns, terms: Terms, config: Config) -> dict[str, str]:
    tests = [
        run_claim_test(claim, build_model(claim, columns, terms), config.inference) for claim in config.claims
    ]
    return {test.claim.id: test.reason for test in tests if test.finding is None}


def list_copies(predictions: Sequence[Prediction]) -> tuple[list[str], list[str]]:
    """Return a problem for each image or series of two people, and a warning for each of two sessions of one.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of all runs.
    """
    first: dict[Hashable, Run] = {}
    problems, warnings = [], []
    for prediction in predictions:
        run = prediction.run
        other = first.setdefault(prediction.fingerprint, run) if prediction.fingerprint else run
        line = f"{other.name} and {run.name} hold the same data"
        if other.participant_id != run.participant_id:
            problems.append(f"{line}: one person under two ids, or a run copied; take one of the two out")
        elif other is not run:
            warnings.append(f"{line}: one of them is a copy; take it out of the dataset, or exclude it")
    return problems, warnings


@dataclass(frozen=True)
class ShareLost:
    """How many people of a group keep nothing.

    Attributes
    ----------
    group : str
        A level, or ``everybody``.
    n : int
        People with images.
    losses : tuple of Loss
        Of those who keep nothing.
    """

    group: str
    n: int
    losses: tuple[Loss, ...]

    def exceeds(self, limit: float) -> bool:
        """Say whether more people are lost than ``censoring.max_share_lost``."""
        return len(self.losses) > limit * self.n

    def describe(self) -> str:
        """Return the counts in words."""
        n = len(self.losses)
        return f"{self.group}: {n} of {self.n} people with images would keep no usable run or edge"


def find_shares_lost(lost: Mapping[str, Loss | None], people: pd.DataFrame) -> list[ShareLost]:
    """Count those who keep nothing, of everybody and of each group.

    Parameters
    ----------
    lost : mapping of str to Loss or None
        Everyone with images, and why they keep nothing.
    people : DataFrame
        ``participant_id`` and ``group``.
    """
    group_of = dict(zip(people["participant_id"], people["group"], strict=True))
    groups: dict[str, list[Loss | None]] = {"everybody": list(lost.values())}
    for person, loss in lost.items():
        if isinstance(group_of.get(person), str):
            groups.setdefault(group_of[person], []).append(loss)
    return [
        ShareLost(group, len(losses), tuple(loss for loss in losses if loss is not None))
        for group, losses in groups.items()
    ]


def check_share_lost(shares: Sequence[ShareLost], limit: float) -> list[str]:
    """Return a problem for each group, and for everybody, that loses more people than allowed.

    Parameters
    ----------
    shares : sequence of ShareLost
        From `find_shares_lost`.
    limit : float
        ``censoring.max_share_lost``.
    """
    return [
        f"{share.describe()} ({len(share.losses) / share.n:.0%}; censoring.max_share_lost allows {limit:.0%}); "
        f"remedies, for everyone alike: {list_remedies(share.losses)}"
        for share in shares
        if share.exceeds(limit)
    ]


# What a run misses -> what helps against it.
_REMEDIES = {
    Threshold.DOF.value: "denoising.low_pass_hz: null, or a leaner denoising.strategy",
    Threshold.MINUTES.value: (
        "a larger censoring.fd_threshold_mm, or censoring.fd_threshold_mm: null with mean_fd as a covariate"
    ),
    PersonRule.LITTLE_COVERAGE.value: "regions that the masks cover, or a smaller quality.min_coverage",
    Threshold.MEAN_FD.value: "a larger quality.max_mean_fd_mm with mean_fd as a covariate",
}


def list_remedies(losses: Sequence[Loss]) -> str:
    """Return what helps against these losses, each with how many it is for."""
    counts = {text: sum(rule in loss.rules for loss in losses) for rule, text in _REMEDIES.items()}
    short = sum(loss.runs_short for loss in losses)
    if short:  # no censoring threshold helps them
        counts[_REMEDIES[Threshold.MINUTES.value]] -= short
        counts[f"a smaller {Threshold.MINUTES.value}, the runs are short"] = short
    counts["mend the files as their lines above say"] = sum(
        loss.rules.isdisjoint(_REMEDIES) for loss in losses
    )
    return "; ".join(f"{text} (for {n})" for text, n in counts.items() if n)
