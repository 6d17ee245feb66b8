"""What a part of the calibration depends on, as a key: code without its comments and docstrings, and settings."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from rsconn.provenance import compute_code_digest, hash_json
from rsconn.settings.config import read_config

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]


def make_key(module: str, *, configs: tuple[str, ...] = ()) -> str:
    """Return the key of results that a module of this package made with some configs.

    Parameters
    ----------
    module : str
        Such as ``calibration.work``; every module of this package and of rsconn that it imports counts.
    configs : tuple of str
        Paths from the repository's root; what they say counts, not their comments.
    """
    said = [read_config(_ROOT / path).model_dump(mode="json") for path in configs]
    return hash_json([digest_code(module), said])[:12]


@cache
def digest_code(module: str) -> str:
    """Digest a module of this package with everything of this package and of rsconn that it imports."""
    waiting, seen, ours = [module], {}, set()
    while waiting:
        name = waiting.pop()
        if name.startswith("rsconn"):
            ours.add(name)
            continue
        path = _HERE.parent.joinpath(*name.split(".")).with_suffix(".py")
        if name in seen or not path.is_file():
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        waiting += _find_imports(tree)
        seen[name] = _dump(tree)
    return hash_json([sorted(seen.items()), compute_code_digest(*sorted(ours))])


def _find_imports(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return [name for name in found if name.split(".")[0] in {"calibration", "rsconn"}]


def _dump(tree: ast.Module) -> str:
    """Return the code without docstrings; `ast` has left the comments out."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(node) is not None
        ):
            del node.body[0]
    return ast.dump(tree)
