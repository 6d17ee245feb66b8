"""What the viewer in the page shows, as JSON: maps in whole numbers with their scale, the brain behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.files.images import read_image
from rsconn.inference.clusters import find_ceiling, find_top
from rsconn.report.figures.catalogue import read_result_table
from rsconn.report.figures.style import compress_array, encode_svg, quantise
from rsconn.report.maps.mosaics import (
    BOX,
    SCALE,
    STATISTICS,
    Volume,
    get_primary,
    read_background,
    read_descriptions,
)
from rsconn.report.page.wording import Source
from rsconn.study.maps.map_tables import read_landmarks

# base64 characters of maps that a page may carry; further models are in their files
MOST_CHARACTERS = 8_000_000
BACKGROUND_STEP_MM, BACKGROUND_GREYS = 2, 64
# what the readout can tell apart: t to two decimals, p to a thousandth of itself
T_STEP, LOG_P_STEP = 0.01, 0.0005
MOST_PEAKS = 5
# t that can be told to two decimals anyway
_LEAST_TOP = 300.0


def pack_viewer(folder: Path, descriptions: Sequence[Mapping[str, Any]], rois: pd.DataFrame) -> str:
    """Return the viewer's data as JSON that can stand in HTML; empty if no model was tested.

    Parameters
    ----------
    folder : Path
        group/maps.
    descriptions : sequence of mappings
        From `report.maps.mosaics.read_descriptions`.
    rois : DataFrame
        roi, x_mm, y_mm, z_mm, radius_mm.

    Raises
    ------
    RunError
        A map is missing or no image.
    """
    seeds: list[dict[str, Any]] = []
    models: list[dict[str, Any]] = []
    left_out = size = 0
    for description in descriptions:
        tested = get_models(description)
        if not tested:
            continue
        t_maps = [read_volume(folder / model["files"]["t"]) for model in tested]
        mask = np.any([volume.data != 0 for volume in t_maps], axis=0)
        seeds.append(_pack_seed(description["seed"], mask, t_maps[0].affine))
        for model, t in zip(tested, t_maps, strict=True):
            packed = _pack_model(folder, model, t, mask)
            size += sum(len(each["data"]) for each in packed["maps"])
            if models and size > MOST_CHARACTERS:
                left_out += 1
                continue
            places = _list_peaks(folder, description["seed"], model["name"])
            models.append({"seed": len(seeds) - 1, "peaks": places, **packed})
    if not models:
        return ""
    content = {
        "box": [BOX[axis] for axis in "xyz"],
        "colours": compress_array(np.rint(SCALE(np.linspace(0, 1, 129))[:, :3] * 255).astype(np.uint8).T),
        "background": _pack_background(read_background()),
        "seeds": seeds,
        "models": models,
        "rois": list(_pack_rois(rois)),
        "landmarks": _pack_landmarks(),
        "left_out": left_out,
    }
    # nothing in it can end the element it stands in
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def _pack_seed(name: str, mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> dict[str, Any]:
    bits = np.packbits(mask.ravel(order="F"), bitorder="little")
    inverse = np.linalg.inv(affine)[:3].round(9) + 0.0
    return {"name": name, "shape": mask.shape, "inverse": inverse.tolist(), "mask": compress_array(bits)}


def _pack_model(folder: Path, model: Mapping[str, Any], t: Volume, mask: NDArray[np.bool_]) -> dict[str, Any]:
    order = mask.ravel(order="F")
    signs = np.where(t.data < 0, -1.0, 1.0)
    maps, top = [], find_top(t.data.reshape(1, -1), find_ceiling(model["dof"])).item()
    labels = _list_labels(get_primary(model))
    for kind, label in labels.items():
        if kind not in model["files"]:
            continue
        values = t.data if kind == "t" else read_volume(folder / model["files"][kind]).data * signs
        if kind == "t":  # a voxel without noise would take the whole scale, and the others' digits
            values = np.clip(values, -max(top, _LEAST_TOP), max(top, _LEAST_TOP))
        stored, scale = quantise(values.ravel(order="F")[order], T_STEP if kind == "t" else LOG_P_STEP)
        limit = top if kind == "t" else float(np.abs(values).max())
        start = model["cluster_forming_t"] if kind == "t" else -np.log10(max(model["alpha"], 1e-12))
        maps.append({
            "kind": kind, "label": label, "scale": scale, "limit": round(max(limit, 1.1 * start, 0.1), 2),
            "start": round(start, 2), "data": compress_array(stored),
        })  # fmt: skip
    return {
        "name": model["name"], "positive": model["positive"], "negative": model["negative"], "maps": maps,
        "lead": int(len(maps) > 1 and _has_passed(model)),
    }  # fmt: skip


def _has_passed(model: Mapping[str, Any]) -> bool:
    """Say whether anything survives the primary correction: that map is shown first then, and t otherwise."""
    return bool(model.get("n_significant_voxels", {}).get(get_primary(model), 0))


def _list_labels(primary: str) -> dict[str, str]:
    """Return the maps by their file's name, in the order of the viewer's list: t, the primary p, the others."""
    ordered = sorted(STATISTICS, key=lambda name: (name != primary, list(STATISTICS).index(name)))
    kinds = {
        STATISTICS[name][
            0
        ]: f"−log10 p by {STATISTICS[name][1]} ({'primary' if name == primary else 'secondary'})"
        for name in ordered
    }
    return {"t": "t", **kinds}


def _list_peaks(folder: Path, seed: str, model: str) -> list[dict[str, Any]]:
    """Return where the largest clusters of a model peak."""
    path = folder / f"{seed}_clusters.tsv"
    table = read_result_table(path) if path.is_file() else pd.DataFrame()
    if not len(table):
        return []
    own = table[table["model"] == model].sort_values("cluster").head(MOST_PEAKS)
    return [
        {
            "name": f"peak of cluster {int(row['cluster'])}",
            "mm": [float(row[f"peak_{axis}"]) for axis in "xyz"],
        }
        for _, row in own.iterrows()
    ]


def _pack_background(background: Volume) -> dict[str, Any]:
    """Return the brain at a coarser step, cut to where it is: means of blocks of voxels."""
    step = BACKGROUND_STEP_MM
    low = np.argwhere(background.data > 0).min(axis=0)
    high = np.argwhere(background.data > 0).max(axis=0) + 1
    shape = -(-(high - low) // step)
    padded = np.zeros(shape * step, dtype=np.float64)
    part = background.data[tuple(slice(*ends) for ends in zip(low, high, strict=True))]
    padded[tuple(slice(length) for length in part.shape)] = part
    blocks = padded.reshape(shape[0], step, shape[1], step, shape[2], step).mean(axis=(1, 3, 5))
    origin = background.affine[:3, :3] @ (low + (step - 1) / 2) + background.affine[:3, 3]
    greys = np.rint(np.clip(blocks, 0, 1) * (BACKGROUND_GREYS - 1))
    stored = np.rint(greys * 255 / (BACKGROUND_GREYS - 1)).astype(np.uint8)
    return {"shape": shape.tolist(), "origin": origin.tolist(), "step": step, "data": compress_array(stored)}


def _pack_landmarks() -> list[list[Any]]:
    """Return the names and centres, mm, that the crosshair's place is named by."""
    names, centers = read_landmarks()
    return [[name, *map(float, center)] for name, center in zip(names, centers, strict=True)]


def _pack_rois(rois: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for _, roi in rois.iterrows():
        radius = float(roi["radius_mm"]) if pd.notna(roi["radius_mm"]) else None
        yield {"name": roi["roi"], "mm": [float(roi[f"{axis}_mm"]) for axis in "xyz"], "radius": radius}


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


def read_volume(path: Path) -> Volume:
    """Return a map; NaN as 0.

    Raises
    ------
    RunError
        The file is missing or no image.
    """
    data, affine = read_image(path)
    return Volume(np.nan_to_num(data), affine)


def read_survivors(folder: Path, files: Mapping[str, str], alpha: float, kind: str) -> Volume | None:
    """Return 1 where a corrected p is at most alpha; None if there is no such map.

    Parameters
    ----------
    folder : Path
        group/maps.
    files : mapping
        The model's files by the last part of their name.
    alpha : float
        Level.
    kind : str
        ``logpfwe``, ``logpsize``, ``logpmass`` or ``logptfce``.
    """
    if kind not in files:
        return None
    volume = read_volume(folder / files[kind])
    # the maps are float32: a p of exactly alpha must not be lost to rounding
    return Volume((volume.data >= -np.log10(max(alpha, 1e-12)) - 1e-5).astype(np.float32), volume.affine)


def get_models(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the models of a seed that were tested."""
    return [model for model in description["models"] if "files" in model]
