"""Names of the files that one run gets in the output dataset."""

from __future__ import annotations

from pathlib import Path

from rsconn.files.bids import Run
from rsconn.naming import RUN_ENTITIES, format_name


def name_output(run: Run, suffix: str, extension: str, **entities: str) -> Path:
    """Return the path, relative to the output folder, of one of a run's derivatives.

    Parameters
    ----------
    run : Run
        The run.
    suffix, extension : str
        BIDS suffix and extension, such as ``timeseries`` and ``.tsv``.
    **entities : str
        What this derivative adds, such as ``seg`` and ``stat``.
    """
    of_run = {key: run.entities[key] for key in RUN_ENTITIES if key in run.entities}
    folder = Path(run.participant_id)
    if run.session is not None:
        folder = folder / f"ses-{run.session}"
    return folder / "func" / format_name({**of_run, **entities}, suffix, extension)
