import math

import numpy as np
import pytest

from rsconn.errors import TableError
from rsconn.files.tables import format_cell, read_tsv, write_tsv
from rsconn.label_tables import read_label_table
from rsconn.published_tables import read_numbers, read_published_table


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


_PEOPLE = [f"sub-{number:02d}\tF\tnote" for number in range(1, 21)]


def _write_people(path, changes, delimiter="\t"):
    rows = ["participant_id\tsex\tnote", *_PEOPLE]
    for line, text in changes.items():
        rows[line - 1] = text
    path.write_text("\n".join(rows).replace("\t", delimiter) + "\n")
    return path


@pytest.mark.parametrize("delimiter", ["\t", ",", ";"])
def test_two_lone_quotes_swallow_nobody(tmp_path, delimiter):
    changes = {3: 'sub-02\tF\t"told', 6: "sub-05\tF\tnote\tmore", 15: 'sub-14\tF\ttold"'}
    with pytest.raises(TableError, match=r"x\.tsv: line [36] ?.*(quotation mark|cells)"):
        read_published_table(_write_people(tmp_path / "x.tsv", changes, delimiter))


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_lone_quotes_without_a_long_row_swallow_nobody_either(tmp_path, delimiter):
    changes = {3: 'sub-02\tF\t"told', 15: 'sub-14\tF\ttold"'}
    with pytest.raises(TableError, match="line 3: a quotation mark"):
        read_published_table(_write_people(tmp_path / "x.tsv", changes, delimiter))
    with pytest.raises(TableError, match="line 3"):
        read_published_table(_write_people(tmp_path / "x.tsv", {3: changes[3]}, delimiter))


def test_an_overlong_row_is_named(tmp_path):
    with pytest.raises(TableError, match="line 6 has 4 cells, the header has 3"):
        read_published_table(_write_people(tmp_path / "x.tsv", {6: "sub-05\tF\tnote\tmore"}))


def test_a_text_of_several_lines_in_balanced_quotes_is_one_cell(tmp_path):
    (tmp_path / "x.csv").write_text('id,text\n1,"first, he said\nthen, ""she"" did"\n2,x\n')
    table = read_published_table(tmp_path / "x.csv")
    assert table.columns == {"id": ["1", "2"], "text": ['first, he said\nthen, "she" did', "x"]}
    assert table.lines == (2, 4)


def test_nul_bytes_are_named_by_line_and_not_printed(tmp_path):
    (tmp_path / "x.tsv").write_bytes(b"a\tb\n1\t" + b"\0" * 4096 + b"\n")
    for read in (read_published_table, read_numbers):
        with pytest.raises(TableError, match="line 2 has NUL bytes") as error:
            read(tmp_path / "x.tsv")
        assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"a\t b \r\n1\tn/a\r\n", [1, math.nan]),
        (b"a\tb\t\n1\t2\t\n", [1, 2]),
        (b'"a"\t"b"\n"1"\t"NA"\n', [1, math.nan]),
        (b"a,b\n1,2\n", [1, 2]),
        ("a\tb\n1\t2\n".encode("utf-16"), [1, 2]),
    ],
)
def test_numbers_are_read_as_they_lie(tmp_path, content, values):
    (tmp_path / "x.tsv").write_bytes(content)
    names, found = read_numbers(tmp_path / "x.tsv")
    assert names == ("a", "b")
    np.testing.assert_array_equal(found, [values])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\tb\n1\t2\n1\n", "line 3 has 1 cells"),
        (b"a\tb\n1\tx\n", "line 2: 'x' found"),
        (b"0.5\t0.25\n1\t2\n", "first line is numbers"),
        (b"a\tb\n1\t\xff\n", "line 2 is not UTF-8"),
    ],
)
def test_damaged_numbers_name_the_line(tmp_path, content, words):
    (tmp_path / "x.tsv").write_bytes(content)
    with pytest.raises(TableError, match=words):
        read_numbers(tmp_path / "x.tsv")


@pytest.mark.parametrize(
    "content",
    [
        b"index\tname\n17\tAlpha\n-3\tBeta\n",
        b'"index","name"\r\n"17.0","Alpha"\r\n"-3","Beta"\r\n',
        b"Index;Name\n17; Alpha \n-3;Beta\n",
        "index\tname\n17\tAlpha\n-3\tBeta\n".encode("utf-16"),
        b"# No. Label\n17  Alpha  220 216 20 0\n-3 Beta 1 2 3 0\n",
        b'<?xml version="1.0"?><atlas><label index="16" x="1">Alpha</label><label index="-4">Beta</label></atlas>',
    ],
)
def test_label_tables_of_every_maker(tmp_path, content):
    (tmp_path / "labels").write_bytes(content)
    assert read_label_table(tmp_path / "labels") == [(17, ("Alpha",)), (-3, ("Beta",))]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"index\tname\n1\tcaf\xe9\n", "line 2 is not UTF-8"),
        (b"name\tsize\nA\t1\n", "no column 'index'.*found name, size"),
        (b"index\tname\none\tA\n", "line 2: 'one'"),
        (b"<html><body/></html>", "XML without label"),
        (b"<atlas><label>x</atlas>", "not FSL's list"),
    ],
)
def test_damaged_label_tables_are_one_line(tmp_path, content, words):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(TableError, match=words) as error:
        read_label_table(tmp_path / "labels")
    assert "\n" not in str(error.value)
