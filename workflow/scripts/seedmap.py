"""Adapter of the rule `seedmap`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.rules.seedmap import make_seedmaps

    make_seedmaps(
        Path(snakemake.output.record),
        runs=snakemake.params.runs,
        settings=snakemake.params.settings,
    )
