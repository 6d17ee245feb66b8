"""Diff: which claims moved between two results folders, by how much, and what else differs between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsconn.errors import DatasetError
from rsconn.files.tables import MISSING, read_tsv

_SHOWN = 8
_NUMBERS = ("n", "estimate", "p_family")


def compare_results(before: Path, after: Path) -> list[str]:
    """Compare two results folders.

    Parameters
    ----------
    before, after : Path
        ``output_dir`` of two finished runs: of two configs, two datasets or two versions.

    Returns
    -------
    list of str
        Lines to print: what made them differ, people gained and lost, and each claim that moved. No line says that
        two folders with the same claims and people are the same to the byte; `rsconn verify` does.

    Raises
    ------
    DatasetError
        If a folder holds no finished run.
    """
    origins = [_read_origin(folder) for folder in (before, after)]
    changes = [*_list_changes(*origins)]
    people = [_list_people(folder) for folder in (before, after)]
    claims = [_read_claims(folder) for folder in (before, after)]
    return [
        "what differs:",
        *([f"  {line}" for line in changes] or ["  neither config, data nor versions"]),
        "people:",
        *_describe_people(*people),
        "claims:",
        *_describe_claims(*claims),
    ]


def _read_origin(folder: Path) -> dict[str, Any]:
    path = folder / "provenance.json"
    if not path.is_file() or not (folder / "group" / "claims.tsv").is_file():
        raise DatasetError(
            f"{folder}: no finished run here; an output_dir with provenance.json and group/claims.tsv needed"
        )
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _list_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    yield from _compare(before.get("versions"), after.get("versions"), "version of ")
    yield from _compare(before.get("input"), after.get("input"), "input ")
    yield from _compare(before["config"].get("settings"), after["config"].get("settings"), "")


def _compare(before: Any, after: Any, place: str) -> Iterator[str]:
    """Yield one line per value that differs, named by its option."""
    if isinstance(before, list) and isinstance(after, list) and _have_ids(before) and _have_ids(after):
        before, after = _by_id(before), _by_id(after)
    if isinstance(before, dict) and isinstance(after, dict):
        joint = place if not place or place.endswith(" ") else f"{place}."
        for key in sorted({*before, *after}):
            yield from _compare(before.get(key), after.get(key), f"{joint}{key}")
    elif before != after:
        yield f"{place}: {_show(before)} -> {_show(after)}"


def _have_ids(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) and ("id" in item or "name" in item) for item in items)


def _by_id(items: list[Any]) -> dict[str, Any]:
    return {str(item.get("id", item.get("name"))): item for item in items}


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list_people(folder: Path) -> list[str]:
    table = read_tsv(folder / "group" / "cohort.tsv")
    included = table.get("included", ["true"] * len(table["participant_id"]))
    return [
        person
        for person, kept in zip(table["participant_id"], included, strict=True)
        if str(kept).lower() not in {"false", "0", MISSING}
    ]


def _describe_people(before: list[str], after: list[str]) -> Iterator[str]:
    lost, gained = sorted({*before} - {*after}), sorted({*after} - {*before})
    yield f"  {len({*before} & {*after})} in both"
    for word, names in (("lost", lost), ("gained", gained)):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            yield f"  {len(names)} {word}: {', '.join(names[:_SHOWN])}{more}"


def _read_claims(folder: Path) -> dict[str, dict[str, str]]:
    table = read_tsv(folder / "group" / "claims.tsv")
    columns = ("verdict", "flags", *_NUMBERS)
    return {
        identity: {name: str(table[name][row]) for name in columns}
        for row, identity in enumerate(table["id"])
    }


def _describe_claims(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    steady = 0
    for identity in dict.fromkeys((*before, *after)):
        if identity not in before or identity not in after:
            yield f"  {identity}: only in {'the first' if identity in before else 'the second'}"
            continue
        old, new = before[identity], after[identity]
        if old == new:
            steady += 1
            continue
        verdict = (
            old["verdict"] if old["verdict"] == new["verdict"] else f"{old['verdict']} -> {new['verdict']}"
        )
        moved = [
            f"{name} {_shorten(old[name])} -> {_shorten(new[name])}"
            for name in _NUMBERS
            if old[name] != new[name]
        ]
        yield f"  {identity}: {verdict}" + (f"; {', '.join(moved)}" if moved else "; flags changed")
    yield f"  {steady} did not move"


def _shorten(cell: str) -> str:
    try:
        return f"{float(cell):.4g}"
    except ValueError:
        return cell
