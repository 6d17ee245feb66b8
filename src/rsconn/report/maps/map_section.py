"""The section of the seed maps: one entry per seed and model, every number tied to its table."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup

from rsconn.report.maps.map_viewer import MapResults
from rsconn.report.maps.mosaics import STATISTICS
from rsconn.report.page.results import PageTable, build_table
from rsconn.report.page.wording import Source
from rsconn.study.claims.flags import Flag, read_flags

MOST_CLUSTERS = 10
_LIMIT_UNITS = {"max_t": "|t|", "size": "voxels", "mass": "sum of |t| above the forming one", "tfce": "TFCE"}
_CLUSTERS = (
    ("cluster", "Cluster", "count"), ("direction", "Direction", ""), ("n_voxels", "Voxels", "count"),
    ("size_mm3", "mm³", "count"), ("p_primary", "p", "p"), ("peak_t", "Peak t", "d2"),
    ("peak_x", "x (mm)", "3"), ("peak_y", "y (mm)", "3"), ("peak_z", "z (mm)", "3"),
    ("region", "Nearest landmark", ""), ("region_distance_mm", "mm away", "d1"),
    ("nearest_roi", "Nearest region of the study", ""), ("nearest_roi_distance_mm", "mm away", "d1"),
)  # fmt: skip
_SECONDARY = (
    ("cluster", "Cluster", "count"), ("direction", "Direction", ""), ("p_mass", "p, mass", "p"),
    ("p_size", "p, extent", "p"), ("p_fwe", "p, largest |t|", "p"), ("p_tfce", "p, TFCE", "p"),
)  # fmt: skip
_ROIS = (
    ("roi", "Region", ""), ("n_voxels", "Voxels", "count"), ("share_tested", "Tested", "d2"),
    ("mean_t", "Mean t", "d2"), ("max_abs_t", "Strongest t", "d2"), ("share_{}", "Passes", "d2"),
    ("significant_voxel_distance_mm", "Away (mm)", "d1"),
)  # fmt: skip
_SECONDARY_ROIS = (
    ("roi", "Region", ""), ("min_p_fwe", "Least p by |t|", "p"), ("share_mass", "by mass", "d2"),
    ("share_size", "by extent", "d2"), ("share_max_t", "by |t|", "d2"), ("share_tfce", "by TFCE", "d2"),
)  # fmt: skip
# as many columns as a window of 1280 px shows; the counts of voxels stand in the TSV
_PLANTED = (
    ("seed", "Seed", ""), ("model", "Model", ""), ("direction", "Planted", ""), ("region", "at", ""),
    ("correction", "Correction", ""), ("found", "Found", ""), ("smallest_p", "Least p", "p"),
    ("strongest_t", "t", "d2"), ("dice", "Dice", "d2"), ("peak_distance_mm", "Peak off (mm)", "d1"),
)  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """A correction, what its statistic had to reach and in which unit, and how many voxels did."""

    words: str
    unit: str
    limit: Markup
    passed: Markup


@dataclass(frozen=True)
class MapEntry:
    """One seed and model: its row in the table of models, the primary correction, the others, tables, picture."""

    row: int
    seed: str
    name: str
    tested: bool
    lacking: bool
    joined: bool
    survives: bool
    primary: Limit | None
    secondary: tuple[Limit, ...]
    clusters: PageTable | None
    rois: PageTable | None
    others: tuple[PageTable, ...]
    figure: str
    found: str


def build_map_section(results: MapResults | None, claims: Source | None) -> dict[str, Any] | None:
    """Return what the template prints of the seed maps; None without maps.

    Parameters
    ----------
    results : MapResults or None
    claims : Source or None
        group/claims.tsv, to name those whose regions were chosen in these data.
    """
    if results is None:
        return None
    table = results.models.table
    seeds: dict[str, list[MapEntry]] = {}
    for row in table.index:
        seeds.setdefault(table.loc[row, "seed"], []).append(_build_entry(results, int(row)))
    script = read_script() if results.viewer else ""
    return {
        "seeds": seeds,
        "models": results.models,
        "primary": _name_primary(seeds),
        "joined": any(entry.joined for entries in seeds.values() for entry in entries),
        "methods": _list_methods(results.models),
        "planted": _build_planted(results.planted),
        "circular": _list_circular(claims),
        "pictures": results.pictures,
        "viewer": Markup(results.viewer),  # noqa: S704 - `pack_viewer` leaves no < in it
        "script": Markup(script),  # noqa: S704 - our own file
        "script_hash": hash_script(script) if script else "",
        "n_viewed": results.viewer.count('"positive":'),
    }


def _name_primary(seeds: Mapping[str, list[MapEntry]]) -> str:
    """Return the words for the primary correction, which all models share; empty if none was tested."""
    named = [entry.primary.words for entries in seeds.values() for entry in entries if entry.primary]
    return named[0] if named else ""


def _list_methods(models: Source) -> dict[str, int]:
    """Return a row that has the method for each kind of model that was tested."""
    rows: dict[str, int] = {}
    for row in models.table.index:
        if models.is_given(int(row), "method"):
            is_contrast = models.table.loc[row, "kind"] == "contrast"
            rows.setdefault("Differences between groups" if is_contrast else "Slopes", int(row))
    return rows


def _build_planted(planted: Source | None) -> PageTable | None:
    if planted is None or not len(planted.table):
        return None
    rows = [int(row) for row in planted.table.index]
    return build_table(planted, "Planted and found", _PLANTED, rows)


def _list_circular(claims: Source | None) -> list[Markup]:
    """Return the claims whose regions were chosen by their own contrast in these data."""
    if claims is None or not len(claims.table):
        return []
    circular = [Flag.CIRCULAR in read_flags(cell) for cell in claims.table["flags"]]
    return [claims.print_text(int(row), "id") for row in claims.table.index[circular]]


def read_script() -> str:
    """Return the viewer's program."""
    return files("rsconn.report").joinpath("templates/viewer.js").read_text(encoding="utf-8")


def hash_script(script: str) -> str:
    """Return a script as the page's policy names it: this one may run, no other.

    Examples
    --------
    >>> hash_script("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _build_entry(results: MapResults, row: int) -> MapEntry:
    models = results.models
    seed, name = (str(models.table.loc[row, key]) for key in ("seed", "model"))
    tested = models.is_given(row, "dof")
    primary = str(models.table.loc[row, "primary"]) if tested else ""
    limits = _list_limits(models, row) if tested else {}
    clusters, regions = results.clusters[seed], results.rois[seed]
    largest, own = _select(clusters, name)[:MOST_CLUSTERS], _select(regions, name)
    title = f"Seed {seed}, {name}"
    return MapEntry(
        row=row,
        seed=seed,
        name=name,
        tested=tested,
        lacking=tested and bool(models.table.loc[row].get("n_voxels_lacking", 0) > 0),
        joined=tested and "n_maps" in models.table and models.is_given(row, "n_maps"),
        survives=tested and bool(models.table.loc[row, f"n_significant_{primary}"] > 0),
        primary=limits.get(primary),
        secondary=tuple(limit for key, limit in limits.items() if key != primary),
        clusters=_build(clusters, f"{title}: clusters", _CLUSTERS, largest),
        rois=_build(regions, f"{title}: the study's regions", _fill(_ROIS, primary), own) if tested else None,
        others=tuple(
            table
            for table in (
                _build(clusters, f"{title}: clusters by every correction", _SECONDARY, largest),
                _build(regions, f"{title}: the study's regions by every correction", _SECONDARY_ROIS, own),
            )
            if table
        ),
        figure=f"map_{seed}_{name}",
        found=f"found_{seed}_{name}",
    )


def _fill(columns: tuple[tuple[str, str, str], ...], primary: str) -> tuple[tuple[str, str, str], ...]:
    return tuple((name.format(primary), words, style) for name, words, style in columns)


def _build(
    source: Source, title: str, columns: tuple[tuple[str, str, str], ...], rows: list[int]
) -> PageTable | None:
    """Return a table of the columns that there are; None without rows."""
    there = tuple(column for column in columns if column[0] in source.table)
    return build_table(source, title, there, rows) if rows else None


def _select(source: Source, model: str) -> list[int]:
    """Return a model's rows, clusters by their p."""
    table = source.table
    if not len(table):
        return []
    own = table[table["model"].astype(str) == model]
    if "p_mass" in own:
        own = own.iloc[np.lexsort((own["cluster"], own.get("p_primary", own["p_mass"])))]
    return [int(row) for row in own.index]


def _list_limits(models: Source, row: int) -> dict[str, Limit]:
    return {
        name: Limit(
            words,
            _LIMIT_UNITS[name],
            models.print_number(row, f"critical_{name}", "3"),
            models.print_number(row, f"n_significant_{name}", "count"),
        )
        for name, (_, words) in STATISTICS.items()
        if models.is_given(row, f"n_significant_{name}")
    }
