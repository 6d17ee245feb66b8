"""What made a result: versions, and digests of code, settings and files that change only when they matter."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE_ROOT = Path(__file__).parent
# The packages whose release can change a number.
_NUMERIC_PACKAGES = ("rsconn", "numpy", "scipy", "statsmodels", "nilearn", "nibabel", "pandas", "snakemake")


def hash_text(text: str) -> str:
    """Return the SHA-256 of UTF-8 text as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_json(content: Any) -> str:
    """Return the SHA-256 of JSON content, whatever the order of its keys.

    Examples
    --------
    >>> hash_json({"a": 1, "b": 2}) == hash_json({"b": 2, "a": 1})
    True
    """
    return hash_text(json.dumps(content, sort_keys=True, separators=(",", ":"), default=str))


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def compute_code_digest(*modules: str) -> str:
    """Digest the modules named and every rsconn module they import, comments and docstrings aside.

    Snakemake does not see an edit in an imported package; a rule that carries this digest as a parameter
    reruns when code that it uses changes, and only then.

    Parameters
    ----------
    *modules : str
        Dotted names, such as ``rsconn.rules.cohort``.

    Returns
    -------
    str
        The first 16 hexadecimal digits of a SHA-256.
    """
    waiting, seen = list(modules), {}
    while waiting:
        name = waiting.pop()
        path = _find_source(name)
        if name in seen or path is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        seen[name] = _dump_without_docstrings(tree)
        # a template decides what a page says as much as a function does
        for template in sorted(path.parent.parent.glob("templates/*")):
            seen[f"{name}: {template.name}"] = hash_file(template)
        waiting.extend(_find_imports(tree))
    return hash_json(sorted(seen.items()))[:16]


def _find_source(module: str) -> Path | None:
    parts = module.split(".")[1:]
    folder = _PACKAGE_ROOT.joinpath(*parts)
    if folder.is_dir():
        return folder / "__init__.py"
    file = folder.with_suffix(".py")
    return file if file.is_file() else None


def _find_imports(tree: ast.AST) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rsconn"):
            yield node.module
            # `from rsconn.signal import weights` names a module, not a function of one
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("rsconn"))


def _dump_without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ):
            continue
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            del body[0]
    return ast.dump(tree)


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose release can change a number."""
    versions = {"python": platform.python_version()}
    for package in _NUMERIC_PACKAGES:
        versions[package] = importlib.metadata.version(package)
    return versions
