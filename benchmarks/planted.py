"""Are the planted effects found? Whole simulated studies from images on, at full resolution, seed after seed.

Prints a verdict per claim and seed and the share supported of P1, P2, P5, F1 and F2. Resumes: a finished seed's
verdicts are kept in benchmarks/results/planted/. With --null nothing is planted, and every "supported" of a claim of
a difference is false.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from rsconn.settings.config import read_config
from rsconn.simulate.dataset import simulate_study
from rsconn.steps.cohort import gather_cohort
from rsconn.steps.connect import connect
from rsconn.steps.denoise import denoise
from rsconn.steps.extract import extract
from rsconn.steps.plan import LAUNCH_FOLDER, make_plan
from rsconn.study.cohort import read_cohort
from rsconn.study.evaluation import evaluate_claims

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "planted"
TRUE_CLAIMS = ("P1", "P2", "P5", "F1", "F2")


def run_seed(seed: int, *, null: bool) -> dict[str, str]:
    """Simulate one study and return claim to verdict, by the workflow's own steps."""
    kept = RESULTS / f"{'null' if null else 'planted'}-{seed}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    folder = Path(tempfile.mkdtemp(prefix="rsconn-planted-"))
    try:
        verdicts = _run_study(folder, seed, null=null)
    finally:
        shutil.rmtree(folder)
    RESULTS.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(verdicts))
    return verdicts


def _run_study(folder: Path, seed: int, *, null: bool) -> dict[str, str]:
    simulate_study(folder / "data" / "demo", seed=seed, null=null, n_jobs=1)
    config = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
    config = config.replace("data/demo", str(folder / "data" / "demo")).replace(
        "config/studies", str(ROOT / "config" / "studies")
    )
    path = folder / "config.yaml"
    path.write_text(config, encoding="utf-8")
    results = folder / "results"
    results.mkdir()
    os.environ[LAUNCH_FOLDER] = str(results)  # as a run from there would
    with contextlib.chdir(results), contextlib.redirect_stdout(io.StringIO()):
        plan = make_plan([path])
        records = [_run_batch(plan, batch) for batch in plan.batches]
        gather_cohort(records, config=path)
        settings = read_config(path)
        table = evaluate_claims(
            read_cohort(results / "group" / "cohort.tsv"), settings, describe=False
        ).claims
    return dict(zip(table["id"], table["verdict"], strict=True))


def _run_batch(plan, batch: str) -> Path:
    names = [Path("work") / step / f"{batch}.json" for step in ("extract", "denoise", "connect")]
    extract(names[0], runs=plan.list_runs(batch), settings=plan.extract_settings)
    denoise(names[1], before=[names[0]], runs=[], settings=plan.denoise_settings)
    connect(names[2], before=names[1], settings=plan.connect_settings)
    return names[2].absolute()


def main() -> int:
    """Run the seeds, print the table; exit 1 if fewer than nine in ten true claims were supported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--null", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    with ProcessPoolExecutor(options.jobs) as pool:
        found = []
        for seed, verdicts in zip(seeds, pool.map(partial(run_seed, null=options.null), seeds), strict=True):
            found.append(verdicts)
            print(
                f"seed {seed}: {', '.join(f'{claim} {verdict}' for claim, verdict in verdicts.items())}",
                flush=True,
            )
    for claim in found[0]:
        counts = Counter(verdicts[claim] for verdicts in found)
        print(f"{claim:5} " + ", ".join(f"{verdict} {n}" for verdict, n in counts.most_common()))
    hits = sum(verdicts[claim] == "supported" for verdicts in found for claim in TRUE_CLAIMS)
    total = len(found) * len(TRUE_CLAIMS)
    print(f"P1, P2, P5, F1, F2 supported in {hits} of {total} claim x seed results")
    return int(not options.null and hits < 0.9 * total)


if __name__ == "__main__":
    sys.exit(main())
