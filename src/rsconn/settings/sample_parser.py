"""The parser of `rsconn.settings.sample_grammar`: text in, a tree of comparisons out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from rsconn.errors import SettingsError

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
