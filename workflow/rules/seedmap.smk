# seedmap: the ROI series, and the correlation of each seed with every voxel of the brain, in one pass.
#
# needs  BOLD image, brain mask and confounds of each run; the ROI set
# makes  what extract makes; sub-*/**/*_seed-<roi>_stat-fisherz_boldmap.nii.gz; one record per batch
#
# Stands in for extract where the config asks for `seeds`, so that an image is read once. The ROI series do not
# depend on how they are denoised, but the maps do: with seeds, a changed strategy reads the images again.


rule seedmap:
    """Extract the ROI series and map the seeds' connectivity for the runs in {wildcards.batch}."""
    input:
        images=lambda wildcards: PLAN.list_image_files(wildcards.batch),
        confounds=lambda wildcards: PLAN.list_confound_files(wildcards.batch),
    output:
        files="work/files/seedmap/{batch}.json",
        record="work/seedmap/{batch}.json",
    log:
        "logs/seedmap/{batch}.log",
    benchmark:
        "benchmarks/seedmap/{batch}.tsv"
    params:
        runs=lambda wildcards: PLAN.batches[wildcards.batch],
        job=PLAN.seedmap_job,
        settings=PLAN.make_job("seedmap"),
        code=PLAN.digest_code("seedmap"),
    script:
        "../scripts/seedmap.py"
