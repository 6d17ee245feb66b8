"""Adapter of the rule `maps`."""

from pathlib import Path

from rsconn.files.run_records import write_job_log
from rsconn.files.writing import keep_file_list

with write_job_log(snakemake.log[0]), keep_file_list(Path(snakemake.output.files)):
    from rsconn.rules.maps import make_group_maps

    make_group_maps(
        snakemake.wildcards.seed,
        [Path(path) for path in snakemake.input.records],
        settings=snakemake.params.config,
        cohort=Path(snakemake.input.cohort),
    )
