"""Init: look at a dataset and its tables, and write a first config, regions and claims that `rsconn check` accepts."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.commands.check import check_config
from rsconn.commands.first_config import FirstConfig, write_claims_text, write_config_text, write_rois_text
from rsconn.commands.first_rules import fit_regions, fit_rules
from rsconn.commands.found_columns import FoundColumns, find_columns
from rsconn.commands.found_images import FoundImages, find_images
from rsconn.commands.found_scores import FoundScores, find_scores
from rsconn.commands.found_tables import FoundTables, find_tables, write_people_of
from rsconn.errors import DatasetError, UserError
from rsconn.files.writing import check_new_files, write_text
from rsconn.published_tables import read_numbers
from rsconn.rules.plan import find_config_runs
from rsconn.rules.report import list_truth_problems
from rsconn.settings.config import read_config
from rsconn.settings.fields import find_base, show_path
from rsconn.study.people.participants import read_people

_LOOKED_AT = 20
_LEAST_KNOWN = 0.5


def write_first_config(dataset: Path, tables: Sequence[Path], output: Path) -> tuple[list[str], bool]:
    """Write config.yaml, rois.yaml and claims.yaml for a dataset.

    Parameters
    ----------
    dataset : Path
        Raw dataset, derivatives, or a folder of tables.
    tables : sequence of Path
        Tables to be joined to the participants table of the dataset.
    output : Path
        Folder for the files; none of them is ever overwritten.

    Returns
    -------
    lines : list of str
        What to print.
    ready : bool
        Whether `rsconn check` finds no problem.

    Raises
    ------
    DatasetError
        If a file is there already, or there is nothing to analyse.
    TableError
        If a table cannot be used.
    """
    if not dataset.is_dir():
        raise DatasetError(f"{dataset}: no such folder; a dataset was needed (rsconn init DATASET)")
    files = {name: output / f"{name}.yaml" for name in ("config", "rois", "claims")}
    check_new_files(files.values(), "--output")
    first = look_at(dataset, tables)
    if first.images is None:
        del files["rois"]
    if first.tables is None:
        files["participants"] = output / "participants.tsv"
        check_new_files([files["participants"]], "--output")
    first = _fit(first)
    _write(first, files, find_base(files["config"]))
    result = check_config(files["config"])
    return _describe(files, result.lines), not result.problems


def look_at(dataset: Path, tables: Sequence[Path]) -> FirstConfig:
    """Find images, tables, and what their columns mean.

    Raises
    ------
    DatasetError
        If there are neither images nor scores.
    """
    images = find_images(dataset)
    found = find_tables(dataset, tables, images)
    if found is None and images is None:
        raise DatasetError(
            f"{dataset}: no *_desc-preproc_bold.nii.gz, *_timeseries.tsv or table of people found there or in "
            "its derivatives; another folder or --table FILE needed"
        )
    people, columns, scores = _look_at_people(found, images)
    if images is None and not scores.scores:
        raise DatasetError(f"{dataset}: no images, and no score in its tables; name a table with --table")
    series = _list_series(images) if images is not None and images.parcellated else ()
    truth = dataset / "truth.json"
    return FirstConfig(
        dataset, images, found, people, columns, scores, series, truth=truth if truth.is_file() else None
    )


def _look_at_people(
    tables: FoundTables | None, images: FoundImages | None
) -> tuple[pd.DataFrame, FoundColumns, FoundScores]:
    with_images = images.people if images else set()
    if tables is None:
        return pd.DataFrame({"participant_id": sorted(with_images)}), FoundColumns(), FoundScores()
    people = tables.read()
    columns = find_columns(people, with_images)
    cells = {name: guess.value for name, guess in columns.cells.items()}
    mapped = read_people(tables.settings.model_copy(update={"values": cells}), sessions=tables.sessions)
    taken = [name for name in (columns.sex, columns.age, columns.site, "mean_fd") if name]
    taken += [columns.groups.value["column"]] if columns.groups else []
    return mapped, columns, find_scores(mapped, taken, needed=images is None)


def _list_series(images: FoundImages) -> tuple[str, ...]:
    """Return the columns that every series looked at has, and that vary; the second of two of one name as NAME#2."""
    common: dict[str, None] | None = None
    for run in images.runs[:: max(1, len(images.runs) // _LOOKED_AT)]:
        if run.timeseries is None:
            continue
        names, values = read_numbers(run.timeseries)
        with np.errstate(invalid="ignore"):
            known = np.isfinite(values)
            varies = (known.mean(axis=0) > _LEAST_KNOWN) & (
                np.nanmax(values, axis=0) > np.nanmin(values, axis=0)
            )
        numbered = [
            f"{name}#{names[: at + 1].count(name)}" if names.count(name) > 1 else name
            for at, name in enumerate(names)
        ]
        usable = dict.fromkeys(name for name, good in zip(numbered, varies, strict=True) if good)
        common = usable if common is None else {name: None for name in common if name in usable}
    if common is None or len(common) < 2:
        raise DatasetError(
            f"{images.folder}: fewer than two columns vary in every series; *_timeseries.tsv needed"
        )
    return tuple(common)


def _fit(first: FirstConfig) -> FirstConfig:
    """Fit the rules to the runs, with a draft in a folder that is removed again."""
    if first.images is None:
        return first
    with tempfile.TemporaryDirectory(prefix="rsconn-init-") as name:
        files = {key: Path(name) / f"{key}.yaml" for key in ("config", "rois", "claims")}
        files["participants"] = Path(name) / "participants.tsv"
        _write(first, files, None)
        try:
            config = read_config(files["config"])
            people = read_people(config.input, config.groups, sessions=config.sessions)
            runs = find_config_runs(config)
            first = replace(first, rules=fit_regions(config, runs))
            _write(first, files, None)
            rules = fit_rules(read_config(files["config"]), runs, people)
        except UserError:  # told with the files that stay, by the check of them
            return first
        rules = replace(rules, dropped=first.rules.dropped, placed=first.rules.placed)
        return replace(first, rules=rules, truth=None if list_truth_problems(config) else first.truth)


def _write(first: FirstConfig, files: dict[str, Path], base: Path | None) -> None:
    texts = {
        "config": write_config_text(first, base, files),
        "rois": write_rois_text(first),
        "claims": write_claims_text(first),
    }
    if first.tables is None and first.images is not None:
        texts["participants"] = write_people_of(first.images)
    for name, path in files.items():
        if texts.get(name):
            write_text(path, texts[name])


def _describe(files: dict[str, Path], check: Sequence[str]) -> list[str]:
    asked = {
        name: path.read_text(encoding="utf-8").count("# ?") for name, path in files.items() if path.exists()
    }
    written = ", ".join(f"{show_path(files[name])} ({n} open)" for name, n in asked.items())
    config = show_path(files["config"])
    return [
        f"written: {written}; '# ?' marks what only you can say",
        *(line for line in check if line.startswith(_TOLD)),
        f"next: edit them, rsconn check {config}, rsconn run {config}",
    ]


# What the check says of everyone and of each run is for the check.
_TOLD = ("problem:", "warning:", "ready:")
