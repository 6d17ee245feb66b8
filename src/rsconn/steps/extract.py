"""Extract: one streaming pass over each run's image, every ROI at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.errors import RunError
from rsconn.files.bids import Run
from rsconn.files.confounds import read_confounds
from rsconn.files.images import ImageHeader, read_header, read_image, stream_volumes
from rsconn.files.regions import build_weights
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json
from rsconn.signal.extraction import Extraction, extract_timeseries
from rsconn.signal.motion import count_nonsteady
from rsconn.steps.records import process_records, start_records, write_records
from rsconn.steps.run_files import name_output


def extract(record: Path, *, runs: Sequence[dict[str, Any]], settings: Mapping[str, Any]) -> None:
    """Extract the ROI series of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    runs : sequence of dict
        The batch (`rsconn.files.bids.Run.to_dict`).
    settings : mapping
        ``set_name``, ``space``, ``rois``, ``smoothing_fwhm_mm``, ``t_r``.
    """

    def process(run: Run, _: dict[str, Any]) -> dict[str, Any]:
        return _extract_run(run, settings)

    write_records(record, process_records(start_records(runs), "extract", process))
