"""Slices of a map over the MNI152 brain as colours: nothing about axes, files or figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from rsconn.arrays import FloatArray

# Pale to dark on both sides: blue and orange are told apart with every common colour vision deficiency.
COLD, HOT = ("#DCEBF5", "#56A0D3", "#0072B2", "#003B66"), ("#FCE8D2", "#EE9A4D", "#D55E00", "#702A00")
SCALE = LinearSegmentedColormap.from_list("rsconn-diverging", [*COLD[::-1], "#FFFFFF", *HOT])
# The brain is drawn light, so that dark colours are large values.
DARKEST, LIGHTEST = 0.42, 0.97
# mm that the pictures span, a little more than the template's brain
BOX = {"x": (-76, 76), "y": (-110, 77), "z": (-74, 86)}
# what a slice across an axis shows to the right and upwards
DIRECTIONS = {"x": ("y", "z"), "y": ("x", "z"), "z": ("x", "y")}


@dataclass(frozen=True, eq=False)
class Volume:
    """A map and where it lies.

    Attributes
    ----------
    data : array (x, y, z)
    affine : float64 array (4, 4)
        Voxel indices to MNI mm.
    """

    data: NDArray[np.floating]
    affine: FloatArray

    def sample(self, points: FloatArray) -> FloatArray:
        """Return the value of the voxel that holds each point (..., 3) in mm; 0 outside the map."""
        inverse = np.linalg.inv(self.affine)
        indices = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.intp)
        inside = ((indices >= 0) & (indices < self.data.shape)).all(axis=-1)
        values = np.zeros(points.shape[:-1])
        values[inside] = self.data[tuple(indices[inside].T)]
        return values


def read_background() -> Volume:
    """Return the MNI152 2009a symmetric T1 that nilearn carries: brain only, 1 mm, values 0 to 1."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    return Volume(np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine, dtype=np.float64))


def list_points(axis: str, mm: float, step: float = 1.0) -> FloatArray:
    """Return the points of a slice across an axis, shape (n_up, n_right, 3), in mm."""
    right, up = DIRECTIONS[axis]
    ranges = {name: np.arange(BOX[name][0], BOX[name][1] + step / 2, step) for name in (right, up)}
    across, upward = np.meshgrid(ranges[right], ranges[up])
    parts = {axis: np.full(across.shape, float(mm)), right: across, up: upward}
    return np.stack([parts["x"], parts["y"], parts["z"]], axis=-1)


def paint_brain(background: Volume, points: FloatArray) -> FloatArray:
    """Return the brain in light greys (..., 3) on white.

    The greys are few, so that pictures stay small.
    """
    value = background.sample(points)
    grey = DARKEST + (LIGHTEST - DARKEST) * np.clip((value - 0.2) / 0.7, 0, 1)
    grey = np.round(grey * 24) / 24
    return np.repeat(np.where(value > 0, grey, 1.0)[..., None], 3, axis=-1)


def blend(brain: FloatArray, values: FloatArray, *, limit: float, opaque_at: float) -> FloatArray:
    """Return the brain with values in colour over it: 0 cannot be seen, from `opaque_at` on nothing shines through.

    Parameters
    ----------
    brain : float array (..., 3)
        Colours, 0 to 1.
    values : float array (...)
        0 or NaN: none.
    limit : float
        Value at the end of the colour scale.
    opaque_at : float
        Absolute value that covers the brain.
    """
    values = np.nan_to_num(values)
    # in steps that the eye does not see, so that pictures stay small
    colours = SCALE(np.round(np.clip(values / limit, -1, 1) * 16) / 32 + 0.5)[..., :3]
    opacity = np.round(np.clip(np.abs(values) / opaque_at, 0, 1)[..., None] ** 1.5 * 8) / 8
    return np.asarray(brain * (1 - opacity) + colours * opacity)
