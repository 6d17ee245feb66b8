"""Adapter of the rule `cohort`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.rules.cohort import gather_cohort

    gather_cohort([Path(path) for path in snakemake.input.records], config=Path(snakemake.params.config))
