"""The multiverse of a config: its axes, and every combination of their values that was not excluded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from rsconn.analysis.specification import (
    Censoring,
    Cleaning,
    ConfoundTerms,
    Estimation,
    RoiVariant,
    Specification,
    Usability,
)
from rsconn.settings.problems import suggest
from rsconn.settings.rois import Roi, RoiRow, change_size
from rsconn.settings.strategies import Strategy, change_strategy
from rsconn.settings.variations import OWN, Multiverse, label_value

if TYPE_CHECKING:
    from rsconn.settings.config import Config

# More would not be read by anybody, and the specification curve has no room for them.
MOST_WAYS = 20_000
_IDENTIFIERS = frozenset({"participant_id", "included"})
# Their values answer different questions, so they have curves and joint tests of their own.
_ESTIMANDS = ("connectivity", "score_")
# Options of images; series that came as they are have none.
_OF_IMAGES = ("radius_mm", "smoothing_fwhm_mm")
_OF_DENOISING = (
    "strategy", "global_signal", "high_pass_hz", "low_pass_hz", "fd_threshold_mm", "min_retained_minutes", *_OF_IMAGES,
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """One option and its values, the config's own first.

    Attributes
    ----------
    name : str
        The option, such as ``low_pass_hz``; ``roi_LAI`` and ``score_PT`` for a ROI and a score.
    values : tuple
        As the config has them.
    labels : tuple of str
        As the tables show them.
    """

    name: str
    values: tuple[Any, ...]
    labels: tuple[str, ...]

    @property
    def is_estimand(self) -> bool:
        """Whether another value asks another question."""
        return self.name.startswith(_ESTIMANDS)


@dataclass(frozen=True)
class Way:
    """One way to analyse the claims: what becomes of a run, and what becomes of the people.

    Attributes
    ----------
    labels : tuple of str
        Value of each axis.
    specification : Specification
        From ROI series to edges.
    series : tuple of str
        For each ROI of the set, the series that stands for it.
    covariates : tuple of str or None
        Instead of `covariates.edge`; None: as the config says.
    outlier_sd : float or None
        People further out than so many robust SDs are left out.
    scores : tuple of (str, str)
        Score, and the score that stands in for it.
    """

    labels: tuple[str, ...]
    specification: Specification
    series: tuple[str, ...]
    covariates: tuple[str, ...] | None = None
    outlier_sd: float | None = None
    scores: tuple[tuple[str, str], ...] = ()


def list_axes(config: Config) -> tuple[Axis, ...]:
    """Return the axes along which there is more than one value; none without a multiverse section."""
    if config.multiverse is None:
        return ()
    axes = [
        _make_axis(name, _find_own(name, values, config), values)
        for name, values in config.multiverse.list_choices().items()
    ]
    return tuple(axis for axis in axes if len(axis.values) > 1)


def _make_axis(name: str, own: Any, listed: Sequence[Any]) -> Axis:
    values = (own, *(value for value in listed if label_value(value) != label_value(own)))
    return Axis(name, values, tuple(map(label_value, values)))


def _find_own(name: str, listed: Sequence[Any], config: Config) -> Any:
    """Return the config's own value of an axis."""
    if name.startswith(("roi_", "score_")):
        return name.partition("_")[2]
    found: Mapping[str, Callable[[], Any]] = {
        "strategy": lambda: config.denoising.strategy.name,
        "global_signal": lambda: _find_own_global(config.denoising.strategy.global_signal, listed),
        "high_pass_hz": lambda: config.denoising.high_pass_hz,
        "low_pass_hz": lambda: config.denoising.low_pass_hz,
        "fd_threshold_mm": lambda: config.censoring.fd_threshold_mm,
        "min_retained_minutes": lambda: config.censoring.min_retained_minutes,
        "radius_mm": lambda: _find_own_radius(config.rois.rois),
        "smoothing_fwhm_mm": lambda: config.denoising.smoothing_fwhm_mm,
        "connectivity": lambda: config.connectivity.kind,
        "covariates": lambda: config.covariates.edge,
        "outlier_sd": lambda: None,
    }
    return found[name]()


def _find_own_global(n_terms: int, listed: Sequence[Any]) -> Any:
    """Return the listed value that leaves a strategy of so many terms as it is; the terms where none does."""
    kept = (v for v in listed if (v == bool(n_terms) if isinstance(v, bool) else v == n_terms))
    return next(kept, n_terms or False)


def _find_own_radius(rois: Sequence[Roi]) -> Any:
    """Return the radius that all spheres have; `OWN` where they differ."""
    found = {roi.sphere.radius_mm for roi in rois if roi.sphere}
    return found.pop() if len(found) == 1 else OWN


def list_ways(config: Config) -> tuple[Way, ...]:
    """Return every way to analyse, the primary analysis first; none without a multiverse section."""
    if config.multiverse is None:
        return ()
    axes = list_axes(config)
    excluded = config.multiverse.exclude
    positions = product(*(range(len(axis.values)) for axis in axes))
    return tuple(
        _make_way(axes, chosen, config)
        for chosen in positions
        if not any(chosen) or not _is_excluded(axes, chosen, excluded)
    )


def _is_excluded(
    axes: Sequence[Axis], chosen: Sequence[int], excluded: Iterable[Mapping[str, Sequence[str]]]
) -> bool:
    labels = {axis.name: axis.labels[position] for axis, position in zip(axes, chosen, strict=True)}
    return any(all(labels.get(name) in values for name, values in rule.items()) for rule in excluded)


def _make_way(axes: Sequence[Axis], chosen: Sequence[int], config: Config) -> Way:
    """Return the way that takes these values; what the config says itself stays untouched."""
    pairs = list(zip(axes, chosen, strict=True))
    values = {axis.name: axis.values[position] for axis, position in pairs if position}
    variant = RoiVariant(values.get("radius_mm"), values.get("smoothing_fwhm_mm"))
    return Way(
        labels=tuple(axis.labels[position] for axis, position in pairs),
        specification=_change(config, values, variant),
        series=tuple(_name_series(roi, variant, values, config) for roi in config.rois.rois),
        covariates=values.get("covariates"),
        outlier_sd=values.get("outlier_sd"),
        scores=tuple(
            (name.removeprefix("score_"), value)
            for name, value in values.items()
            if name.startswith("score_")
        ),
    )


def _change(config: Config, values: Mapping[str, Any], variant: RoiVariant) -> Specification:
    own = config.specification
    band = {name: values[name] for name in ("high_pass_hz", "low_pass_hz") if name in values}
    minutes = values.get("min_retained_minutes", own.usability.min_retained_minutes)
    threshold = values.get("fd_threshold_mm", own.censoring.fd_threshold_mm)
    terms = ConfoundTerms(**find_recipe(config, values).get_terms())
    cleaning: Cleaning = replace(own.cleaning, terms=terms, **band)
    censoring: Censoring = replace(own.censoring, fd_threshold_mm=threshold)
    usability: Usability = replace(own.usability, min_retained_minutes=minutes)
    estimation: Estimation = replace(own.estimation, kind=values.get("connectivity", own.estimation.kind))
    return Specification(cleaning, censoring, usability, estimation, variant)


def find_recipe(config: Config, values: Mapping[str, Any]) -> Strategy:
    """Return the strategy that values of the axes ``strategy`` and ``global_signal`` make."""
    strategy = config.denoising.strategy
    if "strategy" in values and config.multiverse is not None:
        strategy = config.multiverse.recipes[values["strategy"]]
        axis = next((axis for axis in list_axes(config) if axis.name == "global_signal"), None)
        values = {"global_signal": axis.values[0], **values} if axis is not None else values
    return change_strategy(strategy, {"global_signal": values.get("global_signal")})


def _name_series(roi: Roi, variant: RoiVariant, values: Mapping[str, Any], config: Config) -> str:
    """Return the series that stands for a ROI; only a sphere has a radius."""
    chosen = config.rois.get(values.get(f"roi_{roi.name}", roi.name))
    return (variant if chosen.sphere else replace(variant, radius_mm=None)).name(chosen.name)


def list_further_rows(config: Config) -> tuple[RoiRow, ...]:
    """Return the regions that only the multiverse needs: alternatives, and other radii and kernels.

    Versions that the ROI file names itself are extracted anyway.
    """
    if config.multiverse is None:
        return ()
    sizes: dict[str, list[Any]] = {
        axis.name: [None, *axis.values[1:]] for axis in list_axes(config) if axis.name in _OF_IMAGES
    }
    rows: dict[str, RoiRow] = {}
    for roi, owner in _list_regions(config.multiverse, config):
        for radius, fwhm in product(
            sizes.get("radius_mm", [None]) if roi.sphere else [None], sizes.get("smoothing_fwhm_mm", [None])
        ):
            changed = change_size(roi, radius, fwhm)
            smoothing = config.denoising.smoothing_fwhm_mm if fwhm is None else fwhm
            rows[changed.name] = RoiRow(changed, smoothing, variant_of=owner)
    known = {row.roi.name for row in config.rois.list_rows()}
    return tuple(row for name, row in rows.items() if name not in known)


def _list_regions(multiverse: Multiverse, config: Config) -> list[tuple[Roi, str]]:
    """Return each ROI and each alternative that is used, with the ROI that it stands for."""
    own = [(roi, roi.name) for roi in config.rois.rois]
    named = [(config.rois.get(name), owner) for owner, names in multiverse.roi.items() for name in names]
    return own + [(roi, owner) for roi, owner in named if roi.name != owner]


def find_multiverse_problems(config: Config) -> list[str]:
    """Return a line for everything in the multiverse section that the rest of the config contradicts."""
    if config.multiverse is None:
        return []
    problems = [
        *_check_source(config),
        *_check_alternatives(config.multiverse, config),
        *_check_versions(config.multiverse, config),
    ]
    if not problems:
        problems = [*_check_exclude(config.multiverse, list_axes(config))]
    if not problems:
        problems = _check_number(list_axes(config)) or _check_bands(config)
    return [f"multiverse.{problem}" for problem in problems]


def _check_source(config: Config) -> Iterable[str]:
    listed = config.multiverse.list_choices() if config.multiverse else {}
    if not config.input.has_runs:
        yield from (
            f"{name}: a study of scores only has no edges; score needed"
            for name in listed
            if not name.startswith("score_")
        )
        return
    barred = _OF_DENOISING if config.input.denoised else _OF_IMAGES if config.input.parcellated else ()
    why = "came denoised" if config.input.denoised else "came without images"
    yield from (
        f"{name}: the series {why}; this axis needs what is no longer there"
        for name in barred
        if name in listed
    )
    if (
        "radius_mm" in listed
        and "radius_mm" not in barred
        and not any(roi.sphere for roi in config.rois.rois)
    ):
        yield "radius_mm: no ROI is a sphere; only spheres have a radius"


def _check_alternatives(multiverse: Multiverse, config: Config) -> Iterable[str]:
    for owner, names in multiverse.roi.items():
        known = [roi.name for roi in config.rois.alternatives if roi.of == owner]
        if owner not in config.rois.names:
            yield f"roi: no ROI {owner!r}; {suggest(owner, config.rois.names, what='ROIs')}"
            continue
        for name in names:
            if name != owner and name not in known:
                nearest = suggest(name, known, what="alternatives")
                yield f"roi.{owner}: {name!r} is no alternative of it in the ROI file; {nearest}"


def _check_versions(multiverse: Multiverse, config: Config) -> Iterable[str]:
    for owner, names in multiverse.score.items():
        for name in (owner, *names):
            if name not in config.scores:
                yield f"score.{owner}: no score {name!r}; {suggest(name, config.scores, what='scores')}"
    for names in multiverse.covariates:
        yield from (
            f"covariates: {name!r} says who a person is; a column of values needed"
            for name in names
            if name in _IDENTIFIERS
        )


def _check_exclude(multiverse: Multiverse, axes: Sequence[Axis]) -> Iterable[str]:
    labels = {axis.name: axis.labels for axis in axes}
    for number, rule in enumerate(multiverse.exclude, start=1):
        for name, values in rule.items():
            yield from _check_excluded(f"exclude[{number}]", name, values, labels)
        if all(labels.get(name, ("",))[0] in values for name, values in rule.items()):
            yield f"exclude[{number}]: this is the config's own analysis, which always stays; another value needed"


def _check_excluded(
    where: str, name: str, values: Sequence[str], labels: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    if name not in labels:
        yield f"{where}: {name!r} is no axis with a second value; {suggest(name, labels, what='axes')}"
        return
    for value in values:
        if value not in labels[name]:
            nearest = suggest(value, labels[name], what="there are")
            yield f"{where}.{name}: {value!r} is not among its values; {nearest}"


def _check_number(axes: Sequence[Axis]) -> list[str]:
    number = 1
    for axis in axes:
        number *= len(axis.values)
    if number <= MOST_WAYS:
        return []
    sizes = " x ".join(f"{len(axis.values)} {axis.name}" for axis in axes)
    return [f"exclude: {number} combinations found ({sizes}), at most {MOST_WAYS} needed; fewer values"]


def _check_bands(config: Config) -> list[str]:
    """Return one line for each kind of combination that no run can be denoised by."""
    axes, problems = list_axes(config), dict[str, None]()
    for way in list_ways(config):
        cleaning = way.specification.cleaning
        low, high = cleaning.low_pass_hz, cleaning.high_pass_hz
        terms = cleaning.terms
        labels = {axis.name: label for axis, label in zip(axes, way.labels, strict=True)}
        if high is not None and low is not None and high >= low:
            problems[f"exclude: high_pass_hz {high:g} is not below low_pass_hz {low:g}"] = None
        if high is None and (terms.acompcor_wm or terms.acompcor_csf or terms.acompcor_variance):
            strategy = labels.get("strategy", config.denoising.strategy.name)
            problems[
                f"exclude: high_pass_hz none does not go with strategy {strategy}, whose aCompCor needs a high-pass; "
                f"add {{strategy: {strategy}, high_pass_hz: null}}"
            ] = None
    return list(problems)
