"""Calibration: how often the verdicts are wrong, through the code that makes them. Writes docs/calibration.md.

    OMP_NUM_THREADS=1 python benchmarks/calibrate.py [--cohorts 10000] [--permuted 10000] [--images 500] ...

Resumes: results are kept in benchmarks/results/calibration, one folder for each code that gives other numbers. Ends
with exit code 1 if a guarantee fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from calibration.images import CHUNK as IMAGE_CHUNK
from calibration.images import evaluate_images
from calibration.marks import list_rates
from calibration.page import Results, write_page
from calibration.scenarios import SCENARIOS
from calibration.tallies import CHUNK, Store, Tally, gather, read_stored
from calibration.work import (
    ROOT,
    evaluate_scenario,
    evaluate_shuffled,
    evaluate_simulated,
    evaluate_warnings,
    fingerprint,
    get_scenario,
    make_config,
    read_study,
)

RESULTS = ROOT / "benchmarks" / "results" / "calibration"
REAL_DATA = ROOT.parent / "shared" / "data" / "rpn"
RPN_COHORT = ROOT / "results" / "rpn" / "group" / "cohort.tsv"


def main() -> int:
    """Compute what is missing, judge everything, write the page."""
    options = _read_options()
    with ProcessPoolExecutor(options.jobs) as pool:
        results = calibrate(options, pool)
    if options.page:
        write_page(results, ROOT / "docs")
    failed = [
        f"{name}: {rate.quantity}, {rate.subject}: {rate.value:.4f} of {rate.n}, bound {rate.bound}"
        for name, rates in results.rates.items()
        for rate in rates
        if not rate.passed and results.is_guaranteed(name)
    ]
    for name, rates in results.rates.items():
        worst = max(rates, key=lambda rate: rate.excess)
        mark = ("pass" if worst.passed else "FAIL") if results.is_guaranteed(name) else "no mark"
        print(f"{name:24} {results.tallies[name].n:6d} cohorts  {mark}; nearest its bound: {worst.quantity}, "
              f"{worst.subject}: {worst.value:.2%} ({worst.excess:+.1f} MC errors)")  # fmt: skip
    print("\n".join(failed) if failed else "every guarantee holds")
    return 1 if failed else 0


def calibrate(options: argparse.Namespace, pool: ProcessPoolExecutor) -> Results:
    """Return the tallies and the rates of every part."""
    collect = partial(_collect, pool=pool, stored=options.stored)
    tallies: dict[str, Tally] = {}
    for scenario in SCENARIOS:
        name, n = scenario.name, options.cohorts if scenario.guarantee else options.stress
        n = min(n, options.contradiction) if scenario.planting == "sesoi" else n
        n_permuted = min(options.permuted, n) if scenario.guarantee and scenario.planting == "null" else 0
        tallies[name] = collect(name, partial(evaluate_scenario, name), n, n_permuted=n_permuted)
        tallies[f"warned-{name}"] = collect(
            f"warned-{name}", partial(evaluate_warnings, name), options.warned
        )
    for name, effect in (("planted", 1.0), ("planted-null", 0.0)):
        tallies[name] = collect(name, partial(evaluate_simulated, effect), options.planted)
    if _find_real_cohort(options.rpn):
        tallies["shuffled"] = collect("shuffled", partial(evaluate_shuffled, str(options.rpn)), options.real)
    if options.images:
        tallies["images"] = collect("images", partial(evaluate_images), options.images, size=IMAGE_CHUNK)
    claims = make_config(read_study(), n_permutations=0).claims
    rates = {
        scenario.name: list_rates(
            tallies[scenario.name], claims, get_scenario(scenario.name)[1].truth, scenario.planting
        )
        for scenario in SCENARIOS
    }
    return Results(tallies, rates)


def _collect(
    name: str,
    evaluate: partial[Tally],
    n: int,
    *,
    pool: ProcessPoolExecutor,
    stored: bool,
    n_permuted: int = 0,
    size: int = CHUNK,
) -> Tally:
    """Compute what is missing of a part, or take what is stored of it."""
    started = time.monotonic()
    store = Store(RESULTS / f"{name}-{fingerprint(evaluate)}")
    if stored:
        return read_stored(store, n)

    def report(done: int) -> None:
        print(f"\r{name}: {done} of {n} cohorts, {time.monotonic() - started:.0f} s", end="", flush=True)

    tally = gather(store, evaluate, n, pool=pool, n_permuted=n_permuted, chunk_size=size, report=report)
    print(f"\r{name}: {n} cohorts, {time.monotonic() - started:.0f} s          ")
    return tally


def _find_real_cohort(path: Path) -> bool:
    """Say whether the real cohort's table is there, after making it if its data are."""
    if path == RPN_COHORT and not path.is_file() and REAL_DATA.is_dir():
        command = [sys.executable, "-m", "rsconn.cli", "run", "config/examples/rpn.yaml"]
        subprocess.run(command, cwd=ROOT, check=True)
    if not path.is_file():
        print(f"{path}: not found, so no real data; make it by: rsconn run config/examples/rpn.yaml")
    return path.is_file()


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cohorts", type=int, default=10_000, help="per guarantee scenario")
    parser.add_argument("--permuted", type=int, default=10_000, help="of these, with 499 permutations")
    parser.add_argument(
        "--contradiction", type=int, default=10_000, help="at most, with effects on the bound"
    )
    parser.add_argument("--stress", type=int, default=4_000, help="cohorts per stress scenario")
    parser.add_argument(
        "--warned", type=int, default=200, help="cohorts per scenario, for the report's warnings"
    )
    parser.add_argument("--planted", type=int, default=1_000, help="simulated studies, planted and null")
    parser.add_argument("--real", type=int, default=2_000, help="shuffles of the real cohort")
    parser.add_argument("--rpn", type=Path, default=RPN_COHORT, help="its cohort table")
    parser.add_argument("--images", type=int, default=500, help="null cohorts from images on; 0: none")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--stored", action="store_true", help="compute nothing: write the page of what is stored"
    )
    parser.add_argument("--no-page", dest="page", action="store_false", help="write no page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
