# denoise: what is left of the ROI series after confounds, drifts and frequencies outside the band.
#
# needs  raw ROI series (from extract, or a parcellated dataset) and the confounds of each run
# makes  sub-*/**/*_desc-denoised_timeseries.tsv, *_desc-quality.json; one record per batch


rule denoise:
    """Denoise the ROI series of the runs in {wildcards.batch}."""
    input:
        record=lambda wildcards: PLAN.list_extract_records(wildcards.batch),
        series=lambda wildcards: PLAN.list_extract_lists(wildcards.batch),
        files=lambda wildcards: PLAN.list_confound_files(wildcards.batch),
    output:
        files="work/files/denoise/{batch}.json",
        record="work/denoise/{batch}.json",
    log:
        "logs/denoise/{batch}.log",
    benchmark:
        "benchmarks/denoise/{batch}.tsv"
    params:
        runs=lambda wildcards: PLAN.batches[wildcards.batch],
        job=PLAN.denoise_job,
        settings=PLAN.make_job("denoise"),
        code=PLAN.digest_code("denoise"),
    script:
        "../scripts/denoise.py"
