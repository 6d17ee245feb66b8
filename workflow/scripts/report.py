"""Adapter of the rule `report`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.report import write_report

    write_report(Path("group"), settings=snakemake.params.config)
