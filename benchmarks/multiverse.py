"""The multiverse: its time and memory, and the error rate and power of its joint test. Writes docs/multiverse.md.

Run: OPENBLAS_NUM_THREADS=1 python benchmarks/multiverse.py [--cohorts N]. Nothing is read but the demo's config.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rsconn.analysis.specification_loop import RunInput
from rsconn.analysis.usability import RunQuality
from rsconn.inference.estimators import compute_p, estimate_model
from rsconn.inference.joint_tests import run_joint_test
from rsconn.inference.model import Model
from rsconn.rules.multiverse import RunSeries, list_claimed_edges, sample_ways
from rsconn.settings.config import Config, read_config
from rsconn.settings.variations import Multiverse
from rsconn.settings.ways import list_further_rows, list_ways
from rsconn.signal.regressors import MOTION_COLUMNS, Confounds
from rsconn.study.claims.evaluation import sort_columns
from rsconn.study.claims.every_way import WayTests, evaluate_ways, list_own_ways
from rsconn.study.claims.way_tables import tabulate_multiverse

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "multiverse.md"
N_PEOPLE, N_VOLUMES, T_R = 36, 240, 2.0
# 3 x 2 x 3 x 3 x 2 x 3 x 3 less what does not go together.
LARGE = {"radius_mm": (6.0, 4.0, 8.0), "smoothing_fwhm_mm": (6.0,), "exclude": ()}
SIZES = (60, 240, 972)


def make_confounds(rng: np.random.Generator) -> Confounds:
    """Return confounds with every column that the demo's strategies take."""
    signals = [*MOTION_COLUMNS, "white_matter", "csf", "global_signal"]
    endings = ("", "_derivative1", "_power2", "_derivative1_power2")
    names = [signal + ending for signal in signals for ending in endings]
    names += [f"{kind}_comp_cor_{number:02d}" for kind in "wc" for number in range(6)]
    values = rng.standard_normal((N_VOLUMES, len(names) + 1)).cumsum(axis=0)
    values[:, -1] = rng.gamma(2.0, 0.1, N_VOLUMES)
    return Confounds((*names, "framewise_displacement"), values, {})


def make_runs(config: Config, seed: int = 1) -> list[RunSeries]:
    """Return one run of noise for each person, with the series of every variant."""
    rng = np.random.default_rng(seed)
    names = (*config.rois.names, *(row.roi.name for row in list_further_rows(config)))
    runs = []
    for person in range(N_PEOPLE):
        series = 1000 + rng.standard_normal((N_VOLUMES, len(names)))
        given = RunInput(names, series, {}, T_R, make_confounds(rng), RunQuality())
        runs.append(RunSeries((f"sub-{person:03d}", None), given, float(rng.gamma(2.0, 0.1))))
    return runs


def make_cohort(config: Config, seed: int = 2) -> pd.DataFrame:
    """Return a cohort of people who differ in nothing but chance."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"participant_id": [f"sub-{person:03d}" for person in range(N_PEOPLE)]})
    table["session"] = None
    table["group"] = ["therapist", "control"] * (N_PEOPLE // 2)
    table["sex"] = rng.permutation(["F", "M"] * (N_PEOPLE // 2))
    table["age"] = rng.integers(25, 60, N_PEOPLE).astype(float)
    table["mean_fd"] = rng.gamma(2.0, 0.1, N_PEOPLE)
    for name in (*config.scores, *(edge.name for edge in config.edges)):
        table[name] = rng.standard_normal(N_PEOPLE)
    return table


def change_multiverse(config: Config, changes: dict[str, Any]) -> Config:
    """Return the config with other axes."""
    if config.multiverse is None:
        raise ValueError("the demo's config has a multiverse")
    values = {name: getattr(config.multiverse, name) for name in Multiverse.model_fields}
    return config.model_copy(update={"multiverse": Multiverse(**{**values, **changes})})


def time_multiverse(config: Config, n_ways: int) -> float:
    """Return the seconds of one core from ROI series to tables for the first so many ways."""
    ways = list_ways(config)
    step = max(len(ways) // n_ways, 1)
    ways = (ways[0], *ways[1::step])[:n_ways]
    runs, columns = make_runs(config), sort_columns(make_cohort(config))
    edges = list_claimed_edges(config)
    start = time.process_time()  # of one core, whatever else it does
    samples = sample_ways(runs, config, ways, columns, edges, keeps_motion=False)
    own = {claim.id: list_own_ways(claim, config, ways) for claim in config.claims}
    own = {claim: positions for claim, positions in own.items() if len(positions) > 1}
    tests = WayTests(columns, config, ways, samples, [edge.name for edge in edges])
    tabulate_multiverse(evaluate_ways(tests, own), ways, config)
    return time.process_time() - start


@dataclass(frozen=True)
class Scenario:
    """What the cohorts of a row of the table are like."""

    name: str
    n_a: int
    n_b: int
    ratio: float = 1.0
    effect: float = 0.0


SCENARIOS = (
    Scenario("18 v 18", 18, 18),
    Scenario("12 v 24, SD of the small group doubled", 12, 24, ratio=2.0),
    Scenario("18 v 18, g 0.8", 18, 18, effect=0.8),
)
# Specifications: how much of the noise is their own, and whether they adjust for age or lose two people.
_OWN_NOISE, _ADJUSTS, _LOST = (0.3, 0.6, 1.0), (False, True), (0, 2)


def make_specifications(scenario: Scenario, rng: np.random.Generator) -> Iterator[Model]:
    """Yield the models of one cohort: the same people and effect, measured in twelve ways; the first is primary."""
    n = scenario.n_a + scenario.n_b
    group = np.repeat([1.0, 0.0], [scenario.n_a, scenario.n_b])
    spread = np.where(group > 0.5, scenario.ratio, 1.0)
    age, common = rng.standard_normal(n), spread * rng.standard_normal(n)
    for own in _OWN_NOISE:
        outcome = scenario.effect * group + (common + own * spread * rng.standard_normal(n)) / np.hypot(
            1, own
        )
        for adjusts in _ADJUSTS:
            for lost in _LOST:
                kept = rng.permutation(n)[lost:]
                nuisance = np.column_stack([np.ones(n), age] if adjusts else [np.ones(n)])[kept]
                yield Model(
                    outcome[kept], group[kept], nuisance, "contrast", "ols_hc3", kept.astype(np.int64)
                )


def measure_rates(scenario: Scenario, n_cohorts: int, n_flips: int = 199) -> dict[str, float]:
    """Return how often each test rejects at 5 %: the primary specification's alone, both joint tests, and the two."""
    found = {"single": 0, "median": 0, "share": 0, "joint": 0}
    for seed in range(n_cohorts):
        models = list(make_specifications(scenario, np.random.default_rng([20220401, seed])))
        estimates = [estimate_model(model) for model in models]
        joint = run_joint_test(models, estimates, sign=0, alpha=0.05, n_flips=n_flips, seed=seed)
        found["single"] += compute_p(estimates[0]) <= 0.05
        found["median"] += joint.p_median <= 0.05
        found["share"] += joint.p_share <= 0.05
        found["joint"] += joint.p <= 0.05
    return {name: count / n_cohorts for name, count in found.items()}


def write_page(n_cohorts: int) -> str:
    """Measure everything and return the page."""
    config = change_multiverse(read_config(ROOT / "config" / "config.yaml"), LARGE)
    seconds = {n_ways: time_multiverse(config, n_ways) for n_ways in SIZES}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rates = {scenario.name: measure_rates(scenario, n_cohorts) for scenario in SCENARIOS}
    error = 1.96 * np.sqrt(0.05 * 0.95 / n_cohorts)
    intro = (
        f"From the ROI series of {N_PEOPLE} people ({N_VOLUMES} volumes) to the tables, 1000 flips for each claim "
        f"about an edge; peak memory of the process {peak:.0f} MB."
    )
    about = (
        f"{n_cohorts} cohorts each, twelve correlated specifications (three measurements, with and without age, with "
        "and without two people), two-sided, 199 flips. Share of cohorts with p <= 0.05; without an effect 0.05 "
        f"+- {error:.3f} is chance. *Joint* is what the report shows: the smaller of the two after Holm."
    )
    times = [f"| {n_ways} | {taken:.1f} | {1000 * taken / n_ways:.0f} |" for n_ways, taken in seconds.items()]
    rows = [
        f"| {name} | {row['single']:.3f} | {row['median']:.3f} | {row['share']:.3f} | {row['joint']:.3f} |"
        for name, row in rates.items()
    ]
    head = [
        "# The multiverse, measured",
        "",
        "Made by `python benchmarks/multiverse.py`: nothing here is written by hand.",
    ]
    first = [
        "",
        "## Time",
        "",
        intro,
        "",
        "| ways | seconds of a core | ms per way |",
        "|---|---|---|",
        *times,
    ]
    second = ["", "## Error rate and power of the joint test", "", about, ""]
    table = ["| cohorts | primary alone | median | share | joint |", "|---|---|---|---|---|", *rows, ""]
    return "\n".join([*head, *first, *second, *table])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=2000, help="of each kind, for the joint test")
    PAGE.write_text(write_page(parser.parse_args().cohorts), encoding="utf-8")
