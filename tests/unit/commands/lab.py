"""A made-up lab, as labs are: raw data with nested derivatives, two sessions, a questionnaire with ids of its own.

One id is misspelt, one image is cut short, one person moves a lot. Everything is drawn at random.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel as nib
import numpy as np

PEOPLE = [f"CTL{number:02d}" for number in range(1, 7)] + [f"PAT{number:02d}" for number in range(1, 7)]
CUT, MOVER, MISSPELT = ("CTL02", "02"), "PAT03", "PAT06"
SESSIONS = ("01", "02")
N_VOLUMES, T_R = 180, 2.0
SHAPE, VOXEL_MM = (17, 20, 17), 12.0
AFFINE = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
AFFINE[:3, 3] = (-96.0, -132.0, -78.0)


def make_lab(folder: Path, *, sessions: tuple[str, ...] = SESSIONS, seed: int = 1) -> Path:
    """Write ``bids/`` with ``derivatives/fmriprep``, and ``pheno/iri.tsv``; return the folder."""
    rng = np.random.default_rng(seed)
    bids, derivatives = folder / "bids", folder / "bids" / "derivatives" / "fmriprep"
    made_by = {"Name": "fMRIPrep", "Version": "23.2.0"}
    _write_json(bids / "dataset_description.json", {"Name": "A lab", "BIDSVersion": "1.8.0"})
    _write_json(
        derivatives / "dataset_description.json",
        {"Name": "fMRIPrep", "BIDSVersion": "1.4.0", "DatasetType": "derivative", "GeneratedBy": [made_by]},
    )
    _write_tables(folder, rng)
    for person in PEOPLE:
        for session in sessions:
            raw = bids / f"sub-{person}" / f"ses-{session}" / "func"
            _write_image(raw / f"sub-{person}_ses-{session}_task-resting_bold.nii.gz", np.zeros((2, 2, 2, 3)))
            _write_run(derivatives, person, session, rng)
    return folder


def _write_tables(folder: Path, rng: np.random.Generator) -> None:
    rows = ["participant_id\tgroup\tsex\tage\tsite"]
    items = ["\t".join(["ID", *(f"IRI_{number}" for number in range(1, 29))])]
    for number, person in enumerate(PEOPLE):
        group = "Patient" if person.startswith("PAT") else "Control"
        sex = "female" if number % 2 else "male"
        rows.append(f"sub-{person}\t{group}\t{sex}\t{rng.integers(20, 60)}\t{1 + (number // 2) % 2}")
        letters, digits = person[:3], person[3:]
        spelt = f"{letters}-{digits}" if letters == "PAT" else f"{letters.lower()}-{digits}"
        spelt = "PTA-06" if person == MISSPELT else spelt
        items.append("\t".join([spelt, *map(str, rng.integers(0, 5, 28))]))
    (folder / "bids").mkdir(parents=True, exist_ok=True)
    (folder / "pheno").mkdir(exist_ok=True)
    (folder / "bids" / "participants.tsv").write_text("\n".join(rows) + "\n")
    (folder / "pheno" / "iri.tsv").write_text("\n".join(items) + "\n")


def _write_run(derivatives: Path, person: str, session: str, rng: np.random.Generator) -> None:
    func = derivatives / f"sub-{person}" / f"ses-{session}" / "func"
    run = f"sub-{person}_ses-{session}_task-resting"
    for space in ("space-MNI152NLin2009cAsym_res-2", "space-T1w"):
        brain = _make_brain()
        small = SHAPE if "MNI" in space else (4, 4, 4)
        mask = brain if "MNI" in space else np.ones(small, dtype=np.uint8)
        volumes = np.where(mask[..., None] > 0, rng.normal(1000, 10, (*small, N_VOLUMES)), 0).astype(np.int16)
        image = func / f"{run}_{space}_desc-preproc_bold.nii.gz"
        _write_image(image, volumes)
        _write_image(func / f"{run}_{space}_desc-brain_mask.nii.gz", mask)
        _write_json(
            func / f"{run}_{space}_desc-preproc_bold.json", {"RepetitionTime": T_R, "TaskName": "resting"}
        )
        if (person, session) == CUT and "MNI" in space:
            image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    _write_confounds(func / f"{run}_desc-confounds_timeseries", moves=person == MOVER, rng=rng)


def _make_brain() -> np.ndarray:
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1)
    center_mm = grid @ AFFINE[:3, :3] + AFFINE[:3, 3]
    inside = (((center_mm - (0, -18, 8)) / (72, 90, 70)) ** 2).sum(axis=-1) <= 1
    return inside.astype(np.uint8)


def _write_confounds(stem: Path, *, moves: bool, rng: np.random.Generator) -> None:
    columns: dict[str, np.ndarray] = {}
    for name in ("csf", "white_matter", "global_signal"):
        columns[name] = rng.normal(500, 5, N_VOLUMES)
    columns["std_dvars"] = np.concatenate([[np.nan], rng.normal(1, 0.1, N_VOLUMES - 1)])
    fd = np.abs(rng.normal(0.9 if moves else 0.12, 0.05, N_VOLUMES - 1))
    columns["framewise_displacement"] = np.concatenate([[np.nan], fd])
    metadata = {}
    for number in range(24):
        columns[f"a_comp_cor_{number:02d}"] = rng.normal(0, 1, N_VOLUMES)
        metadata[f"a_comp_cor_{number:02d}"] = {
            "Mask": ("CSF", "WM", "combined")[number // 8],
            "Method": "aCompCor",
            "Retained": True,
            "SingularValue": 20.0 - number % 8,
            "VarianceExplained": 0.1,
        }
    for number in range(5):
        columns[f"cosine{number:02d}"] = np.cos(
            np.pi * (number + 1) * (np.arange(N_VOLUMES) + 0.5) / N_VOLUMES
        )
    for name in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z"):
        values = rng.normal(0, 0.02, N_VOLUMES)
        slope = np.concatenate([[np.nan], np.diff(values)])
        columns |= {name: values, f"{name}_derivative1": slope, f"{name}_power2": values**2}
        columns[f"{name}_derivative1_power2"] = slope**2
    cells = [
        ["n/a" if np.isnan(value) else f"{value:.6f}" for value in values] for values in columns.values()
    ]
    lines = ["\t".join(columns), *("\t".join(row) for row in zip(*cells, strict=True))]
    stem.with_suffix(".tsv").write_text("\n".join(lines) + "\n")
    _write_json(stem.with_suffix(".json"), metadata)


def _write_image(path: Path, data: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data.astype(np.int16 if data.ndim == 4 else np.uint8), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header["pixdim"][4] = T_R
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 1)
    path.write_bytes(gzip.compress(image.to_bytes(), 1))


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1))
