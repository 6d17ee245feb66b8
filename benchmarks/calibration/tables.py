"""Tables of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from calibration.marks import Rate


def write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def compute_mc_error(n: int, bound: float = 0.05) -> float:
    """Return the standard error of a rate that lies at its bound."""
    return float((bound * (1 - bound) / n) ** 0.5)


def mark(rates: Sequence[Rate]) -> str:
    """Return pass, or fail with the names of what failed."""
    failed = [rate.subject for rate in rates if not rate.passed]
    return f"**fail** ({', '.join(failed)})" if failed else "pass"
