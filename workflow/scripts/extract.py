"""Adapter of the rule `extract`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.extract import extract

    extract(Path(snakemake.output.record), runs=snakemake.params.runs, job=snakemake.params.job)
