"""Several datasets as several sites: people with one label stay two people, and every mistake is one line."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from rsconn.commands.check import check_config
from rsconn.rules.plan import find_config_runs
from rsconn.settings.config import read_config
from rsconn.study.people.participants import read_people
from rsconn.study.people.sites import find_sites, name_site

from .conftest import CLAIMS, ROIS, write_series, write_table

INPUT = """input:
  datasets:
    - {path: a/given, participants: a/participants.tsv, site: Aachen, prefix: A}
    - {path: b/given, participants: b/participants.tsv, site: Bonn, prefix: B}
  denoised: true
  filters: {task: rest}
"""
REST = """output_dir: out
rois: rois.yaml
edges: [A-B, A-C]
groups: {column: group, levels: {pat: pat, con: con}}
claims: claims.yaml
covariates: {edge: [], score: []}
inference: {n_permutations: 100}
"""


@dataclasses.dataclass(frozen=True)
class Sites:
    """Two sites with the same labels, half of each site patients."""

    folder: Path

    def write(self, input_text: str = INPUT) -> Path:
        config = self.folder / "config.yaml"
        config.write_text(input_text + REST)
        return config

    def give_groups(self, folder: str, groups: Sequence[str], **columns: Sequence[str]) -> None:
        ids = [f"sub-{number:02d}" for number in range(1, len(groups) + 1)]
        write_table(
            self.folder / folder / "participants.tsv", {"participant_id": ids, "group": groups, **columns}
        )


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sites:
    monkeypatch.chdir(tmp_path)
    made = Sites(tmp_path)
    for number, site in enumerate(("a", "b")):
        made.give_groups(site, ["pat", "con"] * 5)
        for person in range(1, 11):
            name = f"sub-{person:02d}"
            path = tmp_path / site / "given" / name / "func" / f"{name}_task-rest_timeseries.tsv"
            write_series(path, 100 * number + person)
    rows = "".join(f"  - {{name: {name}, source: made, column: {name}}}\n" for name in ROIS)
    (tmp_path / "rois.yaml").write_text(f"rois:\n{rows}")
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    return made


def refuse(config: Path) -> str:
    """Return the one problem of a config."""
    problems = check_config(config).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_people_with_one_label_at_two_sites_stay_two_people(sites):
    config = read_config(sites.write())
    runs = find_config_runs(config)
    assert len({run.name for run in runs}) == 20
    assert {run.participant_id for run in runs} >= {"sub-A01", "sub-B01"}
    assert runs[0].cite(runs[0].timeseries) == ["bids:Aachen:sub-01/func/sub-01_task-rest_timeseries.tsv"]
    people = read_people(config.input, config.groups)
    assert len(people) == 20
    assert dict(zip(people["participant_id"], people["site"], strict=True))["sub-B07"] == "Bonn"


def test_the_site_joins_the_covariates_of_edges_as_a_category(sites):
    config = read_config(sites.write())
    assert config.covariates.edge == ("site",)
    assert config.covariates.score == ()
    assert config.categorical == ("site",)
    one = INPUT.replace("site: Bonn", "site: Aachen")
    assert read_config(sites.write(one)).covariates.edge == ()


def test_two_balanced_sites_are_ready(sites):
    result = check_config(sites.write())
    assert result.problems == ()
    assert any("20 people with images, 20 runs" in line for line in result.lines)
    assert "1 of 1 claims can be tested with these people" in result.lines


def test_sites_that_are_the_groups_are_told(sites):
    sites.give_groups("a", ["pat"] * 10)
    sites.give_groups("b", ["con"] * 10)
    lines = check_config(sites.write()).lines
    told = [line for line in lines if "site and group cannot be told apart" in line]
    assert len(told) == 1
    assert "pat at Aachen (10), con at Bonn (10); their difference may be the sites'" in told[0]
    assert any(line.startswith("  not testable: F1: covariate site is aliased") for line in lines)


def test_tables_say_the_site_of_everyone(sites):
    sites.give_groups("b", ["pat", "con"] * 4)  # the last two have images and no row
    config = read_config(sites.write())
    runs = find_config_runs(config)
    people = read_people(config.input, config.groups)
    found = find_sites(people, runs, config)
    assert found["sub-B10"] == "Bonn"
    assert name_site(people[["participant_id"]], found)["site"].tolist() == ["Aachen"] * 10 + ["Bonn"] * 8


def test_nobody_is_taken_for_somebody_of_the_other_site(sites):
    shutil.rmtree(sites.folder / "b" / "given" / "sub-10")
    sites.give_groups("a", ["pat", "con"] * 4 + ["pat"])  # sub-A10 has images and no row, sub-B10 the reverse
    told = [line for line in check_config(sites.write()).lines if "match nobody" in line]
    assert told == ["warning: b/participants.tsv: 1 of 10 ids match nobody with images: sub-B10"]


def test_who_is_left_out_by_hand_is_named_with_the_prefix(sites):
    config = sites.write()
    config.write_text(config.read_text() + "exclude: {sub-B03: asleep}\n")
    runs = find_config_runs(read_config(config))
    assert {run.participant_id for run in runs} & {"sub-A03", "sub-B03"} == {"sub-A03"}


def test_ids_are_settled_before_the_prefix(sites):
    table = sites.folder / "b" / "participants.tsv"
    table.write_text(table.read_text().replace("sub-01", "X1"))
    config = sites.write(INPUT + "  ids: {X1: sub-01}\n")
    assert "sub-B01" in read_people(read_config(config).input)["participant_id"].tolist()


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  denoised", "  parcellated: a/given\n  denoised", "datasets: parcellated found beside it"),
        (
            "  denoised",
            "  participants: a/participants.tsv\n  denoised",
            "datasets: participants found beside",
        ),
        ("prefix: B", "prefix: A", "datasets: prefix 'A' occurs twice; people with one label would become"),
        (", prefix: B", "", None),
        ("prefix: B", "prefix: B-", "letters and digits only"),
        ("path: b/given", "path: a/given", "occurs twice; a dataset counts once"),
        ("b/participants.tsv", "a/participants.tsv", "with one table for all use derivatives"),
        ("site: Bonn, ", "", "input.datasets[2].site: missing"),
        ("site: Bonn", "sites: Bonn", "did you mean 'site'"),
        ("path: b/given", "path: c/given", "input.datasets, site Bonn"),
        ("  denoised: true\n", "", "input.denoised says that the datasets hold series"),
    ],
)
def test_a_mistake_in_the_list_is_told(sites, old, new, told):
    assert old in INPUT
    problems = check_config(sites.write(INPUT.replace(old, new, 1))).problems
    if told is None:
        assert problems == ()
    else:
        assert any(told in line for line in problems), problems


def test_a_site_that_the_filters_leave_empty_is_refused(sites):
    for path in (sites.folder / "b" / "given").rglob("*_timeseries.tsv"):
        path.rename(path.with_name(path.name.replace("task-rest", "task-resting")))
    told = refuse(sites.write())
    assert "b/given (site Bonn)" in told
    assert "task rest (found: resting)" in told
    both = INPUT.replace("{task: rest}", "{task: [rest, resting]}")
    assert check_config(sites.write(both)).problems == ()


def test_prefixes_that_make_one_of_two_people_are_refused(sites):
    for site, label in (("a", "01"), ("b", "1")):
        folder = sites.folder / site / "given" / f"sub-{label}" / "func"
        folder.mkdir(parents=True, exist_ok=True)
        write_series(folder / f"sub-{label}_task-rest_timeseries.tsv", 7)
    table = sites.folder / "b" / "participants.tsv"
    table.write_text(table.read_text().replace("sub-01", "sub-1"))
    clash = INPUT.replace("prefix: B", "prefix: A0")
    assert any("two people would become one" in line for line in check_config(sites.write(clash)).problems)


def test_a_tables_own_site_is_refused_unless_it_says_the_same(sites):
    sites.give_groups("b", ["pat", "con"] * 5, site=["Bonn"] * 10)
    assert check_config(sites.write()).problems == ()
    sites.give_groups("b", ["pat", "con"] * 5, site=["Bonn 1", "Bonn 2"] * 5)
    assert "column 'site' and the site of input.datasets have one name" in refuse(sites.write())
