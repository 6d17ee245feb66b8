"""Seedmap: ROI series and each seed's correlation with every voxel, in one pass over each run's image.

Stands in for `extract` where seeds are asked for. The series and what is known of them are the same bytes as
that stage's; only the maps depend on how the run will be denoised.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.analysis.run_chain import make_run_model
from rsconn.errors import RunError
from rsconn.files.bids import Run
from rsconn.files.images import ImageHeader, get_map_ending, write_run_map
from rsconn.files.run_records import name_output, process_records, start_records, write_records
from rsconn.files.writing import write_json
from rsconn.rules.denoise import read_run_confounds
from rsconn.rules.extract import FurtherRows, RunImage, describe_space, keep_extraction, open_image
from rsconn.rules.run_jobs import SeedmapJob
from rsconn.signal.extraction import extract_timeseries
from rsconn.signal.seedmaps import SeedRecipes, compute_fisher_z, extract_seed_maps


def make_seedmaps(record: Path, *, runs: Sequence[Run], job: SeedmapJob) -> None:
    """Write the ROI series and the seeds' Fisher z maps of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    runs : sequence of Run
        The batch.
    job : SeedmapJob
        What it depends on.
    """

    def process(run: Run, _: dict[str, Any]) -> dict[str, Any]:
        return _map_run(run, job)

    write_records(record, process_records(start_records(runs), "extract", process))


def _map_run(run: Run, job: SeedmapJob) -> dict[str, Any]:
    image = open_image(run, job)
    recipes = _make_recipes(run, image, job)
    further = FurtherRows(image, job)
    passing = (further.stream, image.weights, image.mask)
    if recipes is None:
        extraction = extract_timeseries(*passing, **image.reading)
        return {**keep_extraction(run, image, extraction, job), **further.keep(run)}
    extraction, maps = extract_seed_maps(*passing, recipes, affine=image.header.affine, **image.reading)
    facts = {**keep_extraction(run, image, extraction, job), **further.keep(run)}
    if maps.dof[0] < 1:  # denoising will say so
        return facts
    z = compute_fisher_z(maps.r[0])
    paths = _write_maps(run, z, np.flatnonzero(image.mask), image.header, job)
    return {**facts, "seed_maps": paths, "seed_maps_dof": maps.dof[0]}


def _make_recipes(run: Run, image: RunImage, job: SeedmapJob) -> SeedRecipes | None:
    """Return how the run will be denoised; None if it cannot be, which is for the denoise stage to report."""
    try:
        model = make_run_model(read_run_confounds(run), image.t_r, job.cleaning, job.censoring)
    except RunError:
        return None
    if not model.n_retained:
        return None
    names = [roi.name for roi in job.rois]
    return SeedRecipes(
        t_r=image.t_r,
        band=model.design.band,
        sample_mask=model.sample_mask,
        confounds=[model.regressors.values],
        seeds=[names.index(seed) for seed in job.seeds],
        smoothing_fwhm_mm=job.maps_smoothing_fwhm_mm,
    )


def _write_maps(
    run: Run,
    z: np.ndarray,
    voxels: np.ndarray,
    header: ImageHeader,
    job: SeedmapJob,
) -> dict[str, str]:
    paths, ending = {}, get_map_ending(header)
    smoothing = {roi.name: roi.smoothing_fwhm_mm for roi in job.rois}
    for name, values in zip(job.seeds, z, strict=True):
        path = name_output(run, "boldmap", ending, seed=name, stat="fisherz")
        write_run_map(path, values, voxels, header, name=f"{name} fisherz")
        described = {
            "Description": f"Fisher z of the correlation with {name}; NaN without signal, 0 outside the mask.",
            "SeedSmoothingFWHM": smoothing[name],
            "SmoothingFWHM": job.maps_smoothing_fwhm_mm,
            **describe_space(run),
            "Sources": run.cite(run.bold, run.mask, run.confounds),
        }
        write_json(path.with_name(path.name.removesuffix(ending) + ".json"), described)
        paths[name] = str(path)
    return paths
