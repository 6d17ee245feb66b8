"""What a worker process does: draw cohorts and put them through `evaluate_claims`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.scenarios import SCENARIOS, Planting, Scenario, draw_cohort, make_config, plant
from calibration.tallies import Tally, digest, tabulate
from rsconn.settings.config import Config, read_config
from rsconn.simulate.cohort import simulate_cohort
from rsconn.simulate.study import draw_study
from rsconn.study.cohort import read_cohort
from rsconn.study.columns import make_columns
from rsconn.study.design_warnings import find_stress
from rsconn.study.designs import build_model, read_terms
from rsconn.study.evaluation import evaluate_claims

ROOT = Path(__file__).resolve().parents[2]
_SEED = 20220401


@cache
def read_study(path: str = "config/config.yaml") -> Config:
    """Return a config of the repository."""
    return read_config(ROOT / path)


def get_scenario(name: str) -> tuple[Scenario, Planting]:
    """Return a scenario and its planting."""
    scenario = next(each for each in SCENARIOS if each.name == name)
    sesoi = read_study().inference.sesoi
    return scenario, plant(scenario, g=sesoi.g, partial_r=sesoi.partial_r)


def evaluate_scenario(name: str, numbers: Sequence[int], n_permutations: int) -> Tally:
    """Evaluate the cohorts of these numbers of a scenario."""
    scenario, planting = get_scenario(name)
    return tabulate([
        evaluate_claims(
            draw_cohort(scenario, planting, number),
            make_config(read_study(), n_permutations=n_permutations, seed=number),
            describe=False,
        )
        for number in numbers
    ])  # fmt: skip


def evaluate_warnings(name: str, numbers: Sequence[int], n_permutations: int) -> Tally:  # noqa: ARG001
    """Count the warnings that the report gives of each claim's design, in the cohorts of these numbers."""
    scenario, planting = get_scenario(name)
    config = make_config(read_study(), n_permutations=0)
    terms = read_terms(config)
    warned = []
    for number in numbers:
        columns = make_columns(draw_cohort(scenario, planting, number))
        models = [build_model(claim, columns, terms).model for claim in config.claims]
        warned.append([0.0 if model is None else float(len(find_stress(model))) for model in models])
    return Tally(tuple(claim.id for claim in config.claims), {"warnings": np.array(warned)})


def evaluate_simulated(effect: float, numbers: Sequence[int], n_permutations: int) -> Tally:
    """Evaluate the simulated study's own cohorts: bounded, skewed sums, problems and lost people."""
    config = _set_permutations(read_study(), n_permutations, 0)
    return tabulate([
        evaluate_claims(
            simulate_cohort(
                draw_study(seed=_SEED + number, effect=effect), rng=np.random.default_rng([_SEED, number])
            ),
            config,
            describe=False,
        )
        for number in numbers
    ])  # fmt: skip


def evaluate_shuffled(path: str, numbers: Sequence[int], n_permutations: int) -> Tally:
    """Evaluate the real cohort with its sites and its scores shuffled."""
    config = make_shuffled_config(
        _set_permutations(read_study("config/examples/rpn.yaml"), n_permutations, 0)
    )
    cohort = read_cohort(Path(path))
    return tabulate([
        evaluate_claims(shuffle(cohort, config, number), config, describe=False) for number in numbers
    ])  # fmt: skip


def shuffle(cohort: pd.DataFrame, config: Config, number: int) -> pd.DataFrame:
    """Shuffle the site and, each on its own, the scores, over the people that the study did not exclude."""
    rng = np.random.default_rng([_SEED, 7, number])
    kept = cohort[cohort["excluded_by_study"].astype(float) == 0].copy()
    for name in ("group", *config.scores):
        kept[name] = kept[name].to_numpy()[rng.permutation(len(kept))]
    return kept


def make_shuffled_config(config: Config) -> Config:
    """Add to each claim that the sites do not differ one that they do, in a family of its own."""
    opposite = [
        claim.model_copy(update={"id": f"{claim.id}-differ", "family": "site-differ", "expect": "different"})
        for claim in config.claims
        if claim.family == "site"
    ]
    return config.model_copy(update={"claims": (*config.claims, *opposite)})


def fingerprint(evaluate: partial[Tally]) -> str:
    """Digest what the first cohort gives; of warnings, which are few, what the first ten give."""
    return digest(evaluate(range(10) if evaluate.func is evaluate_warnings else [0], 19))


def _set_permutations(config: Config, n_permutations: int, seed: int) -> Config:
    inference = config.inference.model_copy(update={"n_permutations": n_permutations, "seed": _SEED + seed})
    return config.model_copy(update={"inference": inference})
