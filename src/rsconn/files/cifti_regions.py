"""Turn the regions of an ROI set into sparse weights on the grayordinates of a dense series.

A region that is defined in the volume (a NIfTI mask, atlas or map, a sphere below the cortex) is built on the grid of
the series' voxels and keeps those that are grayordinates; one that is defined on grayordinates (CIFTI) is matched by
vertex and voxel, so that a file of the cortex alone will do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError, SettingsError
from rsconn.files.cifti import (
    BrainModel,
    BrainModels,
    DenseHeader,
    is_dense,
    read_dense_header,
    read_vertices,
    stream_dense,
)
from rsconn.files.image_headers import ImageHeader
from rsconn.files.regions import (
    build_weights,
    find_inside,
    find_label,
    get_mapping,
    list_labels,
    reorder_rows,
    threshold_map,
)
from rsconn.signal.weights import (
    RoiWeights,
    make_label_weights,
    make_map_weights,
    make_mask_weights,
    make_weights,
    stack_weights,
)

if TYPE_CHECKING:
    from rsconn.settings.rois import Roi

_SIDES = {"CORTEX_LEFT": "left", "CORTEX_RIGHT": "right"}


def build_run_weights(
    rois: Sequence[Roi | Mapping[str, Any]], header: ImageHeader, smoothing_fwhm_mm: float = 0.0
) -> RoiWeights:
    """Return one row of weights per region, in the order given, on a run's voxels or grayordinates.

    Raises
    ------
    SettingsError
        As `rsconn.files.regions.build_weights`; for a dense series also if it should be smoothed, a region's
        grayordinates are not those of the series, or a sphere needs surfaces that are not given.
    """
    if not isinstance(header, DenseHeader):
        return build_weights(rois, header, smoothing_fwhm_mm)
    if smoothing_fwhm_mm:
        raise SettingsError(
            f"{smoothing_fwhm_mm:g} mm of smoothing asked for; dense series (CIFTI) are not smoothed here, "
            "denoising.smoothing_fwhm_mm: 0 needed"
        )
    return _build_dense(rois, header)


def _build_dense(rois: Sequence[Roi | Mapping[str, Any]], header: DenseHeader) -> RoiWeights:
    regions = [get_mapping(roi) for roi in rois]
    places = _Places(header)
    groups: dict[str, list[int]] = {}
    for index, region in enumerate(regions):
        groups.setdefault(_find_group(region, places), []).append(index)
    parts, order = [], []
    for group, members in groups.items():
        chosen = [regions[index] for index in members]
        if group == "volume":
            parts.append(_build_in_volume(chosen, header))
        elif group == "surface":
            parts.append(_build_surface_spheres(chosen, places))
        else:
            parts.append(build_file_weights(chosen, header))
        order.extend(members)
    return reorder_rows(stack_weights(parts), np.argsort(order))


def _find_group(region: Mapping[str, Any], places: _Places) -> str:
    """Say how a region is built: in the volume, on the surface, or from a dense file (its kind and path)."""
    for kind in ("mask", "atlas", "map"):
        definition = region.get(kind)
        if definition is not None:
            image = definition if kind == "mask" else definition["image"]
            return f"{kind} {image}" if is_dense(image) else "volume"
    if region.get("sphere") is None:
        return "volume"  # which tells that there is no region
    return places.choose_part(region)


def _build_in_volume(regions: Sequence[Mapping[str, Any]], header: DenseHeader) -> RoiWeights:
    models = header.models
    if not models.volumes:
        raise SettingsError(
            f"ROI {regions[0]['name']!r}: {header.path.name} has no voxels, only vertices; a *.dlabel.nii or "
            "*.dscalar.nii is needed, or a sphere with surfaces: {left: FILE, right: FILE} in the ROI set"
        )
    weights = build_weights(regions, _make_volume_header(header))
    numbers = models.map_voxels()[weights.voxels]
    rows = []
    for start, stop in zip(weights.starts[:-1], weights.starts[1:], strict=True):
        inside = numbers[start:stop] >= 0
        rows.append((numbers[start:stop][inside], weights.values[start:stop][inside]))
    return make_weights(weights.names, rows, weights.totals, header.shape)


def _make_volume_header(header: DenseHeader) -> ImageHeader:
    """Return the grid that the series' voxels lie on."""
    models = header.models
    return ImageHeader(
        header.path, models.shape, 1, np.dtype("<f4"), 1.0, 0.0, models.affine, math.nan, data_offset=0
    )


@dataclass(frozen=True)
class _Surface:
    model: BrainModel
    vertices: NDArray[np.float64]


class _Places:
    """Where the grayordinates lie; coordinates are read when a sphere asks for them."""

    def __init__(self, header: DenseHeader) -> None:
        self.header = header
        self._surfaces: dict[tuple[str, ...], tuple[_Surface, ...]] = {}
        self._voxels: NDArray[np.float64] | None = None

    def choose_part(self, region: Mapping[str, Any]) -> str:
        """Return where a sphere lies: where the grayordinate nearest to its centre is."""
        models, center = self.header.models, np.asarray(region["sphere"]["center_mm"], float)
        if region.get("surfaces") is None:
            if models.surfaces and not _is_in_voxel(models, center):
                raise SettingsError(
                    f"ROI {region['name']!r}: no voxel of {self.header.path.name} lies at {center.tolist()}; a "
                    "sphere on the cortex needs surfaces: {left: FILE, right: FILE} (*.surf.gii) in the ROI set"
                )
            return "volume"
        to_vertex = min(
            (_measure(surface.vertices[surface.model.places], center) for surface in self.get(region)),
            default=math.inf,
        )
        to_voxel = _measure(self._locate_voxels(), center)
        return "surface" if to_vertex <= to_voxel else "volume"

    def get(self, region: Mapping[str, Any]) -> tuple[_Surface, ...]:
        """Return the cortical surfaces with the coordinates that a region's set gives."""
        files = {side: str(region["surfaces"][side]) for side in _SIDES.values()}
        key = tuple(files.values())
        if key not in self._surfaces:
            self._surfaces[key] = tuple(
                _read_surface(model, files[_SIDES[model.structure]], region["name"])
                for model in self.header.models.surfaces
                if model.structure in _SIDES
            )
        return self._surfaces[key]

    def _locate_voxels(self) -> NDArray[np.float64]:
        if self._voxels is None:
            models = self.header.models
            indices = [model.places for model in models.volumes]
            joined = np.concatenate(indices) if indices else np.empty((0, 3))
            self._voxels = joined @ models.affine[:3, :3].T + models.affine[:3, 3]
        return self._voxels


def _measure(points: NDArray[np.float64], center: NDArray[np.float64]) -> float:
    """Return the distance (mm) of the nearest of the points; infinity if there is none."""
    return float(np.linalg.norm(points - center, axis=1).min(initial=math.inf))


def _is_in_voxel(models: BrainModels, center: NDArray[np.float64]) -> bool:
    if not models.volumes:
        return False
    inverse = np.linalg.inv(models.affine)
    index = np.round(inverse[:3, :3] @ center + inverse[:3, 3]).astype(int)
    if ((index < 0) | (index >= models.shape)).any():
        return False
    return bool(models.map_voxels()[np.ravel_multi_index(tuple(index), models.shape, order="F")] >= 0)


def _read_surface(model: BrainModel, file: str, name: str) -> _Surface:
    try:
        vertices = read_vertices(Path(file))
    except RunError as problem:
        raise SettingsError(f"ROI {name!r}: surfaces.{_SIDES[model.structure]}: {problem}") from None
    if len(vertices) != model.n_vertices:
        raise SettingsError(
            f"ROI {name!r}: surfaces.{_SIDES[model.structure]}: {file} has {len(vertices)} vertices, the series "
            f"{model.n_vertices}; a surface of the series' density is needed"
        )
    return _Surface(model, vertices)


def _build_surface_spheres(regions: Sequence[Mapping[str, Any]], places: _Places) -> RoiWeights:
    """Return the vertices within the radius, in a straight line; those without a grayordinate count in the totals."""
    rows, totals = [], []
    for region in regions:
        center, radius = np.asarray(region["sphere"]["center_mm"], float), region["sphere"]["radius_mm"]
        members, total = [], 0
        for surface in places.get(region):
            inside = np.linalg.norm(surface.vertices - center, axis=1) <= radius
            members.append(surface.model.grayordinates[inside[surface.model.places]])
            total += int(inside.sum())
        joined = np.concatenate(members)
        if not joined.size:
            nearest = min(_measure(surface.vertices, center) for surface in places.get(region))
            raise SettingsError(
                f"ROI {region['name']!r}: no vertex within {radius:g} mm of {center.tolist()}, the nearest is "
                f"{nearest:.1f} mm away (sphere.radius_mm, sphere.center_mm)"
            )
        rows.append((joined, np.ones(len(joined))))
        totals.append(total)
    header = places.header
    return make_weights([region["name"] for region in regions], rows, totals, header.shape)


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
    inside = find_inside(name, path, np.append(mask.values, mask.outside))
    n_series = mask.values.size
    if not inside[:n_series].any():
        raise SettingsError(f"ROI {name!r}: {path} leaves no grayordinate of the series")
    on_series = inside[:n_series].reshape(mask.values.shape)
    return make_mask_weights(
        [region["name"] for region in regions],
        [on_series] * len(regions),
        [float(inside.sum())] * len(regions),
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
