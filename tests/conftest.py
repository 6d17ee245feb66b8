"""What every test may use."""

from __future__ import annotations

import importlib.util
import json
import os
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

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


@pytest.fixture(scope="session")
def narrow_config() -> Callable[..., Any]:
    """Return a config of which only what some rules depend on can be read; asking for another option is an error.

    Called with the config, the rules, and dotted names of further options.
    """
    return _narrow_config


def _narrow_config(config: Any, *rules: str, also: Collection[str] = ()) -> Any:
    from rsconn.rules.jobs import JOBS

    before = {rule: JOBS[rule](config).to_params() for rule in rules}

    def depends(rule: str, changed: Any) -> bool:
        try:
            return JOBS[rule](changed).to_params() != before[rule]
        except Exception:  # noqa: BLE001 - the changed value was looked into, and is none that goes
            return True

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Pydantic serializer")  # a changed value need not be a valid one
        changes = list(load_script("docs/make_reruns.py").change_each(config, ()))
        kept = {path for path, changed in changes if any(depends(rule, changed) for rule in rules)}
    return _keep(config, kept | {tuple(name.split(".")) for name in also})


def _keep(value: Any, paths: Collection[tuple[str, ...]]) -> Any:
    from pydantic import BaseModel

    if isinstance(value, Mapping):
        return {key: _keep(item, paths) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_keep(item, paths) for item in value)
    if not isinstance(value, BaseModel):
        return value
    kept = value.model_copy()
    for name in type(value).model_fields:
        inner = {path[1:] for path in paths if path[0] == name}
        if not inner:
            del kept.__dict__[name]
        elif () not in inner:
            kept.__dict__[name] = _keep(getattr(value, name), inner)
    return kept


def load_script(name: str) -> ModuleType:
    """Import a file of the repository that is in no package."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
