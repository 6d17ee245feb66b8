"""Adapter of the rule `connect`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.rules.connect import connect

    connect(
        Path(snakemake.output.record), before=Path(snakemake.input.record), settings=snakemake.params.settings
    )
