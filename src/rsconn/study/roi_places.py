"""Where regions lie, whatever their kind: what the picture of the regions needs to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.files.cifti import is_dense
from rsconn.files.image_headers import read_header
from rsconn.files.regions import build_weights


def locate_rois(rois: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return name, source, kind, center_mm and radius_mm of each region.

    A sphere's are its own. A mask, atlas region or map has the centre of its weight and the radius of a sphere of
    equal volume (of voxels with weight), on its own image's grid. A column of parcellated input has neither: None; nor
    has a region that a dense file (CIFTI) defines.

    Parameters
    ----------
    rois : sequence of mappings
        As ``RoiSet.model_dump(mode="json")`` gives them.
    """
    places = [_describe(roi) for roi in rois]
    images = [_find_image(roi) for roi in rois]
    for image in dict.fromkeys(path for path in images if path is not None and not is_dense(path)):
        members = [number for number, path in enumerate(images) if path == image]
        header = read_header(image)
        weights = build_weights([rois[number] for number in members], header)
        for row, number in enumerate(members):
            entries = slice(weights.starts[row], weights.starts[row + 1])
            centre, radius = measure_region(
                weights.voxels[entries], weights.values[entries], weights.shape, header.affine
            )
            places[number] |= {"center_mm": centre, "radius_mm": radius}
    return places


def measure_region(
    voxels: NDArray[np.intp],
    values: NDArray[np.float64],
    shape: tuple[int, int, int],
    affine: NDArray[np.float64],
) -> tuple[list[float], float]:
    """Return the centre of weight (world mm) and the radius (mm) of a sphere of equal volume.

    Parameters
    ----------
    voxels : int array (n,)
        Flat indices, x fastest.
    values : float64 array (n,)
        Their weights.
    shape : tuple of int
        Voxels of the grid along x, y, z.
    affine : float64 array (4, 4)
        Voxel indices to world mm.

    Examples
    --------
    >>> centre, radius = measure_region(np.array([0, 1]), np.ones(2), (2, 1, 1), np.diag([2.0, 2, 2, 1]))
    >>> centre, round(radius, 3)
    ([1.0, 0.0, 0.0], 1.563)
    """
    indices = np.column_stack(np.unravel_index(voxels, shape, order="F"))
    centre = np.average(indices, axis=0, weights=values) @ affine[:3, :3].T + affine[:3, 3]
    volume = voxels.size * abs(float(np.linalg.det(affine[:3, :3])))
    return [float(value) for value in centre], float((3 * volume / (4 * np.pi)) ** (1 / 3))


def _describe(roi: Mapping[str, Any]) -> dict[str, Any]:
    sphere = roi.get("sphere") or {}
    return {
        "name": roi["name"],
        "source": roi.get("source"),
        "kind": roi.get("kind") or ("sphere" if sphere else None),
        "center_mm": list(sphere["center_mm"]) if sphere else None,
        "radius_mm": sphere.get("radius_mm"),
    }


def _find_image(roi: Mapping[str, Any]) -> Path | None:
    for kind in ("atlas", "map"):
        if roi.get(kind):
            return Path(roi[kind]["image"])
    return Path(roi["mask"]) if roi.get("mask") else None
