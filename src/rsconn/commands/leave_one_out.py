"""Regions found without a person: each person's mean in the clusters of all others' map, and an honest p."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.arrays import drop_nan
from rsconn.commands.rois_from_map import FoundSet, default_folder
from rsconn.errors import SettingsError
from rsconn.files.tables import write_tsv
from rsconn.files.writing import check_new_files, write_json, write_map
from rsconn.inference.clusters import find_neighbours
from rsconn.inference.folds import LeftOut, Selection, permute_left_out
from rsconn.rules.maps import arrange_maps, list_designs, read_group
from rsconn.settings.config import Config, read_config
from rsconn.settings.fields import show_path
from rsconn.study.maps.map_designs import MapDesign
from rsconn.study.maps.seed_images import SeedImages
from rsconn.study.people.used_columns import Column

_SIGNS = ("positive", "negative")
_TEXTS = {
    "participant_id": "Person.",
    "tested": "What the model tests; a contrast has 1 for its first side and 0 for its second.",
    "mean_positive": "Mean Fisher z of the person's own map over the clusters of positive t that the map of all "
    "others has at the run's threshold; n/a where it has none.",
    "mean_negative": "The same for clusters of negative t.",
}


def write_left_out(found: FoundSet, config: Path | None, output: Path | None = None) -> list[str]:
    """Write ``left_out.tsv`` and maps of the folds' regions; return the lines to print.

    Parameters
    ----------
    found : FoundSet
        What the whole group's map shows; its threshold is that of every fold.
    config : Path
        The run's config.
    output : Path, optional
        As for `rsconn.commands.rois_from_map.make_roi_set`.

    Raises
    ------
    SettingsError
        No config, or not that of the run; a correction or alpha that the folds cannot have; a person without
        whom the model cannot be fitted.
    """
    if config is None:
        raise SettingsError("--leave-one-out: the config of the run needed (--config FILE)")
    selection = _choose_selection(found)
    folder = output or default_folder(found)
    check_new_files(
        [folder / f"left_out.{kind}" for kind in ("tsv", "json")], "--output", mark=folder / "rois.yaml"
    )
    settings = read_config(config.absolute())
    with contextlib.chdir(found.results):
        records = sorted(Path("work/denoise").glob("[!.]*.json"))
        images, columns, _ = read_group(found.seed, records, settings, Path("group/cohort.tsv"))
        design = _find_design(found, config, list_designs(images, columns, settings), columns)
        result, voxels = _leave_out(found, design, images, columns, settings, selection)
    _write_table(folder, columns["participant_id"][design.rows], design, result)
    for sign, counts in zip(_SIGNS, result.counts, strict=True):
        if counts.any():
            path = folder / f"left_out_folds-{sign}.nii.gz"
            write_map(path, counts.astype(np.float32), voxels, images.header)
    summary = _summarise(found, result, len(voxels), images.voxels.size)
    write_json(folder / "left_out.json", _TEXTS_OF_TABLE | summary)
    return _list_lines(summary, show_path(folder / "left_out.tsv"))


_TEXTS_OF_TABLE: dict[str, Any] = {name: {"Description": text} for name, text in _TEXTS.items()}


def _choose_selection(found: FoundSet) -> Selection:
    """Return the run's own threshold as every fold has it."""
    if found.correction == "tfce":
        raise SettingsError(
            "--leave-one-out: TFCE of every fold and permutation would take days; --correction extent, mass or "
            "max-t needed"
        )
    alpha, critical = float(found.model["alpha"]), found.model["critical"]
    if not math.isclose(found.alpha, alpha):
        raise SettingsError(
            f"--alpha {found.alpha:g}: the folds have the run's threshold, for alpha {alpha:g}; leave --alpha out, or "
            "change inference.alpha and run again"
        )
    if found.correction == "max-t":
        return Selection(float(critical["max_t"]))
    threshold = float(found.model["cluster_forming_t"])
    if found.correction == "extent":
        return Selection(threshold, float(critical["size"]), "size")
    return Selection(threshold, float(critical["mass"]), "mass")


def _find_design(
    found: FoundSet, config: Path, designs: Sequence[MapDesign], columns: Mapping[str, Column]
) -> MapDesign:
    """Return the model of the map, if the config and the cohort still say the same as when it was made."""
    for design in designs:
        people = [str(person) for person in columns["participant_id"][design.rows]]
        same = list(design.covariates) == found.model["covariates"] and people == found.model["people"]
        if design.name == found.model["name"] and same:
            return design
    raise SettingsError(
        f"{show_path(config)}: model {found.model['name']} of {found.seed} has other people or covariates than the map "
        f"in {show_path(found.results)}; the config of that run needed (--config)"
    )


def _leave_out(
    found: FoundSet,
    design: MapDesign,
    images: SeedImages,
    columns: Mapping[str, Column],
    config: Config,
    selection: Selection,
) -> tuple[LeftOut, np.ndarray]:
    """Return the result, and the voxels it is of: those that everybody covers."""
    maps = arrange_maps(images, columns, design)
    everybody = np.isfinite(maps).all(axis=0)
    voxels = images.voxels[everybody]
    try:
        result = permute_left_out(
            maps[:, everybody],
            design.tested,
            design.nuisance,
            find_neighbours(voxels, images.header.shape),
            selection,
            n_permutations=int(found.model["n_permutations"]),
            seed=config.inference.seed,
            blocks=design.blocks,
            units=design.units,
        )
    except ValueError as error:
        raise SettingsError(
            f"--leave-one-out: model {design.name} cannot be fitted without each person: {error}"
        ) from None
    return result, voxels


def _write_table(folder: Path, people: Column, design: MapDesign, result: LeftOut) -> None:
    means = {f"mean_{sign}": row for sign, row in zip(_SIGNS, result.means, strict=True)}
    write_tsv(folder / "left_out.tsv", {"participant_id": people, "tested": design.tested} | means)


def _summarise(found: FoundSet, result: LeftOut, n_voxels: int, n_all: int) -> dict[str, Any]:
    """Return what is known of each direction; the usual p of the means is not among it, because it is wrong."""
    directions = [
        {
            "direction": text,
            "n": int(np.isfinite(means).sum()),
            "n_without_region": int(np.isnan(means).sum()),
            "estimate": drop_nan(estimate),
            "p_repeated_selection": drop_nan(p),
        }
        for text, means, estimate, p in zip(
            (found.model["positive"], found.model["negative"]),
            result.means,
            result.estimate,
            result.p,
            strict=True,
        )
    ]
    return {
        "correction": found.correction,
        "n_permutations": len(result.null),
        "n_voxels": n_voxels,
        "n_voxels_not_covered_by_all": n_all - n_voxels,
        "directions": directions,
        "note": "An estimate above 0 is of the first direction. It is descriptive: "
        "nobody is in the map that chose their own region, but everybody is in "
        "the maps of all others, so the usual p and interval of these means are wrong and not given. p is of "
        "permutations that repeat the selection in every fold, for both directions together.",
    }


def _list_lines(summary: Mapping[str, Any], file: str) -> list[str]:
    lines, above = [], summary["directions"][0]["direction"]
    for row in summary["directions"]:
        if row["n"] == 0:
            lines.append(f"leave-one-out, {row['direction']}: no fold has a region")
        elif row["estimate"] is None:
            lines.append(
                f"leave-one-out, {row['direction']}: only {row['n']} folds have a region; no estimate"
            )
        else:
            without = f" ({row['n_without_region']} more have no region)" if row["n_without_region"] else ""
            lines.append(
                f"leave-one-out, {row['direction']}: estimate {row['estimate']:.3g} (Fisher z, above 0 is {above}; "
                f"descriptive) of {row['n']} people{without}, "
                f"p {row['p_repeated_selection']:.3g} by {summary['n_permutations']} permutations "
                "that repeat the selection"
            )
    return [*lines, f"wrote {file}"]
