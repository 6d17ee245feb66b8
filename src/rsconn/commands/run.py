"""Run the workflow: check first, then Snakemake, then say where the report is or what to mend."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TextIO

from rsconn.commands.check import check_config
from rsconn.commands.outcome import describe_failure, describe_outcome
from rsconn.commands.progress import LOGGER, WATCH, Watch
from rsconn.errors import DatasetError, ProblemsError, SettingsError
from rsconn.files.run_records import find_user_errors
from rsconn.files.writing import (
    LOCK,
    can_be_written,
    check_results_folder,
    check_space,
    check_writable,
    sweep_leftovers,
)
from rsconn.rules.plan import LAUNCH_FOLDER, LINKED_FROM, OTHER_OUTPUT
from rsconn.settings.config import HIDE_IDS
from rsconn.settings.fields import find_house


class Loudness(Enum):
    """What a run prints while it works."""

    QUIET = "errors, and the verdicts"
    LINES = "lines of progress"
    SNAKEMAKE = "what Snakemake prints"


_PLANS_ONLY = frozenset({"-n", "--dry-run", "--dryrun"})


def run_workflow(
    config: Path,
    *,
    cores: int | None = None,
    profile: str = "default",
    anonymise: bool = False,
    loudness: Loudness = Loudness.LINES,
    snakemake_options: Sequence[str] = (),
) -> int:
    """Check a config, run its workflow and print verdicts, who was lost, and where the report is.

    Parameters
    ----------
    config : Path
        The config file.
    cores : int or None
        Processor cores; None takes all.
    profile : str
        A folder with a Snakemake profile, or the name of one in ``workflow/profiles``.
    anonymise : bool
        Hide ids on the page and in figures, whatever the config says.
    loudness : Loudness
        What is printed meanwhile.
    snakemake_options : sequence of str
        Passed on to Snakemake as they are.

    Returns
    -------
    int
        0 if the report was written, 1 if a job failed because of a bug.

    Raises
    ------
    ProblemsError
        If the check or a job found mistakes that the user can mend.
    """
    checked = check_config(config)
    if checked.problems:
        raise ProblemsError(list(checked.problems))
    output_dir, started = checked.output_dir, time.time()
    _print(checked.lines if loudness is not Loudness.QUIET else ())
    failures = output_dir / "logs" / "failed.json"
    watch = Watch(dict(checked.batches), loudness is Loudness.QUIET, str(failures))
    environment = _make_environment(output_dir, anonymise=anonymise) | {LAUNCH_FOLDER: str(Path.cwd())}
    environment |= {WATCH: json.dumps(asdict(watch))}
    planned_only = bool(_PLANS_ONLY & set(snakemake_options))
    own = planned_only or loudness is Loudness.SNAKEMAKE
    command = _make_command(config, output_dir, cores=cores, profile=profile)
    with lock_folder(output_dir) as lock:
        sweep_leftovers(output_dir)
        failures.parent.mkdir(exist_ok=True)
        failures.unlink(missing_ok=True)
        words = [*(command if own else _watch_command(command)), *snakemake_options]
        status = subprocess.run(words, env=environment, check=False, pass_fds=[lock]).returncode
        if status and (gone := [path for path in checked.inputs if not path.exists()]):
            _print([f"{path}: gone since the start; going on without it" for path in gone], to=sys.stderr)
            status = subprocess.run(words, env=environment, check=False, pass_fds=[lock]).returncode
    if status == 0:
        _print([] if planned_only else describe_outcome(output_dir))
        return 0
    _print(describe_failure(output_dir, failures), to=sys.stderr)
    mistakes = find_user_errors(output_dir / "logs", since=started)
    if mistakes:
        raise ProblemsError(mistakes)
    check_space(output_dir)
    return 1


def _print(lines: Iterable[str], *, to: TextIO | None = None) -> None:
    for line in lines:
        print(line, flush=True, file=to)


def _watch_command(command: Sequence[str]) -> list[str]:
    """Return the command with rsconn's own lines in place of Snakemake's."""
    ours = ["rsconn.commands.progress" if word == "snakemake" else word for word in command]
    return [*ours, "--logger", LOGGER]


def recompute(
    config: Path,
    output_dir: Path,
    *,
    stands_for: Path,
    cores: int | None = None,
    targets: Sequence[str] = (),
    anonymise: bool = False,
) -> int:
    """Run the workflow into another folder than the config's own, in silence; return Snakemake's status."""
    places = {OTHER_OUTPUT: str(output_dir), LINKED_FROM: str(stands_for.absolute())}
    environment = _make_environment(output_dir, anonymise=anonymise) | places
    environment.setdefault(LAUNCH_FOLDER, str(Path.cwd()))
    command = [*_make_command(config, output_dir, cores=cores, profile="default"), *targets]
    check_results_folder(output_dir, "verify")
    with lock_folder(output_dir) as lock:
        sweep_leftovers(output_dir)
        return subprocess.run(
            command,
            env=environment,
            check=False,
            pass_fds=[lock],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode


@contextmanager
def lock_folder(folder: Path) -> Iterator[int]:
    """Hold a lock on a results folder while the block, or a process that inherits the lock, runs.

    The system frees it when the last holder ends, however it ends: a killed run needs no unlocking, which
    Snakemake's own lock would.

    Raises
    ------
    DatasetError
        If another run holds it.
    """
    check_writable(folder, "output_dir")
    (folder / LOCK).parent.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(
                f"{folder}: another run is writing here; wait for it, or choose another output_dir"
            ) from None
        yield stream.fileno()


def _make_environment(output_dir: Path, *, anonymise: bool) -> dict[str, str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({HIDE_IDS: "1"} if anonymise else {})
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if not can_be_written(cache):  # Snakemake needs one, and matplotlib is slow without
        environment["XDG_CACHE_HOME"] = str(output_dir / LOCK.parent / "cache")
        environment.setdefault("MPLCONFIGDIR", environment["XDG_CACHE_HOME"])
    return environment


def _make_command(config: Path, output_dir: Path, *, cores: int | None, profile: str) -> list[str]:
    house = find_house()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(house / "Snakefile")]
    command += ["--configfile", str(config.resolve()), "--directory", str(output_dir)]
    command += [
        "--profile",
        str(_find_profile(house, profile)),
        "--quiet",
        "rules",
        "host",
        "reason",
        "--nolock",
    ]
    command += ["--nocolor"] if os.environ.get("NO_COLOR") else []
    return [*command, "--cores", str(cores) if cores else "all"]


def _find_profile(house: Path, profile: str) -> Path:
    for folder in (Path(profile), house / "workflow" / "profiles" / profile):
        if (folder / "config.yaml").is_file():
            return folder.resolve()
    known = sorted(folder.name for folder in (house / "workflow" / "profiles").iterdir())
    raise SettingsError(
        f"--profile {profile}: no such profile; {', '.join(known)} or a folder with a config.yaml needed"
    )
