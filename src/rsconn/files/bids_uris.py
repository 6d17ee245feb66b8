"""Files named without the machine that they lie on: BIDS URIs, links to datasets, messages without folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
# Folders of an absolute path; what follows a colon or slash belongs to an address of the net.
_FOLDERS = re.compile(r"(?<![\w.~:/)-])/(?:[^/\s'\"():;,]+/)+")


def name_datasets(folders: Sequence[Path], names: Sequence[str] = ()) -> dict[str, Path]:
    """Return the datasets by names for BIDS URIs: the given ones or the folder's own, numbered where two have the same.

    Examples
    --------
    >>> list(name_datasets([Path("a/fmriprep"), Path("b/fmriprep"), Path("my study")]))
    ['fmriprep', 'fmriprep-2', 'my-study']
    """
    named: dict[str, Path] = {}
    for folder, own in zip(folders, names or [folder.name for folder in folders], strict=True):
        stem = _NOT_IN_NAMES.sub("-", own).strip("-") or "dataset"
        number = sum(name == stem or name.startswith(f"{stem}-") for name in named) + 1
        named[stem if number == 1 else f"{stem}-{number}"] = folder
    return named


def cite_file(path: Path, datasets: Mapping[str, str]) -> str:
    """Return a file's BIDS URI within the innermost dataset that holds it; its bare name if none does.

    Parameters
    ----------
    path : Path
        The file.
    datasets : mapping of str to str
        Name to folder (`name_datasets`).

    Examples
    --------
    >>> cite_file(Path("/data/fmriprep/sub-01/func/a_bold.nii.gz"), {"fmriprep": "/data/fmriprep"})
    'bids:fmriprep:sub-01/func/a_bold.nii.gz'
    """
    holding = [name for name, folder in datasets.items() if path.is_relative_to(folder)]
    if not holding:
        return path.name
    name = max(holding, key=lambda one: len(datasets[one]))
    return f"bids:{name}:{quote(path.relative_to(datasets[name]).as_posix())}"


def cite_output(path: Path) -> str:
    """Return the BIDS URI of a file of the results themselves, from its path within them."""
    return f"bids::{quote(path.as_posix())}"


def link_dataset(name: str, folder: Path, results: Path, doi: str | None) -> str:
    """Return where a dataset is, for ``DatasetLinks``, without telling more of the machine than the study's folder.

    Parameters
    ----------
    name : str
        As its BIDS URIs have it.
    folder, results : Path
        Absolute folders of the dataset and of the results.
    doi : str or None
        The dataset's own, which is taken where the two lie in different trees.
    """
    common = Path(os.path.commonpath([folder, results]))
    if len(common.parts) > 1 and (common == Path.home() or not Path.home().is_relative_to(common)):
        return quote(os.path.relpath(folder, results))
    return f"doi:{doi.removeprefix('doi:')}" if doi else f"urn:dataset:{name}"


def drop_folders(text: str, datasets: Iterable[str]) -> str:
    """Return a message with paths as they are within the datasets, and other absolute paths by their last part.

    Examples
    --------
    >>> drop_folders("/data/x/sub-01/a.nii.gz: torn; see /home/me/mask.nii.gz", ["/data/x"])
    'sub-01/a.nii.gz: torn; see mask.nii.gz'
    """
    for folder in sorted(datasets, key=len, reverse=True):
        text = text.replace(f"{folder.rstrip(os.sep)}{os.sep}", "")
    return _FOLDERS.sub("", text)
