"""Write what was measured: a table, the targets, and a figure."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from speed.measure import Cost
from speed.plan import Target, find_floor, list_targets

CURVES = {
    "volumes": [(300, "2mm 100 labels"), (1200, "long 100 labels")],
    "voxels (million)": [(0.325, "3mm 100 labels"), (1.082, "2mm 100 labels")],
    "ROIs": [(1, "2mm 1 sphere"), (4, "2mm 4 spheres"), (100, "2mm 100 labels"), (400, "2mm 400 labels")],
    "seeds": [(1, "2mm 1 seeds"), (4, "2mm 4 seeds"), (16, "2mm 16 seeds")],
    "people (3 mm)": [(1, "3mm 1 people"), (4, "3mm 4 people"), (10, "3mm 10 people")],
}

PAGE = """# Performance

Written by `make bench` (benchmarks/run.py). Medians of {repeats} interleaved runs. Each case is a whole process with
its imports, one thread per numerical library; the files are in the page cache. {machine}.
Only ratios carry over to other machines. The images are synthetic: 97 x 115 x 97 voxels of 2 mm, or 65 x 77 x 65 of
3 mm; 300 volumes of 2 s, or 1,200 of 0.72 s ("long"); int16 with a slope, or float32; gzip level 1, as nibabel writes.

## Against the targets

"Decompression" is the faster of isal and zlib-ng on the same file, nothing else done.

| ratio or amount | measured | asked for | met |
|---|---|---|---|
{targets}

## All cases

| case | wall (s) | processor (s) | peak memory (MiB) |
|---|---|---|---|
{cases}

![Wall time and peak memory against volumes, voxels, ROIs, seeds and people](performance.svg)

## What is left above decompression

| step | wall (s) |
|---|---|
| decompression alone | {floor:.2f} |
| our reader, numpy imported, nothing computed | {stream:.2f} |
| 100 labels summed, cleaned and correlated | {labels:.2f} |
| Python and numpy started, nothing read | {start:.2f} |

Gathering and summing run beside the decompressor. A reader in C could gain no more than the difference between the
first line and the third, {gain:.0f} % of the whole; a batch of runs pays the start once.

## A cache of in-mask voxels

An uncompressed array of the voxels in the mask would give the series again in {cache:.2f} s instead of {labels:.2f} s.
It is not built: ROI variants, kernels, seeds and recipes are rows of one pass already, so a second pass is rare, and
the cache would take {share:.0f} % of the compressed image's space once more for every run.

## Seed maps and memory

The products of the band take 4 bytes x voxels in the mask x dimensions of the band (83 for 300 volumes of 2 s between
0.01 and 0.08 Hz; about 2 x duration x bandwidth in general), whatever the number of volumes, seeds and recipes. Above
1 GiB, for example without a low-pass, the voxels are taken in several passes.
"""


def write_page(folder: Path, costs: dict[str, Cost], repeats: int, cache_share: float) -> None:
    """Write performance.md, performance.tsv and performance.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{label}\t{c.wall_s:.3f}\t{c.cpu_s:.3f}\t{c.peak_mib:.1f}\n" for label, c in costs.items()]
    (folder / "performance.tsv").write_text(
        "case\twall_s\tcpu_s\tpeak_mib\n" + "".join(rows), encoding="utf-8"
    )
    (folder / "performance.md").write_text(_write_text(costs, repeats, cache_share), encoding="utf-8")
    figure = plot_costs(costs)
    with mpl.rc_context({"svg.hashsalt": "rsconn"}):
        figure.savefig(folder / "performance.svg", metadata={"Date": None})
    plt.close(figure)


def plot_costs(costs: dict[str, Cost]) -> plt.Figure:
    """Draw wall time and peak memory against each thing that may grow."""
    with mpl.rc_context({"font.size": 9}):
        figure, axes = plt.subplots(2, len(CURVES), figsize=(12, 4.6), layout="constrained")
    for column, (thing, points) in enumerate(CURVES.items()):
        numbers = [number for number, _ in points]
        for row, (name, unit) in enumerate((("wall_s", "wall time (s)"), ("peak_mib", "peak memory (MiB)"))):
            axis = axes[row, column]
            axis.plot(numbers, [getattr(costs[label], name) for _, label in points], "o-", color="#1f5fa6")
            axis.set_ylim(bottom=0)
            axis.set_xlim(left=0)
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_xlabel(thing if row else "")
            axis.set_ylabel(unit if column == 0 else "")
    return figure


def _write_text(costs: dict[str, Cost], repeats: int, cache_share: float) -> str:
    floor, labels = find_floor(costs, "2mm").wall_s, costs["2mm 100 labels"].wall_s
    return PAGE.format(
        repeats=repeats,
        machine=f"{os.cpu_count()} processors, {platform.machine()}, Python {platform.python_version()}",
        targets="\n".join(_write_target(target) for target in list_targets(costs)),
        cases="\n".join(
            f"| {label} | {c.wall_s:.2f} | {c.cpu_s:.2f} | {c.peak_mib:.0f} |" for label, c in costs.items()
        ),
        floor=floor,
        stream=costs["2mm stream"].wall_s,
        labels=labels,
        start=costs["start Python with numpy"].wall_s,
        gain=100 * (1 - floor / labels),
        cache=costs["2mm cache 100 labels"].wall_s,
        share=100 * cache_share,
    )


def _write_target(target: Target) -> str:
    bound = f"{'>=' if target.at_least else '<='} {target.limit:g}"
    return f"| {target.text} | {target.value:.2f} | {bound} | {'yes' if target.met else 'no'} |"
