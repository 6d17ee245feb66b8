"""Columns of parcellated series: order, duplicate names, gaps."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.errors import TableError
from rsconn.files.confounds import read_parcellated

TABLE = "FP\tPRC\tCER\tPRC\n1\t2\tn/a\t4\n5\t6\tn/a\t8\n"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "sub-01_timeseries.tsv"
    path.write_text(TABLE)
    return path


def test_columns_come_in_the_order_asked_for(table):
    assert read_parcellated(table, ["PRC#2", "FP", "PRC#1"]).tolist() == [[4, 1, 2], [8, 5, 6]]


def test_a_region_without_coverage_is_missing(table):
    assert np.isnan(read_parcellated(table, ["CER"])).all()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("PRC", r"column 'PRC' occurs 2 times; ask for one of them as PRC#1 to PRC#2"),
        ("PRC#3", r"column 'PRC' occurs 2 times; 'PRC#3' asked for"),
        ("FPP", r"no column 'FPP' among 4; there are FP"),
        ("FP#2", r"column 'FP' occurs 1 times; 'FP#2' asked for"),
    ],
)
def test_columns_that_are_not_there_are_refused(table, column, message):
    with pytest.raises(TableError, match=message):
        read_parcellated(table, [column])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n", "a header and no rows"),
        ("a\tb\n1\t2\t3\n", "line 2 has 3 cells, the header has 2"),
        ("a\tb\n1\tx\n", "line 2: 'x' found"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, message):
    path = tmp_path / "sub-01_timeseries.tsv"
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        read_parcellated(path, ["a"])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TableError, match="no such file"):
        read_parcellated(tmp_path / "gone.tsv", ["a"])


def test_a_name_that_holds_the_sign_is_found_as_it_stands(tmp_path):
    path = tmp_path / "sub-01_timeseries.tsv"
    path.write_text("A#2\tA\tA\n1\t2\t3\n")
    assert read_parcellated(path, ["A#2", "A#1"]).tolist() == [[1, 2]]


def test_real_series(shared_data):
    path = shared_data / "rpn/sub-bochum004/func/sub-bochum004_task-rest_seg-MIST122_stat-mean_timeseries.tsv"
    series = read_parcellated(path, ["AINS_ad", "DMPFcor_ac", "PGACcor", "MORBgyr"])
    header, first = (line.split("\t") for line in path.read_text().splitlines()[:2])
    assert series.shape == (200, 4)
    assert series[0, 2] == float(first[header.index("PGACcor")])
