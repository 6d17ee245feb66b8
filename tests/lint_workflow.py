"""Run ``snakemake --lint`` on the workflow, with a small simulated dataset for it to plan."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rsconn.simulate.dataset import simulate_tiny_study

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Simulate, write a config that points there, lint."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_tiny_study(folder / "demo")
        config = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
        config = config.replace("data/demo", str(folder / "demo")).replace(
            "config/studies", str(ROOT / "config" / "studies")
        )
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--lint", "--snakefile", str(ROOT / "Snakefile")]
        return subprocess.run(
            [*command, "--configfile", str(folder / "config.yaml")], cwd=folder, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
