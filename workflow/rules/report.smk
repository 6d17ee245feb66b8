# report: every figure with its numbers, the methods text, and one page that says it all.
#
# needs  the tables in group/
# makes  figures/*.svg .png .tsv, methods.md, citations.bib, provenance.json, dataset_description.json, report.html


rule report:
    """Draw the figures and write the page."""
    input:
        tables=expand("group/{name}.tsv", name=PLAN.group_tables),
        maps=PLAN.map_files,
        images=PLAN.map_lists,
        sidecars=expand("group/{name}.json", name=PLAN.group_tables),
    output:
        files="work/files/report.json",
        figures=expand(
            "figures/{name}.{kind}", name=PLAN.figures, kind=["svg", "png", "tsv"]
        ),
        map_figures=PLAN.map_figures,
        methods="methods.md",
        citations="citations.bib",
        provenance="provenance.json",
        description="dataset_description.json",
        page="report.html",
    log:
        "logs/report.log",
    benchmark:
        "benchmarks/report.tsv"
    params:
        config=PLAN.config,
        place=PLAN.config_file,
        settings=PLAN.make_job("report"),
        code=PLAN.digest_code("report"),
    script:
        "../scripts/report.py"
