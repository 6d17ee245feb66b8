"""What dense series (CIFTI) are not used for, told before any job."""

from __future__ import annotations

from collections.abc import Sequence

from rsconn.files.bids import Run
from rsconn.files.images import is_dense_series
from rsconn.settings.config import Config
from rsconn.settings.fields import show_path


def has_dense(runs: Sequence[Run]) -> bool:
    """Say whether some of the runs are dense series (CIFTI)."""
    return any(is_dense_series(run.bold) for run in runs)


def describe_dense(config: Config, runs: Sequence[Run]) -> list[str]:
    """Return a line on the seeds' maps of dense series, which are not compared; none for volumes or without seeds."""
    if not config.seeds or not has_dense(runs):
        return []
    line = (
        "seeds: dense series (CIFTI) get a map per run and seed (*_boldmap.dscalar.nii); group maps of grayordinates "
        "are not made"
    )
    return [line]


def list_dense_problems(config: Config, runs: Sequence[Run]) -> list[str]:
    """Return a line for everything asked for that is not done with dense series (CIFTI); none for volumes."""
    n_dense = sum(is_dense_series(run.bold) for run in runs)
    if not n_dense:
        return []
    asked = {
        "denoising.smoothing_fwhm_mm": config.denoising.smoothing_fwhm_mm,
        "maps.smoothing_fwhm_mm": config.maps.smoothing_fwhm_mm if config.seeds else 0.0,
        "variants.smoothing_fwhm_mm": max(row.smoothing_fwhm_mm for row in config.rois.list_rows()),
    }
    problems = [
        f"{show_path(config.path)}: {option}: {fwhm:g} mm found; dense series (CIFTI) are not smoothed here, 0 needed"
        for option, fwhm in asked.items()
        if fwhm
    ]
    if n_dense < len(runs):
        problems.append(
            f"{show_path(config.path)}: {n_dense} of {len(runs)} runs are dense series (CIFTI), the others volumes; "
            "one kind is needed, name its space in input.filters"
        )
    return problems
