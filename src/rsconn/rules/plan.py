"""What there is to do, worked out once from the config: runs, batches, the values each rule depends on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from rsconn.errors import SettingsError
from rsconn.files.bids import Run, find_parcellated_runs, find_runs
from rsconn.files.images import is_dense_series
from rsconn.files.writing import FILE_LISTS
from rsconn.provenance import compute_code_digest
from rsconn.rules.jobs import (
    JOBS,
    make_connect_job,
    make_denoise_job,
    make_extract_job,
    make_seedmap_job,
)
from rsconn.rules.run_jobs import ConnectJob, DenoiseJob, ExtractJob, SeedmapJob
from rsconn.settings.config import Config, read_config
from rsconn.settings.fields import find_house, read_yaml, show_path
from rsconn.settings.problems import raise_problems, suggest
from rsconn.study.people.participants import list_table_ids

Listed = TypeVar("Listed")
# Where plain `snakemake` was started; jobs on other machines start elsewhere and inherit the variable.
LAUNCH_FOLDER = "RSCONN_LAUNCH_FOLDER"
# Where the results go instead of the config's output_dir: `rsconn verify` computes them again elsewhere.
OTHER_OUTPUT = "RSCONN_OUTPUT_DIR"
# The results that those stand for, whose links to their datasets they have.
LINKED_FROM = "RSCONN_LINKED_FROM"
COHORT_TABLES = ("cohort", "edges", "exclusions", "flow", "quality", "coverage", "scores", "predicted")
# Each step's function, from which its code is followed.
STEPS = {
    "extract": "extract",
    "seedmap": "make_seedmaps",
    "denoise": "denoise",
    "connect": "connect",
    "cohort": "gather_cohort",
    "matrices": "compare_matrices",
    "infer": "infer",
    "multiverse": "run_multiverse",
    "maps": "make_group_maps",
    "report": "write_report",
}
# What a step depends on by its job, not by its code, and what only words the refusal of a setting.
CONFIG_READERS = (
    "rsconn.settings.config.read_config",
    "rsconn.settings.instruments.read_instrument",
    "rsconn.settings.problems.describe_value",
)
CLAIM_TABLES = ("claims", "claim_flow", "sensitivity")
MULTIVERSE_TABLES = ("multiverse", "multiverse_joint", "multiverse_axes")


@dataclass(frozen=True)
class WorkflowPlan:
    """The config and the runs it selects, in the form that the rules ask for.

    Attributes
    ----------
    config : Config
        Validated settings.
    runs : tuple of Run
        Every run found, in the order of its name.
    """

    config: Config
    runs: tuple[Run, ...]

    cohort_tables = COHORT_TABLES
    claim_tables = CLAIM_TABLES

    @property
    def multiverse_tables(self) -> tuple[str, ...]:
        """Tables of the multiverse; none where nothing was asked for."""
        return MULTIVERSE_TABLES if self.config.multiverse is not None else ()

    @property
    def group_tables(self) -> tuple[str, ...]:
        """Every table that the report reads."""
        return (*COHORT_TABLES, *CLAIM_TABLES, *self.multiverse_tables)

    @property
    def output_dir(self) -> str:
        """Absolute folder of the results."""
        return str(self.config.output_dir)

    @property
    def config_file(self) -> str:
        """Absolute path of the config."""
        return str(self.config.path)

    @property
    def parcellated(self) -> bool:
        """Whether the dataset holds ROI series already, so nothing is extracted."""
        return bool(self.config.input.parcellated)

    @property
    def dense(self) -> bool:
        """Whether the images are dense series (CIFTI), of which no group maps are made."""
        return has_dense(self.runs)

    @cached_property
    def batches(self) -> dict[str, tuple[Run, ...]]:
        """Batch name to runs; the people of one batch share one job."""
        size = self.config.batch_size
        groups = [self.runs[start : start + size] for start in range(0, len(self.runs), size)]
        return {f"batch-{number:03d}": group for number, group in enumerate(groups, start=1)}

    @property
    def people_of_batches(self) -> dict[str, int]:
        """Batch name to how many people come with it; whoever is in several counts in the first."""
        counts, seen = dict[str, int](), set[str]()
        for name, runs in self.batches.items():
            people = {run.participant_id for run in runs}
            counts[name] = len(people - seen)
            seen |= people
        return counts

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures."""
        from rsconn.report.figures.catalogue import FIGURE_NAMES

        return tuple(FIGURE_NAMES)

    @property
    def matrix_files(self) -> list[str]:
        """The table of claims on many edges, which infer passes on; none without such claims."""
        return ["group/edge_claims.tsv"] if self.config.edge_claims else []

    @property
    def map_figures(self) -> list[str]:
        """The table that lists the pictures of the seeds' maps; none without group maps."""
        return ["figures/map_models.tsv"] if self.map_files else []

    def list_all(self, list_one: Callable[[str], Sequence[Listed]]) -> list[Listed]:
        """Return what each batch has of something, as one list."""
        return [each for batch in self.batches for each in list_one(batch)]

    def list_image_files(self, batch: str) -> list[str]:
        """Return the images, masks and ROI files that a batch reads."""
        files = [path for run in self.batches[batch] for path in (run.bold, run.mask) if path]
        return [str(path) for path in (*files, *list_roi_files(self.config))]

    def list_extract_records(self, batch: str) -> list[str]:
        """Return the record that denoising waits for; none if the dataset is parcellated.

        With seeds, `seedmap` stands in for `extract`: its one pass over the images makes the ROI series as well.
        """
        if self.parcellated:
            return []
        return [f"work/{'seedmap' if self.config.seeds else 'extract'}/{batch}.json"]

    def list_extract_lists(self, batch: str) -> list[str]:
        """Return the list of the files that extraction wrote for a batch; none if the dataset is parcellated."""
        return [name_file_list(record) for record in self.list_extract_records(batch)]

    @property
    def file_lists(self) -> list[str]:
        """Every job's list of the files that it wrote."""
        records = [
            record
            for batch in self.batches
            for record in (
                *self.list_extract_records(batch),
                f"work/denoise/{batch}.json",
                f"work/connect/{batch}.json",
            )
        ]
        matrices = ("matrices",) if self.config.edge_claims else ()
        multiverse = ("multiverse",) if self.multiverse_tables else ()
        steps = ("cohort", *matrices, "infer", *multiverse, "report")
        group = [str(FILE_LISTS / f"{step}.json") for step in steps]
        return [*map(name_file_list, records), *self.map_lists, *group]

    def list_confound_files(self, batch: str) -> list[str]:
        """Return the confounds, sidecars and given ROI series that a batch reads."""
        files = [
            path
            for run in self.batches[batch]
            for path in (run.confounds, run.confounds_json, run.timeseries)
            if path
        ]
        return [str(path) for path in files]

    @property
    def table_files(self) -> list[str]:
        """Participants and phenotype tables."""
        return [str(path) for path in self.config.input.tables]

    @property
    def extract_job(self) -> ExtractJob:
        """What extraction depends on."""
        return make_extract_job(self.config)

    @property
    def seedmap_job(self) -> SeedmapJob:
        """What the pass for ROI series and the seeds' maps depends on."""
        return make_seedmap_job(self.config)

    @property
    def denoise_job(self) -> DenoiseJob:
        """What denoising depends on."""
        return make_denoise_job(self.config)

    @property
    def connect_job(self) -> ConnectJob:
        """What connectivity depends on."""
        return make_connect_job(self.config)

    def make_job(self, step: str) -> dict[str, Any]:
        """Return the options that a step reads, and no others, as plain values."""
        return JOBS[step](self.config).to_params()

    @property
    def map_files(self) -> list[str]:
        """What says that a seed's group maps are done: its models."""
        if self.dense:
            return []
        return [f"group/maps/{seed}_models.json" for seed in self.config.seeds]

    @property
    def map_lists(self) -> list[str]:
        """The lists of the files that belong to the seeds' group maps."""
        return [str(FILE_LISTS / "maps" / f"{seed}.json") for seed in self.config.seeds if self.map_files]

    def digest_code(self, step: str) -> str:
        """Digest the code behind a step, so that an edit reruns what uses it.

        Reading the config is not followed: what the step reads of it stands in the step's parameters.
        """
        return compute_code_digest(f"rsconn.rules.{step}.{STEPS[step]}", beyond=CONFIG_READERS)


def name_file_list(record: str) -> str:
    """Return the list of files that belongs to a batch's record.

    Examples
    --------
    >>> name_file_list("work/denoise/batch-001.json")
    'work/files/denoise/batch-001.json'
    """
    return str(FILE_LISTS / Path(record).relative_to(FILE_LISTS.parent))


def plan_workflow(config_files: Sequence[Path]) -> WorkflowPlan:
    """Read the one config and find its runs.

    Parameters
    ----------
    config_files : sequence of Path
        What ``--configfile`` named; empty for the demo study.

    Raises
    ------
    SettingsError
        If more than one config is named: two are never merged, because what was done must stand in one file; or
        dense series are to be smoothed.
    UserError
        If the config or the dataset cannot be used.
    """
    if len(config_files) > 1:
        names = ", ".join(str(path) for path in config_files)
        raise SettingsError(f"--configfile: {len(config_files)} files named ({names}); one was needed")
    launched = Path(os.environ.setdefault(LAUNCH_FOLDER, str(Path.cwd())))
    path = Path(config_files[0]) if config_files else find_house() / "config" / "config.yaml"
    with contextlib.chdir(launched):  # output_dir is relative to where the user stood
        config = read_config(launched / path)
    if other := os.environ.get(OTHER_OUTPUT):
        config = config.model_copy(update={"output_dir": Path(other)})
    runs = find_config_runs(config)
    if problems := [*list_dense_problems(config, runs), *list_session_problems(config, runs)]:
        raise_problems(problems)
    return WorkflowPlan(config, runs)


def find_config_runs(config: Config) -> tuple[Run, ...]:
    """Find the runs that a config's filters select, whichever door they come in by; none if there is no door."""
    if not config.input.has_runs:
        return ()
    find: Callable[..., tuple[Run, ...]] = find_parcellated_runs if config.input.parcellated else find_runs
    runs = find(
        config.input.folders,
        config.input.filters,
        prefixes=config.input.prefixes,
        names=config.input.sites,
    )
    return drop_excluded(runs, config)


def drop_excluded(runs: Sequence[Run], config: Config) -> tuple[Run, ...]:
    """Leave out the runs that the config excludes by hand.

    Raises
    ------
    SettingsError
        If `exclude` names a person who has no run and is in no table, or a session or run that is not there.
    """
    excluded = {key: [run for run in runs if _is_part(key, run)] for key in config.exclude}
    for key, found in excluded.items():
        if not found:
            _check_in_tables(key, runs, config)
    left_out = {run.name for found in excluded.values() for run in found}
    return tuple(run for run in runs if run.name not in left_out)


def _is_part(key: str, run: Run) -> bool:
    person, *others = key.split("_")
    return person == run.participant_id and all(part in run.name.split("_") for part in others)


def _check_in_tables(key: str, runs: Sequence[Run], config: Config) -> None:
    known = {run.name for run in runs} if "_" in key else {run.participant_id for run in runs}
    if "_" not in key:
        known |= {person for people in list_table_ids(config.input).values() for person in people}
        if key in known:
            return
    raise SettingsError(
        f"{show_path(config.path)}: exclude: {key!r} is nobody with images or in the tables; {suggest(key, known)}"
    )


def list_roi_files(config: Config) -> list[Path]:
    """Return the mask, atlas, label, map and surface files of the ROI set, each once."""
    surfaces = config.rois.surfaces
    files = dict.fromkeys((surfaces.left, surfaces.right) if surfaces else ())
    for roi in (*config.rois.rois, *config.rois.alternatives):
        if roi.mask:
            files[roi.mask] = None
        if roi.atlas:
            files.update(dict.fromkeys(path for path in (roi.atlas.image, roi.atlas.labels_tsv) if path))
        if roi.map:
            files[roi.map.image] = None
    return list(files)


def has_dense(runs: Sequence[Run]) -> bool:
    """Say whether some of the runs are dense series (CIFTI)."""
    return any(is_dense_series(run.bold) for run in runs)


def describe_dense(config: Config, runs: Sequence[Run]) -> list[str]:
    """Return a line on the seeds' maps of dense series, which are not compared; none for volumes or without seeds."""
    if not config.seeds or not has_dense(runs):
        return []
    line = (
        "seeds: dense series (CIFTI) get a map per run and seed (*_boldmap.dscalar.nii); group maps of grayordinates "
        "are not made"
    )
    return [line]


def list_session_problems(config: Config, runs: Sequence[Run]) -> list[str]:
    """Return a line if somebody has several sessions and the config does not say what becomes of them."""
    sessions: dict[str, set[str]] = {}
    for run in runs:
        if run.session is not None:
            sessions.setdefault(run.participant_id, set()).add(run.session)
    several = {person: found for person, found in sessions.items() if len(found) > 1}
    if not several or "sessions" in (read_yaml(config.path) or {}):
        return []
    person, found = min(several.items())
    line = (
        f"{show_path(config.path)}: sessions: not set, and {len(several)} people have several ({person}: "
        f"{', '.join(sorted(found))}); combine (one value per person) or separate needed, or one session by "
        f"input.filters: {{ses: {min(found)}}}"
    )
    return [line]


def list_dense_problems(config: Config, runs: Sequence[Run]) -> list[str]:
    """Return a line for everything asked for that is not done with dense series (CIFTI); none for volumes."""
    n_dense = sum(is_dense_series(run.bold) for run in runs)
    if not n_dense:
        return []
    asked = {
        "denoising.smoothing_fwhm_mm": config.denoising.smoothing_fwhm_mm,
        "maps.smoothing_fwhm_mm": config.maps.smoothing_fwhm_mm if config.seeds else 0.0,
        "variants.smoothing_fwhm_mm": max(row.smoothing_fwhm_mm for row in config.rois.list_rows()),
        "multiverse.smoothing_fwhm_mm": max(config.multiverse.smoothing_fwhm_mm, default=0.0)
        if config.multiverse
        else 0.0,
    }
    problems = [
        f"{show_path(config.path)}: {option}: {fwhm:g} mm found; dense series (CIFTI) are not smoothed here, 0 needed"
        for option, fwhm in asked.items()
        if fwhm
    ]
    if n_dense < len(runs):
        problems.append(
            f"{show_path(config.path)}: {n_dense} of {len(runs)} runs are dense series (CIFTI), the others volumes; "
            "one kind is needed, name its space in input.filters"
        )
    return problems
