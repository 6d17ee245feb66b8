"""Every option, changed: which rules' parameters change with it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from rsconn.settings.claims import Claim
from rsconn.settings.config import ConfigFile
from rsconn.settings.rois import Roi, RoiSet
from rsconn.settings.sections import CensoringSettings, InferenceSettings, InputSettings, MapsSettings

IMAGES = {"extract", "seedmap"}
PER_RUN = {*IMAGES, "denoise", "connect"}


@pytest.fixture(scope="module")
def page(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reruns", root / "docs" / "make_reruns.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reruns(page: ModuleType) -> dict[str, set[str]]:
    return {option: set(rules) for option, rules in page.find_reruns(page.read_example()).items()}


def test_the_page_is_what_the_command_writes(page, root):
    written = (root / "docs" / "reruns.md").read_text(encoding="utf-8")
    assert written == page.write_page(page.find_reruns(page.read_example())), "run: make reruns"


def test_every_option_is_walked(reruns):
    walked = {option.split(".")[0] for option in reruns}
    assert set(ConfigFile.model_fields) - {"rois", "claims"} <= walked
    for model, wing in (
        (Roi, "ROI set: rois."), (RoiSet, "ROI set: "), (Claim, "claims: "), (InputSettings, "input."),
        (CensoringSettings, "censoring."), (InferenceSettings, "inference."), (MapsSettings, "maps."),
    ):  # fmt: skip
        for name in set(model.model_fields) - {"rois"}:
            assert any(option.startswith(wing + name) for option in reruns), wing + name


def test_every_option_is_some_rule_s(reruns):
    assert {option for option, rules in reruns.items() if not rules} == {"path", "output_dir"}


@pytest.mark.parametrize(
    "option",
    [
        "censoring.max_share_lost", "censoring.min_retained_minutes", "censoring.min_degrees_of_freedom",
        "quality.max_mean_fd_mm", "ROI set: rois.source", "ROI set: circular", "input.values", "input.ids",
    ],
)  # fmt: skip
def test_what_only_judges_runs_or_words_reads_no_run_again(reruns, option):
    assert not reruns[option] & PER_RUN


def test_wording_stays_where_it_is_printed(reruns):
    assert reruns["censoring.max_share_lost"] == {"report"}
    assert reruns["claims: text"] == {"infer", "report"}


def test_the_series_do_not_depend_on_how_they_are_denoised(reruns):
    for option, rules in reruns.items():
        if option.startswith(
            ("denoising.strategy", "denoising.low", "denoising.high", "denoising.mode", "censoring")
        ):
            assert "extract" not in rules, option


def test_statistics_touch_no_run(reruns):
    for option, rules in reruns.items():
        if option.startswith(("inference", "covariates", "claims", "scores", "groups")):
            assert not rules & PER_RUN, option
