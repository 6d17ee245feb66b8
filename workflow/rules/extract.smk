# extract: the mean series of every ROI, read from the image once.
#
# needs  BOLD image and brain mask of each run; the ROI set
# makes  sub-*/**/*_stat-mean_timeseries.tsv, *_stat-coverage_bold.tsv; one record per batch
#
# Never depends on how the series are denoised, so a changed strategy reads no image again. Where the config asks for
# seeds, seedmap does this work in its own pass.


rule extract:
    """Extract the ROI series of the runs in {wildcards.batch}."""
    input:
        files=lambda wildcards: PLAN.list_image_files(wildcards.batch),
    output:
        files="work/files/extract/{batch}.json",
        record="work/extract/{batch}.json",
    log:
        "logs/extract/{batch}.log",
    benchmark:
        "benchmarks/extract/{batch}.tsv"
    params:
        runs=lambda wildcards: PLAN.batches[wildcards.batch],
        job=PLAN.extract_job,
        settings=PLAN.make_job("extract"),
        code=PLAN.digest_code("extract"),
    script:
        "../scripts/extract.py"
