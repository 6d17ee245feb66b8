"""Values that are not what they seem are told with the key that settles them, or refused in one line."""

import pytest

from rsconn.commands.check import check_config

AGES = [str(20 + index) for index in range(20)]


def test_marks_for_missing_are_told_with_the_key(make_study):
    columns = {"age": [*AGES[:17], "-999", "999", "25"], "bdi": [*AGES[:19], "9999"]}
    config = make_study(columns=columns, covariates="[age]", extra="scores: {BDI: {column: bdi}}\n")
    lines = check_config(config).lines
    assert any("input.values: {age: {-999: n/a, 999: n/a}}" in line for line in lines)
    assert any("column 'bdi': sub-20: 9999 beside 20 to 38" in line for line in lines)


def test_extreme_values_are_named(make_study):
    lines = check_config(make_study(columns={"age": [*AGES[:19], "412"]}, covariates="[age]")).lines
    assert any("column 'age': sub-20 412 lies far from the others" in line for line in lines)


@pytest.mark.parametrize(
    "spell", [lambda age: f"0{age}Y", lambda age: f"{age} years", lambda age: f"{age}.5 yrs"]
)
def test_numbers_with_units_are_refused(make_study, spell):
    problems = check_config(make_study(columns={"age": list(map(spell, AGES))}, covariates="[age]")).problems
    (problem,) = problems
    assert "column 'age' (covariates.edge)" in problem
    assert "is a number with its unit" in problem


@pytest.mark.parametrize("decimal", ["", "  decimal: ','\n"])
@pytest.mark.parametrize("as_score", [True, False])
def test_thousands_marks_get_no_advice_of_decimal_commas(make_study, decimal, as_score):
    options = {"extra": "scores: {TIV: {column: tiv}}\n"} if as_score else {"covariates": "[tiv]"}
    config = make_study(columns={"tiv": ["1,231", "987"] * 10}, input=decimal, **options)
    (problem,) = check_config(config).problems
    assert "'1,231' has a thousands mark; write 1231" in problem
    assert "input.decimal" not in problem


def test_ages_as_categories_are_refused_by_name(make_study):
    ages = [f"a{age}" for age in AGES]
    (problem,) = check_config(make_study(columns={"age": ages}, covariates="[age]")).problems
    assert "column 'age' (covariates.edge) is a category of 20 levels for 20 people" in problem


@pytest.mark.parametrize(
    ("cells", "mapping"),
    [
        (["M", "F", "F", "M", "m", "Male", "female", "f", "F", "M"], "Male: M"),
        (["TRUE", "true", "False", "TRUE", "FALSE"] * 2, "False: FALSE"),
    ],
)
def test_spellings_of_one_word_are_told(make_study, cells, mapping):
    lines = check_config(make_study(columns={"sex": cells * 2}, covariates="[sex]")).lines
    assert any("column 'sex'" in line and "categories" in line and mapping in line for line in lines)


def test_scanners_doses_and_sound_columns_are_left_alone(make_study):
    columns = {
        "scanner": ["3T", "7T"] * 10,
        "age": AGES,
        "dose": ["10 mg", "20 mg"] * 10,
        "sex": ["F", "M"] * 10,
    }
    result = check_config(make_study(columns=columns, covariates="[scanner, age, dose, sex]"))
    assert not any("column '" in line for line in result.lines)
