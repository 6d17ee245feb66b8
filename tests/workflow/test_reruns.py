"""What runs again, and what does not; and the same bytes whatever the number of cores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rsconn.rules.plan import LAUNCH_FOLDER

pytestmark = pytest.mark.workflow

GROUP_STEPS = {"infer": 1, "report": 1}
FROM_COHORT = {"cohort": 1, **GROUP_STEPS}


def test_a_second_run_does_nothing(finished):
    assert finished.list_planned() == {}


def test_a_changed_claim_covariate_reruns_only_the_group_steps(rerun):
    rerun.edit("claims.yaml", "[group, age, sex, mean_fd]", "[group, mean_fd]")
    assert rerun.list_planned() == GROUP_STEPS


def test_a_changed_strategy_reads_no_image_again(rerun):
    rerun.edit("config.yaml", "wm: 2, csf: 2", "wm: 1, csf: 1")
    planned = rerun.list_planned()
    assert "extract" not in planned
    assert planned["denoise"] == 3


@pytest.mark.slow
def test_a_changed_radius_reads_the_images_again(rerun):
    rerun.edit("rois.yaml", "radius_mm: 14", "radius_mm: 20")
    assert rerun.list_planned()["extract"] == 3


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("rois.yaml", "source: ", "source: reworded, "),
        ("config.yaml", "max_share_lost: 0.5", "max_share_lost: 0.6"),
    ],
)
def test_what_only_the_report_prints_reruns_the_report_alone(rerun, name, old, new):
    rerun.edit(name, old, new)
    assert rerun.list_planned() == {"report": 1}


def test_a_judgement_of_runs_reads_none_of_them_again(rerun):
    rerun.edit("config.yaml", "min_degrees_of_freedom: 5", "min_degrees_of_freedom: 4")
    assert rerun.list_planned() == FROM_COHORT


@pytest.mark.slow
def test_with_seeds_one_pass_stands_in_for_extract(rerun):
    rerun.edit("config.yaml", "edges:", "seeds: [LAI, rACC]\nmaps: {n_permutations: 99}\nedges:")
    planned = rerun.list_planned()
    assert planned == {"seedmap": 3, "denoise": 3, "connect": 3, "maps": 2, **FROM_COHORT}


@pytest.mark.slow
def test_maps_follow_their_strategy(study):
    study.edit("config.yaml", "edges:", "seeds: [LAI]\nmaps: {n_permutations: 99}\nedges:")
    done = study.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(study.results.glob("sub-*/func/*_seed-LAI_stat-fisherz_boldmap.nii.gz"))) == 12
    assert study.list_planned() == {}
    next(study.results.glob("group/maps/LAI_*_t.nii.gz")).unlink()
    assert study.list_planned() == {"maps": 1, "report": 1}
    next(study.results.glob("sub-*/func/*_boldmap.nii.gz")).unlink()
    planned = study.list_planned()
    assert planned == {"seedmap": 1, "denoise": 1, "connect": 1, "maps": 1, **FROM_COHORT}
    study.edit("config.yaml", "wm: 2, csf: 2", "wm: 1, csf: 1")
    planned = study.list_planned()
    assert planned == {"seedmap": 3, "denoise": 3, "connect": 3, "maps": 1, **FROM_COHORT}


def test_a_new_answer_in_the_table_reruns_from_the_cohort(rerun):
    path = rerun.folder / "data" / "participants.tsv"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert set(rerun.list_planned()) == set(FROM_COHORT)


@pytest.mark.slow
def test_an_edited_module_reruns_what_uses_it(study, tmp_path, root):
    house = tmp_path / "house"
    code = house / "src"
    shutil.copytree(root / "src", code, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "workflow", "config"):
        source = root / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, house / name)
    done = study.run(code=code)
    assert done.returncode == 0, done.stdout + done.stderr
    projection = code / "rsconn" / "signal" / "projection.py"
    text = projection.read_text(encoding="utf-8")
    projection.write_text(
        text.replace('"""Denoising as one projection', '"""Another docstring'), encoding="utf-8"
    )
    assert study.list_planned(code=code) == {}
    problems = code / "rsconn" / "settings" / "problems.py"
    message = problems.read_text(encoding="utf-8")
    assert "this key is required" in message
    problems.write_text(message.replace("this key is required", "required"), encoding="utf-8")
    projection.write_text(text + "\nANOTHER_CONSTANT = 1\n", encoding="utf-8")
    assert study.list_planned(code=code) == {}
    projection.write_text(
        text.replace("volumes retained (censoring)", "retained (censoring)"), encoding="utf-8"
    )
    planned = study.list_planned(code=code)
    assert planned["denoise"] == 3
    assert "extract" not in planned


@pytest.mark.parametrize(
    ("pattern", "rules"),
    [
        pytest.param(
            "sub-*/func/*_stat-mean_timeseries.tsv",
            {"extract": 1, "denoise": 1, "connect": 1, **FROM_COHORT},
            marks=pytest.mark.slow,
        ),
        ("sub-*/func/*_desc-denoised_timeseries.tsv", {"denoise": 1, "connect": 1, **FROM_COHORT}),
        pytest.param("sub-*/func/*_relmat.json", {"connect": 1, **FROM_COHORT}, marks=pytest.mark.slow),
        pytest.param("group/scores.json", FROM_COHORT, marks=pytest.mark.slow),
        ("group/claim_flow.tsv", GROUP_STEPS),
        pytest.param("figures/*.png", {"report": 1}, marks=pytest.mark.slow),
        pytest.param(".bidsignore", {"report": 1}, marks=pytest.mark.slow),
    ],
)
def test_a_deleted_file_is_planned_with_what_follows_from_it(finished, pattern, rules):
    path = sorted(finished.results.glob(pattern))[-1]
    lists = {file: file.read_bytes() for file in (finished.results / "work" / "files").rglob("*.json")}
    moved = path.rename(finished.results / "moved")
    try:
        assert finished.list_planned() == rules
    finally:
        moved.rename(path)
        for file, content in lists.items():
            if not file.exists():
                file.write_bytes(content)
                os.utime(file, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))


@pytest.mark.slow
def test_lost_files_are_made_again_to_the_byte(finished):
    before = read_results(finished)
    for pattern in (
        "sub-*/func/*_desc-denoised_timeseries.tsv",
        "sub-*/func/*_relmat.json",
        "group/edges.json",
        "figures/*.png",
        ".bidsignore",
    ):
        next(finished.results.glob(pattern)).unlink()
    next(finished.results.glob("sub-*/func/*_desc-quality.json")).write_text("")
    done = finished.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_results(finished) == before
    assert finished.list_planned() == {}


def test_every_file_of_the_results_is_some_job_s(finished):
    lists = (finished.results / "work" / "files").rglob("*.json")
    listed = {name for path in lists for name in json.loads(path.read_text(encoding="utf-8"))}
    assert set(read_results(finished)) <= listed


def read_results(study) -> dict[str, bytes]:
    files = (path for path in study.results.rglob("*") if path.is_file())
    content = {path.relative_to(study.results): path for path in files}
    aside = {"work", "logs", "benchmarks", ".snakemake"}
    return {
        name.as_posix(): path.read_bytes() for name, path in content.items() if name.parts[0] not in aside
    }


@pytest.mark.slow
def test_one_core_and_two_give_the_same_bytes(finished, study):
    done = study.run(cores=1)
    assert done.returncode == 0, done.stdout + done.stderr
    for part, pattern in (("group", "*"), ("figures", "*.tsv"), ("figures", "*.svg"), (".", "report.html")):
        files = sorted((finished.results / part).glob(pattern))
        assert files
        for path in files:
            twin = study.results / path.relative_to(finished.results)
            assert twin.read_bytes() == path.read_bytes(), path.name


@pytest.mark.slow
def test_plain_snakemake_equals_the_command(finished, study, root):
    # a plan made in this process has left its launch folder behind
    environment = {name: value for name, value in os.environ.items() if name != LAUNCH_FOLDER}
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile"), "--configfile", "config.yaml",
         "--cores", "2"],
        cwd=study.folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for path in sorted((finished.results / "group").glob("*")):
        assert (study.results / "group" / path.name).read_bytes() == path.read_bytes(), path.name


def test_everything_of_the_workflow_stays_in_the_output_folder(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {"config.yaml", "rois.yaml", "claims.yaml", "data", "results"}


def test_the_results_are_a_bids_derivatives_dataset(finished):
    described = json.loads((finished.results / "dataset_description.json").read_text(encoding="utf-8"))
    assert described["DatasetType"] == "derivative"
    assert described["GeneratedBy"][0]["Name"] == "rsconn"
    assert len(described["GeneratedBy"][0]["ConfigSHA256"]) == 64
    assert "SIMULATED" in described["SourceDatasets"][0]["Name"]
    names = {Path(path).name.split("_", 2)[2] for path in finished.results.glob("sub-*/func/*")}
    assert names >= {
        "seg-OlaldeMathieu2022_stat-mean_timeseries.tsv",
        "seg-OlaldeMathieu2022_stat-mean_timeseries.json",
        "seg-OlaldeMathieu2022_stat-coverage_bold.tsv",
        "seg-OlaldeMathieu2022_desc-denoised_timeseries.tsv",
        "seg-OlaldeMathieu2022_stat-pearsoncorrelation_relmat.tsv",
        "desc-quality.json",
    }
    for table in (finished.results / "group").glob("*.tsv"):
        assert table.with_suffix(".json").is_file(), f"{table.name} has no sidecar"
