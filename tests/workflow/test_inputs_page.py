"""docs/inputs.md is what its command makes today."""

from __future__ import annotations

import importlib.util


def test_the_page_of_inputs_is_up_to_date(root, shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    spec = importlib.util.spec_from_file_location("make_inputs", root / "docs" / "make_inputs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path / "inputs.md")
    made = (tmp_path / "inputs.md").read_text(encoding="utf-8")
    assert made == (root / "docs" / "inputs.md").read_text(encoding="utf-8"), (
        "run: python docs/make_inputs.py"
    )
