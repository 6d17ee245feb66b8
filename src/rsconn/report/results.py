"""A results folder as the page needs it: tables, figures and texts, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsconn.report.encoding import encode_svg
from rsconn.report.map_results import MapResults, read_map_results
from rsconn.report.wording import Source
from rsconn.study.figure_data import FIGURE_NAMES, SUMMARY_NAMES, read_result_table

GROUP_TABLES = (
    "cohort",
    "edges",
    "claims",
    "exclusions",
    "flow",
    "quality",
    "coverage",
    "scores",
    "sensitivity",
)


@dataclass(frozen=True)
class Results:
    """What the page prints.

    Attributes
    ----------
    group : mapping
        Stem of each group/*.tsv that exists to its `Source`.
    figures : mapping
        Stem of each figures/*.tsv that exists to its `Source`.
    pictures : mapping
        Figure name to its SVG as a data address.
    study : mapping
        group/claims.json: simulated, alpha, claims.
    methods : str
        methods.md; empty if absent.
    provenance : mapping
        provenance.json; empty if absent.
    maps : MapResults or None
        The seed maps, if there are any.
    """

    group: Mapping[str, Source]
    figures: Mapping[str, Source]
    pictures: Mapping[str, str]
    study: Mapping[str, Any]
    methods: str
    provenance: Mapping[str, Any]
    maps: MapResults | None = None

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated; every page and figure must say so."""
        return bool(self.study.get("simulated"))


def read_results(folder: Path) -> Results:
    """Read what a finished run left in its results folder."""
    pictures = {
        name: encode_svg((folder / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        for name in FIGURE_NAMES
        if (folder / "figures" / f"{name}.svg").is_file()
    }
    return Results(
        group=_read_sources(folder, "group", GROUP_TABLES),
        figures=_read_sources(folder, "figures", (*FIGURE_NAMES, *SUMMARY_NAMES)),
        pictures=pictures,
        study=json.loads(_read_text(folder / "group" / "claims.json") or "{}"),
        methods=_read_text(folder / "methods.md"),
        provenance=json.loads(_read_text(folder / "provenance.json") or "{}"),
        maps=read_map_results(folder),
    )


def _read_sources(folder: Path, kind: str, names: tuple[str, ...]) -> dict[str, Source]:
    paths = {name: folder / kind / f"{name}.tsv" for name in names}
    return {
        name: Source(f"{kind}/{name}.tsv", read_result_table(path))
        for name, path in paths.items()
        if path.is_file()
    }


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
