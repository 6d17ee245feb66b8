# infer: estimate, interval, p values and verdict of every claim.
#
# needs  group/cohort.tsv and the claims
# makes  group/claims.tsv, claims.json, sensitivity.tsv


rule infer:
    """Test every claim and reach its verdict."""
    input:
        cohort="group/cohort.tsv",
    output:
        claims="group/claims.tsv",
        claims_json="group/claims.json",
        sensitivity="group/sensitivity.tsv",
        sensitivity_json="group/sensitivity.json",
    log:
        "logs/infer.log",
    benchmark:
        "benchmarks/infer.tsv"
    params:
        config=PLAN.config_file,
        settings=PLAN.infer_settings,
        code=PLAN.digest_code("infer"),
    script:
        "../scripts/infer.py"
