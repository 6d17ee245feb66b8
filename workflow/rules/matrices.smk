# matrices: claims on every edge of the ROI set, or on those within or between networks.
#
# needs  the correlation matrices of all runs; group/cohort.tsv
# makes  group/matrix_<claim>.tsv, group/matrix_<claim>_components.tsv, group/edge_claims.tsv
#
# Asked for by claims with `outcome: {edges: ...}`; without them no job of this kind exists.


rule matrices:
    """Test all edges at once."""
    input:
        records=expand("work/connect/{batch}.json", batch=PLAN.batches),
        lists=expand("work/files/connect/{batch}.json", batch=PLAN.batches),
        cohort="group/cohort.tsv",
    output:
        files="work/files/matrices.json",
        claims="group/edge_claims.tsv",
    log:
        "logs/matrices.log",
    benchmark:
        "benchmarks/matrices.tsv"
    params:
        config=PLAN.config,
        settings=PLAN.make_job("matrices"),
        code=PLAN.digest_code("matrices"),
    script:
        "../scripts/matrices.py"
