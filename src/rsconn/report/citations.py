"""The works that a methods text may cite, from templates/citations.bib; only those cited are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files


def read_citations() -> dict[str, str]:
    """Return BibTeX entry by key."""
    text = files("rsconn.report").joinpath("templates/citations.bib").read_text(encoding="utf-8")
    entries = [entry.strip() for entry in re.split(r"\n(?=@)", text) if entry.strip()]
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in entries}


def format_bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX entries of these keys, sorted, each once.

    Raises
    ------
    KeyError
        If a key is unknown.
    """
    entries = read_citations()
    return "".join(f"{entries[key]}\n\n" for key in sorted(set(keys))).rstrip("\n") + "\n"
