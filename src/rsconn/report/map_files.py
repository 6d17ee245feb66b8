"""Seed maps as the group step wrote them, read for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.files.images import read_image
from rsconn.report.map_slices import Volume


def read_volume(path: Path) -> Volume:
    """Return a map; NaN as 0.

    Raises
    ------
    RunError
        The file is missing or no image.
    """
    data, affine = read_image(path)
    return Volume(np.nan_to_num(data), affine)


def read_survivors(folder: Path, files: Mapping[str, str], alpha: float, kind: str) -> Volume | None:
    """Return 1 where a corrected p is at most alpha; None if there is no such map.

    Parameters
    ----------
    folder : Path
        group/maps.
    files : mapping
        The model's files by the last part of their name.
    alpha : float
        Level.
    kind : str
        ``logpfwe``, ``logpsize``, ``logpmass`` or ``logptfce``.
    """
    if kind not in files:
        return None
    volume = read_volume(folder / files[kind])
    # the maps are float32: a p of exactly alpha must not be lost to rounding
    return Volume((volume.data >= -np.log10(alpha) - 1e-5).astype(np.float32), volume.affine)


def get_models(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the models of a seed that were tested."""
    return [model for model in description["models"] if "files" in model]
