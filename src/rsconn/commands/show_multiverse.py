"""Show: what the multiverse says of a claim, as a table, without a report."""

from __future__ import annotations

from pathlib import Path

from rsconn.errors import DatasetError, SettingsError
from rsconn.files.tables import MISSING, read_tsv
from rsconn.settings.problems import suggest

_NUMBERS = ("estimate", "std_error", "effect_size", "p", "qc_fc")
_VERDICTS = ("supported", "negligible", "contradicted", "inconclusive", "not_testable")


def show_multiverse(results: Path, claim: str | None) -> list[str]:
    """Return the lines to print: every claim's summary, or one claim's ways from the smallest to the largest estimate.

    Parameters
    ----------
    results : Path
        ``output_dir`` of a finished run.
    claim : str or None
        Claim id; None for all summaries.

    Raises
    ------
    DatasetError
        If there is no multiverse in the folder.
    SettingsError
        If no such claim was analysed.
    """
    path = results / "group" / "multiverse.tsv"
    if not path.is_file():
        raise DatasetError(
            f"{results}: no multiverse here; the output_dir of a run with the section multiverse needed"
        )
    joint = _list_rows(results / "group" / "multiverse_joint.tsv")
    known = list(dict.fromkeys(row["claim"] for row in joint))
    if claim is not None and claim not in known:
        raise SettingsError(f"--show: no claim {claim!r} in {path}; {suggest(claim, known, what='claims')}")
    lines = [_summarise(row) for row in joint if claim in {None, row["claim"]}]
    if claim is None:
        return lines
    return [*lines, *_tabulate([row for row in _list_rows(path) if row["claim"] == claim])]


def _list_rows(path: Path) -> list[dict[str, str]]:
    table = read_tsv(path)
    return [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]


def _summarise(row: dict[str, str]) -> str:
    verdicts = ", ".join(f"{name.replace('_', ' ')} {row[f'n_{name}']}" for name in _VERDICTS)
    parts = [f"{row['claim']} ({row['curve']}), {row['n_specifications']} ways: {verdicts}"]
    if row["p_joint"] != MISSING:
        parts.append(f"joint p {_shorten_number(row['p_joint'])}")
    if row["decisive_axis"] != MISSING:
        share = _shorten_number(row["decisive_share"])
        parts.append(f"{row['decisive_axis']} moves the estimate most ({share} of its variance)")
    return "; ".join(parts)


def _tabulate(ways: list[dict[str, str]]) -> list[str]:
    """Return an aligned table; the primary analysis is marked, axes that do not vary are left out."""
    names = list(ways[0])
    axes = names[names.index("specification") + 1 : names.index("primary")]
    shown = [axis for axis in axes if len({row[axis] for row in ways}) > 1]
    columns = ["specification", *shown, "n", *_NUMBERS, "verdict"]
    ordered = sorted(ways, key=lambda row: (row["estimate"] == MISSING, _read_number(row["estimate"])))
    cells = [columns]
    for row in ordered:
        mark = ["<- primary"] if row["primary"] == "true" else []
        cells.append(
            [_shorten_number(row[name]) if name in _NUMBERS else row[name] for name in columns] + mark
        )
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, [*widths, 0], strict=False)).rstrip()
        for line in cells
    ]


def _read_number(cell: str) -> float:
    return 0.0 if cell == MISSING else float(cell)


def _shorten_number(cell: str) -> str:
    return cell if cell == MISSING else f"{float(cell):.3g}"
