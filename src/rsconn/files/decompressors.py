"""Choose the gzip reader that is fastest here: between isal and zlib-ng the machine decides, by 20 %."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

_RACE_BYTES = 1 << 20
_WORTH_A_RACE = 32 << 20


@dataclass(frozen=True)
class Decompressor:
    """A gzip implementation.

    Attributes
    ----------
    name : str
        `isal`, `zlib-ng` or `zlib`.
    open : callable
        Takes a path and a mode, as `gzip.open`.
    error : type
        What it raises for corrupt data, besides `EOFError` and `OSError`.
    """

    name: str
    open: Callable[..., Any]
    error: type[Exception]


@cache
def list_decompressors() -> tuple[Decompressor, ...]:
    """Return the installed gzip readers; the standard library's only if there is no faster one."""
    found = []
    try:
        from isal import igzip, isal_zlib
    except ImportError:
        pass
    else:
        found.append(Decompressor("isal", igzip.open, isal_zlib.error))  # type: ignore[arg-type]  # a stub says instance
    try:
        from zlib_ng import gzip_ng, zlib_ng
    except ImportError:
        pass
    else:
        found.append(Decompressor("zlib-ng", gzip_ng.open, zlib_ng.error))  # type: ignore[arg-type]
    return tuple(found) or (Decompressor("zlib", gzip.open, zlib.error),)


def find_decompressor(path: Path) -> Decompressor:
    """Return the reader to use for `path`: for a large file the winner of a race over its start."""
    installed = list_decompressors()
    if len(installed) == 1 or path.stat().st_size < _WORTH_A_RACE:
        return installed[0]
    return min(installed, key=lambda one: min(_time_reading(one, path) for _ in range(2)))


def _time_reading(decompressor: Decompressor, path: Path) -> float:
    buffer = bytearray(_RACE_BYTES)
    start = perf_counter()
    try:
        with decompressor.open(path, "rb") as file:
            file.readinto(buffer)
    except (EOFError, OSError, decompressor.error):
        return 0.0  # the reading proper will tell where and why
    return perf_counter() - start
