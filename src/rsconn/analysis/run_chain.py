"""The one way from ROI series to edges: volumes and confounds chosen, cleaned, correlated, runs combined.

Each step takes its part of a `Specification`; `analyse_run` takes them all. The rules of the workflow call the
steps one at a time and keep what lies between them in files; a loop over specifications calls `analyse_run`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from rsconn.analysis.specification import (
    Censoring,
    Cleaning,
    ConfoundTerms,
    Estimation,
    RoiVariant,
    Specification,
)
from rsconn.analysis.usability import Judgement, RunQuality, find_uncovered, judge_quality
from rsconn.arrays import FloatArray, drop_nan
from rsconn.errors import RunError
from rsconn.signal.connectivity import (
    Edges,
    combine_runs,
    combine_variances,
    compute_band_power,
    compute_edges,
    compute_partial_relmat,
    compute_relmat,
)
from rsconn.signal.projection import Band, NuisanceDesign, Projection, count_dof, project_out
from rsconn.signal.quality import compute_max_fd, compute_mean_fd, count_nonsteady, make_sample_mask
from rsconn.signal.regressors import Confounds, Regressors, select_confounds

# Series (n_volumes, n_rois), design and sample mask -> what is left of the series.
Cleaner = Callable[[FloatArray, NuisanceDesign, np.ndarray], Projection]


@dataclass(frozen=True, eq=False)
class Volumes:
    """Which volumes of a run are used; attributes as in `RunModel`."""

    sample_mask: np.ndarray
    n_nonsteady: int
    quality: RunQuality


@dataclass(frozen=True, eq=False)
class RunModel:
    """What denoising a run takes, known before its image is read.

    Attributes
    ----------
    regressors : Regressors
        Confounds of the strategy.
    design : NuisanceDesign
        Those confounds and the band.
    sample_mask : bool array (n_volumes,)
        True = retained.
    n_nonsteady : int
        Volumes left out at the start.
    quality : RunQuality
        Volumes, minutes and motion; rank and degrees of freedom are not known yet.
    """

    regressors: Regressors
    design: NuisanceDesign
    sample_mask: np.ndarray
    n_nonsteady: int
    quality: RunQuality

    @property
    def n_retained(self) -> int:
        """Volumes left after non-steady state and censoring."""
        return int(self.sample_mask.sum())


@dataclass(frozen=True, eq=False)
class Sampling:
    """What a cleaned series is a sample of.

    Attributes
    ----------
    sample_mask : bool array (n_volumes,)
        True = retained.
    t_r : float
        Repetition time, s.
    band : (float or None, float or None)
        High-pass and low-pass, Hz.
    dof : float
        Degrees of freedom of the cleaned series.
    """

    sample_mask: np.ndarray
    t_r: float
    band: Band
    dof: float


@dataclass(frozen=True, eq=False)
class Connections:
    """What connects the ROIs of a run.

    Attributes
    ----------
    relmat : float64 array (n_rois, n_rois)
        Correlations; NaN where a ROI has no series or too little coverage.
    edges : Edges
        The pairs asked for.
    """

    relmat: FloatArray
    edges: Edges


@dataclass(frozen=True, eq=False)
class RunResult:
    """One run under one specification.

    Attributes
    ----------
    model : RunModel
        Confounds, design and sample mask.
    cleaned : float64 array (n_retained, n_rois)
        Cleaned series.
    quality : RunQuality
        Volumes, minutes, motion, degrees of freedom.
    judgements : tuple of Judgement
        The thresholds applied; `rsconn.analysis.usability.is_usable` sums them up.
    connections : Connections
        Relmat and edges.
    """

    model: RunModel
    cleaned: FloatArray
    quality: RunQuality
    judgements: tuple[Judgement, ...]
    connections: Connections


@dataclass(frozen=True, eq=False)
class RunEdges:
    """The edges of one usable run; dof is NaN if unknown."""

    edges: Edges
    dof: float
    n_volumes: float


@dataclass(frozen=True, eq=False)
class CombinedEdges:
    """Edges of several runs as one; all arrays (n_edges,), NaN where no run has the edge.

    Attributes
    ----------
    edges : Edges
        Weighted means and their variances.
    dof : float64 array
        Sum over the runs that have the edge.
    n_runs : int array
        How many these are.
    between_run_sd : float64 array
        Sample SD of the runs' z; NaN for fewer than two.
    """

    edges: Edges
    dof: FloatArray
    n_runs: np.ndarray
    between_run_sd: FloatArray


def analyse_run(
    series: FloatArray,
    confounds: Confounds,
    t_r: float,
    specification: Specification,
    pairs: np.ndarray,
    *,
    coverage: FloatArray | None = None,
    cleaner: Cleaner | None = None,
) -> RunResult:
    """Return the edges of a run under a specification, whether or not the run is usable.

    Parameters
    ----------
    series : array (n_volumes, n_rois)
        ROI series before denoising, in the specification's variant of the ROIs (`choose_columns`).
    confounds : Confounds
        The run's confounds; rows are volumes.
    t_r : float
        Repetition time, s.
    specification : Specification
        Every choice.
    pairs : int array (n_edges, 2)
        ROI positions of each edge.
    coverage : array (n_rois,), optional
        Of the same ROIs; without it, all count as covered.
    cleaner : callable, optional
        What cleans; needed for the mode that is not the projection.

    Raises
    ------
    RunError
        If confounds are missing, rows differ, or no volume or degree of freedom is left.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> confounds = Confounds(("csf",), rng.standard_normal((50, 1)), {})
    >>> result = analyse_run(
    ...     rng.standard_normal((50, 3)), confounds, 2.0, Specification(), np.array([[0, 1], [0, 2]]))
    >>> result.quality.dof, result.connections.edges.z.shape
    (48, (2,))
    """
    model = make_run_model(confounds, t_r, specification.cleaning, specification.censoring)
    projection = clean_series(series, model, specification.cleaning, cleaner)
    quality = describe_quality(model, rank=projection.rank, dof=projection.dof)
    connections = connect_rois(
        projection.cleaned,
        pairs,
        specification.estimation,
        sampling=Sampling(model.sample_mask, t_r, specification.cleaning.band, projection.dof),
        coverage=coverage,
    )
    judgements = judge_quality(quality, specification.usability)
    return RunResult(model, projection.cleaned, quality, judgements, connections)


def choose_columns(names: Sequence[str], rois: Sequence[str], variant: RoiVariant) -> list[int]:
    """Return where the series of these ROIs stand in a variant.

    Parameters
    ----------
    names : sequence of str
        What the columns are called.
    rois : sequence of str
        ROIs, in the order wanted.
    variant : RoiVariant
        Size and smoothing.

    Raises
    ------
    RunError
        If a ROI has no series in this variant.
    """
    wanted = [variant.name(roi) for roi in rois]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise RunError(
            f"no series {missing[0]!r} among {len(names)}; it is needed (rois: variants, or extract again)"
        )
    return [list(names).index(name) for name in wanted]


def make_run_model(confounds: Confounds, t_r: float, cleaning: Cleaning, censoring: Censoring) -> RunModel:
    """Choose confounds and volumes.

    Parameters
    ----------
    confounds : Confounds
        The run's confounds; rows are volumes.
    t_r : float
        Repetition time, s.
    cleaning, censoring
        What leaves the series, and which volumes.

    Raises
    ------
    RunError
        If a column is missing or has gaps.
    """
    volumes = choose_volumes(confounds, t_r, censoring)
    return assemble_model(volumes, choose_regressors(confounds, cleaning.terms), t_r, cleaning.band)


def choose_regressors(confounds: Confounds, terms: ConfoundTerms) -> Regressors:
    """Choose the confounds that leave the series.

    Raises
    ------
    RunError
        If a column is missing or has gaps.
    """
    return select_confounds(confounds.names, confounds.values, confounds.metadata, **asdict(terms))


def assemble_model(volumes: Volumes, regressors: Regressors, t_r: float, band: Band) -> RunModel:
    """Put together what was chosen for a run."""
    design = NuisanceDesign(len(regressors.values), t_r, band, regressors.values)
    return RunModel(regressors, design, volumes.sample_mask, volumes.n_nonsteady, volumes.quality)


def choose_volumes(confounds: Confounds, t_r: float, censoring: Censoring) -> Volumes:
    """Choose the volumes of a run and measure its motion, whether or not it can be denoised.

    Parameters
    ----------
    confounds, t_r, censoring
        As for `make_run_model`.
    """
    names, values = confounds.names, confounds.values
    n_nonsteady = count_nonsteady(names, values)
    fd, dvars = confounds.get("framewise_displacement"), confounds.get("dvars")
    sample_mask = make_sample_mask(
        fd,
        confounds.get("std_dvars"),
        fd_threshold_mm=censoring.fd_threshold_mm,
        dvars_threshold=censoring.dvars_threshold,
        n_nonsteady=n_nonsteady,
        n_volumes=len(values),
    )
    n_retained = int(sample_mask.sum())
    quality = RunQuality(
        n_volumes=len(sample_mask),
        n_retained=n_retained,
        t_r=t_r,
        minutes_retained=n_retained * t_r / 60,
        mean_fd=None if fd is None else drop_nan(compute_mean_fd(fd, n_nonsteady)),
        max_fd=None if fd is None else drop_nan(compute_max_fd(fd, n_nonsteady)),
        mean_dvars=None if dvars is None else drop_nan(compute_mean_fd(dvars, n_nonsteady)),
    )
    return Volumes(sample_mask, n_nonsteady, quality)


def clean_series(
    series: FloatArray,
    model: RunModel,
    cleaning: Cleaning,
    cleaner: Cleaner | None = None,
    *,
    project: Cleaner = project_out,
) -> Projection:
    """Return what confounds, drifts and the band leave of the series, on the retained volumes.

    Parameters
    ----------
    series : array (n_volumes, n_rois)
        ROI series before denoising.
    model : RunModel
        Of the same run.
    cleaning : Cleaning
        Only its mode matters here.
    cleaner : callable, optional
        What cleans in another mode than the projection; the numerics do not import it.
    project : callable
        What projects: a loop over specifications hands in one that keeps its factorisations.

    Raises
    ------
    RunError
        If the confounds have another number of rows, or no volume or no degree of freedom is left.
    """
    check_lengths(len(model.sample_mask), len(series))
    if cleaning.mode == "projection":
        cleaner = project
    if cleaner is None:
        raise ValueError(f"mode {cleaning.mode!r} needs a cleaner")
    projection = cleaner(series, model.design, model.sample_mask)
    check_dof(projection.dof, model.n_retained)
    return projection


def check_dof(dof: int, n_retained: int) -> None:
    """Raise a RunError if no degree of freedom is left of the retained volumes."""
    if dof < 1:
        raise RunError(
            f"no degrees of freedom left ({n_retained} volumes retained, {n_retained - dof} taken by confounds and "
            "band); remedies: denoising.low_pass_hz: null, a looser censoring.fd_threshold_mm, a leaner "
            "denoising.strategy"
        )


def check_lengths(n_confounds: int, n_series: int) -> None:
    """Raise a RunError if confounds and series differ in their number of rows."""
    if n_confounds != n_series:
        raise RunError(f"confounds have {n_confounds} rows, the series {n_series}; they must be equal")


def predict_quality(model: RunModel) -> RunQuality:
    """Return the quality that a run will have, without its series."""
    dof = count_dof(model.design, model.sample_mask)
    return describe_quality(model, rank=model.n_retained - dof, dof=dof)


def describe_quality(model: RunModel, *, rank: int, dof: int) -> RunQuality:
    """Return volumes, minutes, motion and degrees of freedom of a run."""
    return replace(model.quality, rank=rank, dof=dof)


def connect_rois(
    cleaned: FloatArray,
    pairs: np.ndarray,
    estimation: Estimation,
    *,
    sampling: Sampling | None,
    coverage: FloatArray | None = None,
) -> Connections:
    """Correlate cleaned series; a ROI with too little coverage has no correlation, and is not conditioned on.

    Parameters
    ----------
    cleaned : array (n_retained, n_rois)
        Cleaned series; NaN where a ROI has none.
    pairs : int array (n_edges, 2)
        ROI positions of each edge.
    estimation : Estimation
        Full or partial correlation, and the coverage needed.
    sampling : Sampling or None
        None if the series were denoised elsewhere: then no edge has a variance.
    coverage : array (n_rois,), optional
        0 to 1; NaN is unknown.
    """
    if coverage is not None:
        cleaned = np.where(find_uncovered(coverage, estimation.min_coverage), np.nan, cleaned)
    partial = estimation.kind == "partial"
    relmat = compute_partial_relmat(cleaned) if partial else compute_relmat(cleaned)
    edges = compute_edges(
        relmat,
        pairs,
        dof=sampling.dof if sampling else None,
        power=compute_band_power(cleaned, sampling.sample_mask, sampling.t_r, sampling.band)
        if sampling
        else None,
        n_conditioned=int(np.isfinite(np.diag(relmat)).sum()) - 2 if partial else 0,
    )
    return Connections(relmat, edges)


def combine_edges(runs: Sequence[RunEdges]) -> CombinedEdges:
    """Combine the usable runs of one session (or person).

    Runs weigh dof - 2; their number of volumes where dof is unknown.

    Parameters
    ----------
    runs : sequence of RunEdges
        At least one; all have the same edges.
    """
    dof = np.array([run.dof for run in runs], dtype=float)
    n_volumes = np.array([run.n_volumes for run in runs], dtype=float)
    weights = np.where(np.isnan(dof), n_volumes, dof - 2)
    z = np.array([run.edges.z for run in runs])
    combined = combine_runs(z, weights)
    edges = Edges(
        combined.r,
        combined.z,
        combine_variances(np.array([run.edges.z_variance for run in runs]), weights),
        combine_variances(np.array([run.edges.z_variance_ac for run in runs]), weights),
    )
    return CombinedEdges(edges, _sum_dof(dof, np.isfinite(z)), combined.n_runs, combined.between_run_sd)


def _sum_dof(dof: FloatArray, has_edge: np.ndarray) -> FloatArray:
    """Return, per edge, the degrees of freedom of the runs that have it; NaN if none has, or one's is unknown."""
    total = np.where(has_edge, dof[:, np.newaxis], 0.0).sum(axis=0)
    return np.where(has_edge.any(axis=0), total, np.nan)
