"""Walk a derivatives dataset and say what each file is, by its name alone.

A walk with a table of name endings, because general BIDS indexers take a hundred times as long
(1,000 people with 48 files each: 0.4 s here). Names of fMRIPrep 1.0 and 1.1 are read as their later forms.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rsconn.errors import DatasetError, describe_unreadable

# End of a file name, after the last underscore -> what the file is.
_KINDS = {
    "bold.nii.gz": "image",
    "bold.nii": "image",
    "bold.dtseries.nii": "dense",  # CIFTI; fMRIPrep's name has no desc
    "preproc.nii.gz": "image",  # fMRIPrep 1.0-1.1: sub-01_task-rest_bold_space-X_preproc.nii.gz
    "preproc.nii": "image",
    "mask.nii.gz": "mask",
    "mask.nii": "mask",
    "brainmask.nii.gz": "mask",  # fMRIPrep 1.0-1.1
    "brainmask.nii": "mask",
    "timeseries.tsv": "timeseries",
    "timeseries.json": "timeseries_json",
    "regressors.tsv": "confounds",  # fMRIPrep 1.2-20.1
    "regressors.json": "confounds_json",
    "confounds.tsv": "confounds",  # fMRIPrep 1.0-1.1
    "bold.json": "image_json",
    "bold.dtseries.json": "image_json",  # fMRIPrep 20-21, beside or instead of bold.json
    "motion.tsv": "motion",  # XCP-D: framewise displacement beside parcellated series
}
_OLD_SUFFIXES = {"preproc": "preproc", "brainmask": "brain", "confounds": "confounds"}
_FOLDERS = ("sub-", "ses-")


@dataclass(frozen=True)
class FoundFile:
    """One file of a dataset.

    Attributes
    ----------
    folder : str
        Folder the file lies in.
    name : str
        File name.
    kind : str
        ``image``, ``dense``, ``mask``, ``confounds``, ``timeseries``, ``motion``, or one of these with ``_json``.
    entities : dict of str to str
        As the name has them; labels are not checked yet.
    strange : tuple of str
        Parts of the name that are no ``entity-label``.
    root : str
        The dataset's folder; what lies above it says nothing of the file.
    prefix : str
        What was put before the label of ``sub``, to keep the people of several datasets apart.
    """

    folder: str
    name: str
    kind: str
    entities: dict[str, str]
    strange: tuple[str, ...] = ()
    root: str = ""
    prefix: str = ""

    @property
    def path(self) -> Path:
        """Full path."""
        return Path(self.folder, self.name)


def list_files(dataset: Path) -> list[FoundFile]:
    """Return the files of a dataset that rsconn may need, in the order of their paths.

    Looks into the dataset's own folder, ``sub-*``, ``ses-*`` and ``func``, and nowhere else. Hidden files
    (``._*`` of macOS) are none of the dataset's.

    Raises
    ------
    DatasetError
        If the folder does not exist, is no folder, or a folder in it cannot be read.
    """
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: no such folder; a derivatives dataset was needed (input.derivatives)")
    root = str(dataset)
    found = (parse_file(folder, name, root) for folder, name in _walk(root))
    return sorted((file for file in found if file), key=lambda file: (file.folder, file.name))


def _walk(folder: str) -> Iterator[tuple[str, str]]:
    # scandir's is_dir() needs no stat call on usual file systems; broken links count as files here
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DatasetError(describe_unreadable(folder, error)) from None
    for entry in entries:
        name = entry.name
        if (name.startswith(_FOLDERS) or name == "func") and _is_folder(entry):
            if not entry.is_symlink() or not _holds(entry.path, folder):
                yield from _walk(entry.path)
        elif name[name.rfind("_") + 1 :] in _KINDS and not name.startswith("."):
            yield folder, name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _holds(link: str, folder: str) -> bool:
    """Say whether a link leads back to a folder that it lies in."""
    target = os.path.realpath(link)
    return os.path.commonpath([target, os.path.realpath(folder)]) == target


def parse_file(folder: str, name: str, root: str = "") -> FoundFile | None:
    """Say what a file is; None if rsconn has no use for it.

    Examples
    --------
    >>> file = parse_file("func", "sub-01_task-rest_bold_space-MNI152NLin2009cAsym_preproc.nii.gz")
    >>> file.kind, file.entities["space"], file.entities["desc"]
    ('image', 'MNI152NLin2009cAsym', 'preproc')
    """
    *parts, ending = name.split("_")
    kind = _KINDS.get(ending)
    if kind is None:
        return None
    entities, strange = _split_parts(parts)
    suffix = ending.partition(".")[0]
    if suffix in _OLD_SUFFIXES:
        strange = [part for part in strange if part != "bold"]
        entities["desc"] = entities.pop("variant", _OLD_SUFFIXES[suffix])
    kind = _refine_kind(kind, entities)
    return FoundFile(folder, name, kind, entities, tuple(strange), root) if kind else None


def _split_parts(parts: list[str]) -> tuple[dict[str, str], list[str]]:
    entities, strange = {}, []
    for part in parts:
        key, dash, label = part.partition("-")
        if dash:
            entities[key] = label
        if not dash or not _is_label(label) or not key.isalpha():
            strange.append(part)
    return entities, strange


def _is_label(label: str) -> bool:
    return label.isascii() and label.replace("+", "").replace(".", "").isalnum()


def _refine_kind(kind: str, entities: dict[str, str]) -> str | None:
    # fMRIPrep from 20.2 on calls its confounds a time series too
    if kind.startswith("timeseries") and entities.get("desc") == "confounds":
        return kind.replace("timeseries", "confounds")
    if kind == "mask" and entities.get("desc") != "brain":
        return None
    if kind == "confounds" and entities.get("desc", "confounds") != "confounds":
        return None
    return kind
