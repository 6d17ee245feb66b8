"""What will become of each run, told from headers and confounds without reading an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rsconn.errors import RunError, UserError
from rsconn.files.bids import Run
from rsconn.files.images import check_same_grid, read_header, read_mask
from rsconn.files.parcellated import find_column
from rsconn.files.regions import build_weights
from rsconn.files.sidecars import settle_t_r
from rsconn.settings.config import Config
from rsconn.signal.projection import make_basis
from rsconn.steps.denoise import make_run_model, read_run_confounds, settle_parcellated_t_r
from rsconn.steps.extract import check_files, check_space, count_run_nonsteady
from rsconn.steps.plan import Plan
from rsconn.study.ledger import judge_run


@dataclass(frozen=True)
class Prediction:
    """What will become of a run.

    Attributes
    ----------
    reason : str or None
        Why it will be left out; None if it will be used, as far as can be told without its image.
    dof : int or None
        Degrees of freedom after denoising; None if unknown.
    warnings : tuple of str
        What is odd and no obstacle.
    """

    reason: str | None = None
    dof: int | None = None
    warnings: tuple[str, ...] = ()


def predict_run(run: Run, config: Config) -> Prediction:
    """Predict a run's degrees of freedom and whether the rules keep it.

    Parameters
    ----------
    run : Run
        The run.
    config : Config
        Denoising, censoring and quality settings.
    """
    try:
        return _predict_denoised(run, config) if config.input.denoised else _predict(run, config)
    except UserError as error:
        return Prediction(reason=str(error))


def check_regions(plan: Plan) -> list[str]:
    """Return a line for every ROI that is empty or lies outside the brain on the first usable run's grid.

    Parameters
    ----------
    plan : Plan
        Config and runs.
    """
    for run in plan.runs:
        if run.bold and run.mask:
            try:
                return _check_regions_on(run, plan)
            except RunError:
                continue  # told as a run that will be left out
            except UserError as error:
                return [str(error)]
    return []


def _check_regions_on(run: Run, plan: Plan) -> list[str]:
    assert run.bold is not None  # noqa: S101 - check_regions saw to it
    assert run.mask is not None  # noqa: S101
    header = read_header(run.bold)
    mask = read_mask(run.mask, header)
    weights = build_weights(plan.extract_settings["rois"], header, 0.0)
    least = plan.config.quality.min_coverage
    problems = []
    for row, name in enumerate(weights.names):
        entries = slice(weights.starts[row], weights.starts[row + 1])
        inside = weights.values[entries][mask[weights.voxels[entries]]].sum()
        share = inside / weights.totals[row]
        if not inside:
            problems.append(
                f"{plan.config.rois_path}: ROI {name!r} has no voxel in the brain mask of {run.name}"
            )
        elif share < least:
            problems.append(
                f"{plan.config.rois_path}: ROI {name!r}: {share:.0%} in the brain mask of {run.name}, {least:.0%} "
                "needed (quality.min_coverage)"
            )
    return problems


def _predict(run: Run, config: Config) -> Prediction:
    warnings: tuple[str, ...] = ()
    if config.input.parcellated:
        t_r = settle_parcellated_t_r(run, config.input.t_r)
        _check_columns(run, config)
    else:
        t_r, warning = _check_image(run, config)
        warnings = (warning,) if warning else ()
    confounds = read_run_confounds(run)
    model = make_run_model(confounds, t_r, _get_settings(config))
    n_retained = int(model.sample_mask.sum())
    dof = n_retained - make_basis(model.design[model.sample_mask]).shape[1]
    facts = {
        "participant_id": run.participant_id,
        "session": run.session,
        "run": run.name,
        "n_volumes": len(confounds.values),
        "n_retained": n_retained,
        "minutes_retained": n_retained * t_r / 60,
        "dof": dof,
        "mean_fd": model.mean_fd,
    }
    reasons = [row.reason for row in judge_run(facts, config.censoring, config.quality) if row.reason]
    return Prediction("; ".join(reasons) or None, dof, warnings)


def _predict_denoised(run: Run, config: Config) -> Prediction:
    _check_columns(run, config)
    return Prediction()


def _check_image(run: Run, config: Config) -> tuple[float, str | None]:
    check_files(run)
    check_space(run, config.rois.space, accept=config.input.accept_space_mismatch)
    assert run.bold is not None  # noqa: S101 - check_files saw to it
    assert run.mask is not None  # noqa: S101
    header = read_header(run.bold)
    check_same_grid(read_header(run.mask), header)
    count_run_nonsteady(run, header.n_volumes)
    return settle_t_r(run.name, sidecar_t_r=run.t_r, header_t_r=header.t_r, configured_t_r=config.input.t_r)


def _check_columns(run: Run, config: Config) -> None:
    if run.timeseries is None:
        raise RunError(f"{run.name}: {'; '.join(run.problems) or 'no series'}")
    names = _read_names(run.timeseries)
    for roi in config.rois.rois:
        find_column(names, str(roi.column), str(run.timeseries))


@cache
def _read_names(path: Path) -> tuple[str, ...]:
    with path.open(encoding="utf-8-sig") as stream:
        return tuple(stream.readline().rstrip("\r\n").split("\t"))


def _get_settings(config: Config) -> dict[str, Any]:
    terms = config.denoising.strategy.get_terms()
    return {
        "denoising": {**config.denoising.model_dump(mode="json"), "terms": terms},
        "censoring": config.censoring.model_dump(mode="json"),
    }
