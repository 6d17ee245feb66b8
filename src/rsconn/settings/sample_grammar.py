"""The small language of ``sample`` and ``where``: who takes part in a claim.

::

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | comparison
    comparison := column sign value | column ["not"] "in" "[" value ("," value)* "]"
    sign       := "==" | "!=" | "<" | "<=" | ">" | ">="
    column     := name | "`" any text "`"
    value      := number | 'text' | "text"

It is parsed and never evaluated as code. A missing value satisfies no comparison, nor its negation: a person
whose sex is unknown is neither in ``sex == 'M'`` nor in ``not sex == 'M'`` (Kleene's three-valued logic).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rsconn.errors import SettingsError
from rsconn.settings.problems import suggest
from rsconn.settings.sample_parser import Comparison, Conjunction, Negation, Node, Parser, is_missing

BoolArray = npt.NDArray[np.bool_]
Columns = Mapping[str, Sequence[Any]]

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A parsed condition; `root` is None for everybody."""

    text: str
    root: Node | None

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison, from left to right."""
        return () if self.root is None else _list_comparisons(self.root)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the condition reads."""
        return frozenset(comparison.column for comparison in self.comparisons)

    def evaluate(self, columns: Columns) -> BoolArray:
        """Return who satisfies the condition.

        Parameters
        ----------
        columns : mapping of str to sequence
            Columns of equal length; None, NaN, ``n/a`` and empty text are missing.

        Returns
        -------
        bool array (n_people,)
            True where the condition holds.

        Raises
        ------
        SettingsError
            If a column is absent, or an order is asked of text.
        """
        if self.root is None:
            return np.ones(len(next(iter(columns.values()), ())), dtype=bool)
        return _evaluate(self.root, columns)[0]


def parse_expression(text: str) -> Expression:
    """Parse a condition; empty text means everybody.

    Raises
    ------
    SettingsError
        If the text does not follow the grammar; the message shows the place and what was needed.

    Examples
    --------
    >>> expression = parse_expression("group == 'therapist' and not sex in ['F']")
    >>> sorted(expression.columns)
    ['group', 'sex']
    >>> expression.evaluate({"group": ["therapist", "therapist"], "sex": ["M", None]}).tolist()
    [True, False]
    """
    if not text.strip():
        return Expression(text, None)
    return Expression(text, Parser(text).parse())


def _list_comparisons(node: Node) -> tuple[Comparison, ...]:
    if isinstance(node, Comparison):
        return (node,)
    if isinstance(node, Negation):
        return _list_comparisons(node.operand)
    return tuple(found for operand in node.operands for found in _list_comparisons(operand))


def _evaluate(node: Node, columns: Columns) -> tuple[BoolArray, BoolArray]:
    """Return where the condition holds and where it fails; a missing value does neither."""
    if isinstance(node, Comparison):
        return _compare(node, columns)
    if isinstance(node, Negation):
        holds, fails = _evaluate(node.operand, columns)
        return fails, holds
    parts = [_evaluate(operand, columns) for operand in node.operands]
    every_holds, every_fails = [part[0] for part in parts], [part[1] for part in parts]
    if isinstance(node, Conjunction):
        return np.logical_and.reduce(every_holds), np.logical_or.reduce(every_fails)
    return np.logical_or.reduce(every_holds), np.logical_and.reduce(every_fails)


def _compare(comparison: Comparison, columns: Columns) -> tuple[BoolArray, BoolArray]:
    name, sign = comparison.column, comparison.operator
    if name not in columns:
        raise SettingsError(f"column {name!r} is not in the table; {suggest(name, columns, what='columns')}")
    test = _order if sign in _ORDER else _match

    def judge(cell: object) -> tuple[bool, bool]:
        present = not is_missing(cell)
        return present, present and test(cell, comparison)

    known, holds = _judge_distinct(columns[name], judge)
    if sign in {"!=", "not in"}:
        holds = known & ~holds
    return holds, known & ~holds


def _judge_distinct(
    cells: Iterable[object], judge: Callable[[object], tuple[bool, bool]]
) -> tuple[BoolArray, BoolArray]:
    """Judge each distinct cell once; 1, 1.0 and True are equal and not the same."""
    judged: dict[tuple[type, object], tuple[bool, bool]] = {}
    rows = []
    for cell in cells:
        key = (type(cell), cell)
        if key not in judged:
            judged[key] = judge(cell)
        rows.append(judged[key])
    both = np.array(rows, dtype=bool).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _match(cell: object, comparison: Comparison) -> bool:
    return any(
        _format_cell(cell) == value if isinstance(value, str) else _read_number(cell) == value
        for value in comparison.values
    )


def _order(cell: object, comparison: Comparison) -> bool:
    number = _read_number(cell)
    if number is None:
        raise SettingsError(
            f"column {comparison.column!r} holds {cell!r}; numbers needed for {comparison.operator}"
        )
    return _ORDER[comparison.operator](number, float(comparison.values[0]))


def _read_number(cell: object) -> float | None:
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _format_cell(cell: object) -> str:
    """Return a cell as text; 2.0, which a reader made of ``2``, is ``2`` again."""
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()
