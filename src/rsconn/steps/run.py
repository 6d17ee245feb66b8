"""Run the workflow: check first, then Snakemake, then say where the report is or what to mend."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rsconn.errors import ProblemsError, SettingsError
from rsconn.settings.locations import find_house
from rsconn.steps.check import check_config
from rsconn.steps.job_log import find_user_errors
from rsconn.steps.plan import LAUNCH_FOLDER


def run_workflow(
    config: Path,
    *,
    cores: int | None = None,
    profile: str = "default",
    snakemake_options: Sequence[str] = (),
) -> int:
    """Check a config, run its workflow and print where the report is.

    Parameters
    ----------
    config : Path
        The config file.
    cores : int or None
        Processor cores; None takes all.
    profile : str
        A folder with a Snakemake profile, or the name of one in ``workflow/profiles``.
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
        raise ProblemsError(checked.problems)
    for line in checked.lines:
        print(line, flush=True)  # noqa: T201 - what the command says
    output_dir = checked.output_dir
    started = time.time()
    command = _make_command(config, output_dir, cores=cores, profile=profile)
    environment = {**os.environ, LAUNCH_FOLDER: str(Path.cwd()), "PYTHONUNBUFFERED": "1"}
    output_dir.mkdir(parents=True, exist_ok=True)
    status = subprocess.run([*command, *snakemake_options], env=environment, check=False).returncode
    if status == 0:
        if not {"-n", "--dry-run", "--dryrun"} & set(snakemake_options):
            print(f"report: {output_dir / 'report.html'}")  # noqa: T201
        return 0
    mistakes = find_user_errors(output_dir / "logs", since=started) if (output_dir / "logs").is_dir() else []
    if mistakes:
        raise ProblemsError(mistakes)
    print(f"rsconn: a job failed; its log is in {output_dir / 'logs'}", file=sys.stderr)  # noqa: T201
    return 1


def _make_command(config: Path, output_dir: Path, *, cores: int | None, profile: str) -> list[str]:
    house = find_house()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(house / "Snakefile")]
    command += ["--configfile", str(config.resolve()), "--directory", str(output_dir)]
    command += ["--profile", str(_find_profile(house, profile)), "--quiet", "rules", "host", "reason"]
    return [*command, "--cores", str(cores) if cores else "all"]


def _find_profile(house: Path, profile: str) -> Path:
    for folder in (Path(profile), house / "workflow" / "profiles" / profile):
        if (folder / "config.yaml").is_file():
            return folder.resolve()
    known = sorted(folder.name for folder in (house / "workflow" / "profiles").iterdir())
    raise SettingsError(
        f"--profile {profile}: no such profile; {', '.join(known)} or a folder with a config.yaml needed"
    )
