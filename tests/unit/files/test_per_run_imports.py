"""The per-run path starts fast: importing it brings in numpy and the standard library, not the heavy libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("nilearn", "nibabel", "pandas", "matplotlib", "statsmodels", "scipy", "sklearn", "pydantic")
MODULES = (
    "rsconn.files.images",
    "rsconn.files.regions",
    "rsconn.files.image_writing",
    "rsconn.files.run_images",
    "rsconn.files.cifti_regions",
    "rsconn.files.cifti_writing",
    "rsconn.signal.seed_extraction",
    "rsconn.steps.extract",
)


@pytest.mark.parametrize("module", MODULES)
def test_importing_the_per_run_path_imports_no_heavy_library(module):
    code = f"import {module}, sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "numpy" in loaded
    assert not set(HEAVY) & set(loaded)
