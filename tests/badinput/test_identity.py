"""Ids and sessions that are written in two ways: settled by the config, matched, or told with the nearest twin."""

import pandas as pd
import pytest
from pydantic import ValidationError

from rsconn.commands.check import check_config
from rsconn.errors import TableError
from rsconn.settings.sections import InputSettings
from rsconn.study.people.identity import find_twins, match_sessions
from rsconn.study.people.participants import read_people

SPELLINGS = ", ".join(f"P{number}: sub-{number:02d}" for number in range(1, 21))
IDS = [f"sub-{number:02d}" for number in range(1, 21)]


def spoil(spell, n=9):
    return [spell(person) for person in IDS[:n]] + IDS[n:]


@pytest.mark.parametrize(
    ("spell", "found"),
    [
        (lambda person: person.replace("-0", "-"), "sub-1: sub-01"),
        (lambda person: person.upper(), "sub-SUB-01: sub-01"),
        (lambda person: f"sub-{person}", "sub-sub-01: sub-01"),
        (lambda person: person.replace("sub-", "P"), "sub-P01: sub-01"),
        (lambda person: person + ".0", "sub-01.0: sub-01"),
        (lambda person: person.replace("sub-", "sub_"), "sub-sub_01: sub-01"),
    ],
)
def test_too_many_ids_in_another_spelling_stop_the_check(make_study, spell, found):
    result = check_config(make_study(ids=spoil(spell)))
    (problem,) = result.problems
    assert "9 of 20 people (45%; censoring.max_share_lost allows 10%)" in problem
    assert found in problem


def test_all_ids_in_another_spelling_name_the_twin(make_study):
    (problem,) = check_config(make_study(ids=[f"P{number}" for number in range(1, 21)])).problems
    assert "sub-P1: sub-01" in problem


def test_few_are_told_per_table_with_the_nearest(make_study):
    result = check_config(make_study(ids=["sub-1", *IDS[1:]]))
    assert result.problems == ()
    assert any(
        "participants.tsv: 1 of 20 ids match nobody with images: sub-1 (sub-01?)" in x for x in result.lines
    )


def test_a_phenotype_table_is_compared_too(make_study, tmp_path):
    config = make_study(input="  phenotype: erq.tsv\n")
    ids = [f"sub-{number}" for number in (1, 2, 3)] + IDS[3:12]
    (tmp_path / "erq.tsv").write_text("participant_id\terq\n" + "".join(f"{person}\t3\n" for person in ids))
    result = check_config(config)
    assert any(
        "erq.tsv: 3 of 12 ids match nobody" in line and "sub-1 (sub-01?)" in line for line in result.lines
    )
    assert any(line.startswith("erq.tsv: 3 of 12 people") for line in result.problems)


def test_people_who_are_only_in_a_table_or_only_scanned_are_no_misspelling(make_study):
    assert check_config(make_study(ids=IDS[:12])).problems == ()
    assert check_config(make_study(n=12, ids=IDS)).problems == ()


@pytest.mark.parametrize(
    "settled",
    [
        "  id_pattern: {'P(\\d+)': 'sub-{:0>2}'}\n",
        "  id_pattern: 'P(\\d+) -> sub-{:0>2}'\n",
        f"  ids: {{{SPELLINGS}}}\n",
        f"  values: {{participant_id: {{{SPELLINGS}}}}}\n",
    ],
)
def test_ids_are_settled_by_the_config(make_study, settled):
    result = check_config(make_study(ids=[f"P{number}" for number in range(1, 21)], input=settled))
    assert result.problems == ()
    assert result.lines[-1].startswith("ready: 20 people")
    assert not any("match nobody" in line for line in result.lines)


def test_an_id_column_of_another_name(make_study, tmp_path):
    config = make_study(input="  id_column: record_id\n")
    table = tmp_path / "participants.tsv"
    table.write_text(table.read_text().replace("participant_id", "record_id"))
    assert check_config(config).problems == ()
    table.write_text(table.read_text().replace("record_id", "code"))
    assert any("no column record_id or participant_id" in line for line in check_config(config).problems)


@pytest.mark.parametrize("pattern", ["(a+)+", "P(\\d+)|x", "(?=x)", "P\\d+", "((\\d+))", "P[0-9]"])
def test_patterns_outside_the_grammar_are_refused(tmp_path, pattern):
    with pytest.raises(ValidationError):
        InputSettings(participants=tmp_path / "p.tsv", id_pattern={pattern: "sub-{}"})


@pytest.mark.parametrize("place", ["{0.__class__}", "{:x}", "{}{}", "{!r}", "{5}"])
def test_places_outside_the_grammar_are_refused(tmp_path, place):
    with pytest.raises(ValidationError):
        InputSettings(participants=tmp_path / "p.tsv", id_pattern={"P(\\d+)": f"sub-{place}"})


@pytest.mark.parametrize("wrong", [{"ids": {"CTL-9": "sub-9"}}, {"id_pattern": {"Q(\\d+)": "sub-{}"}}])
def test_a_spelling_that_no_table_has_is_refused(tmp_path, wrong):
    table = tmp_path / "p.tsv"
    table.write_text("participant_id\tage\nP1\t3\n")
    with pytest.raises(
        TableError, match=r"no table has the id 'CTL-9'|fits no id of the tables, which are P1"
    ):
        read_people(InputSettings(participants=table, **wrong))


def test_whoever_could_be_two_people_has_no_twin():
    assert find_twins(["sub-1"], ["sub-01", "sub-001"]) == {}
    assert find_twins(["sub-CTL0112"], ["sub-CTL0121", "sub-PAT0001"]) == {"sub-CTL0112": "sub-CTL0121"}
    assert find_twins(["sub-11"], ["sub-12", "sub-13"]) == {}


def test_sessions_match_whatever_their_zeros(make_study):
    people = pd.DataFrame({"session": ["1", "2", None]}, dtype=object)
    assert match_sessions(people, {"01", "02"})["session"].tolist() == ["01", "02", None]
    assert match_sessions(people, {"1", "01"}) is people


def test_sessions_of_other_names_are_told(make_study, tmp_path):
    config = make_study(
        sessions=("01", "02"), columns={"session_id": ["pre"] * 20}, extra="sessions: separate\n"
    )
    assert any("session_id: pre of the tables match no session of the images (01, 02)" in line
               for line in check_config(config).problems)  # fmt: skip
    table = tmp_path / "participants.tsv"
    table.write_text(table.read_text().replace("pre", "1"))
    result = check_config(config)
    assert result.problems == ()
    assert any(
        "session_id: 1 of the tables is taken for ses-01 of the images" in line for line in result.lines
    )
    assert any("10 in the tables, 10 with images" in line for line in result.lines)
