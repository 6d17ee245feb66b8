"""What `rsconn check` says of the multiverse: how many ways there are, whom each loses, and how long they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from rsconn.analysis.specification_loop import RunInput, Wish, judge_wishes
from rsconn.analysis.usability import RunQuality
from rsconn.errors import UserError
from rsconn.files.bids import Run
from rsconn.rules.denoise import read_run_confounds
from rsconn.settings.config import Config
from rsconn.settings.ways import Axis, Way, list_axes, list_further_rows, list_ways

# Measured on the demo, on one core: a claim under one way, and a run under one denoising.
_CLAIM_SECONDS, _RUN_SECONDS = 0.003, 0.005
_SHOWN = 6

Counts = tuple[tuple[str, int], ...]


def describe_multiverse(config: Config, runs: Sequence[Run], people: pd.DataFrame | None) -> list[str]:
    """Return the lines; none without a multiverse.

    Parameters
    ----------
    config : Config
        Axes, and the thresholds that runs must meet.
    runs : sequence of Run
        All runs.
    people : DataFrame or None
        ``participant_id`` and ``group``.
    """
    ways, axes = list_ways(config), list_axes(config)
    if not ways:
        return []
    sizes = " x ".join(f"{len(axis.values)} {axis.name}" for axis in axes) or "no axis has a second value"
    n_denoisings = len({(way.specification.cleaning, way.specification.censoring) for way in ways})
    edges = {edge.name for edge in config.edges}
    n_claims = sum(claim.outcome in edges or claim.predictor in edges for claim in config.claims)
    seconds = _CLAIM_SECONDS * len(ways) * n_claims + _RUN_SECONDS * n_denoisings * len(runs)
    lines = [f"multiverse: {len(ways)} ways to analyse ({sizes}), about {seconds:.0f} s more"]
    lines += _describe_regions(config, axes)
    if not runs or config.input.denoised:
        return lines
    group_of = {}
    if people is not None:
        group_of = dict(zip(people["participant_id"], people["group"], strict=True))
    lost = count_lost(config, runs, ways, group_of)
    return lines + _describe_lost(lost, ways, axes)


def _describe_regions(config: Config, axes: Sequence[Axis]) -> list[str]:
    """Say which regions have no radius, and how many series are extracted besides."""
    others = [roi.name for roi in config.rois.rois if not roi.sphere]
    lines = []
    if others and any(axis.name == "radius_mm" for axis in axes):
        lines.append(f"  radius_mm: of the spheres only; {', '.join(others)} stay as they are")
    n_further = len(list_further_rows(config))
    return [*lines, f"  {n_further} further series from the same pass"] if n_further else lines


def count_lost(
    config: Config, runs: Sequence[Run], ways: Sequence[Way], group_of: Mapping[str, object]
) -> list[Counts]:
    """Return for each way how many people of each group keep no usable run, by its motion and degrees of freedom.

    Parameters
    ----------
    config : Config
        Repetition time.
    runs : sequence of Run
        All runs; one whose confounds cannot be read is lost to every way and told elsewhere.
    ways : sequence of Way
        The ways.
    group_of : mapping
        participant_id to group; who is in none counts as everybody.
    """
    wishes = [Wish(way.specification, ()) for way in ways]
    unique = list(dict.fromkeys(wishes))
    kept: dict[str, np.ndarray] = {}
    for run in runs:
        usable = _judge_run(run, config, unique)
        kept[run.participant_id] = kept.get(run.participant_id, np.zeros(len(unique), dtype=bool)) | usable
    groups: dict[str, list[np.ndarray]] = {}
    for person, usable in kept.items():
        group = group_of.get(person)
        groups.setdefault(group if isinstance(group, str) else "people in no group", []).append(usable)
    counts = {group: (~np.array(rows)).sum(axis=0) for group, rows in groups.items()}
    of_wish = {
        wish: tuple((group, int(lost[place])) for group, lost in counts.items() if lost[place])
        for place, wish in enumerate(unique)
    }
    return [of_wish[wish] for wish in wishes]


def _judge_run(run: Run, config: Config, wishes: Sequence[Wish]) -> np.ndarray:
    t_r = config.input.t_r or run.t_r
    try:
        confounds = read_run_confounds(run)
    except UserError:
        return np.zeros(len(wishes), dtype=bool)
    if t_r is None:  # only the image's header knows it
        return np.ones(len(wishes), dtype=bool)
    given = RunInput((), np.empty((0, 0)), {}, t_r, confounds, RunQuality())
    return np.array([not reason for reason in judge_wishes(given, wishes)])


def _describe_lost(lost: Sequence[Counts], ways: Sequence[Way], axes: Sequence[Axis]) -> list[str]:
    """Return a line per number of people lost, with what the ways that lose them have in common."""
    alike: dict[Counts, list[Way]] = {}
    for counts, way in zip(lost, ways, strict=True):
        alike.setdefault(counts, []).append(way)
    ordered = sorted(alike.items(), key=lambda each: sum(count for _, count in each[0]))
    lines = [
        f"  {len(members)} ways lose {_word_counts(counts)}{_find_common(members, axes)}"
        for counts, members in ordered
    ]
    if len(lines) <= _SHOWN:
        return lines
    return [*lines[:2], f"  ... {len(lines) - _SHOWN} lines between", *lines[2 - _SHOWN :]]


def _word_counts(counts: Counts) -> str:
    if not counts:
        return "nobody"
    return ", ".join(f"{count} of {group}" for group, count in counts)


def _find_common(ways: Sequence[Way], axes: Sequence[Axis]) -> str:
    """Return the values that alone occur among some ways; empty where each axis has all of its values."""
    shared = []
    for place, axis in enumerate(axes):
        found = {way.labels[place] for way in ways}
        if len(found) < len(axis.labels):
            shared.append(f"{axis.name} {' or '.join(label for label in axis.labels if label in found)}")
    return f": {', '.join(shared)}" if shared else ""
