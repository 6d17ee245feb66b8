"""The scores section: which column or items, and how they are coded."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from rsconn.questionnaires import INSTRUMENTS
from rsconn.settings.fields import Count, Number, Settings, Text
from rsconn.settings.problems import suggest

_ITEM_PATTERN = re.compile(r"[^{}]*\{(:0?\d*d?)?\}[^{}]*")


def _check_pattern(text: str) -> str:
    if not _ITEM_PATTERN.fullmatch(text):
        raise ValueError(
            f"{text!r} found, a column name with one place for the number, such as 'iri_{{:02d}}'"
        )
    return text


class ScoreSettings(Settings):
    """One score.

    Parameters
    ----------
    instrument, subscale : str or None
        The questionnaire and its scale; None for a column that is taken as it stands.
    column : str or None
        The column that holds the score.
    items : str or None
        Instead: the columns that hold the items, with one place for the item's number.
    coding : {"sum", "mean", "items", "items_reversed"} or None
        What the column or the items hold; `items_reversed` are reversed already.
    range : (float, float) or None
        Lowest and highest possible value of an item (of the column, without instrument).
    max_missing_items : int
        So many items a person may have left out; the mean of the others stands in for them.
    """

    instrument: Literal["IRI", "ERQ"] | None = None
    subscale: Text | None = None
    column: Text | None = None
    items: Annotated[Text, AfterValidator(_check_pattern)] | None = None
    coding: Literal["sum", "mean", "items", "items_reversed"] | None = None
    range: tuple[Number, Number] | None = None
    max_missing_items: Count = 0

    @model_validator(mode="after")
    def _check_instrument(self) -> Self:
        if (self.instrument is None) != (self.subscale is None):
            missing = "instrument" if self.instrument is None else "subscale"
            raise ValueError(f"{missing}: missing; instrument and subscale go together")
        if self.instrument is None:
            return self
        subscales = INSTRUMENTS[self.instrument].subscales
        if self.subscale not in subscales:
            nearest = suggest(self.subscale, subscales, what="one of")
            raise ValueError(f"subscale: {self.subscale!r} is not of the {self.instrument}; {nearest}")
        return self

    @model_validator(mode="after")
    def _check_coding(self) -> Self:
        if (self.column is None) == (self.items is None):
            found = "neither" if self.column is None else "both"
            raise ValueError(f"{found} of column and items found, one of them needed")
        problem = self._find_items_problem() if self.items is not None else self._find_column_problem()
        if problem:
            raise ValueError(problem)
        return self

    def _find_items_problem(self) -> str | None:
        if self.coding not in {"items", "items_reversed"}:
            found = self.coding or "nothing"
            return f"coding: {found} found; items (as answered) or items_reversed (reversed already) needed"
        if self.instrument is None:
            return "instrument: missing; items need an instrument and a subscale, which say which items count"
        return None

    def _find_column_problem(self) -> str | None:
        if self.coding in {"items", "items_reversed"}:
            return f"coding: {self.coding} found with column; sum or mean needed, or items: a pattern"
        if self.instrument is not None and self.coding is None:
            return f"coding: missing; say whether column {self.column!r} holds the items' sum or mean"
        if self.max_missing_items:
            return "max_missing_items: goes with items only"
        return None

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.range is not None and self.range[0] >= self.range[1]:
            low, high = self.range
            raise ValueError(
                f"range: [{low:g}, {high:g}] found, the lowest value first and then a higher one needed"
            )
        return self
