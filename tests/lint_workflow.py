"""Run ``snakemake --lint`` on the workflow, with a small simulated dataset for it to plan; exit 1 on any finding."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rsconn.simulate.simulated_dataset import simulate_tiny_study

ROOT = Path(__file__).resolve().parents[1]
# Every step runs in the one environment that requirements.lock pins, in which Snakemake itself runs.
IGNORED = {"Specify a conda environment or container for each rule."}


def lint(folder: Path) -> list[str]:
    """Return a line per finding on the demo's config, its data replaced by a small simulation in `folder`."""
    simulate_tiny_study(folder / "demo")
    config = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")
    config = config.replace("data/demo", str(folder / "demo"))
    config = config.replace("config/studies", str(ROOT / "config" / "studies"))
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--lint", "--snakefile", str(ROOT / "Snakefile")]
    result = subprocess.run(
        [*command, "--configfile", str(folder / "config.yaml")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    text = result.stdout + result.stderr
    titles = [line.strip().removeprefix("* ") for line in text.splitlines() if line.startswith("    * ")]
    found = [title for title in titles if title.rstrip(":") not in IGNORED]
    # exit code 1 means findings; without any, something else went wrong
    return found if titles or result.returncode == 0 else [text]


def main() -> int:
    """Print the findings."""
    with tempfile.TemporaryDirectory() as name:
        findings = lint(Path(name))
    sys.stdout.writelines(f"{line}\n" for line in findings or ["snakemake --lint: nothing found"])
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
