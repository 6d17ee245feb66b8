"""The seeds' maps as families: what a p within one map must be to be significant over all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.files.images import read_image
from rsconn.files.tables import read_tsv, write_tsv
from rsconn.files.writing import write_json
from rsconn.inference.across_maps import combine_null_p, compute_across_p, find_level
from rsconn.inference.voxelwise import MapTest, compute_critical

ACROSS_TEXTS = {
    "seed": "Seed region.",
    "model": "Model; see the .json of the seed.",
    "correction": "By what; see n_significant_voxels of the seed's .json.",
    "n_maps": "Maps of the family: the model's maps of all seeds, or all maps (maps.across).",
    "smallest_p": "Smallest p of this map, corrected within it.",
    "p_across": "The same, corrected over the family.",
    "level": "p within this map that is inference.alpha over the family, between two that are possible.",
    "critical": "What the statistic must exceed for it; n/a if nothing would do.",
    "n_voxels": "Voxels that pass.",
}
_FILES = {"max_t": "logpfwe", "size": "logpsize", "mass": "logpmass", "tfce": "logptfce"}


def write_null(path: Path, test: MapTest) -> None:
    """Write the largest statistics of every null map."""
    null = test.null
    columns = {"max_t": null.t, "size": null.size, "mass": null.mass}
    if null.tfce is not None:
        columns["tfce"] = null.tfce
    write_tsv(path, {name: values.tolist() for name, values in columns.items()})


def write_across(folder: Path, across: str, alpha: float) -> None:
    """Write across.tsv (`ACROSS_TEXTS`), one row per seed, model and correction, into group/maps.

    Parameters
    ----------
    folder : Path
        group/maps.
    across : {'seeds', 'all'}
        Whether each model's maps of all seeds, or all maps, are one family.
    alpha : float
    """
    families: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for path in sorted(folder.glob("[!.]*_models.json")):
        described = json.loads(path.read_text(encoding="utf-8"))
        for model in described["models"]:
            if "files" in model:
                family = "all" if across == "all" else model["name"]
                families.setdefault(family, []).append((described["seed"], model))
    rows = [row for members in families.values() for row in _judge_family(folder, members, alpha)]
    write_tsv(folder / "across.tsv", {name: [row[name] for row in rows] for name in ACROSS_TEXTS})
    write_json(folder / "across.json", {name: {"Description": text} for name, text in ACROSS_TEXTS.items()})


def _judge_family(
    folder: Path, members: list[tuple[str, Mapping[str, Any]]], alpha: float
) -> Iterator[dict[str, Any]]:
    tables = [read_tsv(folder / f"{seed}_{model['name']}_null.tsv") for seed, model in members]
    for correction in [name for name in _FILES if all(name in table for table in tables)]:
        nulls = [np.array(table[correction], float) for table in tables]
        log_p = [_read_log_p(folder, model, correction) for _, model in members]
        smallest = [10.0 ** -float(values.max(initial=0.0)) for values in log_p]
        combined = combine_null_p(nulls, smallest)
        level = find_level(combined, alpha)
        for (seed, model), null, values, p in zip(members, nulls, log_p, smallest, strict=True):
            yield {
                "seed": seed,
                "model": model["name"],
                "correction": correction,
                "n_maps": len(members),
                "smallest_p": p,
                "p_across": compute_across_p(p * (1 - 1e-5), combined),
                "level": level,
                "critical": compute_critical(null, level),
                "n_voxels": int((values >= -np.log10(max(level, 1e-300))).sum()),
            }


def _read_log_p(folder: Path, model: Mapping[str, Any], correction: str) -> NDArray[np.float64]:
    values = read_image(folder / model["files"][_FILES[correction]])[0]
    return np.asarray(np.nan_to_num(values), np.float64)
