"""The same regions with other radii and other smoothing: more rows for the same pass over an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rsconn.files.images import ImageHeader
from rsconn.files.regions import build_weights, get_mapping
from rsconn.signal.weights import RoiWeights, stack_weights

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
