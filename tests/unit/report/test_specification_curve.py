"""The specification curve and the sentence about it, from a small table."""

from __future__ import annotations

import pandas as pd
import pytest

from rsconn.report.figures.specification_curve import plot_specification_curve, tabulate_curves
from rsconn.report.page.multiverse_sentence import tell_multiverse
from rsconn.report.page.wording import Source

CONTRAST = {"column": "group", "a": "T", "b": "C"}
DEFINITIONS = {"F1": {"outcome": "A-B", "expect": "greater", "sample": "", "contrast": CONTRAST}}


@pytest.fixture
def multiverse() -> pd.DataFrame:
    """Four specifications, of which one cannot be tested."""
    return pd.DataFrame(
        {
            "specification": [1, 2, 3, 4],
            "low_pass_hz": ["0.08", "0.08", "none", "none"],
            "fd_threshold_mm": [0.5, 0.3, 0.5, 0.3],
            "primary": [True, False, False, False],
            "claim": ["F1"] * 4,
            "estimate": [0.3, 0.1, 0.2, float("nan")],
            "ci_family_low": [0.1, -0.1, 0.0, float("nan")],
            "ci_family_high": [0.5, 0.3, 0.4, float("nan")],
            "verdict": ["supported", "inconclusive", "inconclusive", "not testable"],
            "qc_fc": [0.1, -0.4, float("nan"), float("nan")],
            "curve": ["primary"] * 4,
        }
    )


def test_specifications_stand_in_the_order_of_their_estimates(multiverse: pd.DataFrame) -> None:
    table = tabulate_curves(multiverse, DEFINITIONS, {"A-B": "Fisher z"})
    assert table["specification"].tolist() == [2, 3, 1]
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["label"].tolist() == ["A-B: T > C"] * 3
    assert "low_pass_hz" in table


def test_every_choice_has_a_row_and_the_primary_a_mark(multiverse: pd.DataFrame) -> None:
    table = tabulate_curves(multiverse, DEFINITIONS, {"A-B": "Fisher z"})
    curve, _, _, choices = plot_specification_curve(table).axes
    shown = [text.get_text() for text in choices.get_yticklabels()]
    assert shown == ["low_pass_hz 0.08", "none", "fd_threshold_mm 0.5", "0.3"]
    marks = [line for line in curve.lines if line.get_marker() == "D"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks] == [(3.0, 0.3)]


def test_without_a_multiverse_the_figure_says_so() -> None:
    table = tabulate_curves(None, DEFINITIONS, {})
    assert len(table) == 0
    assert plot_specification_curve(table).axes == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Supported in 212 of 240 ways to analyse it; joint p 0.004; the low-pass moves the estimate most (0.41"),
        ({"decisive_share": 0.1}, "no choice alone moves the estimate much"),
        ({"n_contradicted": 3}, "ways to analyse it, contradicted in 3"),
        ({"primary_is_outlier": True}, "The primary estimate is an outlier among them."),
        ({"p_joint": float("nan")}, "ways to analyse it; the low-pass"),
        ({"claim": "F2"}, ""),
    ],
)  # fmt: skip
def test_the_card_says_it_in_a_sentence(changes: dict[str, object], words: str) -> None:
    row = {
        "claim": "F1", "curve": "primary", "n_specifications": 240, "n_supported": 212, "n_contradicted": 0,
        "p_joint": 0.004, "decisive_axis": "low_pass_hz", "decisive_share": 0.41, "primary_is_outlier": False,
    } | changes  # fmt: skip
    told = tell_multiverse(Source("group/multiverse_joint.tsv", pd.DataFrame([row])), "F1")
    assert words in told.striptags()
