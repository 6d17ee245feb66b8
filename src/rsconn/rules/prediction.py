"""What will become of each run and person, told by the run's own rules without reading an image.

Headers, masks, confounds and given series are read as the run will read them. An image is read through only where its
file does not end as its header announces.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.analysis.run_chain import (
    check_dof,
    check_lengths,
    choose_volumes,
    make_run_model,
    predict_quality,
)
from rsconn.analysis.usability import RunQuality, find_uncovered
from rsconn.errors import RunError, UserError, refuse_unreadable
from rsconn.files.bids import Run
from rsconn.files.images import (
    ImageHeader,
    ends_as_announced,
    identify_grid,
    read_fingerprint,
    read_run_header,
    read_run_mask,
    stream_run,
)
from rsconn.files.run_records import RunRecord, fail_record
from rsconn.rules.denoise import (
    find_whole,
    list_incomplete,
    measure_denoised,
    read_given_series,
    read_run_confounds,
    settle_parcellated_t_r,
)
from rsconn.rules.extract import build_rows, count_run_nonsteady, open_header
from rsconn.rules.jobs import make_denoise_job, make_extract_job
from rsconn.settings.config import Config
from rsconn.signal.extraction import compute_coverage, count_voxels
from rsconn.signal.regressors import Confounds
from rsconn.signal.weights import RoiWeights
from rsconn.study.people.losses import Loss, explain_losses
from rsconn.study.people.run_edges import EDGE_COLUMNS, JudgedRuns, judge_records

# Images whose end says nothing are read through, a few of them: it takes as long as the run's own reading.
_READ_THROUGH = 20
_WORTH_A_POOL = 100


@dataclass(frozen=True, eq=False)
class Prediction:
    """What will become of a run.

    Attributes
    ----------
    run : Run
        The run.
    record : RunRecord
        As the stages up to denoising will leave it.
    has_series : ndarray of shape (n_rois,), bool
        ROIs that will have a series with enough coverage, as far as the mask says.
    inside : ndarray of shape (2, n_rows), or None
        Share of each region's weight and number of its voxels inside the mask, variants last; None if unknown.
    ends_well : bool
        Whether the image's file ends as its header announces.
    fingerprint : hashable
        Equal for copies of one image or series; None if unknown.
    """

    run: Run
    record: RunRecord
    has_series: NDArray[np.bool_]
    inside: NDArray[np.float64] | None = None
    ends_well: bool = True
    fingerprint: Hashable = None

    @property
    def quality(self) -> RunQuality:
        """Volumes, minutes, motion and degrees of freedom that the run will have; None where unknown."""
        known = {
            name: value for name, value in self.record.facts.get("quality", {}).items() if name in _QUALITY
        }
        return RunQuality(**known)


_QUALITY = frozenset(RunQuality.__dataclass_fields__)


def predict_runs(runs: Sequence[Run], config: Config, *, n_processes: int = 1) -> tuple[Prediction, ...]:
    """Predict every run, in the order given.

    Parameters
    ----------
    runs : sequence of Run
        The runs.
    config : Config
        All settings.
    n_processes : int
        How many share the work where there are many runs.
    """
    predict = partial(_predict_some, config=config)
    if n_processes > 1 and len(runs) >= _WORTH_A_POOL and _can_fork():
        parts = [runs[start :: n_processes * 4] for start in range(n_processes * 4)]
        with ProcessPoolExecutor(n_processes, multiprocessing.get_context("fork")) as pool:
            found = [prediction for part in pool.map(predict, parts) for prediction in part]
        by_name = {prediction.run.name: prediction for prediction in found}
        predictions = [by_name[run.name] for run in runs]
    else:
        predictions = predict(runs)
    return tuple(_read_through(predictions))


def count_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _can_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() == 1


def _predict_some(runs: Iterable[Run], config: Config) -> list[Prediction]:
    forecaster = _Forecaster(config)
    return [forecaster.predict(run) for run in runs]


def _read_through(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Read the images through whose end says nothing, up to a number of them."""
    found, left = [], _READ_THROUGH
    for prediction in predictions:
        known = prediction
        if not prediction.ends_well and prediction.record.failed_stage is None and left:
            left -= 1
            known = _read_image(prediction)
        found.append(known)
    return found


def _read_image(prediction: Prediction) -> Prediction:
    run = prediction.run
    assert run.bold is not None  # noqa: S101 - its header was read
    try:
        with refuse_unreadable(run.name):
            for _ in stream_run(read_run_header(run.bold)):
                pass
    except UserError as error:
        # extraction comes first: nothing else will be known of the run
        return replace(prediction, record=fail_record(RunRecord(run), run, "extract", error))
    return replace(prediction, ends_well=True)


class _Forecaster:
    """Predicts run after run; the regions are built once for each grid.

    Parameters
    ----------
    config : Config
        All settings.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._extract = make_extract_job(config)
        self._columns = make_denoise_job(config).columns
        self._names = list(config.rois.names)
        self._grids: dict[bytes, RoiWeights | None] = {}

    def predict(self, run: Run) -> Prediction:
        record, given = RunRecord(run), bool(self._config.input.parcellated)
        try:
            with refuse_unreadable(run.name):
                return self._predict_given(run, record) if given else self._predict_image(run, record)
        except UserError as error:
            stage = "denoise" if given else "extract"
            return Prediction(
                run, fail_record(record, run, stage, error), np.zeros(len(self._names), dtype=bool)
            )

    def _predict_image(self, run: Run, record: RunRecord) -> Prediction:
        """Read all that extraction reads but the volumes."""
        header, t_r, warning = open_header(run, self._extract)
        confounds = read_run_confounds(run)
        count_run_nonsteady(run, confounds, header.n_volumes)
        rows = self._build_rows(header)
        mask = read_run_mask(run.mask, header)
        ends_well = ends_as_announced(header)
        record = replace(record, facts={"t_r": t_r, "warnings": [warning] if warning else []})
        covered, inside = np.ones(len(self._names), dtype=bool), None
        if rows is not None:
            inside = np.stack([compute_coverage(rows, mask), count_voxels(rows, mask)])
            coverage = inside[0, : len(self._names)]
            covered = ~find_uncovered(coverage, self._config.quality.min_coverage) & (
                inside[1, : len(self._names)] > 0
            )
            listed = [
                {"roi": name, "coverage": share} for name, share in zip(self._names, coverage, strict=True)
            ]
            record.facts["coverage"] = listed
        return Prediction(
            run,
            self._denoise(run, record, confounds, t_r, header.n_volumes),
            covered,
            inside,
            ends_well,
            read_fingerprint(header),
        )

    def _build_rows(self, header: ImageHeader) -> RoiWeights | None:
        """Return the regions on a grid; None if they cannot be built, which is told of the regions."""
        grid = identify_grid(header)
        if grid not in self._grids:
            try:
                self._grids[grid] = build_rows(self._extract.rois, header)
            except RunError:
                raise
            except UserError:
                self._grids[grid] = None
        return self._grids[grid]

    def _predict_given(self, run: Run, record: RunRecord) -> Prediction:
        series = read_given_series(run, self._columns)
        record = replace(record, facts={"gaps": list_incomplete(run, series, self._names)})
        if self._config.input.denoised:
            quality = measure_denoised(run, len(series), self._config.input.t_r)
            return Prediction(run, _note(record, quality), find_whole(series), fingerprint=_digest(series))
        t_r = settle_parcellated_t_r(run, self._config.input.t_r)
        confounds = read_run_confounds(run)
        record = self._denoise(run, record, confounds, t_r, len(series))
        return Prediction(run, record, find_whole(series), fingerprint=_digest(series))

    def _denoise(
        self, run: Run, record: RunRecord, confounds: Confounds, t_r: float, n_rows: int
    ) -> RunRecord:
        """Add the quality that the run will have, or why it cannot be denoised."""
        chosen = self._config.specification
        try:
            quality = choose_volumes(confounds, t_r, chosen.censoring).quality
            record = _note(record, quality)
            model = make_run_model(confounds, t_r, chosen.cleaning, chosen.censoring)
            check_lengths(len(confounds.values), n_rows)
            quality = predict_quality(model)
            record = _note(record, quality)
            check_dof(quality.dof or 0, model.n_retained)
        except UserError as error:
            return fail_record(record, run, "denoise", error)
        return record


def _digest(series: NDArray[np.float64]) -> bytes:
    return blake2b(series.tobytes(), digest_size=16).digest()


def _note(record: RunRecord, quality: RunQuality) -> RunRecord:
    return replace(record, facts={**record.facts, "quality": dict(vars(quality))})


def imagine_edges(predictions: Sequence[Prediction], usable: Sequence[bool], config: Config) -> pd.DataFrame:
    """Return a row for each edge that somebody will have; the numbers are drawn, only their presence counts.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of all runs.
    usable : sequence of bool
        Whether the thresholds keep each run.
    config : Config
        Edges, and what becomes of sessions.
    """
    separate = config.sessions == "separate"
    places = {name: place for place, name in enumerate(config.rois.names)}
    pairs = np.array(
        [(places[edge.first], places[edge.second]) for edge in config.edges], dtype=np.intp
    ).reshape(-1, 2)
    has_edge: dict[tuple[str, str | None], NDArray[np.bool_]] = {}
    for prediction, kept in zip(predictions, usable, strict=True):
        if kept:
            key = (prediction.run.participant_id, prediction.run.session if separate else None)
            found = prediction.has_series[pairs].all(axis=1)
            has_edge[key] = np.asarray(has_edge.get(key, False) | found)
    return _tabulate_imagined(has_edge, [edge.name for edge in config.edges])


def _tabulate_imagined(
    has_edge: Mapping[tuple[str, str | None], NDArray[np.bool_]], names: Sequence[str]
) -> pd.DataFrame:
    keys, rng = sorted(has_edge, key=str), np.random.default_rng(0)
    z = [np.where(has_edge[key], rng.standard_normal(len(names)), np.nan) for key in keys]
    table = {
        "participant_id": np.repeat(np.array([person for person, _ in keys], dtype=object), len(names)),
        "session": np.repeat(np.array([session for _, session in keys], dtype=object), len(names)),
        "edge": list(names) * len(keys),
        "z": np.concatenate(z) if z else np.empty(0),
    }
    return pd.DataFrame(table).reindex(columns=list(EDGE_COLUMNS))


@dataclass(frozen=True, eq=False)
class Foretold:
    """What the rules make of the predicted runs.

    Attributes
    ----------
    judged : JudgedRuns
        Which runs are usable, their quality, and every rule applied.
    edges : DataFrame
        Who will have which edge (`imagine_edges`).
    lost : dict of str to Loss or None
        Everyone with runs, and why they keep nothing; None for those who keep an edge (a run where no edge is asked
        for).
    """

    judged: JudgedRuns
    edges: pd.DataFrame
    lost: Mapping[str, Loss | None]


def foretell(predictions: Sequence[Prediction], config: Config) -> Foretold:
    """Apply the run's own rules to the predicted runs.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of all runs.
    config : Config
        Thresholds and edges.
    """
    judged = judge_records([prediction.record for prediction in predictions], config)
    edges = imagine_edges(predictions, judged.usable, config)
    usable = {
        entry.run.participant_id for entry, kept in zip(predictions, judged.usable, strict=True) if kept
    }
    people = dict.fromkeys(prediction.run.participant_id for prediction in predictions)
    quality = judged.quality
    whole = quality.loc[quality["n_retained"] == quality["n_volumes"], "run"].tolist()
    lost = explain_losses(
        people, judged.ledger, edges, None if config.edges else usable, whole_runs=set(whole)
    )
    return Foretold(judged, edges, lost)
