"""What results may tell of the machine and of people."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rsconn.files.tables import read_tsv
from rsconn.rules.report import write_report
from rsconn.settings.config import HIDE_IDS, read_config

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


@pytest.fixture(scope="module")
def anonymised(finished, tmp_path_factory):
    """The finished results with a report that names nobody."""
    folder = tmp_path_factory.mktemp("anonymised") / "results"
    shutil.copytree(finished.results, folder, ignore=shutil.ignore_patterns(*_OWN))
    for path in (folder / "figures").iterdir():
        path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HIDE_IDS, "1")
        write_report(folder / "group", settings=read_config(finished.folder / "config.yaml"))
    return folder


def test_a_report_to_share_names_nobody(anonymised):
    cohort = read_tsv(anonymised / "group" / "cohort.tsv")
    shown = [anonymised / "report.html", anonymised / "methods.md", anonymised / "provenance.json"]
    for path in [*shown, *(anonymised / "figures").iterdir()]:
        content = path.read_bytes()
        assert not [person for person in cohort["participant_id"] if person.encode() in content], path
    ages = read_tsv(anonymised / "figures" / "cohort_summary.tsv")
    of_ages = [place for place, name in enumerate(ages["variable"]) if name == "age"]
    assert of_ages
    assert {ages["max"][place] for place in of_ages} == {"n/a"}


def test_a_report_to_share_shows_the_same_numbers(anonymised, finished):
    for name in ("claims_forest", "claim_pictures", "verdict_counts"):
        hidden, shown = (
            read_tsv(folder / "figures" / f"{name}.tsv") for folder in (anonymised, finished.results)
        )
        for column in set(shown) - {"participant_id"}:
            assert hidden[column] == shown[column], (name, column)


def test_anonymising_draws_the_report_alone_again(finished):
    shown = finished.run("--anonymise", "--", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "report" in shown.stdout + shown.stderr
    assert not [
        rule for rule in ("extract", "cohort", "infer") if f"\n{rule} " in shown.stdout + shown.stderr
    ]
