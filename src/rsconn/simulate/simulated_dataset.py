"""Write a whole simulated study: participants, fMRIPrep-shaped images, and the truth beside them."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from isal import igzip
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import rsconn
from rsconn.files.tables import MISSING, write_tsv
from rsconn.files.writing import replace_file, write_json, write_text
from rsconn.naming import format_name
from rsconn.simulate.anatomy import Anatomy, make_anatomy
from rsconn.simulate.confound_table import ConfoundTable, compute_confounds
from rsconn.simulate.simulated_runs import T_R, simulate_run
from rsconn.simulate.simulated_study import (
    N_SCANNED,
    N_SCORED,
    N_VOLUMES,
    NOTICE,
    SEED,
    Study,
    describe_truth,
    draw_study,
    make_participants,
)

SLOPE = 25.0  # image units per stored step: half the thermal SD, so rounding adds 2 % to its variance
COARSE_MM = 6.0  # from here on images are test data: small files count more than fine steps
SPACE = "MNI152NLin2009cAsym"


def simulate_study(
    folder: Path,
    *,
    seed: int = SEED,
    null: bool = False,
    effect: float = 1.0,
    voxel_mm: float = 3.0,
    n_volumes: int = N_VOLUMES,
    n_scored: tuple[int, int] = N_SCORED,
    n_scanned: tuple[int, int] = N_SCANNED,
    problems: bool = True,
    n_jobs: int = 2,
) -> Path:
    """Write a simulated dataset with known truth; the demo analyses it.

    ``participants.tsv`` has raw answers to every item; ``derivatives/fmriprep`` has the images, masks and
    confounds of the scanned people; ``truth.json`` has what was planted, and the analysis never reads it. Equal
    arguments give equal files, whatever `n_jobs`.

    Parameters
    ----------
    folder : Path
        Made if need be; files of the same names are replaced.
    seed : int
    null : bool
        True plants no difference and no association at all (equivalence is then true everywhere).
    effect : float
        Multiplies every planted difference and association.
    voxel_mm : float
        3 gives the 65 x 77 x 65 grid; 8 to 12 give tiny images for tests.
    n_volumes : int
        At a repetition time of 2 s.
    n_scored, n_scanned : (int, int)
        Therapists and controls with scores; with images.
    problems : bool
        True gives some people what real studies have: motion, a short run, drop-out, missing answers.
    n_jobs : int
        Threads; people are independent.

    Returns
    -------
    Path
        `folder`.
    """
    study = draw_study(
        seed=seed,
        effect=0.0 if null else effect,
        n_volumes=n_volumes,
        n_scored=n_scored,
        n_scanned=n_scanned,
        problems=problems,
    )
    anatomy = make_anatomy(voxel_mm)
    _write_tables(folder, study)
    derivatives = folder / "derivatives" / "fmriprep"
    _write_descriptions(folder, derivatives)

    def write(participant_id: str) -> None:
        _write_person(derivatives, participant_id, study, anatomy, voxel_mm)

    with threadpool_limits(1), ThreadPoolExecutor(n_jobs) as pool:
        list(pool.map(write, study.runs))
    write_json(folder / "truth.json", describe_truth(study))
    return folder


def simulate_tiny_study(
    folder: Path, *, seed: int = SEED, null: bool = False, problems: bool = False, n_jobs: int = 2
) -> Path:
    """Write a study of 20 people, 12 of them scanned, with 12 mm voxels and 60 volumes: 1 MB, for tests."""
    return simulate_study(
        folder,
        seed=seed,
        null=null,
        voxel_mm=12.0,
        n_volumes=60,
        n_scored=(10, 10),
        n_scanned=(6, 6),
        problems=problems,
        n_jobs=n_jobs,
    )


def _write_tables(folder: Path, study: Study) -> None:
    write_tsv(folder / "participants.tsv", make_participants(study))
    levels = {
        "group": {"therapist": "simulated psychotherapist", "control": "simulated non-psychotherapist"},
        "sex": {"F": "female", "M": "male"},
    }
    sidecar: dict[str, Any] = {
        name: {"Description": NOTICE, "Levels": level} for name, level in levels.items()
    }
    sidecar["age"] = {"Description": NOTICE, "Units": "years"}
    for score in study.plan.scores:
        low, high = score.answer_range
        for item in score.items:
            turned = ", to be reversed when scored" if item in score.reversed_items else ""
            text = f"{score.instrument} item, {score.name} scale, raw answer {low}-{high}{turned}. {NOTICE}"
            sidecar[item] = {"Description": text}
    write_json(folder / "participants.json", sidecar)


def _write_descriptions(folder: Path, derivatives: Path) -> None:
    made_by = {"Name": "rsconn simulate", "Version": rsconn.__version__, "Description": NOTICE}
    common = {"BIDSVersion": "1.9.0", "GeneratedBy": [made_by], "License": "CC0"}
    write_json(
        folder / "dataset_description.json",
        {**common, "Name": "SIMULATED study (rsconn)", "DatasetType": "raw"},
    )
    write_json(
        derivatives / "dataset_description.json",
        {**common, "Name": "SIMULATED fMRIPrep-shaped derivatives (rsconn)", "DatasetType": "derivative"},
    )
    write_text(
        folder / "README", f"{NOTICE}\n\ntruth.json says what was planted; the analysis never reads it.\n"
    )


def _write_person(
    derivatives: Path, participant_id: str, study: Study, anatomy: Anatomy, voxel_mm: float
) -> None:
    number = study.people.participant_id.index(participant_id)
    rng = np.random.default_rng([study.seed, 2, number])
    plan = study.runs[participant_id]
    run = simulate_run(plan, anatomy, study.plan.edges, rng=rng)
    confounds = compute_confounds(run, anatomy, n_components=min(10, plan.n_volumes // 12))
    folder = derivatives / participant_id / "func"
    entities = {"sub": participant_id.removeprefix("sub-"), "task": "rest"}
    in_space = {**entities, "space": SPACE, "res": f"{voxel_mm:g}".replace(".", "p")}
    bold = format_name({**in_space, "desc": "preproc"}, "bold", "")
    mask = format_name({**in_space, "desc": "brain"}, "mask", "")
    small = voxel_mm >= COARSE_MM
    write_bold(
        folder / f"{bold}.nii.gz", run.image, anatomy, t_r=T_R, slope=SLOPE * (5 if small else 1), small=small
    )
    write_mask(folder / f"{mask}.nii.gz", run.mask, anatomy)
    sidecar = {"RepetitionTime": T_R, "SkullStripped": False, "TaskName": "rest", "Simulated": True}
    write_json(folder / f"{bold}.json", sidecar)
    write_json(folder / f"{mask}.json", {"RawSources": [], "Type": "Brain", "Simulated": True})
    _write_confounds(folder / format_name({**entities, "desc": "confounds"}, "timeseries", ""), confounds)


def _write_confounds(stem: Path, confounds: ConfoundTable) -> None:
    cells = {
        name: [MISSING if np.isnan(value) else f"{value:.7g}" for value in values.tolist()]
        for name, values in confounds.columns.items()
    }
    write_tsv(stem.with_name(f"{stem.name}.tsv"), cells)
    write_json(stem.with_name(f"{stem.name}.json"), dict(confounds.metadata))


MNI_CODE = 4  # NIFTI_XFORM_MNI_152


def write_bold(
    path: Path, image: np.ndarray, anatomy: Anatomy, *, t_r: float, slope: float, small: bool = False
) -> None:
    """Write a run as int16 with a slope, zero outside the head.

    Parameters
    ----------
    path : Path
        Ends in ``.nii.gz``.
    image : array (n_volumes, n_voxels)
        Voxels as in `anatomy.voxels`.
    anatomy : Anatomy
    t_r : float
        Repetition time in s.
    slope : float
        Image units per stored step.
    small : bool
        True compresses as well as gzip can, which is slow.
    """
    shape = (*anatomy.shape, len(image))
    header = _make_header(shape, anatomy.affine, np.dtype(np.int16), (*_get_zooms(anatomy.affine), t_r))
    header.set_slope_inter(slope, 0.0)
    _write_compressed(path, header, _store_volumes(image, anatomy, slope), small=small)


def write_mask(path: Path, mask: np.ndarray, anatomy: Anatomy) -> None:
    """Write a binary mask as uint8; `mask` is bool (n_voxels,)."""
    header = _make_header(anatomy.shape, anatomy.affine, np.dtype(np.uint8), _get_zooms(anatomy.affine))
    volume = np.zeros(int(np.prod(anatomy.shape)), dtype=np.uint8)
    volume[anatomy.voxels] = mask
    _write_compressed(path, header, iter([volume]), small=True)


def _store_volumes(image: np.ndarray, anatomy: Anatomy, slope: float) -> Iterator[np.ndarray]:
    volume = np.zeros(int(np.prod(anatomy.shape)), dtype=np.int16)
    limits = np.iinfo(np.int16)
    for row in image:
        volume[anatomy.voxels] = np.clip(np.rint(row / np.float32(slope)), limits.min, limits.max)
        yield volume


def _make_header(
    shape: tuple[int, ...], affine: np.ndarray, dtype: np.dtype, zooms: tuple[float, ...]
) -> nib.Nifti1Header:
    header = nib.Nifti1Header(endianness="<")
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header.set_zooms(zooms)
    header.set_xyzt_units("mm", "sec")
    header.set_qform(affine, code=MNI_CODE)
    header.set_sform(affine, code=MNI_CODE)
    header["descrip"] = b"SIMULATED by rsconn"
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    return header


def _get_zooms(affine: np.ndarray) -> tuple[float, ...]:
    return tuple(float(size) for size in np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))


def _write_compressed(
    path: Path, header: nib.Nifti1Header, volumes: Iterator[np.ndarray], *, small: bool
) -> None:
    # Level 1 of isal is three times faster than zlib-ng's on this data, and the file is smaller.
    writer, level = (gzip.GzipFile, 9) if small else (igzip.IGzipFile, 1)
    with (
        replace_file(path) as temporary,
        temporary.open("wb") as raw,
        # neither a time stamp nor a name in the gzip header: equal data give equal bytes
        writer(filename="", mode="wb", compresslevel=level, fileobj=raw, mtime=0) as stream,
    ):
        stream.write(header.binaryblock + bytes(4))
        for volume in volumes:
            stream.write(volume.data)
