"""Denoising, censoring and regions that these runs allow, from what `rsconn check` predicts of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pandas as pd

from rsconn.commands.expectation import check_regions, check_share_lost, foretell
from rsconn.commands.found_images import Guess
from rsconn.files.bids import Run
from rsconn.rules.plan import WorkflowPlan
from rsconn.rules.prediction import Prediction, predict_runs
from rsconn.settings.config import Config
from rsconn.settings.fields import find_house
from rsconn.settings.strategies import Strategy, find_strategies, read_strategy_file

_LOOKED_AT = 8
# In the order of preference; the others are told and not chosen.
_CHOSEN = ("acompcor", "simple6", "motion6")
_LOW_PASS_HZ = 0.08
_SPARE = 1.2
_MOST_SHARE_LOST = 0.5
_STEP = 0.05
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
    lines : tuple of str
        Comments on degrees of freedom.
    """

    denoising: dict[str, Guess] = field(default_factory=dict)
    censoring: dict[str, Guess] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


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
    return replace(rules, dropped=_drop_regions(config, runs, predictions))


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
    seen = runs[:: max(1, math.ceil(len(runs) / _LOOKED_AT))]
    dof: dict[float | None, dict[str, list[int]]] = {}
    for low_pass_hz in (_LOW_PASS_HZ, None):
        dof[low_pass_hz] = {
            name: [_predict_dof(run, _try_strategy(config, name, low_pass_hz)) for run in seen]
            for name in _read_strategies()
        }
    lines = tuple(_describe_dof(counts, low_pass_hz, len(seen)) for low_pass_hz, counts in dof.items())
    least = config.censoring.min_degrees_of_freedom
    for low_pass_hz in (_LOW_PASS_HZ, None):
        for name in _CHOSEN:
            if np.median(dof[low_pass_hz][name]) >= _SPARE * least:
                return FirstRules(_make_denoising(name, low_pass_hz, dof), lines=lines)
    name = max(_CHOSEN, key=lambda one: float(np.median(dof[None][one])))
    enough = max(3, int(np.median(dof[None][name]) / 2))
    few = Guess(enough, f"runs as short as these leave few; {least} is the usual least", sure=False)
    return FirstRules(_make_denoising(name, None, dof), {"min_degrees_of_freedom": few}, lines=lines)


def _predict_dof(run: Run, config: Config) -> int:
    """Return the degrees of freedom of a run; 0 where the strategy cannot be used."""
    return max(predict_runs([run], config)[0].quality.dof or 0, 0)


def _describe_dof(counts: dict[str, list[int]], low_pass_hz: float | None, n: int) -> str:
    band = f"0.01-{low_pass_hz:g} Hz" if low_pass_hz else "0.01 Hz and above (low_pass_hz: null)"
    found = ", ".join(f"{name} {np.median(dof):.0f}" for name, dof in counts.items())
    return f"{band}: {found} (median of {n} runs; 0: not enough, or no such confounds)"


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
    lost = foretell(predictions, config).lost
    problems = check_share_lost(lost, people, config)
    if not problems:
        return None
    for limit in np.arange(_STEP, _MOST_SHARE_LOST + _STEP, _STEP).round(2).tolist():
        wider = config.model_copy(
            update={"censoring": config.censoring.model_copy(update={"max_share_lost": limit})}
        )
        if limit > config.censoring.max_share_lost and not check_share_lost(lost, people, wider):
            found = problems[0].split("; remedies")[0].replace(" would keep no usable run or edge", "")
            return Guess(
                limit, f"else it stops: {found.split(' (')[0]} would keep no run; acceptable?", sure=False
            )
    return None


def _drop_regions(config: Config, runs: Sequence[Run], predictions: Sequence[Prediction]) -> dict[str, str]:
    if config.input.parcellated:
        return {}
    found = [
        match
        for line in check_regions(WorkflowPlan(config, tuple(runs)), predictions).problems
        if (match := _ROI.search(line))
    ]
    dropped = {match[1]: match[2] for match in found}
    return dropped if len(dropped) <= len(config.rois.rois) - 2 else {}
