"""What each rule depends on: the options that it reads, and nothing else.

A job travels to its rule's step, and as plain values to Snakemake, so an edited option runs those rules again whose job
holds it. `docs/reruns.md` lists them, and a test walks every option. Steps that work on one batch of runs get their job
(`rsconn.rules.run_jobs`); those that work on the whole group get the config, of which their job holds all that they
read: tests run them with a config in which nothing else can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from rsconn.rules.run_jobs import ConnectJob, DenoiseJob, ExtractJob, Job, SeedmapJob, SeriesRow, Values
from rsconn.settings.config import Config
from rsconn.settings.rois import RoiRow
from rsconn.settings.ways import list_further_rows
from rsconn.study.people.used_columns import list_used_columns

# What a region is besides its place, which no image is read for.
_WORDS = {"variants", "source", "network", "hemisphere"}


@dataclass(frozen=True)
class CohortJob(Job):
    """Tables and how they are read, scores, groups, and the rules that runs and people must pass."""

    input: Values
    exclude: Values
    sessions: str
    edges: list[str]
    columns: list[str]
    has_edge_claims: bool
    groups: Values | None
    scores: dict[str, Values]
    instruments: dict[str, Values]
    limits: Values

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take from a config what the cohort reads."""
        # how the runs were read stands in their records
        of_runs = {"denoised", "t_r", "accept_space_mismatch"}
        own = {"group", "sex", "age", "mean_fd"}
        return cls(
            input=config.input.model_dump(mode="json", exclude=of_runs),
            exclude=dict(config.exclude),
            sessions=config.sessions,
            edges=[edge.name for edge in config.edges],
            columns=sorted(set(list_used_columns(config)) - own),
            # whose people need no edge with a column of its own
            has_edge_claims=bool(config.edge_claims),
            groups=config.groups.model_dump(mode="json") if config.groups else None,
            scores={name: score.model_dump(mode="json") for name, score in config.scores.items()},
            instruments=describe_instruments(config),
            limits=describe_limits(config),
        )


@dataclass(frozen=True)
class InferJob(Job):
    """Claims, what they are adjusted for, error rates, and what makes a claim circular."""

    claims: list[Values]
    edge_claims: list[Values]
    edges: list[str]
    covariates: Values
    categorical: list[str]
    groups: Values | None
    inference: Values
    circular: Values | None
    score_columns: dict[str, str | None]
    datasets: list[str]

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take from a config what the verdicts rest on."""
        circular = config.rois.circular
        return cls(
            claims=[claim.model_dump(mode="json") for claim in config.claims],
            edge_claims=[claim.model_dump(mode="json") for claim in config.edge_claims],
            edges=[edge.name for edge in config.edges],
            covariates=config.covariates.model_dump(mode="json"),
            categorical=list(config.categorical),
            groups=config.groups.model_dump(mode="json") if config.groups else None,
            inference=config.inference.model_dump(mode="json"),
            circular=circular.model_dump(mode="json") if circular else None,
            # a score has its column's name too, by which a circular contrast may go
            score_columns={name: score.column for name, score in config.scores.items()} if circular else {},
            datasets=[str(path) for path in (*config.input.derivatives, *config.input.parcellated)],
        )


@dataclass(frozen=True)
class MultiverseJob(Job):
    """Every way of analysing, and what the primary analysis rests on: it is one of them."""

    multiverse: Values | None
    regions: list[Values]
    denoise: Values
    connect: Values
    sessions: str
    limits: Values
    infer: Values

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take from a config what the specifications are made of."""
        infer = asdict(InferJob.from_config(config))
        del infer["datasets"]
        told = {"text", "source", "notes", "original"}  # nothing of it is printed here
        infer["claims"] = [claim.model_dump(mode="json", exclude=told) for claim in config.claims]
        infer["inference"] = {
            name: value for name, value in infer["inference"].items() if name != "n_permutations"
        }
        return cls(
            multiverse=config.multiverse.model_dump(mode="json") if config.multiverse else None,
            regions=[
                {"name": roi.name, "column": roi.column, "sphere": roi.sphere is not None}
                for roi in (*config.rois.rois, *config.rois.alternatives)
            ],
            denoise=asdict(make_denoise_job(config)),
            connect=asdict(make_connect_job(config)),
            sessions=config.sessions,
            limits=describe_limits(config),
            infer=infer,
        )


@dataclass(frozen=True)
class MapsJob(Job):
    """Models of the seeds' maps, thresholds, and the rules that runs must pass."""

    maps: Values
    space: str | None
    rois: list[Values]
    limits: Values
    covariates: list[str]
    categorical: list[str]
    groups: Values | None
    alpha: float
    seed: int
    exchange_within: str | None
    exchange_whole: str | None

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take from a config what the group's maps rest on."""
        return cls(
            maps=config.maps.model_dump(mode="json", exclude={"across"}),  # the report's
            space=config.rois.space,
            rois=[
                # <seed>_models.json hands a seed on as its file has it
                roi.model_dump(mode="json", exclude={"variants"} if roi.name in config.seeds else _WORDS)
                for roi in config.rois.rois
            ],
            limits=describe_limits(config),
            covariates=list(config.covariates.edge),
            categorical=list(config.categorical),
            groups=config.groups.model_dump(mode="json") if config.groups else None,
            alpha=config.inference.alpha,
            seed=config.inference.seed,
            exchange_within=config.inference.exchange_within,
            exchange_whole=config.inference.exchange_whole,
        )


@dataclass(frozen=True)
class MatricesJob(Job):
    """Claims on many edges, the regions in their order, and what people and runs must pass."""

    claims: list[Values]
    set_name: str
    rois: list[Values]
    kind: str
    sessions: str
    limits: Values
    covariates: list[str]
    categorical: list[str]
    groups: Values | None
    inference: Values
    circular: Values | None
    score_columns: dict[str, str | None]

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take from a config what claims on many edges rest on."""
        circular = config.rois.circular
        return cls(
            claims=[claim.model_dump(mode="json") for claim in config.edge_claims],
            set_name=config.rois.name,
            rois=[{"name": roi.name, "network": roi.network} for roi in config.rois.rois],
            kind=config.connectivity.kind,
            sessions=config.sessions,
            limits=describe_limits(config),
            covariates=list(config.covariates.edge),
            categorical=list(config.categorical),
            groups=config.groups.model_dump(mode="json") if config.groups else None,
            inference=config.inference.model_dump(mode="json"),
            circular=circular.model_dump(mode="json") if circular else None,
            score_columns={name: score.column for name, score in config.scores.items()} if circular else {},
        )


@dataclass(frozen=True)
class ReportJob(Job):
    """Everything that was asked for: the report prints it, and its digest."""

    settings: Values
    instruments: dict[str, Values]

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take a config whole."""
        settings = config.model_dump(mode="json", exclude={"path", "output_dir"})
        return cls(settings=settings, instruments=describe_instruments(config))


def make_extract_job(config: Config) -> ExtractJob:
    """Take from a config what extraction reads."""
    return ExtractJob(
        set_name=config.rois.name,
        space=config.rois.space,
        accept_space_mismatch=config.input.accept_space_mismatch,
        t_r=config.input.t_r,
        rois=list_roi_rows(config.rois.list_rows(config.denoising.smoothing_fwhm_mm), config),
        further_rois=list_roi_rows(list_further_rows(config), config),
    )


def make_seedmap_job(config: Config) -> SeedmapJob:
    """Take from a config what the pass for ROI series and seed maps reads."""
    return SeedmapJob(
        **vars(make_extract_job(config)),
        seeds=tuple(config.seeds),
        maps_smoothing_fwhm_mm=config.maps.smoothing_fwhm_mm,
        cleaning=config.specification.cleaning,
        censoring=config.specification.censoring,
    )


def make_denoise_job(config: Config) -> DenoiseJob:
    """Take from a config what denoising reads."""
    return DenoiseJob(
        set_name=config.rois.name,
        rois=tuple(config.rois.names),
        columns={roi.name: roi.column for roi in config.rois.rois if roi.column},
        denoised=bool(config.input.parcellated and config.input.denoised),
        t_r=config.input.t_r,
        strategy=config.denoising.strategy.name,
        cleaning=config.specification.cleaning,
        censoring=config.specification.censoring,
    )


def make_connect_job(config: Config) -> ConnectJob:
    """Take from a config what connectivity reads."""
    return ConnectJob(
        set_name=config.rois.name,
        edges=tuple((edge.first, edge.second) for edge in config.edges),
        estimation=config.specification.estimation,
        band=config.specification.cleaning.band,
    )


JOBS: dict[str, Callable[[Config], Job]] = {
    "extract": make_extract_job,
    "seedmap": make_seedmap_job,
    "denoise": make_denoise_job,
    "connect": make_connect_job,
    "cohort": CohortJob.from_config,
    "matrices": MatricesJob.from_config,
    "infer": InferJob.from_config,
    "multiverse": MultiverseJob.from_config,
    "maps": MapsJob.from_config,
    "report": ReportJob.from_config,
}


def list_roi_rows(rows: Sequence[RoiRow], config: Config) -> tuple[SeriesRow, ...]:
    """Return each region or variant with its smoothing."""
    surfaces = config.rois.surfaces
    on_surface = {"surfaces": surfaces.model_dump(mode="json")} if surfaces else {}
    return tuple(
        SeriesRow(
            name=row.roi.name,
            region={
                **row.roi.model_dump(mode="json", exclude=_WORDS | {"of"}),
                **(on_surface if row.roi.sphere else {}),
            },
            smoothing_fwhm_mm=row.smoothing_fwhm_mm,
            variant_of=row.variant_of,
        )
        for row in rows
    )


def describe_limits(config: Config) -> dict[str, Any]:
    """Return what a run must pass to be used."""
    left_out = {"fd_threshold_mm", "dvars_threshold"}  # volumes; their number stands in the records
    at_the_end = {"max_share_lost"}  # for the check alone
    limits: dict[str, Any] = config.censoring.model_dump(mode="json", exclude=left_out | at_the_end)
    return limits | config.quality.model_dump(mode="json")


def describe_instruments(config: Config) -> dict[str, Values]:
    """Return what the files of the scores' questionnaires say."""
    forms = {name: score.form for name, score in config.scores.items() if score.instrument}
    return {name: asdict(form) for name, form in forms.items()}
