# cohort: people, scores and edges in one tidy table, and a ledger of who was left out and why.
#
# needs  the records of all batches; participants and phenotype tables
# makes  group/cohort.tsv, edges.tsv, exclusions.tsv, flow.tsv, quality.tsv, coverage.tsv, scores.tsv


rule cohort:
    """Join people, scores and edges; write the exclusion ledger."""
    input:
        records=expand("work/connect/{batch}.json", batch=PLAN.batches),
        tables=PLAN.table_files,
    output:
        files="work/files/cohort.json",
        tables=expand("group/{name}.tsv", name=PLAN.cohort_tables),
        sidecars=expand("group/{name}.json", name=PLAN.cohort_tables),
    log:
        "logs/cohort.log",
    benchmark:
        "benchmarks/cohort.tsv"
    params:
        config=PLAN.config,
        settings=PLAN.make_job("cohort"),
        code=PLAN.digest_code("cohort"),
    script:
        "../scripts/cohort.py"
