"""Models of maps: who is in them, what is tested, and what cannot be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rsconn.errors import TableError
from rsconn.study.maps.map_designs import list_map_designs, merge_sessions


@pytest.fixture
def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "participant_id": np.array([f"sub-{i}" for i in range(20)], dtype=object),
        "group": np.array(["a"] * 8 + ["b"] * 8 + ["c"] * 3 + [None], dtype=object),
        "sex": np.array(["F", "M"] * 10, dtype=object),
        "age": rng.normal(size=20),
        "PT": np.r_[np.nan, rng.normal(size=19)],
    }


def make_config(
    *levels: str,
    edge: tuple[str, ...] = ("age", "sex"),
    within: str | None = None,
    whole: str | None = None,
    **maps: Any,
) -> SimpleNamespace:
    groups = SimpleNamespace(column="group", levels={level: level for level in levels}) if levels else None
    return SimpleNamespace(
        groups=groups,
        covariates=SimpleNamespace(edge=edge),
        maps=SimpleNamespace(**({"scores": (), "interaction": False} | maps)),
        categorical=(),
        inference=SimpleNamespace(exchange_within=within, exchange_whole=whole),
    )


ALL = np.ones(20, bool)


def test_two_groups_are_one_contrast(columns) -> None:
    [design] = list_map_designs(columns, ALL, make_config("a", "b"))
    assert (design.name, design.text, design.opposite) == ("group", "a > b", "b > a")
    assert design.rows.tolist() == list(range(16))
    assert design.tested.tolist() == [1.0] * 8 + [0.0] * 8
    assert (design.nuisance[:, 0] == 1).all()
    age = columns["age"][:16]
    np.testing.assert_allclose(design.nuisance[:, 1], age - age.mean())
    assert design.reason == ""


def test_three_groups_are_three_contrasts(columns) -> None:
    designs = list_map_designs(columns, ALL, make_config("a", "b", "c"))
    assert [design.name for design in designs] == ["group-a-b", "group-a-c", "group-b-c"]
    assert designs[1].tested.sum() == 8
    assert len(designs[1].tested) == 11


def test_people_without_a_map_are_not_in_it(columns) -> None:
    has_map = ALL.copy()
    has_map[[0, 9]] = False
    [design] = list_map_designs(columns, has_map, make_config("a", "b"))
    assert design.rows.tolist() == [*range(1, 9), *range(10, 16)]


def test_slopes_and_their_difference(columns) -> None:
    config = make_config("a", "b", scores=("PT",), interaction=True)
    _, slope, product = list_map_designs(columns, ALL, config)
    assert slope.rows.tolist() == list(range(1, 16))
    assert slope.covariates == ("group", "age", "sex")
    np.testing.assert_array_equal(slope.tested, columns["PT"][1:16])
    assert product.name == "PT-by-group"
    assert product.covariates == ("PT", "group", "age", "sex")
    # the interaction's coefficient is the difference of the two slopes
    outcome = np.where(slope.rows < 8, 3.0, 1.0) * slope.tested + np.where(slope.rows < 8, 5, 2)
    design = np.column_stack([product.tested, product.nuisance])
    assert np.linalg.lstsq(design, outcome, rcond=None)[0][0] == pytest.approx(2.0)


@pytest.mark.parametrize("constant", ["score", "group"])
def test_difference_of_slopes_is_never_the_slope_of_one_group(columns, constant) -> None:
    if constant == "score":
        columns["PT"][columns["group"] == "b"] = 3.0
    else:
        columns["PT"][columns["group"] == "b"] = np.nan
    config = make_config("a", "b", scores=("PT",), interaction=True, edge=())
    product = list_map_designs(columns, ALL, config)[-1]
    assert product.name == "PT-by-group"
    assert product.reason.startswith("PT-by-group cannot be told apart from the other terms: ")


def test_slope_is_never_the_difference_of_groups(columns) -> None:
    columns["PT"] = (columns["group"] == "a").astype(float)
    config = make_config("a", "b", scores=("PT",), edge=())
    slope = list_map_designs(columns, ALL, config)[-1]
    assert slope.reason == (
        "PT cannot be told apart from the other terms: group is aliased with what is tested"
    )


def test_default_covariates_may_go_without_harm(columns) -> None:
    columns["scanner"] = np.array(["x"] * 20, dtype=object)
    config = make_config("a", "b", scores=("PT",), interaction=True, edge=("scanner",))
    assert [design.reason for design in list_map_designs(columns, ALL, config)] == ["", "", ""]


def test_score_without_groups(columns) -> None:
    [design] = list_map_designs(columns, ALL, make_config(scores=("PT",), edge=()))
    assert len(design.rows) == 19
    assert design.nuisance.shape == (19, 1)


def test_unusable_covariates_are_named(columns) -> None:
    columns["scanner"] = np.array(["x"] * 20, dtype=object)
    [design] = list_map_designs(columns, ALL, make_config("a", "b", edge=("scanner", "age", "PT")))
    assert {left.name: left.why for left in design.dropped} == {"scanner": "is constant in the sample"}
    assert design.covariates == ("age", "PT")
    assert design.rows.tolist() == list(range(1, 16))  # the first has no PT


def test_sites_that_are_the_groups_leave_no_map(columns) -> None:
    columns["site"] = columns["group"]
    [design] = list_map_designs(columns, ALL, make_config("a", "b", edge=("site", "age")))
    assert design.reason == "covariate site is aliased with what is tested"


def test_too_few_people(columns) -> None:
    has_map = np.zeros(20, bool)
    has_map[[0, 1, 2, 3, 4, 5, 8]] = True
    [design] = list_map_designs(columns, has_map, make_config("a", "b", edge=()))
    assert design.reason == "a group needs at least 2 people (a=6;b=1)"
    [design] = list_map_designs(columns, has_map, make_config("c", "d", edge=()))
    assert "too small" in design.reason


def test_absent_columns(columns) -> None:
    with pytest.raises(TableError, match="ET"):
        list_map_designs(columns, ALL, make_config("a", "b", scores=("ET",)))
    with pytest.raises(TableError, match="iq"):
        list_map_designs(columns, ALL, make_config("a", "b", edge=("iq",)))


def test_sessions_are_merged(columns) -> None:
    twice = {name: np.concatenate([column, column[:2]]) for name, column in columns.items()}
    twice["age"][20:] += 1.0
    merged = merge_sessions(twice)
    assert merged["participant_id"].tolist() == columns["participant_id"].tolist()
    np.testing.assert_allclose(merged["age"][:2], columns["age"][:2] + 0.5)
    np.testing.assert_array_equal(merged["age"][2:], columns["age"][2:])
    assert merged["group"].tolist() == columns["group"].tolist()


def test_blocks_are_the_values_of_the_column(columns) -> None:
    columns["site"] = np.array(["x", None] * 10, dtype=object)
    [design] = list_map_designs(columns, ALL, make_config(within="site", scores=("PT",)))
    assert design.blocks is not None
    at_x = columns["site"][design.rows] == "x"
    assert len(set(design.blocks[at_x])) == len(set(design.blocks[~at_x])) == 1
    assert len(set(design.blocks)) == 2
    assert design.units is None
    [free] = list_map_designs(columns, ALL, make_config(scores=("PT",)))
    assert free.blocks is None
    # signs are flipped, which needs no blocks
    [contrast] = list_map_designs(columns, ALL, make_config("a", "b", within="site"))
    assert contrast.blocks is None


def test_slopes_that_adjust_for_the_group_are_exchanged_within_it(columns) -> None:
    contrast, *slopes = list_map_designs(
        columns, ALL, make_config("a", "b", scores=("PT",), interaction=True)
    )
    assert contrast.blocks is None
    for slope in slopes:
        np.testing.assert_array_equal(slope.blocks, columns["group"][slope.rows] == "b")


def test_families_are_exchanged_as_wholes(columns) -> None:
    columns["family"] = np.array(["f", "f", None, "g", "g"] * 4, dtype=object)
    columns["score"] = np.arange(20.0) % 7
    wanted = make_config("a", "b", whole="family", scores=("score",))
    design, slope = list_map_designs(columns, ALL, wanted)
    assert design.units is not None
    units = design.units[:5]
    assert len(set(units[[0, 1]])) == len(set(units[[3, 4]])) == 1
    assert len(set(units)) == 3
    assert (design.exchange, slope.exchange) == ("signs", "orders")


def test_families_on_both_sides_have_signs_to_flip(columns) -> None:
    """No exchange of these pairs as wholes changes what is tested; a sign for each pair does."""
    columns["family"] = np.array([f"pair {i % 8}" for i in range(20)], dtype=object)
    [design] = list_map_designs(columns, ALL, make_config("a", "b", whole="family"))
    assert design.reason == ""
    assert design.blocks is None


def test_few_families_have_no_maps(columns) -> None:
    columns["family"] = np.array([f"family {i % 5}" for i in range(20)], dtype=object)
    [design] = list_map_designs(columns, ALL, make_config("a", "b", whole="family"))
    assert design.reason == (
        "families are exchanged as wholes (inference.exchange_whole), and 5 families have too few signs to flip"
    )


def test_families_that_leave_few_exchanges_have_no_slopes(columns) -> None:
    """Families of different sizes, and two people alone: only the exchange of these two counts."""
    columns["family"] = np.repeat([f"f{i}" for i in range(7)], [2, 3, 4, 5, 4, 1, 1]).astype(object)
    columns["score"] = np.repeat(np.arange(7.0), [2, 3, 4, 5, 4, 1, 1])
    *_, slope = list_map_designs(columns, ALL, make_config(edge=(), whole="family", scores=("score",)))
    assert "exchange" in slope.reason
    assert slope.reason.endswith("of the exchanges change what is tested")
