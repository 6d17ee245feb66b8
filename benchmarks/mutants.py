"""Break the code in one place at a time and see whether the nearest tests notice (`make mutants`).

A mutant is one small change of one expression: another comparison, operator or number, a condition turned round. A
sample of all places is drawn by seed. Each mutant is tried in a forked process, so that numpy and pandas are imported
once; what was tried stands in a table, and the next call goes on from there.
"""

from __future__ import annotations

import argparse
import ast
import csv
import hashlib
import importlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import astuple, dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("inference", "study", "signal", "analysis")
RESULTS = ROOT / "benchmarks" / "results" / "mutants.tsv"
EQUIVALENT = ROOT / "benchmarks" / "equivalent_mutants.tsv"
_COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_IMPORTED_ONCE = ("numpy", "scipy.stats", "scipy.optimize", "scipy.sparse", "scipy.ndimage", "pandas", "pydantic",
                  "pytest", "yaml")  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one file: what stands from `start` to `end` (characters) becomes `new`."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str

    @property
    def key(self) -> str:
        """What stays the same while the file does not change before this place's line."""
        return f"{self.file}:{self.line}:{self.start}:{self.old}:{self.new}"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: killed, survived or timeout; `digest` is of the file that was broken."""

    file: str
    line: int
    old: str
    new: str
    outcome: str
    seconds: float
    digest: str
    key: str


@dataclass(frozen=True)
class _Text:
    """A file's bytes, in which places are found."""

    raw: bytes
    offsets: tuple[int, ...]

    def place(self, node: ast.expr) -> tuple[int, int]:
        """Return where an expression starts and ends."""
        last = self.offsets[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)
        return self.offsets[node.lineno - 1] + node.col_offset, last

    def read(self, node: ast.expr) -> str:
        """Return the text of an expression."""
        first, last = self.place(node)
        return self.raw[first:last].decode()

    def find_between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Change]:
        """Yield the change of an operator between two expressions."""
        first, last = self.place(left)[1], self.place(right)[0]
        at = self.raw[first:last].find(old.encode())
        if at >= 0:
            yield first + at, first + at + len(old.encode()), old, new


Change = tuple[int, int, str, str]


def list_mutants(path: Path) -> list[Mutant]:
    """Return every mutant of a file, in the order of its text."""
    raw = path.read_bytes()
    offsets = [0]
    for line in raw.splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))
    text, name = _Text(raw, tuple(offsets)), path.relative_to(ROOT).as_posix()
    found = {
        Mutant(name, node.lineno, *change)
        for node in _walk_code(ast.parse(raw))
        if isinstance(node, (ast.expr, ast.If))
        for change in _change(node, text)
    }
    return sorted(found, key=lambda one: (one.start, one.end, one.new))


def _walk_code(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the code that runs: no annotations, no decorators."""
    for field, value in ast.iter_fields(tree):
        if field in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST):
                yield node
                yield from _walk_code(node)


def _change(node: ast.expr | ast.If, text: _Text) -> Iterator[Change]:
    if isinstance(node, (ast.Compare, ast.BinOp, ast.BoolOp)):
        yield from _change_operator(node, text)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield (*text.place(node), text.read(node), _change_number(node.value))
    elif isinstance(node, (ast.If, ast.IfExp)):
        old = text.read(node.test)
        yield (*text.place(node.test), old, f"(not ({old}))")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Invert)):
        first, _ = text.place(node)
        yield first, first + 1, text.read(node)[0], " "


def _change_operator(node: ast.Compare | ast.BinOp | ast.BoolOp, text: _Text) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for sign, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if type(sign) in _SIGNS:
                old = _SIGNS[type(sign)]
                yield from text.find_between(left, right, old, _COMPARISONS[old])
    elif isinstance(node, ast.BinOp):
        if type(node.op) in _OPERATORS:
            yield from text.find_between(node.left, node.right, *_OPERATORS[type(node.op)])
    else:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from text.find_between(left, right, old, new)


def _change_number(value: object) -> str:
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    return repr(float(value) * 1.02 if value else 0.02)  # type: ignore[arg-type]


def find_tests(file: str) -> list[str]:
    """Return the tests nearest to a file: those that import its module, the one named like it first; else all."""
    module = ".".join(Path(file).with_suffix("").parts[1:])
    room = ROOT / "tests" / "unit" / Path(file).parts[2]
    paths = sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
    direct = [path for path in paths if f"{module} import" in path.read_text(encoding="utf-8")]
    nearest = sorted(direct, key=lambda path: Path(file).stem not in path.stem)
    return [str(path) for path in nearest or sorted(room.glob("test_*.py"))]


def try_mutant(mutant: Mutant, copy: Path, timeout_s: float) -> str:
    """Return killed, survived or timeout."""
    path = copy / mutant.file
    before = path.read_bytes()
    path.write_bytes(before[: mutant.start] + mutant.new.encode() + before[mutant.end :])
    try:
        return _run_tests(find_tests(mutant.file), copy, timeout_s)
    finally:
        path.write_bytes(before)


def check_unbroken(file: str, copy: Path, timeout_s: float) -> bool:
    """Say whether the tests of a file pass while nothing is broken: else every mutant would seem to be noticed."""
    if _run_tests(find_tests(file), copy, timeout_s) == "survived":
        return True
    sys.stdout.write(
        f"skipped: the tests of {file} fail, or need over {timeout_s:g} s, with nothing broken\n"
    )
    return False


def _run_tests(tests: list[str], copy: Path, timeout_s: float) -> str:
    child = os.fork()
    if child == 0:
        os._exit(_test_in_child(tests, copy))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if os.waitstatus_to_exitcode(status) in (0, 5) else "killed"
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def _test_in_child(tests: list[str], copy: Path) -> int:
    import pytest

    sys.path.insert(0, str(copy / "src"))
    sys.dont_write_bytecode = True
    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not slow and not workflow"]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return int(pytest.main([*options, "--rootdir", str(ROOT), *tests]))


def read_outcomes() -> list[Outcome]:
    """Return what was tried so far."""
    if not RESULTS.is_file():
        return []
    with RESULTS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))[1:]
    return [Outcome(r[0], int(r[1]), r[2], r[3], r[4], float(r[5]), r[6], r[7]) for r in rows]


def write_outcomes(outcomes: list[Outcome]) -> None:
    """Write the table of what was tried."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow([field.name for field in fields(Outcome)])
        writer.writerows([astuple(outcome) for outcome in outcomes])


def draw(sample: int, seed: int, only: str = "") -> list[Mutant]:
    """Return a sample of all mutants whose file holds `only` in its name."""
    files = [path for room in ROOMS for path in sorted((ROOT / "src" / "rsconn" / room).rglob("*.py"))]
    every = [one for path in files if only in path.as_posix() for one in list_mutants(path)]
    return random.Random(seed).sample(every, min(sample, len(every)))  # noqa: S311 - which are looked at


def digest(file: str) -> str:
    """Return 12 digits of a file's content."""
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:12]


def describe(outcomes: list[Outcome]) -> list[str]:
    """Return the counts, and a line for each survivor with the reason if it is listed as equivalent."""
    reasons = read_equivalent()
    counts = Counter(one.outcome for one in outcomes)
    living = [one for one in outcomes if one.outcome == "survived"]
    told = [(one, reasons.get((one.file, one.old, one.new))) for one in living]
    equivalent = sum(reason is not None for _, reason in told)
    counted = len(outcomes) - equivalent
    killed = counts["killed"] + counts["timeout"]
    share = f" ({killed / counted:.1%})" if counted else ""
    line = (
        f"{len(outcomes)} mutants: {counts['killed']} killed, {counts['timeout']} without end, {len(living)} survived, "
        f"{equivalent} of them equivalent; killed {killed} of {counted}{share}"
    )
    return [line] + [
        f"{one.file}:{one.line}: {one.old} -> {one.new}: {reason or 'SURVIVED'}" for one, reason in told
    ]


def read_equivalent() -> dict[tuple[str, str, str], str]:
    """Return file, old and new text to the reason why no test could tell the two apart."""
    if not EQUIVALENT.is_file():
        return {}
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines if line]
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def main() -> None:
    """Try a sample of mutants within a time, and print what became of all that were tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the file's name")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--timeout", type=float, default=120, help="seconds per mutant")
    options = parser.parse_args()
    for name in _IMPORTED_ONCE:
        importlib.import_module(name)
    deadline = time.monotonic() + 60 * options.minutes
    outcomes = [one for one in read_outcomes() if digest(one.file) == one.digest]
    done, sound = {one.key for one in outcomes}, dict[str, bool]()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("config", "workflow", "Snakefile"):
            (copy / name).symlink_to(ROOT / name)
        for mutant in draw(options.sample, options.seed, options.only):
            if mutant.key in done or time.monotonic() > deadline:
                continue
            if mutant.file not in sound:
                sound[mutant.file] = check_unbroken(mutant.file, copy, options.timeout)
            if not sound[mutant.file]:
                continue
            started = time.monotonic()
            outcome = try_mutant(mutant, copy, options.timeout)
            taken = round(time.monotonic() - started, 1)
            row = Outcome(
                mutant.file,
                mutant.line,
                mutant.old,
                mutant.new,
                outcome,
                taken,
                digest(mutant.file),
                mutant.key,
            )
            outcomes.append(row)
            write_outcomes(outcomes)
            sys.stdout.write(
                f"{outcome} {taken} s {mutant.file}:{mutant.line} {mutant.old} -> {mutant.new}\n"
            )
            sys.stdout.flush()
    sys.stdout.write("\n".join(describe(outcomes)) + "\n")


if __name__ == "__main__":
    main()
