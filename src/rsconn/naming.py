"""BIDS entities in file names, participant ids and edge names; what may be part of a path."""

from __future__ import annotations

import re
from collections.abc import Mapping

# BIDS order of entities; rsconn's own outputs use the last four.
ENTITY_ORDER = (
    "sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part",
    "space", "res", "den", "seg", "seed", "stat", "desc",
)  # fmt: skip
RUN_ENTITIES = ("sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part")

# Names end up in file names, table headers and HTML: no separators, spaces, shell or HTML metacharacters.
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_LABEL = re.compile(r"[A-Za-z0-9]+")
# Levels of groups are words of people's own, in any script: only what a folder or another system would read is out.
_PATH_PART = re.compile(r"\w[\w .+()&,'-]*")
_LONGEST = 100

# Before a filter's label: files without it are asked for.
NOT = "!"

_ENTITY = re.compile(r"^([a-zA-Z]+)-([a-zA-Z0-9+.]+)$")


def check_safe_name(text: str) -> str:
    """Return a name that is safe in file names, tables and pages.

    Raises
    ------
    ValueError
        If it has other characters than letters, digits and ``_ . + -``, or starts with one of these four.

    Examples
    --------
    >>> check_safe_name("AINS_ad")
    'AINS_ad'
    """
    if not _SAFE_NAME.fullmatch(text) or ".." in text or len(text) > _LONGEST:
        raise ValueError(
            f"{text[:_LONGEST]!r} is not a safe name; letters, digits and _ . + - needed, a letter or digit first"
        )
    return text


def check_label(text: str) -> str:
    """Return a BIDS label: letters and digits only.

    Raises
    ------
    ValueError
        If it has any other character; the message proposes a label.
    """
    if not _LABEL.fullmatch(text):
        proposal = "".join(re.findall(r"[A-Za-z0-9]", text))
        hint = f", such as {proposal!r}" if proposal else ""
        raise ValueError(f"{text!r} goes into file names as a BIDS label; letters and digits only{hint}")
    return text


def check_path_part(text: str) -> str:
    """Return a name that may be part of a file's name, in any script.

    Raises
    ------
    ValueError
        If it has slashes, colons, control characters or the like, ``..``, a mark or blank first, or over 100
        characters.

    Examples
    --------
    >>> check_path_part("Übung (früh)")
    'Übung (früh)'
    """
    if not _PATH_PART.fullmatch(text) or ".." in text or len(text) > _LONGEST:
        raise ValueError(
            f"{text[:_LONGEST]!r} goes into file names; letters, digits, blanks and _ . + - ( ) & , ' needed, "
            f"a letter or digit first, {_LONGEST} characters at most"
        )
    return text


def parse_entities(name: str) -> tuple[dict[str, str], str, str]:
    """Split a BIDS file name into entities, suffix and extension.

    Parameters
    ----------
    name : str
        File name without folders, such as ``sub-01_task-rest_desc-preproc_bold.nii.gz``.

    Returns
    -------
    entities : dict of str to str
        Entity to label, in the order of the name.
    suffix : str
        What follows the last underscore, such as ``bold``.
    extension : str
        From the first dot after the suffix, such as ``.nii.gz``.

    Examples
    --------
    >>> parse_entities("sub-01_task-rest_bold.nii.gz")
    ({'sub': '01', 'task': 'rest'}, 'bold', '.nii.gz')
    """
    *parts, last = name.split("_")
    suffix, dot, extension = last.partition(".")
    entities = {}
    for part in parts:
        match = _ENTITY.match(part)
        if match:
            entities[match[1]] = match[2]
    return entities, suffix, dot + extension


def format_name(entities: Mapping[str, str], suffix: str, extension: str) -> str:
    """Join entities in BIDS order with a suffix and an extension.

    Examples
    --------
    >>> format_name({"task": "rest", "sub": "01", "stat": "mean"}, "timeseries", ".tsv")
    'sub-01_task-rest_stat-mean_timeseries.tsv'
    """
    known = [key for key in ENTITY_ORDER if key in entities]
    other = [key for key in entities if key not in ENTITY_ORDER]
    # entities that this table does not know stand before the ones that describe a derivative
    head = [key for key in known if key in RUN_ENTITIES] + other
    tail = [key for key in known if key not in RUN_ENTITIES]
    return "_".join([*(f"{key}-{entities[key]}" for key in head + tail), suffix]) + extension


def format_run(entities: Mapping[str, str]) -> str:
    """Name a run by the entities that tell acquisitions apart, such as ``sub-01_ses-1_task-rest_run-2``."""
    return "_".join(f"{key}-{entities[key]}" for key in RUN_ENTITIES if key in entities)


def format_participant_id(label: str) -> str:
    """Return ``sub-<label>`` whether or not the label already starts with ``sub-``.

    Examples
    --------
    >>> format_participant_id("01"), format_participant_id("sub-01")
    ('sub-01', 'sub-01')
    """
    text = label.strip()
    return text if text.startswith("sub-") else f"sub-{text}"


def add_prefix(person: str, prefix: str) -> str:
    """Return a person's id with a dataset's prefix before the label.

    Examples
    --------
    >>> add_prefix("sub-01", "A")
    'sub-A01'
    """
    return f"sub-{prefix}{person.removeprefix('sub-')}"


def format_edge(first: str, second: str) -> str:
    """Name an edge, such as ``LAI-dmPFC``; the order is that of the config."""
    return f"{first}-{second}"


# Spaces in which everybody's brain lies elsewhere.
NATIVE_SPACES = frozenset({"T1w", "T2w", "individual", "native", "orig", "func", "boldref", "fsnative"})


def describe_native(found: str, space: str) -> str:
    """Return the line that refuses images in people's own spaces beside regions of a template."""
    return (
        f"{found}, a space of each person's own, where regions in {space} lie elsewhere in everyone; choose images in "
        f"the template with input.filters: {{space: {space}}}, or have them made"
    )
