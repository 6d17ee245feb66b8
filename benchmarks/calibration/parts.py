"""The parts of the calibration: what is evaluated, how often, and what its results depend on."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from calibration.images import CHUNK as IMAGE_CHUNK
from calibration.images import evaluate_images
from calibration.keys import make_key
from calibration.map_ways import CASES, evaluate_ways, name_part
from calibration.map_ways import CHUNK as WAY_CHUNK
from calibration.maps import CHUNK as MAP_CHUNK
from calibration.maps import evaluate_null_maps
from calibration.regions import evaluate_regions
from calibration.scenarios import SCENARIOS
from calibration.tallies import Tally
from calibration.work import evaluate_scenario, evaluate_shuffled, evaluate_simulated, evaluate_warnings
from rsconn.provenance import hash_file, hash_json

STUDY, REAL = "config/config.yaml", "config/examples/rpn.yaml"
CHUNK = 100


@dataclass(frozen=True)
class Part:
    """One row of what `make calibrate` computes.

    Attributes
    ----------
    name : str
    evaluate : callable
        From the numbers of some cohorts to their results.
    n : int
        Cohorts.
    chunk_size : int
        Cohorts that are computed, and stored, together.
    configs, files : tuple
        What its results depend on besides code and its own arguments.
    """

    name: str
    evaluate: Callable[[Sequence[int]], Tally]
    n: int
    chunk_size: int = CHUNK
    configs: tuple[str, ...] = (STUDY,)
    files: tuple[Path, ...] = ()

    @property
    def asked(self) -> str:
        """The part with a digest of what was asked for."""
        function: Any = self.evaluate
        given = [
            self.chunk_size,
            list(function.args),
            function.keywords,
            [hash_file(path) for path in self.files],
        ]
        return f"{self.name}-{hash_json(given)[:8]}"

    @property
    def key(self) -> str:
        """Name of the folder of its results: what was asked for, and a digest of the code and settings."""
        function: Any = self.evaluate
        return f"{self.asked}-{make_key(function.func.__module__, configs=self.configs)}"


def list_parts(options: Namespace) -> list[Part]:
    """List the parts that have any cohorts, what has a pass mark first."""
    return [
        part for part in (*_list_tables(options), *_list_maps(options), *_list_studies(options)) if part.n
    ]


def _list_tables(options: Namespace) -> Iterator[Part]:
    for scenario in SCENARIOS:
        n = options.cohorts if scenario.guarantee else options.stress
        permuted = scenario.guarantee and scenario.planting == "null"
        count = options.permutations if permuted else 0
        yield Part(scenario.name, partial(evaluate_scenario, scenario.name, n_permutations=count), n)


def _list_studies(options: Namespace) -> Iterator[Part]:
    for name, effect in (("planted", 1.0), ("planted-null", 0.0)):
        yield Part(name, partial(evaluate_simulated, effect), options.planted)
    for scenario in SCENARIOS:
        warned = partial(evaluate_warnings, scenario.name)
        yield Part(f"warned-{scenario.name}", warned, options.warned)
    if options.rpn.is_file():
        shuffled = partial(evaluate_shuffled, str(options.rpn))
        yield Part("shuffled", shuffled, options.real, configs=(REAL,), files=(options.rpn,))
    yield Part("images", partial(evaluate_images), options.images, chunk_size=IMAGE_CHUNK)


def _list_maps(options: Namespace) -> Iterator[Part]:
    for name, ratio, kind, n in (
        ("maps", 1.0, "clusters", options.maps),
        ("maps-tfce", 1.0, "tfce", options.tfce),
        ("maps-unequal", 2.0, "clusters", options.maps_unequal),
    ):
        yield Part(name, partial(evaluate_null_maps, ratio, kind), n, chunk_size=MAP_CHUNK, configs=())
    for case in CASES:
        way = partial(evaluate_ways, case)
        yield Part(name_part(case), way, options.map_ways, chunk_size=WAY_CHUNK, configs=())
    yield Part("regions", partial(evaluate_regions), options.regions, chunk_size=MAP_CHUNK, configs=())
