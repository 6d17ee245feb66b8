"""Adapter of the rule `infer`."""

from pathlib import Path

from rsconn.steps.job_log import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.steps.infer import infer

    infer(Path(snakemake.input.cohort), config=Path(snakemake.params.config))
