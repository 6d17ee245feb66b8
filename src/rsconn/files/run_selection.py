"""Which of a dataset's files the filters ask for, and that each run is there once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rsconn.errors import DatasetError
from rsconn.files.bids_tree import FoundFile, list_files
from rsconn.files.sidecars import Sidecars
from rsconn.naming import NOT, RUN_ENTITIES, format_run

# A filter value that asks for files without the entity.
ABSENT = "none"
_NUMBERED = {"run", "echo"}
_LONG_NAMES = {
    "subject": "sub",
    "participant_id": "sub",
    "session": "ses",
    "acquisition": "acq",
    "reconstruction": "rec",
    "direction": "dir",
    "resolution": "res",
    "density": "den",
    "segmentation": "seg",
    "description": "desc",
}
_SHOWN_VALUES = 8

Filters = Mapping[str, Sequence[str]]


def normalise_filters(filters: Filters) -> dict[str, tuple[str, ...]]:
    """Return filters by short entity name, labels without their prefix.

    Examples
    --------
    >>> normalise_filters({"subject": ["sub-01"], "run": [1]})
    {'sub': ('01',), 'run': ('1',)}
    >>> normalise_filters({"space": ["MNIPediatricAsym:cohort-2"]})  # as fMRIPrep's --output-spaces has it
    {'space': ('MNIPediatricAsym',), 'cohort': ('2',)}

    Raises
    ------
    DatasetError
        If spaces with different modifiers are asked for together.
    """
    short = {}
    for key, values in filters.items():
        entity = _LONG_NAMES.get(key, key)
        short[entity] = tuple(_shorten(str(value), entity) for value in values)
    spaces = [split_space(label) for label in short.get("space", ())]
    if any(modifiers for _, modifiers in spaces):
        if any(modifiers != spaces[0][1] for _, modifiers in spaces):
            raise DatasetError(
                f"input.filters.space: {', '.join(short['space'])} differ in what follows the colon; give one of them"
            )
        short["space"] = tuple(space for space, _ in spaces)
        for key, label in spaces[0][1].items():
            short.setdefault(key, (label,))
    return short


def split_space(label: str) -> tuple[str, dict[str, str]]:
    """Split a space from its modifiers.

    Examples
    --------
    >>> split_space("MNIPediatricAsym:cohort-2:res-1")
    ('MNIPediatricAsym', {'cohort': '2', 'res': '1'})
    """
    space, *modifiers = label.split(":")
    return space, {key: value for key, _, value in (part.partition("-") for part in modifiers)}


def select_files(files: Sequence[FoundFile], filters: Filters, source: str) -> list[FoundFile]:
    """Return the files that match every filter.

    Parameters
    ----------
    files : sequence of FoundFile
        All candidates.
    filters : mapping of str to sequence of str
        Short entity name to labels, any of which will do; ``none`` asks for files without the entity. Run and
        echo are numbers: ``1`` finds ``run-01`` too.
    source : str
        Where the files come from, for messages.

    Raises
    ------
    DatasetError
        If nothing matches, a label matches nothing at all, or a matching name is not a BIDS name.
    """
    chosen = [file for file in files if all(_matches(file, key, labels) for key, labels in filters.items())]
    if not chosen:
        raise DatasetError(describe_no_match(files, filters, source))
    _check_every_label(files, filters, source)
    _check_names(chosen)
    return chosen


def _shorten(label: str, entity: str) -> str:
    mark = NOT if label.startswith(NOT) else ""
    return mark + label.removeprefix(NOT).removeprefix(f"{entity}-")


def _matches(file: FoundFile, key: str, labels: Sequence[str]) -> bool:
    left_out = [label.removeprefix(NOT) for label in labels if label.startswith(NOT)]
    if left_out:
        return not _matches(file, key, left_out)
    label = file.entities.get(key)
    if label is None:
        return ABSENT in labels
    return label in labels or (key in _NUMBERED and _number(label) in {_number(other) for other in labels})


def list_unmet(file: FoundFile, filters: Filters) -> list[str]:
    """Return the keys of the filters that a file does not meet."""
    return [key for key, labels in filters.items() if not _matches(file, key, labels)]


def _number(label: str) -> str:
    return str(int(label)) if label.isdecimal() else label


def describe_no_match(files: Sequence[FoundFile], filters: Filters, source: str) -> str:
    """Say what the filters ask for and the files do not have."""
    empty = [key for key, labels in filters.items() if not any(_matches(file, key, labels) for file in files)]
    facts = [f"{key} {'/'.join(filters[key])} (found: {_list_labels(files, key)})" for key in empty]
    if not facts:
        asked = ", ".join(f"{key} {'/'.join(labels)}" for key, labels in filters.items())
        return f"{source}: none of {len(files)} files has all of {asked} together (input.filters)"
    return f"{source}: none of {len(files)} files has {'; nor '.join(facts)}; change input.filters"


def _check_every_label(files: Sequence[FoundFile], filters: Filters, source: str) -> None:
    # people without images are a matter of the participants table, so `sub` may name them
    for key, labels in filters.items():
        named = [label.removeprefix(NOT) for label in labels]
        unmatched = [label for label in named if not any(_matches(file, key, [label]) for file in files)]
        if unmatched and (key != "sub" or labels[0].startswith(NOT)):
            raise DatasetError(
                f"{source}: no file has {key} {'/'.join(unmatched)} (found: {_list_labels(files, key)}); "
                f"change input.filters.{key}"
            )


def _list_labels(files: Sequence[FoundFile], key: str) -> str:
    labels = sorted({file.entities.get(key, ABSENT) for file in files})
    more = f" and {len(labels) - _SHOWN_VALUES} more" if len(labels) > _SHOWN_VALUES else ""
    return ", ".join(labels[:_SHOWN_VALUES]) + more


def _check_names(files: Iterable[FoundFile]) -> None:
    for file in files:
        if file.strange:
            raise DatasetError(
                f"{file.path}: {file.strange[0]!r} is not a BIDS entity (key-label, letters and digits); "
                "rename the file"
            )
        if "sub" not in file.entities:
            raise DatasetError(f"{file.path}: the name has no sub-<label>; rename the file")
        _check_folders(file)


def _check_folders(file: FoundFile) -> None:
    for key in ("sub", "ses"):
        for part in Path(file.folder).relative_to(file.root).parts if file.root else ():
            label = file.entities.get(key)
            if key == "sub" and label is not None:
                label = label.removeprefix(file.prefix)
            if part.startswith(f"{key}-") and part != f"{key}-{label}":
                raise DatasetError(
                    f"{file.path}: the name and the folder {part} disagree about {key}; "
                    "move or rename the file"
                )


def drop_single_echoes(files: Sequence[FoundFile]) -> list[FoundFile]:
    """Leave out single echoes of runs whose echoes were combined, and phase images.

    Raises
    ------
    DatasetError
        If a run has several echoes and no combined image.

    Notes
    -----
    fMRIPrep names the optimally combined image without ``echo``; with ``--me-output-echos`` the echoes lie
    beside it.
    """
    combined = {identify_run(file) for file in files if "echo" not in file.entities}
    kept = [
        file
        for file in files
        if ("echo" not in file.entities or identify_run(file, but="echo") not in combined)
        and file.entities.get("part", "mag") == "mag"
    ]
    _check_single_echo(kept)
    return kept


def _check_single_echo(files: Sequence[FoundFile]) -> None:
    echoes: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for file in files:
        if "echo" in file.entities:
            echoes.setdefault(identify_run(file, but="echo"), set()).add(file.entities["echo"])
    for run, labels in echoes.items():
        if len(labels) > 1:
            raise DatasetError(
                f"{len(labels)} echoes of {format_run(dict(run))} and no combined image; "
                f"choose one with input.filters: {{echo: {min(labels)}}}"
            )


# What a file lacks that was joined from several: XCP-D joins a task's runs, whatever their directions.
_JOINED_OVER = ("run", "dir")


def drop_concatenations(files: Sequence[FoundFile]) -> list[FoundFile]:
    """Leave out series named without ``run``, ``dir`` or both beside two or more that have it and are else the same.

    XCP-D writes the runs of a task one by one and, under that name, one after the other; taking all would count
    every volume twice.
    """
    joined = {file.path for file, _ in find_concatenations(files)}
    return [file for file in files if file.path not in joined]


def find_concatenations(files: Sequence[FoundFile]) -> list[tuple[FoundFile, list[FoundFile]]]:
    """Return each file that looks joined from others, with its parts."""
    parts: dict[tuple[tuple[str, str], ...], list[FoundFile]] = {}
    for file in files:
        for but in _list_left_out(file):
            parts.setdefault(identify_run(file, but=but), []).append(file)
    return [(file, parts[run]) for file in files if len(parts.get(run := identify_run(file), ())) > 1]


def _list_left_out(file: FoundFile) -> list[tuple[str, ...]]:
    present = [key for key in _JOINED_OVER if key in file.entities]
    return [tuple(present), *((key,) for key in present)] if len(present) > 1 else [(key,) for key in present]


def check_no_concatenation(files: Sequence[FoundFile]) -> None:
    """Refuse images that look joined from others; whether they are, only the user knows.

    Raises
    ------
    DatasetError
        Naming the file, its parts and the filter that settles it.
    """
    for file, parts in find_concatenations(files):
        key = next(key for key in _JOINED_OVER if key not in file.entities and key in parts[0].entities)
        labels = ", ".join(part.entities[key] for part in parts)
        raise DatasetError(
            f"{file.path} looks like {key} {labels} joined, which would count twice; choose with input.filters: "
            f"{{{key}: {ABSENT}}} or {{{key}: [{labels}]}}"
        )


def check_one_cohort(files: Sequence[FoundFile]) -> None:
    """Refuse images in several cohorts of a template, which are templates of their own.

    Raises
    ------
    DatasetError
        Naming the cohorts and the filter that chooses one.
    """
    cohorts: dict[str | None, set[str]] = {}
    for file in files:
        cohorts.setdefault(file.entities.get("space"), set()).add(file.entities.get("cohort", ABSENT))
    for space, labels in cohorts.items():
        if len(labels) > 1:
            first, *others = sorted(labels)
            raise DatasetError(
                f"images in cohorts {', '.join((first, *others))} of space {space}, which are different templates; "
                f"choose one with input.filters: {{cohort: {first}}}"
            )


def identify_run(file: FoundFile, *, but: str | Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return what tells acquisitions apart; ``run-1`` and ``run-01`` are one and the same."""
    left_out = (but,) if isinstance(but, str) else but
    return tuple(
        (key, _number(file.entities[key]) if key in _NUMBERED else file.entities[key])
        for key in RUN_ENTITIES
        if key in file.entities and key not in left_out
    )


# They stand in a run's name, but two files that differ in nothing else are one acquisition.
_SAME_ACQUISITION = ("rec", "part")


def check_each_once(files: Sequence[FoundFile]) -> None:
    """Refuse a run that is there more than once.

    Raises
    ------
    DatasetError
        Naming both files and, where an entity tells them apart, the filter that would.
    """
    first_of: dict[tuple[tuple[str, str], ...], FoundFile] = {}
    repeated: list[tuple[FoundFile, FoundFile]] = []
    for file in files:
        first = first_of.setdefault(identify_run(file, but=_SAME_ACQUISITION), file)
        if first is not file:
            repeated.append((first, file))
    if repeated:
        first, second = repeated[0]
        more = f" ({len(repeated)} such pairs)" if len(repeated) > 1 else ""
        raise DatasetError(
            f"{first.path} and {second.path} are the same run{more}; {_suggest_filter(first, second)}"
        )


def _suggest_filter(first: FoundFile, second: FoundFile) -> str:
    keys = sorted(first.entities.keys() | second.entities.keys())
    differing = [key for key in keys if first.entities.get(key) != second.entities.get(key)]
    usable = [key for key in differing if key not in RUN_ENTITIES or key in _SAME_ACQUISITION]
    if usable:
        pair = (first.entities.get(usable[0], ABSENT), second.entities.get(usable[0], ABSENT))
        return f"choose one with input.filters: {{{usable[0]}: {pair[0]}}} or {pair[1]}"
    if differing:
        return f"they differ only in how {differing[0]} is written; remove or rename one"
    return "remove one, or one of the datasets in input"


# What a companion's name may lack or have otherwise. A mask lies on its image's own grid; confounds are per
# run.
_NOT_OF_MASK = frozenset({"desc", "echo", "part"})
_NOT_OF_CONFOUNDS = _NOT_OF_MASK | {
    "space", "cohort", "res", "den", "seg", "atlas", "stat", "hemi", "denoise", "meas",
}  # fmt: skip
_NO_ENTITY: frozenset[str] = frozenset()

_Key = frozenset[tuple[str, str]]


def _add_prefix(file: FoundFile, prefix: str) -> FoundFile:
    if "sub" not in file.entities:
        return file
    return replace(file, entities={**file.entities, "sub": prefix + file.entities["sub"]}, prefix=prefix)


class Dataset:
    """The files of one derivatives dataset.

    Parameters
    ----------
    folder : Path
        Root of the dataset.
    prefix : str
        Put before every label of ``sub``; files then go by that label.
    """

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self.folder = folder
        self._by_kind: dict[str, list[FoundFile]] = {}
        for file in list_files(folder):
            self._by_kind.setdefault(file.kind, []).append(_add_prefix(file, prefix) if prefix else file)
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


def open_datasets(folders: Sequence[Path], prefixes: Sequence[str] = ()) -> list[Dataset]:
    """Return the datasets in the folders, with the prefix of each where they hold people of their own."""
    prefixes = prefixes or [""] * len(folders)
    return [Dataset(Path(folder), prefix) for folder, prefix in zip(folders, prefixes, strict=True)]


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


def find_other_confounds(file: FoundFile, chosen: FoundFile, datasets: Sequence[Dataset]) -> FoundFile | None:
    """Return another table of the same run's confounds, beside the chosen one and with other content.

    fMRIPrep renamed the table twice; a dataset that was processed again holds both.
    """
    for dataset in datasets:
        for other in dataset.find_same(file, "confounds", _NOT_OF_CONFOUNDS):
            if _is_rival(other, chosen):
                return other
    return None


def _is_rival(other: FoundFile, chosen: FoundFile) -> bool:
    if other.path == chosen.path or other.folder != chosen.folder:
        return False
    if other.entities.get("echo") != chosen.entities.get("echo"):
        return False
    try:
        return other.path.read_bytes() != chosen.path.read_bytes()
    except OSError:
        return True


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
