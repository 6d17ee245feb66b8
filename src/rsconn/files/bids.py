"""The runs of a preprocessed dataset: image, mask, confounds and repetition time of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rsconn.errors import DatasetError
from rsconn.files.bids_tree import FoundFile, list_files
from rsconn.files.bids_uris import cite_file, name_datasets
from rsconn.files.run_selection import (
    Dataset,
    Filters,
    check_each_once,
    check_no_concatenation,
    check_one_cohort,
    describe_no_match,
    drop_concatenations,
    drop_single_echoes,
    find_confounds,
    find_confounds_json,
    find_mask,
    find_motion,
    find_other_confounds,
    normalise_filters,
    open_datasets,
    select_files,
)
from rsconn.files.sidecars import get_t_r, is_plausible_t_r
from rsconn.naming import format_run

# Keys of a run's files.
_PATHS = ("bold", "mask", "confounds", "confounds_json", "timeseries")


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
        None where there is no such file. A dense series needs no mask.
    t_r : float or None
        As the JSON sidecars state it (s); None if they state none. `rsconn.files.sidecars.settle_t_r` says
        whether to believe it.
    problems : tuple of str
        Why a file is None although the run needs it, one line each.
    datasets : dict of str to str
        Name for BIDS URIs to folder, of every dataset that was searched.
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
    datasets: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str | None]:
        """What tells its rows in the result tables: participant_id, session, run."""
        return {"participant_id": self.participant_id, "session": self.session, "run": self.name}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are there."""
        return tuple(path for path in (getattr(self, key) for key in _PATHS) if path is not None)

    def cite(self, *paths: Path | None) -> list[str]:
        """Return the BIDS URIs of the run's files, for ``Sources``; None is left out."""
        return [cite_file(path, self.datasets) for path in paths if path]

    def move(self, place: Callable[[Path], Path]) -> Run:
        """Return the run with its files and datasets at other places."""
        paths: dict[str, Any] = {
            key: place(file) for key in _PATHS if (file := getattr(self, key)) is not None
        }
        folders = {name: str(place(Path(folder))) for name, folder in self.datasets.items()}
        return replace(self, **paths, datasets=folders)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for key in _PATHS:
            values[key] = None if values[key] is None else str(values[key])
        return {**values, "entities": dict(self.entities), "problems": list(self.problems)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Run:
        """Return the run that `to_dict` made these values of; what is left out keeps its default."""
        paths = {key: Path(values[key]) for key in _PATHS if values.get(key) is not None}
        return cls(**{**values, **paths, "problems": tuple(values.get("problems", ()))})


def find_runs(
    derivatives: Sequence[Path],
    filters: Filters,
    *,
    prefixes: Sequence[str] = (),
    names: Sequence[str] = (),
) -> tuple[Run, ...]:
    """Find the runs with images that the filters select.

    Parameters
    ----------
    derivatives : sequence of Path
        One or more fMRIPrep-shaped datasets, joined. Masks and confounds are looked for beside the image
        first, then in the other datasets (fMRIPost-AROMA and tedana write images without them).
    filters : mapping of str to sequence of str
        Entity to labels. ``desc`` is ``preproc`` unless given; ``none`` asks for files without the entity. Dense
        series (CIFTI), whose names have no ``desc``, count where a space or density is named, or where there are no
        volumes.
    prefixes, names : sequence of str
        Of each dataset, where they hold different people: what keeps their labels apart, and what BIDS URIs call it.

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
    wanted = normalise_filters(filters)
    datasets = open_datasets(derivatives, prefixes)
    images = _select_images(datasets, wanted)
    _check_every_site(images, datasets, wanted, names)
    if "echo" not in wanted:
        images = drop_single_echoes(images)
    check_each_once(images)
    check_no_concatenation(images)
    check_one_cohort(images)
    runs = (_make_image_run(image, near) for image, near in _pair_with_datasets(images, datasets))
    return _sort(runs, derivatives, names)


def find_parcellated_runs(
    folders: Sequence[Path],
    filters: Filters,
    *,
    prefixes: Sequence[str] = (),
    names: Sequence[str] = (),
) -> tuple[Run, ...]:
    """Find the runs of datasets that hold ROI series (``*_timeseries.tsv``) instead of images.

    Parameters and errors are those of `find_runs`; ``desc`` has no default here. Confounds beside the series
    are found too (``desc-confounds``, or XCP-D's ``motion.tsv``); that they are absent is no problem for
    denoised series.
    """
    datasets = open_datasets(folders, prefixes)
    wanted = normalise_filters(filters)
    series = _select(datasets, ("timeseries",), wanted)
    _check_every_site(series, datasets, wanted, names)
    series = drop_concatenations(series)
    check_each_once(series)
    check_one_cohort(series)
    return _sort(
        (_make_series_run(file, near) for file, near in _pair_with_datasets(series, datasets)), folders, names
    )


def _check_every_site(
    files: Sequence[FoundFile], datasets: Sequence[Dataset], wanted: Filters, names: Sequence[str]
) -> None:
    """Refuse filters that select nothing of some dataset that holds people of its own."""
    for dataset, name in zip(datasets, names, strict=False):
        if not any(file.root == str(dataset.folder) for file in files):
            every = [file for kind in (*_IMAGES, "timeseries") for file in dataset.get(kind)]
            raise DatasetError(describe_no_match(every, wanted, f"{dataset.folder} (site {name})"))


def _select_images(datasets: Sequence[Dataset], wanted: Filters) -> list[FoundFile]:
    """Return the volumes, dense series or both that the filters select."""
    volumes, dense = ([file for dataset in datasets for file in dataset.get(kind)] for kind in _IMAGES)
    if not dense or (volumes and not {"space", "den"} & wanted.keys()):
        return _select(datasets, _IMAGES[:1], {"desc": ("preproc",), **wanted})
    if "desc" in wanted:
        return _select(datasets, _IMAGES, wanted)
    skipped = {file.path for file in volumes if file.entities.get("desc") != "preproc"}
    return _select(datasets, _IMAGES, wanted, skipped=skipped)


_IMAGES = ("image", "dense")


def _select(
    datasets: Sequence[Dataset],
    kinds: Sequence[str],
    filters: Filters,
    *,
    skipped: Collection[Path] = (),
) -> list[FoundFile]:
    source = ", ".join(str(dataset.folder) for dataset in datasets)
    files = [file for dataset in datasets for kind in kinds for file in dataset.get(kind)]
    for dataset in datasets:
        # one that only adds masks or confounds to the others may lack images
        if not any(map(dataset.get, kinds)) and not (files and dataset.get("confounds")):
            raise DatasetError(_describe_empty(dataset.folder, kinds[0]))
    try:
        return select_files([file for file in files if file.path not in skipped], filters, source)
    except DatasetError as error:
        raw = [
            dataset.folder for dataset in datasets if not dataset.get("mask") and not dataset.get("confounds")
        ]
        hint = _suggest_inner(raw[0], kinds[0]) if raw else ""
        raise DatasetError(f"{error}{hint}") from None


_PATTERNS = {
    "image": ("*_desc-preproc_bold.nii.gz", "input.derivatives"),
    "timeseries": ("*_timeseries.tsv", "input.parcellated"),
}


def _describe_empty(folder: Path, kind: str) -> str:
    pattern, option = _PATTERNS[kind]
    return f"{folder}: no {pattern} in sub-*/[ses-*/]func ({option}){_suggest_inner(folder, kind)}"


_INNER = ("*", "derivatives/*", "*/derivatives/*")


def _suggest_inner(folder: Path, kind: str) -> str:
    """Name the datasets inside a folder, which may be a raw dataset or hold several."""
    inner = list_inner_datasets(folder)
    suffixes = {
        "image": ("_bold.nii.gz", "_bold.nii", "_preproc.nii.gz"),
        "timeseries": ("_timeseries.tsv",),
    }[kind]
    fitting = [path for path in inner if _holds(path, suffixes)]
    named = " or ".join(str(path) for path in (fitting or inner)[:3])
    return f"; did you mean {named}?" if named else ""


def list_inner_datasets(folder: Path) -> list[Path]:
    """Return the folders inside a folder that hold people (``sub-*``): beside its own, or nested as derivatives."""
    inner = dict.fromkeys(path.parent for glob in _INNER for path in sorted(folder.glob(f"{glob}/sub-*")))
    return [path for path in inner if path.is_dir()]


def _holds(folder: Path, endings: tuple[str, ...]) -> bool:
    try:
        files = list_files(folder)
    except DatasetError:
        return False
    return any(file.name.endswith(endings) and "desc" in file.entities for file in files) or (
        endings[0].endswith(".tsv") and any(file.kind == "timeseries" for file in files)
    )


def _pair_with_datasets(
    files: Sequence[FoundFile], datasets: Sequence[Dataset]
) -> Iterator[tuple[FoundFile, list[Dataset]]]:
    """Yield each file with the datasets to look for its companions in, its own first."""
    for file in files:
        own = [dataset for dataset in datasets if file.path.is_relative_to(dataset.folder)]
        yield file, own + [dataset for dataset in datasets if dataset not in own]


def _make_image_run(image: FoundFile, datasets: Sequence[Dataset]) -> Run:
    problems: list[str] = []
    is_dense = image.kind == "dense"  # its brain models are its mask
    mask = None if is_dense else find_mask(image, datasets)
    if mask is None and not is_dense:
        problems.append(f"no brain mask (desc-brain_mask) beside {image.name}")
    confounds = find_confounds(image, datasets)
    if confounds is None:
        problems.append(f"no confounds (desc-confounds_timeseries.tsv, _regressors.tsv) beside {image.name}")
    elif other := find_other_confounds(image, confounds, datasets):
        problems.append(
            f"two confounds tables, {confounds.name} and {other.name}, that differ; remove one of them"
        )
    return Run(
        **_describe(image),
        **_describe_confounds(confounds, datasets, problems),
        bold=_check_present(image, problems),
        mask=_check_present(mask, problems),
        t_r=_read_t_r(image, datasets[0], problems),
        problems=tuple(problems),
    )


def _make_series_run(series: FoundFile, datasets: Sequence[Dataset]) -> Run:
    problems: list[str] = []
    confounds = find_confounds(series, datasets)
    if confounds is not None and (other := find_other_confounds(series, confounds, datasets)):
        problems.append(
            f"two confounds tables, {confounds.name} and {other.name}, that differ; remove one of them"
        )
    confounds = confounds or find_motion(series, datasets)
    return Run(
        **_describe(series),
        **_describe_confounds(confounds, datasets, problems),
        timeseries=_check_present(series, problems),
        t_r=_read_series_t_r(series, datasets[0], problems),
        problems=tuple(problems),
    )


def _describe_confounds(
    confounds: FoundFile | None, datasets: Sequence[Dataset], problems: list[str]
) -> dict[str, Any]:
    sidecar = find_confounds_json(confounds, datasets) if confounds else None
    return {
        "confounds": _check_present(confounds, problems),
        "confounds_json": _check_present(sidecar, problems),
    }


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


def _read_t_r(file: FoundFile, dataset: Dataset, problems: list[str]) -> float | None:
    try:
        return get_t_r(dataset.read_metadata(file))
    except (DatasetError, ValueError) as error:
        problems.append(f"JSON of {file.name}: {error}")
        return None


def _read_series_t_r(series: FoundFile, dataset: Dataset, problems: list[str]) -> float | None:
    # an image's header is compared with the JSON later on; series have nothing to compare with
    t_r = _read_t_r(series, dataset, problems)
    if t_r is None or is_plausible_t_r(t_r):
        return t_r
    problems.append(f"JSON of {series.name}: a repetition time of {t_r:g} s cannot be; set input.t_r")
    return None


def _sort(runs: Iterable[Run], folders: Sequence[Path], names: Sequence[str]) -> tuple[Run, ...]:
    named = {name: str(Path(folder).absolute()) for name, folder in name_datasets(folders, names).items()}
    ordered = sorted(runs, key=lambda run: (run.participant_id, run.name))
    return tuple(replace(run, datasets=named) for run in ordered)
