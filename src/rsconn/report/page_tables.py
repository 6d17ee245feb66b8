"""The page's tables: which columns of which result table, under which names, in which format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rsconn.report.results import Results
from rsconn.report.wording import Source


@dataclass(frozen=True)
class PageTable:
    """A table ready to print: heading cells and rows of HTML cells, with the file it comes from."""

    title: str
    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[Markup, ...], ...]


# result table: title, then (column, heading, format); an empty format prints text
_LAYOUTS: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "cohort_summary": (
        "People",
        (("group", "Group", ""), ("variable", "Variable", ""), ("level", "Level", ""), ("n", "n", "count"),
         ("n_missing", "Missing", "count"), ("mean", "Mean", "2"), ("sd", "SD", "2"), ("min", "Least", "2"),
         ("max", "Most", "2")),
    ),
    "scores": (
        "Scores",
        (("score", "Score", ""), ("instrument", "Instrument", ""), ("subscale", "Subscale", ""), ("n", "n", "count"),
         ("n_missing", "Missing", "count"), ("mean", "Mean", "2"), ("sd", "SD", "2"), ("min", "Least", "3"),
         ("max", "Most", "3"), ("possible_min", "Possible from", "3"), ("possible_max", "to", "3"),
         ("alpha", "Cronbach's alpha", "2")),
    ),
    "roi_positions": (
        "Regions",
        (("roi", "Region", ""), ("shape", "Kind", ""), ("x_mm", "x (mm)", "3"), ("y_mm", "y (mm)", "3"),
         ("z_mm", "z (mm)", "3"), ("radius_mm", "Radius (mm)", "3"), ("source", "Source", "")),
    ),
    "exclusions": (
        "Exclusion ledger",
        (("participant_id", "Person", ""), ("run", "Run", ""), ("stage", "Stage", ""), ("rule", "Rule", ""),
         ("value", "Value", "3"), ("threshold", "Limit", "3"), ("unit", "Unit", ""), ("decision", "Decision", ""),
         ("reason", "Reason", "")),
    ),
    "quality": (
        "Runs",
        (("participant_id", "Person", ""), ("run", "Run", ""), ("n_volumes", "Volumes", "count"),
         ("n_retained", "Retained", "count"), ("minutes_retained", "Minutes", "2"), ("mean_fd", "Mean FD (mm)", "3"),
         ("max_fd", "Largest FD (mm)", "3"), ("dof", "Degrees of freedom", "1")),
    ),
}  # fmt: skip


def build_page_tables(results: Results) -> dict[str, PageTable]:
    """Return the tables of the page by the name of the result table; absent ones are left out."""
    sources = {**results.group, **results.figures}
    return {
        name: build_table(sources[name], title, columns, _select_rows(sources[name], name))
        for name, (title, columns) in _LAYOUTS.items()
        if name in sources
    }


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
    return PageTable(title, source.name, tuple(heading for _, heading, _ in shown), cells)


def _select_rows(source: Source, name: str) -> list[int]:
    table = source.table
    return [
        int(row) for row in (table.index[table["kind"] == "roi"] if name == "roi_positions" else table.index)
    ]
