"""Make the images to be read: fMRIPrep's sizes and types, noise that compresses as BOLD does, no data of people."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

GRIDS = {"2mm": ((97, 115, 97), 2.0), "3mm": ((65, 77, 65), 3.0), "tiny": ((24, 29, 24), 8.0)}
ORIGIN_MM = (-96.5, -132.5, -78.5)


@dataclass(frozen=True)
class Sample:
    """One image and what belongs to it: mask, atlases, confounds."""

    folder: Path
    grid: str
    code: str
    n_volumes: int
    t_r: float

    @property
    def run(self) -> Path:
        return self.folder / f"{self.grid}_{self.code}_{self.n_volumes}.nii.gz"

    @property
    def mask(self) -> Path:
        return self.folder / f"{self.grid}_mask.nii.gz"

    @property
    def confounds(self) -> Path:
        return self.folder / f"confounds_{self.n_volumes}.npy"

    @property
    def table(self) -> Path:
        """The same confounds as fMRIPrep would write them."""
        return self.confounds.with_suffix(".tsv")

    @property
    def cache(self) -> Path:
        return self.run.with_name(f"{self.grid}_{self.code}_{self.n_volumes}_in-mask.npy")

    def get_atlas(self, n_labels: int) -> Path:
        return self.folder / f"{self.grid}_atlas{n_labels}.nii.gz"


def make_cache(sample: Sample) -> None:
    """Write the run's in-mask voxels as an uncompressed array (n_volumes, n_inside)."""
    if sample.cache.exists():
        return
    inside = _find_brain(sample.grid)
    with gzip.open(sample.run) as file:
        file.read(352)
        dtype = np.dtype(sample.code)
        kept = np.empty((sample.n_volumes, inside.sum()), dtype)
        for row in kept:
            row[:] = np.frombuffer(file.read(inside.size * dtype.itemsize), dtype)[inside]
    np.save(sample.cache, kept)


def make_affine(grid: str) -> np.ndarray:
    affine = np.diag([GRIDS[grid][1]] * 3 + [1.0])
    affine[:3, 3] = ORIGIN_MM
    return affine


def make_sample(sample: Sample) -> None:
    """Write whatever of a sample is not there yet."""
    sample.folder.mkdir(parents=True, exist_ok=True)
    if not sample.mask.exists():
        _write_regions(sample)
    if not sample.table.exists():
        _write_confounds(sample)
    if not sample.run.exists():
        _write_run(sample)


def _write_confounds(sample: Sample) -> None:
    """Write 16 random walks: as an array, and as a table with its JSON."""
    values = np.cumsum(np.random.default_rng(1).normal(size=(sample.n_volumes, 16)), axis=0)
    np.save(sample.confounds, values)
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    components = {
        f"a_comp_cor_{i:02d}": {"Mask": "WM" if i < 5 else "CSF", "Retained": True} for i in range(10)
    }
    rows = [[*motion, *components], *values.astype(str).tolist()]
    sample.table.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    sample.table.with_suffix(".json").write_text(json.dumps(components), encoding="utf-8")


def _find_brain(grid: str) -> np.ndarray:
    """An ellipsoid of an adult brain's size and place in MNI space: 1.9 million mm3, flat in file order."""
    shape, step = GRIDS[grid]
    axes = np.meshgrid(
        *(np.arange(n) * step + start for n, start in zip(shape, ORIGIN_MM, strict=True)), indexing="ij"
    )
    middle, radii = (0.0, -18.0, 10.0), (68.0, 88.0, 76.0)
    inside = sum(((x - m) / r) ** 2 for x, m, r in zip(axes, middle, radii, strict=True)) < 1
    return inside.ravel(order="F")


def _write_regions(sample: Sample) -> None:
    """Write the mask and atlases whose labels are the voxels nearest to random centres."""
    shape, affine = GRIDS[sample.grid][0], make_affine(sample.grid)
    brain = _find_brain(sample.grid).reshape(shape, order="F")
    nib.save(nib.Nifti1Image(brain.astype(np.uint8), affine), sample.mask)
    voxels = np.argwhere(brain)
    for n_labels in (100, 400):  # few enough voxels in a tiny grid, but more than 400
        centres = np.random.default_rng(n_labels).choice(voxels, n_labels, replace=False)
        distance = (voxels**2).sum(1)[:, None] - 2 * voxels @ centres.T + (centres**2).sum(1)
        atlas = np.zeros(shape, np.int16)
        atlas[tuple(voxels.T)] = 1 + distance.argmin(axis=1)
        nib.save(nib.Nifti1Image(atlas, affine), sample.get_atlas(n_labels))


def _write_run(sample: Sample) -> None:
    """Write the run as nibabel would (gzip level 1), volume by volume."""
    shape, _ = GRIDS[sample.grid]
    brain, dtype = _find_brain(sample.grid), np.dtype(sample.code)
    rng = np.random.default_rng(7)
    level = rng.normal(9000, 1500, brain.size).astype(np.float32) * np.where(brain, 1.0, 0.03)
    spread = np.where(brain, 110.0, 25.0).astype(np.float32)
    signals = np.cumsum(rng.normal(size=(sample.n_volumes, 4)), axis=0).astype(np.float32)
    loads = (rng.normal(0, 8, (4, brain.size)) * brain).astype(np.float32)
    temporary = sample.run.with_suffix(".part")
    with gzip.open(temporary, "wb", compresslevel=1) as file:
        file.write(_make_header(sample, shape, dtype) + bytes(4))
        for signal in signals:
            volume = level + spread * rng.standard_normal(brain.size, dtype=np.float32) + signal @ loads
            file.write((np.rint(volume) if dtype.kind == "i" else volume).astype(dtype).tobytes())
    temporary.rename(sample.run)


def _make_header(sample: Sample, shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_shape((*shape, sample.n_volumes))
    header.set_data_dtype(dtype)
    header.set_zooms((*[GRIDS[sample.grid][1]] * 3, sample.t_r))
    header.set_sform(make_affine(sample.grid), 4)
    header.set_qform(make_affine(sample.grid), 4)
    header.set_xyzt_units("mm", "sec")
    if dtype.kind == "i":
        header["scl_slope"], header["scl_inter"] = 0.5, 0.0
    header["vox_offset"], header["magic"] = 352, b"n+1"
    return header.binaryblock
