# infer: estimate, interval, p values and verdict of every claim.
#
# needs  group/cohort.tsv, the reliabilities in group/scores.tsv, the claims, and what was found of those on many edges
# makes  group/claims.tsv and .json, claim_flow.tsv, sensitivity.tsv


rule infer:
    """Test every claim and reach its verdict."""
    input:
        cohort="group/cohort.tsv",
        scores="group/scores.tsv",
        matrices=PLAN.matrix_files,
    output:
        files="work/files/infer.json",
        tables=expand("group/{name}.tsv", name=PLAN.claim_tables),
        sidecars=expand("group/{name}.json", name=PLAN.claim_tables),
    log:
        "logs/infer.log",
    benchmark:
        "benchmarks/infer.tsv"
    params:
        config=PLAN.config,
        settings=PLAN.make_job("infer"),
        code=PLAN.digest_code("infer"),
    script:
        "../scripts/infer.py"
