"""Adapter of the rule `connect`."""

from pathlib import Path

from rsconn.steps.job_log import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.steps.connect import connect

    connect(
        Path(snakemake.output.record), before=Path(snakemake.input.record), settings=snakemake.params.settings
    )
