"""Make the images that benchmarks/run.py reads, where they are not there yet: `make_samples.py DIR`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from speed.plan import list_samples
from speed.samples import make_cache, make_sample

NEEDED_BYTES = 5 << 30

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    samples = list_samples(folder)
    if shutil.disk_usage(folder).free < NEEDED_BYTES and not all(
        one.run.exists() for one in samples.values()
    ):
        sys.exit(f"{folder}: less than {NEEDED_BYTES >> 30} GB free, needed for the images; choose --images")
    for name, sample in samples.items():
        print(f"images: {name}", flush=True)
        make_sample(sample)
    make_cache(samples["2mm"])
