"""Write the pictures of the seed maps, and the tables of what they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rsconn.files.tables import write_tsv
from rsconn.inference.clusters import find_ceiling, find_top
from rsconn.report.figures.catalogue import read_result_table, write_figure
from rsconn.report.figures.motion_coverage import tabulate_rois
from rsconn.report.figures.roi_positions import locate_rois
from rsconn.report.figures.style import plot_nothing
from rsconn.report.maps.found import compare_maps, mark_survivors, plot_coverage, plot_found
from rsconn.report.maps.map_viewer import read_survivors, read_volume
from rsconn.report.maps.mosaics import (
    N_SLICES,
    STATISTICS,
    Volume,
    choose_slices,
    get_primary,
    read_background,
    read_descriptions,
    tabulate_models,
)
from rsconn.report.maps.seed_mosaics import MapPicture, choose_limit, plot_map, plot_means
from rsconn.study.maps.found_regions import PlantedPlace

MODELS_TABLE, PLANTED_TABLE = "map_models", "map_planted"


def write_map_figures(
    folder: Path,
    figures: Path,
    settings: Mapping[str, Any],
    *,
    simulated: bool,
    places: Sequence[PlantedPlace] = (),
) -> list[Path]:
    """Write every picture of the seed maps as .svg and .png with a .tsv of its slices; return the paths.

    ``map_models.tsv`` has one row per seed and model; ``map_<seed>_<model>`` is the model's t map,
    ``found_<seed>_<model>`` what of it survives the primary
    correction, if anything does, ``means_<seed>`` the groups' means,
    ``cover_<seed>`` how many people have signal. ``map_planted.tsv`` is there for simulated studies only. Without
    maps nothing is written.

    Parameters
    ----------
    folder : Path
        group/maps in the results.
    figures : Path
        figures/ in the results.
    settings : mapping
        Plain values of the config (``Config.model_dump(mode="json")``): rois.
    simulated : bool
        Whether every picture carries the mark.
    places : sequence of PlantedPlace
        What a simulated study planted.

    Raises
    ------
    RunError
        A map that ``<seed>_models.json`` names is missing or no image.
    """
    descriptions = read_descriptions(folder)
    if not descriptions:
        return []
    rois = tabulate_rois(locate_rois(settings["rois"]["rois"]), ()).query("x_mm == x_mm")
    written = [_write_table(figures / f"{MODELS_TABLE}.tsv", tabulate_models(descriptions))]
    if places:
        planted = compare_maps(folder, descriptions, places)
        written.append(_write_table(figures / f"{PLANTED_TABLE}.tsv", planted))
    drawing = _Drawing(folder, figures, read_background(), rois, tuple(places), simulated)
    for description in descriptions:
        written += _write_seed(drawing, description)
    return written


@dataclass(frozen=True, eq=False)
class _Drawing:
    """What all pictures of the maps share."""

    folder: Path
    figures: Path
    background: Volume
    rois: pd.DataFrame
    places: tuple[PlantedPlace, ...]
    simulated: bool


def _write_seed(drawing: _Drawing, description: Mapping[str, Any]) -> list[Path]:
    clusters = read_result_table(drawing.folder / f"{description['seed']}_clusters.tsv")
    written = []
    for model in description["models"]:
        own = clusters[clusters["model"] == model["name"]] if len(clusters) else clusters
        slices = choose_slices(drawing.rois, own, N_SLICES)
        written += _write_model(drawing, description["seed"], model, slices)
    return written + _write_means(drawing, description) + _write_coverage(drawing, description)


def _write_model(drawing: _Drawing, seed: str, model: Mapping[str, Any], slices: pd.DataFrame) -> list[Path]:
    stem = drawing.figures / f"map_{seed}_{model['name']}"
    written = [_write_table(stem.with_name(f"{stem.name}.tsv"), slices)]
    if "files" not in model:
        reason = f"{seed}, {model['name']}: {model['reason']}"
        return written + write_figure(plot_nothing(reason, simulated=drawing.simulated), stem)
    picture = _read_picture(drawing.folder, seed, model)
    shared = (picture, drawing.background, slices, drawing.rois)
    written += write_figure(plot_map(*shared, simulated=drawing.simulated), stem)
    found = drawing.figures / f"found_{seed}_{model['name']}"
    if not mark_survivors(picture.survivors, picture.t).any():  # nor may an earlier run's picture stay
        for kind in ("svg", "png"):
            found.with_name(f"{found.name}.{kind}").unlink(missing_ok=True)
        return written
    places = [place for place in drawing.places if (place.seed, place.model) == (seed, model["name"])]
    figure = plot_found(*shared, places=places, simulated=drawing.simulated)
    return written + write_figure(figure, found)


def _read_picture(folder: Path, seed: str, model: Mapping[str, Any]) -> MapPicture:
    t = read_volume(folder / model["files"]["t"])
    primary = get_primary(model)
    survivors = read_survivors(folder, model["files"], model["alpha"], STATISTICS[primary][0])
    top = find_top(t.data.reshape(1, -1), find_ceiling(model["dof"])).item()
    return MapPicture(
        t=t,
        survivors={} if survivors is None else {primary: survivors},
        # a voxel without noise would take the whole scale
        limit=choose_limit(np.clip(t.data, -top, top), 1.0),
        forming_t=model["cluster_forming_t"],
        title=f"Seed {seed}: {model['name']}, t of {model['n']} people",
        positive=model["positive"],
        negative=model["negative"],
        alpha=model["alpha"],
    )


def _write_means(drawing: _Drawing, description: Mapping[str, Any]) -> list[Path]:
    seed = description["seed"]
    means = {level: read_volume(drawing.folder / name) for level, name in description["means"].items()}
    # the seed's own voxels would take the whole scale
    limit = max(choose_limit(mean.data, 0.1, share=0.995) for mean in means.values())
    slices = choose_slices(drawing.rois, pd.DataFrame(), N_SLICES).query("axis == 'z'")
    stem = drawing.figures / f"means_{seed}"
    figure = plot_means(
        means, drawing.background, slices, drawing.rois, title=f"Seed {seed}: mean connectivity", limit=limit,
        simulated=drawing.simulated,
    )  # fmt: skip
    return [_write_table(stem.with_name(f"{stem.name}.tsv"), slices), *write_figure(figure, stem)]


def _write_coverage(drawing: _Drawing, description: Mapping[str, Any]) -> list[Path]:
    seed, n_all = description["seed"], len(description["people"])
    slices = choose_slices(drawing.rois, pd.DataFrame(), N_SLICES).query("axis != 'y'")
    stem = drawing.figures / f"cover_{seed}"
    figure = plot_coverage(
        read_volume(drawing.folder / description["n"]), n_all, ceil(description["min_people_share"] * n_all),
        drawing.background, slices, drawing.rois, title=f"Seed {seed}: people with signal", simulated=drawing.simulated,
    )  # fmt: skip
    return [_write_table(stem.with_name(f"{stem.name}.tsv"), slices), *write_figure(figure, stem)]


def _write_table(path: Path, table: pd.DataFrame) -> Path:
    write_tsv(path, {str(name): table[name].tolist() for name in table.columns})
    return path
