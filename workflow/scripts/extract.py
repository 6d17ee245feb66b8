"""Adapter of the rule `extract`."""

from pathlib import Path

from rsconn.steps.job_log import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.steps.extract import extract

    extract(Path(snakemake.output.record), runs=snakemake.params.runs, settings=snakemake.params.settings)
