# rsconn: does this dataset support what the study said?
#
# The table of contents. Each stage is one file in workflow/rules, in the order below; what there is to do (which
# runs, which ROIs, which claims) is worked out once, in rsconn.rules.plan, from the config.
#
#   snakemake --cores all                            the demo study (config/config.yaml)
#   snakemake --cores all --configfile my.yaml       your own

from pathlib import Path

import snakemake.exceptions
from snakemake.utils import min_version

from rsconn.errors import UserError
from rsconn.files.writing import forget_lost_files
from rsconn.rules.plan import plan_workflow

min_version("9.15")

try:
    PLAN = plan_workflow(workflow.configfiles)
except UserError as error:
    raise snakemake.exceptions.WorkflowError(str(error))


# A job whose files were deleted is made again. Jobs read this file too, while others write, and must not judge.
if workflow.is_main_process:
    forget_lost_files(Path(PLAN.output_dir))


workdir: PLAN.output_dir


include: "workflow/rules/extract.smk"
include: "workflow/rules/seedmap.smk"
include: "workflow/rules/denoise.smk"
include: "workflow/rules/connect.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/matrices.smk"
include: "workflow/rules/infer.smk"
include: "workflow/rules/multiverse.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        "report.html",
        PLAN.file_lists,
