"""The section of permutation: what benchmarks/permutation.py and voxelwise.py print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from speed.measure import make_environment
from speed.results import Section, describe_circumstances, keep_result

HERE = Path(__file__).resolve().parents[1]
TINY = {"permutation.py": ["--permutations", "99"], "voxelwise.py": ["--voxels", "500", "--rounds", "1"]}


def run_scripts(folder: Path, *, tiny: bool) -> None:
    """Run both scripts and keep what they print."""
    print("section permutation", flush=True)
    circumstances = describe_circumstances(1)
    texts = {name: _run(name, options if tiny else []) for name, options in TINY.items()}
    keep_result(folder, "permutation", Section(circumstances, {}, texts))


def _run(name: str, options: list[str]) -> str:
    command = [sys.executable, "-W", "ignore", str(HERE / name), *options]
    done = subprocess.run(command, env=make_environment(), stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, end="", flush=True)
    return done.stdout
