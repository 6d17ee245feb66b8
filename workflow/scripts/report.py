"""Adapter of the rule `report`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log

with write_job_log(snakemake.log[0]):
    from rsconn.rules.report import write_report

    write_report(Path("group"), config=Path(snakemake.params.config))
