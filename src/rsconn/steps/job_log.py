"""The log of one job: all that it prints, and a user's mistake as its last line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from rsconn.errors import UserError

_ERROR_MARK = "error: "


@contextmanager
def write_job_log(path: str) -> Iterator[None]:
    """Send everything printed to the log; turn a `UserError` into one marked line and exit code 2.

    Snakemake neither creates a script's log nor keeps what it printed. A bug leaves its traceback in the log.
    """
    log = Path(path)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8", buffering=1) as stream,
        redirect_stdout(stream),
        redirect_stderr(stream),
    ):
        try:
            yield
        except UserError as error:
            print("\n".join(_ERROR_MARK + line for line in str(error).splitlines()))  # noqa: T201 - the log
            sys.exit(2)
        except Exception:
            import traceback

            traceback.print_exc()
            raise


def find_user_errors(logs: Path, *, since: float) -> list[str]:
    """Return the marked lines of the logs written after a time (seconds since the epoch), oldest log first."""
    files = sorted((file for file in logs.rglob("*.log")), key=lambda file: file.stat().st_mtime)
    lines = [
        line.removeprefix(_ERROR_MARK)
        for file in files
        if file.stat().st_mtime >= since
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith(_ERROR_MARK)
    ]
    return list(dict.fromkeys(lines))
