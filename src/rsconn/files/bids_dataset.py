"""A dataset's files by kind, and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsconn.files.bids_tree import FoundFile, list_files
from rsconn.files.sidecars import Sidecars

# What a companion's name may lack or have otherwise. A mask lies on its image's own grid; confounds are per
# run.
_NOT_OF_MASK = frozenset({"desc", "echo", "part"})
_NOT_OF_CONFOUNDS = _NOT_OF_MASK | {
    "space", "cohort", "res", "den", "seg", "atlas", "stat", "hemi", "denoise", "meas",
}  # fmt: skip
_NO_ENTITY: frozenset[str] = frozenset()

_Key = frozenset[tuple[str, str]]


class Dataset:
    """The files of one derivatives dataset.

    Parameters
    ----------
    folder : Path
        Root of the dataset.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_kind: dict[str, list[FoundFile]] = {}
        for file in list_files(folder):
            self._by_kind.setdefault(file.kind, []).append(file)
        self._sidecars = {
            kind: Sidecars(folder, self.get(f"{kind}_json")) for kind in ("image", "timeseries")
        }
        self._sidecars["dense"] = self._sidecars["image"]
        self._indices: dict[tuple[str, frozenset[str]], dict[_Key, list[FoundFile]]] = {}

    def get(self, kind: str) -> list[FoundFile]:
        """Return the files of a kind, in the order of their paths."""
        return self._by_kind.get(kind, [])

    def read_metadata(self, file: FoundFile) -> dict[str, object]:
        """Return what the JSON sidecars say of a file, inheritance included."""
        return self._sidecars[file.kind].read(file)

    def find_same(self, file: FoundFile, kind: str, ignored: frozenset[str]) -> list[FoundFile]:
        """Return the files of another kind that have the same entities, some of them ignored."""
        if (kind, ignored) not in self._indices:
            index: dict[_Key, list[FoundFile]] = {}
            for other in self.get(kind):
                index.setdefault(_make_key(other, ignored), []).append(other)
            self._indices[kind, ignored] = index
        return self._indices[kind, ignored].get(_make_key(file, ignored), [])


def _make_key(file: FoundFile, ignored: frozenset[str]) -> _Key:
    return frozenset((key, label) for key, label in file.entities.items() if key not in ignored)


def find_mask(image: FoundFile, datasets: Sequence[Dataset]) -> FoundFile | None:
    """Return an image's brain mask, from the first dataset that has one.

    ICA-AROMA's image is named without the ``res`` of its mask, so a mask that alone has it (or lacks it) will
    do; that the grids agree is checked when both are read.
    """
    mask = _find_first(image, "mask", _NOT_OF_MASK, datasets)
    if mask is not None:
        return mask
    for dataset in datasets:
        near = dataset.find_same(image, "mask", _NOT_OF_MASK | {"res"})
        if len(near) == 1 and ("res" in near[0].entities) != ("res" in image.entities):
            return near[0]
    return None


def find_confounds(file: FoundFile, datasets: Sequence[Dataset]) -> FoundFile | None:
    """Return a run's confounds, from the first dataset that has them."""
    return _find_first(file, "confounds", _NOT_OF_CONFOUNDS, datasets)


def find_motion(file: FoundFile, datasets: Sequence[Dataset]) -> FoundFile | None:
    """Return XCP-D's table of motion of a run."""
    return _find_first(file, "motion", _NOT_OF_CONFOUNDS, datasets)


def find_confounds_json(confounds: FoundFile, datasets: Sequence[Dataset]) -> FoundFile | None:
    """Return the sidecar that has exactly the name of a confounds table."""
    for dataset in datasets:
        for sidecar in dataset.find_same(confounds, "confounds_json", _NO_ENTITY):
            if sidecar.path == confounds.path.with_suffix(".json"):
                return sidecar
    return None


def _find_first(
    file: FoundFile, kind: str, ignored: frozenset[str], datasets: Sequence[Dataset]
) -> FoundFile | None:
    # fMRIPrep 1.x names a multi-echo run's confounds after its first echo
    echo = file.entities.get("echo")
    for dataset in datasets:
        same = dataset.find_same(file, kind, ignored)
        if same:
            return min(
                same,
                key=lambda other: (
                    other.folder != file.folder,
                    other.entities.get("echo") != echo,
                    "echo" in other.entities,
                    other.name,
                ),
            )
    return None
