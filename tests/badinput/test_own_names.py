"""Columns of a table that have a name of ours are left aside with a word, or refused; never mistaken for ours."""

import pandas as pd
import pytest

from rsconn.commands.check import check_config
from rsconn.study.people.own_names import compare_mean_fd

WAVES = [f"wave{1 + index // 2 % 2}" for index in range(20)]


@pytest.mark.parametrize("name", ["session", "included", "A-B"])
def test_a_column_that_nobody_asks_for_is_left_aside_with_a_word(make_study, name):
    result = check_config(make_study(columns={name: WAVES}))
    assert result.problems == ()
    assert any(f"participants.tsv: column '{name}' is left aside" in line for line in result.lines)


@pytest.mark.parametrize("name", ["included", "A-C"])
def test_a_column_that_is_asked_for_is_refused(make_study, name):
    result = check_config(make_study(columns={name: WAVES}, covariates=f"[{name}]"))
    assert any(f"column '{name}' and" in line and "rename" in line for line in result.problems)


def test_the_group_of_another_column_does_not_replace_the_tables_group(make_study):
    config = make_study(columns={"dx": ["con", "pat"] * 10}, covariates="[group]")
    config.write_text(config.read_text().replace("{column: group", "{column: dx"))
    (problem,) = check_config(config).problems
    assert "column 'group' and the group of groups.column 'dx' have one name" in problem


def test_a_session_column_is_no_session_id(make_study):
    config = make_study(
        sessions=("1", "2"), columns={"session": ["1", "2"] * 10}, extra="sessions: separate\n"
    )
    (problem,) = check_config(config).problems
    assert "column 'session' found, session_id needed" in problem


def test_a_mean_fd_of_the_table_wins_and_its_difference_is_told():
    people = pd.DataFrame({"participant_id": ["sub-01", "sub-02"], "mean_fd": [120.0, 0.1]})
    (line,) = compare_mean_fd(people, [0.1, 0.105])
    assert "1 of 2 people (sub-01: 120 in the table, 0.1 mm in the confounds)" in line
    assert compare_mean_fd(people.drop(columns="mean_fd"), [0.1, 0.1]) == []
    assert compare_mean_fd(people.iloc[1:], [0.1]) == []
