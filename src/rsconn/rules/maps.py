"""Maps: each seed's maps between groups and against scores, corrected for the whole brain.

Files in ``group/maps/``, for each seed and model:

    <seed>_<model>_t.nii.gz                 classical t; 0 where there is no test
    <seed>_<model>_logpfwe.nii.gz           -log10 of the corrected p by the largest |t|
    <seed>_<model>_logpsize.nii.gz          ... of the extent of the voxel's cluster, 0 outside clusters
    <seed>_<model>_logpmass.nii.gz          ... of its mass
    <seed>_<model>_logptfce.nii.gz, _tfce   ... by TFCE, and TFCE itself
    <seed>_<model>_labels.nii.gz            number of the cluster
    <seed>_<model>_null.tsv                 largest statistics of every null map
    <seed>_mean-<level>.nii.gz              mean z of a group (mean-all without groups)
    <seed>_n.nii.gz                         people who cover each voxel
    <seed>_clusters.tsv, <seed>_rois.tsv    with their .json
    <seed>_models.json                      people, models, thresholds, files
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.files.regions import build_weights
from rsconn.files.run_records import read_records
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json, write_map
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.patches import draw_map_signs
from rsconn.inference.voxelwise import MapTest, apply_arrangements, permute_maps
from rsconn.settings.config import Config
from rsconn.signal.weights import RoiWeights
from rsconn.study.maps.across_maps_table import write_null
from rsconn.study.maps.map_designs import MapDesign, list_map_designs, merge_sessions
from rsconn.study.maps.map_tables import (
    CLUSTER_TEXTS,
    PRIMARY_CORRECTIONS,
    ROI_TEXTS,
    Places,
    read_landmarks,
    tabulate_clusters,
    tabulate_roi_tests,
)
from rsconn.study.maps.seed_images import (
    FOLDER,
    SeedImages,
    describe_images,
    describe_model,
    find_sources,
    list_levels,
    list_maps,
    locate,
    read_seed_images,
)
from rsconn.study.people.cohort_table import read_cohort
from rsconn.study.people.used_columns import Column, make_columns


def make_group_maps(seed: str, records: Sequence[Path], *, settings: Config, cohort: Path) -> None:
    """Test one seed's maps and write everything about them; the working directory is the output folder.

    Parameters
    ----------
    seed : str
        Name of the seed.
    records : sequence of Path
        The denoise stage's records of all batches, which pass on where the seedmap stage put its maps.
    settings : Config
        All options, of which the step's job in `rsconn.rules.jobs` holds what it reads.
    cohort : Path
        ``group/cohort.tsv``.

    Raises
    ------
    RunError
        No usable map, or maps on different grids.
    """
    images, columns, n_runs = read_group(seed, records, settings, cohort)
    FOLDER.mkdir(parents=True, exist_ok=True)
    _write_means(seed, images, columns, settings)
    _write_models(seed, images, columns, settings, n_runs=n_runs)


def read_group(
    seed: str, records: Sequence[Path], config: Config, cohort: Path
) -> tuple[SeedImages, dict[str, Column], int]:
    """Return everybody's maps of a seed, the cohort with one row per person, and how many runs the maps are of.

    Raises
    ------
    RunError
        No usable map, or maps on different grids.
    """
    sources = find_sources(read_records(records), seed, config)
    columns = merge_sessions(make_columns(read_cohort(cohort)))
    known = set(columns["participant_id"].tolist())
    sources = {person: runs for person, runs in sources.items() if person in known}
    images = read_seed_images(sources, min_people_share=config.maps.min_people_share)
    return images, columns, sum(map(len, sources.values()))


def _write_means(seed: str, images: SeedImages, columns: Mapping[str, Column], config: Config) -> None:
    everywhere = np.arange(images.n_people.size)
    write_map(FOLDER / f"{seed}_n.nii.gz", images.n_people.astype(np.float32), everywhere, images.header)
    group = dict(zip(columns["participant_id"], columns["group"], strict=True))
    of_row = np.array([group[person] for person in images.people], dtype=object)
    for level in list_levels(config):
        rows = np.ones(of_row.size, bool) if config.groups is None else of_row == level
        mean = _average(images.maps, np.flatnonzero(rows))
        write_map(FOLDER / f"{seed}_mean-{level}.nii.gz", mean, images.voxels, images.header)


def _average(maps: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the mean of rows where they are finite, 0 where none is; one row at a time."""
    total, count = np.zeros(maps.shape[1]), np.zeros(maps.shape[1])
    for row in rows:
        finite = np.isfinite(maps[row])
        total[finite] += maps[row][finite]
        count += finite
    return np.asarray(total / np.maximum(count, 1), np.float32)


def _write_models(
    seed: str, images: SeedImages, columns: Mapping[str, Column], config: Config, *, n_runs: int
) -> None:
    designs = list_designs(images, columns, config)
    tests = [None if design.reason else _fit(images, columns, design, config) for design in designs]
    fitted = [(design, test) for design, test in zip(designs, tests, strict=True) if test is not None]
    for design, test in fitted:
        _write_test(seed, design, test, images)
    _write_tables(seed, fitted, images, config)
    models = [
        describe_model(seed, columns["participant_id"], design, test, config)
        for design, test in zip(designs, tests, strict=True)
    ]
    described = describe_images(seed, images, config) | {"n_runs": n_runs, "models": models}
    write_json(FOLDER / f"{seed}_models.json", described)


def list_designs(images: SeedImages, columns: Mapping[str, Column], config: Config) -> tuple[MapDesign, ...]:
    """Return the models of those who have a map."""
    return list_map_designs(columns, np.isin(columns["participant_id"].astype(str), images.people), config)


def _write_tables(
    seed: str, fitted: Sequence[tuple[MapDesign, MapTest]], images: SeedImages, config: Config
) -> None:
    weights = build_weights(config.rois.rois, images.header)
    rois, landmarks = find_centers(weights, images), Places(*read_landmarks())
    entries = np.split(weights.voxels, weights.starts[1:-1])
    members = [np.flatnonzero(np.isin(images.voxels, each)) for each in entries]
    volume = round(abs(float(np.linalg.det(images.header.affine[:3, :3]))), 9)
    points, alpha = images.points, config.inference.alpha
    primary = PRIMARY_CORRECTIONS[config.maps.primary]
    clusters = [
        tabulate_clusters(seed, *pair, points, volume, landmarks=landmarks, rois=rois, primary=primary)
        for pair in fitted
    ]
    sizes = [each.size for each in entries]
    regions = [
        tabulate_roi_tests(
            seed, *pair, points, rois=rois, members=members, sizes=sizes, alpha=alpha, primary=primary
        )
        for pair in fitted
    ]
    _write_table(FOLDER / f"{seed}_clusters.tsv", clusters, CLUSTER_TEXTS)
    _write_table(FOLDER / f"{seed}_rois.tsv", regions, ROI_TEXTS)


def arrange_maps(images: SeedImages, columns: Mapping[str, Column], design: MapDesign) -> np.ndarray:
    """Return the maps of a model's people, in the order of its rows."""
    row_of = {person: row for row, person in enumerate(images.people)}
    rows = [row_of[person] for person in columns["participant_id"][design.rows]]
    return images.maps if rows == list(range(len(images.people))) else images.maps[rows]


def _fit(images: SeedImages, columns: Mapping[str, Column], design: MapDesign, config: Config) -> MapTest:
    neighbours = find_neighbours(images.voxels, images.header.shape)
    given = (arrange_maps(images, columns, design), design.tested, design.nuisance, neighbours)
    seed, count, units = config.inference.seed, config.maps.n_permutations, design.units
    forming_p, tfce = config.maps.cluster_forming_p, config.maps.tfce
    if design.exchange == "signs":
        # drawn for the whole cohort, so that a person has the same signs in the maps of every seed
        signs = draw_map_signs(len(columns["participant_id"]), None, count, seed)
        signs = signs[:, design.rows if units is None else units]
        return apply_arrangements(*given, signs, "signs", cluster_forming_p=forming_p, tfce=tfce)
    return permute_maps(
        *given, n_permutations=count, seed=seed, cluster_forming_p=forming_p, tfce=tfce, blocks=design.blocks,
        units=units,
    )  # fmt: skip


def _write_test(seed: str, design: MapDesign, test: MapTest, images: SeedImages) -> None:
    write_null(FOLDER / f"{seed}_{design.name}_null.tsv", test)
    for name, values in list_maps(test):
        path = FOLDER / f"{seed}_{design.name}_{name}.nii.gz"
        # + 0.0: no negative zero
        shown = np.nan_to_num(values, nan=0.0).astype(np.float32) + np.float32(0.0)
        write_map(path, shown, images.voxels, images.header)


def find_centers(weights: RoiWeights, images: SeedImages) -> Places:
    """Return the weighted centres of the study's regions on the maps' grid."""
    centers, shares = [], weights.values  # noqa: PD011 - no DataFrame
    for row in range(weights.n_rois):
        part = slice(weights.starts[row], weights.starts[row + 1])
        points = locate(weights.voxels[part], images.header)
        centers.append(np.average(points, axis=0, weights=shares[part]))
    return Places(weights.names, np.array(centers))


def _write_table(path: Path, parts: Sequence[pd.DataFrame], texts: Mapping[str, str]) -> None:
    filled = [part for part in parts if len(part)]
    table = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(texts))
    write_tsv(path, {name: table[name].tolist() for name in texts})
    write_json(path.with_suffix(".json"), {name: {"Description": text} for name, text in texts.items()})
