"""Extract: one streaming pass over each run's image, every ROI at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.arrays import drop_nan
from rsconn.errors import RunError
from rsconn.files.bids import Run
from rsconn.files.cifti_regions import build_run_weights
from rsconn.files.confounds import read_confounds
from rsconn.files.images import ImageHeader, is_dense_series, read_run_header, read_run_mask, stream_run
from rsconn.files.run_records import name_output, process_records, start_records, write_records
from rsconn.files.run_selection import split_space
from rsconn.files.sidecars import settle_t_r
from rsconn.files.tables import write_tsv
from rsconn.files.writing import write_json
from rsconn.naming import NATIVE_SPACES, describe_native
from rsconn.rules.run_jobs import ExtractJob, SeriesRow
from rsconn.signal.extraction import Extraction, Extractor, extract_timeseries
from rsconn.signal.quality import count_nonsteady
from rsconn.signal.regressors import Confounds
from rsconn.signal.weights import RoiWeights, stack_weights, take_row


def extract(record: Path, *, runs: Sequence[Run], job: ExtractJob) -> None:
    """Extract the ROI series of a batch of runs.

    Parameters
    ----------
    record : Path
        Where the batch's record goes; the working directory is the output folder.
    runs : sequence of Run
        The batch.
    job : ExtractJob
        What it depends on.
    """

    def process(run: Run, _: dict[str, Any]) -> dict[str, Any]:
        image = open_image(run, job)
        further = FurtherRows(image, job)
        extraction = extract_timeseries(further.stream, image.weights, image.mask, **image.reading)
        return {**keep_extraction(run, image, extraction, job), **further.keep(run)}

    write_records(record, process_records(start_records(runs), "extract", process))


@dataclass(frozen=True, eq=False)
class RunImage:
    """A run's image, ready for its pass.

    Attributes
    ----------
    header : ImageHeader
        Grid, scaling and number of volumes.
    mask : bool array (n_voxels,)
        The run's brain mask; all grayordinates of a dense series.
    weights : RoiWeights
        A row per region or variant.
    t_r : float
        Repetition time, s.
    n_nonsteady : int
        Volumes to leave out at the start.
    warnings : tuple of str
        What was settled against the header.
    """

    header: ImageHeader
    mask: np.ndarray
    weights: RoiWeights
    t_r: float
    n_nonsteady: int
    warnings: tuple[str, ...]

    def stream(self) -> Iterator[np.ndarray]:
        """Start a pass over the volumes."""
        return stream_run(self.header)

    @property
    def reading(self) -> dict[str, Any]:
        """How the stored numbers are to be read: scaling, and volumes that do not count."""
        return {
            "slope": self.header.slope,
            "intercept": self.header.intercept,
            "n_nonsteady": self.n_nonsteady,
        }


class FurtherRows:
    """Regions of the multiverse, taken from the volumes as they pass for the others, which they do not touch."""

    def __init__(self, image: RunImage, job: ExtractJob) -> None:
        self._image, self._job = image, job
        rois = job.further_rois
        self._extractor = (
            Extractor(build_rows(rois, image.header), image.mask, **image.reading) if rois else None
        )

    def stream(self) -> Iterator[np.ndarray]:
        """Start a pass over the volumes, which are taken into account as long as they are needed."""
        extractor = None if self._extractor is None or self._extractor.is_done else self._extractor
        for volume in self._image.stream():
            if extractor is not None:
                extractor.add(volume)
            yield volume
        if extractor is not None:
            extractor.finish_pass()

    def keep(self, run: Run) -> dict[str, Any]:
        """Write the series and return the facts for the run's record; nothing where there is no such region."""
        if self._extractor is None:
            return {}
        while not self._extractor.is_done:
            for _ in self.stream():
                pass
        extraction, rois = self._extractor.summarise(), self._job.further_rois
        path = name_output(run, "timeseries", ".tsv", seg=self._job.set_name, stat="mean", desc="multiverse")
        write_tsv(path, {roi.name: s for roi, s in zip(rois, extraction.timeseries.T, strict=True)})
        described = {
            "Description": "Weighted means of other regions, radii and kernels, for the multiverse; not denoised.",
            **describe_variants(rois),
            "RepetitionTime": self._image.t_r,
            "Units": "image units",
        }
        write_json(path.with_suffix(".json"), described)
        coverage = dict(zip([roi.name for roi in rois], extraction.coverage.tolist(), strict=True))
        return {"further_timeseries": str(path), "further_coverage": coverage}


def describe_variants(rois: Sequence[SeriesRow]) -> dict[str, Any]:
    """Return what a sidecar says of variants of regions."""
    return {
        "Variants": {
            roi.name: {"Of": roi.variant_of, "SmoothingFWHM": roi.smoothing_fwhm_mm}
            for roi in rois
            if roi.variant_of
        }
    }


def open_image(run: Run, job: ExtractJob) -> RunImage:
    """Read what a pass over a run's image needs to know before it.

    Raises
    ------
    UserError
        If a file is missing or they contradict each other.
    """
    header, t_r, warning = open_header(run, job)
    confounds = read_confounds(run.confounds, None) if run.confounds else None
    return RunImage(
        n_nonsteady=count_run_nonsteady(run, confounds, header.n_volumes) if confounds else 0,
        header=header,
        weights=build_rows(job.rois, header),
        mask=read_run_mask(run.mask, header),
        t_r=t_r,
        warnings=(warning,) if warning else (),
    )


def open_header(run: Run, job: ExtractJob) -> tuple[ImageHeader, float, str | None]:
    """Return an image's header, its repetition time (s), and what was settled against the header.

    Raises
    ------
    UserError
        If a file is missing, the image is in another space than the regions, or its header cannot be true.
    """
    check_files(run)
    check_template(run, job.space, accept=job.accept_space_mismatch)
    assert run.bold is not None  # noqa: S101 - check_files saw to it
    header = read_run_header(run.bold)
    t_r, warning = settle_t_r(run.name, sidecar_t_r=run.t_r, header_t_r=header.t_r, configured_t_r=job.t_r)
    return header, t_r, warning


def describe_space(run: Run) -> dict[str, str]:
    """Return what a sidecar says of the space of a run's image, and of the density of its surfaces if it has one."""
    density = run.entities.get("den")
    return {"Space": run.entities.get("space") or "n/a", **({"Density": density} if density else {})}


def keep_extraction(run: Run, image: RunImage, extraction: Extraction, job: ExtractJob) -> dict[str, Any]:
    """Write a run's ROI series and return the facts for its record.

    Raises
    ------
    RunError
        If volumes are blank.
    """
    _check_blank(run, extraction)
    path = _write_extraction(run, extraction, image.header, job, image.t_r)
    return {
        "timeseries": str(path),
        "n_volumes": image.header.n_volumes,
        "n_nonsteady": image.n_nonsteady,
        "t_r": image.t_r,
        "warnings": list(image.warnings),
        **_describe_coverage(extraction, job.rois),
    }


_SHOWN_VOLUMES = 8


def _check_blank(run: Run, extraction: Extraction) -> None:
    blank = extraction.blank_volumes
    if not blank:
        return
    shown = ", ".join(str(index + 1) for index in blank[:_SHOWN_VOLUMES])
    more = f" and {len(blank) - _SHOWN_VOLUMES} more" if len(blank) > _SHOWN_VOLUMES else ""
    raise RunError(
        f"{run.name}: {run.bold}: of {len(extraction.timeseries)} volumes, {shown}{more} (counted from 1) "
        "are exactly 0 in more than a third of a region "
        "that has signal in the others; the image is incomplete: convert and preprocess it "
        "again, or cut these volumes from image and confounds"
    )


def build_rows(rois: Sequence[SeriesRow], header: ImageHeader) -> RoiWeights:
    """Return one row of weights per region or variant, each with its own smoothing, in the order given.

    Raises
    ------
    SettingsError
        If an image of the ROI set cannot be used.
    """
    kernels = list(dict.fromkeys(roi.smoothing_fwhm_mm for roi in rois))
    parts = [
        build_run_weights([roi.region for roi in rois if roi.smoothing_fwhm_mm == fwhm], header, fwhm)
        for fwhm in kernels
    ]
    weights = stack_weights(parts)
    order = [weights.names.index(roi.name) for roi in rois]
    if order == sorted(order):
        return weights
    return stack_weights([take_row(weights, row) for row in order])


def _describe_coverage(extraction: Extraction, rois: Sequence[SeriesRow]) -> dict[str, Any]:
    """Return what is known of each region, its variants apart: no rule is applied to those."""
    rows = [
        {
            "roi": roi.name,
            "coverage": coverage,
            "n_voxels": n_voxels,
            "n_nonfinite": n_nonfinite,
            "tsnr": tsnr,
        }
        for roi, coverage, n_voxels, n_nonfinite, tsnr in zip(
            rois,
            extraction.coverage.tolist(),
            extraction.n_voxels.tolist(),
            extraction.n_nonfinite.tolist(),
            [drop_nan(value) for value in extraction.tsnr.tolist()],
            strict=True,
        )
    ]
    own = [row for row, roi in zip(rows, rois, strict=True) if roi.variant_of is None]
    variants = [row for row, roi in zip(rows, rois, strict=True) if roi.variant_of is not None]
    return {"coverage": own, "variant_coverage": variants} if variants else {"coverage": own}


def check_files(run: Run) -> None:
    """Raise a RunError if the run lacks its image, mask or confounds."""
    if run.problems:
        raise RunError(f"{run.name}: {'; '.join(run.problems)}")


def check_template(run: Run, space: str | None, *, accept: bool) -> None:
    """Raise a RunError if the ROI set names another template space than the image."""
    found = run.entities.get("space")
    if space and found in NATIVE_SPACES and space not in NATIVE_SPACES:
        raise RunError(describe_native(f"{run.name}: image in space {found}", space))
    if not space or not found or accept:
        return
    wanted, modifiers = split_space(space)
    cohort = run.entities.get("cohort")
    if (wanted, modifiers.get("cohort", cohort)) != (found, cohort):
        where = f"{found}, cohort {cohort}" if cohort else found
        raise RunError(
            f"{run.name}: image in space {where}, ROIs in {space}; they differ by millimetres: choose images with "
            f"input.filters: {{space: {space}}}, other ROIs, or input.accept_space_mismatch: true"
        )


def count_run_nonsteady(run: Run, confounds: Confounds, n_volumes: int) -> int:
    """Count the non-steady volumes that a run's confounds flag, whose rows must equal the image's volumes.

    Raises
    ------
    RunError
        If the confounds have another number of rows than the image has volumes, or no steady volume is left.
    """
    if len(confounds.values) != n_volumes:
        name = run.confounds.name if run.confounds else "confounds"
        raise RunError(
            f"{run.name}: {name} has {len(confounds.values)} rows, the image {n_volumes} volumes; "
            "they must be equal"
        )
    n_nonsteady = count_nonsteady(confounds.names, confounds.values)
    if n_nonsteady >= n_volumes:
        raise RunError(f"{run.name}: all {n_volumes} volumes are flagged as non-steady state")
    return n_nonsteady


def _write_extraction(
    run: Run, extraction: Extraction, header: ImageHeader, job: ExtractJob, t_r: float
) -> Path:
    names = [roi.name for roi in job.rois]
    places = "grayordinates" if is_dense_series(run.bold) else "voxels"
    described = {
        "Atlas": job.set_name,
        "Description": f"Weighted mean over the usable {places} of each ROI, not denoised.",
        # where each comes from stands in figures/roi_positions.tsv: its wording must not read images again
        "ROIs": [roi.name for roi in job.rois if roi.variant_of is None],
        "RepetitionTime": t_r,
        "SmoothingFWHM": job.rois[0].smoothing_fwhm_mm,
        **describe_variants(job.rois),
        "Sources": run.cite(run.bold, run.mask),
        **describe_space(run),
        "Units": "image units",
        "VoxelSize": np.linalg.norm(header.affine[:3, :3], axis=0).tolist(),
    }
    timeseries = name_output(run, "timeseries", ".tsv", seg=job.set_name, stat="mean")
    write_tsv(timeseries, dict(zip(names, extraction.timeseries.T, strict=True)))
    write_json(timeseries.with_suffix(".json"), described)
    coverage = name_output(run, "bold", ".tsv", seg=job.set_name, stat="coverage")
    write_tsv(
        coverage,
        {
            "roi": names,
            "coverage": extraction.coverage,
            "n_voxels": extraction.n_voxels,
            "tsnr": extraction.tsnr,
        },
    )
    write_json(coverage.with_suffix(".json"), COVERAGE_COLUMNS)
    return timeseries


COVERAGE_COLUMNS = {
    "roi": {"Description": "Name of the ROI."},
    "coverage": {
        "Description": "Share of the ROI's weight inside the brain mask, with finite and varying signal.",
        "Range": [0, 1],
    },
    "n_voxels": {"Description": "Voxels that the mean is over."},
    "tsnr": {"Description": "Mean over voxels of temporal mean / temporal SD."},
}
