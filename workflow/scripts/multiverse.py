"""Adapter of the rule `multiverse`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.multiverse import run_multiverse

    run_multiverse(
        Path(snakemake.input.cohort),
        before=[Path(path) for path in snakemake.input.records],
        runs=snakemake.params.runs,
        settings=snakemake.params.config,
    )
