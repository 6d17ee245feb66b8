"""Each scenario by its name: the config that judges it, its cohorts and their truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.comparisons import Comparisons, draw_comparisons, make_comparisons_config
from calibration.families import draw_families, list_families_truth, make_families_config
from calibration.repeated import draw_pairs, list_pairs_truth, make_pairs_config
from calibration.scenarios import SCENARIOS, Scenario, draw_cohort, make_config, plant
from rsconn.settings.config import Config, read_config

ROOT = Path(__file__).resolve().parents[2]
SEED = 20220401


@dataclass(frozen=True)
class Case:
    """A scenario, ready to be drawn.

    Attributes
    ----------
    config : Config
        Its claims; see `set_permutations`.
    draw : callable
        Cohort of a number.
    truth : mapping of claim id to float
        In units of the estimate.
    """

    config: Config
    draw: Callable[[int], pd.DataFrame]
    truth: Mapping[str, float]


@cache
def read_study(path: str = "config/config.yaml") -> Config:
    """Return a config of the repository."""
    return read_config(ROOT / path)


def get_scenario(name: str) -> Scenario:
    """Return a scenario."""
    return next(each for each in SCENARIOS if each.name == name)


@cache
def get_case(name: str) -> Case:
    """Return what a scenario needs."""
    scenario, study = get_scenario(name), read_study()
    g, partial_r = study.inference.sesoi.g, study.inference.sesoi.partial_r
    if scenario.cohorts == "pairs":
        pairs = list_pairs_truth(g)
        return Case(make_pairs_config(study), lambda number: draw_pairs(pairs, make_rng(12, number)), pairs)
    if scenario.cohorts == "families":
        families = list_families_truth(g)
        return Case(
            make_families_config(study),
            lambda number: draw_families(families, make_rng(14, number)),
            families,
        )
    if scenario.cohorts == "comparisons":
        truth = Comparisons(g, partial_r, at_bound=scenario.planting == "sesoi")
        return Case(
            make_comparisons_config(study),
            lambda number: draw_comparisons(truth, make_rng(16, number)),
            truth.list_truth(),
        )
    planting = plant(scenario, g=g, partial_r=partial_r)
    return Case(make_config(study), lambda number: draw_cohort(scenario, planting, number), planting.truth)


def make_rng(part: int, number: int) -> np.random.Generator:
    """Return the generator of a cohort of a part."""
    return np.random.default_rng([SEED, part, number])


def set_permutations(config: Config, n_permutations: int, seed: int) -> Config:
    """Return a config with this many permutations."""
    inference = config.inference.model_copy(update={"n_permutations": n_permutations, "seed": seed})
    return config.model_copy(update={"inference": inference})
