"""Studies of series and of tiny images that take no time: every file and option of them can be spoiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

ROIS = ("A", "B", "C")
CLAIMS = """- {id: F1, family: f, text: Patients differ in A-B., source: made, outcome: A-B, expect: different,
   contrast: {column: group, a: pat, b: con}}
"""
CONFIG = """input:
  parcellated: given
  denoised: true
  participants: participants.tsv
  filters: {task: rest}
%(input)soutput_dir: out
rois: rois.yaml
edges: [A-B, A-C]
groups: {column: group, levels: {pat: pat, con: con}}
claims: claims.yaml
covariates: {edge: %(covariates)s, score: []}
inference: {n_permutations: 100}
%(extra)s"""


def write_table(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    rows = ["\t".join(columns), *("\t".join(row) for row in zip(*columns.values(), strict=True))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_series(path: Path, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((60, len(ROIS)))
    write_table(
        path, {name: [f"{v:.6f}" for v in column] for name, column in zip(ROIS, values.T, strict=True)}
    )


def make_small_study(
    folder: Path,
    *,
    n: int = 20,
    ids: Sequence[str] | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    sessions: Sequence[str] = (),
    **texts: str,
) -> Path:
    """Write n people with one series each (and session), half of them patients; return the config's path."""
    for index in range(n):
        subject = f"sub-{index + 1:02d}"
        for number, session in enumerate(sessions or ("",)):
            label = f"_ses-{session}" if session else ""
            path = folder / "given" / subject / label.strip("_") / "func"
            write_series(path / f"{subject}{label}_task-rest_timeseries.tsv", index + 100 * number)
    known = list(ids or (f"sub-{index + 1:02d}" for index in range(n)))
    groups = ["pat" if index % 2 else "con" for index in range(len(known))]
    write_table(folder / "participants.tsv", {"participant_id": known, "group": groups} | dict(columns or {}))
    (folder / "rois.yaml").write_text(
        "rois:\n" + "".join(f"  - {{name: {name}, source: made, column: {name}}}\n" for name in ROIS)
    )
    (folder / "claims.yaml").write_text(texts.pop("claims", CLAIMS))
    config = folder / "config.yaml"
    config.write_text(CONFIG % ({"input": "", "covariates": "[]", "extra": ""} | texts))
    return config


@pytest.fixture
def make_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return `make_small_study` for a folder of the test's own, which is the working directory too."""
    monkeypatch.chdir(tmp_path)
    return lambda **options: make_small_study(tmp_path, **options)


IMAGES = """input:
  derivatives: deriv
  participants: participants.tsv
  filters: %(filters)s
%(input)soutput_dir: out
rois: rois.yaml
edges: [A-B, A-C]
denoising: {strategy: motion6, high_pass_hz: null, low_pass_hz: null}
censoring: {fd_threshold_mm: 0.5, min_retained_minutes: 1, min_degrees_of_freedom: 10, max_share_lost: %(limit)s}
groups: {column: group, levels: {pat: pat, con: con}}
claims: claims.yaml
covariates: {edge: [], score: []}
inference: {n_permutations: 100}
%(extra)s"""
SPACE = "MNI152NLin2009cAsym"
SHAPE, AFFINE = (6, 6, 6), np.array([[10.0, 0, 0, -25], [0, 10, 0, -25], [0, 0, 10, -25], [0, 0, 0, 1]])
CORNERS = {"A": (1, 1, 1), "B": (3, 3, 3), "C": (4, 1, 4)}


def make_cube(name: str) -> np.ndarray:
    """Return a ROI of 2 x 2 x 2 voxels."""
    cube = np.zeros(SHAPE, np.uint8)
    x, y, z = CORNERS[name]
    cube[x : x + 2, y : y + 2, z : z + 2] = 1
    return cube


def save_image(path: Path, data: np.ndarray, t_r: float = 2.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header["pixdim"][4] = t_r
    nib.save(image, path)


def write_confounds(path: Path, seed: int, n_volumes: int, fd: float = 0.1) -> None:
    rng = np.random.default_rng(seed)
    motion = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
    columns = {name: [f"{v:.6f}" for v in 0.05 * rng.standard_normal(n_volumes)] for name in motion}
    displaced = np.abs(fd + 0.02 * rng.standard_normal(n_volumes))
    write_table(path, columns | {"framewise_displacement": ["n/a", *(f"{v:.6f}" for v in displaced[1:])]})


@dataclass(frozen=True)
class RunFiles:
    """Paths of one made run."""

    bold: Path
    mask: Path
    confounds: Path


def write_run(
    derivatives: Path,
    subject: str,
    seed: int,
    *,
    names: str = "task-rest",
    n_volumes: int = 60,
    space: str = SPACE,
) -> RunFiles:
    """Write a run whose regions share a signal."""
    rng = np.random.default_rng(seed)
    data = 1000 + 5 * rng.standard_normal((*SHAPE, n_volumes))
    shared = rng.standard_normal(n_volumes)
    for name in CORNERS:
        data[make_cube(name) > 0] += 20 * (shared + rng.standard_normal(n_volumes))
    folder = derivatives / f"sub-{subject}" / "func"
    stem, where = f"sub-{subject}_{names}", f"_space-{space}" if space else ""
    bold = folder / f"{stem}{where}_desc-preproc_bold.nii.gz"
    files = RunFiles(
        bold,
        folder / f"{stem}{where}_desc-brain_mask.nii.gz",
        folder / f"{stem}_desc-confounds_timeseries.tsv",
    )
    save_image(bold, data.astype(np.float32))
    bold.with_name(bold.name.replace(".nii.gz", ".json")).write_text('{"RepetitionTime": 2.0}')
    save_image(files.mask, np.ones(SHAPE, np.uint8))
    write_confounds(files.confounds, seed, n_volumes)
    return files


def make_small_images(folder: Path, *, n: int = 4, limit: float = 0.5, **texts: str) -> list[RunFiles]:
    """Write n people with one tiny image each, half of them patients; return their files."""
    folder.mkdir(parents=True, exist_ok=True)
    subjects = [f"{index + 1:02d}" for index in range(n)]
    files = [write_run(folder / "deriv", subject, seed) for seed, subject in enumerate(subjects)]
    (folder / "deriv/dataset_description.json").write_text(
        '{"Name": "made", "BIDSVersion": "1.8.0", "GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.1.0"}]}'
    )
    groups = ["pat" if index % 2 else "con" for index in range(n)]
    write_table(
        folder / "participants.tsv",
        {"participant_id": [f"sub-{subject}" for subject in subjects], "group": groups},
    )
    for name in CORNERS:
        save_image(folder / f"roi_{name}.nii.gz", make_cube(name))
    masks = "".join(f"  - {{name: {name}, source: made, mask: roi_{name}.nii.gz}}\n" for name in CORNERS)
    (folder / "rois.yaml").write_text(texts.pop("rois", f"name: Lab\nspace: {SPACE}\nrois:\n{masks}"))
    (folder / "claims.yaml").write_text(CLAIMS)
    filled = {
        "filters": f"{{task: rest, space: {SPACE}}}",
        "input": "",
        "extra": "",
        "limit": str(limit),
    } | texts
    (folder / "config.yaml").write_text(IMAGES % filled)
    return files


@pytest.fixture
def make_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[RunFiles]]:
    """Return `make_small_images` for a folder of the test's own, which is the working directory too."""
    monkeypatch.chdir(tmp_path)
    return lambda **options: make_small_images(tmp_path, **options)
