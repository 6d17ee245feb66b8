r"""`input.id_pattern`: how a table's ids become the images' ids, in a grammar too small to do harm.

The left side is literal text with groups in parentheses, each one of ``(\d+)``, ``(\w+)``, ``([A-Za-z]+)`` and
``(.+)``, or with ``{n}`` for ``+``. The right side is literal text with one ``{}`` per group, in their order;
``{:0>3}`` fills up with zeros to three characters, ``{0}`` and ``{1:0>3}`` name the group.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_GROUP = re.compile(r"\((\\d|\\w|\[A-Za-z\]|\[a-z\]|\[A-Z\]|\.)(\+|\{\d{1,2}\})\)")
_PLACE = re.compile(r"\{(\d?)(?::([^{}<>])([<>])(\d{1,2}))?\}")
_ARROW = "->"


def split_pattern(value: Any) -> Any:
    r"""Return ``'P(\d+) -> sub-{}'`` written as one text as the mapping that it means; others as they are."""
    if not isinstance(value, str):
        return value
    left, arrow, right = value.partition(_ARROW)
    if not arrow:
        raise ValueError(
            f"{value!r} found, the table's spelling -> the images' needed, such as 'P(\\d+) -> sub-{{:0>3}}'"
        )
    return {left.strip().strip("'\""): right.strip().strip("'\"")}


def check_patterns(patterns: dict[str, str]) -> dict[str, str]:
    """Return patterns that follow the grammar.

    Raises
    ------
    ValueError
        Naming the side that does not.
    """
    for left, right in patterns.items():
        n_groups = len(_GROUP.findall(left))
        if re.search(r"[()\\\[\]*+?|^${}]", _GROUP.sub("", left)):
            raise ValueError(
                f"{left!r}: literal text and groups (\\d+), (\\w+), ([A-Za-z]+), (.+) needed, as 'P(\\d+)'"
            )
        if re.search(r"[{}]", _PLACE.sub("", right)):
            raise ValueError(f"{right!r}: literal text and places {{}} or {{:0>3}} needed, as 'sub-{{:0>3}}'")
        _check_places(left, right, n_groups)
    return patterns


def _check_places(left: str, right: str, n_groups: int) -> None:
    places = [int(place[1]) if place[1] else order for order, place in enumerate(_PLACE.finditer(right))]
    if any(place >= n_groups for place in places):
        raise ValueError(
            f"{right!r} has {len(places)} places, {left!r} has {n_groups} groups; as many needed"
        )


def rewrite_id(cell: str, patterns: Mapping[str, str]) -> str | None:
    r"""Return what the first pattern that fits the whole cell makes of it; None if none does.

    Examples
    --------
    >>> rewrite_id("P7", {r"P(\d+)": "sub-{:0>3}"}), rewrite_id("Q7", {r"P(\d+)": "sub-{:0>3}"})
    ('sub-007', None)
    """
    for left, right in patterns.items():
        match = re.fullmatch(_compile(left), cell)
        if match:
            return _fill(right, match.groups())
    return None


def _compile(left: str) -> str:
    """Escape everything outside the groups."""
    parts, end = [], 0
    for group in _GROUP.finditer(left):
        parts += [re.escape(left[end : group.start()]), group[0]]
        end = group.end()
    return "".join([*parts, re.escape(left[end:])])


def _fill(right: str, groups: tuple[str, ...]) -> str:
    orders = iter(range(len(groups)))

    def replace(place: re.Match[str]) -> str:
        text = groups[int(place[1])] if place[1] else groups[next(orders)]
        if not place[4]:
            return text
        width = int(place[4])
        return text.rjust(width, place[2]) if place[3] == ">" else text.ljust(width, place[2])

    return _PLACE.sub(replace, right)
