"""One clear line per mistake: what was found, what was needed, which option, and the nearest valid key."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from rsconn.errors import ProblemsError, SettingsError, UserError, refuse_unreadable
from rsconn.settings.fields import show_path

AnySettings = TypeVar("AnySettings", bound=BaseModel)
Result = TypeVar("Result")

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_NEEDED = {
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "mapping_type": "keys with values",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number less than {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_too_short": "some text",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
}


def validate(
    model: type[AnySettings], content: Any, path: Path, *, base: Path, prefix: str = ""
) -> AnySettings:
    """Return the settings object that `content` describes.

    Parameters
    ----------
    model : type
        The settings class.
    content : object
        What the YAML file holds.
    path : Path
        The file, for messages.
    base : Path
        The folder that relative paths are counted from.
    prefix : str, optional
        Where in the file the content stands, such as ``claim F1``, for messages.

    Raises
    ------
    SettingsError
        For one mistake.
    ProblemsError
        For several mistakes, one line each.
    """
    try:
        return model.model_validate(content, context={"base": base})
    except ValidationError as error:
        problems = [f"{show_path(path)}: {line}" for line in _describe_all(error, model, prefix)]
        raise_problems(problems)


def raise_problems(problems: list[str]) -> NoReturn:
    """Raise one SettingsError, or a ProblemsError for several mistakes."""
    if len(problems) == 1:
        raise SettingsError(problems[0])
    raise ProblemsError(problems)


def list_problems(error: Exception) -> list[str]:
    """Return the lines of a user error, one per mistake."""
    return list(error.problems) if isinstance(error, ProblemsError) else [str(error)]


def suggest(found: object, valid: Iterable[str], *, what: str = "valid") -> str:
    """Return the nearest valid name, or all of them when there are few and none is near.

    Examples
    --------
    >>> suggest("high_pas_hz", ["high_pass_hz", "low_pass_hz"])
    "did you mean 'high_pass_hz'?"
    >>> suggest("x", ["a", "b"])
    'valid: a, b'
    """
    names = list(dict.fromkeys(valid))
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(str(found).casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    if not names:
        return f"{what}: none"
    shown = ", ".join(names[:20])
    return f"{what}: {shown}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def describe_value(value: object) -> str:
    """Return a value as a message shows it: short, on one line.

    Examples
    --------
    >>> describe_value({"a": 1}), describe_value("x"), describe_value("-1"), describe_value(None)
    ('keys a', "'x'", '-1', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "keys " + ", ".join(map(str, list(value)[:5])) if value else "no keys"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return value
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _describe_all(error: ValidationError, model: type[BaseModel], prefix: str) -> list[str]:
    return [_describe(problem, model, prefix) for problem in error.errors(include_url=False)]


def _describe(problem: Any, model: type[BaseModel], prefix: str) -> str:
    kind, found = problem["type"], problem["input"]
    # which of several forms a value was taken for, no key of the file
    location = tuple(part for part in problem["loc"] if not str(part).startswith("<"))
    context = problem.get("ctx", {})
    where = _format_location(location, prefix)
    if kind == "extra_forbidden":
        return f"{where}: unknown key; {suggest(location[-1], _find_keys(model, location[:-1]))}"
    if kind == "missing":
        what = "one value more is needed" if isinstance(location[-1], int) else "this key is required"
        return f"{where}: missing; {what}"
    if kind == "value_error":
        message = str(context["error"])
        return f"{where}: {message}" if where else message
    if kind == "literal_error":
        valid = _find_choices(context["expected"])
        return f"{where}: {describe_value(found)} found; {suggest(found, valid, what='one of')}"
    needed = _NEEDED.get(kind)
    line = f"{describe_value(found)} found" + (
        f"; {problem['msg']}" if needed is None else f", {needed.format(**context)} needed"
    )
    return f"{where}: {line}" if where else line


def _format_location(location: tuple[int | str, ...], prefix: str) -> str:
    text = ""
    for part in location:
        if part == "[key]":
            text += " (the name)"
        elif isinstance(part, int):
            text += f"[{part + 1}]"
        else:
            text += f".{part}" if text else str(part)
    return " ".join(part for part in (prefix, text) if part)


def _find_choices(expected: str) -> list[str]:
    return [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]


def _find_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the model at this place of the file knows."""
    annotation: Any = model
    for part in location:
        owner = _find_model(annotation)
        if isinstance(part, str) and owner is not None and part in owner.model_fields:
            annotation = owner.model_fields[part].annotation
    owner = _find_model(annotation)
    return list(owner.model_fields) if owner else []


def _find_model(annotation: Any) -> type[BaseModel] | None:
    """Return the settings class inside ``X``, ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_find_model(part) for part in typing.get_args(annotation))
    return next((part for part in found if part is not None), None)


def collect_problems(problems: list[str], read: Callable[[], Result]) -> Result | None:
    """Return what `read` returns, or None with its mistakes added to `problems`, so that all are found at once."""
    try:
        with refuse_unreadable():
            return read()
    except UserError as error:
        problems.extend(list_problems(error))
    return None
