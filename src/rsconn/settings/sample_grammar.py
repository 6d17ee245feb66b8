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

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rsconn.errors import SettingsError
from rsconn.settings.problems import suggest

BoolArray = npt.NDArray[np.bool_]
TableColumns = Mapping[str, Sequence[Any]]

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

    def evaluate(self, columns: TableColumns) -> BoolArray:
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


def _evaluate(node: Node, columns: TableColumns) -> tuple[BoolArray, BoolArray]:
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


def _compare(comparison: Comparison, columns: TableColumns) -> tuple[BoolArray, BoolArray]:
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


Value = str | float
ORDER_SIGNS = ("<", "<=", ">", ">=")

_MISSING_TEXT = {"", "n/a"}
_KEYWORDS = {"and", "or", "not", "in"}
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r"""(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<column>`[^`]+`)
      | (?P<word>[^\W\d]\w*)
      | (?P<operator>==|!=|<=|>=|<|>)
      | (?P<mark>[()\[\],])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Comparison:
    """One column against one value, or against a list of values."""

    column: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Negation:
    """The operand fails."""

    operand: Node


@dataclass(frozen=True)
class Conjunction:
    """All operands hold."""

    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Disjunction:
    """Some operand holds."""

    operands: tuple[Node, ...]


Node = Comparison | Negation | Conjunction | Disjunction


def is_missing(value: object) -> bool:
    """Return whether a cell is None, NaN, pandas' NA, ``n/a`` or empty text."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, str):
        return value.strip().lower() in _MISSING_TEXT
    return isinstance(value, (float, np.floating)) and math.isnan(value)


class Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenise()
        self._index = 0
        self._depth = 0

    def parse(self) -> Node:
        """Return the tree of the whole text."""
        node = self._parse_any()
        if self._kind() != "end":
            raise self._fail("'and', 'or' or the end")
        return node

    def _tokenise(self) -> list[tuple[str, str, int]]:
        tokens, position = [], 0
        while position < len(self._text):
            if self._text[position].isspace():
                position += 1
                continue
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise self._fail_at(position, _explain_character(self._text, position))
            tokens.append((str(match.lastgroup), match[0], position))
            position = match.end()
        return [*tokens, ("end", "", len(self._text))]

    def _parse_any(self) -> Node:
        operands = [self._parse_all()]
        while self._take("word", "or"):
            operands.append(self._parse_all())
        return operands[0] if len(operands) == 1 else Disjunction(tuple(operands))

    def _parse_all(self) -> Node:
        operands = [self._parse_factor()]
        while self._take("word", "and"):
            operands.append(self._parse_factor())
        return operands[0] if len(operands) == 1 else Conjunction(tuple(operands))

    def _parse_factor(self) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._fail(f"no more than {_MAX_DEPTH} nested parentheses")
        if self._take("word", "not"):
            node: Node = Negation(self._parse_factor())
        elif self._take("mark", "("):
            node = self._parse_any()
            self._need("mark", ")")
        else:
            node = self._parse_comparison()
        self._depth -= 1
        return node

    def _parse_comparison(self) -> Comparison:
        column = self._parse_column()
        if self._take("word", "in"):
            return Comparison(column, "in", self._parse_list())
        if self._take("word", "not"):
            self._need("word", "in")
            return Comparison(column, "not in", self._parse_list())
        if self._kind() != "operator":
            raise self._fail("==, !=, <, <=, >, >= or in [...]")
        sign = self._next()
        value = self._parse_value()
        if sign in ORDER_SIGNS and isinstance(value, str):
            self._index -= 1
            raise self._fail(f"a number after {sign}")
        return Comparison(column, sign, (value,))

    def _parse_column(self) -> str:
        if self._kind() == "column":
            return self._next()[1:-1]
        if self._kind() == "word" and self._peek() not in _KEYWORDS:
            return self._next()
        raise self._fail("a column")

    def _parse_list(self) -> tuple[Value, ...]:
        self._need("mark", "[")
        values = [self._parse_value()]
        while self._take("mark", ","):
            values.append(self._parse_value())
        self._need("mark", "]")
        return tuple(values)

    def _parse_value(self) -> Value:
        kind = self._kind()
        if kind == "number":
            return float(self._next())
        if kind != "text":
            raise self._fail("a number, or text in quotes")
        if is_missing(self._peek()[1:-1]):
            raise self._fail("a value that is not missing")
        return self._next()[1:-1]

    def _kind(self) -> str:
        return self._tokens[self._index][0]

    def _peek(self) -> str:
        return self._tokens[self._index][1]

    def _next(self) -> str:
        self._index += 1
        return self._tokens[self._index - 1][1]

    def _take(self, kind: str, text: str) -> bool:
        found = self._tokens[self._index][:2] == (kind, text)
        self._index += found
        return found

    def _need(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise self._fail(repr(text))

    def _fail(self, needed: str) -> SettingsError:
        return self._fail_at(self._tokens[self._index][2], f"{needed} needed")

    def _fail_at(self, position: int, needed: str) -> SettingsError:
        rest = self._text[position:].split()
        found = repr(rest[0]) if rest else "the end"
        return SettingsError(f'"{self._text}": {found} found at character {position + 1}, {needed}')


def _explain_character(text: str, position: int) -> str:
    character = text[position]
    if character in "'\"`":
        return f"a closing {character} needed"
    if character == "=":
        return "== needed"
    if character in "&|":
        return f"{'and' if character == '&' else 'or'} needed"
    return "a column with such characters needs backticks, as in `LAI-dmPFC`"
