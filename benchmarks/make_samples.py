"""Make the images that benchmarks/run.py reads, where they are not there yet: `make_samples.py DIR`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from speed.plan import list_samples
from speed.samples import make_cache, make_sample

NEEDED_BYTES = 5 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true", help="small images, to try the scripts")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    samples = list_samples(options.folder, tiny=options.tiny)
    complete = all(one.run.exists() for one in samples.values())
    if not complete and not options.tiny and shutil.disk_usage(options.folder).free < NEEDED_BYTES:
        sys.exit(
            f"{options.folder}: less than {NEEDED_BYTES >> 30} GB free, needed for the images; choose --images"
        )
    for name, sample in samples.items():
        print(f"images: {name}", flush=True)
        make_sample(sample)
    make_cache(samples["2mm"])


if __name__ == "__main__":
    main()
