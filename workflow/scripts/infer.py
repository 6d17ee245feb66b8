"""Adapter of the rule `infer`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.rules.infer import infer

    infer(Path(snakemake.input.cohort), config=Path(snakemake.params.config))
