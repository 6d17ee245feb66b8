"""Adapter of the rule `infer`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.infer import infer

    infer(Path(snakemake.input.cohort), settings=snakemake.params.config)
