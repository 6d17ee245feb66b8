"""What will become of each run, told from headers and confounds without reading an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.analysis.run_chain import make_run_model, predict_quality
from rsconn.analysis.usability import RunQuality, find_uncovered
from rsconn.errors import RunError, UserError, refuse_unreadable
from rsconn.files.bids import Run
from rsconn.files.cifti_regions import build_run_weights
from rsconn.files.confounds import find_column
from rsconn.files.images import (
    check_run_mask,
    identify_grid,
    is_dense_series,
    read_run_header,
    read_run_mask,
)
from rsconn.files.sidecars import settle_t_r
from rsconn.rules.denoise import (
    measure_given_motion,
    read_run_confounds,
    settle_parcellated_t_r,
)
from rsconn.rules.extract import check_files, check_space, count_run_nonsteady
from rsconn.rules.plan import WorkflowPlan
from rsconn.settings.config import Config
from rsconn.signal.weights import RoiWeights
from rsconn.study.claims.designs import Terms, build_model, read_terms
from rsconn.study.claims.evaluation import sort_columns
from rsconn.study.claims.missing_covariates import list_losses, list_missing
from rsconn.study.claims.verdicts import run_claim_test
from rsconn.study.people.cohort_table import average_motion, build_cohort, list_keys
from rsconn.study.people.ledger import FLOW_STAGES, LedgerRow, judge_run
from rsconn.study.people.own_names import compare_mean_fd
from rsconn.study.people.run_edges import EDGE_COLUMNS, QUALITY_COLUMNS
from rsconn.study.people.scores import Scores
from rsconn.study.people.used_columns import Columns

# Masks that are compared with the ROIs: enough to see drop-out and cut fields of view, few enough for seconds.
_LOOKED_AT = 20
_FEW_VOXELS = 5


@dataclass(frozen=True)
class Prediction:
    """What will become of a run.

    Attributes
    ----------
    reason : str or None
        Why it will be left out; None if it will be used, as far as can be told without its image.
    dof : int or None
        Degrees of freedom after denoising; None if unknown.
    warnings : tuple of str
        What is odd and no obstacle.
    n_volumes, n_retained : int or None
        Volumes of the run, and those left after non-steady state and censoring; None if unknown.
    minutes_retained : float or None
        The latter in minutes.
    mean_fd : float
        Mean framewise displacement, mm; NaN if unknown.
    """

    reason: str | None = None
    dof: int | None = None
    warnings: tuple[str, ...] = ()
    n_volumes: int | None = None
    n_retained: int | None = None
    minutes_retained: float | None = None
    mean_fd: float = math.nan

    def describe(self) -> str:
        """Return volumes, minutes, degrees of freedom and motion in words."""
        fd = f", mean FD {self.mean_fd:.2f} mm" if math.isfinite(self.mean_fd) else ""
        minutes = f" ({self.minutes_retained:.1f} min)" if self.minutes_retained is not None else ""
        return f"{self.n_retained} of {self.n_volumes} volumes{minutes}, {self.dof} degrees of freedom{fd}"


@dataclass(frozen=True)
class RegionCheck:
    """What is wrong with the ROIs on the runs' grids: obstacles, and what is odd and no obstacle."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def predict_run(run: Run, config: Config) -> Prediction:
    """Predict a run's degrees of freedom and whether the rules keep it.

    Parameters
    ----------
    run : Run
        The run.
    config : Config
        Denoising, censoring and quality settings.
    """
    try:
        with refuse_unreadable(run.name):
            return _predict_denoised(run, config) if config.input.denoised else _predict(run, config)
    except UserError as error:
        return Prediction(reason=str(error))


def check_regions(plan: WorkflowPlan) -> RegionCheck:
    """Compare every ROI with the brain masks of the runs, up to twenty of them spread over the dataset.

    A ROI that is outside the mask, or covered too little, in all of these runs is a problem; in some of them,
    or if it is a variant or has few voxels, a warning.

    Parameters
    ----------
    plan : WorkflowPlan
        Config and runs.
    """
    runs = [run for run in plan.runs if run.bold and (run.mask or is_dense_series(run.bold))]
    grids: dict[bytes, RoiWeights] = {}
    counts: list[NDArray[np.float64]] = []
    for run in runs[:: max(1, math.ceil(len(runs) / _LOOKED_AT))]:
        try:
            counts.append(_count_inside(run, plan, grids))
        except RunError:
            continue  # told as a run that will be left out
        except UserError:
            return RegionCheck(problems=tuple(_list_unusable_rois(run, plan)))
    return _judge_regions(np.array(counts), plan) if counts else RegionCheck()


def _count_inside(run: Run, plan: WorkflowPlan, grids: dict[bytes, RoiWeights]) -> NDArray[np.float64]:
    """Return each row's share of weight, and number of voxels, inside the run's mask: (2, n_rows)."""
    assert run.bold is not None  # noqa: S101 - check_regions saw to it
    header = read_run_header(run.bold)
    mask = read_run_mask(run.mask, header)
    grid = identify_grid(header)
    if grid not in grids:
        grids[grid] = build_run_weights(plan.extract_settings["rois"], header, 0.0)
    weights = grids[grid]
    inside = mask[weights.voxels]
    row, n_rois = weights.row_of_entry, weights.n_rois
    share = np.bincount(row, weights.values * inside, n_rois) / np.maximum(weights.totals, 1e-300)  # noqa: PD011
    return np.stack([share, np.bincount(row, inside, n_rois)])


def _list_unusable_rois(run: Run, plan: WorkflowPlan) -> Iterator[str]:
    """Yield the fault of every region that cannot be built, not of the first alone."""
    assert run.bold is not None  # noqa: S101 - check_regions saw to it
    header = read_run_header(run.bold)
    for roi in plan.extract_settings["rois"]:
        try:
            build_run_weights([roi], header, 0.0)
        except UserError as error:
            if roi["variant_of"] is None:
                yield f"{plan.config.rois_path}: {error}"


def _judge_regions(counts: NDArray[np.float64], plan: WorkflowPlan) -> RegionCheck:
    """Judge shares and voxels of (n_runs, 2, n_rows)."""
    least, n_runs = plan.config.quality.min_coverage, len(counts)
    brain = "among the grayordinates" if plan.dense else "in the brain mask"
    problems: list[str] = []
    warnings: list[str] = []
    for roi, shares, voxels in zip(
        plan.extract_settings["rois"], counts[:, 0].T, counts[:, 1].T, strict=True
    ):
        low = int(find_uncovered(shares, least).sum())
        where = f"{plan.config.rois_path}: ROI {roi['name']!r}"
        if low or not voxels.any():
            found = f"at most {shares.max():.0%}" if voxels.any() else "none"
            if low < n_runs:
                found = f"as little as {shares.min():.0%}"
            line = (
                f"{where}: {found} of it {brain} in {max(low, 1)} of {n_runs} runs looked at, {least:.0%} "
                "needed (quality.min_coverage)"
            )
            obstacle = (low == n_runs or not voxels.any()) and roi["variant_of"] is None
            (problems if obstacle else warnings).append(line)
        elif np.median(voxels) < _FEW_VOXELS:
            warnings.append(f"{where}: {np.median(voxels):g} voxels {brain}; a mean of so few is noisy")
    return RegionCheck(tuple(problems), tuple(warnings))


def _predict(run: Run, config: Config) -> Prediction:
    warnings: tuple[str, ...] = ()
    if config.input.parcellated:
        t_r = settle_parcellated_t_r(run, config.input.t_r)
        _check_columns(run, config)
    else:
        t_r, warning = _check_image(run, config)
        warnings = (warning,) if warning else ()
    confounds = read_run_confounds(run)
    _check_rows(run, len(confounds.values))
    chosen = config.specification
    quality = predict_quality(make_run_model(confounds, t_r, chosen.cleaning, chosen.censoring))
    return _predict_rules(run, quality, config, warnings)


def _predict_denoised(run: Run, config: Config) -> Prediction:
    _check_columns(run, config)
    mean_fd, _ = measure_given_motion(run)
    return _predict_rules(run, RunQuality(mean_fd=mean_fd), config)


def _predict_rules(
    run: Run, quality: RunQuality, config: Config, warnings: tuple[str, ...] = ()
) -> Prediction:
    """Apply the thresholds to what a run will have."""
    facts = {"participant_id": run.participant_id, "session": run.session, "run": run.name, **asdict(quality)}
    reasons = [row.reason for row in judge_run(facts, config.censoring, config.quality) if row.reason]
    return Prediction(
        "; ".join(reasons) or None,
        quality.dof,
        warnings,
        n_volumes=quality.n_volumes,
        n_retained=quality.n_retained,
        minutes_retained=quality.minutes_retained,
        mean_fd=math.nan if quality.mean_fd is None else quality.mean_fd,
    )


def _check_image(run: Run, config: Config) -> tuple[float, str | None]:
    check_files(run)
    check_space(run, config.rois.space, accept=config.input.accept_space_mismatch)
    assert run.bold is not None  # noqa: S101 - check_files saw to it
    header = read_run_header(run.bold)
    check_run_mask(run.mask, header)
    count_run_nonsteady(run, header.n_volumes)
    return settle_t_r(run.name, sidecar_t_r=run.t_r, header_t_r=header.t_r, configured_t_r=config.input.t_r)


def _check_columns(run: Run, config: Config) -> None:
    if run.timeseries is None:
        raise RunError(f"{run.name}: {'; '.join(run.problems) or 'no series'}")
    names = _read_names(run.timeseries)
    for roi in config.rois.rois:
        find_column(names, str(roi.column), str(run.timeseries))


def _check_rows(run: Run, n_confounds: int) -> None:
    """Raise a RunError if given series have another number of rows than their confounds."""
    if run.timeseries is None:
        return
    with run.timeseries.open(encoding="utf-8-sig") as stream:
        n_rows = sum(bool(line.strip()) for line in stream) - 1
    if n_rows != n_confounds:
        raise RunError(
            f"{run.name}: confounds have {n_confounds} rows, the series {n_rows}; they must be equal"
        )


@cache
def _read_names(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig") as stream:
        return tuple(stream.readline().rstrip("\r\n").split("\t"))


# What people with images are counted by; edges are not known before the images are read.
_STAGES = FLOW_STAGES[:3]


@dataclass(frozen=True)
class ExpectedCohort:
    """What the tables and the predicted runs amount to.

    Attributes
    ----------
    groups : dict of str to str
        Group to how many are in the tables, have images, keep a usable run.
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
    predictions: Mapping[str, Prediction],
    config: Config,
) -> ExpectedCohort:
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
    quality = _tabulate_quality(runs, predictions)
    lost = [_report_lost(run, reason) for run in runs if (reason := predictions[run.name].reason)]
    cohort = build_cohort(
        people,
        scores,
        _imagine_edges(runs, predictions, config),
        quality,
        config,
        run_ledger=lost,
        with_runs={run.participant_id for run in runs},
    )
    strangers = cohort.ledger[cohort.ledger["rule"] == "not in the tables"]["reason"]
    stages = _STAGES if config.input.has_runs else _STAGES[:1]
    flow = cohort.flow[cohort.flow["stage"].isin(stages)]
    counts = flow.drop_duplicates(["group", "stage"]).groupby("group", sort=True)
    columns, terms = sort_columns(cohort.table), read_terms(config)
    missing = list_missing(config.claims, columns, terms)
    return ExpectedCohort(
        groups={
            str(group): ", ".join(f"{n} {stage}" for stage, n in zip(rows["stage"], rows["n"], strict=True))
            for group, rows in counts
        },
        untestable=_find_untestable(columns, terms, config),
        strangers=tuple(strangers),
        oddities=tuple(compare_mean_fd(people, average_motion(quality, list_keys(people)))),
        missing=tuple(loss.describe() for loss in missing),
        problems=tuple(list_losses(missing, limit=config.censoring.max_share_lost)),
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


def _find_untestable(columns: Columns, terms: Terms, config: Config) -> dict[str, str]:
    tests = [
        run_claim_test(claim, build_model(claim, columns, terms), config.inference) for claim in config.claims
    ]
    return {test.claim.id: test.reason for test in tests if test.finding is None}
