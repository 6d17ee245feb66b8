"""What a simulated study says it planted in space, laid over what its maps found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rsconn.errors import DatasetError
from rsconn.report.map_files import get_models, read_volume
from rsconn.study.figure_maps import STATISTICS
from rsconn.study.maps.found_regions import PlantedPlace, compare_planted, tabulate_planted


def read_planted_places(path: Path) -> tuple[PlantedPlace, ...]:
    """Return the places of a simulated study's truth file; none if nothing was planted.

    Raises
    ------
    DatasetError
        The file is no truth file of ``rsconn simulate``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            PlantedPlace(
                str(entry["seed"]), str(entry["model"]), str(entry["direction"]), str(entry["region"]),
                tuple(map(float, entry["center_mm"])), float(entry["radius_mm"]),  # type: ignore[arg-type]
            )
            for entry in content["maps"]
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: not readable as what was planted ({error!r}); the truth.json of `rsconn simulate` needed (truth)"
        ) from None


def compare_maps(
    folder: Path, descriptions: Sequence[Mapping[str, Any]], places: Sequence[PlantedPlace]
) -> pd.DataFrame:
    """Return one row per planted place that a model was to find, and correction.

    Parameters
    ----------
    folder : Path
        group/maps.
    descriptions : sequence of mappings
        From `study.figure_maps.read_descriptions`.
    places : sequence of PlantedPlace
        From `read_planted_places`.
    """
    rows = []
    for description in descriptions:
        for model in get_models(description):
            wanted = [p for p in places if (p.seed, p.model) == (description["seed"], model["name"])]
            for place in wanted:
                rows += _compare(folder, model, place)
    return tabulate_planted(rows)


def _compare(folder: Path, model: Mapping[str, Any], place: PlantedPlace) -> list[dict[str, Any]]:
    volume = read_volume(folder / model["files"]["t"])
    tested = np.argwhere(volume.data != 0)
    points = tested @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    index = tuple(tested.T)
    p = {
        # the maps are float32: a p of exactly alpha must not be lost to rounding
        words: 10.0 ** -(read_volume(folder / model["files"][kind]).data[index].astype(np.float64) + 1e-5)
        for kind, words in STATISTICS.values()
        if kind in model["files"]
    }
    sign = 1 if place.direction == model["positive"] else -1
    t = volume.data[index].astype(np.float64)
    return compare_planted(place, sign, t, p, points, model["alpha"])
