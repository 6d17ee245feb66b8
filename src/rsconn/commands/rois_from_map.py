"""From a map to regions: significant clusters of a finished run become a ROI set that says where it came from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from rsconn.errors import DatasetError, SettingsError
from rsconn.files.image_headers import ImageHeader, read_header
from rsconn.files.images import read_image
from rsconn.files.writing import check_new_files, write_map, write_text
from rsconn.settings.fields import find_base, show_path
from rsconn.study.maps.found_regions import FoundRegion, find_regions
from rsconn.study.maps.seed_images import FOLDER, locate

# How a map was corrected: the map of its p, and the words for it.
CORRECTIONS = {
    "tfce": ("logptfce", "TFCE"),
    "extent": ("logpsize", "cluster extent"),
    "mass": ("logpmass", "cluster mass"),
    "max-t": ("logpfwe", "the largest |t|"),
}


@dataclass(frozen=True, eq=False)
class FoundSet:
    """The significant clusters of one map.

    Attributes
    ----------
    results : Path
        The results folder.
    seed, correction : str
    alpha : float
    described : mapping
        The seed's ``_models.json``.
    model : mapping
        The model's part of it.
    header : ImageHeader
        The map's grid.
    regions : tuple of FoundRegion
        At least one.
    """

    results: Path
    seed: str
    correction: str
    alpha: float
    described: Mapping[str, Any]
    model: Mapping[str, Any]
    header: ImageHeader
    regions: tuple[FoundRegion, ...]

    @property
    def name(self) -> str:
        """What the set and its files are called."""
        return f"{self.seed}_{self.model['name']}"

    @property
    def column(self) -> str:
        """The column whose contrast, or slope, defined the regions."""
        name = str(self.model["name"])
        return "group" if self.model["kind"] == "contrast" else name.removesuffix("-by-group")

    @property
    def roi_names(self) -> tuple[str, ...]:
        """Names of the regions; no hyphen, so that an edge's name can be read."""
        stem = self.name.replace("-", "_")
        return tuple(f"{stem}_{number}" for number in range(1, len(self.regions) + 1))


def find_set(
    results: Path, *, seed: str, model: str = "group", correction: str = "mass", alpha: float | None = None
) -> FoundSet:
    """Return the significant clusters of a group map.

    Parameters
    ----------
    results : Path
        Results folder of a finished run.
    seed, model : str
        Which map.
    correction : str
        One of `CORRECTIONS`.
    alpha : float, optional
        Family-wise level; the run's own by default.

    Raises
    ------
    DatasetError
        The folder has no group maps.
    SettingsError
        No such seed, model or correction, or no cluster is significant.
    """
    described = _read_models(results, seed)
    chosen = _choose_model(described, seed, model)
    name, words = CORRECTIONS[correction]
    if name not in chosen["files"]:
        raise SettingsError(
            f"--correction {correction}: {seed} {model} has no TFCE map; extent, mass or max-t needed, "
            "or maps.tfce: true and another run"
        )
    level = float(chosen["alpha"]) if alpha is None else alpha
    if not 0 < level < 1:
        raise SettingsError(f"--alpha {level:g}: a number above 0 and below 1 needed")
    files = {key: results / FOLDER / chosen["files"][key] for key in ("t", name)}
    t, log_p = (read_image(path)[0].ravel(order="F") for path in files.values())
    header = read_header(files["t"])
    regions = find_regions(t, log_p, header.shape, level)
    if not regions:
        raise SettingsError(
            f"{show_path(files['t'])}: no cluster is significant by {words} at alpha {level:g} (smallest p "
            f"{10 ** -log_p.max():.3g}); no region can be made (--correction, --alpha)"
        )
    return FoundSet(results, seed, correction, level, described, chosen, header, regions)


def _read_models(results: Path, seed: str) -> dict[str, Any]:
    known = sorted(
        path.name.removesuffix("_models.json") for path in (results / FOLDER).glob("[!.]*_models.json")
    )
    if not known and next(results.glob("sub-*/**/*_boldmap.dscalar.nii"), None):
        raise DatasetError(
            f"{show_path(results)}: seed maps of dense series (CIFTI) found, and no group maps, which are made of "
            "volumes only; a run on volumes needed (input.filters.space)"
        )
    if not known:
        raise DatasetError(
            f"{show_path(results)}: no group maps found; the output_dir of a finished run with seeds needed"
        )
    if seed not in known:
        raise SettingsError(f"--seed {seed}: no maps of it in {show_path(results)}; {', '.join(known)} found")
    path = results / FOLDER / f"{seed}_models.json"
    described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "roi" not in described:
        raise DatasetError(
            f"{show_path(path)}: written by an earlier version, without the seed's region; run again"
        )
    return described


def _choose_model(described: Mapping[str, Any], seed: str, name: str) -> Mapping[str, Any]:
    models = {model["name"]: model for model in described["models"]}
    if name not in models:
        raise SettingsError(f"--model {name}: no such model of {seed}; {', '.join(models)} found")
    chosen: Mapping[str, Any] = models[name]
    if chosen["reason"]:
        raise SettingsError(f"--model {name}: {seed} has no such map: {chosen['reason']}")
    return chosen


def make_roi_set(found: FoundSet, output: Path | None = None) -> list[str]:
    """Write a mask per region and ``rois.yaml`` with the seed and the regions; return the lines to print.

    Parameters
    ----------
    found : FoundSet
    output : Path, optional
        Folder; by default ``rois/`` in the results folder, one for each map and correction.
    """
    folder = output or default_folder(found)
    images = [folder / f"{name}.nii.gz" for name in found.roi_names]
    check_new_files([*images, folder / "rois.yaml"], "--output", mark=folder / "rois.yaml")
    for path, region in zip(images, found.regions, strict=True):
        write_map(path, np.ones(region.voxels.size, np.float32), region.voxels, found.header)
    file = folder / "rois.yaml"
    write_text(file, _HEAD + yaml.safe_dump(_describe_set(found, file, images), sort_keys=False, width=110))
    lines = [
        f"{name}: {region.voxels.size} voxels, peak t {region.peak_t:.2f} at {_format_place(region, found)}"
        for name, region in zip(found.roi_names, found.regions, strict=True)
    ]
    return [
        *lines,
        f"wrote {show_path(file)}: defined by {found.column} in these data, so claims on it are not testable here",
    ]


_HEAD = """\
# Made by `rsconn rois from-map`. These regions were chosen because they differ in these data: with this set, claims
# on the same contrast are not testable in the same data. Other data may test them (`data`: say which these were).
"""


def default_folder(found: FoundSet) -> Path:
    """Return the folder in the results for this map and correction."""
    return found.results / "rois" / f"{found.name}_{found.correction}"


def _describe_set(found: FoundSet, file: Path, images: Sequence[Path]) -> dict[str, Any]:
    base = find_base(file)
    rois = [
        {"name": name, "source": _describe_source(found, region), "mask": os.path.relpath(path, base)}
        for name, path, region in zip(found.roi_names, images, found.regions, strict=True)
    ]
    return {
        "name": "".join(re.findall(r"[A-Za-z0-9]", found.name)),
        "space": found.described["space"],
        "circular": {"contrast": found.column, "data": "this"},
        "rois": [move_roi(found.described["roi"], found.results, base), *rois],
    }


def move_roi(roi: Mapping[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """Return a region whose files, written relative to one folder, are relative to another."""

    def move(key: str, value: Any) -> Any:
        if key in ("mask", "image", "labels_tsv"):
            return os.path.relpath(old / value, new)
        return {name: move(name, item) for name, item in value.items()} if isinstance(value, dict) else value

    return {key: move(key, value) for key, value in roi.items() if value is not None}


def _describe_source(found: FoundSet, region: FoundRegion) -> str:
    model = found.model
    direction = model["positive"] if region.peak_t > 0 else model["negative"]
    forming = f"formed at |t| > {model['cluster_forming_t']:.3g}, "
    return (
        f"{FOLDER.as_posix()}/{model['files']['t']}: seed {found.seed}, {direction}; "
        f"{forming if found.correction in ('extent', 'mass') else ''}significant by "
        f"{CORRECTIONS[found.correction][1]}, family-wise p {region.p:.3g} (alpha {found.alpha:g}, "
        f"{model['n_permutations']} permutations, n = {model['n']}); peak t {region.peak_t:.2f} at "
        f"{_format_place(region, found)}"
    )


def _format_place(region: FoundRegion, found: FoundSet) -> str:
    x, y, z = locate(np.array([region.peak]), found.header)[0]
    return f"{x:g}, {y:g}, {z:g} mm"
