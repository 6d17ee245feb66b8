"""Adapter of the rule `seedmap`."""

from pathlib import Path

from rsconn.steps.job_log import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.steps.seedmap import make_seedmaps

    make_seedmaps(
        Path(snakemake.output.record),
        runs=snakemake.params.runs,
        settings=snakemake.params.settings,
    )
