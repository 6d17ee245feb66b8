"""Are the planted effects found? Whole simulated studies from images on, at full resolution, seed after seed.

Prints a verdict per claim and seed and the share supported of P1, P2, P5, F1 and F2. Resumes: a finished seed's
verdicts are kept in benchmarks/results/planted/. With --null nothing is planted, and every "supported" of a claim of
a difference is false. With --maps the seeds' maps are made as well, and for each of them and each correction it is
printed whether the planted place was found, its overlap with what was found (Dice) and how far off the peak lies.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rsconn.report.maps.found import compare_maps, read_planted_places
from rsconn.report.maps.mosaics import read_descriptions
from rsconn.rules.cohort import gather_cohort
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.maps import FOLDER, make_group_maps
from rsconn.rules.plan import LAUNCH_FOLDER, plan_workflow
from rsconn.rules.seedmap import make_seedmaps
from rsconn.simulate.simulated_dataset import simulate_study
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.people.cohort_table import read_cohort

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "planted"
TRUE_CLAIMS = ("P1", "P2", "P5", "F1", "F2")


def run_seed(seed: int, *, null: bool, maps: bool) -> dict[str, Any]:
    """Simulate one study and return its verdicts by claim, and its maps' rows, by the workflow's own steps."""
    kept = RESULTS / f"{'null' if null else 'planted'}{'-maps' if maps else ''}-{seed}.json"
    if kept.is_file():
        content = dict(json.loads(kept.read_text()))
        return content if "verdicts" in content else {"verdicts": content, "maps": []}
    folder = Path(tempfile.mkdtemp(prefix="rsconn-planted-"))
    try:
        found = _run_study(folder, seed, null=null, maps=maps)
    finally:
        shutil.rmtree(folder)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    return found


def _run_study(folder: Path, seed: int, *, null: bool, maps: bool) -> dict[str, Any]:
    simulate_study(folder / "data" / "demo", seed=seed, null=null, n_jobs=1)
    config = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
    config = config.replace("data/demo", str(folder / "data" / "demo")).replace(
        "config/studies", str(ROOT / "config" / "studies")
    )
    if not maps:
        config = re.sub(r"(?m)^seeds: .*$", "seeds: []", config)
    path = folder / "config.yaml"
    path.write_text(config, encoding="utf-8")
    results = folder / "results"
    results.mkdir()
    os.environ[LAUNCH_FOLDER] = str(results)  # as a run from there would
    with contextlib.chdir(results), contextlib.redirect_stdout(io.StringIO()):
        plan = plan_workflow([path])
        records = [_run_batch(plan, batch) for batch in plan.batches]
        gather_cohort(records, settings=plan.config)
        table = evaluate_claims(
            read_cohort(results / "group" / "cohort.tsv"), plan.config, describe=False
        ).claims
        rows = _make_maps(plan) if maps else []
    return {"verdicts": dict(zip(table["id"], table["verdict"], strict=True)), "maps": rows}


def _make_maps(plan) -> list[dict[str, Any]]:
    """Make the group maps in the working directory; return what was planted in them and found."""
    records = [Path("work") / "denoise" / f"{batch}.json" for batch in plan.batches]
    for seed in plan.config.seeds:
        make_group_maps(seed, records, settings=plan.config, cohort=Path("group/cohort.tsv"))
    places = read_planted_places(plan.config.truth)
    table = compare_maps(FOLDER, read_descriptions(FOLDER), places)
    return list(json.loads(table.to_json(orient="records")))


def _run_batch(plan, batch: str) -> Path:
    first = "seedmap" if plan.config.seeds else "extract"
    names = [Path("work") / step / f"{batch}.json" for step in (first, "denoise", "connect")]
    if plan.config.seeds:
        make_seedmaps(names[0], runs=plan.batches[batch], job=plan.seedmap_job)
    else:
        extract(names[0], runs=plan.batches[batch], job=plan.extract_job)
    denoise(names[1], before=[names[0]], runs=[], job=plan.denoise_job)
    connect(names[2], before=names[1], job=plan.connect_job)
    return names[2].absolute()


def _describe_row(row: dict[str, Any]) -> str:
    place = f"  {row['seed']} {row['model']} at {row['region']}, {row['correction']}: "
    if row["found"] == "no":
        return f"{place}no (least p {row['smallest_p']:.3f}, t {row['strongest_t']:.1f})"
    return f"{place}yes (p {row['smallest_p']:.3f}), Dice {row['dice']:.2f}, peak {row['peak_distance_mm']:.0f} mm off"


def _print_maps(rows: list[dict[str, Any]]) -> None:
    """Print how often each place was found, with the medians of those that were."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("seed", "model", "region", "correction"))
        groups.setdefault(key, []).append(row)
    for (seed, model, region, correction), members in groups.items():
        hits = [row for row in members if row["found"] == "yes"]
        line = f"{seed} {model} at {region}, {correction}: found in {len(hits)} of {len(members)}"
        if hits:
            dice, off = (median(row[name] for row in hits) for name in ("dice", "peak_distance_mm"))
            line += f", median Dice {dice:.2f}, peak {off:.1f} mm off"
        print(line)


def main() -> int:
    """Run the seeds, print the table; exit 1 if fewer than nine in ten true claims were supported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--null", action="store_true")
    parser.add_argument("--maps", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    with ProcessPoolExecutor(options.jobs) as pool:
        found, rows = [], []
        work = partial(run_seed, null=options.null, maps=options.maps)
        for seed, study in zip(seeds, pool.map(work, seeds), strict=True):
            found.append(study["verdicts"])
            rows += study["maps"]
            print(f"seed {seed}: {', '.join(' '.join(pair) for pair in study['verdicts'].items())}")
            print("\n".join(map(_describe_row, study["maps"])), flush=True)
    for claim in found[0]:
        counts = Counter(verdicts[claim] for verdicts in found)
        print(f"{claim:5} " + ", ".join(f"{verdict} {n}" for verdict, n in counts.most_common()))
    _print_maps(rows)
    hits = sum(verdicts[claim] == "supported" for verdicts in found for claim in TRUE_CLAIMS)
    total = len(found) * len(TRUE_CLAIMS)
    print(f"P1, P2, P5, F1, F2 supported in {hits} of {total} claim x seed results")
    return int(not options.null and hits < 0.9 * total)


if __name__ == "__main__":
    sys.exit(main())
