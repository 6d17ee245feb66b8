"""Edges: pairs of ROIs by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from rsconn.errors import SettingsError
from rsconn.naming import format_edge
from rsconn.settings.fields import find_twice
from rsconn.settings.problems import raise_problems, suggest


@dataclass(frozen=True)
class Edge:
    """One pair of ROIs."""

    first: str
    second: str

    @property
    def name(self) -> str:
        """The edge's name, such as ``LAI-dmPFC``."""
        return format_edge(self.first, self.second)


def list_all_edges(rois: Sequence[str]) -> tuple[Edge, ...]:
    """Return every pair, in the order of the ROI set.

    Raises
    ------
    SettingsError
        If two pairs would have one name, because ROI names have hyphens.
    """
    edges = tuple(Edge(first, second) for first, second in combinations(rois, 2))
    names = [edge.name for edge in edges]
    twice = find_twice(names)
    if twice:
        raise SettingsError(
            f"edges: two pairs of ROIs would be called {twice[0]!r}; rename a ROI that has a hyphen"
        )
    return edges


def parse_edges(names: Sequence[str], rois: Sequence[str]) -> tuple[Edge, ...]:
    """Return the edges that the names mean.

    A ROI name may have hyphens itself: the name is split where both sides are ROIs.

    Raises
    ------
    SettingsError, ProblemsError
        If a name has no such split, or more than one, or a pair occurs twice.

    Examples
    --------
    >>> parse_edges(["A-B-C"], ["A-B", "C"])
    (Edge(first='A-B', second='C'),)
    """
    edges: list[Edge] = []
    problems: list[str] = []
    for name in names:
        try:
            edge = _parse_edge(name, rois)
            _check_new(edge, edges)
            edges.append(edge)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise_problems(problems)
    return tuple(edges)


def _parse_edge(name: str, rois: Sequence[str]) -> Edge:
    splits = [(name[:at], name[at + 1 :]) for at, character in enumerate(name) if character == "-"]
    pairs = [pair for pair in splits if pair[0] in rois and pair[1] in rois]
    if len(pairs) > 1:
        shown = " or ".join(f"{first} with {second}" for first, second in pairs)
        raise SettingsError(f"edges: {name!r} can mean {shown}; rename a ROI that has a hyphen")
    if not pairs:
        raise SettingsError(f"edges: {name!r} {_explain_unknown(splits, rois)}")
    if pairs[0][0] == pairs[0][1]:
        raise SettingsError(f"edges: {name!r} joins a ROI with itself; two ROIs needed")
    return Edge(*pairs[0])


def _explain_unknown(splits: Sequence[tuple[str, str]], rois: Sequence[str]) -> str:
    if not splits:
        return "is no pair of ROIs; two names joined by a hyphen needed, such as LAI-dmPFC"
    best = min(splits, key=lambda pair: sum(part not in rois for part in pair))
    unknown = next(part for part in best if part not in rois)
    return f"names no ROI {unknown!r}; {suggest(unknown, rois, what='ROIs')}"


def _check_new(edge: Edge, edges: Sequence[Edge]) -> None:
    for other in edges:
        if {other.first, other.second} == {edge.first, edge.second}:
            raise SettingsError(f"edges: {edge.name!r} is the pair {other.name!r} again; each pair once")
