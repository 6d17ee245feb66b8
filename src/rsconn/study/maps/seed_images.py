"""The seed maps of all people on one grid: runs combined, voxels that too few people cover left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.analysis.usability import find_uncovered
from rsconn.arrays import drop_nan
from rsconn.errors import RunError
from rsconn.files.images import ImageHeader, check_same_grid, read_header, stream_volumes
from rsconn.files.run_records import RunRecord
from rsconn.inference.patches import allocate
from rsconn.inference.voxelwise import MapTest, compute_critical
from rsconn.settings.config import Config
from rsconn.study.maps.map_designs import MapDesign
from rsconn.study.maps.map_tables import PRIMARY_CORRECTIONS, list_voxel_p
from rsconn.study.people.ledger import judge_run, keeps_run
from rsconn.study.people.used_columns import Column

# A person's maps: where each is, and its weight.
Sources = Mapping[str, Sequence[tuple[Path, float]]]


@dataclass(frozen=True, eq=False)
class SeedImages:
    """Fisher z of one seed for everybody.

    Attributes
    ----------
    people : tuple of str
        participant_id of the rows.
    maps : ndarray of shape (n_people, n_voxels), float32
        NaN where a person does not cover a voxel.
    voxels : ndarray of shape (n_voxels,), int
        Flat indices, in file order, of the voxels that enough people cover.
    n_people : ndarray of shape (n_all_voxels,), int16
        How many people cover each voxel of the grid.
    header : ImageHeader
        The grid.
    """

    people: tuple[str, ...]
    maps: NDArray[np.float32]
    voxels: NDArray[np.intp]
    n_people: NDArray[np.int16]
    header: ImageHeader

    @property
    def points(self) -> NDArray[np.float64]:
        """MNI mm of the voxels, shape (n_voxels, 3)."""
        return locate(self.voxels, self.header)


def locate(voxels: NDArray[np.intp], header: ImageHeader) -> NDArray[np.float64]:
    """Return the world mm of flat voxel indices, shape (n_voxels, 3)."""
    indices = np.column_stack(np.unravel_index(voxels, header.shape, order="F"))
    return np.asarray(indices @ header.affine[:3, :3].T + header.affine[:3, 3])


def find_sources(records: Iterable[RunRecord], seed: str, config: Config) -> Sources:
    """Return the maps that can be used, by person: of runs that pass the thresholds and cover the seed.

    Runs weigh dof - 2, as they do for edges.
    """
    sources: dict[str, list[tuple[Path, float]]] = {}
    for record in records:
        if record.failed_stage is None and seed in record.facts.get("seed_maps", {}):
            facts = record.facts
            if _is_usable(record, seed, config):
                entry = (Path(facts["seed_maps"][seed]), float(facts["seed_maps_dof"]) - 2)
                sources.setdefault(record.run.participant_id, []).append(entry)
    return dict(sorted(sources.items()))


def _is_usable(record: RunRecord, seed: str, config: Config) -> bool:
    facts: dict[str, Any] = record.run.identity
    facts |= record.facts["quality"]
    if not keeps_run(judge_run(facts, config.censoring, config.quality)):
        return False
    coverage = {row["roi"]: row["coverage"] for row in record.facts.get("coverage", ())}
    return not find_uncovered(np.array([coverage.get(seed, 1.0)]), config.quality.min_coverage).any()


def read_seed_images(sources: Sources, *, min_people_share: float) -> SeedImages:
    """Read everybody's maps, twice: once to count who covers what, once for the values.

    Raises
    ------
    RunError
        There is no map, maps have different grids, or no voxel is covered by enough people.
    """
    if not sources:
        raise RunError("maps: nobody has a usable seed map")
    header = _check_grid(sources)
    n_people = np.zeros(header.n_voxels, np.int16)
    for runs in sources.values():
        n_people += np.isfinite(_combine(runs))
    voxels = np.flatnonzero(n_people >= max(min_people_share * len(sources), 1))
    if not voxels.size:
        raise RunError(
            f"maps: no voxel is covered by {min_people_share:.0%} of {len(sources)} people; "
            "a smaller maps.min_people_share needed"
        )
    maps = allocate((len(sources), voxels.size))
    for row, runs in zip(maps, sources.values(), strict=True):
        row[:] = _combine(runs)[voxels]
    return SeedImages(tuple(sources), maps, voxels, n_people, header)


def _check_grid(sources: Sources) -> ImageHeader:
    headers = [read_header(path) for runs in sources.values() for path, _ in runs]
    for header in headers[1:]:
        check_same_grid(header, headers[0])
    return headers[0]


def _combine(runs: Sequence[tuple[Path, float]]) -> NDArray[np.float32]:
    """Return the weighted mean of a person's runs where they cover a voxel, NaN elsewhere; flat."""
    total: Any = 0.0
    weights: Any = 0.0
    for path, weight in runs:
        header = read_header(path)
        [values] = [volume.astype(np.float64) for volume in stream_volumes(header)]
        covered = np.isfinite(values) & (values != 0)
        total = total + np.where(covered, weight * values, 0.0)
        weights = weights + weight * covered
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / weights, np.float32)


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
        "dropped": {left.name: left.why for left in design.dropped},
        "reason": design.reason,
    }
    if design.kind == "contrast":
        n_a = int((design.tested > 0.5).sum())
        described["n_per_group"] = {"a": n_a, "b": int(design.rows.size) - n_a}
    if test is None:
        return described
    return described | _describe_test(seed, design, test, config)


_METHODS = {
    "signs": "Freedman-Lane, sign flips of the null-model's residuals",
    "orders": "Freedman-Lane, permutation of the null-model's residuals",
}


def _describe_test(seed: str, design: MapDesign, test: MapTest, config: Config) -> dict[str, Any]:
    alpha, null = config.inference.alpha, test.null
    critical = {"max_t": null.t, "size": null.size, "mass": null.mass, "tfce": null.tfce}
    return {
        "method": f"{_METHODS[design.exchange]}, classical t, two-sided, corrected by the largest statistic",
        "primary": PRIMARY_CORRECTIONS[config.maps.primary],
        "n_permutations": len(null.t),
        "permutation_seed": config.inference.seed,
        "alpha": alpha,
        "dof": int(test.dof.max()),
        "cluster_forming_p": config.maps.cluster_forming_p,
        "cluster_forming_t": test.threshold,
        "connectivity": "faces (6 neighbours)",
        "n_clusters": len(test.sizes),
        "n_voxels_lacking": test.n_lacking,
        "critical": {
            name: drop_nan(compute_critical(values, alpha))
            for name, values in critical.items()
            if values is not None
        },
        "n_significant_voxels": {name: int((p <= alpha).sum()) for name, p in list_voxel_p(test).items()},
        "files": {name: f"{seed}_{design.name}_{name}.nii.gz" for name, _ in list_maps(test)},
    }
