"""The tiny study cut into two sites whose people have the same labels, through the whole workflow."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from .conftest import Study

INPUT = """input:
  datasets:
    - {path: a/fmriprep, participants: a/participants.tsv, site: Aachen, prefix: A}
    - {path: b/fmriprep, participants: b/participants.tsv, site: Bonn, prefix: B}
"""


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def cut_in_two(study: Study) -> None:
    """Give every second scanned person to the other site, under the label of the one before."""
    source = study.folder / "data" / "derivatives" / "fmriprep"
    scanned = sorted(path.name for path in source.glob("sub-*"))
    header, *rows = (study.folder / "data" / "participants.tsv").read_text().splitlines()
    row_of = {row.split("\t")[0]: row for row in rows}
    for site, people in (("a", scanned[::2]), ("b", scanned[1::2])):
        folder = study.folder / site
        table = [header]
        for person, label in zip(people, scanned[::2], strict=True):
            for path in (source / person).rglob("*.*"):
                new = folder / "fmriprep" / str(path.relative_to(source)).replace(person, label)
                new.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, new)
            table.append(row_of[person].replace(person, label))
        shutil.copy(source / "dataset_description.json", folder / "fmriprep")
        (folder / "participants.tsv").write_text("\n".join(table) + "\n")
    shutil.rmtree(study.folder / "data")


@pytest.mark.slow
def test_two_sites_of_one_study(study):
    cut_in_two(study)
    study.edit(
        "config.yaml",
        "input:\n  derivatives: data/derivatives/fmriprep\n  participants: data/participants.tsv\n",
        INPUT,
    )
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    group = study.results / "group"
    cohort = read(group / "cohort.tsv")
    assert len(cohort) == 12
    assert {row["participant_id"][:5] for row in cohort} == {"sub-A", "sub-B"}
    assert {(row["participant_id"][4], row["site"]) for row in cohort} == {("A", "Aachen"), ("B", "Bonn")}
    assert {row["site"] for row in read(group / "quality.tsv")} == {"Aachen", "Bonn"}
    assert "site" in (group / "exclusions.tsv").read_text().split("\n")[0].split("\t")
    # no run of one site lies over the other's
    label = cohort[0]["participant_id"].removeprefix("sub-A")
    for site, prefix in (("Aachen", "A"), ("Bonn", "B")):
        [sidecar] = (study.results / f"sub-{prefix}{label}" / "func").glob("*relmat.json")
        [series] = (study.results / f"sub-{prefix}{label}" / "func").glob("*stat-mean_timeseries.json")
        assert sidecar.exists()
        assert any(
            text.startswith(f"bids:{site}:sub-{label}/") for text in json.loads(series.read_text())["Sources"]
        )
    provenance = json.loads((study.results / "provenance.json").read_text())["input"]
    assert provenance["sites"] == ["Aachen", "Bonn"]
    assert set(provenance["tables"]) == {"Aachen/participants.tsv", "Bonn/participants.tsv"}
    description = json.loads((study.results / "dataset_description.json").read_text())
    assert description["DatasetLinks"] == {"Aachen": "../a/fmriprep", "Bonn": "../b/fmriprep"}
    claims = {row["id"]: row for row in read(group / "claims.tsv")}
    assert claims["F1"]["verdict"] != "not testable", claims["F1"]["reason"]
    # a second look runs nothing again
    assert study.list_planned() == {}
