"""What a worker process does: draw cohorts and put them through `evaluate_claims`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.cases import SEED, get_case, read_study, set_permutations
from calibration.tallies import Tally, tabulate
from rsconn.settings.config import Config
from rsconn.simulate.planned_cohorts import simulate_cohort
from rsconn.simulate.simulated_study import draw_study
from rsconn.study.claims.covariates import find_stress
from rsconn.study.claims.designs import build_model, read_terms
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.people.cohort_table import read_cohort
from rsconn.study.people.used_columns import make_columns


def evaluate_scenario(name: str, numbers: Sequence[int], *, n_permutations: int) -> Tally:
    """Evaluate the cohorts of these numbers of a scenario."""
    case = get_case(name)
    return tabulate([
        evaluate_claims(
            case.draw(number), set_permutations(case.config, n_permutations, number), describe=False
        )
        for number in numbers
    ])  # fmt: skip


def evaluate_warnings(name: str, numbers: Sequence[int]) -> Tally:
    """Count the warnings that the report gives of each claim's design, in the cohorts of these numbers."""
    case = get_case(name)
    config = case.config
    terms = read_terms(config)
    warned = []
    for number in numbers:
        columns = make_columns(case.draw(number))
        models = [build_model(claim, columns, terms).model for claim in config.claims]
        warned.append([0.0 if model is None else float(len(find_stress(model))) for model in models])
    return Tally(tuple(claim.id for claim in config.claims), {"warnings": np.array(warned)})


def evaluate_simulated(effect: float, numbers: Sequence[int]) -> Tally:
    """Evaluate the simulated study's own cohorts: bounded, skewed sums, problems and lost people."""
    config = set_permutations(read_study(), 0, SEED)
    return tabulate([
        evaluate_claims(
            simulate_cohort(
                draw_study(seed=SEED + number, effect=effect), rng=np.random.default_rng([SEED, number])
            ),
            config,
            describe=False,
        )
        for number in numbers
    ])  # fmt: skip


def evaluate_shuffled(path: str, numbers: Sequence[int]) -> Tally:
    """Evaluate the real cohort with its sites and its scores shuffled."""
    config = make_shuffled_config(set_permutations(read_study("config/examples/rpn.yaml"), 0, SEED))
    cohort = read_cohort(Path(path))
    return tabulate([
        evaluate_claims(shuffle(cohort, config, number), config, describe=False) for number in numbers
    ])  # fmt: skip


def shuffle(cohort: pd.DataFrame, config: Config, number: int) -> pd.DataFrame:
    """Shuffle the site and, each on its own, the scores, over the people that the study did not exclude."""
    rng = np.random.default_rng([SEED, 7, number])
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
