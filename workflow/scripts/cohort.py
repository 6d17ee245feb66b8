"""Adapter of the rule `cohort`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.cohort import gather_cohort

    gather_cohort([Path(path) for path in snakemake.input.records], settings=snakemake.params.config)
