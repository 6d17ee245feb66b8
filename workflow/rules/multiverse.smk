# multiverse: every claim under every way of analysing it that the config names, and one joint test per claim.
#
# needs  raw ROI series (from extract, or a parcellated dataset), the confounds of each run, group/cohort.tsv
# makes  group/multiverse.tsv, multiverse_joint.tsv, multiverse_axes.tsv


rule multiverse:
    """Run the chain from ROI series to verdicts once per specification."""
    input:
        records=lambda wildcards: PLAN.list_all(PLAN.list_extract_records),
        series=lambda wildcards: PLAN.list_all(PLAN.list_extract_lists),
        files=lambda wildcards: PLAN.list_all(PLAN.list_confound_files),
        cohort="group/cohort.tsv",
        quality="group/quality.tsv",
    output:
        files="work/files/multiverse.json",
        tables=expand("group/{name}.tsv", name=PLAN.multiverse_tables),
        sidecars=expand("group/{name}.json", name=PLAN.multiverse_tables),
    log:
        "logs/multiverse.log",
    benchmark:
        "benchmarks/multiverse.tsv"
    params:
        runs=lambda wildcards: PLAN.runs,
        config=PLAN.config,
        settings=PLAN.make_job("multiverse"),
        code=PLAN.digest_code("multiverse"),
    script:
        "../scripts/multiverse.py"
