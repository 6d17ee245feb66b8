"""What is written beside a seed's maps: its people, models, thresholds and files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.inference.voxelwise import MapTest, compute_critical
from rsconn.settings.config import Config
from rsconn.steps.seed_images import SeedImages
from rsconn.study.columns import Column
from rsconn.study.map_designs import MapDesign
from rsconn.study.map_tables import list_voxel_p

FOLDER = Path("group/maps")


def list_levels(config: Config) -> tuple[str, ...]:
    """Return the groups that have a mean map; ``all`` where there are no groups."""
    return tuple(config.groups.levels) if config.groups else ("all",)


def list_maps(test: MapTest) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the maps of a test, by the last part of their file's name; each (n_voxels,)."""
    yield "t", test.t
    yield "logpfwe", -np.log10(test.p)
    for name, p in (("logpsize", test.size_p), ("logpmass", test.mass_p)):
        yield name, np.r_[0.0, -np.log10(p)][test.labels]
    yield "labels", test.labels
    if test.tfce is not None and test.tfce_p is not None:
        yield "tfce", test.tfce
        yield "logptfce", -np.log10(test.tfce_p)


def describe_images(seed: str, images: SeedImages, config: Config) -> dict[str, Any]:
    """Return what all models of a seed share, as JSON values."""
    n_covered = int((images.n_people > 0).sum())
    return {
        "seed": seed,
        "space": config.rois.space,
        "roi": _describe_seed(seed, config),
        "people": list(images.people),
        "n_voxels": int(images.voxels.size),
        "n_voxels_left_out": n_covered - int(images.voxels.size),
        "min_people_share": config.maps.min_people_share,
        "smoothing_fwhm_mm": config.maps.smoothing_fwhm_mm,
        "voxel_size_mm": np.linalg.norm(images.header.affine[:3, :3], axis=0).tolist(),
        "means": {level: f"{seed}_mean-{level}.nii.gz" for level in list_levels(config)},
        "n": f"{seed}_n.nii.gz",
    }


def _describe_seed(seed: str, config: Config) -> dict[str, Any]:
    """Return the seed's region as a ROI file has it, its files relative to the results, the working directory."""
    [roi] = [roi for roi in config.rois.rois if roi.name == seed]
    content = roi.model_dump(exclude_none=True, exclude={"variants", "kind"})
    described: dict[str, Any] = _make_relative(content, Path.cwd())
    return described


def _make_relative(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return os.path.relpath(value, folder)
    if isinstance(value, Mapping):
        return {key: _make_relative(item, folder) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def describe_model(
    seed: str, people: Column, design: MapDesign, test: MapTest | None, config: Config
) -> dict[str, Any]:
    """Return a model as JSON values: who, adjusted for what, thresholds, files; or why there is no test."""
    described: dict[str, Any] = {
        "name": design.name,
        "kind": design.kind,
        "positive": design.text,
        "negative": design.opposite,
        "n": int(design.rows.size),
        "people": [str(person) for person in people[design.rows]],
        "covariates": list(design.covariates),
        "dropped": dict(design.dropped),
        "reason": design.reason,
    }
    if design.kind == "contrast":
        n_a = int((design.tested > 0.5).sum())
        described["n_per_group"] = {"a": n_a, "b": int(design.rows.size) - n_a}
    if test is None:
        return described
    return described | _describe_test(seed, design, test, config)


def _describe_test(seed: str, design: MapDesign, test: MapTest, config: Config) -> dict[str, Any]:
    alpha, null = config.inference.alpha, test.null
    critical = {"max_t": null.t, "size": null.size, "mass": null.mass, "tfce": null.tfce}
    return {
        "method": "Freedman-Lane, classical t, two-sided, family-wise corrected by the largest statistic",
        "n_permutations": len(null.t),
        "permutation_seed": config.inference.seed,
        "alpha": alpha,
        "dof": int(test.dof.max()),
        "cluster_forming_p": config.maps.cluster_forming_p,
        "cluster_forming_t": test.threshold,
        "connectivity": "faces (6 neighbours)",
        "n_clusters": len(test.sizes),
        "critical": {
            name: _to_json(compute_critical(values, alpha))
            for name, values in critical.items()
            if values is not None
        },
        "n_significant_voxels": {name: int((p <= alpha).sum()) for name, p in list_voxel_p(test).items()},
        "files": {name: f"{seed}_{design.name}_{name}.nii.gz" for name, _ in list_maps(test)},
    }


def _to_json(value: float) -> float | None:
    return value if math.isfinite(value) else None
