"""One self-contained HTML page from a results folder; it prints what is there and computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rsconn.files.writing import write_text
from rsconn.report.figures.catalogue import CAPTIONS, Caption
from rsconn.report.figures.style import VERDICT_SYMBOLS
from rsconn.report.maps.map_section import build_map_section
from rsconn.report.page.cards import Card, build_cards, make_anchor
from rsconn.report.page.edges_section import EdgesEntry, build_edges_section, print_outcome
from rsconn.report.page.methods_text import cite_in_words, find_citations, read_references, render_markdown
from rsconn.report.page.results import PageTable, Results, build_page_tables, read_results
from rsconn.settings.claims import Verdict

__all__ = ["PageTable", "build_context", "flatten", "render_page", "write_page"]

VERDICT_MEANINGS = {
    Verdict.SUPPORTED: "the data show what was claimed",
    Verdict.NEGLIGIBLE: "an effect large enough to matter is ruled out",
    Verdict.CONTRADICTED: "the data show otherwise",
    Verdict.INCONCLUSIVE: "these data cannot tell",
    Verdict.NOT_TESTABLE: "no test could answer",
}


def write_page(folder: Path) -> Path:
    """Write report.html into a results folder and return its path."""
    path = folder / "report.html"
    results = read_results(folder)
    entries = build_edges_section(folder, results.study)
    write_text(path, render_page(build_context(results, entries)))
    return path


def build_context(results: Results, edge_entries: Sequence[EdgesEntry] = ()) -> dict[str, Any]:
    """Return the values that the template prints.

    Parameters
    ----------
    results : Results
        From `read_results`.
    edge_entries : sequence of EdgesEntry, optional
        Claims on many edges.
    """
    cards = build_cards(results)
    return {
        "simulated": results.simulated,
        "cards": _group_cards(cards),
        "edge_entries": edge_entries,
        "claims_source": results.group.get("claims"),
        "counts": results.figures["verdict_counts"],
        "count_rows": _locate_families(results),
        "verdicts": [(name, VERDICT_SYMBOLS[name], VERDICT_MEANINGS[name]) for name in VERDICT_MEANINGS],
        "symbols": VERDICT_SYMBOLS,
        "figures": _list_figures(results),
        "tables": build_page_tables(results),
        "sensitivity": results.group.get("sensitivity"),
        "claim_flow": results.figures.get("claim_flow"),
        "alpha": _print_alpha(results),
        "methods": _render_methods(results.methods),
        "references": list(read_references(find_citations(results.methods)).values()),
        "provenance": _list_provenance(results.provenance),
        "ids_hidden": results.ids_hidden,
        "registered": results.provenance.get("registered"),
        "maps": build_map_section(results.maps, results.group.get("claims")),
        "deviations": results.provenance.get("deviations"),
    }


def render_page(context: Mapping[str, Any]) -> str:
    """Return the page; every text is escaped unless it was made as Markup here."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rsconn", "report/templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["anchor"] = make_anchor
    environment.globals["print_outcome"] = print_outcome
    style = Markup(environment.loader.get_source(environment, "page.css")[0])  # type: ignore[union-attr]  # noqa: S704
    return environment.get_template("page.html.j2").render(style=style, **context)


def flatten(content: Any, name: str = "") -> list[tuple[str, str]]:
    """Return nested JSON as (dotted name, text) pairs, in order.

    Examples
    --------
    >>> flatten({"a": {"b": 1}, "c": ["x", None]})
    [('a.b', '1'), ('c', 'x, n/a')]
    """
    if isinstance(content, Mapping):
        return [
            pair for key, value in content.items() for pair in flatten(value, f"{name}.{key}".lstrip("."))
        ]
    if isinstance(content, list) and any(isinstance(item, (dict, list)) for item in content):
        return [pair for index, value in enumerate(content, 1) for pair in flatten(value, f"{name}.{index}")]
    items = content if isinstance(content, list) else [content]
    return [(name, ", ".join("n/a" if item is None else str(item) for item in items))]


_EXCLUDE = "config.settings.exclude."


def _list_provenance(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is printed of the provenance: not the reasons for which people were left out by hand."""
    return [(name, text) for name, text in flatten(provenance) if not name.startswith(_EXCLUDE)]


def _group_cards(cards: list[Card]) -> dict[str, list[Card]]:
    families: dict[str, list[Card]] = {}
    for card in cards:
        families.setdefault(card.family, []).append(card)
    return families


def _locate_families(results: Results) -> dict[str, int]:
    families = results.figures["verdict_counts"].table["family"]
    return {str(family): int(row) for row, family in families.items()}


def _list_figures(results: Results) -> dict[str, tuple[Caption, str]]:
    """Return the caption and the picture of each figure that shows something."""
    shown = [
        name for name in results.pictures if name in results.figures and len(results.figures[name].table)
    ]
    return {name: (CAPTIONS[name], results.pictures[name]) for name in shown}


def _render_methods(methods: str) -> Markup:
    """Return methods.md as HTML, its title left to the page, citations as author and year."""
    return render_markdown(cite_in_words(methods.removeprefix("# Methods").lstrip()), top_level=2)


def _print_alpha(results: Results) -> Markup:
    alpha = results.study.get("alpha")
    if alpha is None:
        return Markup("the error rate chosen")
    return Markup('<data value="{}" data-source="group/claims.json" data-column="alpha">{}</data>').format(
        alpha, alpha
    )
