"""Freeze the results of the tiny study: run it, keep its group tables and figure tables, print their digest.

Run it with the repository's Python when a number was meant to change, and put the digest it prints into
CHANGELOG.md under "Numbers change".
"""

from __future__ import annotations

import hashlib
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


def main() -> None:
    """Run the study in a temporary folder and keep its tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "study"
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("expected", "*.py"))
        subprocess.run([sys.executable, "-m", "rsconn.cli", "run", "config.yaml"], cwd=folder, check=True)
        shutil.rmtree(EXPECTED, ignore_errors=True)
        for part in ("group", "figures"):
            (EXPECTED / part).mkdir(parents=True)
            for path in sorted((folder / "results" / part).glob("*.tsv")):
                shutil.copy(path, EXPECTED / part / path.name)
    sys.stdout.write(f"{digest_expected()}\n")


if __name__ == "__main__":
    main()
