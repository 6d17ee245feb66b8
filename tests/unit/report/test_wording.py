import math

import pandas as pd
import pytest

from rsconn.report.page.wording import Source, format_count, format_number, format_p, format_significant


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0004, "< 0.001"), (0.001, "0.001"), (0.0496, "0.050"), (1, "1.000"), (math.nan, "n/a")],
)
def test_p_values(value, text):
    assert format_p(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (100.0, "100"),
        (0.1, "0.1"),
        (-0.00012345, "−0.000123"),
        (1e-9, "1.00 × 10⁻⁹"),
        (math.inf, "n/a"),
    ],
)
def test_significant_digits(value, text):
    assert format_significant(value) == text


def test_minus_zero_has_no_sign():
    assert format_number(-0.0001, 2) == "0.00"


def test_counts():
    assert format_count(17.0) == "17"
    assert format_count(math.nan) == "n/a"


def test_missing_is_said_and_names_no_cell():
    source = Source("group/x.tsv", pd.DataFrame({"a": [1.5, None]}))
    assert 'data-row="0"' in source.print_number(0, "a")
    assert source.print_number(1, "a") == '<span class="missing">n/a</span>'
    assert source.print_number(0, "absent") == '<span class="missing">n/a</span>'


def test_text_is_escaped():
    source = Source("group/x.tsv", pd.DataFrame({"a": ["<b>&", None]}))
    assert "&lt;b&gt;&amp;" in source.print_text(0, "a")
    assert source.print_text(1, "a") == ""
