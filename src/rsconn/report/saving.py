"""Save figures so that the same table gives the same bytes: svg, png and the table itself."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from rsconn.files.tables import write_tsv
from rsconn.files.writing import replace_file
from rsconn.report.figures import FIGURES
from rsconn.report.style import use_style
from rsconn.report.svg import shorten_paths, shrink_pictures

PNG_DPI = 200
# dates and versions would make the bytes differ from day to day
_METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def write_figures(tables: Mapping[str, pd.DataFrame], folder: Path, *, simulated: bool) -> list[Path]:
    """Write every table as .tsv, and the figures among them as .svg and .png too; return the paths.

    Parameters
    ----------
    tables : mapping
        From `study.figure_data.build_figure_tables`, or read back from such a folder.
    folder : Path
        figures/ in the results.
    simulated : bool
        Whether every figure carries the mark.
    """
    written = []
    for name, table in tables.items():
        path = folder / f"{name}.tsv"
        write_tsv(path, {column: table[column].tolist() for column in table.columns})
        written.append(path)
        if name in FIGURES:
            written += write_figure(FIGURES[name](table, simulated=simulated), folder / name)
    return written


def write_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as `stem`.svg and `stem`.png; return the paths."""
    written = []
    for kind in ("svg", "png"):
        path = stem.with_name(f"{stem.name}.{kind}")
        with replace_file(path) as temporary:
            temporary.write_bytes(_render(figure, kind))
        written.append(path)
    return written


def render_svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file."""
    return _render(figure, "svg").decode()


def _render(figure: Figure, kind: str) -> bytes:
    stream = io.BytesIO()
    with use_style():
        figure.savefig(stream, format=kind, dpi=PNG_DPI, metadata=_METADATA[kind])
    return shorten_paths(shrink_pictures(stream.getvalue())) if kind == "svg" else stream.getvalue()
