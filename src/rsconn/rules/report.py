"""Report: every figure with its numbers, the methods text, provenance and the page."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

import rsconn
from rsconn.errors import DatasetError, TableError
from rsconn.files.bids_uris import link_dataset, name_datasets
from rsconn.files.sidecars import describe_origin, read_dataset_description
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json, write_text
from rsconn.provenance import hash_file, hash_json, list_versions
from rsconn.report.figures.catalogue import (
    build_figure_tables,
    read_result_table,
    write_figure,
    write_figures,
)
from rsconn.report.figures.claims_forest import count_verdicts
from rsconn.report.figures.edge_matrix import plot_edge_matrix
from rsconn.report.hidden_people import hide_ages, hide_in_settings, hide_people, list_people
from rsconn.report.maps.found import read_planted_places
from rsconn.report.maps.map_pictures import MODELS_TABLE, PLANTED_TABLE, write_map_figures
from rsconn.report.page.html_page import write_page
from rsconn.report.page.methods_text import write_citations, write_methods
from rsconn.rules.infer import find_simulated
from rsconn.rules.plan import (
    CLAIM_TABLES,
    COHORT_TABLES,
    LINKED_FROM,
    MULTIVERSE_TABLES,
    find_config_runs,
    has_dense,
)
from rsconn.settings.checks import list_default_sesoi
from rsconn.settings.claims import hash_claims
from rsconn.settings.config import Config
from rsconn.settings.fields import show_path
from rsconn.study.claims.designs import build_model, read_terms
from rsconn.study.claims.deviations import find_deviations
from rsconn.study.maps.across_maps_table import write_across
from rsconn.study.maps.found_regions import PlantedPlace
from rsconn.study.people.cohort_table import read_cohort
from rsconn.study.people.used_columns import make_columns

# Which config made the results, for `rsconn verify`: a path of this machine, so it lies where nothing is shared.
CONFIG_NOTE = "logs/config.json"
_BIDS_VERSION = "1.10.0"
# Files that are no BIDS derivatives; the validator would ask what they are.
_NOT_BIDS = (
    "work/", "group/", "figures/", "logs/", "benchmarks/", "report.html", "methods.md", "citations.bib",
    "provenance.json", "**/*_desc-quality.json", "**/*_relmat.*", "**/*_timeseries.*", "**/*_bold.*",
)  # fmt: skip


def write_report(group: Path, *, settings: Config) -> None:
    """Write figures/, methods.md, citations.bib, provenance.json, dataset_description.json and report.html.

    Parameters
    ----------
    group : Path
        The folder of result tables; everything is written into the folder that holds it.
    settings : Config
        All options, of which the step's job in `rsconn.rules.jobs` holds what it reads.
    """
    values = settings.model_dump(mode="json")
    folder = group.parent
    simulated = find_simulated(settings)
    tables = {name: read_result_table(group / f"{name}.tsv") for name in list_tables(settings)}
    check_claims_table(group / "claims.tsv", tables["claims"], settings)
    single = tables["claims"]["id"].isin([claim.id for claim in settings.claims])
    every_claim, tables["claims"] = tables["claims"], tables["claims"][single]
    columns, terms = make_columns(read_cohort(group / "cohort.tsv")), read_terms(settings)
    designs = {claim.id: build_model(claim, columns, terms) for claim in settings.claims}
    figures = build_figure_tables(tables, values, designs=designs)
    figures["verdict_counts"] = count_verdicts(every_claim)
    if settings.report.ids == "hidden":
        people = list_people(tables.values())
        figures = {name: hide_people(table, people) for name, table in figures.items()}
        figures["cohort_summary"] = hide_ages(figures["cohort_summary"])
    write_figures(figures, folder / "figures", simulated=simulated)
    _write_matrices(folder, settings, simulated=simulated)
    dense = has_dense(find_config_runs(settings))
    if settings.seeds and not dense:
        _write_maps(folder, settings, simulated=simulated)
    else:  # maps of an earlier config must not look like results of this one
        (folder / "figures" / f"{MODELS_TABLE}.tsv").unlink(missing_ok=True)
    origins = [describe_origin(path) for path in settings.input.folders]
    methods = write_methods(
        {
            **values,
            "origins": origins,
            "dense": dense,
            "default_sesoi": list_default_sesoi(settings),
        },
        list_versions(),
    )
    write_text(folder / "methods.md", methods)
    write_text(folder / "citations.bib", write_citations(methods))
    write_json(folder / "provenance.json", describe_provenance(settings, simulated=simulated))
    write_json(folder / CONFIG_NOTE, {"config": str(settings.path.absolute())})
    place = Path(os.environ.get(LINKED_FROM, folder)).resolve()
    described = describe_dataset(settings, place, simulated=simulated)
    write_json(folder / "dataset_description.json", described)
    write_text(folder / ".bidsignore", "\n".join(_NOT_BIDS) + "\n")
    write_page(folder)


def list_tables(config: Config) -> tuple[str, ...]:
    """Return the stems of the result tables that the figures are made from."""
    return (*COHORT_TABLES, *CLAIM_TABLES, *(MULTIVERSE_TABLES if config.multiverse else ()))


def check_claims_table(path: Path, table: pd.DataFrame, settings: Config) -> None:
    """Check that a table of claims has one row for every claim of the config, in its order.

    Raises
    ------
    TableError
        If a claim is missing, out of place or not of the config: its numbers would stand on another's card.
    """
    found, needed = list(table["id"]), [claim.id for claim in settings.all_claims]
    if found != needed:
        lost = [claim for claim in needed if claim not in found]
        what = f"{lost[0]} is missing" if lost else "they differ in order"
        raise TableError(
            f"{path}: {len(found)} claims, the config has {len(needed)}, {what}; delete the file and run again"
        )


def _write_matrices(folder: Path, settings: Config, *, simulated: bool) -> None:
    """Draw the matrix of every claim on many edges; those of an earlier config go."""
    for path in (folder / "figures").glob("matrix_*"):
        path.unlink()
    for claim in settings.edge_claims:
        table = read_result_table(folder / "group" / f"matrix_{claim.id}.tsv")
        alpha = claim.alpha or settings.inference.alpha
        figure = plot_edge_matrix(table, alpha=alpha, simulated=simulated)
        write_figure(figure, folder / "figures" / f"matrix_{claim.id}")
        shown = table[[name for name in ("roi_1", "roi_2", "t", "p_fwe", "component") if name in table]]
        columns = {str(name): shown[name].tolist() for name in shown.columns}
        write_tsv(folder / "figures" / f"matrix_{claim.id}.tsv", columns)


def _write_maps(folder: Path, settings: Config, *, simulated: bool) -> None:
    """Draw the maps; what was planted in simulated data is read here and by nothing else."""
    (folder / "figures" / f"{PLANTED_TABLE}.tsv").unlink(missing_ok=True)
    _judge_across(folder / "group" / "maps", settings)
    places = read_truth(settings, simulated=simulated)
    values = settings.model_dump(mode="json")
    write_map_figures(
        folder / "group" / "maps", folder / "figures", values, simulated=simulated, places=places
    )


def _judge_across(folder: Path, settings: Config) -> None:
    """Join the seeds' maps to families if the config says so; an earlier config's families may not stay."""
    if settings.maps.across:
        write_across(folder, settings.maps.across, settings.inference.alpha)
    else:
        for kind in ("tsv", "json"):
            (folder / f"across.{kind}").unlink(missing_ok=True)


def describe_provenance(settings: Config, *, simulated: bool) -> dict[str, Any]:
    """Return what made these results, without dates or places, so that the same run gives the same bytes.

    Parameters
    ----------
    settings : Config
        The config.
    simulated : bool
        Whether the data say that they are simulated.
    """
    asked = list_settings(settings)
    return {
        "versions": list_versions(),
        "config": {
            "file": settings.path.name,
            "sha256": hash_file(settings.path),
            "settings_sha256": hash_settings(settings),
            "claims_sha256": hash_claims(settings.all_claims),
            "settings": hide_in_settings(asked) if settings.report.ids == "hidden" else asked,
        },
        "input": {
            "simulated": simulated,
            "datasets": [describe_origin(path) for path in settings.input.folders],
            **({"sites": list(settings.input.sites)} if settings.input.datasets else {}),
            "tables": {
                f"{source.site}/{source.path.name}" if source.site else source.path.name: hash_file(
                    source.path
                )
                for source in settings.input.table_sources
            },
        },
        "seed": settings.inference.seed,
        "registered": settings.registered.name if settings.registered else None,
        "deviations": find_deviations(settings) if settings.registered else None,
    }


def hash_settings(settings: Config) -> str:
    """Return the SHA-256 of what was asked for, files by their names, wherever they lie."""
    # what was planted in simulated data is no setting of their analysis
    return hash_json(list_settings(settings))


def list_settings(settings: Config) -> dict[str, Any]:
    """Return what was asked for as plain JSON values, files by their names; no path of this machine."""
    values = _drop_folders(settings.model_dump(exclude={"path", "output_dir", "truth"}))
    return {name: json.loads(json.dumps(value, default=str)) for name, value in values.items()}


def _drop_folders(value: Any) -> Any:
    """Return plain values with each path reduced to its last part."""
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _drop_folders(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_drop_folders(item) for item in value]
    return value


def describe_dataset(settings: Config, folder: Path, *, simulated: bool) -> dict[str, Any]:
    """Return the content of the results' own ``dataset_description.json``.

    Parameters
    ----------
    settings : Config
        The config.
    folder : Path
        The results, from which their datasets are linked.
    simulated : bool
        Whether the data say that they are simulated.
    """
    datasets = name_datasets(settings.input.folders, settings.input.sites)
    told = {name: read_dataset_description(path) for name, path in datasets.items()}
    keys = ("Name", "DatasetDOI", "Version")
    sources = [{key: about[key] for key in keys if key in about} for about in told.values()]
    links = {name: link_dataset(name, path, folder, _read_doi(told[name])) for name, path in datasets.items()}
    return {
        "Name": "SIMULATED rsconn results" if simulated else "rsconn results",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {"Name": "rsconn", "Version": rsconn.__version__, "ConfigSHA256": hash_settings(settings)}
        ],
        "SourceDatasets": sources,
        "DatasetLinks": links,
    }


def _read_doi(description: Mapping[str, Any]) -> str | None:
    doi = description.get("DatasetDOI")
    return doi if isinstance(doi, str) else None


def read_truth(config: Config, *, simulated: bool) -> tuple[PlantedPlace, ...]:
    """Return where effects were planted; nothing without ``truth``, and nothing beside real data.

    Parameters
    ----------
    config : Config
        ``truth``.
    simulated : bool
        Whether the input says that it is simulated.
    """
    return read_planted_places(config.truth) if config.truth and simulated else ()


def list_truth_problems(config: Config) -> list[str]:
    """Return a line if ``truth`` names something that is no truth file, or stands beside real data.

    A file that does not exist is told with the others: `rsconn.settings.checks.find_missing_files`.
    """
    if config.truth is None or not config.truth.exists():
        return []
    if not find_simulated(config):
        line = (
            f"{show_path(config.path)}: truth: {show_path(config.truth)} found, and no input dataset says that it is "
            "simulated; for real data remove truth"
        )
        return [line]
    try:
        read_truth(config, simulated=True)
    except DatasetError as error:
        return [str(error)]
    return []
