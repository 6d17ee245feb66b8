"""Read YAML with every scalar as the text that was written.

YAML 1.1 turns ``run: 01`` into 1, ``country: no`` into False and ``1e-3`` into text. Here only null and merge
keys are special: the field that receives a value decides what it is.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from rsconn.errors import SettingsError
from rsconn.settings.locations import show_path

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
