from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rsconn.errors import TableError
from rsconn.published_tables import read_published_table
from rsconn.settings.sections import InputSettings
from rsconn.study.people.participants import check_numeric, convert_column, find_hidden_number, read_people

PHENOTYPE = Path(__file__).parents[4] / "shared/data/phenotype"


def make_settings(participants, *phenotype, values=None, decimal="."):
    return InputSettings(participants=participants, phenotype=phenotype, values=values or {}, decimal=decimal)


def make_groups(column, **levels):
    return SimpleNamespace(column=column, levels=levels)


@pytest.fixture
def write(tmp_path):
    def write_table(text, name="participants.tsv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write_table


def test_ids_get_their_prefix_and_rows_are_sorted(write):
    people = read_people(make_settings(write("participant_id\tage\n02\t30\nsub-01\t40\n")))
    assert people["participant_id"].tolist() == ["sub-01", "sub-02"]
    assert people["age"].tolist() == [40, 30]


@pytest.mark.parametrize(
    "word", ["", "n/a", "N/A", "NA", "nan", "NaN", "null", "#N/A", "n.a.", "-", ".", "None", "missing"]
)
def test_every_spelling_of_missing_in_numbers(word):
    values = convert_column(["1", word])
    assert values.dtype == float
    assert np.isnan(values[1])


def test_words_that_can_be_answers_stay_in_text():
    assert convert_column(["drug", "none", "n/a"]).tolist() == ["drug", "none", None]


@pytest.mark.parametrize("cell", ["1_000", "inf", "nan1", "0x10", "1,5"])
def test_what_python_would_read_as_a_number_is_text(cell):
    assert convert_column([cell, "2"]).dtype == object


def test_decimal_commas_are_read_only_when_declared():
    assert convert_column(["1,5", "2"], ",").tolist() == [1.5, 2.0]
    assert convert_column(["1.5", "2"], ",").tolist() == [1.5, 2.0]
    assert convert_column(["1.234,5", "2"], ",").dtype == object
    assert convert_column(["1.5", "2,5"], ",").dtype == object


def test_comma_in_a_score_names_the_option(write):
    people = read_people(make_settings(write("participant_id\tpt\n01\t3,5\n02\t4\n")))
    with pytest.raises(TableError, match=r"'pt', sub-01: '3,5' is not a number; .* set input.decimal: ','"):
        check_numeric(people, "pt", option="scores.PT.column")


def test_text_in_a_score_names_the_cell(write):
    people = read_people(make_settings(write("participant_id\tpt\n01\t3\n02\tfour\n")))
    with pytest.raises(TableError, match=r"sub-02: 'four' is not a number; .*input.values"):
        check_numeric(people, "pt", option="scores.PT.column")


def test_a_number_among_words_is_found():
    assert find_hidden_number(["a", "1b", None]) is None
    assert find_hidden_number(np.array([1.0, 2.0])) is None
    assert find_hidden_number([None, "34 years", "12,5"]) == "12,5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject\tage\n01\t3\n", r"no column participant_id; found subject, age; rename"),
        ("participant_id\tage\n01\t3\nsub-01\t4\n", r"sub-01 occurs twice \(lines 2 and 3\)"),
        ("participant_id\tage\n01\t3\n\t4\n", r"line 3: no participant_id"),
        ("participant_id\tage\n../etc\t3\n", r"line 2: participant_id '../etc'; letters, digits"),
        ("participant_id\tage\n<b>\t3\n", r"participant_id '<b>'"),
        ("participant_id\tage\tage\n01\t3\t3\n", r"column 'age' occurs twice"),
        ("participant_id\tage\n01\t3\t5\n", r"line 2 has 3 cells, the header has 2"),
        ("participant_id\tage\tsex\n01\t3\n", r"line 2 has 2 cells, the header has 3"),
        ("", r"the table is empty"),
        ("participant_id\tsession_id\n01\t1\n01\t2\n", r"sub-01 has several rows .* or sessions: separate"),
    ],
)
def test_refused_tables(write, text, message):
    with pytest.raises(TableError, match=message):
        read_people(make_settings(write(text)))


def test_a_spreadsheet_and_another_encoding_are_refused(write, tmp_path):
    (tmp_path / "p.xlsx").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(TableError, match="spreadsheet; save it as tab-separated"):
        read_people(make_settings(tmp_path / "p.xlsx"))
    with pytest.raises(TableError, match="line 2 is not UTF-8"):
        read_people(make_settings(write("participant_id\tx\n01\tå\n", encoding="latin-1")))
    with pytest.raises(TableError, match="no such file"):
        read_people(make_settings(tmp_path / "absent.tsv"))


def test_marks_quotes_and_other_separators(write):
    table = read_published_table(write('\ufeffa\tb\r\n1\t"x ""y"""\r\n\r\n2\t5" tall\r\n'))
    assert table.columns == {"a": ["1", "2"], "b": ['x "y"', '5" tall']}
    assert table.lines == (2, 4)
    assert read_published_table(write('a,b\n1,"x, y"\n', "t.csv")).columns == {"a": ["1"], "b": ["x, y"]}
    assert read_published_table(write("a;b\n1,5;2\n", "t.csv")).columns == {"a": ["1,5"], "b": ["2"]}
    assert read_published_table(write('a\tb\n1\t"x\ty"\n')).columns == {"a": ["1"], "b": ["x\ty"]}


def test_two_lone_quotes_do_not_swallow_a_row(write):
    table = read_published_table(write('id\tnote\tx\n1\t"odd\t5\n2\t"odd too\t6\n'))
    assert table.columns["x"] == ["5", "6"]


def test_trailing_empty_cells_are_dropped(write):
    assert read_published_table(write("a\tb\t\t\n1\t2\t\t\n3\t4\n")).columns == {
        "a": ["1", "3"],
        "b": ["2", "4"],
    }


def test_tables_join_and_lose_nobody(write):
    participants = write("participant_id\tgroup\n01\tT\n02\tC\n")
    phenotype = write("participant_id\tpt\n02\t5\n03\t7\n", "iri.tsv")
    people = read_people(make_settings(participants, phenotype), make_groups("group", T="T", C="C"))
    assert people["participant_id"].tolist() == ["sub-01", "sub-02", "sub-03"]
    np.testing.assert_array_equal(people["pt"].to_numpy(), [np.nan, 5, 7])
    assert people["group"].to_numpy(dtype=object, na_value=None).tolist() == ["T", "C", None]


def test_two_tables_may_agree_but_not_disagree(write):
    participants = write("participant_id\tage\n01\t25\n02\tn/a\n")
    agreeing = write("participant_id\tage\n01\t25.0\n02\t31\n", "a.tsv")
    assert read_people(make_settings(participants, agreeing))["age"].tolist() == [25, 31]
    other = write("participant_id\tage\n01\t26\n", "b.tsv")
    with pytest.raises(TableError, match=r"column 'age': sub-01 has '26', another table has '25'"):
        read_people(make_settings(participants, other))


def test_values_and_levels_rename(write):
    path = write("participant_id\tsite\tsex\n01\t1.0\tfemale\n02\t2.0\tm\n03\t3.0\t-999\n")
    settings = make_settings(path, values={"sex": {"female": "F", "m": "M", "-999": "n/a"}})
    people = read_people(settings, make_groups("site", bochum="1", szeged="2"))
    wanted = ["bochum", "szeged", None]
    assert people["group"].to_numpy(dtype=object, na_value=None).tolist() == wanted
    assert people["site"].to_numpy(dtype=object, na_value=None).tolist() == wanted
    assert people["sex"].to_numpy(dtype=object, na_value=None).tolist() == ["F", "M", None]


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        ({"gender": {}}, None, r"no column 'gender', which input.values names; found group"),
        ({}, make_groups("grp", T="T"), r"no column 'grp' \(groups.column\)"),
        (
            {},
            make_groups("group", therapist="T", control="K"),
            r"has no 'K' \(groups.levels.control\); it has 'C' \(1\), 'T'",
        ),
    ],
)
def test_settings_that_do_not_fit_the_table(write, values, groups, message):
    with pytest.raises(TableError, match=message):
        read_people(make_settings(write("participant_id\tgroup\n01\tT\n02\tC\n"), values=values), groups)


def test_sessions(write):
    participants = write("participant_id\tsex\n01\tF\n02\tM\n")
    ratings = write("participant_id\tsession_id\trating\n01\tses-1\t3\n01\t2\t5\n", "ratings.tsv")
    people = read_people(make_settings(participants, ratings), sessions="separate")
    assert people[["participant_id", "session"]].to_numpy(dtype=object, na_value=None).tolist() == [
        ["sub-01", "1"], ["sub-01", "2"], ["sub-02", None]
    ]  # fmt: skip
    assert people["sex"].tolist() == ["F", "F", "M"]
    assert people["rating"].tolist()[:2] == [3, 5]


@pytest.fixture(scope="module")
def phenotype():
    if not PHENOTYPE.exists():
        pytest.skip("the shared real data are not beside the repository")
    return PHENOTYPE


def test_ds000201_as_published(phenotype):
    path = phenotype / "ds000201/participants.tsv"
    settings = make_settings(path, values={"Sex": {"Female": "F", "Male": "M"}}, decimal=",")
    people = read_people(settings, make_groups("AgeGroup", young="Young", old="Old"))
    assert len(people) == 86
    assert people["group"].value_counts().to_dict() == {"young": 47, "old": 39}
    for name in ("IRI_EC", "IRI_PT", "IRI_PD", "IRI_F"):
        values = people[name].to_numpy(dtype=float)
        assert ((values >= 1) & (values <= 5)).all()
        # item means of seven answers
        np.testing.assert_allclose(values * 7, np.round(values * 7), atol=1e-6)
    assert people.loc[people["participant_id"] == "sub-9001", "IRI_EC"].item() == pytest.approx(25 / 7)


def test_ds000201_without_the_decimal_option_is_refused(phenotype):
    people = read_people(make_settings(phenotype / "ds000201/participants.tsv"))
    with pytest.raises(TableError, match=r"set input.decimal: ','"):
        check_numeric(people, "IRI_EC", option="scores.EC.column")


def test_ds003823_as_published(phenotype):
    path = phenotype / "ds003823/participants_erq_fd.tsv"
    people = read_people(make_settings(path), make_groups("age_group", younger="YA", older="OA"))
    assert isinstance(people, pd.DataFrame)
    suppression = people.groupby("group")["erq-FR_suppression_w1"].agg(["count", "mean", "std"]).round(2)
    assert suppression.loc["younger"].tolist() == [120, 16.14, 4.89]
    assert suppression.loc["older"].tolist() == [72, 14.33, 5.25]
