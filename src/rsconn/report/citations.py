"""The works that a methods text may cite, from templates/citations.bib; only those cited are written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

_CITED = re.compile(r"\[(@\w+(?:; @\w+)*)\]")
# LaTeX accents that occur in the file
_ACCENTS = {r"{\~n}": "ñ", r"{\'o}": "ó", r"{\"O}": "Ö", r"{\"u}": "ü", r"\&": "&", "--": "–"}


@dataclass(frozen=True)
class Reference:
    """A cited work in words.

    Attributes
    ----------
    label : str
        As in a sentence, such as ``Esteban et al., 2019``.
    text : str
        The whole reference.
    doi : str
        Empty if the work has none.
    """

    label: str
    text: str
    doi: str


def find_citations(text: str) -> list[str]:
    """Return the keys that a Markdown text cites as ``[@key]`` or ``[@one; @two]``, each once, in order.

    Examples
    --------
    >>> find_citations("by Holm [@holm1979] and others [@davis1980; @holm1979]")
    ['holm1979', 'davis1980']
    """
    keys = [key.strip().lstrip("@") for group in _CITED.findall(text) for key in group.split(";")]
    return list(dict.fromkeys(keys))


def cite_in_words(text: str) -> str:
    """Replace ``[@key]`` by author and year.

    Examples
    --------
    >>> cite_in_words("corrected [@holm1979]")
    'corrected (Holm, 1979)'
    """
    references = read_references(find_citations(text))

    def name(match: re.Match[str]) -> str:
        keys = [key.strip().lstrip("@") for key in match[1].split(";")]
        return f"({'; '.join(references[key].label for key in keys)})"

    return _CITED.sub(name, text)


def read_references(keys: Iterable[str]) -> dict[str, Reference]:
    """Return the works with these keys.

    Raises
    ------
    KeyError
        If a key is unknown.
    """
    entries = read_citations()
    return {key: _read_reference(entries[key]) for key in keys}


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


def _read_reference(entry: str) -> Reference:
    for code, letter in _ACCENTS.items():
        entry = entry.replace(code, letter)
    fields = dict(re.findall(r"(\w+) = \{((?:[^{}]|\{[^{}]*\})*)\}", entry))
    fields = {name: value.replace("{", "").replace("}", "") for name, value in fields.items()}
    authors = [author.split(",")[0] for author in fields["author"].split(" and ")]
    short = (
        authors[0]
        if len(authors) == 1
        else " & ".join(authors)
        if len(authors) == 2
        else f"{authors[0]} et al."
    )
    number = f"({fields['number']})" if "number" in fields else ""
    place = f"{fields['journal']} {fields['volume']}{number}, {fields['pages']}"
    people = "; ".join(fields["author"].split(" and ")).replace("; others", " et al.")
    text = f"{people} ({fields['year']}). {fields['title']}. {place}."
    return Reference(f"{short}, {fields['year']}", text, fields.get("doi", ""))
