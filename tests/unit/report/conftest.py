"""One results folder with figures and page, built once for all tests of the report."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from rsconn.files.writing import write_text
from rsconn.report.figures.catalogue import build_figure_tables, read_result_table, write_figures
from rsconn.report.maps.map_pictures import write_map_figures
from rsconn.report.page.html_page import write_page
from rsconn.report.page.methods_text import write_citations, write_methods


def load_builder(name: str = "results_builder") -> ModuleType:
    """Import results_builder.py or maps_builder.py, which are no tests and no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def builder():
    return load_builder()


@pytest.fixture(scope="session")
def maps_builder():
    return load_builder("maps_builder")


@pytest.fixture(scope="session")
def figure_tables(builder):
    tables, settings, designs = builder.make_tables()
    return build_figure_tables(tables, settings, designs=designs)


@pytest.fixture(scope="session")
def results_folder(builder, tmp_path_factory):
    """group/, figures/, methods.md and report.html, as the steps write them."""
    folder = tmp_path_factory.mktemp("results")
    return fill_folder(builder, folder, simulated=True)


def fill_folder(builder: ModuleType, folder: Path, *, simulated: bool) -> Path:
    tables, settings, designs = builder.make_tables()
    builder.write_group(folder, tables, settings, simulated=simulated)
    read = {name: read_result_table(folder / "group" / f"{name}.tsv") for name in tables}
    figures = build_figure_tables(read, settings, designs=designs)
    write_figures(figures, folder / "figures", simulated=simulated)
    methods = write_methods(settings, {"rsconn": "0.1.0"})
    write_text(folder / "methods.md", methods)
    write_text(folder / "citations.bib", write_citations(methods))
    write_page(folder)
    return folder


def add_maps(builder: ModuleType, folder: Path, *, simulated: bool) -> Path:
    """Add seed maps to a results folder and write its page again."""
    builder.make_maps(folder / "group" / "maps")
    places = builder.PLACES if simulated else ()
    write_map_figures(
        folder / "group" / "maps", folder / "figures", builder.SETTINGS, simulated=simulated, places=places
    )
    write_page(folder)
    return folder
