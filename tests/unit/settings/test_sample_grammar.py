"""The grammar against an oracle that shares nothing with it: Python's own operators, person by person."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsconn.errors import SettingsError
from rsconn.settings.sample_grammar import is_missing, parse_expression

PEOPLE = {
    "participant_id": ["sub-1", "sub-2", "sub-3", "sub-4", "sub-5"],
    "group": ["therapist", "therapist", "control", "control", None],
    "sex": ["M", "F", "M", "n/a", "F"],
    "age": [40.0, 50.0, math.nan, 60.0, 70.0],
    "LAI-dmPFC": [0.1, -0.2, 0.3, math.nan, 0.5],
    "session": ["1", "2", "1", "2", "01"],
}

CASES = [
    ("", "11111"),
    ("   ", "11111"),
    ("group == 'therapist'", "11000"),
    ('group == "therapist"', "11000"),
    ("group != 'therapist'", "00110"),
    ("not group == 'therapist'", "00110"),
    ("not not group == 'therapist'", "11000"),
    ("group == 'therapist' and sex == 'M'", "10000"),
    ("group == 'control' and sex == 'F'", "00000"),
    ("group == 'therapist' or sex == 'F'", "11001"),
    ("group == 'therapist' or sex == 'F' and age > 60", "11001"),
    ("(group == 'therapist' or sex == 'F') and age > 60", "00001"),
    ("not (group == 'control' or sex == 'F')", "10000"),
    ("group in ['therapist', 'control']", "11110"),
    ("group not in ['therapist']", "00110"),
    ("not group in ['therapist']", "00110"),
    ("age >= 50", "01011"),
    ("age < 5e1", "10000"),
    ("age <= +50.0", "11000"),
    ("age != 50", "10011"),
    ("age == 50", "01000"),
    ("age in [40, 70]", "10001"),
    ("`LAI-dmPFC` > 0", "10101"),
    ("`LAI-dmPFC` > -.25 and `LAI-dmPFC` < .2", "11000"),
    ("session == '1'", "10100"),
    ("session == 1", "10101"),
    ("not age > 45", "10000"),
    ("age == 'x'", "00000"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_who_takes_part(text: str, expected: str) -> None:
    found = parse_expression(text).evaluate(PEOPLE)
    assert found.dtype == bool
    assert "".join("01"[int(value)] for value in found) == expected


def test_tables_of_pandas_are_understood() -> None:
    table = pd.DataFrame(
        {"age": pd.array([40, None], dtype="Int64"), "sex": pd.array(["M", None], dtype="string")}
    )
    assert parse_expression("age > 30").evaluate(table).tolist() == [True, False]
    assert parse_expression("not sex == 'F'").evaluate(table).tolist() == [True, False]
    # a reader that met a gap makes 2 of "2" a float
    assert parse_expression("session == '2'").evaluate({"session": np.array([2.0, np.nan])}).tolist() == [
        True,
        False,
    ]


def test_booleans_are_words() -> None:
    assert parse_expression("included == 'true'").evaluate({"included": [True, False, None]}).tolist() == [
        1,
        0,
        0,
    ]


def test_equal_cells_of_other_types_are_other_words() -> None:
    cells = {"a": [1, True, 1.0, True, np.nan, np.nan, "1"]}
    found = parse_expression("a == 'true'").evaluate(cells).tolist()
    assert found == [False, True, False, True, False, False, False]
    assert parse_expression("a == '1'").evaluate(cells).tolist() == [
        True,
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def test_columns_are_listed() -> None:
    expression = parse_expression("(a == 1 or not `b c` > 2) and d in ['x']")
    assert expression.columns == {"a", "b c", "d"}
    assert parse_expression("").columns == frozenset()


@pytest.mark.parametrize("value", [None, math.nan, np.float32("nan"), "n/a", "N/A", " ", pd.NA, pd.NaT])
def test_missing(value: object) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, "0", "NA-1", False, "none"])
def test_not_missing(value: object) -> None:
    assert not is_missing(value)


MISTAKES = [
    ("group = 'a'", "'=' found at character 7, == needed"),
    ("group == a", "'a' found at character 10, a number, or text in quotes needed"),
    ("group == 'a", "\"'a\" found at character 10, a closing ' needed"),
    ("group", "the end found at character 6, ==, !=, <, <=, >, >= or in [...] needed"),
    ("group ==", "the end found at character 9, a number, or text in quotes needed"),
    ("== 'a'", "'==' found at character 1, a column needed"),
    ("group == 'a' sex == 'b'", "'sex' found at character 14, 'and', 'or' or the end needed"),
    ("group == 'a' and", "the end found at character 17, a column needed"),
    ("group == 'a' & sex == 'b'", "'&' found at character 14, and needed"),
    ("group == 'a' | sex == 'b'", "'|' found at character 14, or needed"),
    ("(group == 'a'", "the end found at character 14, ')' needed"),
    ("group == 'a')", "')' found at character 13, 'and', 'or' or the end needed"),
    ("group in 'a'", "\"'a'\" found at character 10, '[' needed"),
    ("group in []", "']' found at character 11, a number, or text in quotes needed"),
    ("group in ['a'", "the end found at character 14, ']' needed"),
    ("group not 'a'", "\"'a'\" found at character 11, 'in' needed"),
    ("LAI-dmPFC > 0", "'-dmPFC' found at character 4, a column with such characters needs backticks"),
    ("20 < age", "'20' found at character 1, a column needed"),
    ("age < 'old'", "\"'old'\" found at character 7, a number after < needed"),
    ("age > 20 < 40", "'<' found at character 10, 'and', 'or' or the end needed"),
    (
        "sex == 'n/a'",
        "\"'n/a'\" found at character 8, a value that is not missing needed",
    ),
    ("f(x) == 1", "'(x)' found at character 2, ==, !="),
    ("age == 20years", "'20years' found at character 8, a column with such characters needs backticks"),
    ("(" * 60 + "a == 1" + ")" * 60, "no more than 50 nested parentheses needed"),
    ("not " * 60 + "a == 1", "no more than 50 nested parentheses needed"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[case[0][:20] for case in MISTAKES])
def test_mistakes_show_the_place(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_expression(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f'"{text}": ')


def test_absent_column_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"column 'grroup' is not in the table; did you mean 'group'\?"):
        parse_expression("grroup == 'a'").evaluate(PEOPLE)


def test_order_of_words_is_refused() -> None:
    with pytest.raises(SettingsError, match="column 'sex' holds 'M'; numbers needed for >"):
        parse_expression("sex > 3").evaluate(PEOPLE)


def test_nobody() -> None:
    nobody: dict[str, list[Any]] = {"group": []}
    assert parse_expression("group == 'a' and not group == 'b'").evaluate(nobody).shape == (0,)
    assert parse_expression("").evaluate(nobody).shape == (0,)


# --- an oracle: the same tree, written as text and judged by Python, one person at a time
VALUES = st.sampled_from([0.0, 1.0, 2.5])
SIGNS = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
LEAVES = st.tuples(st.sampled_from("ab"), st.sampled_from(sorted(SIGNS)), VALUES)
TREES = st.recursive(
    LEAVES,
    lambda tree: st.one_of(
        st.tuples(st.just("not"), tree), st.tuples(st.sampled_from(["and", "or"]), tree, tree)
    ),
    max_leaves=8,
)


def write_tree(tree: Any) -> str:
    if tree[0] == "not":
        return f"not ({write_tree(tree[1])})"
    if tree[0] in {"and", "or"}:
        return f"({write_tree(tree[1])}) {tree[0]} ({write_tree(tree[2])})"
    return f"{tree[0]} {tree[1]} {tree[2]}"


def judge(tree: Any, person: dict[str, float | None]) -> bool | None:
    """Kleene's tables, written out: None is unknown."""
    if tree[0] == "not":
        value = judge(tree[1], person)
        return None if value is None else not value
    if tree[0] in {"and", "or"}:
        values = {judge(tree[1], person), judge(tree[2], person)}
        decisive = tree[0] == "or"
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    cell = person[tree[0]]
    return None if cell is None else SIGNS[tree[1]](cell, tree[2])


@settings(max_examples=200, deadline=None)
@given(tree=TREES, cells=st.lists(st.tuples(st.none() | VALUES, st.none() | VALUES), max_size=5))
def test_any_tree_agrees_with_person_by_person(tree: Any, cells: list[Any]) -> None:
    columns = {"a": [pair[0] for pair in cells], "b": [pair[1] for pair in cells]}
    found = parse_expression(write_tree(tree)).evaluate(columns)
    assert found.tolist() == [judge(tree, {"a": a, "b": b}) is True for a, b in cells]


@settings(max_examples=300, deadline=None)
@given(text=st.text(alphabet="ab 01.'\"`()[]=!<>,andortin-_&|\\\n\té", max_size=30))
def test_any_text_is_parsed_or_refused_in_one_line(text: str) -> None:
    try:
        expression = parse_expression(text)
    except SettingsError:
        return
    assert expression.text == text
