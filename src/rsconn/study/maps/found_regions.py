"""Regions that a map's significant voxels make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.inference.clusters import find_neighbours, form_clusters
from rsconn.inference.exceedances import Exceedances

# A p is stored as -log10 in float32: equal to alpha up to rounding is significant.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class FoundRegion:
    """Significant voxels that share faces and a sign.

    Attributes
    ----------
    voxels : int array (n,)
        Flat indices in file order.
    peak : int
        That of the largest |t|.
    peak_t : float
        Its t.
    p : float
        The smallest corrected p of the voxels.
    """

    voxels: NDArray[np.intp]
    peak: int
    peak_t: float
    p: float


def find_regions(
    t: FloatArray, log_p: FloatArray, shape: tuple[int, int, int], alpha: float
) -> tuple[FoundRegion, ...]:
    """Return the regions of a map, the largest sum of |t| first.

    Parameters
    ----------
    t : float64 array (n_voxels,)
        The whole grid in file order.
    log_p : float64 array (n_voxels,)
        -log10 of corrected p; 0 where there is none.
    shape : (int, int, int)
        The grid.
    alpha : float
        Voxels with p <= alpha make regions.

    Examples
    --------
    >>> t = np.array([4.0, 5, 1, -6])
    >>> [(region.voxels.tolist(), region.peak_t) for region in find_regions(t, t**2 / 10, (4, 1, 1), 0.05)]
    [([0, 1], 5.0), ([3], -6.0)]
    """
    voxels = np.flatnonzero(log_p >= -np.log10(alpha) - _ROUNDING)
    found = Exceedances(np.zeros(voxels.size, np.int64), np.arange(voxels.size), t[voxels])
    clusters = form_clusters(found, find_neighbours(voxels, shape), 0.0)
    members = [voxels[clusters.labels == label] for label in np.argsort(-clusters.masses, kind="stable")]
    return tuple(_describe(inside, t, log_p) for inside in members)


def _describe(voxels: NDArray[np.intp], t: FloatArray, log_p: FloatArray) -> FoundRegion:
    peak = int(voxels[np.abs(t[voxels]).argmax()])
    return FoundRegion(voxels, peak, float(t[peak]), float(10 ** -log_p[voxels].max()))


PLANTED_COLUMNS = (
    "seed", "model", "direction", "region", "x_mm", "y_mm", "z_mm", "radius_mm", "correction", "found", "n_planted",
    "n_found", "n_both", "dice", "peak_x", "peak_y", "peak_z", "peak_distance_mm", "smallest_p", "strongest_t",
)  # fmt: skip


@dataclass(frozen=True)
class PlantedPlace:
    """Where a simulated study planted what a model of a seed's map should find.

    Attributes
    ----------
    seed, model, region : str
    direction : str
        What is true there, as the model words it.
    center_mm : tuple of three floats
        MNI.
    radius_mm : float
    """

    seed: str
    model: str
    direction: str
    region: str
    center_mm: tuple[float, float, float]
    radius_mm: float

    def contains(self, points: FloatArray) -> NDArray[np.bool_]:
        """Return which points (n, 3), in mm, lie in it."""
        distances = np.linalg.norm(points - np.array(self.center_mm), axis=1)
        return np.asarray(distances <= self.radius_mm)


def compare_planted(
    place: PlantedPlace,
    sign: int,
    t: FloatArray,
    p: Mapping[str, FloatArray],
    points: FloatArray,
    alpha: float,
) -> list[dict[str, Any]]:
    """Return one row per correction (`PLANTED_COLUMNS`).

    A place is found if any voxel in it passes with the right sign. Dice, and the peak whose distance from the
    place's centre is given, are of every voxel of the brain that passes with that sign, so that what is found
    elsewhere tells.

    Parameters
    ----------
    place : PlantedPlace
    sign : int
        1 or -1: the sign of t that is true there.
    t : float64 array (n_voxels,)
        Voxels that were tested.
    p : mapping of str to float64 array (n_voxels,)
        Corrected p by each correction.
    points : float64 array (n_voxels, 3)
        mm.
    alpha : float

    Examples
    --------
    >>> place = PlantedPlace("A", "group", "a > b", "B", (0, 0, 0), 4)
    >>> points = np.column_stack([3.0 * np.arange(4), np.zeros(4), np.zeros(4)])
    >>> t, p = np.array([3.0, 4.0, 5.0, -6.0]), {"size": np.array([1.0, 0.01, 0.01, 0.01])}
    >>> [row] = compare_planted(place, 1, t, p, points, 0.05)
    >>> row["found"], row["n_both"], row["dice"], row["peak_distance_mm"]
    ('yes', 1, 0.5, 6.0)
    """
    inside, right = place.contains(points), sign * t > 0
    shared: dict[str, Any] = {
        "seed": place.seed, "model": place.model, "direction": place.direction, "region": place.region,
        **dict(zip(("x_mm", "y_mm", "z_mm"), place.center_mm, strict=True)), "radius_mm": place.radius_mm,
        "n_planted": int(inside.sum()), "strongest_t": _pick_strongest(sign * t, inside) * sign,
    }  # fmt: skip
    rows = []
    for name, values in p.items():
        passed = (values <= alpha) & right
        both = int((passed & inside).sum())
        row = shared | {"correction": name, "found": "yes" if both else "no", "n_found": int(passed.sum())}
        row |= {"n_both": both, "dice": _compute_dice(inside, passed)}
        row |= _locate_peak(place, sign * t, passed, points)
        row["smallest_p"] = float(values[inside & right].min()) if (inside & right).any() else 1.0
        rows.append(row)
    return rows


def tabulate_planted(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of `compare_planted` as a table."""
    return pd.DataFrame(rows, columns=list(PLANTED_COLUMNS))


def _pick_strongest(signed: FloatArray, inside: NDArray[np.bool_]) -> float:
    return float(signed[inside].max()) if inside.any() else float("nan")


def _compute_dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else float("nan")


def _locate_peak(
    place: PlantedPlace, signed: FloatArray, passed: NDArray[np.bool_], points: FloatArray
) -> dict[str, float]:
    names = ("peak_x", "peak_y", "peak_z", "peak_distance_mm")
    if not passed.any():
        return dict.fromkeys(names, float("nan"))
    peak = points[np.flatnonzero(passed)[signed[passed].argmax()]]
    values = (*peak, np.linalg.norm(peak - np.array(place.center_mm)))
    return {name: float(value) for name, value in zip(names, values, strict=True)}
