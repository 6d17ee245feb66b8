"""Calibration: how often the verdicts are wrong, through the code that makes them. Writes docs/calibration.md.

    OMP_NUM_THREADS=1 python benchmarks/calibrate.py [--jobs 2] [--cohorts 10000] [--images 500] ...

Resumes: results are kept in benchmarks/results/calibration, one folder for each part and the code that it depends on.
0 of something leaves it out; with --adopt, results outlive a change of code under which the first of them come out
the same, and the page says so. Ends with exit code 1 if a guarantee fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from calibration.cases import ROOT
from calibration.judging import Results, judge_all
from calibration.page import write_page
from calibration.parts import Part, list_parts
from calibration.tallies import Store, Tally, adopt, gather, read_stored

RESULTS = ROOT / "benchmarks" / "results" / "calibration"
REAL_DATA = ROOT.parent / "shared" / "data" / "rpn"
RPN_COHORT = ROOT / "results" / "rpn" / "group" / "cohort.tsv"


def main() -> int:
    """Compute what is missing, judge everything, write the page."""
    options = _read_options()
    _find_real_cohort(options.rpn)
    with ProcessPoolExecutor(options.jobs) as pool:
        # keys before anything runs: they are of the code that was imported
        stores = [(part, Store(RESULTS / part.key)) for part in list_parts(options)]
        if options.adopt:
            for part, store in stores:
                adopt(store, sorted(RESULTS.glob(f"{part.asked}-*")), part.evaluate)
        tallies = {
            part.name: read_stored(store, part.n) if options.stored else _collect(part, store, pool)
            for part, store in stores
        }
    results = judge_all(tallies)
    if options.page:
        write_page(results, ROOT / "docs", n_permutations=options.permutations)
    _print_marks(results)
    failed = [
        f"{name}: {rate.quantity}, {rate.subject}: {rate.value:.4f} of {rate.n}, bound {rate.bound}"
        for name, rate in results.list_failed()
    ]
    print("\n".join(failed) if failed else "every guarantee holds")
    return 1 if failed else 0


def _print_marks(results: Results) -> None:
    for name, rates in results.rates.items():
        worst = max(rates, key=lambda rate: rate.excess)
        mark = ("pass" if worst.passed else "FAIL") if results.is_guaranteed(name) else "no mark"
        print(f"{name:24} {results.tallies[name].n:6d} cohorts  {mark}; nearest its bound: {worst.quantity}, "
              f"{worst.subject}: {worst.value:.2%} ({worst.excess:+.1f} MC errors)")  # fmt: skip


def _collect(part: Part, store: Store, pool: ProcessPoolExecutor) -> Tally:
    """Compute what is missing of a part."""
    started = time.monotonic()

    def report(done: int) -> None:
        print(f"\r{part.name}: {done} of {part.n}, {time.monotonic() - started:.0f} s", end="", flush=True)

    tally = gather(store, part.evaluate, part.n, pool=pool, chunk_size=part.chunk_size, report=report)
    print(f"\r{part.name}: {part.n}, {time.monotonic() - started:.0f} s now, {tally.cpu_s:.0f} CPU s in all")
    return tally


def _find_real_cohort(path: Path) -> None:
    """Make the real cohort's table if its data are there, and say so if there is none."""
    if path == RPN_COHORT and not path.is_file() and REAL_DATA.is_dir():
        command = [sys.executable, "-m", "rsconn.cli", "run", "config/examples/rpn.yaml"]
        subprocess.run(command, cwd=ROOT, check=True)
    if not path.is_file():
        print(f"{path}: not found, so no real data; make it by: rsconn run config/examples/rpn.yaml")


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default, text in (
        ("cohorts", 10_000, "cohorts per guarantee scenario, with permutations where the effects are null"),
        ("permutations", 499, "of each of these"),
        ("stress", 4_000, "cohorts per stress scenario"),
        ("maps", 1_000, "null cohorts of whole-brain maps"),
        ("maps-unequal", 1_000, "the same with unequal variances"),
        ("map-ways", 500, "null cohorts of small maps, by flips and by permutation, of each kind"),
        ("tfce", 300, "of the first, with TFCE"),
        ("regions", 5_000, "null cohorts of circular regions"),
        ("warned", 200, "cohorts per scenario, for the report's warnings"),
        ("planted", 1_000, "simulated studies, planted and null"),
        ("real", 2_000, "shuffles of the real cohort"),
        ("images", 500, "null studies from images on"),
        ("jobs", len(os.sched_getaffinity(0)), "processes"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: {default})")
    parser.add_argument("--rpn", type=Path, default=RPN_COHORT, help="the real cohort's table")
    parser.add_argument(
        "--stored", action="store_true", help="compute nothing: write the page of what is stored"
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="keep results of other code if their first chunk comes out the same",
    )
    parser.add_argument("--no-page", dest="page", action="store_false", help="write no page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
