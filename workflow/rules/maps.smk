# maps: a seed's maps between the groups and against scores, corrected for the whole brain.
#
# needs  the seed maps of all runs; group/cohort.tsv
# makes  group/maps/<seed>_*.nii.gz, <seed>_clusters.tsv, <seed>_rois.tsv, <seed>_models.json
#
# Asked for by the config's `seeds`; without seeds no job of this kind exists.


rule maps:
    """Test the maps of the seed {wildcards.seed}."""
    input:
        records=expand("work/denoise/{batch}.json", batch=PLAN.batches),
        images=expand("work/files/seedmap/{batch}.json", batch=PLAN.batches),
        cohort="group/cohort.tsv",
    output:
        files="work/files/maps/{seed}.json",
        models="group/maps/{seed}_models.json",
        clusters="group/maps/{seed}_clusters.tsv",
        rois="group/maps/{seed}_rois.tsv",
    log:
        "logs/maps/{seed}.log",
    benchmark:
        "benchmarks/maps/{seed}.tsv"
    params:
        config=PLAN.config,
        settings=PLAN.make_job("maps"),
        code=PLAN.digest_code("maps"),
    script:
        "../scripts/maps.py"
