# seedmap: the correlation of each seed with every voxel of the brain.
#
# needs  BOLD image, brain mask and confounds of each run that could be denoised
# makes  sub-*/**/*_seed-<roi>_stat-fisherz_boldmap.nii.gz; one record per batch
#
# Asked for by the config's `seeds`; without seeds no job of this kind exists.


rule seedmap:
    """Map the seeds' connectivity for the runs in {wildcards.batch}."""
    input:
        record="work/denoise/{batch}.json",
        files=lambda wildcards: PLAN.list_image_files(wildcards.batch),
    output:
        record="work/seedmap/{batch}.json",
    log:
        "logs/seedmap/{batch}.log",
    benchmark:
        "benchmarks/seedmap/{batch}.tsv"
    params:
        settings=PLAN.seedmap_settings,
        code=PLAN.digest_code("seedmap"),
    script:
        "../scripts/seedmap.py"
