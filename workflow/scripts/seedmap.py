"""Adapter of the rule `seedmap`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.seedmap import make_seedmaps

    make_seedmaps(
        Path(snakemake.output.record),
        runs=snakemake.params.runs,
        job=snakemake.params.job,
    )
