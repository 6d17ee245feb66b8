"""Every specification of the multiverse is what an ordinary run with another config would give."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rsconn.files.tables import read_tsv
from rsconn.rules.cohort import gather_cohort
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.infer import infer
from rsconn.rules.multiverse import run_multiverse
from rsconn.rules.plan import WorkflowPlan, find_config_runs
from rsconn.settings.config import Config, read_config

# All at once would be ten thousand combinations.
RUNS: dict[str, Any] = {
    "strategy": ["acompcor", "motion12"],
    "global_signal": [False, True],
    "low_pass_hz": [0.15, None],
    "fd_threshold_mm": [0.9, 0.3, None],
    "min_retained_minutes": [1, 1.7],
    "covariates": [["mean_fd"], ["age", "sex"], []],
    "exclude": [
        {"strategy": "motion12", "low_pass_hz": None},
        {"min_retained_minutes": 1.7, "fd_threshold_mm": [0.9, None]},
        {"covariates": "none", "global_signal": True},
    ],
}
REGIONS: dict[str, Any] = {
    "high_pass_hz": [0.01, 0.02],
    "radius_mm": [14, 18],
    "smoothing_fwhm_mm": [0, 20],
    "connectivity": ["pearson", "partial"],
    "roi": {"LAI": ["LAI_other"]},
    "score": {"PT": ["EC"]},
}
# What the tiny study's config says.
OWN = {
    "strategy": "acompcor", "global_signal": "false", "high_pass_hz": "0.01", "low_pass_hz": "0.15",
    "fd_threshold_mm": "0.9", "min_retained_minutes": "1", "covariates": "mean_fd", "radius_mm": "14",
    "smoothing_fwhm_mm": "0", "connectivity": "pearson", "roi_LAI": "LAI", "score_PT": "PT",
}  # fmt: skip
OTHER = {"name": "LAI_other", "of": "LAI", "sphere": {"center_mm": [-30, 18, 2], "radius_mm": 14}}
SAME = (
    "n",
    "n_per_group",
    "estimate",
    "std_error",
    "dof",
    "effect_size",
    "p",
    "p_family",
    "verdict",
    "ci_family_low",
)


# How the runs came, which they tell themselves: with other options there are other runs.
OF_RUNS = ("input.derivatives", "input.parcellated", "input.denoised")


def run_steps(folder: Path, config: dict[str, Any], rois: dict[str, Any], claims: list[Any]) -> WorkflowPlan:
    """Run the steps of the workflow, from images to claims, in a folder that holds the tiny study's data."""
    folder.mkdir(exist_ok=True)
    for name, content in (("config", config), ("rois", rois), ("claims", claims)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    settings = read_config(folder / "config.yaml")
    plan = WorkflowPlan(settings, find_config_runs(settings))
    with chdir(folder):
        [batch] = plan.batches
        steps = (extract, denoise, connect)
        records = [folder / f"{step.__name__}.json" for step in steps]
        extract(records[0], runs=plan.batches[batch], job=plan.extract_job)
        denoise(records[1], before=records[:1], runs=[], job=plan.denoise_job)
        connect(records[2], before=records[1], job=plan.connect_job)
        gather_cohort(records[2:], settings=settings)
        infer(folder / "group" / "cohort.tsv", settings=settings)
    return plan


@pytest.fixture(scope="module")
def study(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The tiny study's files as plain values, its data by absolute paths, without permutations."""
    tiny = tmp_path_factory.mktemp("tiny")
    shutil.copytree(root / "tests" / "reference" / "tiny" / "data", tiny / "data")
    files = {
        name: yaml.safe_load((root / "tests" / "reference" / "tiny" / f"{name}.yaml").read_text())
        for name in ("config", "rois", "claims")
    }
    config = files["config"]
    config["input"] |= {
        "derivatives": str(tiny / "data" / "derivatives" / "fmriprep"),
        "participants": str(tiny / "data" / "participants.tsv"),
    }
    config |= {"batch_size": 100, "inference": {"n_permutations": 0}, "output_dir": str(tiny / "none")}
    return files


@pytest.fixture(scope="module", params=[RUNS, REGIONS], ids=["runs", "regions"])
def table(
    request: pytest.FixtureRequest,
    study: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    narrow_config: Callable[..., Config],
) -> dict[str, np.ndarray]:
    """The multiverse of the tiny study, one array per column; and the claims of its primary analysis.

    It is given a config in which nothing else can be read than what the rule, and extraction before it, depend on.
    """
    folder = tmp_path_factory.mktemp("multiverse")
    config = study["config"] | {"multiverse": {**request.param, "n_flips": 9}}
    run_steps(folder, config, study["rois"] | {"alternatives": [OTHER]}, study["claims"])
    with chdir(folder):
        run_multiverse(
            folder / "group" / "cohort.tsv",
            before=[folder / "extract.json"],
            runs=[],
            settings=narrow_config(
                read_config(folder / "config.yaml"), "extract", "multiverse", also=OF_RUNS
            ),
        )
    found = {name: np.array(cells) for name, cells in read_tsv(folder / "group" / "multiverse.tsv").items()}
    primary = read_tsv(folder / "group" / "claims.tsv")
    return {**found, **{f"claims.{name}": np.array(cells) for name, cells in primary.items()}}


def test_the_primary_row_is_that_of_the_claims_table_to_the_byte(table: dict[str, np.ndarray]) -> None:
    rows = np.flatnonzero(table["primary"] == "true")
    assert {"F1", "F2", "B1", "B2", "B3", "B4", "B5"} <= set(table["claim"][rows])
    for row in rows:
        [place] = np.flatnonzero(table["claims.id"] == table["claim"][row])
        assert [table[name][row] for name in SAME] == [table[f"claims.{name}"][place] for name in SAME]


def change_study(
    study: dict[str, Any], labels: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Return config, ROIs and claims that say in the ordinary way what a specification says."""
    value = {name: None if label == "none" else label for name, label in labels.items()}
    config = {**study["config"]}
    strategy: dict[str, Any] = {"strategy": "acompcor", "acompcor": {"wm": 2, "csf": 2}}
    if value["strategy"] != "acompcor":
        strategy = {"strategy": value["strategy"]}
    config["denoising"] = strategy | {
        "global_signal": value["global_signal"],
        "high_pass_hz": value["high_pass_hz"],
        "low_pass_hz": value["low_pass_hz"],
        "smoothing_fwhm_mm": value["smoothing_fwhm_mm"],
    }
    config["censoring"] = config["censoring"] | {
        name: value[name] for name in ("fd_threshold_mm", "min_retained_minutes")
    }
    config["connectivity"] = {"kind": value["connectivity"]}
    covariates = [] if value["covariates"] is None else value["covariates"].split("+")
    config["covariates"] = {"edge": covariates, "score": []}
    rois = {**study["rois"], "rois": [dict(roi) for roi in study["rois"]["rois"]]}
    for roi in rois["rois"]:
        center = (
            OTHER["sphere"]["center_mm"] if roi["name"] == value["roi_LAI"][:3] != value["roi_LAI"] else None
        )
        roi["sphere"] = {"center_mm": center or roi["sphere"]["center_mm"], "radius_mm": value["radius_mm"]}
    claims = [dict(claim) for claim in study["claims"]]
    for claim in claims:
        if own := claim.get("covariates"):  # what is no default of the config is the claim's own
            claim["covariates"] = [*(name for name in own if name != "mean_fd"), *covariates]
            claim["covariates"] = list(dict.fromkeys(claim["covariates"]))
        if claim.get("predictor") == "PT":
            claim["predictor"] = value["score_PT"]
    return config, rois, claims


def check_specifications(
    table: dict[str, np.ndarray], study: dict[str, Any], chosen: list[int], make_folder: Callable[[str], Path]
) -> None:
    axes = [name for name in table if name in OWN]
    for number in chosen:
        rows = np.flatnonzero(table["specification"].astype(int) == number)
        labels = OWN | {name: str(table[name][rows[0]]) for name in axes}
        folder = make_folder(f"specification-{number}")
        run_steps(folder, *change_study(study, labels))
        claims = {name: np.array(cells) for name, cells in read_tsv(folder / "group" / "claims.tsv").items()}
        for row in rows:
            [place] = np.flatnonzero(claims["id"] == table["claim"][row])
            for name in SAME:
                found, expected = table[name][row], claims[name][place]
                message = f"{labels} {table['claim'][row]} {name}"
                if name in {"n_per_group", "verdict"} or "n/a" in {found, expected}:
                    assert found == expected, message
                else:
                    np.testing.assert_allclose(
                        float(found), float(expected), rtol=1e-10, atol=1e-10, err_msg=message
                    )


def choose_specifications(table: dict[str, np.ndarray], count: int, seed: int) -> list[int]:
    """Draw specifications under which B1, which every axis but the others' ROIs moves, can be tested."""
    known = table["specification"][(table["claim"] == "B1") & (table["p"] != "n/a")].astype(int)
    return sorted(np.random.default_rng(seed).choice(np.unique(known), count, replace=False).tolist())


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: tmp_path / name


def test_some_specifications_are_ordinary_runs(
    table: dict[str, np.ndarray], study: dict[str, Any], make_folder: Callable[[str], Path]
) -> None:
    check_specifications(table, study, choose_specifications(table, 2, seed=1), make_folder)


@pytest.mark.slow
def test_twenty_specifications_are_ordinary_runs(
    table: dict[str, np.ndarray], study: dict[str, Any], make_folder: Callable[[str], Path]
) -> None:
    check_specifications(table, study, choose_specifications(table, 10, seed=2), make_folder)
