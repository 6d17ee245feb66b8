"""The section multiverse: which ways to analyse it makes, and what its mistakes are told as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rsconn.analysis.specification import ConfoundTerms, RoiVariant
from rsconn.errors import UserError
from rsconn.settings.config import Config, parse_config
from rsconn.settings.ways import list_axes, list_further_rows, list_ways

ROIS = """
space: MNI152NLin2009cAsym
rois:
  - {name: A, sphere: {center_mm: [0, 0, 0], radius_mm: 6}}
  - {name: B, mask: b.nii.gz}
alternatives:
  - {name: A_Power, of: A, sphere: {center_mm: [3, 0, 0], radius_mm: 6}}
  - {name: A_mask, of: A, mask: a.nii.gz}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rois.yaml").write_text(ROIS)
    return tmp_path


def parse(folder: Path, keys: dict[str, Any] | None = None, **multiverse: Any) -> Config:
    content = {
        "input": {"derivatives": "fmriprep", "participants": "participants.tsv"},
        "rois": "rois.yaml",
        "scores": {"PT": {"column": "pt"}, "PT_peer": {"column": "peer"}},
        "multiverse": multiverse,
    }
    return parse_config(content | (keys or {}), folder / "config.yaml")


def test_without_the_section_there_is_no_way_but_the_config(folder: Path) -> None:
    config = parse(folder, {"multiverse": None})
    assert (list_ways(config), list_axes(config), list_further_rows(config)) == ((), (), ())


def test_the_primary_analysis_comes_first_though_nobody_listed_it(folder: Path) -> None:
    config = parse(folder, low_pass_hz=[0.1, None], fd_threshold_mm=[0.3, 0.5])
    ways = list_ways(config)
    assert [way.labels for way in ways[:2]] == [("0.08", "0.5"), ("0.08", "0.3")]
    assert len(ways) == 6
    assert ways[0].specification == config.specification
    assert ways[0].series == ("A", "B")


def test_strategies_are_as_their_files_say_with_the_global_signal_asked_for(folder: Path) -> None:
    config = parse(folder, strategy=["36P", "motion24"], global_signal=[True])
    terms = {way.labels: way.specification.cleaning.terms for way in list_ways(config)}
    assert terms["acompcor", "false"] == config.specification.cleaning.terms
    assert terms["36P", "true"] == ConfoundTerms(motion=24, wm_csf=8, global_signal=4)
    assert terms["36P", "false"].global_signal == 0
    assert terms["motion24", "true"].global_signal == 1
    assert list_ways(parse(folder, strategy=["36P"]))[1].specification.cleaning.terms.global_signal == 4


def test_only_spheres_have_a_radius(folder: Path) -> None:
    config = parse(folder, radius_mm=[4, 6], smoothing_fwhm_mm=[6], roi={"A": ["A_Power", "A_mask"]})
    series = {way.labels: way.series for way in list_ways(config)}
    assert series["4", "0", "A"] == ("A_R4", "B")
    assert series["4", "6", "A_mask"] == ("A_mask_S6", "B_S6")
    rows = {row.roi.name: (row.smoothing_fwhm_mm, row.variant_of) for row in list_further_rows(config)}
    assert rows["A_Power"] == (0.0, "A")
    assert rows["A_Power_R4S6"] == (6.0, "A")
    assert {name for way in series.values() for name in way} == {*rows, "A", "B"}
    assert list_ways(config)[-1].specification.roi_variant == RoiVariant(4.0, 6.0)


def test_what_people_are_compared_by_is_an_axis_too(folder: Path) -> None:
    config = parse(folder, covariates=[["age"], []], outlier_sd=[3], score={"PT": ["PT_peer"]})
    last = list_ways(config)[-1]
    assert (last.labels, last.covariates, last.outlier_sd, last.scores) == (
        ("none", "3", "PT_peer"), (), 3.0, (("PT", "PT_peer"),),
    )  # fmt: skip
    assert [axis.is_estimand for axis in list_axes(config)] == [False, False, True]


def test_combinations_without_sense_stay_out(folder: Path) -> None:
    rules = [{"strategy": ["36P", "motion24"], "fd_threshold_mm": None}]
    config = parse(folder, strategy=["36P", "motion24"], fd_threshold_mm=[None, 0.3], exclude=rules)
    labels = [way.labels for way in list_ways(config)]
    assert len(labels) == 7
    assert ("acompcor", "none") in labels
    assert ("36P", "none") not in labels


@pytest.mark.parametrize(
    ("multiverse", "message"),
    [
        ({"fd_treshold_mm": [0.2]}, "multiverse.fd_treshold_mm: unknown key; did you mean 'fd_threshold_mm'"),
        ({"strategy": ["36p2"]}, "multiverse.strategy: no strategy '36p2'; did you mean '36P'"),
        ({"low_pass_hz": [0.1, 0.1]}, "multiverse: low_pass_hz: 0.1 occurs twice"),
        ({"covariates": ["age"]}, "a list of lists needed"),
        ({"roi": {"A": ["A_Pover"]}}, r"multiverse.roi.A: 'A_Pover' is no alternative.*did you mean 'A_Power'"),
        ({"roi": {"C": ["A"]}}, "multiverse.roi: no ROI 'C'"),
        ({"score": {"PT": ["PTT"]}}, "multiverse.score.PT: no score 'PTT'; did you mean 'PT'"),
        ({"low_pass_hz": [0.01]}, "high_pass_hz 0.01 is not below low_pass_hz 0.01"),
        ({"high_pass_hz": [None]}, r"add \{strategy: acompcor, high_pass_hz: null\}"),
        ({"low_pass_hz": [0.1], "exclude": [{"low_pas_hz": 0.1}]}, "did you mean 'low_pass_hz'"),
        ({"low_pass_hz": [0.1], "exclude": [{"low_pass_hz": 0.2}]}, "'0.2' is not among its values"),
        ({"low_pass_hz": [0.1], "exclude": [{"low_pass_hz": 0.08}]}, "the config's own analysis"),
        ({"radius_mm": list(range(1, 99)), "fd_threshold_mm": [i / 100 for i in range(1, 301)]}, "at most 20000"),
        ({"n_flips": 0}, "multiverse.n_flips"),
    ],
)  # fmt: skip
def test_mistakes(folder: Path, multiverse: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(folder, **multiverse)


def test_series_that_came_denoised_have_no_other_denoising(folder: Path) -> None:
    (folder / "columns.yaml").write_text("rois:\n  - {name: A, column: a}\n  - {name: B, column: b}\n")
    given = {"parcellated": "series", "denoised": True, "participants": "participants.tsv"}
    with pytest.raises(UserError, match=r"multiverse\.low_pass_hz: the series came denoised"):
        parse(folder, {"input": given, "rois": "columns.yaml"}, low_pass_hz=[0.1], connectivity=["partial"])
    config = parse(folder, {"input": given, "rois": "columns.yaml"}, connectivity=["partial"])
    assert [way.specification.estimation.kind for way in list_ways(config)] == ["pearson", "partial"]
