"""What a section measured, kept as a file with the circumstances it was measured in."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from speed.measure import Case, Cost, make_environment, measure
from speed.plan import SECTIONS

from rsconn.provenance import compute_code_digest

_ASK_KERNEL = (
    "import numpy, threadpoolctl; "
    "print(*{pool.get('architecture') or pool['internal_api'] for pool in threadpoolctl.threadpool_info()})"
)
# What the measured code consists of: a change of it makes what is kept another program's.
_MEASURED = ("rsconn.rules.seedmap", "rsconn.rules.connect")


@dataclass(frozen=True)
class Section:
    """One section as measured.

    Attributes
    ----------
    circumstances : dict
        ``load`` (of the machine before the first case), ``kernel`` (BLAS), ``processor``, ``n_processors``,
        ``python``, ``code``, ``repeats``.
    costs : dict
        Case to cost; empty for the scripts' section.
    texts : dict
        Script to what it printed.
    """

    circumstances: dict[str, Any]
    costs: dict[str, Cost]
    texts: dict[str, str]


def measure_section(name: str, cases: list[Case], repeats: int, folder: Path) -> None:
    """Measure a section's cases and keep their costs."""
    print(f"section {name}", flush=True)
    circumstances = describe_circumstances(repeats)
    keep_result(folder, name, Section(circumstances, measure(cases, repeats), {}))


def describe_circumstances(repeats: int) -> dict[str, Any]:
    load = os.getloadavg()[0]
    n_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if load > 0.5:
        print(
            f"the machine's load is {load:.1f}: wall times will say more about the neighbours",
            file=sys.stderr,
        )
    kernel = subprocess.run(
        [sys.executable, "-c", _ASK_KERNEL],
        env=make_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "load": round(load, 2),
        "kernel": kernel.stdout.strip() or "unknown",
        "processor": _find_processor(),
        "n_processors": n_processors,
        "python": platform.python_version(),
        "code": compute_code_digest(*_MEASURED),
        "repeats": repeats,
    }


def _find_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def is_current(section: Section) -> bool:
    """Tell whether the code is still the one that was measured."""
    return bool(section.circumstances["code"] == compute_code_digest(*_MEASURED))


def keep_result(folder: Path, name: str, section: Section) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(asdict(section), indent=1), encoding="utf-8")


def read_results(folder: Path) -> dict[str, Section]:
    """Return what is kept, by section."""
    found = {}
    for path in [folder / f"{name}.json" for name in SECTIONS]:
        if not path.exists():
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        costs = {label: Cost(**cost) for label, cost in content["costs"].items()}
        found[path.stem] = Section(content["circumstances"], costs, content["texts"])
    return found
