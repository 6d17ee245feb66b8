"""Adapter of the rule `report`."""

from pathlib import Path

from rsconn.steps.job_log import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.steps.report import write_report

    write_report(Path("group"), config=Path(snakemake.params.config))
