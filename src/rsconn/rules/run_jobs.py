"""What the steps of single runs depend on, each in a frozen job; light to import, since every batch's process does.

A job is all that its step gets to know of the config. `rsconn.rules.jobs` makes it, and has those of the whole group.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rsconn.analysis.specification import Censoring, Cleaning, Estimation
from rsconn.signal.projection import Band

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """Options of one rule."""

    def to_params(self) -> dict[str, Any]:
        """Return the job as plain JSON values, which Snakemake compares with those of the last run."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return values


@dataclass(frozen=True)
class SeriesRow:
    """A region, or a variant of one, that becomes a column of the series.

    Attributes
    ----------
    name : str
        Of the column.
    region : mapping
        Name and place, as `rsconn.files.regions.build_weights` takes it.
    smoothing_fwhm_mm : float
        Of the voxels under it.
    variant_of : str or None
        The region whose variant it is.
    """

    name: str
    region: Values
    smoothing_fwhm_mm: float
    variant_of: str | None


@dataclass(frozen=True)
class ExtractJob(Job):
    """Regions, and what is asked of an image before it is read; where a region comes from is for the report.

    Attributes
    ----------
    set_name : str
        Of the ROI set.
    space : str or None
        Template space of the ROIs; None is any.
    accept_space_mismatch : bool
        Whether images of another space are read all the same.
    t_r : float or None
        Repetition time where the files have none or disagree, s.
    rois : tuple of SeriesRow
        Regions and then their variants.
    further_rois : tuple of SeriesRow
        Regions, radii and kernels of the multiverse, whose series have a file of their own.
    """

    set_name: str
    space: str | None
    accept_space_mismatch: bool
    t_r: float | None
    rois: tuple[SeriesRow, ...]
    further_rois: tuple[SeriesRow, ...]


@dataclass(frozen=True)
class DenoiseJob(Job):
    """Regions and columns, the recipe, and which volumes are left out; what must remain is the cohort's to judge.

    Attributes
    ----------
    set_name : str
        Of the ROI set.
    rois : tuple of str
        Regions, without their variants.
    columns : mapping of str to str
        Region to column of a parcellated dataset.
    denoised : bool
        Whether the series came denoised.
    t_r : float or None
        Repetition time where the files have none, s.
    strategy : str
        Name of the recipe.
    cleaning : Cleaning
        The recipe.
    censoring : Censoring
        Which volumes are left out.
    """

    set_name: str
    rois: tuple[str, ...]
    columns: Mapping[str, str]
    denoised: bool
    t_r: float | None
    strategy: str
    cleaning: Cleaning
    censoring: Censoring


@dataclass(frozen=True)
class SeedmapJob(ExtractJob):
    """What extraction reads, the seeds, and how the runs will be denoised.

    Attributes
    ----------
    seeds : tuple of str
        Names among the regions.
    maps_smoothing_fwhm_mm : float
        Of the maps' voxels.
    cleaning, censoring
        As in `DenoiseJob`.
    """

    seeds: tuple[str, ...]
    maps_smoothing_fwhm_mm: float
    cleaning: Cleaning
    censoring: Censoring


@dataclass(frozen=True)
class ConnectJob(Job):
    """Pairs of regions, and how they are connected.

    Attributes
    ----------
    set_name : str
        Of the ROI set.
    edges : tuple of (str, str)
        Pairs of regions.
    estimation : Estimation
        Full or partial correlation, and the coverage needed.
    band : (float or None, float or None)
        High-pass and low-pass that the series went through, Hz.
    """

    set_name: str
    edges: tuple[tuple[str, str], ...]
    estimation: Estimation
    band: Band
