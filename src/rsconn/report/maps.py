"""Write the pictures of the seed maps, and the tables of what they show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rsconn.files.tables import write_tsv
from rsconn.report.figures_maps import N_SLICES, MapPicture, choose_limit, plot_map, plot_means
from rsconn.report.map_files import read_survivors, read_volume
from rsconn.report.map_slices import Volume, read_background
from rsconn.report.saving import write_figure
from rsconn.report.style import plot_nothing
from rsconn.study.figure_data import read_result_table
from rsconn.study.figure_maps import STATISTICS, choose_slices, read_descriptions, tabulate_models
from rsconn.study.figure_quality import tabulate_rois
from rsconn.study.roi_places import locate_rois

MODELS_TABLE = "map_models"


def write_map_figures(
    folder: Path, figures: Path, settings: Mapping[str, Any], *, simulated: bool
) -> list[Path]:
    """Write every picture of the seed maps as .svg and .png with a .tsv of its slices; return the paths.

    ``map_models.tsv`` has one row per seed and model; ``map_<seed>_<model>`` is the model's t map and
    ``means_<seed>`` the groups' means. Without maps nothing is written.

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

    Raises
    ------
    RunError
        A map that ``<seed>_models.json`` names is missing or no image.
    """
    descriptions = read_descriptions(folder)
    if not descriptions:
        return []
    background = read_background()
    rois = tabulate_rois(locate_rois(settings["rois"]["rois"]), ()).query("x_mm == x_mm")
    written = [_write_table(figures / f"{MODELS_TABLE}.tsv", tabulate_models(descriptions))]
    for description in descriptions:
        written += _write_seed(folder, figures, description, background, rois, simulated=simulated)
    return written


def _write_seed(
    folder: Path, figures: Path, description: Mapping[str, Any], background: Volume, rois: pd.DataFrame,
    *, simulated: bool,
) -> list[Path]:  # fmt: skip
    seed = description["seed"]
    clusters = read_result_table(folder / f"{seed}_clusters.tsv")
    written = []
    for model in description["models"]:
        stem = figures / f"map_{seed}_{model['name']}"
        own = clusters[clusters["model"] == model["name"]] if len(clusters) else clusters
        slices = choose_slices(rois, own, N_SLICES)
        written.append(_write_table(stem.with_name(f"{stem.name}.tsv"), slices))
        if "files" in model:
            picture = _read_picture(folder, seed, model)
            written += write_figure(plot_map(picture, background, slices, rois, simulated=simulated), stem)
        else:
            reason = f"{seed}, {model['name']}: {model['reason']}"
            written += write_figure(plot_nothing(reason, simulated=simulated), stem)
    return written + _write_means(folder, figures, description, background, rois, simulated=simulated)


def _read_picture(folder: Path, seed: str, model: Mapping[str, Any]) -> MapPicture:
    t = read_volume(folder / model["files"]["t"])
    found = {
        name: read_survivors(folder, model["files"], model["alpha"], kind)
        for name, (kind, _) in STATISTICS.items()
        if name != "mass"
    }
    return MapPicture(
        t=t,
        survivors={name: volume for name, volume in found.items() if volume is not None},
        limit=choose_limit(t.data, 1.0),
        forming_t=model["cluster_forming_t"],
        title=f"Seed {seed}: {model['name']}, t of {model['n']} people",
        positive=model["positive"],
        negative=model["negative"],
        alpha=model["alpha"],
    )


def _write_means(
    folder: Path, figures: Path, description: Mapping[str, Any], background: Volume, rois: pd.DataFrame,
    *, simulated: bool,
) -> list[Path]:  # fmt: skip
    seed = description["seed"]
    means = {level: read_volume(folder / name) for level, name in description["means"].items()}
    # the seed's own voxels would take the whole scale
    limit = max(choose_limit(mean.data, 0.1, share=0.995) for mean in means.values())
    slices = choose_slices(rois, pd.DataFrame(), N_SLICES).query("axis == 'z'")
    stem = figures / f"means_{seed}"
    figure = plot_means(
        means,
        background,
        slices,
        rois,
        title=f"Seed {seed}: mean connectivity",
        limit=limit,
        simulated=simulated,
    )
    return [_write_table(stem.with_name(f"{stem.name}.tsv"), slices), *write_figure(figure, stem)]


def _write_table(path: Path, table: pd.DataFrame) -> Path:
    write_tsv(path, {str(name): table[name].tolist() for name in table.columns})
    return path
