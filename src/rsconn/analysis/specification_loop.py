"""The run chain of many specifications: what two of them share in a run is worked out once.

Confounds hang on the strategy, volumes on the censoring, the basis of the band on both of band and censoring, the
projection on all of them; radii, kernels, thresholds and kinds of correlation come after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from rsconn.analysis.run_chain import (
    Cleaner,
    RunEdges,
    RunModel,
    assemble_model,
    choose_regressors,
    choose_volumes,
    clean_series,
    combine_edges,
    connect_rois,
    describe_quality,
)
from rsconn.analysis.specification import Estimation, Specification
from rsconn.analysis.usability import RunQuality, is_usable, judge_quality
from rsconn.arrays import FloatArray
from rsconn.errors import RunError
from rsconn.signal.connectivity import Edges
from rsconn.signal.projection import Projection, Projector, make_band_complement, make_projector
from rsconn.signal.regressors import Confounds

Shared = TypeVar("Shared")


@dataclass(frozen=True)
class Wish:
    """What is asked of a run.

    Attributes
    ----------
    specification : Specification
        Every choice.
    series : tuple of str
        For each ROI, the series that stands for it.
    """

    specification: Specification
    series: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RunInput:
    """A run before denoising.

    Attributes
    ----------
    names : tuple of str
        Of the series: ROIs, alternatives, other radii and kernels.
    series : array (n_volumes, n_series)
        Row by row in memory.
    coverage : mapping of str to float
        0 to 1; a series that is not there is unknown.
    t_r : float or None
        Repetition time, s; None only if `confounds` is.
    confounds : Confounds or None
        None if the series were denoised elsewhere.
    quality : RunQuality
        Of series that were denoised elsewhere; not looked at otherwise.
    """

    names: tuple[str, ...]
    series: FloatArray
    coverage: Mapping[str, float]
    t_r: float | None
    confounds: Confounds | None
    quality: RunQuality


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """One run under one wish.

    Attributes
    ----------
    edges : RunEdges or None
        None if the run is not usable so.
    reason : str
        Why it is not; empty if it is.
    """

    edges: RunEdges | None
    reason: str = ""


def analyse_wishes(
    run: RunInput, wishes: Sequence[Wish], pairs: np.ndarray, *, cleaner: Cleaner | None = None
) -> list[RunOutcome]:
    """Return the edges of a run under each wish.

    Parameters
    ----------
    run : RunInput
        The run.
    wishes : sequence of Wish
        Those that are alike up to the thresholds cost nothing more.
    pairs : int array (n_edges, 2)
        ROI positions of each edge.
    cleaner : callable, optional
        As for `rsconn.analysis.run_chain.clean_series`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> confounds = Confounds(("csf",), rng.standard_normal((50, 1)), {})
    >>> run = RunInput(("A", "B"), rng.standard_normal((50, 2)), {}, 2.0, confounds, RunQuality())
    >>> [outcome] = analyse_wishes(run, [Wish(Specification(), ("A", "B"))], np.array([[0, 1]]))
    >>> outcome.edges.dof, outcome.edges.edges.z.shape
    (48.0, (1,))
    """
    shared = _SharedRun(run, pairs, cleaner)
    return [shared.analyse(wish) for wish in wishes]


def judge_wishes(run: RunInput, wishes: Sequence[Wish]) -> list[str]:
    """Return for each wish why a run will not be usable, without its series; empty if it will.

    Parameters
    ----------
    run : RunInput
        The run; its series are not looked at.
    wishes : sequence of Wish
        The wishes.
    """
    shared = _SharedRun(run, np.empty((0, 2), dtype=int), None)
    return [shared.judge(wish.specification) for wish in wishes]


@dataclass(eq=False)
class _SharedRun:
    """A run, and what was worked out of it so far."""

    run: RunInput
    pairs: np.ndarray
    cleaner: Cleaner | None
    known: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, key: Hashable, make: Callable[[], Shared]) -> Shared:
        """Return what was made under a key; an error is kept as well."""
        if key not in self.known:
            try:
                self.known[key] = make()
            except RunError as error:
                self.known[key] = error
        found = self.known[key]
        if isinstance(found, RunError):
            raise found
        return found  # type: ignore[no-any-return]

    def analyse(self, wish: Wish) -> RunOutcome:
        """Return the run's edges under a wish."""
        chosen, series = wish.specification, wish.series
        try:
            quality = self.find_quality(chosen, series)
        except RunError as error:
            return RunOutcome(None, str(error))
        judged = judge_quality(quality, chosen.usability)
        if not is_usable(judged):
            return RunOutcome(None, next(row.threshold.value for row in judged if not row.met))
        key = ("edges", chosen.cleaning, chosen.censoring, chosen.estimation, series)
        edges = self.once(key, lambda: self.connect(chosen, series))
        dof = math.nan if quality.dof is None else float(quality.dof)
        return RunOutcome(RunEdges(edges, dof, float(quality.n_volumes or 0)))

    def judge(self, chosen: Specification) -> str:
        """Return why the run is not usable, as far as that shows before it is denoised."""
        quality = self.run.quality
        try:
            if self.run.confounds is not None:
                model, dof = self.make_model(chosen), self.project(chosen).dof
                quality = describe_quality(model, rank=model.n_retained - dof, dof=dof)
        except RunError as error:
            return str(error)
        judged = judge_quality(quality, chosen.usability)
        return next((row.threshold.value for row in judged if not row.met), "")

    def find_quality(self, chosen: Specification, series: tuple[str, ...]) -> RunQuality:
        """Return volumes, minutes and degrees of freedom."""
        if self.run.confounds is None:
            return self.run.quality
        projection = self.clean(chosen, series)
        return describe_quality(self.make_model(chosen), rank=projection.rank, dof=projection.dof)

    def connect(self, chosen: Specification, series: tuple[str, ...]) -> Edges:
        """Return the edges of cleaned series; their variances are no part of a claim."""
        cleaned = (
            self.run.series[:, self.find_columns(series)]
            if self.run.confounds is None
            else self.clean(chosen, series).cleaned
        )
        coverage = np.array([self.run.coverage.get(name, math.nan) for name in series], dtype=float)
        estimation: Estimation = chosen.estimation
        return connect_rois(cleaned, self.pairs, estimation, sampling=None, coverage=coverage).edges

    def clean(self, chosen: Specification, series: tuple[str, ...]) -> Projection:
        """Return the cleaned series."""

        def make() -> Projection:
            values = self.run.series[:, self.find_columns(series)]
            return clean_series(
                values, self.make_model(chosen), chosen.cleaning, self.cleaner,
                project=lambda kept, _design, _mask: self.project(chosen).clean(kept),
            )  # fmt: skip

        return self.once(("cleaned", chosen.cleaning, chosen.censoring, series), make)

    def project(self, chosen: Specification) -> Projector:
        """Return the projection of a strategy, band and censoring."""
        model, band = self.make_model(chosen), chosen.cleaning.band

        def make() -> Projector:
            design, mask = model.design, model.sample_mask
            basis = None
            if design.is_narrow and mask.any():
                basis = self.once(
                    ("band", band, chosen.censoring),
                    lambda: make_band_complement(design.n_volumes, design.t_r, band, mask),
                )
            return make_projector(design, mask, band_complement=basis)

        return self.once(("projector", chosen.cleaning, chosen.censoring), make)

    def make_model(self, chosen: Specification) -> RunModel:
        """Return the confounds and volumes chosen."""
        confounds, t_r = self.run.confounds, self.run.t_r
        if confounds is None or t_r is None:
            raise ValueError("series that were denoised elsewhere have no model")
        terms = chosen.cleaning.terms

        def make() -> RunModel:
            regressors = self.once(("terms", terms), lambda: choose_regressors(confounds, terms))
            volumes = self.once(chosen.censoring, lambda: choose_volumes(confounds, t_r, chosen.censoring))
            return assemble_model(volumes, regressors, t_r, chosen.cleaning.band)

        return self.once(("model", chosen.cleaning, chosen.censoring), make)

    def find_columns(self, series: Sequence[str]) -> list[int]:
        """Return where series stand.

        Raises
        ------
        RunError
            If one is not there.
        """
        missing = [name for name in series if name not in self.run.names]
        if missing:
            raise RunError(f"no series {missing[0]!r} among {len(self.run.names)}; extract again")
        return [self.run.names.index(name) for name in series]


def combine_outcomes(outcomes: Sequence[RunOutcome], n_edges: int) -> FloatArray:
    """Return a person's Fisher z, runs combined, (n_edges,); NaN where no usable run has the edge.

    Parameters
    ----------
    outcomes : sequence of RunOutcome
        The person's runs under one wish.
    n_edges : int
        Number of edges.
    """
    usable = [outcome.edges for outcome in outcomes if outcome.edges is not None]
    if not usable:
        return np.full(n_edges, np.nan)
    return np.asarray(combine_edges(usable).edges.z, dtype=np.float64)
