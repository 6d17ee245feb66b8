"""Numbers as people read them, and the page's numbers tied to the table cell they come from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
from markupsafe import Markup

MINUS = "−"
NOT_GIVEN = "n/a"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: float, decimals: int) -> str:
    """Format with a fixed number of decimals and a real minus sign; ``n/a`` if not finite.

    Examples
    --------
    >>> format_number(-0.504, 2), format_number(-0.001, 2), format_number(float("nan"), 2)
    ('−0.50', '0.00', 'n/a')
    """
    if not math.isfinite(value):
        return NOT_GIVEN
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def format_p(value: float) -> str:
    """Format a p value with three decimals, below that as ``< 0.001``.

    Examples
    --------
    >>> format_p(0.0312), format_p(0.00002), format_p(1.0)
    ('0.031', '< 0.001', '1.000')
    """
    if not math.isfinite(value):
        return NOT_GIVEN
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_significant(value: float, digits: int = 3, *, keep_zeros: bool = False) -> str:
    """Format with significant digits, as a power of ten where plain digits read badly.

    Examples
    --------
    >>> [format_significant(value) for value in (0.012345, 1234.5, 5.0, -12.3456, 2.71e9)]
    ['0.0123', '1234', '5', '−12.3', '2.71 × 10⁹']
    """
    if not math.isfinite(value):
        return NOT_GIVEN
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 < magnitude < 6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}".replace("-", MINUS)
    decimals = max(0, digits - 1 - magnitude)
    text = f"{value:.{decimals}f}"
    if "." in text and not keep_zeros:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def format_count(value: float) -> str:
    """Format a whole number; ``n/a`` if missing."""
    return f"{int(value)}" if math.isfinite(value) else NOT_GIVEN


_FORMATS: dict[str, Callable[[float], str]] = {
    "count": format_count,
    "p": format_p,
    "3": format_significant,
    "s": partial(format_significant, keep_zeros=True),
}


def get_format(style: str) -> Callable[[float], str]:
    """Return the function that formats a number.

    Parameters
    ----------
    style : str
        ``count``; ``p``; ``d`` and a number of decimals, such as ``d2``; ``3`` significant digits; ``s`` the same
        with trailing zeros.

    Examples
    --------
    >>> get_format("d1")(2.25), get_format("p")(0.25)
    ('2.2', '0.250')
    """
    return partial(format_number, decimals=int(style[1:])) if style[0] == "d" else _FORMATS[style]


def choose_decimals(*values: float) -> str:
    """Return the style that gives numbers shown together the decimals that the largest needs for three digits.

    Examples
    --------
    >>> choose_decimals(-0.0193, -0.0386, 0.00003), choose_decimals(3.5, 12.25), choose_decimals(640.0)
    ('d4', 'd1', 'd0')
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return f"d{min(8, max(0, 2 - math.floor(math.log10(largest))))}" if largest > 0 else "d2"


@dataclass(frozen=True)
class Source:
    """A result table whose cells the page prints.

    Attributes
    ----------
    name : str
        Path inside the results folder, such as ``group/claims.tsv``.
    table : DataFrame
        As read, so that the row label is the row's place in the file.
    """

    name: str
    table: pd.DataFrame

    def print_number(self, row: int, column: str, style: str = "3") -> Markup:
        """Return one number in HTML, with the file, row and column where it stands.

        Parameters
        ----------
        row : int
            Place in the table, 0 first.
        column : str
            Column name.
        style : str
            See `get_format`.
        """
        value = self._read(row, column)
        if not math.isfinite(value):
            return Markup('<span class="missing">n/a</span>')
        cell = Markup(
            '<data value="{}" data-source="{}" data-row="{}" data-column="{}" data-style="{}">{}</data>'
        )
        return cell.format(f"{value:.17g}", self.name, row, column, style, get_format(style)(value))

    def print_text(self, row: int, column: str) -> Markup:
        """Return one text cell in HTML; it may hold numbers, so it names its cell too."""
        value = self.table.loc[row, column]
        if not isinstance(value, str):
            return Markup("")
        return Markup('<span data-source="{}" data-row="{}" data-column="{}">{}</span>').format(
            self.name, row, column, value
        )

    def print_interval(self, row: int, columns: tuple[str, str, str], style: str = "") -> tuple[Markup, ...]:
        """Return a number and its interval's ends in HTML, with decimals that suit all three.

        Parameters
        ----------
        row : int
            Place in the table.
        columns : tuple of str
            The number, the lower end, the upper end.
        style : str
            Overrides the decimals.
        """
        style = style or choose_decimals(*(self._read(row, column) for column in columns))
        return tuple(self.print_number(row, column, style) for column in columns)

    def is_given(self, row: int, column: str) -> bool:
        """Say whether a cell exists and holds something."""
        return column in self.table and pd.notna(self.table.loc[row, column])

    def _read(self, row: int, column: str) -> float:
        value: Any = self.table.loc[row, column] if column in self.table else math.nan
        try:
            return float(value)
        except (TypeError, ValueError):
            return math.nan
