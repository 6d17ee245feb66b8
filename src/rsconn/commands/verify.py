"""Verify: compute results again from their inputs, and name the first value that is not the same."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsconn.commands.run import recompute
from rsconn.errors import DatasetError, SettingsError
from rsconn.files.writing import is_leftover
from rsconn.provenance import hash_file, list_versions
from rsconn.rules.plan import plan_workflow
from rsconn.rules.report import CONFIG_NOTE

# What says when and how fast, and what knows the machine.
_NOT_RESULTS = {".snakemake", "logs", "benchmarks", "work", "power"}
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Difference:
    """The first place where two files differ; `place` is empty for bytes that are no table and no JSON."""

    file: str
    place: str
    before: str
    now: str


def verify_results(
    results: Path,
    *,
    config: Path | None = None,
    cores: int | None = None,
    sample: int | None = None,
    seed: int = 0,
) -> list[str]:
    """Compute results again in a temporary folder and compare.

    Parameters
    ----------
    results : Path
        ``output_dir`` of a finished run.
    config : Path or None
        The config that made them; None takes the one that the run noted in its work folder.
    cores : int or None
        Processor cores; None takes all.
    sample : int or None
        Only so many batches of runs, drawn by `seed`, up to their edges; None computes everything.
    seed : int
        Which batches are drawn.

    Returns
    -------
    list of str
        Lines to print: how many files are the same to the byte, how many to 1e-10.

    Raises
    ------
    SettingsError
        If the config is not the one that made the results.
    DatasetError
        If a value differs; the line names the file, the row and the column.
    """
    provenance = _read_provenance(results)
    config = _find_config(results) if config is None else config
    lines = _compare_origin(provenance, config)
    _sweep_killed()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        again = Path(folder) / "results"
        targets = _draw_targets(config, sample, seed) if sample is not None else []
        hidden = provenance["config"]["settings"].get("report", {}).get("ids") == "hidden"
        if recompute(config, again, stands_for=results, cores=cores, targets=targets, anonymise=hidden):
            raise DatasetError(f"{results}: the results could not be computed again; try rsconn run {config}")
        names = (
            _list_files(again) if sample is not None else sorted({*_list_files(again), *_list_files(results)})
        )
        return [*lines, *_compare_folders(results, again, sorted(names, key=_is_drawn))]


_PREFIX = "rsconn-verify-"
_SURELY_OVER = 24 * 3600


def _sweep_killed() -> None:
    """Remove the folders that killed verifications of this user left a day ago or earlier."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        status = folder.lstat()
        if status.st_uid == os.getuid() and time.time() - status.st_mtime > _SURELY_OVER:
            shutil.rmtree(folder, ignore_errors=True)


def _is_drawn(name: str) -> bool:
    """Whether a file is made from tables: these are looked at last, so that the first difference is its cause."""
    return not name.endswith((".tsv", ".json", ".nii.gz"))


def _read_provenance(results: Path) -> dict[str, Any]:
    path = results / "provenance.json"
    if not path.is_file():
        raise DatasetError(f"{path}: not found; the output_dir of a finished run needed")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _find_config(results: Path) -> Path:
    noted = results / CONFIG_NOTE
    if not noted.is_file():
        raise SettingsError(f"{noted}: not found, so the config is not known; name it with --config")
    return Path(json.loads(noted.read_text(encoding="utf-8"))["config"])


def _compare_origin(provenance: dict[str, Any], config: Path) -> list[str]:
    """Refuse another config; say where versions differ, which digits may show."""
    if not config.is_file():
        raise SettingsError(f"{config}: no such file; the config that made the results needed (--config)")
    recorded = provenance["config"]["sha256"]
    if hash_file(config) != recorded:
        raise SettingsError(
            f"{config}: not the config that made these results (SHA-256 {hash_file(config)[:12]}, recorded "
            f"{recorded[:12]}); rsconn diff compares two runs"
        )
    now = list_versions()
    return [
        f"{name}: {version} made the results, {now.get(name, 'none')} computes them now"
        for name, version in provenance["versions"].items()
        if now.get(name) != version
    ]


def _draw_targets(config: Path, sample: int, seed: int) -> list[str]:
    batches = sorted(plan_workflow([config.absolute()]).batches)
    drawn = random.Random(seed).sample(batches, min(sample, len(batches)))  # noqa: S311 - which files are looked at
    return [f"work/connect/{batch}.json" for batch in sorted(drawn)]


def _list_files(folder: Path) -> list[str]:
    """Return the results below a folder; what says when and how fast is none, nor what a killed writer left."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        path.as_posix() for path in paths if path.parts[0] not in _NOT_RESULTS and not is_leftover(path)
    )


def _compare_folders(before: Path, now: Path, names: list[str]) -> list[str]:
    same, close = 0, 0
    for name in names:
        if not (before / name).is_file() or not (now / name).is_file():
            where = "missing from the results" if (now / name).is_file() else "not made again"
            raise DatasetError(f"{name}: {where}")
        if (before / name).read_bytes() == (now / name).read_bytes():
            same += 1
            continue
        difference = find_difference(before / name, now / name, name)
        if difference is not None:
            place = f", {difference.place}" if difference.place else ""
            raise DatasetError(
                f"{name}{place}: {difference.before} in the results, {difference.now} computed again"
            )
        close += 1
    return [f"verified: {same} of {len(names)} files are the same to the byte, {close} to {_TOLERANCE:g}"]


def find_difference(before: Path, now: Path, name: str) -> Difference | None:
    """Return the first value of two files that differs by more than 1e-10, relative or absolute; None if none does."""
    if before.suffix == ".tsv":
        pairs = _walk_tables(before, now)
    elif before.suffix == ".json":
        pairs = _walk_json("", _load(before), _load(now))
    else:
        return Difference(name, "", "other bytes", "other bytes")
    for place, old, new in pairs:
        if not _is_close(old, new):
            return Difference(name, place, str(old), str(new))
    return None


def _load(path: Path) -> Any:
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        content.pop("DatasetLinks", None)  # results that were moved lie elsewhere from their datasets
    return content


def _walk_tables(before: Path, now: Path) -> Iterator[tuple[str, str, str]]:
    old, new = (path.read_text(encoding="utf-8").splitlines() for path in (before, now))
    yield "rows", str(len(old)), str(len(new))
    header = old[0].split("\t") if old else []
    for number, (first, second) in enumerate(zip(old, new, strict=False), start=1):
        cells, others = first.split("\t"), second.split("\t")
        yield f"line {number}, columns", str(len(cells)), str(len(others))
        for column, (cell, other) in enumerate(zip(cells, others, strict=False)):
            title = header[column] if column < len(header) else str(column + 1)
            yield f"line {number}, column {title}", cell, other


def _walk_json(place: str, before: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            yield from _walk_json(
                f"{place}.{key}".lstrip("."), before.get(key, "nothing"), now.get(key, "nothing")
            )
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _walk_json(f"{place}[{number}]", old, new)
    else:
        yield place, before, now


def _is_close(before: Any, now: Any) -> bool:
    if before == now:
        return True
    try:
        first, second = float(before), float(now)
    except (TypeError, ValueError):
        return False
    return math.isclose(first, second, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
