"""Attack: broken input for every reader, and trouble of the machine for the tiny study (`make attack`).

    python benchmarks/attack.py [--inputs 1000] [--studies 3] [--seed 0] [--minutes 30]

Bounded by the minutes; what was tried with the same code is kept in benchmarks/results/attack.tsv, and the next call
goes on from there. Ends with exit code 1 if a reader ended in a traceback, took an input for what it is not, or a
study did not hold.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path

from attacks.readers import ATTACKS, Outcome, try_input
from attacks.studies import TRIALS, make_reference, try_study

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "attack.tsv"
GOOD = ("read", "refused", "held")


def main() -> int:
    """Try what is missing within the time, and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1000, help="broken inputs for each reader")
    parser.add_argument("--studies", type=int, default=3, help="studies for each trouble of the machine")
    parser.add_argument("--seed", type=int, default=0, help="of the first input and study")
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    code = digest_code()
    outcomes = read_outcomes(code)
    done = {(one.kind, one.seed) for one in outcomes}
    deadline = time.monotonic() + 60 * options.minutes
    for outcome in attack(options.seed, options.inputs, options.studies, done, deadline):
        outcomes.append(outcome)
        if outcome.outcome not in GOOD:
            sys.stdout.write(f"{outcome.outcome}: {outcome.kind} {outcome.seed}: {outcome.detail}\n")
        if outcome.kind in TRIALS or len(outcomes) % 200 == 0:
            write_outcomes(code, outcomes)
    write_outcomes(code, outcomes)
    sys.stdout.write("\n".join(describe(outcomes)) + "\n")
    return int(any(outcome.outcome not in GOOD for outcome in outcomes))


def attack(
    seed: int, inputs: int, studies: int, done: set[tuple[str, int]], deadline: float
) -> Iterator[Outcome]:
    """Yield the outcome of everything that was not tried yet, readers first, until the time is over."""
    for kind in ATTACKS:
        for number in range(seed, seed + inputs):
            if time.monotonic() > deadline:
                return
            if (kind, number) not in done:
                yield try_input(kind, number)
    wanted = [(kind, number) for number in range(seed, seed + studies) for kind in TRIALS]
    missing = [one for one in wanted if one not in done]
    if not missing or time.monotonic() > deadline:
        return
    with make_reference() as reference:
        for kind, number in missing:
            if time.monotonic() > deadline:
                return
            yield try_study(kind, number, reference)


def describe(outcomes: list[Outcome]) -> list[str]:
    """Return the counts by kind, in all, and a line for everything that was not good."""
    lines = []
    for kind in (*ATTACKS, *TRIALS):
        counts = Counter(one.outcome for one in outcomes if one.kind == kind)
        if counts:
            told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
            lines.append(f"{kind}: {counts.total()}: {told}")
    of_readers = [one for one in outcomes if one.kind in ATTACKS]
    counts = Counter(one.outcome for one in outcomes)
    lines.append(
        f"in all: {len(of_readers)} inputs, {len(outcomes) - len(of_readers)} studies: "
        f"{counts['traceback']} tracebacks, {counts['endless']} without end, {counts['wrong']} wrong acceptances"
    )
    bad = [one for one in outcomes if one.outcome not in GOOD]
    return [*lines, *(f"{one.outcome}: {one.kind} {one.seed}: {one.detail}" for one in bad)]


def digest_code() -> str:
    """Return 12 digits that stand for the code and its attackers."""
    digest = hashlib.sha256()
    for folder in (ROOT / "src", ROOT / "workflow", ROOT / "benchmarks" / "attacks"):
        for path in sorted(
            one for one in folder.rglob("*") if one.is_file() and "__pycache__" not in one.parts
        ):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def read_outcomes(code: str) -> list[Outcome]:
    """Return what was tried with this code."""
    if not RESULTS.is_file():
        return []
    with RESULTS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    return [Outcome(row[1], int(row[2]), row[3], row[4]) for row in rows[1:] if row[0] == code]


def write_outcomes(code: str, outcomes: list[Outcome]) -> None:
    """Write the table of what was tried."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["code", *(field.name for field in fields(Outcome))])
        writer.writerows([(code, *astuple(outcome)) for outcome in outcomes])


if __name__ == "__main__":
    sys.exit(main())
