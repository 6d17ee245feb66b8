"""The demo: a simulated study, run to its report."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from rsconn.commands.run import run_workflow
from rsconn.errors import DatasetError
from rsconn.files.writing import check_new_files
from rsconn.settings.fields import find_house

# The simulated data take 0.8 GB; the rest is room for results.
_NEEDED_BYTES = 2_000_000_000


def run_demo(folder: Path, *, cores: int | None = None, snakemake_options: Sequence[str] = ()) -> int:
    """Simulate the study into ``<folder>/data/demo`` unless it is there, and run everything.

    Parameters
    ----------
    folder : Path
        Where the demo lives; in a checkout of the repository, its root.
    cores : int or None
        Processor cores; None takes all.
    snakemake_options : sequence of str
        Passed on to Snakemake.

    Returns
    -------
    int
        Exit code of the workflow.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = copy_config(folder)
    data = folder / "data" / "demo"
    if not (data / "truth.json").is_file():
        simulate(data, cores=cores)
    before = Path.cwd()
    os.chdir(folder)  # results/ belongs to the demo's folder, wherever the command was given
    try:
        return run_workflow(config, cores=cores, snakemake_options=snakemake_options)
    finally:
        os.chdir(before)


def copy_config(folder: Path) -> Path:
    """Return the demo's config, copied into `folder` with its study unless that is a checkout."""
    if (folder / "Snakefile").is_file():
        return (folder / "config" / "config.yaml").resolve()
    config = folder / "config.yaml"
    source = find_house() / "config"
    if config.exists():
        if (
            config.read_bytes() != (source / "config.yaml").read_bytes()
            and not (folder / "data" / "demo").is_dir()
        ):
            raise DatasetError(f"{config}: not the demo's config; another folder needed")
    else:
        check_new_files([folder / "config"], "rsconn demo DIR")
        shutil.copytree(source, folder / "config", dirs_exist_ok=True)
        shutil.move(folder / "config" / "config.yaml", config)
    return config.resolve()


def simulate(
    folder: Path,
    *,
    seed: int = 20220401,
    null: bool = False,
    effect: float = 1.0,
    cores: int | None = None,
) -> None:
    """Write a simulated dataset and say so.

    Raises
    ------
    DatasetError
        If the folder holds something already, or the disk has less than 2 GB left.
    """
    from rsconn.simulate.simulated_dataset import simulate_study

    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"{folder}: the folder is not empty; a new one was needed")
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _NEEDED_BYTES:
        raise DatasetError(f"{folder}: {free / 1e9:.1f} GB free on this disk; 2 GB needed")
    started = time.monotonic()
    print(f"simulating the study into {folder} (simulated people, known truth)", flush=True)  # noqa: T201
    simulate_study(folder, seed=seed, null=null, effect=effect, n_jobs=cores or os.cpu_count() or 1)
    print(f"simulated in {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201
