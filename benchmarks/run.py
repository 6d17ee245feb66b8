"""Measure speed and memory as ratios within one run, and write docs/performance.md.

    python benchmarks/run.py [--repeats 3] [--only TEXT] [--images DIR] [--docs DIR]

Images (about 4 GB) are made once and kept in the images folder.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from speed.measure import measure
from speed.plan import list_cases, list_samples

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--only", default="", help="measure only cases whose label holds this text; write nothing"
    )
    parser.add_argument("--images", type=Path, default=Path(tempfile.gettempdir()) / "rsconn-bench")
    parser.add_argument("--docs", type=Path, default=HERE.parent / "docs")
    arguments = parser.parse_args()
    # Samples are made by another process: this one stays small, and so do the processes that it starts.
    subprocess.run([sys.executable, HERE / "make_samples.py", arguments.images], check=True)
    samples = list_samples(arguments.images)
    cases = [case for case in list_cases(samples) if arguments.only in case.label]
    costs = measure(cases, arguments.repeats)
    if not arguments.only:
        from speed.page import write_page

        whole = samples["2mm"]
        cache_share = whole.cache.stat().st_size / whole.run.stat().st_size
        write_page(arguments.docs, costs, arguments.repeats, cache_share)
        print(f"{arguments.docs / 'performance.md'} written")


if __name__ == "__main__":
    main()
