"""What results may tell of the machine and of people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

# The workflow's own files, which are not shared.
_OWN = {".snakemake", "logs", "benchmarks"}


def list_results(folder: Path) -> list[Path]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if path.relative_to(folder).parts[0] not in _OWN]


def test_no_result_names_a_folder_of_this_machine(finished):
    told = [str(finished.folder), str(finished.folder.resolve()), str(Path.home()), str(Path.cwd())]
    files = list_results(finished.results)
    assert len(files) > 50
    for path in files:
        content = path.read_bytes()
        assert not [place for place in told if place.encode() in content], path


def test_sources_are_bids_uris_of_linked_datasets(finished):
    description = json.loads((finished.results / "dataset_description.json").read_text())
    links = description["DatasetLinks"]
    assert links == {"fmriprep": "../data/derivatives/fmriprep"}
    sidecars = [json.loads(path.read_text()) for path in finished.results.rglob("func/*.json")]
    sources = [uri for sidecar in sidecars for uri in sidecar.get("Sources", ())]
    assert len(sources) >= 50
    for uri in sources:
        scheme, name, inside = uri.split(":")
        assert scheme == "bids"
        folder = finished.results / links[name] if name else finished.results
        assert (folder / inside).is_file(), uri
