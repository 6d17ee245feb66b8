"""Denoising, censoring and regions that these runs allow, from what `rsconn check` predicts of them."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.analysis.run_chain import make_run_model, predict_quality
from rsconn.arrays import FloatArray
from rsconn.commands.expectation import check_regions, find_shares_lost
from rsconn.commands.found_images import Guess
from rsconn.errors import UserError, refuse_unreadable
from rsconn.files.bids import Run
from rsconn.files.images import read_run_header, read_run_mask
from rsconn.files.sidecars import settle_t_r
from rsconn.rules.denoise import read_run_confounds, settle_parcellated_t_r
from rsconn.rules.plan import WorkflowPlan
from rsconn.rules.prediction import Prediction, foretell, predict_runs
from rsconn.settings.config import Config
from rsconn.settings.fields import find_house
from rsconn.settings.rois import Roi, Sphere
from rsconn.settings.strategies import Strategy, find_strategies, read_strategy_file
from rsconn.signal.regressors import Confounds

_LOOKED_AT = 8
# In the order of preference; the others are told and not chosen.
_CHOSEN = ("acompcor", "simple6", "motion6")
_LOW_PASS_HZ = 0.08
_SPARE = 1.2
_MOST_SHARE_LOST = 0.9
_STEP = 0.05
_LEAST_VOXELS = 8
_SHORTEST_SHARE = 0.8
_ROI = re.compile(r"ROI '([^']+)': (.*)")


@dataclass(frozen=True)
class FirstRules:
    """What was fitted to the runs.

    Attributes
    ----------
    denoising, censoring : dict of str to Guess
        Keys of the two sections.
    dropped : dict of str to str
        Region to why it cannot be used in these images.
    placed : tuple of Roi
        Regions inside the images, where hardly one of the published ones is.
    lines : tuple of str
        Comments on degrees of freedom.
    usable : tuple of str
        Strategies that leave most runs enough degrees of freedom in the band chosen.
    """

    denoising: dict[str, Guess] = field(default_factory=dict)
    censoring: dict[str, Guess] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    placed: tuple[Roi, ...] = ()
    lines: tuple[str, ...] = ()
    usable: tuple[str, ...] = ()


def fit_rules(config: Config, runs: Sequence[Run], people: pd.DataFrame) -> FirstRules:
    """Choose a strategy that leaves enough degrees of freedom, and limits that do not stop the study.

    Parameters
    ----------
    config : Config
        The first draft.
    runs : sequence of Run
        What it selects.
    people : DataFrame
        ``participant_id`` and ``group``.
    """
    rules = FirstRules()
    if not config.input.denoised:
        rules = _choose_strategy(config, runs)
        config = _apply(config, rules)
    predictions = predict_runs(runs, config)
    if short := _find_short(predictions, config):
        rules.censoring["min_retained_minutes"] = short
        config = _apply(config, rules)
        predictions = predict_runs(runs, config)
    if limit := _find_limit(config, predictions, people):
        rules.censoring["max_share_lost"] = limit
    return rules


def _apply(config: Config, rules: FirstRules) -> Config:
    censoring = {key: guess.value for key, guess in rules.censoring.items()}
    changed = config.model_copy(update={"censoring": config.censoring.model_copy(update=censoring)})
    if "strategy" not in rules.denoising:
        return changed
    return _try_strategy(changed, rules.denoising["strategy"].value, rules.denoising["low_pass_hz"].value)


@cache
def _read_strategies() -> dict[str, Strategy]:
    files = find_strategies([find_house() / "config" / "strategies"])
    return {name: read_strategy_file(path) for name, path in files.items()}


def _try_strategy(config: Config, name: str, low_pass_hz: float | None) -> Config:
    update = {"strategy": _read_strategies()[name], "low_pass_hz": low_pass_hz}
    return config.model_copy(update={"denoising": config.denoising.model_copy(update=update)})


def _choose_strategy(config: Config, runs: Sequence[Run]) -> FirstRules:
    dof = _tabulate_dof(config, runs[:: max(1, math.ceil(len(runs) / _LOOKED_AT))])
    lines = tuple(_describe_dof(counts, low_pass_hz) for low_pass_hz, counts in dof.items())
    least = config.censoring.min_degrees_of_freedom
    for low_pass_hz in (_LOW_PASS_HZ, None):
        usable = tuple(
            name for name, counts in dof[low_pass_hz].items() if np.median(counts) >= _SPARE * least
        )
        for name in _CHOSEN:
            if name in usable:
                return FirstRules(_make_denoising(name, low_pass_hz, dof), lines=lines, usable=usable)
    name = max(_CHOSEN, key=lambda one: float(np.median(dof[None][one])))
    enough = max(3, int(np.median(dof[None][name]) / 2))
    few = Guess(enough, f"runs as short as these leave few; {least} is the usual least", sure=False)
    return FirstRules(_make_denoising(name, None, dof), {"min_degrees_of_freedom": few}, lines=lines)


def _tabulate_dof(config: Config, runs: Sequence[Run]) -> dict[float | None, dict[str, list[int]]]:
    """Return upper end of the band to strategy to the degrees of freedom of each run that can be read."""
    read: list[tuple[Confounds, float]] = []
    for run in runs:
        with contextlib.suppress(UserError), refuse_unreadable(run.name):
            read.append((read_run_confounds(run), _settle_t_r(run, config)))
    return {
        low_pass_hz: {
            name: [_count_dof(*one, _try_strategy(config, name, low_pass_hz)) for one in read] or [0]
            for name in _read_strategies()
        }
        for low_pass_hz in (_LOW_PASS_HZ, None)
    }


def _settle_t_r(run: Run, config: Config) -> float:
    if run.bold is None:
        return settle_parcellated_t_r(run, config.input.t_r)
    header_t_r = read_run_header(run.bold).t_r
    return settle_t_r(run.name, sidecar_t_r=run.t_r, header_t_r=header_t_r, configured_t_r=config.input.t_r)[
        0
    ]


def _count_dof(confounds: Confounds, t_r: float, config: Config) -> int:
    """Return the degrees of freedom of a run; 0 where the strategy cannot be used."""
    chosen = config.specification
    try:
        model = make_run_model(confounds, t_r, chosen.cleaning, chosen.censoring)
    except UserError:
        return 0
    return max(predict_quality(model).dof or 0, 0)


def _describe_dof(counts: dict[str, list[int]], low_pass_hz: float | None) -> str:
    band = f"0.01-{low_pass_hz:g} Hz" if low_pass_hz else "0.01 Hz and above (low_pass_hz: null)"
    found = ", ".join(f"{name} {np.median(dof):.0f}" for name, dof in counts.items())
    n = max(map(len, counts.values()))
    return f"{band}: {found} (median of {n} runs; 0: none, or no such confounds)"


def _make_denoising(
    name: str, low_pass_hz: float | None, dof: dict[float | None, dict[str, list[int]]]
) -> dict[str, Guess]:
    found = float(np.median(dof[low_pass_hz][name]))
    skipped = _CHOSEN[: _CHOSEN.index(name)]
    why = f"{found:.0f} degrees of freedom per run" + (
        f"; {', '.join(skipped)} would leave too few" if skipped else ""
    )
    band = "" if low_pass_hz else "with a low-pass of 0.08 Hz too few degrees of freedom are left"
    return {
        "strategy": Guess(name, why, sure=not skipped),
        "low_pass_hz": Guess(low_pass_hz, band, sure=bool(low_pass_hz)),
    }


def _find_short(predictions: Sequence[Prediction], config: Config) -> Guess | None:
    """Return a limit for runs that are short as such, whoever moved; None if most are long enough."""
    minutes = [
        one.minutes_retained / one.n_retained * one.n_volumes
        for one in (prediction.quality for prediction in predictions)
        if one.minutes_retained and one.n_retained and one.n_volumes
    ]
    if not minutes or _SHORTEST_SHARE * np.median(minutes) >= config.censoring.min_retained_minutes:
        return None
    typical = float(np.median(minutes))
    return Guess(
        round(typical / 2, 1),
        f"runs last {typical:.1f} min, so that 4 would lose nearly everyone",
        sure=False,
    )


def _find_limit(config: Config, predictions: Sequence[Prediction], people: pd.DataFrame) -> Guess | None:
    """Return a larger share of people that may be lost, where the default would stop the study, or None."""
    usual, shares = (
        config.censoring.max_share_lost,
        find_shares_lost(foretell(predictions, config).lost, people),
    )
    shares = [share for share in shares if share.exceeds(usual)]
    if not shares:
        return None
    for limit in np.arange(_STEP, _MOST_SHARE_LOST + _STEP, _STEP).round(2).tolist():
        if limit > usual and not any(share.exceeds(limit) for share in shares):
            return Guess(limit, f"else it stops: {shares[0].describe()}; acceptable?", sure=False)
    return None


def fit_regions(config: Config, runs: Sequence[Run]) -> FirstRules:
    """Leave out regions that these images do not cover; where hardly one is left, place two inside the images.

    Parameters
    ----------
    config : Config
        The first draft, with the published regions.
    runs : sequence of Run
        What it selects.
    """
    if config.input.parcellated:
        return FirstRules()
    seen = tuple(runs[:: max(1, math.ceil(len(runs) / _LOOKED_AT))])
    problems = check_regions(WorkflowPlan(config, seen), predict_runs(seen, config)).problems
    dropped = {match[1]: match[2] for line in problems if (match := _ROI.search(line))}
    if len(dropped) <= len(config.rois.rois) - 2:
        return FirstRules(dropped=dropped)
    return FirstRules(placed=tuple(_place_regions(seen)))


def _place_regions(runs: Sequence[Run]) -> Iterator[Roi]:
    """Yield two spheres inside the first brain mask that can be read."""
    for run in runs:
        try:
            header = read_run_header(run.bold or Path())
            inside = read_run_mask(run.mask, header)
        except UserError:
            continue
        indices = np.array(np.unravel_index(np.flatnonzero(inside), header.shape, order="F"))
        centers = indices.T @ header.affine[:3, :3].T + header.affine[:3, 3]
        yield from _place_two(centers, float(np.linalg.norm(header.affine[:3, :3], axis=0).max()))
        return


def _place_two(centers: FloatArray, voxel_mm: float) -> Iterator[Roi]:
    """Yield spheres a quarter and three quarters of the way along the longest side of the voxels (n, 3)."""
    if len(centers) < _LEAST_VOXELS:
        return
    axis = int(np.argmax(np.ptp(centers, axis=0)))
    for name, share in (("A", 0.25), ("B", 0.75)):
        aim = np.median(centers, axis=0)
        aim[axis] = np.quantile(centers[:, axis], share)
        x, y, z = centers[np.argmin(((centers - aim) ** 2).sum(axis=1))].round(2).tolist()
        sphere = Sphere(center_mm=(x, y, z), radius_mm=max(6.0, round(1.2 * voxel_mm, 1)))
        yield Roi(name=name, source="placed inside the brain mask by rsconn init", sphere=sphere)
