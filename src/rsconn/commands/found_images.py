"""What a folder holds: which dataset in it to read, which of its files, and why these."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rsconn.errors import DatasetError, RunError, UserError
from rsconn.files.bids import Run, find_parcellated_runs, find_runs, list_inner_datasets
from rsconn.files.bids_tree import FoundFile
from rsconn.files.image_headers import ImageHeader
from rsconn.files.images import read_run_header
from rsconn.files.run_selection import ABSENT, Dataset, find_concatenations, identify_run
from rsconn.files.sidecars import is_plausible_t_r, list_makers, read_dataset_description, settle_t_r

_REST = re.compile(r"rest|^rs\d*$|^rsfmri", re.IGNORECASE)
# The first that the images have; regions are given in the first.
_SPACES = ("MNI152NLin2009cAsym", "MNI152NLin6Asym", "MNI152NLin2009cSym", "MNI152NLin6Sym", "MNI152Lin")
_NATIVE = frozenset({"T1w", "func", "bold", "individual", "anat", "orig"})
# What may tell two files of one run apart, in the order in which it is settled.
_CHOICES = ("cohort", "res", "den", "atlas", "seg", "stat", "denoise", "meas", "desc", "rec", "part", "echo")
_DENOISED = frozenset({"denoised", "denoisedSmoothed", "interpolated"})
_LOOKED_AT = 3


@dataclass(frozen=True)
class Guess:
    """A value for the config, the reason for it, and whether only the user can say if it is right."""

    value: Any
    reason: str = ""
    sure: bool = True

    @property
    def comment(self) -> str:
        """The reason as a comment of YAML; ``# ?`` asks the user."""
        mark = "" if self.sure else "? "
        return f"  # {mark}{self.reason}" if self.reason else ""


@dataclass(frozen=True)
class FoundImages:
    """The images or series to read.

    Attributes
    ----------
    folder : Path
        The dataset.
    parcellated : bool
        Whether it holds series of regions.
    filters : dict of str to Guess
        Entity to its label or labels.
    runs : tuple of Run
        What the filters select.
    sessions, denoised, t_r : Guess or None
        None where there is nothing to settle.
    made_by : str
        Program and version, as the dataset says.
    notes : tuple of str
        What was found beside, one line each.
    header : ImageHeader or None
        Of the first image that can be read.
    """

    folder: Path
    parcellated: bool
    filters: dict[str, Guess]
    runs: tuple[Run, ...]
    sessions: Guess | None = None
    denoised: Guess | None = None
    t_r: Guess | None = None
    made_by: str = ""
    notes: tuple[str, ...] = field(default=())
    header: ImageHeader | None = None

    @property
    def people(self) -> set[str]:
        """Everyone with a run."""
        return {run.participant_id for run in self.runs}


@dataclass(frozen=True)
class _Candidate:
    dataset: Dataset
    kind: str
    files: list[FoundFile]
    made_by: str

    @property
    def rank(self) -> tuple[int, int, int]:
        kinds = ("image", "timeseries", "dense")
        return kinds.index(self.kind), "fmriprep" not in self.made_by.lower(), -len(self.files)


def find_images(folder: Path) -> FoundImages | None:
    """Return the dataset in a folder, at or below it or beside it, and what to take of it; None without images.

    Parameters
    ----------
    folder : Path
        A raw dataset with its derivatives nested or beside, the derivatives themselves, or what holds both.

    Raises
    ------
    DatasetError
        If there are images and none can be used: all in native space, say.
    """
    found = sorted(_list_candidates(folder), key=lambda one: one.rank)
    if not found:
        return None
    best, *others = found
    if best.kind == "dense":
        raise DatasetError(
            f"{best.dataset.folder}: dense series (CIFTI) alone found, whose regions need surfaces; volumes in a "
            "template's space needed, or a config by hand (config/README.md, Dense series)"
        )
    notes = [f"also found: {one.dataset.folder} ({_KIND_WORDS[one.kind]}), not used" for one in others]
    return _look_inside(best, notes)


_KIND_WORDS = {"image": "images", "timeseries": "series of regions", "dense": "dense series"}


def _list_candidates(folder: Path) -> list[_Candidate]:
    folders = [folder, *list_inner_datasets(folder)]
    if (beside := folder.absolute().parent / "derivatives").is_dir() and any(folder.glob("sub-*")):
        folders += [path for path in sorted(beside.iterdir()) if path.is_dir() and any(path.glob("sub-*"))]
    unique = {path.resolve(): path for path in folders}
    found = [one for path in unique.values() for one in _classify(path)]
    return found or [one for path in _list_deeper(folder) for one in _classify(path)]


def _list_deeper(folder: Path) -> list[Path]:
    """Return the folders two or three levels down that hold people, where there are none nearer."""
    globs = ("*/*/sub-*", "*/*/*/sub-*")
    return list(dict.fromkeys(path.parent for glob in globs for path in sorted(folder.glob(glob))))


def _classify(folder: Path) -> list[_Candidate]:
    try:
        dataset = Dataset(folder)
    except UserError:
        return []
    made_by = _name_maker(folder)
    files = {
        "image": [file for file in dataset.get("image") if file.entities.get("desc") == "preproc"],
        "timeseries": dataset.get("timeseries"),
        "dense": dataset.get("dense"),
    }
    return [_Candidate(dataset, kind, found, made_by) for kind, found in files.items() if found][:1]


def _name_maker(folder: Path) -> str:
    """Return program and version from dataset_description.json, in any of its forms; empty if it says nothing."""
    try:
        description = read_dataset_description(folder)
    except UserError:
        return ""
    return next(iter(list_makers(description)), "")


def _look_inside(chosen: _Candidate, notes: list[str]) -> FoundImages:
    folder, parcellated = chosen.dataset.folder, chosen.kind == "timeseries"
    filters = _choose_filters(chosen)
    runs = _select_runs(chosen, filters)
    header, t_r = (None, None) if parcellated else _look_at_headers(runs)
    return FoundImages(
        folder=folder,
        parcellated=parcellated,
        filters=filters,
        runs=runs,
        sessions=_guess_sessions(runs),
        denoised=_guess_denoised(runs, chosen.made_by) if parcellated else None,
        t_r=t_r,
        made_by=chosen.made_by,
        notes=tuple(notes),
        header=header,
    )


def _choose_filters(chosen: _Candidate) -> dict[str, Guess]:
    filters = {}
    if task := _guess_task(chosen.files):
        filters["task"] = task
    if chosen.kind == "image":
        filters["space"] = _guess_space(chosen)
    return filters


def _count(files: Iterable[FoundFile], key: str) -> Counter[str]:
    """Count the people who have each label of an entity."""
    pairs = {(file.entities.get("sub"), file.entities.get(key, ABSENT)) for file in files}
    return Counter(label for _, label in sorted(pairs, key=str))


def _guess_task(files: Sequence[FoundFile]) -> Guess | None:
    counts = _count(files, "task")
    resting = [label for label in counts if _REST.search(label)]
    if set(counts) == {ABSENT}:
        return None
    if len(resting) == 1:
        others = sorted(set(counts) - set(resting))
        return Guess(resting[0], f"rest; not taken: {', '.join(others)}" if others else "")
    if resting:
        return Guess(tuple(resting), "spellings of one task, or several?", sure=False)
    label = counts.most_common(1)[0][0]
    return Guess(label, f"no task is called rest; found {', '.join(counts)}", sure=False)


def _guess_space(chosen: _Candidate) -> Guess:
    counts = _count(chosen.files, "space")
    known = [space for space in _SPACES if space in counts]
    others = [space for space in counts if space not in {*_NATIVE, ABSENT, *known}]
    if not known and not others:
        raise DatasetError(
            f"{chosen.dataset.folder}: images in {', '.join(counts)} only; regions need a template's space, such as "
            "MNI152NLin2009cAsym (fMRIPrep's --output-spaces)"
        )
    space = (known or others)[0]
    rest = ", ".join(label for label in counts if label != space)
    return Guess(
        space,
        f"regions are given in a template's space; also there: {rest}" if rest else "",
        sure=bool(known),
    )


def _select_runs(chosen: _Candidate, filters: dict[str, Guess]) -> tuple[Run, ...]:
    """Find the runs; where a run is there more than once, add the filter that settles it."""
    find = find_parcellated_runs if chosen.kind == "timeseries" else find_runs
    for _ in _CHOICES:
        try:
            return find([chosen.dataset.folder], _plain(filters))
        except DatasetError:
            if not _settle_one(chosen, filters):
                raise
    return find([chosen.dataset.folder], _plain(filters))


def _plain(filters: dict[str, Guess]) -> dict[str, tuple[str, ...]]:
    return {
        key: guess.value if isinstance(guess.value, tuple) else (guess.value,)
        for key, guess in filters.items()
    }


def _settle_one(chosen: _Candidate, filters: dict[str, Guess]) -> bool:
    """Add one filter for what files of one run differ in; say whether there was something to add."""
    wanted = _plain(filters)
    files = [
        file
        for file in chosen.files
        if all(file.entities.get(key, ABSENT) in labels for key, labels in wanted.items())
    ]
    for key in _CHOICES:
        counts = _count(files, key)
        if key not in filters and len(counts) > 1 and (key == "cohort" or _differs(files, key)):
            filters[key] = _choose_label(key, counts)
            return True
    for _, parts in find_concatenations(files):
        key = next(key for key in ("run", "dir") if key in parts[0].entities)
        if key not in filters:
            labels = tuple(sorted({part.entities[key] for part in parts}))
            filters[key] = Guess(labels, "beside them lies what looks joined from them", sure=False)
            return True
    return False


def _differs(files: Sequence[FoundFile], key: str) -> bool:
    """Say whether some run is there with two labels of an entity."""
    labels: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for file in files:
        labels.setdefault(identify_run(file, but=("rec", "part")), set()).add(file.entities.get(key, ABSENT))
    return any(len(found) > 1 for found in labels.values())


def _choose_label(key: str, counts: Counter[str]) -> Guess:
    most = max(counts.values())
    usual = ("2", "02") if key == "res" else ("magnitude", "mag", "mean", "timeseries")
    label = min(counts, key=lambda label: (counts[label] < most, label not in usual, label == ABSENT, label))
    others = ", ".join(other for other in sorted(counts) if other != label)
    return Guess(label, f"the same runs are also there with {key} {others}", sure=False)


def _guess_sessions(runs: Sequence[Run]) -> Guess | None:
    labels = sorted({run.session for run in runs if run.session})
    per_person = Counter(person for person, _ in {(run.participant_id, run.session) for run in runs})
    if not labels or max(per_person.values()) < 2:
        return None
    shown = ", ".join(f"ses-{label}" for label in labels[:4])
    return Guess(
        "combine",
        f"{shown}: combine makes one row per person; separate keeps one per session, for claims on change",
        sure=False,
    )


def _guess_denoised(runs: Sequence[Run], made_by: str) -> Guess:
    named = {run.entities.get("desc") for run in runs}
    if named & _DENOISED or "xcp" in made_by.lower():
        return Guess(
            value=True, reason="by their name or maker: used as they are, without censoring or filter"
        )
    with_confounds = [run for run in runs if run.confounds is not None and _has_motion_terms(run.confounds)]
    if len(with_confounds) == len(runs) and all(run.t_r for run in runs):
        return Guess(
            value=False,
            reason="all have realignment parameters beside them; true if done already",
            sure=False,
        )
    return Guess(
        value=True, reason="there are no confounds to denoise with; were they denoised before?", sure=False
    )


def _has_motion_terms(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            return {"trans_x", "X"} & set(stream.readline().split()) != set()
    except (OSError, UnicodeDecodeError):
        return False


def _look_at_headers(runs: Sequence[Run]) -> tuple[ImageHeader | None, Guess | None]:
    """Return the first header that can be read, and a repetition time where JSON and headers need one."""
    first: ImageHeader | None = None
    for run in runs:
        if run.bold is None or first is not None:
            continue
        try:
            first = read_run_header(run.bold)
            settle_t_r(run.name, sidecar_t_r=run.t_r, header_t_r=first.t_r)
        except RunError as error:
            if first is not None and run.t_r is not None and is_plausible_t_r(run.t_r):
                return first, Guess(run.t_r, f"s, as the JSON says; {error}", sure=False)
    return first, None
