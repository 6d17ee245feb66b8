"""Questionnaires as data: a YAML file says which items a subscale sums, and which of them are reversed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, model_validator

from rsconn.errors import SettingsError
from rsconn.questionnaires import Instrument, Subscale
from rsconn.settings.fields import (
    Number,
    OneOrMore,
    SafeName,
    Settings,
    Text,
    find_house,
    read_yaml,
    resolve_path,
)
from rsconn.settings.problems import suggest, validate

ItemNumber = Annotated[int, Field(ge=1, le=10_000)]


class SubscaleFile(Settings):
    """A subscale as its file says: items numbered from 1, those that are reversed, and what columns may call it."""

    items: Annotated[tuple[ItemNumber, ...], Field(min_length=1)]
    reversed: tuple[ItemNumber, ...] = ()
    also: OneOrMore[Text] = ()

    @model_validator(mode="after")
    def _check_items(self) -> Self:
        if len(set(self.items)) < len(self.items):
            raise ValueError("items: an item is listed twice; each once needed")
        if strange := sorted(set(self.reversed) - set(self.items)):
            raise ValueError(f"reversed: item {strange[0]} is not among items")
        return self


class InstrumentFile(Settings):
    """A questionnaire as its file says.

    Parameters
    ----------
    name : str
        What tables and the report call it.
    source : str
        Where the key was published.
    n_items : int
        Items of the whole questionnaire.
    answers : (float, float)
        Lowest and highest answer.
    subscales : mapping of str to SubscaleFile
        Name of a subscale to its key.
    """

    name: SafeName
    source: Text
    n_items: ItemNumber
    answers: tuple[Number, Number]
    subscales: Annotated[Mapping[SafeName, SubscaleFile], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        low, high = self.answers
        if low >= high:
            raise ValueError(
                f"answers: [{low:g}, {high:g}] found, the lowest first and then a higher one needed"
            )
        for name, subscale in self.subscales.items():
            if max(subscale.items) > self.n_items:
                raise ValueError(f"subscales.{name}: item {max(subscale.items)} of {self.n_items} (n_items)")
        return self

    def make_instrument(self) -> Instrument:
        """Return the questionnaire in the form that scoring asks for."""
        return Instrument(
            self.name,
            self.n_items,
            *self.answers,
            {name: Subscale(key.items, key.reversed) for name, key in self.subscales.items()},
        )


def list_instruments() -> list[str]:
    """Return the names of the questionnaires that come with rsconn."""
    return sorted(path.stem for path in (find_house() / "config" / "questionnaires").glob("*.yaml"))


def is_file_name(text: str) -> bool:
    """Whether an instrument is given as a file of the user's own rather than by name."""
    return "/" in text or text.endswith((".yaml", ".yml"))


def check_instrument(text: str, info: ValidationInfo) -> str:
    """Return an instrument's name or absolute file; a `ValueError` if there is none of that name."""
    resolved = resolve_instrument(text, info)
    read_instrument(resolved)
    return resolved


def resolve_instrument(text: str, info: ValidationInfo) -> str:
    """Return a name as it is and a file as an absolute path, relative ones counted from the config's folder."""
    base = (info.context or {}).get("base")
    return str(resolve_path(Path(text), base)) if is_file_name(text) and base is not None else text


def read_instrument(text: str) -> Instrument:
    """Read a questionnaire.

    Parameters
    ----------
    text : str
        The name of one that comes with rsconn, or the path of a YAML file.

    Raises
    ------
    ValueError
        If there is none of that name.
    SettingsError
        If the file cannot be read or used.
    """
    return _read_file(text).make_instrument()


def read_subscale_names(text: str) -> dict[str, tuple[str, ...]]:
    """Return each subscale of a questionnaire with what columns may call it, its own name first.

    Errors are those of `read_instrument`.

    Examples
    --------
    >>> read_subscale_names("ERQ")["CR"][:2]
    ('CR', 'reappraisal')
    """
    return {name: (name, *key.also) for name, key in _read_file(text).subscales.items()}


@cache
def _read_file(text: str) -> InstrumentFile:
    if is_file_name(text):
        path = Path(text)
    elif text in list_instruments():
        path = find_house() / "config" / "questionnaires" / f"{text}.yaml"
    else:
        nearest = suggest(text, list_instruments(), what="one of")
        raise ValueError(f"{text!r} found; {nearest}, or the path of a YAML file")
    if not path.is_file():
        raise SettingsError(f"{path}: no such file; a questionnaire as in config/questionnaires needed")
    return validate(InstrumentFile, read_yaml(path), path, base=path.parent)
