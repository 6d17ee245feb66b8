"""What the viewer in the page shows, as JSON: maps in whole numbers with their scale, the brain behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.report.encoding import compress_array, quantise
from rsconn.report.map_files import get_models, read_volume
from rsconn.report.map_slices import BOX, SCALE, Volume, read_background
from rsconn.study.figure_data import read_result_table
from rsconn.study.maps.map_tables import read_landmarks

# base64 characters of maps that a page may carry; further models are in their files
MOST_CHARACTERS = 8_000_000
BACKGROUND_STEP_MM, BACKGROUND_GREYS = 2, 64
# what the readout can tell apart: t to two decimals, p to a thousandth of itself
T_STEP, LOG_P_STEP = 0.01, 0.0005
MOST_PEAKS = 5
_STATISTICS = {
    "t": "t",
    "logpfwe": "−log10 p, corrected by the largest |t|",
    "logpsize": "−log10 p, corrected by cluster extent",
    "logptfce": "−log10 p, corrected by TFCE",
}


def pack_viewer(folder: Path, descriptions: Sequence[Mapping[str, Any]], rois: pd.DataFrame) -> str:
    """Return the viewer's data as JSON that can stand in HTML; empty if no model was tested.

    Parameters
    ----------
    folder : Path
        group/maps.
    descriptions : sequence of mappings
        From `study.figure_maps.read_descriptions`.
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
    maps = []
    for kind, label in _STATISTICS.items():
        if kind not in model["files"]:
            continue
        values = t.data if kind == "t" else read_volume(folder / model["files"][kind]).data * signs
        stored, scale = quantise(values.ravel(order="F")[order], T_STEP if kind == "t" else LOG_P_STEP)
        limit = float(np.abs(values).max())
        start = model["cluster_forming_t"] if kind == "t" else -np.log10(model["alpha"])
        maps.append({
            "kind": kind, "label": label, "scale": scale, "limit": round(max(limit, 1.1 * start, 0.1), 2),
            "start": round(start, 2), "data": compress_array(stored),
        })  # fmt: skip
    return {
        "name": model["name"], "positive": model["positive"], "negative": model["negative"], "maps": maps,
    }  # fmt: skip


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
