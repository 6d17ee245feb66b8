"""The page's section on claims about many edges: verdict, picture, the strongest edges and the components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from rsconn.report.figures.catalogue import read_result_table
from rsconn.report.figures.style import encode_svg
from rsconn.report.page.results import PageTable, build_table, is_about_edges_row
from rsconn.report.page.wording import Source

# As many of the strongest edges are printed, and as many components.
_SHOWN_EDGES, _SHOWN_COMPONENTS = 20, 5
_EDGE_COLUMNS = (
    ("roi_1", "Region", ""), ("roi_2", "Region", ""), ("network_1", "Network", ""), ("network_2", "Network", ""),
    ("n", "n", "count"), ("estimate", "Estimate (Fisher z)", "d2"), ("t", "t", "d2"), ("dof", "dof", "count"),
    ("p_fwe", "p, corrected", "p"), ("q_fdr", "FDR q", "p"), ("component", "Component", "count"),
)  # fmt: skip
_COMPONENT_COLUMNS = (
    ("component", "Component", "count"), ("sign", "Sign", ""), ("n_edges", "Edges", "count"),
    ("p_extent", "p by extent", "p"), ("p_intensity", "p by intensity", "p"), ("n_rois", "Regions", "count"),
    ("rois", "Which", ""),
)  # fmt: skip


@dataclass(frozen=True)
class EdgesEntry:
    """One claim on many edges.

    Attributes
    ----------
    definition : mapping
        As in claims.json.
    row : int
        Of claims.tsv.
    picture : str
        The matrix as a data address; empty if absent.
    edges, components : PageTable or None
    n_components : int
        Of which the table shows the first.
    """

    definition: Mapping[str, Any]
    row: int
    picture: str
    edges: PageTable | None
    components: PageTable | None
    n_components: int


def build_edges_section(folder: Path, study: Mapping[str, Any]) -> list[EdgesEntry]:
    """Return the claims on many edges of a results folder, in the order of claims.json."""
    rows = list(study.get("claims", ()))
    return [
        _build_entry(folder, row["definition"], place)
        for place, row in enumerate(rows)
        if is_about_edges_row(row)
    ]


def _build_entry(folder: Path, definition: Mapping[str, Any], row: int) -> EdgesEntry:
    name = f"matrix_{definition['id']}"
    picture = folder / "figures" / f"{name}.svg"
    edges, components = (_read(folder / "group" / f"{stem}.tsv") for stem in (name, f"{name}_components"))
    return EdgesEntry(
        definition,
        row,
        encode_svg(picture.read_text(encoding="utf-8")) if picture.is_file() else "",
        _print(edges, "The strongest edges", _EDGE_COLUMNS, _find_strongest(edges)),
        _print(
            components, "Components", _COMPONENT_COLUMNS,
            range(min(_SHOWN_COMPONENTS, len(components.table))) if components else (),
        ),
        len(components.table) if components else 0,
    )  # fmt: skip


def _read(path: Path) -> Source | None:
    return Source(f"group/{path.name}", read_result_table(path)) if path.is_file() else None


def _print(
    source: Source | None, title: str, columns: Sequence[tuple[str, str, str]], rows: Sequence[int]
) -> PageTable | None:
    return build_table(source, title, columns, rows) if source is not None and len(rows) else None


def _find_strongest(source: Source | None) -> list[int]:
    if source is None or not len(source.table):
        return []
    size = np.nan_to_num(np.abs(source.table["t"].to_numpy(float)))
    return [int(row) for row in np.argsort(-size, kind="stable")[:_SHOWN_EDGES]]


def print_outcome(definition: Mapping[str, Any]) -> Markup:
    """Return which edges a claim is about, in words."""
    edges = definition["outcome"]["edges"]
    if isinstance(edges, str):
        return Markup("all edges")
    if edges.get("between"):
        return Markup("edges between {}").format(" and ".join(edges["between"]))
    return Markup("edges within {}").format(", ".join(edges["within"]))
