"""The base of every settings object, and the kinds of value that its fields hold."""

from __future__ import annotations

import os
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
from rsconn.naming import check_label, check_path_part, check_safe_name

Item = TypeVar("Item", bound=Hashable)


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
Count = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=0, le=2**53)]
# More would take days and gigabytes; p values have long settled by then.
Permutations = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=0, le=10_000_000)]
Text = Annotated[str, Field(min_length=1)]
SafeName = Annotated[str, AfterValidator(check_safe_name)]
Label = Annotated[str, AfterValidator(check_label)]
PathPart = Annotated[str, Field(min_length=1), AfterValidator(check_path_part)]
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


_DEEPEST, _MOST_NODES = 50, 200_000


def _check_yaml(text: str) -> None:
    """Refuse YAML that is nested too deeply, grows by its aliases, or has tags: none of it is a setting.

    Events come one by one, so that nothing is built before it was counted.
    """
    sizes: dict[str | None, int] = {}
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    event: Any
    for event in yaml.parse(text, Loader=_TextLoader):
        if getattr(event, "tag", None) not in {None, "!"}:
            raise yaml.constructor.ConstructorError(
                None, None, f"tag {event.tag!r} found; plain values needed", event.start_mark
            )
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            _count_nodes(open_nodes, sizes, anchor, size)
        elif isinstance(event, yaml.ScalarEvent):
            _count_nodes(open_nodes, sizes, event.anchor, 1)
        elif isinstance(event, yaml.AliasEvent):
            _count_nodes(open_nodes, {}, None, sizes.get(event.anchor, _MOST_NODES))
        if len(open_nodes) > _DEEPEST or open_nodes[-1][1] >= _MOST_NODES:
            raise yaml.constructor.ConstructorError(
                None, None, "nested too deeply, or grown by aliases", event.start_mark
            )


def _count_nodes(
    open_nodes: list[tuple[str | None, int]], sizes: dict[str | None, int], anchor: str | None, size: int
) -> None:
    if anchor is not None:
        sizes[anchor] = size
    outer, count = open_nodes[-1]
    open_nodes[-1] = (outer, count + size)


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
        If the file is absent, empty, not UTF-8, not YAML, has a key twice or a tag, or is nested too deeply.
    """
    named = f" ({option})" if option else ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        _check_yaml(text)
        content = yaml.load(text, Loader=_TextLoader)  # noqa: S506 (a SafeLoader)
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
