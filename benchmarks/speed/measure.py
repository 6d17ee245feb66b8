"""Measure cases as whole processes: wall time, processor time and peak memory, medians of interleaved runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

CASES = Path(__file__).with_name("cases.py")
# One thread per numerical library, and the BLAS kernel that fits the processor, whatever the shell asks for.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
NOT_INHERITED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True)
class Case:
    """A labelled call of one function of cases.py; `at_once` processes of it run side by side."""

    label: str
    function: str
    arguments: dict[str, Any]
    at_once: int = 1
    max_repeats: int | None = None


@dataclass(frozen=True)
class Cost:
    """Medians over repeats: seconds, processor seconds (per process), MiB of the largest process."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def make_environment() -> dict[str, str]:
    """Return the environment of what is measured."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return kept | ONE_THREAD


def measure(cases: list[Case], repeats: int) -> dict[str, Cost]:
    """Run all cases `repeats` times, in turn, so that a busy minute strikes them alike."""
    seen: dict[str, list[Cost]] = {case.label: [] for case in cases}
    for turn in range(repeats):
        for case in cases:
            if turn < min(case.max_repeats or repeats, repeats):
                cost = run_case(case)
                seen[case.label].append(cost)
                print(
                    f"{turn + 1}/{repeats} {case.label}: {cost.wall_s:.2f} s, {cost.peak_mib:.0f} MiB",
                    flush=True,
                )
    return {label: _take_median(costs) for label, costs in seen.items()}


def run_case(case: Case) -> Cost:
    """Run one case and ask the system what it cost."""
    command = [sys.executable, "-W", "ignore", str(CASES), case.function, json.dumps(case.arguments)]
    environment = make_environment()
    start = perf_counter()
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(case.at_once)
    ]
    printed = [child.stdout.read() for child in children]
    used = [os.wait4(child.pid, 0) for child in children]
    wall = perf_counter() - start
    for child in children:
        child.stdout.close()
        child.returncode = 0  # waited for above, by a call that also tells the processor time
    if any(status for _, status, _ in used):
        raise RuntimeError(f"{case.label} failed")
    seconds = [usage.ru_utime + usage.ru_stime for _, _, usage in used]
    return Cost(wall, sum(seconds) / len(seconds), max(float(line) for line in printed))


def _take_median(costs: list[Cost]) -> Cost:
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("wall_s", "cpu_s", "peak_mib")))
