"""Covariates that would cost people, or a claim its meaning: `rsconn check` says so first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsconn.commands.check import CheckResult, check_config

CONFIG = """\
input: {{participants: people.tsv}}
groups: {{column: group, levels: {{T: T, C: C}}}}
scores: {{Y: {{column: y}}, X: {{column: x}}}}
covariates: {{score: [{covariates}]}}
claims: claims.yaml
inference: {{n_permutations: 0}}
{more}
"""
CLAIM = (
    "- {id: C1, family: f, text: t, outcome: Y, contrast: {column: group, a: T, b: C}, expect: greater}\n"
    "- {id: R1, family: f, text: t, outcome: Y, predictor: X, expect: positive}\n"
)


def make_people(n: int = 60) -> dict[str, list[object]]:
    rng = np.random.default_rng(0)
    return {
        "participant_id": [f"sub-{number:02d}" for number in range(n)],
        "group": ["T"] * (n // 2) + ["C"] * (n // 2),
        "sex": ["F", "M"] * (n // 2),
        "age": [f"{value:.2f}" for value in rng.normal(40, 8, n)],
        "site": [["A", "B", "C"][number % 3] for number in range(n)],
        "y": [f"{value:.4f}" for value in rng.normal(10, 2, n)],
        "x": [f"{value:.4f}" for value in rng.normal(10, 2, n)],
    }


def check(
    folder: Path, people: dict[str, list[object]], covariates: str, claims: str = CLAIM, more: str = ""
) -> CheckResult:
    rows = ["\t".join(people), *("\t".join(map(str, row)) for row in zip(*people.values(), strict=True))]
    (folder / "people.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "claims.yaml").write_text(claims, encoding="utf-8")
    (folder / "config.yaml").write_text(CONFIG.format(covariates=covariates, more=more), encoding="utf-8")
    return check_config(folder / "config.yaml")


@pytest.mark.parametrize(("n_missing", "said"), [(30, "all"), (27, "27"), (4, "4")])
def test_a_default_that_costs_a_side_too_many_stops(tmp_path: Path, n_missing: int, said: str) -> None:
    people = make_people()
    people["age"][30 : 30 + n_missing] = ["n/a"] * n_missing
    result = check(tmp_path, people, "age, sex")
    assert result.problems[0].startswith(
        f"covariates.score: of 30 C, age missing for {said}; {n_missing} of 30 would be lost for it "
        f"({n_missing / 30:.0%}; censoring.max_share_lost allows 10%); fill in the cells, take age out of"
    )


def test_a_few_missing_are_told_by_side_and_stop_nothing(tmp_path: Path) -> None:
    people = make_people()
    people["age"][31], people["sex"][32] = "n/a", "n/a"
    result = check(tmp_path, people, "age, sex")
    assert result.problems == ()
    assert (
        "covariates missing: covariates.score: of 30 C, age missing for 1, sex missing for 1" in result.lines
    )


def test_a_claims_own_list_is_the_authors_choice(tmp_path: Path) -> None:
    people = make_people()
    people["age"][30:50] = ["n/a"] * 20
    own = CLAIM.replace("expect", "covariates: [age], expect")
    result = check(tmp_path, people, "", own)
    assert result.problems == ()
    assert "covariates missing: claim C1, covariates: of 30 C, age missing for 20" in result.lines


def test_a_default_that_everybody_lacks_costs_nobody(tmp_path: Path) -> None:
    people = make_people()
    people["age"] = ["n/a"] * 60
    assert check(tmp_path, people, "age").problems == ()


def test_sites_that_are_the_groups_are_named_first(tmp_path: Path) -> None:
    people = make_people()
    people["site"] = ["A"] * 30 + ["B"] * 30
    result = check(tmp_path, people, "site")
    assert "  not testable: C1: covariate site is aliased with what is tested" in result.lines


@pytest.mark.parametrize(
    ("values", "asked"),
    [("123", True), ("12", False), (("1.5", "2.5", "4"), False), (("a", "b", "c"), False)],
)
def test_numbers_that_may_be_codes_are_questioned(tmp_path: Path, values: str, asked: bool) -> None:
    people = make_people()
    people["site"] = [values[number % len(values)] for number in range(60)]
    lines = [line for line in check(tmp_path, people, "site").lines if "categorical: [site]" in line]
    assert bool(lines) == asked
    assert not any(
        "categorical" in line for line in check(tmp_path, people, "site", more="categorical: [site]").lines
    )


def test_a_categorical_column_that_is_not_there(tmp_path: Path) -> None:
    result = check(tmp_path, make_people(), "site", more="categorical: [sit]")
    assert result.problems[0].startswith("no column 'sit' in the tables (categorical)")


def test_one_person_under_two_ids(tmp_path: Path) -> None:
    people = make_people()
    for name in ("age", "x", "y"):
        people[name][40] = people[name][7]
    result = check(tmp_path, people, "sex")
    assert result.problems[0].startswith("sub-07 and sub-40 have the same values of age, y, x: one person")


def test_strangers_with_equal_sums_are_two_people(tmp_path: Path) -> None:
    people = make_people()
    rng = np.random.default_rng(1)
    for name in ("y", "x", "age"):  # whole numbers of few steps, all alike in two people
        people[name] = rng.integers(0, 28, 60).tolist()
        people[name][40] = people[name][7]
    assert check(tmp_path, people, "sex").problems == ()


@pytest.mark.parametrize("cell", ["1e400", "-1e999", "inf"])
def test_numbers_without_end_are_refused(tmp_path: Path, cell: str) -> None:
    people = make_people()
    people["y"][3] = cell
    assert cell in check(tmp_path, people, "sex").problems[0]
