"""A small group/maps as the group step writes it, with one block of large t at dmPFC."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.files.image_headers import ImageHeader
from rsconn.files.writing import write_map
from rsconn.study.maps.found_regions import PlantedPlace

AFFINE = np.array([[6.0, 0, 0, -78], [0, 6, 0, -114], [0, 0, 6, -72], [0, 0, 0, 1]])
SHAPE = (27, 33, 27)
SPHERE = {"kind": "sphere", "source": "s"}
SETTINGS = {
    "rois": {
        "rois": [
            {"name": "LAI", "sphere": {"center_mm": [-36, 18, 2], "radius_mm": 6}, **SPHERE},
            {"name": "dmPFC", "sphere": {"center_mm": [0, 51, 32], "radius_mm": 6}, **SPHERE},
        ]
    }
}
MODEL = {
    "name": "group", "kind": "contrast", "positive": "a > b", "negative": "b > a", "n": 20, "alpha": 0.05,
    "n_per_group": {"a": 11, "b": 9}, "covariates": ["age", "sex"], "reason": "", "n_permutations": 500,
    "permutation_seed": 1, "dof": 16, "cluster_forming_p": 0.001, "cluster_forming_t": 3.9, "n_clusters": 2,
    "method": "Freedman-Lane", "primary": "mass", "connectivity": "faces (6 neighbours)",
    "critical": {"max_t": 5.5, "size": 12, "mass": 20.5, "tfce": 900.0},
    "n_significant_voxels": {"max_t": 1, "size": 27, "mass": 27, "tfce": 0},
}  # fmt: skip
PLACES = (PlantedPlace("LAI", "group", "a > b", "dmPFC", (0.0, 51.0, 32.0), 12.0),)
CLUSTERS = pd.DataFrame({
    "seed": "LAI", "model": "group", "cluster": [1, 2], "direction": ["a > b", "b > a"], "n_voxels": [27, 2],
    "size_mm3": [5832.0, 432.0], "mass": [40.0, 1.5], "p_primary": [0.006, 0.7], "p_size": [0.004, 0.6],
    "p_mass": [0.006, 0.7],
    "p_fwe": [0.02, 0.4], "p_tfce": [0.07, 0.8], "peak_t": [6.2, -4.4], "peak_dof": [16, 16],
    "peak_x": [0.0, -54.0], "peak_y": [48.0, -66.0], "peak_z": [30.0, 24.0], "region": ["mPFC 4", "IPL 1"],
    "region_distance_mm": [9.0, 4.0], "nearest_roi": ["dmPFC", "dmPFC"], "nearest_roi_distance_mm": [3.6, 129.0],
})  # fmt: skip


def make_maps(folder: Path) -> None:
    """Write a small group/maps: a block of large t at dmPFC, noise elsewhere."""
    rng = np.random.default_rng(3)
    header = ImageHeader(Path("none"), SHAPE, 1, np.dtype("f4"), 1.0, 0.0, AFFINE, 0.0, 352)
    everywhere = np.arange(np.prod(SHAPE))
    t = rng.standard_normal(SHAPE)
    block = (slice(12, 15), slice(26, 29), slice(16, 19))
    t[block] = 5.0
    t[13, 27, 17] = 6.2
    maps = {"t": t, "logpfwe": np.zeros(SHAPE), "logpsize": np.zeros(SHAPE), "logptfce": np.full(SHAPE, 0.1)}
    maps["logpfwe"][13, 27, 17] = -np.log10(0.02)
    maps["logpsize"][block] = -np.log10(0.004)
    maps["logpmass"] = np.where(maps["logpsize"] > 0, -np.log10(0.006), 0.0)
    folder.mkdir(parents=True)
    files = {name: f"LAI_group_{name}.nii.gz" for name in maps}
    files |= {"a": "LAI_mean-a.nii.gz", "b": "LAI_mean-b.nii.gz", "n": "LAI_n.nii.gz"}
    people = np.full(SHAPE, 20)
    people[:, :, :8] = 12
    maps |= {"a": 0.1 * rng.standard_normal(SHAPE), "b": np.zeros(SHAPE), "n": people}
    for name, values in maps.items():
        write_map(folder / files[name], values.ravel(order="F").astype(np.float32), everywhere, header)
    counted = files.pop("n")
    means = {level: files.pop(level) for level in ("a", "b")}
    untested = {"name": "PT", "kind": "slope", "positive": "+", "negative": "-", "n": 3, "covariates": [],
                "reason": "n = 3 is too small for 4 parameters"}  # fmt: skip
    described = {
        "seed": "LAI", "people": [f"sub-{number:02d}" for number in range(20)],
        "n_voxels": 20000, "n_voxels_left_out": 40, "min_people_share": 0.9,
        "smoothing_fwhm_mm": 6.0, "voxel_size_mm": [6, 6, 6], "means": means, "n": counted, "n_runs": 21,
        "models": [{**MODEL, "files": files}, untested],
    }  # fmt: skip
    (folder / "LAI_models.json").write_text(json.dumps(described))
    CLUSTERS.to_csv(folder / "LAI_clusters.tsv", sep="\t", index=False)
    rois = {
        "seed": "LAI", "model": "group", "roi": ["LAI", "dmPFC"], "roi_x": [-36.0, 0.0], "roi_y": [18.0, 51.0],
        "roi_z": [2.0, 32.0], "n_voxels": [4, 4], "mean_t": [0.3, 4.9], "max_abs_t": [-0.9, 6.2],
        "min_p_fwe": [1.0, 0.02], "share_tested": [1.0, 0.8], "share_max_t": [0.0, 0.25], "share_size": [0.0, 1.0],
        "share_mass": [0.0, 1.0], "share_tfce": [0.0, 0.0], "nearest_cluster": [1, 1], "peak_distance_mm": [55.0, 3.6],
        "voxel_distance_mm": [50.0, 1.1], "significant_voxel_distance_mm": ["n/a", 1.1],
    }  # fmt: skip
    pd.DataFrame(rois).to_csv(folder / "LAI_rois.tsv", sep="\t", index=False)
