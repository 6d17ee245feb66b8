"""Tables behind the pictures of seed maps: each model in one row, the regions, and where each slice lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

AXES = ("x", "y", "z")
# What the slices of each axis span in mm, inside the brain of the MNI templates.
SPANS = {"x": (-58, 58), "y": (-92, 62), "z": (-32, 66)}
LEAST_GAP_MM = 6
STATISTICS = {
    "max_t": ("logpfwe", "largest |t|"),
    "size": ("logpsize", "cluster extent"),
    "mass": ("logpmass", "cluster mass"),
    "tfce": ("logptfce", "TFCE"),
}


def read_descriptions(folder: Path) -> list[dict[str, Any]]:
    """Return what stands in every ``<seed>_models.json`` of group/maps, by name of the file."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*_models.json"))]


def tabulate_models(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per seed and model: people, thresholds, voxels that pass, or why there is no test.

    Parameters
    ----------
    descriptions : sequence of mappings
        From `read_descriptions`.
    """
    rows = [_describe(seed, model) for seed in descriptions for model in seed["models"]]
    return pd.DataFrame(rows)


def _describe(seed: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    shared = ("n_voxels", "n_voxels_left_out", "min_people_share", "smoothing_fwhm_mm", "n_runs")
    own = (
        "method", "n_permutations", "permutation_seed", "alpha", "dof", "cluster_forming_p", "cluster_forming_t",
        "connectivity", "n_clusters",
    )  # fmt: skip
    counts = model.get("n_per_group") or {}
    row = {
        "seed": seed["seed"],
        "model": model["name"],
        "kind": model["kind"],
        "positive": model["positive"],
        "negative": model["negative"],
        "n": model["n"],
        "n_a": counts.get("a"),
        "n_b": counts.get("b"),
        "covariates": ", ".join(model["covariates"]),
        "reason": model["reason"],
    }
    row |= {name: model.get(name) for name in own} | {name: seed.get(name) for name in shared}
    for name in STATISTICS:
        row[f"critical_{name}"] = (model.get("critical") or {}).get(name)
        row[f"n_significant_{name}"] = (model.get("n_significant_voxels") or {}).get(name)
    return row


def choose_slices(rois: pd.DataFrame, clusters: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return where a mosaic is cut: through the regions, the peaks of the largest clusters, and in between.

    Parameters
    ----------
    rois : DataFrame
        roi, x_mm, y_mm, z_mm.
    clusters : DataFrame
        cluster, peak_x, peak_y, peak_z of one model, the largest mass first.
    n : int
        Slices per axis.

    Returns
    -------
    DataFrame
        axis, mm, through (names of what the slice was chosen for; empty where it fills a gap); n rows per axis.

    Examples
    --------
    >>> rois = pd.DataFrame({"roi": ["A"], "x_mm": [-36.2], "y_mm": [18.0], "z_mm": [2.0]})
    >>> clusters = pd.DataFrame({"cluster": [1], "peak_x": [9.5], "peak_y": [20.0], "peak_z": [40.0]})
    >>> choose_slices(rois, clusters, 3).query("axis == 'x'").values.tolist()
    [['x', -36, 'A'], ['x', 10, 'peak of cluster 1'], ['x', 58, '']]
    """
    rows = []
    for axis in AXES:
        wanted = [(row["roi"], row[f"{axis}_mm"]) for _, row in rois.iterrows()]
        peaks = clusters.head(2)
        wanted += [
            (f"peak of cluster {int(row['cluster'])}", row[f"peak_{axis}"]) for _, row in peaks.iterrows()
        ]
        places = _merge_places(wanted, n)
        _fill_gaps(places, SPANS[axis], n)
        rows += [(axis, mm, " and ".join(places[mm])) for mm in sorted(places)]
    return pd.DataFrame(rows, columns=["axis", "mm", "through"])


def _merge_places(wanted: Sequence[tuple[str, float]], n: int) -> dict[int, list[str]]:
    """Return whole mm and what lies there, at most n; what is nearer than the least gap shares a slice."""
    places: dict[int, list[str]] = {}
    for name, value in wanted:
        if not np.isfinite(value):
            continue
        near = [mm for mm in places if abs(mm - value) < LEAST_GAP_MM]
        if near:
            places[min(near, key=lambda mm: abs(mm - value))].append(name)
        elif len(places) < n:
            places[round(value)] = [name]
    return places


def _fill_gaps(places: dict[int, list[str]], span: tuple[int, int], n: int) -> None:
    """Add, one after the other, the place that is farthest from all that are there."""
    candidates = np.arange(span[0], span[1] + 1)
    while len(places) < n:
        taken = np.array(sorted(places) or [10_000])
        apart = np.abs(candidates[:, None] - taken[None, :]).min(axis=1)
        places[int(candidates[apart.argmax()])] = []
