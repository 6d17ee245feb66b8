"""The tiny study under trouble of the machine: it goes on to the same bytes, or stops in one line."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attacks.readers import Outcome

TINY = Path(__file__).resolve().parents[2] / "tests" / "reference" / "tiny"
# What says when and where a study ran.
_OWN = {".snakemake", "logs", "benchmarks", "work"}
_LONGEST = 900  # seconds of one run on a busy machine

Trial = Callable[[random.Random, Path, Path], str]


def copy_study(folder: Path, *, backwards: bool = False) -> Path:
    """Copy the tiny study, file by file, in the order of names or against it; return its folder."""
    files = sorted((path for path in TINY.rglob("*") if path.is_file()), reverse=backwards)
    for path in files:
        inside = path.relative_to(TINY)
        if inside.parts[0] != "expected" and path.suffix != ".py":
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / inside)
    return folder


def start(
    study: Path, cores: int = 2, limit: Callable[[], None] | None = None, **variables: str
) -> subprocess.Popen[str]:
    """Start the study's run in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "rsconn.cli", "run", "config.yaml", "--cores", str(cores)],
        cwd=study,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=limit,  # noqa: PLW1509 - no threads here
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a run; return its exit code and what it said on standard error."""
    _, said = process.communicate(timeout=_LONGEST)
    return process.returncode, said


def compare(results: Path, reference: Path) -> str:
    """Return the first file that differs from the reference's; empty if none does."""
    names = {
        path.relative_to(folder)
        for folder in (results, reference)
        for path in folder.rglob("*")
        if path.is_file()
    }
    for name in sorted(one for one in names if one.parts[0] not in _OWN):
        if not (results / name).is_file() or not (reference / name).is_file():
            return f"{name} is in one of them only"
        if (results / name).read_bytes() != (reference / name).read_bytes():
            return f"{name} differs"
    return ""


def finish_whole(study: Path, reference: Path) -> str:
    """Run a study to its end and compare; empty if it has the reference's bytes."""
    code, said = finish(start(study))
    return f"exit {code}: {said[-300:]}" if code else compare(study / "results", reference)


def check_told(code: int, said: str) -> str:
    """Return what is wrong with how a stopped run told why; empty if it ended well or in lines with exit code 2."""
    if code in (0, 2) and "Traceback" not in said:
        return ""
    return f"exit {code}: {said.strip()[-300:]}"


def try_kill(rng: random.Random, study: Path, reference: Path) -> str:
    """Kill a run, all its processes at once, at one or two moments, then go on."""
    for _ in range(rng.choice((1, 2))):
        process = start(study)
        try:
            process.wait(timeout=rng.uniform(1, 40))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return finish_whole(study, reference)


def try_file_size(rng: random.Random, study: Path, reference: Path) -> str:
    """Let no file grow beyond a few kilobytes, then run without the limit."""
    most = rng.choice((1, 4, 16, 64, 256, 1024)) * 1024

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return check_told(*finish(start(study, limit=limit))) or finish_whole(study, reference)


def try_vanishing(rng: random.Random, study: Path, _: Path) -> str:
    """Remove a run's image, mask or confounds while the study runs."""
    files = sorted((study / "data" / "derivatives").rglob("func/*.*"))
    chosen = rng.choice([path for path in files if path.suffix in {".gz", ".tsv"}])
    process = start(study)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=rng.uniform(0, 30))
    chosen.unlink()
    return check_told(*finish(process))


def try_elsewhere(rng: random.Random, study: Path, reference: Path) -> str:
    """Run with another locale, time zone, mask of permissions, number of cores, order of copying and folder."""
    other = copy_study(
        study.parent / rng.choice(("a b", "über (x)", "データ", "-dash", "a'b")) / "s", backwards=True
    )
    variables = {
        "LC_ALL": rng.choice(("C", "POSIX", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8")),
        "TZ": rng.choice(("Asia/Tokyo", "America/St_Johns", "UTC")),
        "PYTHONHASHSEED": str(rng.randrange(1000)),
    }
    code, said = finish(start(other, rng.choice((1, 2)), lambda: os.umask(0o077) and None, **variables))
    return f"exit {code}: {said[-300:]}" if code else compare(other / "results", reference)


TRIALS: dict[str, Trial] = {
    "killed and run again": try_kill,
    "limit of file size": try_file_size,
    "files that vanish": try_vanishing,
    "other place, locale, zone, cores": try_elsewhere,
}


@contextmanager
def make_reference() -> Iterator[Path]:
    """Run the study once; yield its results."""
    with tempfile.TemporaryDirectory(prefix="rsconn-attack-") as folder:
        study = copy_study(Path(folder) / "study")
        code, said = finish(start(study))
        if code:
            sys.exit(f"the study itself does not run: {said[-500:]}")
        yield study / "results"


def try_study(kind: str, seed: int, reference: Path) -> Outcome:
    """Put one study under one trouble."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311 - which trouble is made
    with tempfile.TemporaryDirectory(prefix="rsconn-attack-") as folder:
        started = time.monotonic()
        wrong = TRIALS[kind](rng, copy_study(Path(folder) / "study"), reference)
        outcome = ("traceback" if "Traceback" in wrong else "wrong") if wrong else "held"
        detail = wrong.replace("\n", " | ").replace("\t", " ") or f"{time.monotonic() - started:.0f} s"
        return Outcome(kind, seed, outcome, detail)
