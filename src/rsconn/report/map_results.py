"""Seed maps as the page needs them: tables, pictures and the viewer's data, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rsconn.report.encoding import encode_svg
from rsconn.report.map_viewer import pack_viewer
from rsconn.report.wording import Source
from rsconn.study.figure_data import read_result_table
from rsconn.study.figure_maps import read_descriptions


@dataclass(frozen=True)
class MapResults:
    """What the section of the seed maps prints.

    Attributes
    ----------
    models : Source
        figures/map_models.tsv.
    planted : Source or None
        figures/map_planted.tsv; simulated studies only.
    clusters, rois : mapping
        Seed to its table in group/maps.
    pictures : mapping
        Figure name to its SVG as a data address.
    viewer : str
        From `pack_viewer`.
    """

    models: Source
    planted: Source | None
    clusters: Mapping[str, Source]
    rois: Mapping[str, Source]
    pictures: Mapping[str, str]
    viewer: str


def read_map_results(folder: Path) -> MapResults | None:
    """Read the seed maps of a results folder; None where there are none."""
    models = folder / "figures" / "map_models.tsv"
    maps = folder / "group" / "maps"
    if not models.is_file() or not maps.is_dir():
        return None
    table, planted = read_result_table(models), "figures/map_planted.tsv"
    seeds = list(dict.fromkeys(table["seed"]))
    pairs = [f"{row['seed']}_{row['model']}" for _, row in table.iterrows()]
    names = [f"{kind}_{pair}" for kind in ("map", "found") for pair in pairs]
    names += [f"{kind}_{seed}" for kind in ("means", "cover") for seed in seeds]
    files = {name: folder / "figures" / f"{name}.svg" for name in names}
    return MapResults(
        models=Source("figures/map_models.tsv", table),
        planted=_read(folder, planted) if (folder / planted).is_file() else None,
        clusters={seed: _read(folder, f"group/maps/{seed}_clusters.tsv") for seed in seeds},
        rois={seed: _read(folder, f"group/maps/{seed}_rois.tsv") for seed in seeds},
        pictures={
            name: encode_svg(path.read_text(encoding="utf-8"))
            for name, path in files.items()
            if path.is_file()
        },
        viewer=pack_viewer(maps, read_descriptions(maps), _read_regions(folder)),
    )


def _read(folder: Path, name: str) -> Source:
    return Source(name, read_result_table(folder / name))


def _read_regions(folder: Path) -> pd.DataFrame:
    """Return the study's regions with a known place."""
    path = folder / "figures" / "roi_positions.tsv"
    if not path.is_file():
        return pd.DataFrame()
    table = read_result_table(path)
    return table[(table["kind"] == "roi") & table["x_mm"].notna()]
