"""Edge names: hyphens, order, all pairs."""

from __future__ import annotations

import pytest

from rsconn.errors import ProblemsError, SettingsError
from rsconn.settings.rois import Edge, list_all_edges, parse_edges


@pytest.mark.parametrize(
    ("name", "rois", "edge"),
    [
        ("LAI-dmPFC", ["LAI", "dmPFC"], Edge("LAI", "dmPFC")),
        ("dmPFC-LAI", ["LAI", "dmPFC"], Edge("dmPFC", "LAI")),
        ("A-B-C", ["A-B", "C"], Edge("A-B", "C")),
        ("A-B-C", ["A", "B-C"], Edge("A", "B-C")),
        ("A-B-C-D", ["A-B", "C-D", "C"], Edge("A-B", "C-D")),
    ],
)
def test_names_are_split_where_both_sides_are_rois(name: str, rois: list[str], edge: Edge) -> None:
    assert parse_edges([name], rois) == (edge,)
    assert edge.name == name


def test_ambiguous_name_is_refused() -> None:
    with pytest.raises(SettingsError, match="'A-B-C' can mean A with B-C or A-B with C; rename a ROI"):
        parse_edges(["A-B-C"], ["A", "B-C", "A-B", "C"])
    with pytest.raises(SettingsError, match="two pairs of ROIs would be called 'A-B-C'"):
        list_all_edges(["A", "B-C", "A-B", "C"])


def test_every_mistake_is_told() -> None:
    with pytest.raises(ProblemsError) as caught:
        parse_edges(["A-X", "A-A", "A-B", "B-A"], ["A", "B"])
    assert len(caught.value.problems) == 3


def test_all_pairs_in_the_order_of_the_set() -> None:
    assert [edge.name for edge in list_all_edges(["C", "A", "B"])] == ["C-A", "C-B", "A-B"]
    assert list_all_edges(["A"]) == ()
