"""Null cohorts from images on: simulate, extract, denoise, connect, cohort, evaluate; all but Snakemake."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from calibration.tallies import Tally, tabulate
from rsconn.files.tables import MISSING, write_tsv
from rsconn.files.writing import write_json
from rsconn.naming import format_name
from rsconn.rules.cohort import gather_cohort
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.plan import WorkflowPlan, find_config_runs
from rsconn.settings.config import parse_config
from rsconn.settings.fields import find_house
from rsconn.simulate.anatomy import Anatomy, make_anatomy
from rsconn.simulate.confound_table import compute_confounds
from rsconn.simulate.simulated_dataset import SLOPE, SPACE, write_bold, write_mask
from rsconn.simulate.simulated_runs import T_R, simulate_run
from rsconn.simulate.simulated_study import Study, draw_study, make_participants
from rsconn.study.claims.evaluation import Evaluation, evaluate_claims
from rsconn.study.people.cohort_table import read_cohort

CHUNK = 2
VOXEL_MM = 8.0
N_VOLUMES = 150  # at 2 s: about 26 degrees of freedom are left by the study's denoising
N_PEOPLE = (18, 18)
N_COMPONENTS = 5  # per tissue, as the denoising reads
SCRATCH_BYTES = 2_000_000_000
# The columns that denoising and censoring read; the others cost half of the time.
_READ = re.compile(
    r"(trans|rot)_[xyz]|a_comp_cor_\d+|framewise_displacement|(std_)?dvars|non_steady_state_.*"
)


def evaluate_images(numbers: Sequence[int]) -> Tally:
    """Evaluate null studies of these numbers, each in a folder of its own that is then removed."""
    evaluations = []
    for number in numbers:
        with (
            tempfile.TemporaryDirectory(prefix="rsconn-calibrate-", dir=_find_scratch()) as folder,
            contextlib.chdir(folder),
        ):
            evaluations.append(_evaluate_study(Path(folder), number))
    return tabulate(evaluations)


def _find_scratch() -> str | None:
    """Return a folder in memory if there is one with room: a disk costs a fifth of the time."""
    memory = Path("/dev/shm")  # noqa: S108 - a place for temporary folders, like any other
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > SCRATCH_BYTES
    return str(memory) if roomy else None


def _evaluate_study(folder: Path, number: int) -> Evaluation:
    study = draw_study(
        seed=1_000_000 + number, effect=0.0, n_volumes=N_VOLUMES, n_scored=N_PEOPLE, n_scanned=N_PEOPLE,
        problems=False,
    )  # fmt: skip
    write_study(folder / "study", study)
    config_file = write_config(folder)
    config = parse_config(json.loads(config_file.read_text()), config_file, launched=folder)
    plan = WorkflowPlan(config, find_config_runs(config))
    records = []
    for batch in plan.batches:
        stages = {stage: Path("work", stage, f"{batch}.json") for stage in ("extract", "denoise", "connect")}
        runs = plan.batches[batch]
        extract(stages["extract"], runs=runs, job=plan.extract_job)
        denoise(stages["denoise"], before=[stages["extract"]], runs=runs, job=plan.denoise_job)
        connect(stages["connect"], before=stages["denoise"], job=plan.connect_job)
        records.append(stages["connect"])
    gather_cohort(records, settings=config)
    return evaluate_claims(read_cohort(Path("group", "cohort.tsv")), config, describe=False)


@cache
def _get_anatomy() -> Anatomy:
    """Return the one head that every simulated person shares."""
    return make_anatomy(VOXEL_MM)


def write_study(folder: Path, study: Study) -> None:
    """Write participants and images as the simulated dataset has them, compressed fast, fewer confounds."""
    write_tsv(folder / "participants.tsv", make_participants(study))
    derivatives = folder / "derivatives" / "fmriprep"
    made_by = [{"Name": "rsconn simulate"}]
    write_json(derivatives / "dataset_description.json", {"Name": "SIMULATED", "GeneratedBy": made_by})
    for number, name in enumerate(study.people.participant_id):
        _write_person(
            derivatives / name / "func", name, study, np.random.default_rng([study.seed, 2, number])
        )


def _write_person(folder: Path, name: str, study: Study, rng: np.random.Generator) -> None:
    anatomy = _get_anatomy()
    run = simulate_run(study.runs[name], anatomy, study.plan.edges, rng=rng)
    table = compute_confounds(run, anatomy, n_components=N_COMPONENTS)
    entities = {"sub": name.removeprefix("sub-"), "task": "rest"}
    bold = format_name({**entities, "space": SPACE, "desc": "preproc"}, "bold", "")
    mask = format_name({**entities, "space": SPACE, "desc": "brain"}, "mask", "")
    confounds = format_name({**entities, "desc": "confounds"}, "timeseries", "")
    write_bold(folder / f"{bold}.nii.gz", run.image, anatomy, t_r=T_R, slope=SLOPE)
    write_mask(folder / f"{mask}.nii.gz", run.mask, anatomy)
    write_json(folder / f"{bold}.json", {"RepetitionTime": T_R})
    columns = {key: values for key, values in table.columns.items() if _READ.fullmatch(key)}
    cells = [[MISSING if np.isnan(x) else f"{x:.7g}" for x in values.tolist()] for values in columns.values()]
    rows = ["\t".join(row) for row in (columns, *zip(*cells, strict=True))]
    (folder / f"{confounds}.tsv").write_text("\n".join(rows) + "\n")
    write_json(folder / f"{confounds}.json", dict(table.metadata))


def write_config(folder: Path) -> Path:
    """Write the demo's config for the study in this folder (JSON is YAML), paths made absolute."""
    house = find_house()
    content = _read_demo_config(house)
    content["input"]["derivatives"] = str(folder / "study" / "derivatives" / "fmriprep")
    content["input"]["participants"] = str(folder / "study" / "participants.tsv")
    content["output_dir"] = str(folder)
    for key in ("rois", "claims"):
        content[key] = str(house / content[key])
    content["inference"]["n_permutations"] = 0
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return path


def _read_demo_config(house: Path) -> dict:
    return yaml.safe_load((house / "config" / "config.yaml").read_text())
