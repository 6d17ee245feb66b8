"""The base of every settings object, and the kinds of value that its fields hold."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from rsconn.errors import SettingsError

Item = TypeVar("Item", bound=Hashable)

# Names end up in file names, table headers and HTML: no separators, spaces, shell or HTML metacharacters.
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_LABEL = re.compile(r"[A-Za-z0-9]+")


class Settings(BaseModel):
    """A frozen group of options; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, content: Any) -> Any:
        """Read ``key:`` with nothing behind it as not written, unless nothing is what the option may say."""
        if not isinstance(content, Mapping):
            return content
        return {key: value for key, value in content.items() if value is not None or cls._takes_none(key)}

    @classmethod
    def _takes_none(cls, key: Any) -> bool:
        field = cls.model_fields.get(key)
        return (
            field is None
            or (field.default is None and not field.is_required())
            or _allows_none(field.annotation)
        )


def _allows_none(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())


def find_twice(items: Iterable[Item]) -> list[Item]:
    """Return the items that occur more than once, each once, in the order of their first place.

    Examples
    --------
    >>> find_twice(["a", "b", "a"])
    ['a']
    """
    return [item for item, n in Counter(items).items() if n > 1]


def check_safe_name(text: str) -> str:
    """Return a name that is safe in file names, tables and pages.

    Raises
    ------
    ValueError
        If it has other characters than letters, digits and ``_ . + -``, or starts with one of these four.

    Examples
    --------
    >>> check_safe_name("AINS_ad")
    'AINS_ad'
    """
    if not _SAFE_NAME.fullmatch(text) or ".." in text:
        raise ValueError(
            f"{text!r} is not a safe name; letters, digits and _ . + - needed, a letter or digit first"
        )
    return text


def check_label(text: str) -> str:
    """Return a BIDS label: letters and digits only.

    Raises
    ------
    ValueError
        If it has any other character; the message proposes a label.
    """
    if not _LABEL.fullmatch(text):
        proposal = "".join(re.findall(r"[A-Za-z0-9]", text))
        hint = f", such as {proposal!r}" if proposal else ""
        raise ValueError(f"{text!r} goes into file names as a BIDS label; letters and digits only{hint}")
    return text


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{value} found, a number needed")  # noqa: TRY004 (pydantic collects ValueError only)
    return value


def _make_tuple(value: Any) -> Any:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _check_path_text(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("an empty path")
    return value


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return path if base is None else resolve_path(path, base)


def resolve_path(path: Path, base: Path) -> Path:
    """Return the path as absolute, relative ones counted from `base`; symbolic links stay as they are."""
    return Path(os.path.abspath(base / path.expanduser()))  # noqa: PTH100 (resolve() would follow links into an annex)


Number = Annotated[float, BeforeValidator(_refuse_bool)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Probability = Annotated[Number, Field(gt=0, lt=1)]
Count = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
SafeName = Annotated[str, AfterValidator(check_safe_name)]
Label = Annotated[str, AfterValidator(check_label)]
LocalPath = Annotated[Path, BeforeValidator(_check_path_text), AfterValidator(_resolve)]
OneOrMore = Annotated[tuple[Item, ...], BeforeValidator(_make_tuple)]


_KEPT_TAGS = {"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"}


class _TextLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 (PyYAML's signature)
        _check_keys(node)
        return super().construct_mapping(node, deep=deep)


_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _check_keys(node: yaml.MappingNode) -> None:
    """Refuse a key that is written twice: YAML would keep the last one without a word."""
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
        if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key.value!r} is written twice", key.start_mark
            )
        seen.add(key.value)


def read_yaml(path: Path, *, option: str = "") -> Any:
    """Return the content of a YAML file: mappings, lists, text and None.

    Parameters
    ----------
    path : Path
        The file.
    option : str, optional
        The config key that named the file, for the message.

    Raises
    ------
    SettingsError
        If the file is absent, empty, not UTF-8, not YAML, or has a key twice.
    """
    named = f" ({option})" if option else ""
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_TextLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise SettingsError(f"{show_path(path)}: no such file{named}") from None
    except OSError as error:
        raise SettingsError(
            f"{show_path(path)}: {error.strerror or error}; a readable YAML file was needed{named}"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{show_path(path)}: not UTF-8 text; save the file as UTF-8{named}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{show_path(path)}: {_describe_yaml_error(error)}{named}") from None
    if content is None:
        raise SettingsError(f"{show_path(path)}: the file is empty{named}")
    return content


def _describe_yaml_error(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else f"not YAML: {problem}"


_PACKAGE = Path(__file__).resolve().parents[1]


def show_path(path: Path) -> str:
    """Return a path as messages show it: relative where it is below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def find_base(file: Path) -> Path:
    """Return the folder that the relative paths in a settings file are counted from.

    It is the nearest folder at or above the file that holds a `Snakefile`, else the file's own folder.
    """
    folder = file.absolute().parent.resolve()
    return next((parent for parent in (folder, *folder.parents) if (parent / "Snakefile").is_file()), folder)


def find_house() -> Path:
    """Return the folder that holds `Snakefile`, `workflow/` and `config/`, in a wheel or a checkout."""
    inside = _PACKAGE / "house"
    return inside if inside.is_dir() else _PACKAGE.parents[1]
