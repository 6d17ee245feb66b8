"""The first config of a dataset: each guess with its reason, each open question marked, as YAML to edit."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from rsconn import __version__
from rsconn.commands.first_rules import FirstRules
from rsconn.commands.found_columns import FoundColumns
from rsconn.commands.found_images import FoundImages, Guess
from rsconn.commands.found_scores import FoundScores
from rsconn.commands.found_tables import FoundTables
from rsconn.settings.fields import find_house
from rsconn.settings.roi_files import read_roi_set
from rsconn.settings.rois import Roi, RoiSet

# The regions of the demo's study: published centres, which any MNI image has.
_STUDY = Path("config") / "studies" / "olalde-mathieu-2022" / "rois.yaml"
_EDGES = ("LAI-dmPFC", "rACC-oPFC")
_SEEDS = ("LAI", "rACC")
_MAP_SCORE = "PT"
_STRATEGIES = ("acompcor", "motion24", "36P")
_RADII_MM = (6, 4)
_LEAST_FOR_MAPS = 10
_MOST_FOR_ALL_PAIRS = 12
_WIDEST_LINE = 110
_FARTHEST_UP = 4


@dataclass(frozen=True, eq=False)
class FirstConfig:
    """What is known of a dataset, and what was fitted to it.

    Attributes
    ----------
    source : Path
        What was looked at.
    images, tables : FoundImages, FoundTables or None
        None where there are none.
    people : DataFrame
        The joined tables, with values mapped; ``participant_id`` alone without tables.
    columns, scores : FoundColumns, FoundScores
        What the columns mean.
    series : tuple of str
        Columns of the series in a parcellated dataset.
    rules : FirstRules
        Fitted to the runs; empty in the first draft.
    truth : Path or None
        What was planted, of simulated people.
    """

    source: Path
    images: FoundImages | None
    tables: FoundTables | None
    people: pd.DataFrame
    columns: FoundColumns
    scores: FoundScores
    series: tuple[str, ...] = ()
    rules: FirstRules = field(default_factory=FirstRules)
    truth: Path | None = None

    @property
    def voxel_mm(self) -> float | None:
        """Largest edge of a voxel; None without images."""
        header = self.images.header if self.images else None
        return None if header is None else float(np.linalg.norm(header.affine[:3, :3], axis=0).max())

    def make_rois(self) -> RoiSet | None:
        """Return the regions: of the demo's study, or the series' columns; None in a study of scores."""
        if self.images is None:
            return None
        if self.images.parcellated:
            return RoiSet(name=_name_set(self.images), rois=tuple(_make_columns(self.series)))
        study = read_roi_set(find_house() / _STUDY, space=None)
        if self.rules.placed:
            space = self.images.filters["space"].value
            return RoiSet(name="Placed", space=space, rois=self.rules.placed)
        kept = [roi for roi in study.rois if roi.name not in self.rules.dropped]
        return study.model_copy(update={"rois": tuple(_widen(roi, self.voxel_mm) for roi in kept)})

    def list_edges(self) -> tuple[str, ...]:
        """Return the edges; empty where all pairs are meant."""
        rois = self.make_rois()
        if rois is None or (rois.rois[0].column and len(rois.rois) <= _MOST_FOR_ALL_PAIRS):
            return ()
        names = rois.names
        known = tuple(edge for edge in _EDGES if set(edge.split("-")) <= set(names))
        return known or (f"{names[0]}-{names[1]}",)


def _name_set(images: FoundImages) -> str:
    labels = [run.entities.get("seg") or run.entities.get("atlas") for run in images.runs]
    return next(("".join(filter(str.isalnum, label)) for label in labels if label), "") or "Regions"


def _make_columns(series: Sequence[str]) -> Iterator[Roi]:
    taken: set[str] = set()
    for column in series:
        stem = (
            "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in column).strip("_")
            or "region"
        )
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}_{number}", number + 1
        taken.add(name)
        yield Roi(name=name, column=column)


def _widen(roi: Roi, voxel_mm: float | None) -> Roi:
    """Widen a sphere that would hold hardly a voxel."""
    if voxel_mm is None or roi.sphere is None or roi.sphere.radius_mm >= voxel_mm:
        return roi
    return roi.model_copy(
        update={"sphere": roi.sphere.model_copy(update={"radius_mm": float(round(1.2 * voxel_mm))})}
    )


# --- YAML -----------------------------------------------------------------------------------------------------------


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(
        _plain(value), default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return str(value) if isinstance(value, Path) else value


def _line(key: str, guess: Guess, indent: str = "") -> list[str]:
    """Return a key with its value and the reason behind it, on one line or, where that is too long, on several."""
    text, comment = f"{indent}{key}: {_flow(guess.value)}", guess.comment
    if len(text) <= _WIDEST_LINE:
        return [text + comment]
    if isinstance(guess.value, Mapping):
        rows = [f"{indent}  {_flow({name: item})[1:-1]}" for name, item in guess.value.items()]
    else:
        rows = [f"{indent}  - {_flow(item)}" for item in guess.value]
    return [f"{indent}{key}:{comment}", *rows]


def _show(path: Path, base: Path | None) -> str:
    """Return a path as the config has it: relative to `base` unless that leads far up."""
    absolute = os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links into an annex)
    if base is None:
        return absolute
    relative = os.path.relpath(absolute, base)
    return absolute if relative.count("..") > _FARTHEST_UP else relative


def write_config_text(first: FirstConfig, base: Path | None, files: Mapping[str, Path]) -> str:
    """Return config.yaml.

    Parameters
    ----------
    first : FirstConfig
        What was found.
    base : Path or None
        Folder that its relative paths are counted from; None writes absolute ones.
    files : mapping of str to Path
        ``rois``, ``claims`` and, where one is written, ``participants``.
    """
    lines = [
        f"# Written by `rsconn init` ({__version__}) from {_show(first.source, base)}.",
        "# Behind a line stands its reason; # ? asks what only you can say.",
        "# Every option with its unit: config/config.yaml of rsconn, and `rsconn check` says what is wrong.",
        *_describe_found(first),
        *_write_input(first, base, files),
        "output_dir: results",
        *_line("sessions", _get_sessions(first)),
        *(_write_regions(first, base, files) if first.images else []),
        *_write_people(first),
        *_write_multiverse(first),
        f"claims: {_flow(_show(files['claims'], base))}",
        "inference:",
        "  alpha: 0.05",
        "  n_permutations: 10000",
        "  seed: 20220401",
        "  sesoi: {g: 0.5, partial_r: 0.3}  # ? the smallest effects of interest decide what is negligible",
    ]
    if first.truth is not None:
        lines += [
            f"truth: {_flow(_show(first.truth, base))}  # simulated people: what was planted, for the report alone"
        ]
    return "\n".join(lines) + "\n"


def _describe_found(first: FirstConfig) -> list[str]:
    lines = []
    if first.images is not None:
        images, header = first.images, first.images.header
        kind = "series of regions" if images.parcellated else "images"
        by = f", by {images.made_by}" if images.made_by else ""
        lines.append(f"# Found: {len(images.people)} people with {kind}, {len(images.runs)} runs{by}")
        t_r = sorted({run.t_r for run in images.runs if run.t_r})
        shown = f"TR {', '.join(f'{value:g}' for value in t_r[:4])} s" if t_r else "no TR in any JSON"
        if header is not None:
            shown += f"; {header.n_volumes} volumes of {first.voxel_mm:.2g} mm in the first run"
        lines += [f"#   {shown}", *(f"#   {note}" for note in images.notes)]
    if first.tables is not None:
        lines.append(f"# Found: {first.people['participant_id'].nunique()} people in the tables")
        lines += [f"# ? {line}" for line in first.tables.questions]
    return lines


def _get_sessions(first: FirstConfig) -> Guess:
    if first.tables is not None and first.tables.sessions == "separate":
        return Guess("separate", "the tables have a row per session")
    return (first.images.sessions if first.images else None) or Guess("combine")


def _write_input(first: FirstConfig, base: Path | None, files: Mapping[str, Path]) -> list[str]:
    lines = ["input:"]
    if first.images is not None:
        key = "parcellated" if first.images.parcellated else "derivatives"
        lines += [f"  {key}: {_flow(_show(first.images.folder, base))}"]
        lines += _line("denoised", first.images.denoised, "  ") if first.images.denoised else []
    settings = first.tables.settings if first.tables else None
    participants = settings.participants if settings else files["participants"]
    nobody = "" if settings else "  # ? written by init: of these people nothing else is known"
    lines += [f"  participants: {_flow(_show(participants, base))}{nobody}"]
    lines += _line(
        "phenotype", Guess([_show(path, base) for path in settings.phenotype] if settings else []), "  "
    )
    if first.images is not None and first.images.filters:
        filters = first.images.filters
        reasons = [f"{key}: {guess.reason}" for key, guess in filters.items() if guess.reason]
        sure = all(guess.sure for guess in filters.values())
        value = {key: guess.value for key, guess in filters.items()}
        lines += _line("filters", Guess(value, "; ".join(reasons), sure=sure), "  ")
    if first.images is not None and first.images.t_r:
        lines += _line("t_r", first.images.t_r, "  ")
    if first.tables is not None:
        lines += _write_table_options(first.tables)
    return [*lines, *_write_values(first), *_accept_space(first)]


def _write_table_options(tables: FoundTables) -> list[str]:
    lines = []
    for key, guess in tables.reasons.items():
        if key == "ids":
            lines += ["  ids:" + guess.comment] if tables.settings.ids else ["  # ids:"]
            lines += [f"    {_flow({mine: theirs})[1:-1]}" for mine, theirs in tables.settings.ids.items()]
        else:
            lines += _line(key, Guess(getattr(tables.settings, key), guess.reason, sure=guess.sure), "  ")
    asked = [
        f"    # ? {_flow({mine: theirs})[1:-1]}  # the same person?"
        for mine, theirs in tables.unsettled_ids.items()
    ]
    return [*lines, *asked]


def _write_values(first: FirstConfig) -> list[str]:
    used = list_used(first)
    cells = {**first.columns.cells, **first.scores.cells}
    lines = [
        line for name, guess in cells.items() if name in used for line in _line(_flow(name), guess, "    ")
    ]
    return ["  values:", *lines] if lines else []


def list_used(first: FirstConfig) -> set[str]:
    """Return the columns that the config or its claims name."""
    used = {*first.columns.covariates.value, first.columns.sex, first.columns.age, first.columns.site}
    if first.columns.groups:
        used.add(first.columns.groups.value["column"])
    for guess in first.scores.scores.values():
        if "column" in guess.value:
            used.add(guess.value["column"])
        elif first.people is not None:
            start, _, end = guess.value["items"].partition("{")
            end = end.partition("}")[2]
            used |= {
                str(name)
                for name in first.people.columns
                if str(name).startswith(start) and str(name).endswith(end)
            }
    return {name for name in used if name}


def _accept_space(first: FirstConfig) -> list[str]:
    rois = first.make_rois()
    space = first.images.filters.get("space") if first.images else None
    if rois is None or rois.space is None or space is None or space.value == rois.space:
        return []
    return [
        f"  accept_space_mismatch: true  # ? the regions are in {rois.space}, the images in {space.value}: off by mm"
    ]


def _write_regions(first: FirstConfig, base: Path | None, files: Mapping[str, Path]) -> list[str]:
    lines = [f"rois: {_flow(_show(files['rois'], base))}"]
    edges = first.list_edges()
    if edges:
        lines += _line("edges", Guess(list(edges), "which pairs? Leave out for all pairs", sure=False))
    lines += ["connectivity: {kind: pearson}", *_write_maps(first)]
    rules = first.rules
    denoising = {"mode": "projection", "strategy": "acompcor", "high_pass_hz": 0.01, "low_pass_hz": 0.08}
    denoising |= {"smoothing_fwhm_mm": 0, "global_signal": False}
    if first.images is not None and first.images.denoised and first.images.denoised.value:
        denoising = {}
    lines += [f"# Predicted degrees of freedom, {line}" for line in rules.lines]
    lines += _write_section("denoising", denoising, rules.denoising) if denoising else []
    censoring = {
        "fd_threshold_mm": 0.5,
        "min_retained_minutes": 4,
        "min_degrees_of_freedom": 15,
        "max_share_lost": 0.1,
    }
    lines += _write_section("censoring", censoring, rules.censoring)
    return [*lines, "quality: {max_mean_fd_mm: 0.5, min_coverage: 0.5}"]


def _write_section(key: str, defaults: Mapping[str, Any], guesses: Mapping[str, Guess]) -> list[str]:
    merged = {name: guesses.get(name, Guess(value)) for name, value in defaults.items()}
    return [f"{key}:", *(line for name, guess in merged.items() for line in _line(name, guess, "  "))]


def _write_maps(first: FirstConfig) -> list[str]:
    rois, images = first.make_rois(), first.images
    if images is None or rois is None or images.parcellated:
        return []
    seeds = [name for name in _SEEDS if name in rois.names]
    if not seeds or first.columns.groups is None or len(images.people) < _LEAST_FOR_MAPS:
        return ["seeds: []  # whole-brain maps are made of these regions and compared between groups"]
    fwhm_mm = min(12, math.ceil(2.5 * (first.voxel_mm or 3.0) - 1e-6))
    scores = [_MAP_SCORE] if _MAP_SCORE in first.scores.scores else []
    return [
        f"seeds: {_flow(seeds)}  # ? whole-brain maps of these are compared; []: none, in a fraction of the time",
        "maps:",
        f"  smoothing_fwhm_mm: {fwhm_mm}  # two and a half voxels",
        "  min_people_share: 0.9",
        "  n_permutations: 1000",
        "  cluster_forming_p: 0.001",
        "  tfce: true",
        f"  scores: {_flow(scores)}  # ? scores whose slopes are mapped",
        "  interaction: false",
    ]


def _write_multiverse(first: FirstConfig) -> list[str]:
    """Return the other ways of analysing the claims on edges, as the demo has them and these runs allow."""
    rois, rules = first.make_rois(), first.rules
    if (
        rois is None
        or first.columns.sides is None
        or "acompcor" not in rules.usable
        or first.voxel_mm is None
    ):
        return []
    own = _list_covariates(first)
    strategies = [name for name in _STRATEGIES if name in rules.usable]
    axes: dict[str, Any] = {"strategy": strategies} if len(strategies) > 1 else {}
    if "36P" in rules.usable:  # it has the global signal, so the confounds have it
        axes["global_signal"] = [False, True]
    if rules.denoising["low_pass_hz"].value is not None:
        axes["low_pass_hz"] = [0.08, 0.1, None]
    axes["fd_threshold_mm"] = [0.5, 0.3, None]
    if all(roi.sphere and roi.sphere.radius_mm == _RADII_MM[0] for roi in rois.rois):
        axes["radius_mm"] = _RADII_MM
    axes["covariates"] = list(dict.fromkeys((tuple(own), ("mean_fd",), ())))
    exclude: list[dict[str, Any]] = [{"fd_threshold_mm": None, "covariates": ["none"]}]
    if "36P" in strategies:
        exclude.append({"strategy": "36P", "global_signal": False})
    why = "  # ? other ways of analysing claims on edges, shown beside the verdicts; remove the section to do without"
    rows = [f"  {name}: {_flow(values)}" for name, values in axes.items()]
    return [
        f"multiverse:{why}",
        *rows,
        "  exclude:",
        *(f"    - {_flow(row)}" for row in exclude),
        "  n_flips: 1000",
    ]


def _list_covariates(first: FirstConfig) -> list[str]:
    return [*first.columns.covariates.value, *(["mean_fd"] if _has_motion(first) else [])]


def _write_people(first: FirstConfig) -> list[str]:
    columns, lines = first.columns, []
    if columns.groups is not None:
        lines += _line("groups", columns.groups)
    lines += ["scores:" if first.scores.scores else "scores: {}"]
    lines += [line for name, guess in first.scores.scores.items() for line in _line(name, guess, "  ")]
    lines += [f"# ? {line}" for line in first.scores.questions]
    lines += ["covariates:"]
    lines += _line(
        "edge", Guess(_list_covariates(first), columns.covariates.reason, sure=columns.covariates.sure), "  "
    )
    lines += ["  score: []"]
    codes = list(columns.categorical)
    lines += _line("categorical", Guess(codes, "numbers that are codes" if codes else "", sure=not codes))
    return [*lines, *(f"# ? {line}" for line in columns.questions)]


def _has_motion(first: FirstConfig) -> bool:
    if first.images is None:
        return False
    with_confounds = {run.participant_id for run in first.images.runs if run.confounds is not None}
    return "mean_fd" in first.people or len(with_confounds) > 0.9 * len(first.images.people)


# --- regions and claims ----------------------------------------------------------------------------------------------


_PUBLISHED = (
    "# ? Published MNI centres near the regions of Olalde-Mathieu et al. (2022); replace them by your own."
)
_PLACED = (
    "# ? No published region lies in these images, so two spheres stand in their mask; replace them by yours."
)


def write_rois_text(first: FirstConfig) -> str:
    """Return rois.yaml; nothing in a study of scores."""
    rois = first.make_rois()
    if rois is None or first.images is None:
        return ""
    if first.images.parcellated:
        rows = [f"  - {_flow({'name': roi.name, 'column': roi.column})}" for roi in rois.rois]
        head = "# ? The columns of the series; remove what you do not need. They need no space."
        return "\n".join([head, f"name: {rois.name}", "rois:", *rows]) + "\n"
    lines = [
        _PLACED if first.rules.placed else _PUBLISHED,
        "# Other kinds of region: mask: FILE; atlas: {image, labels_tsv, label}; map: {image, index, threshold}.",
        f"name: {rois.name}",
        f"space: {rois.space}",
        "rois:",
    ]
    for roi in rois.rois:
        sphere = roi.sphere.model_dump() if roi.sphere else {}
        lines += [f"  - name: {roi.name}", f"    source: {_flow(roi.source)}", f"    sphere: {_flow(sphere)}"]
    lines += [f"# ? {name} left out: {why}" for name, why in first.rules.dropped.items()]
    return "\n".join(lines) + "\n"


def write_claims_text(first: FirstConfig) -> str:
    """Return claims.yaml: examples from what was found, each exploratory until the user says otherwise."""
    claims = list(_list_claims(first))
    head = [
        "# ? Examples of what can be asked of these data; nobody claimed them. Write your own: sentence, direction.",
        "# expect: greater, less, different or equivalent with a contrast; positive, negative, associated or unrelated",
        "# with a predictor. exploratory: true, unless a claim was written down before the data were looked at.",
    ]
    if not claims:
        return (
            "\n".join(
                [
                    *head,
                    "# Without groups and scores there is nothing to compare: edges alone are computed.",
                    "[]",
                ]
            )
            + "\n"
        )
    return "\n".join([*head, *(line for claim in claims for line in _write_claim(claim))]) + "\n"


def _write_claim(claim: Mapping[str, Any]) -> list[str]:
    rows = [f"  {key}: {_flow(value)}" for key, value in claim.items()]
    rows[0] = f"- {rows[0].strip()}"
    return [f"{row}  # ?" if row.startswith("  expect") else row for row in rows]


def _list_claims(first: FirstConfig) -> Iterator[dict[str, Any]]:
    contrast = _find_contrast(first)
    edges, scores = list(_list_edge_names(first))[:2], list(first.scores.scores)[:2]
    if contrast:
        words = f"{contrast['a']} and {contrast['b']}"
        for number, edge in enumerate(edges, start=1):
            text = f"{words} differ in {edge} connectivity."
            yield _make_claim(
                f"C{number}", "connectivity", text, edge, {"contrast": contrast, "expect": "different"}
            )
        for number, score in enumerate(scores, start=1):
            text = f"{words} differ in {score}."
            yield _make_claim(
                f"S{number}", "scores", text, score, {"contrast": contrast, "expect": "different"}
            )
    pair = (edges[:1] or scores[1:2]) + scores[:1]
    if len(pair) == 2:
        text = f"{pair[0]} goes with {pair[1]}."
        yield _make_claim("B1", "slopes", text, pair[0], {"predictor": pair[1], "expect": "associated"})


def _make_claim(name: str, family: str, text: str, outcome: str, rest: Mapping[str, Any]) -> dict[str, Any]:
    source = "Example of rsconn init; no published claim"
    return {
        "id": name,
        "family": family,
        "text": text,
        "source": source,
        "outcome": outcome,
        **rest,
        "exploratory": True,
    }


def _list_edge_names(first: FirstConfig) -> Iterator[str]:
    rois = first.make_rois()
    if rois is None:
        return
    yield from first.list_edges() or [f"{rois.names[0]}-{other}" for other in rois.names[1:]]


def _find_contrast(first: FirstConfig) -> dict[str, str] | None:
    if first.columns.sides:
        return {"column": "group", "a": first.columns.sides[0], "b": first.columns.sides[1]}
    sex = first.columns.sex
    if sex is None:
        return None
    counts = (
        first.people[sex]
        .dropna()
        .map(lambda cell: f"{cell:g}" if isinstance(cell, float) else cell)
        .value_counts()
    )
    levels = sorted(counts.index[:2])
    return {"column": sex, "a": levels[0], "b": levels[1]} if len(levels) == 2 else None
