"""A results folder as the page needs it: tables, figures and texts, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from rsconn.report.figures.catalogue import FIGURE_NAMES, SUMMARY_NAMES, read_result_table
from rsconn.report.figures.style import encode_svg
from rsconn.report.hidden_people import hide_in_text, hide_people, list_people
from rsconn.report.maps.map_viewer import MapResults, read_map_results
from rsconn.report.page.wording import Source
from rsconn.study.people.ledger import PersonRule

GROUP_TABLES = (
    "cohort",
    "edges",
    "claims",
    "exclusions",
    "flow",
    "quality",
    "coverage",
    "scores",
    "predicted",
    "sensitivity",
    "multiverse_joint",
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
    def single_claims(self) -> pd.DataFrame:
        """The rows of group/claims.tsv whose claims are about one outcome; they stand before the others."""
        claims = self.group["claims"].table
        many = {entry["id"] for entry in self.study.get("claims", ()) if is_about_edges_row(entry)}
        return claims[~claims["id"].isin(many)]

    @property
    def ids_hidden(self) -> bool:
        """Whether nobody is to be named."""
        settings = (self.provenance.get("config") or {}).get("settings") or {}
        return bool((settings.get("report") or {}).get("ids") == "hidden")

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
    results = Results(
        group=_read_sources(folder, "group", GROUP_TABLES),
        figures=_read_sources(folder, "figures", (*FIGURE_NAMES, *SUMMARY_NAMES)),
        pictures=pictures,
        study=json.loads(_read_text(folder / "group" / "claims.json") or "{}"),
        methods=_read_text(folder / "methods.md"),
        provenance=json.loads(_read_text(folder / "provenance.json") or "{}"),
        maps=read_map_results(folder),
    )
    return _hide_people(results) if results.ids_hidden else results


def _hide_people(results: Results) -> Results:
    people = list_people(source.table for source in results.group.values())
    hidden = {
        name: Source(source.name, hide_people(source.table, people)) for name, source in results.group.items()
    }
    provenance = json.loads(hide_in_text(json.dumps(results.provenance), people))
    return replace(results, group=hidden, provenance=provenance)


def _read_sources(folder: Path, kind: str, names: tuple[str, ...]) -> dict[str, Source]:
    paths = {name: folder / kind / f"{name}.tsv" for name in names}
    return {
        name: Source(f"{kind}/{name}.tsv", read_result_table(path))
        for name, path in paths.items()
        if path.is_file()
    }


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def is_about_edges_row(row: Mapping[str, Any]) -> bool:
    """Say whether a claim of claims.json is about many edges."""
    return isinstance(row.get("definition", {}).get("outcome"), Mapping)


@dataclass(frozen=True)
class Heading:
    """A column's name, and whether it holds numbers."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table ready to print: heading cells and rows of HTML cells, with the file it comes from."""

    title: str
    source: str
    header: tuple[Heading, ...]
    rows: tuple[tuple[Markup, ...], ...]


# result table: title, then (column, heading, format); an empty format prints text
_LAYOUTS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "scores": (
        "Scores",
        (("score", "Score", ""), ("instrument", "Instrument", ""), ("subscale", "Subscale", ""), ("n", "n", "count"),
         ("n_missing", "Missing", "count"), ("mean", "Mean", "d2"), ("sd", "SD", "d2"), ("min", "Least", "3"),
         ("max", "Most", "3"), ("possible_min", "Possible from", "3"), ("possible_max", "to", "3"),
         ("alpha", "Cronbach's alpha", "d2")),
    ),
    "roi_positions": (
        "Regions",
        (("roi", "Region", ""), ("shape", "Kind", ""), ("x_mm", "x (mm)", "3"), ("y_mm", "y (mm)", "3"),
         ("z_mm", "z (mm)", "3"), ("radius_mm", "Radius (mm)", "3"), ("source", "Source", "")),
    ),
    "exclusions": (
        "Exclusion ledger",
        (("participant_id", "Person", ""), ("rule", "Rule", ""),
         ("value", "Value", "3"), ("threshold", "Limit", "3"), ("unit", "Unit", ""), ("decision", "Decision", ""),
         ("reason", "Reason", "")),
    ),
    "predicted": (
        "Otherwise than the check predicted",
        (("participant_id", "Person", ""), ("group", "Group", ""), ("predicted", "Predicted", ""),
         ("found", "Found", ""), ("predicted_reason", "Predicted reason", ""), ("reason", "Reason", "")),
    ),
    "quality": (
        "Runs",
        (("participant_id", "Person", ""), ("run", "Run", ""), ("n_volumes", "Volumes", "count"),
         ("n_retained", "Retained", "count"), ("minutes_retained", "Minutes", "d2"), ("mean_fd", "Mean FD (mm)", "3"),
         ("max_fd", "Largest FD (mm)", "3"), ("dof", "Degrees of freedom", "d1")),
    ),
    "multiverse_joint": (
        "Every way of analysing",
        (("claim", "Claim", ""), ("curve", "Question", ""), ("n_specifications", "Ways", "count"),
         ("n_supported", "Supported", "count"), ("n_negligible", "Negligible", "count"),
         ("n_contradicted", "Contradicted", "count"), ("n_inconclusive", "Inconclusive", "count"),
         ("n_not_testable", "Not testable", "count"), ("estimate_low", "Least estimate", "3"),
         ("estimate_median", "Median", "3"), ("estimate_high", "Largest", "3"), ("estimate_primary", "Primary", "3"),
         ("p_median", "p of the median", "p"), ("p_share", "p of the share", "p"), ("p_joint", "Joint p", "p"),
         ("decisive_axis", "Moves it most", ""), ("decisive_share", "Share of variance", "d2")),
    ),
}  # fmt: skip


def build_page_tables(results: Results) -> dict[str, PageTable]:
    """Return the tables of the page by the name of the result table; absent ones are left out."""
    sources = {**results.group, **results.figures}
    if results.ids_hidden:  # a row per person or run tells who it is, with or without an id
        sources = {name: source for name, source in sources.items() if name not in _OF_INDIVIDUALS}
    elif "exclusions" in sources:
        sources["exclusions"] = _drop_given_reasons(sources["exclusions"])
    tables = {
        name: build_table(sources[name], title, columns, _select_rows(sources[name], name))
        for name, (title, columns) in _LAYOUTS.items()
        if name in sources
    }
    if "cohort_summary" in sources:
        tables["cohort_summary"] = build_cohort_table(sources["cohort_summary"])
    return tables


_OF_INDIVIDUALS = {"exclusions", "quality", "predicted"}


def _drop_given_reasons(source: Source) -> Source:
    """Return the ledger without what somebody wrote about a person by hand; it stays in the file."""
    table = source.table.copy()
    table.loc[table["rule"] == PersonRule.EXCLUDED, "reason"] = None
    return Source(source.name, table)


def build_table(
    source: Source, title: str, columns: Sequence[tuple[str, str, str]], rows: Sequence[int]
) -> PageTable:
    """Return chosen columns and rows of a result table; columns without any value are left out."""
    table = source.table.loc[list(rows)]
    shown = [column for column in columns if column[0] in table and table[column[0]].notna().any()]
    cells = tuple(
        tuple(
            source.print_number(row, name, style) if style else source.print_text(row, name)
            for name, _, style in shown
        )
        for row in rows
    )
    header = tuple(Heading(heading, bool(style)) for _, heading, style in shown)
    return PageTable(title, source.name, header, cells)


def build_cohort_table(source: Source) -> PageTable:
    """Return cohort_summary with one row per variable and, side by side, n, mean (SD) and range of each group."""
    table = source.table
    groups = list(dict.fromkeys(table["group"]))
    header = [Heading("Variable")]
    for group in groups:
        header += [Heading(f"{group}: n", numeric=True), Heading("mean (SD)", numeric=True)]
        header += [Heading("range", numeric=True)]
    rows = []
    for (variable, level), members in table.groupby(["variable", "level"], sort=False, dropna=False):
        places = {table.loc[row, "group"]: int(row) for row in members.index}
        name = Markup("{}").format(variable if pd.isna(level) else f"{variable}: {level}")
        cells = [cell for group in groups for cell in _print_summary(source, places.get(group))]
        rows.append((name, *cells))
    return PageTable("People", source.name, tuple(header), tuple(rows))


def _print_summary(source: Source, row: int | None) -> tuple[Markup, Markup, Markup]:
    if row is None:
        return Markup(""), Markup(""), Markup("")
    count = source.print_number(row, "n", "count")
    if not source.is_given(row, "mean"):
        return count, Markup(""), Markup("")
    mean, low, high = source.print_interval(row, ("mean", "min", "max"))
    spread = source.print_number(row, "sd", "s")
    return count, Markup("{} ({})").format(mean, spread), Markup("{} to {}").format(low, high)


def _select_rows(source: Source, name: str) -> list[int]:
    """Return the rows to print: of ROIs not the edges, of the ledger what a rule changed for people with runs."""
    table = source.table
    chosen = pd.Series(data=True, index=table.index)
    if name == "roi_positions":
        chosen = table["kind"] == "roi"
    if name == "exclusions":
        chosen = (table["decision"] != "kept") & (table["rule"] != PersonRule.NO_RUN)
    if name == "predicted":
        chosen = table["predicted"] != table["found"]
    return [int(row) for row in table.index[chosen]]
