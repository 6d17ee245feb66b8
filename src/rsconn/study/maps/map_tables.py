"""Tables of maps: clusters with their peaks and names, and how near they come to the study's regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.inference.voxelwise import MapTest
from rsconn.study.maps.map_designs import MapDesign

# maps.primary: what the tables call that correction
PRIMARY_CORRECTIONS = {"mass": "mass", "extent": "size", "max-t": "max_t", "tfce": "tfce"}
_CLUSTER_P = {"mass": "p_mass", "size": "p_size", "max_t": "p_fwe", "tfce": "p_tfce"}
CLUSTER_TEXTS = {
    "seed": "Seed region.",
    "model": "Model; see the .json of the seed.",
    "cluster": "Number within the model, the largest mass first; the value in the labels map.",
    "direction": "What the sign of t means.",
    "n_voxels": "Voxels, joined by their faces.",
    "size_mm3": "Volume.",
    "mass": "Sum of |t| - threshold.",
    "p_primary": "Family-wise corrected p by the primary correction (maps.primary), one of the following.",
    "p_size": "Family-wise corrected p of the extent.",
    "p_mass": "Family-wise corrected p of the mass.",
    "p_fwe": "Family-wise corrected p of the peak, by the largest |t|.",
    "p_tfce": "Smallest family-wise corrected p by TFCE within the cluster; n/a without TFCE.",
    "peak_t": "t of the peak, the largest |t| of the cluster.",
    "peak_dof": "Its degrees of freedom.",
    "peak_x": "MNI, mm.",
    "peak_y": "MNI, mm.",
    "peak_z": "MNI, mm.",
    "region": "Nearest landmark to the peak: names and centres of Dosenbach et al. (2010), as nilearn has them.",
    "region_distance_mm": "Its distance from the peak.",
    "nearest_roi": "The study's region nearest to the peak, the seed left out.",
    "nearest_roi_distance_mm": "Distance of the peak from that region's centre.",
}
ROI_TEXTS = {
    "seed": "Seed region.",
    "model": "Model; see the .json of the seed.",
    "roi": "Region of the study.",
    "roi_x": "Centre, MNI, mm.",
    "roi_y": "Centre, MNI, mm.",
    "roi_z": "Centre, MNI, mm.",
    "n_voxels": "Voxels of the region that were tested.",
    "share_tested": "Their share of the region's voxels; the others have signal in too few people.",
    "mean_t": "Mean t of those voxels.",
    "max_abs_t": "Largest |t| of those voxels, with its sign.",
    "min_p_fwe": "Smallest family-wise corrected p of those voxels.",
    "share_max_t": "Share of those voxels with a corrected p at most inference.alpha, by the largest |t|.",
    "share_size": "... by the extent of their cluster.",
    "share_mass": "... by its mass.",
    "share_tfce": "... by TFCE; n/a without TFCE.",
    "nearest_cluster": "Cluster whose peak is nearest to the centre; n/a if there is no cluster.",
    "peak_distance_mm": "Distance of that peak from the centre.",
    "voxel_distance_mm": "Distance of the nearest voxel of any cluster from the centre.",
    "significant_voxel_distance_mm": "The same, for voxels that pass by the primary correction at inference.alpha.",
}


@dataclass(frozen=True, eq=False)
class Places:
    """Named points in MNI space.

    Attributes
    ----------
    names : tuple of str
    centers : float64 array (n_places, 3)
        mm; NaN where a place is outside the images.
    """

    names: tuple[str, ...]
    centers: FloatArray

    def without(self, name: str) -> Places:
        """Return the other places."""
        kept = [index for index, each in enumerate(self.names) if each != name]
        return Places(tuple(self.names[index] for index in kept), self.centers[kept])

    def find_nearest(self, point: FloatArray) -> tuple[str, float]:
        """Return the name of the nearest place and its distance in mm.

        Examples
        --------
        >>> Places(("A", "B"), np.array([[0.0, 0, 0], [9.0, 0, 0]])).find_nearest(np.array([6.0, 0, 4]))
        ('B', 5.0)
        """
        distances = np.linalg.norm(self.centers - point, axis=1)
        if not np.isfinite(distances).any():
            return "n/a", float("nan")
        nearest = int(np.nanargmin(distances))
        return self.names[nearest], float(distances[nearest])


def tabulate_clusters(
    seed: str,
    design: MapDesign,
    test: MapTest,
    points: FloatArray,
    voxel_mm3: float,
    *,
    landmarks: Places,
    rois: Places,
    primary: str = "mass",
) -> pd.DataFrame:
    """Return one row per cluster (`CLUSTER_TEXTS`).

    Parameters
    ----------
    points : float64 array (n_voxels, 3)
        MNI mm of the voxels of the test.
    voxel_mm3 : float
        Volume of a voxel.
    landmarks : Places
        What peaks are named by.
    rois : Places
        The study's regions.
    """
    rows = []
    for number, peak in enumerate(find_peaks(test), 1):
        inside = test.labels == number
        row: dict[str, Any] = {
            "seed": seed,
            "model": design.name,
            "cluster": number,
            "direction": design.text if test.t[peak] > 0 else design.opposite,
            "n_voxels": int(test.sizes[number - 1]),
            "size_mm3": test.sizes[number - 1] * voxel_mm3,
            "mass": test.masses[number - 1],
            "p_primary": np.nan,
            "p_size": test.size_p[number - 1],
            "p_mass": test.mass_p[number - 1],
            "p_fwe": test.p[inside].min(),
            "p_tfce": np.nan if test.tfce_p is None else test.tfce_p[inside].min(),
            "peak_t": test.t[peak],
            "peak_dof": int(test.dof[peak]),
        }
        row["p_primary"] = row[_CLUSTER_P[primary]]
        row |= dict(zip(("peak_x", "peak_y", "peak_z"), points[peak], strict=True))
        row["region"], row["region_distance_mm"] = landmarks.find_nearest(points[peak])
        nearest = rois.without(seed).find_nearest(points[peak])
        row["nearest_roi"], row["nearest_roi_distance_mm"] = nearest
        rows.append(row)
    return pd.DataFrame(rows, columns=list(CLUSTER_TEXTS))


def tabulate_roi_tests(
    seed: str,
    design: MapDesign,
    test: MapTest,
    points: FloatArray,
    *,
    rois: Places,
    members: Sequence[NDArray[np.intp]],
    sizes: Sequence[int],
    alpha: float,
    primary: str = "mass",
) -> pd.DataFrame:
    """Return one row per region of the study (`ROI_TEXTS`).

    Parameters
    ----------
    members : sequence of int arrays
        Places, among the voxels of the test, of each region's voxels.
    sizes : sequence of int
        Voxels of each region, tested or not.
    alpha : float
        Level of significance.
    primary : str
        The primary correction, as `list_voxel_p` calls it.
    """
    peaks = find_peaks(test)
    summits = Places(tuple(str(number) for number in range(1, len(peaks) + 1)), points[peaks])
    passed = {name: p <= alpha for name, p in list_voxel_p(test).items()}
    rows = []
    for name, center, voxels, size in zip(rois.names, rois.centers, members, sizes, strict=True):
        row: dict[str, Any] = {"seed": seed, "model": design.name, "roi": name}
        row |= dict(zip(("roi_x", "roi_y", "roi_z"), center, strict=True))
        row |= _summarise(test, voxels, size) | _share(test, voxels, passed)
        row["nearest_cluster"], row["peak_distance_mm"] = summits.find_nearest(center)
        row["voxel_distance_mm"] = _measure(points[test.labels > 0], center)
        row["significant_voxel_distance_mm"] = _measure(points[passed[primary]], center)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(ROI_TEXTS))


def find_peaks(test: MapTest) -> NDArray[np.intp]:
    """Return the voxel of the largest |t| of every cluster, shape (n_clusters,)."""
    peaks = []
    for number in range(1, len(test.sizes) + 1):
        inside = np.flatnonzero(test.labels == number)
        peaks.append(inside[np.abs(test.t[inside]).argmax()])
    return np.array(peaks, dtype=np.intp)


def list_voxel_p(test: MapTest) -> dict[str, FloatArray]:
    """Return the corrected p of every voxel (n_voxels,) by each correction; 1 outside clusters, NaN untested."""
    found = {
        "max_t": test.p,
        "size": np.r_[1.0, test.size_p][test.labels],
        "mass": np.r_[1.0, test.mass_p][test.labels],
    }
    return found if test.tfce_p is None else found | {"tfce": test.tfce_p}


def _summarise(test: MapTest, voxels: NDArray[np.intp], size: int) -> dict[str, Any]:
    tested = voxels[np.isfinite(test.t[voxels])]
    if not tested.size:
        return {
            "n_voxels": 0,
            "share_tested": 0.0,
            "mean_t": np.nan,
            "max_abs_t": np.nan,
            "min_p_fwe": np.nan,
        }
    t = test.t[tested]
    return {
        "n_voxels": int(t.size),
        "share_tested": t.size / size,
        "mean_t": t.mean(),
        "max_abs_t": t[np.abs(t).argmax()],
        "min_p_fwe": test.p[tested].min(),
    }


def _share(
    test: MapTest, voxels: NDArray[np.intp], passed: Mapping[str, NDArray[np.bool_]]
) -> dict[str, float]:
    """Return which share of a region's tested voxels each correction lets pass."""
    tested = voxels[np.isfinite(test.t[voxels])]
    names = ("max_t", "size", "mass", "tfce")
    return {
        f"share_{name}": float(passed[name][tested].mean()) if name in passed and tested.size else np.nan
        for name in names
    }


def _measure(points: FloatArray, center: FloatArray) -> float:
    if not len(points) or not np.isfinite(center).all():
        return float("nan")
    return float(np.linalg.norm(points - center, axis=1).min())


def read_landmarks() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the 160 names and centres (n, 3), MNI mm, of Dosenbach et al. (2010), which nilearn carries.

    References
    ----------
    Dosenbach et al. (2010), Science 329:1358-1361.
    """
    from nilearn.datasets import fetch_coords_dosenbach_2010

    found = fetch_coords_dosenbach_2010()
    centers = np.column_stack([np.asarray(found.rois[axis], dtype=float) for axis in "xyz"])
    return tuple(str(label) for label in found.labels), centers
