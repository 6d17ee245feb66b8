"""What every test may use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

# before numpy is imported: pytest's workers use every core, and threads of BLAS would fight over them
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the repository; the test is skipped where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data) are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def convert_to_dense() -> Callable[[Path], None]:
    """Turn every volume series below a folder into a dense series (CIFTI): the voxels of its mask, in float64."""
    return _convert_to_dense


def _convert_to_dense(folder: Path) -> None:
    import nibabel as nib
    from nibabel.cifti2 import BrainModelAxis, SeriesAxis

    for bold in sorted(folder.rglob("*_desc-preproc_bold.nii.gz")):
        name, space = bold.name.split("_space-")[0], bold.name.removesuffix("_desc-preproc_bold.nii.gz")
        mask = bold.with_name(f"{space}_desc-brain_mask.nii.gz")
        image = nib.load(bold)
        brain = nib.load(mask).get_fdata() > 0
        models = BrainModelAxis.from_mask(brain, name="OTHER", affine=image.affine)
        data, t_r = image.get_fdata()[brain].T, float(image.header["pixdim"][4])
        dense = nib.Cifti2Image(data, header=(SeriesAxis(0, t_r, len(data)), models))
        nib.save(dense, bold.with_name(f"{name}_space-fsLR_den-91k_bold.dtseries.nii"))
        sidecar = json.loads(bold.with_name(f"{space}_desc-preproc_bold.json").read_text(encoding="utf-8"))
        bold.with_name(f"{name}_space-fsLR_den-91k_bold.json").write_text(json.dumps(sidecar))
        for old in bold.parent.glob(f"{space}_*"):
            old.unlink()
