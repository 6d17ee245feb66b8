"""What made a result: versions, and digests of code, settings and files that change only when they matter."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rsconn.code_graph import collect_code

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


def compute_code_digest(*names: str, beyond: Collection[str] = (), package: Path = _PACKAGE_ROOT) -> str:
    """Digest the functions or modules named and everything of rsconn that they use, comments and docstrings aside.

    Snakemake does not see an edit in an imported package; a rule that carries this digest as a parameter
    reruns when code that it uses changes, and only then.

    Parameters
    ----------
    *names : str
        Dotted names, such as ``rsconn.rules.cohort.gather_cohort``, or of a whole module.
    beyond : collection of str
        Dotted names that are not followed, such as a function whose result the rule carries as a parameter anyway.
    package : Path
        Folder of the package.

    Returns
    -------
    str
        The first 16 hexadecimal digits of a SHA-256.
    """
    return hash_json(sorted(collect_code(names, package, beyond=beyond).items()))[:16]


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages whose release can change a number."""
    versions = {"python": platform.python_version()}
    for package in _NUMERIC_PACKAGES:
        versions[package] = importlib.metadata.version(package)
    return versions
