"""The made-up lab."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_BUILDER = Path(__file__).with_name("lab.py")


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory) -> Path:
    """A lab's raw data, derivatives and questionnaire; tests only read it."""
    spec = importlib.util.spec_from_file_location("rsconn_test_lab", _BUILDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_lab(tmp_path_factory.mktemp("lab"))
