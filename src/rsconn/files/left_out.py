"""People whose images are there and left out: which filter does it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rsconn.files.bids_tree import FoundFile
from rsconn.files.run_selection import Filters, list_unmet, normalise_filters, open_datasets


def find_left_out(
    folders: Sequence[Path],
    filters: Filters,
    people: Collection[str],
    *,
    parcellated: bool,
    prefixes: Sequence[str] = (),
) -> dict[str, str]:
    """Return what of the filters leaves out the images, or series, of people who have some.

    Parameters
    ----------
    folders : sequence of Path
        The datasets.
    filters : mapping of str to sequence of str
        As `rsconn.files.bids.find_runs` takes them.
    people : collection of str
        participant_id of those who have no run.
    parcellated : bool
        Whether the datasets hold series instead of images.
    prefixes : sequence of str
        Of each dataset, as `rsconn.files.bids.find_runs` takes them.

    Returns
    -------
    dict of str to str
        participant_id to words such as ``task Rest``: what of their nearest file no filter takes.
    """
    wanted = normalise_filters(filters)
    kinds = ("timeseries",) if parcellated else ("image", "dense")
    files = [
        file for dataset in open_datasets(folders, prefixes) for kind in kinds for file in dataset.get(kind)
    ]
    nearest: dict[str, list[str]] = {}
    for file in files:
        person = f"sub-{file.entities.get('sub')}"
        if person in people:
            unmet = _describe_unmet(file, wanted)
            if unmet and len(unmet) < len(nearest.get(person, [*unmet, ""])):
                nearest[person] = unmet
    return {person: ", ".join(unmet) for person, unmet in nearest.items()}


def _describe_unmet(file: FoundFile, wanted: Filters) -> list[str]:
    asked = {"desc": ("preproc",), **wanted} if file.kind == "image" else wanted
    return [
        f"{key} {file.entities[key]}" if key in file.entities else f"no {key}"
        for key in list_unmet(file, asked)
    ]
