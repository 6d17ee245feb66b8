"""The page's figure: wall time and peak memory against each thing that may grow."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from speed.measure import Cost
from speed.targets import find_floor

# What grows, and the cases that show it: (number, label, image, times that it is read).
CURVES = {
    "volumes": [(300, "2mm 100 labels", "2mm", 1), (1200, "long 100 labels", "long", 1)],
    "voxels (million)": [(0.325, "3mm 1 people", "3mm", 1), (1.082, "2mm 100 labels", "2mm", 1)],
    "ROIs": [
        (1, "2mm 1 sphere", "2mm", 1),
        (4, "2mm 4 spheres", "2mm", 1),
        (100, "2mm 100 labels", "2mm", 1),
        (400, "2mm 400 labels", "2mm", 1),
    ],
    "seeds": [(n, f"2mm {n} seeds", "2mm", 1) for n in (1, 4, 16)],
    "people (3 mm)": [(n, f"3mm {n} people", "3mm", n) for n in (1, 4, 10)],
}
_ROWS = (("wall_s", "wall time (s)"), ("peak_mib", "peak memory (MiB)"))


def write_figure(path: Path, costs: dict[str, Cost]) -> None:
    """Write the figure as SVG."""
    with mpl.rc_context({"font.size": 9, "svg.hashsalt": "rsconn", "svg.fonttype": "none"}):
        figure = plot_costs(costs)
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def plot_costs(costs: dict[str, Cost]) -> plt.Figure:
    """Draw a column per thing that grows; a row has one scale, so columns can be compared."""
    figure, axes = plt.subplots(2, len(CURVES), figsize=(11, 4.4), layout="constrained", sharey="row")
    for column, (thing, points) in zip(axes.T, CURVES.items(), strict=True):
        numbers = [number for number, *_ in points]
        for axis, (name, unit) in zip(column, _ROWS, strict=True):
            axis.plot(
                numbers, [getattr(costs[label], name) for _, label, *_ in points], "o-", color="#1f5fa6"
            )
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#dddddd", linewidth=0.6)
            axis.set_ylabel(unit if thing == "volumes" else "")
        floor = [times * find_floor(costs, image).wall_s for *_, image, times in points]
        column[0].plot(numbers, floor, "--", color="#777777", label="decompression alone")
        column[-1].set_xlabel(thing)
    axes[0, 2].legend(frameon=False, loc="upper left")
    for axis in axes.flat:
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
    return figure
