"""Turn the regions of an ROI set into sparse weights on the grayordinates of a dense series.

A region that is defined in the volume (a NIfTI mask, atlas or map, a sphere below the cortex) is built on the grid of
the series' voxels and keeps those that are grayordinates; one that is defined on grayordinates (CIFTI) is matched by
vertex and voxel, so that a file of the cortex alone will do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError, SettingsError
from rsconn.files.cifti import DenseHeader, is_dense
from rsconn.files.cifti_files import build_file_weights
from rsconn.files.cifti_models import BrainModel, BrainModels
from rsconn.files.gifti import read_vertices
from rsconn.files.image_headers import ImageHeader
from rsconn.files.regions import build_weights, get_mapping, reorder_rows
from rsconn.signal.weights import RoiWeights, make_weights, stack_weights

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
