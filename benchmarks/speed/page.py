"""Write docs/performance.md and its figure from what is kept."""

from __future__ import annotations

from pathlib import Path

from speed.figure import write_figure
from speed.plan import READERS, SECTIONS
from speed.results import Section, is_current
from speed.samples import Sample
from speed.targets import find_floor, list_targets

HEAD = """# Performance

Written by `make bench` (`benchmarks/run.py`), which measures everything here again; `--only SECTION` measures one
section. Medians of interleaved runs (nilearn: of at most three). Each case is a whole process with its imports, one
thread per numerical library, files in the page cache. Only ratios within a section carry over to other machines.
The images are synthetic: 97 x 115 x 97 voxels of 2 mm, or 65 x 77 x 65 of 3 mm; 300 volumes of 2 s, or 1,200 of
0.72 s ("long"); int16 with a slope, or float32; gzip level 1, as nibabel writes. "Decompression" is the faster of
isal and zlib-ng on the same file, measured in the same section, with nothing else done. ROI series are cleaned of
16 confounds and of frequencies outside 0.01-0.08 Hz. nilearn does the same with its Butterworth filter; its seed
maps with its cosine filter, which has no low-pass and is the fastest of its ways.

| section | load before | BLAS kernel | runs | machine | code |
|---|---|---|---|---|---|
{circumstances}

## Against the limits

| what | measured | limit | holds |
|---|---|---|---|
{targets}
"""
GROWTH = """
![Wall time and peak memory against volumes, voxels, ROIs, seeds and people](performance.svg)

100 labels where nothing else is said; the maps' pass makes the series of 100 labels as well. ROI series keep a few
volumes in memory, whatever the number of volumes. Seed maps keep 4 bytes x voxels x dimensions. Voxels are those of
the mask and, for smoothed maps, their neighbours; dimensions are the degrees of freedom of the one recipe or, for
several recipes, those of the band (83 for 300 volumes of 2 s between 0.01 and 0.08 Hz; about 2 x duration x bandwidth
in general), whatever the number of seeds and recipes. Above 1 GiB, for example without a low-pass, the voxels are
taken in several passes. A batch of people is one process, which pays its start once.
"""
LEFT = """
Of {labels:.2f} s wall time for 100 labels, decompression alone takes {floor:.2f} s; starting Python with numpy
{start:.2f} s. Gathering and summing run beside the decompressor in a thread of their own, so they cost processor
time ({cpu:.2f} s in all, {floor_cpu:.2f} s of it decompression) and hardly wall time. A reader in C could gain no
more than what is not decompression, {gain:.0f} % of the wall time and {cpu_gain:.0f} % of the processor time, and the
start is part of that unless the whole step is written in C.

**A cache of in-mask voxels** is not built. Read uncompressed from such a cache the series of 100 labels take
{cache:.2f} s instead of {labels:.2f} s, {times:.1f} x as fast; it would take {share:.0f} % of the compressed
image's space once more for every run. ROI variants, kernels, seeds and recipes are rows of one pass already, so a
second pass is rare (docs/decisions.md).
"""
TOGETHER = """
Two runs at once need twice the processor time of one run, {cpu:.2f} s each: on {n} processors they cannot take less
than {bound:.2f} x the wall time of one run, whose own two threads leave a processor idle now and then. Two
decompressors at once, nothing else done: {floor:.2f} x.
"""


def write_page(folder: Path, results: dict[str, Section], sample: Sample) -> None:
    """Write performance.md and, if its section is kept, performance.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in SECTIONS if name in results]
    text = HEAD.format(
        circumstances="\n".join(_write_circumstances(name, results[name]) for name in names),
        targets="\n".join(row for name in names for row in _write_targets(name, results[name])),
    )
    missing = [SECTIONS[name] for name in SECTIONS if name not in results]
    if missing:
        text += f"\nNot measured yet: {', '.join(missing)}.\n"
    for name in names:
        text += f"\n## {SECTIONS[name]}\n\n{_write_section(name, results[name], sample)}"
    (folder / "performance.md").write_text(text, encoding="utf-8")
    if "growth" in results:
        write_figure(folder / "performance.svg", results["growth"].costs)


def _write_circumstances(name: str, section: Section) -> str:
    seen = section.circumstances
    machine = f"{seen['n_processors']} x {seen['processor']}, Python {seen['python']}"
    code = "as now" if is_current(section) else "older"
    return f"| {name} | {seen['load']:.2f} | {seen['kernel']} | {seen['repeats']} | {machine} | {code} |"


def _write_targets(name: str, section: Section) -> list[str]:
    return [
        f"| {target.text} | {target.value:.2f} | {'>=' if target.at_least else '<='} {target.limit:g} | "
        f"{'yes' if target.holds else '**no**'} |"
        for target in list_targets(name, section)
    ]


def _write_section(name: str, section: Section, sample: Sample) -> str:
    if name == "permutation":
        return "\n".join(
            f"`benchmarks/{script}`\n\n```text\n{text}```\n" for script, text in section.texts.items()
        )
    rows = [
        f"| {label} | {cost.wall_s:.2f} | {cost.cpu_s:.2f} | {cost.peak_mib:.0f} |\n"
        for label, cost in section.costs.items()
    ]
    table = "| case | wall (s) | processor (s) | peak memory (MiB) |\n|---|---|---|---|\n" + "".join(rows)
    if name == "growth":
        return table + GROWTH
    if name == "together":
        return table + _write_together(section)
    return table + (_write_left(section, sample) if name == "left" else "")


def _write_together(section: Section) -> str:
    costs, n = section.costs, section.circumstances["n_processors"]
    one = costs["2mm 100 labels"]
    reader = min(READERS, key=lambda reader: costs[f"2mm {reader}"].wall_s)
    return TOGETHER.format(
        cpu=one.cpu_s,
        n=n,
        bound=max(1.0, 2 * one.cpu_s / (n * one.wall_s)),
        floor=costs[f"2mm {reader}, two at once"].wall_s / costs[f"2mm {reader}"].wall_s,
    )


def _write_left(section: Section, sample: Sample) -> str:
    costs, floor = section.costs, find_floor(section.costs)
    labels, cache = costs["2mm 100 labels"], costs["2mm cache 100 labels"].wall_s
    return LEFT.format(
        labels=labels.wall_s,
        cpu=labels.cpu_s,
        floor=floor.wall_s,
        floor_cpu=floor.cpu_s,
        start=costs["start Python with numpy"].wall_s,
        gain=max(0.0, 100 * (1 - floor.wall_s / labels.wall_s)),
        cpu_gain=max(0.0, 100 * (1 - floor.cpu_s / labels.cpu_s)),
        cache=cache,
        times=labels.wall_s / cache,
        share=100 * sample.cache.stat().st_size / sample.run.stat().st_size,
    )
