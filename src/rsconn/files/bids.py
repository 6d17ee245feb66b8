"""The runs of a preprocessed dataset: image, mask, confounds and repetition time of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rsconn.errors import DatasetError
from rsconn.files.bids_tree import FoundFile, list_files
from rsconn.files.run_selection import (
    Filters,
    check_each_once,
    drop_single_echoes,
    normalise_filters,
    select_files,
)
from rsconn.files.sidecars import Sidecars, get_t_r
from rsconn.naming import format_run

_PATHS = ("bold", "mask", "confounds", "confounds_json", "timeseries")
# What a companion's name may lack or have otherwise. A mask lies on its image's own grid; confounds are per
# run.
_NOT_OF_MASK = frozenset({"desc", "echo", "part"})
_NOT_OF_CONFOUNDS = _NOT_OF_MASK | {
    "space", "cohort", "res", "den", "seg", "atlas", "stat", "hemi", "denoise", "meas",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One BOLD acquisition and the files that belong to it.

    Attributes
    ----------
    participant_id : str
        Such as ``sub-01``.
    session : str or None
        Label without ``ses-``.
    name : str
        Such as ``sub-01_ses-1_task-rest_run-1``.
    entities : dict of str to str
        Of the image, or of the series if the dataset is parcellated.
    bold, mask, confounds, confounds_json, timeseries : Path or None
        None where there is no such file.
    t_r : float or None
        Seconds, from the JSON sidecars; None if they state none.
    problems : tuple of str
        Why a file is None although the run needs it, one line each.
    """

    participant_id: str
    session: str | None
    name: str
    entities: dict[str, str]
    bold: Path | None = None
    mask: Path | None = None
    confounds: Path | None = None
    confounds_json: Path | None = None
    timeseries: Path | None = None
    t_r: float | None = None
    problems: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for key in _PATHS:
            values[key] = None if values[key] is None else str(values[key])
        return {**values, "entities": dict(self.entities), "problems": list(self.problems)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Run:
        """Return the run that `to_dict` made these values of."""
        paths = {key: None if values[key] is None else Path(values[key]) for key in _PATHS}
        return cls(**{**values, **paths, "problems": tuple(values["problems"])})


def find_runs(derivatives: Sequence[Path], filters: Filters) -> tuple[Run, ...]:
    """Find the runs with images that the filters select.

    Parameters
    ----------
    derivatives : sequence of Path
        One or more fMRIPrep-shaped datasets, joined.
    filters : mapping of str to sequence of str
        Entity to labels. ``desc`` is ``preproc`` unless given; ``none`` asks for files without the entity.

    Returns
    -------
    tuple of Run
        In the order of their names. A run that lacks its mask or confounds is kept and says so in
        `Run.problems`.

    Raises
    ------
    DatasetError
        If nothing matches (with what there is instead), or a run is there more than once.
    """
    wanted = {"desc": ("preproc",), **normalise_filters(filters)}
    trees = [_Tree(Path(folder)) for folder in derivatives]
    images = _select(trees, "image", wanted)
    if "echo" not in wanted:
        images = drop_single_echoes(images)
    check_each_once(images)
    chosen = {id(file) for file in images}
    runs = [_make_image_run(file, tree) for tree in trees for file in tree.get("image") if id(file) in chosen]
    return _sort(runs)


def find_parcellated_runs(folders: Sequence[Path], filters: Filters) -> tuple[Run, ...]:
    """Find the runs of datasets that hold ROI series (``*_timeseries.tsv``) instead of images.

    Parameters and errors are those of `find_runs`; ``desc`` has no default here. Confounds beside the series
    are found too (``desc-confounds``, or XCP-D's ``motion.tsv``); that they are absent is no problem for
    denoised series.
    """
    trees = [_Tree(Path(folder)) for folder in folders]
    series = _select(trees, "timeseries", normalise_filters(filters))
    check_each_once(series)
    chosen = {id(file) for file in series}
    runs = [
        _make_series_run(file, tree)
        for tree in trees
        for file in tree.get("timeseries")
        if id(file) in chosen
    ]
    return _sort(runs)


class _Tree:
    """A dataset's files by kind, and by folder where companions are looked for."""

    def __init__(self, dataset: Path) -> None:
        self.dataset = dataset
        self._by_kind: dict[str, list[FoundFile]] = {}
        self._by_place: dict[tuple[str, str], list[FoundFile]] = {}
        for file in list_files(dataset):
            self._by_kind.setdefault(file.kind, []).append(file)
            self._by_place.setdefault((file.folder, file.kind), []).append(file)
        self.image_sidecars = Sidecars(dataset, self.get("image_json"))
        self.series_sidecars = Sidecars(dataset, self.get("timeseries_json"))

    def get(self, kind: str) -> list[FoundFile]:
        return self._by_kind.get(kind, [])

    def find_companion(self, file: FoundFile, kind: str, ignored: frozenset[str]) -> FoundFile | None:
        """Return the file of another kind that has the same entities, some of them ignored."""
        key = _strip(file.entities, ignored)
        beside = self._by_place.get((file.folder, kind), [])
        same = [other for other in beside if _strip(other.entities, ignored) == key]
        # fMRIPrep 1.x names a multi-echo run's confounds after its first echo
        echo = file.entities.get("echo")
        same.sort(
            key=lambda other: (other.entities.get("echo") != echo, "echo" in other.entities, other.name)
        )
        return same[0] if same else None


def _strip(entities: Mapping[str, str], ignored: frozenset[str]) -> dict[str, str]:
    return {key: label for key, label in entities.items() if key not in ignored}


def _select(trees: Sequence[_Tree], kind: str, filters: Filters) -> list[FoundFile]:
    source = ", ".join(str(tree.dataset) for tree in trees)
    for tree in trees:
        if not tree.get(kind):
            raise DatasetError(_describe_empty(tree.dataset, kind))
    return select_files([file for tree in trees for file in tree.get(kind)], filters, source)


def _describe_empty(dataset: Path, kind: str) -> str:
    pattern, option = {
        "image": ("*_desc-preproc_bold.nii.gz", "input.derivatives"),
        "timeseries": ("*_timeseries.tsv", "input.parcellated"),
    }[kind]
    inner = sorted(path.parent.name for path in dataset.glob("*/sub-*") if path.is_dir())
    hint = f"; did you mean {dataset / inner[0]}?" if inner else ""
    return f"{dataset}: no {pattern} in sub-*/[ses-*/]func ({option}){hint}"


def _make_image_run(image: FoundFile, tree: _Tree) -> Run:
    problems: list[str] = []
    mask = _find_mask(image, tree)
    confounds = tree.find_companion(image, "confounds", _NOT_OF_CONFOUNDS)
    described = tree.find_companion(confounds, "confounds_json", frozenset()) if confounds else None
    if mask is None:
        problems.append(f"no brain mask (desc-brain_mask) beside {image.name}")
    if confounds is None:
        problems.append(
            f"no confounds (desc-confounds_timeseries.tsv or _regressors.tsv) beside {image.name}"
        )
    return Run(
        **_describe(image),
        bold=_check_present(image, problems),
        mask=_check_present(mask, problems),
        confounds=_check_present(confounds, problems),
        confounds_json=_check_present(described, problems),
        t_r=_read_t_r(image, tree.image_sidecars, problems),
        problems=tuple(problems),
    )


def _make_series_run(series: FoundFile, tree: _Tree) -> Run:
    problems: list[str] = []
    confounds = tree.find_companion(series, "confounds", _NOT_OF_CONFOUNDS)
    confounds = confounds or tree.find_companion(series, "motion", _NOT_OF_CONFOUNDS)
    described = tree.find_companion(confounds, "confounds_json", frozenset()) if confounds else None
    return Run(
        **_describe(series),
        timeseries=_check_present(series, problems),
        confounds=_check_present(confounds, problems),
        confounds_json=_check_present(described, problems),
        t_r=_read_t_r(series, tree.series_sidecars, problems),
        problems=tuple(problems),
    )


def _find_mask(image: FoundFile, tree: _Tree) -> FoundFile | None:
    mask = tree.find_companion(image, "mask", _NOT_OF_MASK)
    if mask is not None:
        return mask
    # ICA-AROMA's image is named without the `res` of its mask; that the grids agree is checked when both are read
    mask = tree.find_companion(image, "mask", _NOT_OF_MASK | {"res"})
    one_has_res = mask is not None and ("res" in mask.entities) != ("res" in image.entities)
    return mask if one_has_res else None


def _describe(file: FoundFile) -> dict[str, Any]:
    entities = dict(file.entities)
    return {
        "participant_id": f"sub-{entities['sub']}",
        "session": entities.get("ses"),
        "name": format_run(entities),
        "entities": entities,
    }


def _check_present(file: FoundFile | None, problems: list[str]) -> Path | None:
    # a file of a DataLad dataset that was not fetched is a link into nowhere
    if file is None:
        return None
    if file.path.exists():
        return file.path.absolute()
    problems.append(f"{file.name} is a link whose content is absent (`datalad get` it)")
    return None


def _read_t_r(file: FoundFile, sidecars: Sidecars, problems: list[str]) -> float | None:
    try:
        return get_t_r(sidecars.read(file))
    except (DatasetError, ValueError) as error:
        problems.append(f"repetition time of {file.name}: {error}; set input.t_r")
        return None


def _sort(runs: Iterable[Run]) -> tuple[Run, ...]:
    return tuple(sorted(runs, key=lambda run: (run.participant_id, run.name)))
