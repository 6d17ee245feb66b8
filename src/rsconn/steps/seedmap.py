"""Seedmap: each seed's correlation with every voxel, in a pass over the image of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.files.bids import Run
from rsconn.files.image_writing import write_map
from rsconn.files.images import ImageHeader, read_header, read_mask, stream_volumes
from rsconn.files.regions import build_weights
from rsconn.files.writing import write_json
from rsconn.signal.seed_extraction import SeedRecipes, extract_seed_maps
from rsconn.signal.seedmaps import compute_fisher_z
from rsconn.steps.denoise import make_run_model, read_run_confounds
from rsconn.steps.records import process_records, read_records, write_records
from rsconn.steps.run_files import name_output


def make_seedmaps(record: Path, *, before: Path, settings: Mapping[str, Any]) -> None:
    """Write the Fisher z maps of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    before : Path
        The denoise stage's record.
    settings : mapping
        ``rois`` (the seeds' definitions), ``smoothing_fwhm_mm`` of the seeds, ``maps_smoothing_fwhm_mm`` of the
        maps, ``denoising``, ``censoring``.
    """

    def process(run: Run, facts: dict[str, Any]) -> dict[str, Any]:
        return _map_run(run, facts, settings)

    write_records(record, process_records(read_records([before]), "seedmap", process))


def _map_run(run: Run, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    assert run.bold is not None  # noqa: S101 - a run without images fails at extract
    assert run.mask is not None  # noqa: S101
    header = read_header(run.bold)
    mask = read_mask(run.mask, header)
    model = make_run_model(read_run_confounds(run), facts["t_r"], settings)
    denoising = settings["denoising"]
    recipes = SeedRecipes(
        t_r=facts["t_r"],
        band=(denoising["high_pass_hz"], denoising["low_pass_hz"]),
        sample_mask=model.sample_mask,
        confounds=[model.regressors.values],
        seeds=range(len(settings["rois"])),
        smoothing_fwhm_mm=settings["maps_smoothing_fwhm_mm"],
    )
    _, maps = extract_seed_maps(
        lambda: stream_volumes(header),
        build_weights(settings["rois"], header, settings["smoothing_fwhm_mm"]),
        mask,
        recipes,
        affine=header.affine,
        slope=header.slope,
        intercept=header.intercept,
        n_nonsteady=model.n_nonsteady,
    )
    paths = _write_maps(run, compute_fisher_z(maps.r[0]), np.flatnonzero(mask), header, settings)
    return {"seed_maps": paths, "seed_maps_dof": maps.dof[0]}


def _write_maps(
    run: Run,
    z: np.ndarray,
    voxels: np.ndarray,
    header: ImageHeader,
    settings: Mapping[str, Any],
) -> dict[str, str]:
    paths = {}
    names: Sequence[str] = [roi["name"] for roi in settings["rois"]]
    for name, values in zip(names, z, strict=True):
        path = name_output(run, "boldmap", ".nii.gz", seed=name, stat="fisherz")
        write_map(path, values, voxels, header)
        described = {
            "Description": f"Fisher z of the correlation with {name}; NaN without signal, 0 outside the mask.",
            "SeedSmoothingFWHM": settings["smoothing_fwhm_mm"],
            "SmoothingFWHM": settings["maps_smoothing_fwhm_mm"],
            "Space": run.entities.get("space") or "n/a",
            "Sources": [str(run.bold), str(run.mask), str(run.confounds)],
        }
        write_json(path.with_name(path.name.removesuffix(".nii.gz") + ".json"), described)
        paths[name] = str(path)
    return paths
