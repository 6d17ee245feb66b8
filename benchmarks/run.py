"""Measure speed and memory as ratios within one run, and write docs/performance.md and its figure.

    python benchmarks/run.py [--only SECTION ...] [--resume] [--repeats 5] [--images DIR]

Images (about 4 GB) are made once and kept in the images folder. What a section measured is kept in
benchmarks/results/speed/, and the page is written from all that is kept, so a section can be measured again alone.
The machine should have nothing else to do; the page says what load it had.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from speed.plan import SECTIONS, list_cases, list_samples
from speed.results import measure_section, read_results
from speed.scripts import run_scripts

HERE = Path(__file__).resolve().parent


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), help="measure these sections again")
    parser.add_argument("--resume", action="store_true", help="measure only what is not kept yet")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each case, in turns (default: 5)")
    parser.add_argument("--images", type=Path, default=Path(tempfile.gettempdir()) / "rsconn-bench")
    parser.add_argument("--docs", type=Path, help="where the page goes (default: docs)")
    parser.add_argument("--results", type=Path, help="what is kept (default: benchmarks/results/speed)")
    parser.add_argument(
        "--tiny", action="store_true", help="does it run? small images; all goes to the images folder"
    )
    options = parser.parse_args()
    kept, page = (options.images,) * 2 if options.tiny else (HERE / "results" / "speed", HERE.parent / "docs")
    options.results, options.docs = options.results or kept, options.docs or page
    return options


def main() -> None:
    options = read_options()
    kept = read_results(options.results)
    wanted = options.only or [name for name in SECTIONS if not (options.resume and name in kept)]
    if set(wanted) - {"permutation"}:
        make_samples(options.images, tiny=options.tiny)
    samples = list_samples(options.images, tiny=options.tiny)
    for name in wanted:
        if name == "permutation":
            run_scripts(options.results, tiny=options.tiny)
        else:
            measure_section(name, list_cases(name, samples), options.repeats, options.results)
    from speed.page import write_page

    write_page(options.docs, read_results(options.results), samples["2mm"])
    print(f"{options.docs / 'performance.md'} written")


def make_samples(folder: Path, *, tiny: bool) -> None:
    """Make the images by another process: this one stays small, and so do the processes that it starts."""
    command = [sys.executable, str(HERE / "make_samples.py"), str(folder), *(["--tiny"] if tiny else [])]
    if subprocess.run(command, check=False).returncode:
        sys.exit(1)


if __name__ == "__main__":
    main()
