"""All edges of a claim in one picture: t below the diagonal, what survives the correction above it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rsconn.report.figures.style import FAINT_INK, INK, RULE, make_figure, plot_nothing, use_style

# Blue to red through white: told apart with every common colour vision deficiency.
_COLOURS = "RdBu_r"
# With fewer regions each has its name at the side.
_MOST_NAMED = 40
# A network of fewer regions has no room for its name.
_LEAST_SHARE = 0.02


def order_regions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the regions of a matrix table by network, then as they come: columns `roi` and `network`.

    Examples
    --------
    >>> table = pd.DataFrame({"roi_1": ["A", "A", "B"], "roi_2": ["B", "C", "C"],
    ...                       "network_1": ["y", "y", "x"], "network_2": ["x", "y", "y"]})
    >>> order_regions(table)["roi"].tolist()
    ['A', 'C', 'B']
    """
    sides = [
        table[[f"roi_{side}", f"network_{side}"]].set_axis(["roi", "network"], axis="columns")
        for side in (1, 2)
    ]
    regions = pd.concat(sides).drop_duplicates("roi").reset_index(drop=True)
    regions["network"] = regions["network"].fillna("")
    rank = {name: place for place, name in enumerate(dict.fromkeys(regions["network"]))}
    return regions.sort_values("network", key=lambda names: names.map(rank), kind="stable", ignore_index=True)


def plot_edge_matrix(table: pd.DataFrame, *, alpha: float, simulated: bool) -> Figure:
    """Draw group/matrix_<claim>.tsv.

    Parameters
    ----------
    table : DataFrame
        `rsconn.study.claims.many_edges.MATRIX_COLUMNS`.
    alpha : float
        Edges with a smaller corrected p are repeated above the diagonal.
    simulated : bool
        Whether the figure carries the mark.
    """
    with use_style():
        if not len(table):
            return plot_nothing("This claim could not be tested.", simulated=simulated)
        regions = order_regions(table)
        n_rois = len(regions)
        place = {name: index for index, name in enumerate(regions["roi"])}
        rows, columns = (table[f"roi_{side}"].map(place).to_numpy() for side in (1, 2))
        low, high = np.maximum(rows, columns), np.minimum(rows, columns)
        t = table["t"].to_numpy(float)
        significant = table["p_fwe"].to_numpy(float) < alpha
        image = np.full((n_rois, n_rois), np.nan)
        image[low, high] = t
        image[high[significant], low[significant]] = t[significant]
        figure = make_figure(6.6, 5.9, simulated=simulated)
        axes = figure.subplots()
        limit = max(float(np.nanmax(np.abs(t), initial=0)), 1e-9)
        axes.set_facecolor("#F2F4F7")
        shown = axes.imshow(image, cmap=_COLOURS, vmin=-limit, vmax=limit, interpolation="nearest")
        _outline(axes, image, significant.sum(), high[significant], low[significant])
        axes.set_xticks([])
        axes.set_yticks([])
        _mark_networks(axes, regions["network"].tolist())
        if n_rois <= _MOST_NAMED:
            _name_places(axes, range(n_rois), regions["roi"].tolist())
        axes.plot([-0.5, n_rois - 0.5], [-0.5, n_rois - 0.5], color=FAINT_INK, linewidth=0.6)
        axes.set(xlim=(-0.5, n_rois - 0.5), ylim=(n_rois - 0.5, -0.5))
        bar = figure.colorbar(shown, ax=axes, shrink=0.7, pad=0.02)
        bar.set_label("t (below the diagonal: every edge)")
        bar.outline.set_visible(False)
        axes.set_title(
            f"{int(significant.sum())} of {int(np.isfinite(t).sum())} edges survive (corrected p < {alpha:g});\n"
            "they stand above the diagonal",
            fontsize=9,
        )
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return figure


def _outline(axes: Axes, image: np.ndarray, count: int, rows: np.ndarray, columns: np.ndarray) -> None:
    """Frame the edges that survive where they are few and small, so that single cells are seen."""
    if not 0 < count <= 200:
        return
    margin = 0.5 if len(image) < _MOST_NAMED else 1.0
    for row, column in zip(rows, columns, strict=True):
        corner = (column - margin, row - margin)
        axes.add_patch(Rectangle(corner, 2 * margin, 2 * margin, fill=False, edgecolor=INK, linewidth=0.7))


def _mark_networks(axes: Axes, networks: Sequence[str]) -> None:
    starts = [0, *(i for i in range(1, len(networks)) if networks[i] != networks[i - 1]), len(networks)]
    if len(starts) == 2:
        return
    for start in starts[1:-1]:
        axes.axhline(start - 0.5, color=RULE, linewidth=0.5)
        axes.axvline(start - 0.5, color=RULE, linewidth=0.5)
    if len(networks) > _MOST_NAMED:
        middles = [
            ((first + last - 1) / 2, networks[first] or "none")
            for first, last in itertools.pairwise(starts)
            if last - first >= _LEAST_SHARE * len(networks)
        ]
        _name_places(axes, [middle for middle, _ in middles], [name for _, name in middles])


def _name_places(axes: Axes, places: Sequence[float], names: Sequence[str]) -> None:
    axes.set_yticks(places, names, fontsize=7)
    axes.set_xticks(places, names, rotation=90, fontsize=7)
