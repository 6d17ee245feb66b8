# connect: the correlation of every pair of ROIs, and the edges that the study asks about.
#
# needs  denoised ROI series
# makes  sub-*/**/*_stat-pearsoncorrelation_relmat.tsv; one record per batch


rule connect:
    """Connect the ROIs of the runs in {wildcards.batch}."""
    input:
        record="work/denoise/{batch}.json",
        series="work/files/denoise/{batch}.json",
    output:
        files="work/files/connect/{batch}.json",
        record="work/connect/{batch}.json",
    log:
        "logs/connect/{batch}.log",
    benchmark:
        "benchmarks/connect/{batch}.tsv"
    params:
        job=PLAN.connect_job,
        settings=PLAN.make_job("connect"),
        code=PLAN.digest_code("connect"),
    script:
        "../scripts/connect.py"
