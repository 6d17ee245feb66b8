"""Adapter of the rule `denoise`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.denoise import denoise

    denoise(
        Path(snakemake.output.record),
        before=[Path(path) for path in snakemake.input.record],
        runs=snakemake.params.runs,
        job=snakemake.params.job,
    )
