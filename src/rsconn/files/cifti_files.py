"""Regions that CIFTI files define: masks, labels and maps of grayordinates, matched with those of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError, SettingsError
from rsconn.files.cifti import DenseHeader, read_dense_header, stream_dense
from rsconn.files.regions import find_label, list_labels, threshold_map
from rsconn.signal.weights import RoiWeights, make_label_weights, make_map_weights, make_mask_weights


def build_file_weights(regions: Sequence[Mapping[str, Any]], header: DenseHeader) -> RoiWeights:
    """Return one row per region of one dense file, all of one kind.

    Parameters
    ----------
    regions : sequence of mappings
        With ``mask``, ``atlas`` or ``map``, whose file is the same.
    header : DenseHeader
        Of the series.

    Raises
    ------
    SettingsError
        The file cannot be used, has other grayordinates, or not the label or map.
    """
    if regions[0].get("mask") is not None:
        return _build_masks(regions, header)
    if regions[0].get("atlas") is not None:
        return _build_labels(regions, header)
    return _build_maps(regions, header)


@dataclass(frozen=True, eq=False)
class _OnSeries:
    """One map of a dense file: its values on the series' grayordinates, and those that the series lacks.

    Attributes
    ----------
    values : ndarray of shape (n_grayordinates, 1, 1)
        0 where the file has no such grayordinate.
    outside : ndarray of shape (n_outside,)
        Values of the others.
    """

    values: NDArray[np.float64]
    outside: NDArray[np.float64]


def _build_masks(regions: Sequence[Mapping[str, Any]], header: DenseHeader) -> RoiWeights:
    name, path = regions[0]["name"], Path(regions[0]["mask"])
    mask = _read_only_map(name, path, header)
    if len(np.unique(np.append(mask.values, mask.outside))) > 2:
        raise SettingsError(
            f"ROI {name!r}: {path} holds more than two values, a mask is 0 and 1; "
            "use atlas: for labels, map: for probabilities"
        )
    if not mask.values.any():
        raise SettingsError(f"ROI {name!r}: {path} leaves no grayordinate of the series")
    total = float((mask.values != 0).sum() + (mask.outside != 0).sum())
    return make_mask_weights(
        [region["name"] for region in regions], [mask.values != 0] * len(regions), [total] * len(regions)
    )


def _build_labels(regions: Sequence[Mapping[str, Any]], header: DenseHeader) -> RoiWeights:
    names, path = [region["name"] for region in regions], Path(regions[0]["atlas"]["image"])
    own = _read_header(names[0], path)
    atlas = _read_only_map(names[0], path, header, is_label=True)
    present = list_labels(names[0], path, np.append(atlas.values, atlas.outside))
    labels = [find_label(region["name"], _number(region, own), present) for region in regions]
    weights = make_label_weights(names, atlas.values, labels)
    lost = np.array([(atlas.outside == label).sum() for label in labels], dtype=np.float64)
    for name, label, size in zip(names, labels, weights.totals, strict=True):
        if not size:
            raise SettingsError(f"ROI {name!r}: no grayordinate of the series has label {label} of {path}")
    return make_label_weights(names, atlas.values, labels, weights.totals + lost)


def _number(region: Mapping[str, Any], own: DenseHeader) -> Mapping[str, Any]:
    """Return the atlas with a label's name replaced by its key in the file's own table."""
    atlas: Mapping[str, Any] = region["atlas"]
    label = atlas["label"]
    if isinstance(label, int) or atlas.get("labels_tsv") is not None:
        return atlas
    table = own.labels[0] if own.labels else {}
    keys = table.get(label, ())
    if len(keys) == 1:
        return {**atlas, "label": keys[0]}
    near = ", ".join(get_close_matches(label, list(table), n=3)) or "none"
    hint = f"{len(keys)} labels have this name" if keys else f"no such label, nearest {near}"
    raise SettingsError(
        f"ROI {region['name']!r}: label {label!r} in {own.path}: {hint}; a label's number or name is needed "
        "(atlas.label)"
    )


def _build_maps(regions: Sequence[Mapping[str, Any]], header: DenseHeader) -> RoiWeights:
    path = Path(regions[0]["map"]["image"])
    maps, totals = [], []
    for region in regions:
        found = _read_map(region["name"], path, region["map"]["index"], header)
        values = threshold_map(region, found.values)
        if not values.any():
            raise SettingsError(f"ROI {region['name']!r}: {path} leaves no grayordinate with a weight")
        maps.append(values)
        totals.append(float(values.sum() + threshold_map(region, found.outside).sum()))
    return make_map_weights([region["name"] for region in regions], maps, totals)


def _read_header(name: str, path: Path) -> DenseHeader:
    try:
        return read_dense_header(path)
    except RunError as problem:
        raise SettingsError(f"ROI {name!r}: {problem}") from None


def _read_only_map(name: str, path: Path, header: DenseHeader, *, is_label: bool = False) -> _OnSeries:
    n_maps = _read_header(name, path).n_volumes
    if n_maps != 1:
        way_out = "take one out (wb_command -cifti-merge)" if is_label else "for several use map:"
        raise SettingsError(f"ROI {name!r}: {path} has {n_maps} maps, one is needed; {way_out}")
    return _read_map(name, path, 0, header)


def _read_map(name: str, path: Path, index: int, header: DenseHeader) -> _OnSeries:
    own = _read_header(name, path)
    if index >= own.n_volumes:
        raise SettingsError(
            f"ROI {name!r}: {path} has {own.n_volumes} maps from 0 on, none is map.index {index}"
        )
    try:
        numbers = header.models.find(own.models)
        stored = next(data.copy() for place, data in enumerate(stream_dense(own)) if place == index)
    except (RunError, ValueError) as problem:
        raise SettingsError(f"ROI {name!r}: {path}: {problem}") from None
    if (numbers < 0).all():
        raise SettingsError(
            f"ROI {name!r}: {path} shares no grayordinate with {header.path.name}; a file of its brain models is "
            "needed"
        )
    data = np.nan_to_num(stored.astype(np.float64) * own.slope + own.intercept)
    values = np.zeros(header.shape)
    values[numbers[numbers >= 0], 0, 0] = data[numbers >= 0]
    return _OnSeries(values, data[numbers < 0])
