"""Turn the regions of an ROI set into sparse weights on a run's own grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError, SettingsError, TableError
from rsconn.files.images import ImageHeader, read_header, stream_volumes
from rsconn.label_tables import read_label_table
from rsconn.signal.grids import binarise_mask, list_outside, resample_linear, resample_nearest
from rsconn.signal.weights import (
    RoiWeights,
    make_label_weights,
    make_map_weights,
    make_mask_weights,
    make_sphere_weights,
    smooth_weights,
    stack_weights,
    take_row,
)

if TYPE_CHECKING:
    from rsconn.settings.rois import Roi

# float64 holds every whole number up to here
_LARGEST_LABEL = 2**53
_KINDS = ("sphere", "mask", "atlas", "map")


def build_weights(
    rois: Sequence[Roi | Mapping[str, Any]], header: ImageHeader, smoothing_fwhm_mm: float = 0.0
) -> RoiWeights:
    """Return one row of weights per region, in the order given, on the grid of `header`.

    Masks, atlases and maps on another grid are resampled once (see `rsconn.signal.grids`); each image is
    read once. Regions come as settings objects or as their plain dictionaries, which is how jobs receive
    them.

    Raises
    ------
    SettingsError
        An image or a label table cannot be used, a label or map is not in it, or a region has no weight at
        all.
    """
    regions = [get_mapping(roi) for roi in rois]
    parts, order = [], []
    for members in _group_by_image(regions):
        parts.append(_BUILDERS[_get_kind(regions[members[0]])]([regions[i] for i in members], header))
        order.extend(members)
    weights = reorder_rows(stack_weights(parts), np.argsort(order))
    return smooth_weights(weights, header.affine, smoothing_fwhm_mm) if smoothing_fwhm_mm else weights


class WeightsBuilder:
    """Builds the weights of an ROI set, and builds them again only for a run on another grid.

    Reading and resampling a 1 mm atlas takes half a second; the runs of a batch mostly share one grid.

    Parameters
    ----------
    rois, smoothing_fwhm_mm
        See `build_weights`.
    """

    def __init__(self, rois: Sequence[Roi | Mapping[str, Any]], smoothing_fwhm_mm: float = 0.0) -> None:
        self._rois, self._smoothing_fwhm_mm = rois, smoothing_fwhm_mm
        self._held: tuple[tuple[Any, ...], RoiWeights] | None = None

    def build(self, header: ImageHeader) -> RoiWeights:
        """Return the weights on the grid of `header`."""
        grid = (header.shape, header.affine.tobytes())
        if self._held is None or self._held[0] != grid:
            self._held = (grid, build_weights(self._rois, header, self._smoothing_fwhm_mm))
        return self._held[1]


def get_mapping(roi: Roi | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a region as a mapping, which is what jobs receive."""
    return roi if isinstance(roi, Mapping) else roi.model_dump()


def _get_kind(region: Mapping[str, Any]) -> str:
    kind = next((kind for kind in _KINDS if region.get(kind) is not None), None)
    if kind is None:
        raise SettingsError(f"ROI {region['name']!r}: no sphere, mask, atlas or map, one is needed")
    return kind


def _group_by_image(regions: Sequence[Mapping[str, Any]]) -> Iterable[list[int]]:
    groups: dict[tuple[str, str], list[int]] = {}
    for index, region in enumerate(regions):
        kind = _get_kind(region)
        image = region[kind]["image"] if kind in ("atlas", "map") else ""
        groups.setdefault((kind, str(image)), []).append(index)
    return groups.values()


def reorder_rows(weights: RoiWeights, order: NDArray[np.intp]) -> RoiWeights:
    """Return the rows in another order."""
    if (order == np.arange(len(order))).all():
        return weights
    return stack_weights([take_row(weights, int(row)) for row in order])


def _build_spheres(regions: Sequence[Mapping[str, Any]], header: ImageHeader) -> RoiWeights:
    spheres = [region["sphere"] for region in regions]
    return make_sphere_weights(
        [region["name"] for region in regions],
        [sphere["center_mm"] for sphere in spheres],
        [sphere["radius_mm"] for sphere in spheres],
        header.affine,
        header.shape,
    )


def _build_masks(regions: Sequence[Mapping[str, Any]], header: ImageHeader) -> RoiWeights:
    masks, totals = [], []
    for region in regions:
        data, affine = _read_single(region["name"], region["mask"])
        inside = find_inside(region["name"], region["mask"], data)
        on_grid, outside = _bring(region, region["mask"], inside.astype(np.float64), affine, header)
        masks.append(on_grid != 0)
        totals.append(on_grid.sum() + outside)
    return make_mask_weights([region["name"] for region in regions], masks, totals)


def find_inside(name: str, path: str | Path, data: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where a region's mask is not 0; a SettingsError if it holds more than one other value."""
    try:
        return binarise_mask(data)
    except ValueError as problem:
        raise SettingsError(
            f"ROI {name!r}: {path} {problem}, a mask is 0 and 1; use atlas: for labels, map: for probabilities"
        ) from None


def _build_labels(regions: Sequence[Mapping[str, Any]], header: ImageHeader) -> RoiWeights:
    names = [region["name"] for region in regions]
    image = regions[0]["atlas"]["image"]
    data, affine = _read_single(names[0], image)
    present = list_labels(names[0], image, data)
    labels = [find_label(region["name"], region["atlas"], present) for region in regions]
    if _is_on_grid(data, affine, header):
        return make_label_weights(names, data, labels)
    on_grid = resample_nearest(data, affine, header.affine, header.shape)
    outside, ratio = list_outside(data, affine, header.affine, header.shape)
    weights = make_label_weights(names, on_grid, labels)
    lost = np.array([(outside == label).sum() * ratio for label in labels])
    return replace(weights, totals=weights.totals + lost)


def list_labels(name: str, image: str | Path, data: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the labels that an atlas holds; a SettingsError if its values are no labels."""
    values = np.unique(data)
    wrong = values[(values != np.round(values)) | (np.abs(values) > _LARGEST_LABEL)]
    if len(wrong):
        raise SettingsError(
            f"ROI {name!r}: {image} is no atlas, it holds {float(wrong[0])}; whole numbers needed, or map:"
        )
    return values.astype(np.intp)


def find_label(name: str, atlas: Mapping[str, Any], present: NDArray[np.intp]) -> int:
    """Return the number of a region's label; a SettingsError if the atlas does not hold it."""
    label = atlas["label"]
    number = label if isinstance(label, int) else _look_up(name, Path(atlas["labels_tsv"]), label)
    if number == 0 or number not in present:
        found = present[present != 0]
        raise SettingsError(
            f"ROI {name!r}: label {label} is not in {atlas['image']}, which has {len(found)} labels from "
            f"{min(found, default=0)} to {max(found, default=0)}"
        )
    return number


def _look_up(name: str, table: Path, label: str) -> int:
    try:
        rows = read_label_table(table)
    except TableError as problem:
        raise SettingsError(f"ROI {name!r}: {problem}") from None
    found = {number for number, texts in rows if label in texts}
    if len(found) == 1:
        return found.pop()
    known = get_close_matches(label, [text for _, texts in rows for text in texts], n=3)
    hint = f"{len(found)} rows match" if found else f"no such label, nearest {', '.join(known) or 'none'}"
    raise SettingsError(f"ROI {name!r}: label {label!r} in {table}: {hint}; one row with a number is needed")


def _build_maps(regions: Sequence[Mapping[str, Any]], header: ImageHeader) -> RoiWeights:
    image = regions[0]["map"]["image"]
    volumes = _read_volumes(regions[0]["name"], image, {region["map"]["index"] for region in regions})
    maps, totals = [], []
    for region in regions:
        data, affine = volumes[region["map"]["index"]]
        values = threshold_map(region, data)
        on_grid, outside = _bring(region, image, values, affine, header)
        maps.append(on_grid)
        totals.append(on_grid.sum() + outside)
    return make_map_weights([region["name"] for region in regions], maps, totals)


def threshold_map(region: Mapping[str, Any], data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of a region's map: 0 below the threshold; a SettingsError for negative ones without it."""
    threshold = region["map"].get("threshold")
    if threshold is None and (data < 0).any():
        raise SettingsError(
            f"ROI {region['name']!r}: map {region['map']['index']} of {region['map']['image']} has negative "
            "weights, which a mean cannot have; set map.threshold (0 keeps the positive part)"
        )
    return np.where(data >= max(threshold or 0.0, 0.0), data, 0.0)


def _read_single(name: str, path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read an image of one volume, and its affine."""
    header = _read_region_header(name, path)
    if header.n_volumes != 1:
        raise SettingsError(
            f"ROI {name!r}: {path} has {header.n_volumes} volumes, one is needed; for several use map:"
        )
    return _read_volumes(name, path, {0})[0]


# The whole brain at half a millimetre has 58 million voxels; they are held as float64.
_LARGEST_REGION_IMAGE = 1 << 26


def _read_region_header(name: str, path: str | Path) -> ImageHeader:
    """Read the header of a region's image, which must fit into memory as a whole; its message names the region."""
    try:
        header = read_header(Path(path))
    except RunError as problem:
        raise SettingsError(f"ROI {name!r}: {problem}") from None
    if header.n_voxels > _LARGEST_REGION_IMAGE:
        raise SettingsError(
            f"ROI {name!r}: {path} has {header.n_voxels:.3g} voxels, at most {_LARGEST_REGION_IMAGE:.3g} are read; "
            "resample it to half a millimetre or more"
        )
    return header


def _read_volumes(
    name: str, path: str | Path, indices: set[int]
) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Read the wanted volumes of an image, each with its affine. NaN becomes 0."""
    header = _read_region_header(name, path)
    if max(indices) >= header.n_volumes:
        raise SettingsError(
            f"ROI {name!r}: {path} has {header.n_volumes} volumes from 0 on, none is map.index {max(indices)}"
        )
    try:
        return {
            index: (_scale(volume, header), header.affine)
            for index, volume in enumerate(stream_volumes(header))
            if index in indices
        }
    except RunError as problem:
        raise SettingsError(f"ROI {name!r}: {problem}") from None


def _scale(volume: NDArray[Any], header: ImageHeader) -> NDArray[np.float64]:
    values = np.nan_to_num(volume.astype(np.float64) * header.slope + header.intercept)
    return values.reshape(header.shape, order="F")


def _is_on_grid(data: NDArray[np.float64], affine: NDArray[np.float64], header: ImageHeader) -> bool:
    return data.shape == header.shape and bool(np.allclose(affine, header.affine, rtol=0, atol=1e-4))


def _bring(
    region: Mapping[str, Any],
    image: str | Path,
    values: NDArray[np.float64],
    affine: NDArray[np.float64],
    header: ImageHeader,
) -> tuple[NDArray[np.float64], float]:
    """Return a region's weights on the run's grid, and the weight that lies outside of it."""
    if not values.any():
        raise SettingsError(f"ROI {region['name']!r}: {image} leaves no voxel with a weight")
    if _is_on_grid(values, affine, header):
        return values, 0.0
    resample = resample_linear if region.get("map") else resample_nearest
    outside, ratio = list_outside(values, affine, header.affine, header.shape)
    return resample(values, affine, header.affine, header.shape), float(outside.sum() * ratio)


_BUILDERS: Mapping[str, Callable[[Sequence[Mapping[str, Any]], ImageHeader], RoiWeights]] = MappingProxyType(
    {"sphere": _build_spheres, "mask": _build_masks, "atlas": _build_labels, "map": _build_maps}
)


if TYPE_CHECKING:
    from rsconn.settings.rois import Roi


def build_variants(
    rois: Sequence[Roi | Mapping[str, Any]],
    header: ImageHeader,
    variants: Sequence[tuple[float | None, float]],
) -> RoiWeights:
    """Return every region in every variant, as more rows for the same pass.

    Parameters
    ----------
    rois, header
        See `build_weights`.
    variants : sequence of (radius_mm or None, fwhm_mm)
        Radius of spheres (None: as given; other kinds keep their shape) and smoothing of the image.

    Returns
    -------
    RoiWeights
        Rows named `<roi>_<variant>` (`name_variant`), all regions of the first variant first.
    """
    parts = []
    for radius_mm, fwhm_mm in variants:
        changed = [_change_radius(get_mapping(roi), radius_mm) for roi in rois]
        part = build_weights(changed, header, fwhm_mm)
        label = name_variant(radius_mm, fwhm_mm)
        parts.append(replace(part, names=tuple(f"{name}_{label}" for name in part.names)))
    return stack_weights(parts)


def name_variant(radius_mm: float | None, fwhm_mm: float) -> str:
    """Name a variant by its radius and smoothing in mm.

    Examples
    --------
    >>> name_variant(8, 6), name_variant(None, 0), name_variant(4.5, 0)
    ('R8S6', 'S0', 'R4p5S0')
    """
    radius = "" if radius_mm is None else f"R{radius_mm:g}"
    return f"{radius}S{fwhm_mm:g}".replace(".", "p")


def _change_radius(region: Mapping[str, Any], radius_mm: float | None) -> Mapping[str, Any]:
    if radius_mm is None or region.get("sphere") is None:
        return region
    return {**region, "sphere": {**region["sphere"], "radius_mm": radius_mm}}
