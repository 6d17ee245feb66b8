"""Adapter of the rule `connect`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.connect import connect

    connect(Path(snakemake.output.record), before=Path(snakemake.input.record), job=snakemake.params.job)
