import math

import numpy as np
import pytest

from rsconn.errors import TableError
from rsconn.files.tables import format_cell, read_numbers, read_tsv, write_tsv


def test_floats_read_back_exactly(tmp_path):
    values = np.random.default_rng(1).standard_normal(50) * 10.0 ** np.arange(-25, 25)
    write_tsv(tmp_path / "x.tsv", {"v": values})
    _, back = read_numbers(tmp_path / "x.tsv")
    np.testing.assert_array_equal(back[:, 0], values)


@pytest.mark.parametrize("missing", [None, math.nan, np.nan, math.inf, ""])
def test_missing_is_na_and_never_zero(missing):
    assert format_cell(missing) == "n/a"


def test_a_cell_cannot_break_the_table():
    assert format_cell("a\tb\nc") == "a b c"


def test_columns_of_different_length_are_a_bug(tmp_path):
    with pytest.raises(ValueError, match="differ in length"):
        write_tsv(tmp_path / "x.tsv", {"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty"),
        ("a\tb\ta\n1\t2\t3\n", "column 'a' occurs twice"),
        ("a\tb\n1\t2", "cut short"),
        ("a\tb\n1\n", "line 2 has 1 cells, the header has 2"),
    ],
)
def test_broken_tables_are_refused(tmp_path, text, message):
    (tmp_path / "x.tsv").write_text(text)
    with pytest.raises(TableError, match=message):
        read_tsv(tmp_path / "x.tsv")


def test_read_tsv_keeps_text_and_drops_a_byte_order_mark(tmp_path):
    (tmp_path / "x.tsv").write_bytes(b"\xef\xbb\xbfid\tage\r\n007\tn/a\r\n")
    assert read_tsv(tmp_path / "x.tsv") == {"id": ["007"], "age": ["n/a"]}


def test_numbers_refuse_text(tmp_path):
    (tmp_path / "x.tsv").write_text("a\n1,5\n")
    with pytest.raises(TableError, match="numbers or n/a"):
        read_numbers(tmp_path / "x.tsv")


AWKWARD = ('"Quoted', 'a "b" c"', '"', "x", "two\r\nlines", "tab\there", "\x85\u2028\x0c\0", "'", "=cmd|x", "'=cmd",
           '"=cmd', " +1 a", "@x", "-1", "''-x", "-\u00fc", "#", "a,b;c")  # fmt: skip


def test_every_text_stays_on_its_own_row_whatever_its_marks(tmp_path):
    write_tsv(
        tmp_path / "x.tsv", {"id": range(len(AWKWARD)), '"text': AWKWARD, "value": [0.5] * len(AWKWARD)}
    )
    table = read_tsv(tmp_path / "x.tsv")
    assert table["id"] == [str(number) for number in range(len(AWKWARD))]
    assert table['"text'] == [
        {"two\r\nlines": "two lines", "tab\there": "tab here", "\x85\u2028\x0c\0": "n/a"}.get(text, text)
        for text in AWKWARD
    ]
    assert len((tmp_path / "x.tsv").read_text().splitlines()) == len(AWKWARD) + 1


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", '"=1+1"', "@SUM(A1)", "+a", "-b", " =x"])
def test_no_text_is_a_formula_to_a_spreadsheet(text):
    assert format_cell(text) == f"'{text}"
    assert format_cell("-1.5e3") == "-1.5e3"
