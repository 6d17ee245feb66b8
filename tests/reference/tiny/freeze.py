"""Freeze the results of the tiny study: run it, keep its group tables and figure tables, print their digest.

A cell that agrees with the frozen one to 1e-10 stays as it was: last digits differ from machine to machine.
Run it with the repository's Python when a number was meant to change, and put the digest it prints into
CHANGELOG.md under "Numbers change".
"""

from __future__ import annotations

import hashlib
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPECTED = HERE / "expected"


def digest_expected() -> str:
    """Return 12 digits that stand for the frozen tables."""
    digest = hashlib.sha256()
    for path in sorted(EXPECTED.rglob("*.tsv")):
        digest.update(path.relative_to(EXPECTED).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def keep_agreed(found: str, frozen: str) -> str:
    r"""Return a table's new text, with the frozen cells where they agree; the new text if its shape is another.

    Examples
    --------
    >>> keep_agreed("a\t1.00000000000001\nb\t2\n", "a\t1\nb\t3\n")
    'a\t1\nb\t2\n'
    """
    tables = [[line.split("\t") for line in text.splitlines()] for text in (found, frozen)]
    if [len(row) for row in tables[0]] != [len(row) for row in tables[1]]:
        return found
    rows = zip(*tables, strict=True)
    kept = [[old if _agrees(new, old) else new for new, old in zip(*pair, strict=True)] for pair in rows]
    return "".join("\t".join(row) + "\n" for row in kept)


def _agrees(new: str, old: str) -> bool:
    try:
        return math.isclose(float(new), float(old), rel_tol=1e-10, abs_tol=1e-10)
    except ValueError:
        return new == old


def main() -> None:
    """Run the study in a temporary folder and keep its tables."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "study"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("expected", "*.py"))
        subprocess.run([sys.executable, "-m", "rsconn.cli", "run", "config.yaml"], cwd=folder, check=True)
        frozen = {path.relative_to(EXPECTED): path.read_text() for path in EXPECTED.rglob("*.tsv")}
        shutil.rmtree(EXPECTED, ignore_errors=True)
        for part in ("group", "figures"):
            (EXPECTED / part).mkdir(parents=True)
            for path in sorted((folder / "results" / part).glob("*.tsv")):
                name = Path(part) / path.name
                found = path.read_text()
                (EXPECTED / name).write_text(keep_agreed(found, frozen.get(name, "")))
    sys.stdout.write(f"{digest_expected()}\n")


if __name__ == "__main__":
    main()
