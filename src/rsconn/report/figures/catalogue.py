"""Every figure by name; each takes the table of that name from `report.figures.catalogue` and returns a Figure."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rsconn.files.tables import MISSING, read_tsv, write_tsv
from rsconn.files.writing import replace_file
from rsconn.report.figures.claim_pictures import plot_claim, tabulate_pictures
from rsconn.report.figures.claims_forest import (
    count_verdicts,
    index_claims,
    plot_claims_forest,
    tabulate_forest,
)
from rsconn.report.figures.exclusion_flow import plot_exclusion_flow, tabulate_claim_flow, tabulate_flow
from rsconn.report.figures.group_comparisons import (
    plot_connectivity_by_group,
    plot_scores_by_group,
    plot_scores_by_group_sex,
    tabulate_connectivity,
    tabulate_scores,
)
from rsconn.report.figures.motion_coverage import (
    plot_motion_coverage,
    summarise_cohort,
    tabulate_quality,
    tabulate_rois,
)
from rsconn.report.figures.roi_positions import locate_rois, plot_roi_positions
from rsconn.report.figures.score_by_connectivity import (
    find_pairs,
    plot_score_by_connectivity,
    tabulate_slopes,
)
from rsconn.report.figures.specification_curve import plot_specification_curve, tabulate_curves
from rsconn.report.figures.style import shorten_paths, shrink_pictures, use_style

__all__ = [
    "FIGURES",
    "plot_claim",
    "plot_claims_forest",
    "plot_connectivity_by_group",
    "plot_exclusion_flow",
    "plot_motion_coverage",
    "plot_roi_positions",
    "plot_score_by_connectivity",
    "plot_scores_by_group",
    "plot_scores_by_group_sex",
    "plot_specification_curve",
]

FIGURES: dict[str, Callable[..., Figure]] = {
    "claims_forest": plot_claims_forest,
    "scores_by_group": plot_scores_by_group,
    "scores_by_group_sex": plot_scores_by_group_sex,
    "connectivity_by_group": plot_connectivity_by_group,
    "score_by_connectivity": plot_score_by_connectivity,
    "roi_positions": plot_roi_positions,
    "motion_coverage": plot_motion_coverage,
    "exclusion_flow": plot_exclusion_flow,
    "specification_curve": plot_specification_curve,
}


# Each has a plot in report.figures; a figure that does not apply to a study has an empty table and says so.
FIGURE_NAMES = (
    "claims_forest",
    "scores_by_group",
    "scores_by_group_sex",
    "connectivity_by_group",
    "score_by_connectivity",
    "roi_positions",
    "motion_coverage",
    "exclusion_flow",
    "specification_curve",
)
# Tables that the page prints or draws piece by piece.
SUMMARY_NAMES = ("verdict_counts", "cohort_summary", "claim_pictures", "claim_flow")
EVERYBODY = "everybody"
_WHOLE = re.compile(r"-?\d{1,18}")
# Columns that stay text even where every cell looks like a number, such as a group called 1.
TEXT_COLUMNS = (
    "participant_id", "session", "run", "group", "level", "sex", "panel", "side", "side_a", "side_b", "sample",
    "label", "claim", "claims", "id", "family", "outcome", "predictor", "covariates", "shape", "rule", "stage",
    "decision", "reason", "roi", "other", "edge", "score", "variable", "unit", "flags", "analysis", "note",
    "expect", "kind", "axis_label", "source", "verdict", "text", "estimator", "instrument", "subscale",
    "n_per_group", "seed", "model", "positive", "negative", "direction", "region", "nearest_roi", "through",
    "method", "connectivity", "curve", "threshold_label", "x_label", "y_label", "estimate_label", "effect_kind",
    "about", "roi_1", "roi_2", "network_1", "network_2", "sign", "rois",
)  # fmt: skip


def build_figure_tables(
    tables: Mapping[str, pd.DataFrame],
    settings: Mapping[str, Any],
    *,
    designs: Mapping[str, Any] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the table of every name in `FIGURE_NAMES` and `SUMMARY_NAMES`.

    Parameters
    ----------
    tables : mapping
        File stems of group/ to their tables: cohort, claims, flow, quality, coverage, scores; multiverse if there
        is one.
    settings : mapping
        Plain values of the config (``Config.model_dump(mode="json")``): groups, scores, edges, rois, claims,
        censoring, quality, covariates.
    designs : mapping or None
        Claim id to its `study.claims.designs.Design`; None leaves people out of the claims' own pictures.
    """
    claims = [dict(claim) for claim in settings["claims"]]
    groups, cohort = _read_groups(settings, tables["cohort"])
    edges = _read_edges(settings.get("edges") or ())
    edge_names = [f"{first}-{second}" for first, second in edges]
    scores = list(settings.get("scores") or {})
    definitions = index_claims(claims)
    labels = {edge: f"{edge} connectivity (Fisher z)" for edge in edge_names} | {
        name: f"{name} score" for name in scores
    }
    units = dict.fromkeys(edge_names, "Fisher z") | dict.fromkeys(scores, "points")
    membership = dict(zip(cohort["participant_id"], cohort["group"], strict=True))
    places = {person: groups.index(group) for person, group in membership.items() if group in groups}
    shown_edges = _list_claimed(claims, edge_names)
    return {
        "claims_forest": tabulate_forest(tables["claims"], definitions, designs or {}, units),
        "scores_by_group": tabulate_scores(cohort, tables["scores"], groups),
        "scores_by_group_sex": _tabulate_scores_by_sex(cohort, tables["scores"], groups, settings),
        "connectivity_by_group": tabulate_connectivity(cohort, shown_edges, groups),
        "score_by_connectivity": tabulate_slopes(cohort, find_pairs(claims, edge_names, scores), groups),
        "roi_positions": tabulate_rois(locate_rois(settings["rois"]["rois"]), edges),
        "motion_coverage": tabulate_quality(
            _use_given_motion(tables["quality"], cohort),
            tables["coverage"],
            membership,
            groups,
            _read_thresholds(settings),
        ),
        "exclusion_flow": tabulate_flow(tables["flow"], groups),
        "specification_curve": tabulate_curves(tables.get("multiverse"), definitions, units),
        "verdict_counts": count_verdicts(tables["claims"]),
        "cohort_summary": summarise_cohort(cohort, _list_variables(settings, scores, shown_edges), groups),
        "claim_pictures": tabulate_pictures(tables["claims"], definitions, designs or {}, labels, places),
        "claim_flow": tabulate_claim_flow(designs or {}),
    }


def read_result_table(path: Path) -> pd.DataFrame:
    """Read one of the result tables: numbers as numbers, names as text, ``n/a`` as missing.

    Raises
    ------
    TableError
        As `rsconn.files.tables.read_tsv`.
    """
    return pd.DataFrame({name: _convert_cells(name, cells) for name, cells in read_tsv(path).items()})


def _convert_cells(name: str, cells: Sequence[str]) -> pd.Series:
    values = [None if cell == MISSING else cell for cell in cells]
    if name in TEXT_COLUMNS:
        return pd.Series(values, dtype="str")
    if not values:
        return pd.Series(values, dtype=object)
    if set(cells) <= {"true", "false", MISSING} and any(values):
        return pd.Series([None if value is None else value == "true" for value in values])
    numbers = _parse_numbers(values)
    return pd.Series(values, dtype="str") if numbers is None else pd.Series(numbers)


def _parse_numbers(values: Sequence[str | None]) -> Sequence[float] | None:
    """Return whole numbers if all cells are, else floats with NaN for missing; None if some cell is a word."""
    if any("_" in value for value in values if value is not None):  # Python would read 1_0 as ten
        return None
    try:
        if all(value is not None and _WHOLE.fullmatch(value) for value in values):
            return [int(value) for value in values if value is not None]
        return [math.nan if value is None else float(value) for value in values]
    except ValueError:
        return None


def _read_groups(settings: Mapping[str, Any], cohort: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Return the groups in order and the cohort; without groups everybody is one group."""
    levels = (settings.get("groups") or {}).get("levels") or {}
    if levels:
        return list(levels), cohort
    return [EVERYBODY], cohort.assign(group=EVERYBODY)


def _read_edges(edges: Sequence[Any]) -> list[tuple[str, str]]:
    return [
        (edge["first"], edge["second"]) if isinstance(edge, Mapping) else (edge[0], edge[1]) for edge in edges
    ]


def _use_given_motion(quality: pd.DataFrame, cohort: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with the mean FD of the participants table, where that is what the analysis uses."""
    if "mean_fd_source" not in quality or not (quality["mean_fd_source"] == "participants").any():
        return quality
    separate = cohort["participant_id"].duplicated().any()
    keys = ["participant_id", "session"] if separate else ["participant_id"]
    given = cohort[[*keys, "mean_fd"]]
    return quality.drop(columns="mean_fd").merge(given, on=keys, how="left", validate="many_to_one")


def _list_claimed(claims: Sequence[Mapping[str, Any]], edges: Sequence[str]) -> list[str]:
    """Return the edges that claims are about, or all where none is: a large set has thousands."""
    named = {name for claim in claims for name in (claim["outcome"], claim.get("predictor"))}
    return [edge for edge in edges if edge in named] or list(edges)


def _read_thresholds(settings: Mapping[str, Any]) -> dict[str, float | None]:
    merged = {**(settings.get("censoring") or {}), **(settings.get("quality") or {})}
    names = ("max_mean_fd_mm", "min_retained_minutes", "min_degrees_of_freedom", "min_coverage")
    return {name: merged.get(name) for name in names}


def _tabulate_scores_by_sex(
    cohort: pd.DataFrame, scores: pd.DataFrame, groups: Sequence[str], settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the table by sex; empty if there is no such column, one sex only, or sex is the group itself."""
    column = (settings.get("groups") or {}).get("column")
    usable = column != "sex" and "sex" in cohort and len(set(cohort["sex"].dropna())) > 1
    return tabulate_scores(cohort, scores if usable else scores.iloc[:0], groups, level_column="sex")


def _list_variables(settings: Mapping[str, Any], scores: Sequence[str], edges: Sequence[str]) -> list[str]:
    covariates = settings.get("covariates") or {}
    named = [*(covariates.get("edge") or ()), *(covariates.get("score") or ())]
    skipped = {"group", (settings.get("groups") or {}).get("column")}
    return [name for name in ("sex", "age", *named, *scores, "mean_fd", *edges) if name not in skipped]


@dataclass(frozen=True)
class Caption:
    """A figure's title, what to know when reading it, and the text for those who cannot see it."""

    title: str
    text: str
    alt: str


CAPTIONS = {
    "claims_forest": Caption(
        title="Every claim against its smallest effect of interest",
        text=(
            "Effects are signed so that the claimed direction is to the right. A claim of no difference asks for "
            "an effect inside its grey zone. The intervals describe (95 %, equal variances assumed); the "
            "corrected p values decide."
        ),
        alt=(
            "All claims in rows: effect size with its interval against zero and the smallest effect of interest, "
            "and the verdict. The cards below give the same numbers in words."
        ),
    ),
    "scores_by_group": Caption(
        title="Scores by group",
        text="Every person is a point; the shape is the distribution, the bar the mean with its 95 % interval.",
        alt="One panel per score: every person a point, by group, with density, mean and interval.",
    ),
    "scores_by_group_sex": Caption(
        title="Scores by group and sex",
        text="As above, women and men apart.",
        alt="One panel per score: every person a point, by group and sex, with density, mean and interval.",
    ),
    "connectivity_by_group": Caption(
        title="Connectivity by group",
        text="Each person's Fisher z (right axis: Pearson r), as measured; the claims adjust for covariates.",
        alt="One panel per edge: every person's Fisher z a point, by group, with density, mean and interval.",
    ),
    "score_by_connectivity": Caption(
        title="Scores against connectivity",
        text=(
            "Lines are plain least squares without covariates. Where the dashed line (group ignored) and the "
            "groups' own lines differ in sign, the difference between the groups makes the slope (Simpson's "
            "paradox)."
        ),
        alt="One panel per score and edge: people, each group's line with its band, and one line for all.",
    ),
    "roi_positions": Caption(
        title="Where the regions are",
        text="Circles have the true size of the spheres; lines are the edges tested.",
        alt="The regions as circles on a glass brain from the left, back, right and top.",
    ),
    "motion_coverage": Caption(
        title="Motion, retained data, coverage and signal",
        text="Every run is a point; dashed lines are the limits of the config.",
        alt=(
            "Panels of mean framewise displacement, retained minutes and degrees of freedom by group, and of "
            "coverage and signal-to-noise by region; every run a point."
        ),
    ),
    "specification_curve": Caption(
        title="Does it hang on the analysis?",
        text=(
            "Each column of a block is one defensible way to analyse the same claim: the line is its estimate, sorted "
            "from the smallest to the largest, the grey band its family-wise interval, the coloured strip the verdict "
            "it would give, the grey strip how much motion stayed in the edge (QC-FC; black from 0.6 on). Read on "
            "downwards to see what was chosen: a blue mark says that this column used that "
            "value. Marks spread evenly: the choice does not matter. Marks gathered on one side: it moves the "
            "estimate. The red line is the primary analysis, which alone decides; a claim that stands only there "
            "stands on its choices."
        ),
        alt=(
            "One block per claim: a rising line of estimates with a band against zero, a strip of verdicts below it, "
            "and a grid of marks for the choices behind each estimate; a red line marks the primary analysis."
        ),
    ),
    "exclusion_flow": Caption(
        title="From the table to the analysis",
        text="People kept at each stage, and who left by which rule.",
        alt=(
            "Boxes from top to bottom, one column per group: people kept at each stage; boxes to the right: "
            "people who left, by rule."
        ),
    ),
}


PNG_DPI = 200
# dates and versions would make the bytes differ from day to day
# Of the figure's width and height: far below a pixel, far above the noise of a solver.
_PLACE_DIGITS = 6
_METADATA = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


def write_figures(tables: Mapping[str, pd.DataFrame], folder: Path, *, simulated: bool) -> list[Path]:
    """Write every table as .tsv, and the figures among them as .svg and .png too; return the paths.

    Parameters
    ----------
    tables : mapping
        From `report.figures.catalogue.build_figure_tables`, or read back from such a folder.
    folder : Path
        figures/ in the results.
    simulated : bool
        Whether every figure carries the mark.
    """
    written = []
    for name, table in tables.items():
        path = folder / f"{name}.tsv"
        write_tsv(path, {column: table[column].tolist() for column in table.columns})
        written.append(path)
        if name in FIGURES:
            written += write_figure(FIGURES[name](table, simulated=simulated), folder / name)
    return written


def write_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as `stem`.svg and `stem`.png; return the paths."""
    written = []
    for kind in ("svg", "png"):
        path = stem.with_name(f"{stem.name}.{kind}")
        with replace_file(path) as temporary:
            temporary.write_bytes(_render(figure, kind))
        written.append(path)
    return written


def render_svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file."""
    return _render(figure, "svg").decode()


def settle_layout(figure: Figure) -> None:
    """Let the layout engine place the axes once, and round where they stand.

    The solver behind constrained layout orders its terms by the addresses of its variables, so that places differ in
    their last digits from run to run; these reach the ids of clip paths and, at the edge of a pixel, the picture.
    """
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = np.round(
            axes.get_position(original=True).bounds, _PLACE_DIGITS
        ).tolist()
        axes.set_position((left, bottom, width, height))


def _render(figure: Figure, kind: str) -> bytes:
    stream = io.BytesIO()
    with use_style():
        settle_layout(figure)
        figure.savefig(stream, format=kind, dpi=PNG_DPI, metadata=_METADATA[kind])
    return shorten_paths(shrink_pictures(stream.getvalue())) if kind == "svg" else stream.getvalue()
