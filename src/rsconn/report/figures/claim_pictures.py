"""One claim's own small picture: its people on the left, the estimate and what would matter on the right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rsconn.report.figures.group_comparisons import compute_line, draw_cell, tabulate_cell
from rsconn.report.figures.style import (
    FAINT_INK,
    GROUP_COLOURS,
    GROUP_MARKERS,
    INK,
    RULE,
    VERDICT_COLOURS,
    ZONE,
    draw_grid,
    make_figure,
    plot_nothing,
    use_style,
    wrap,
)
from rsconn.settings.claim_kinds import ClaimKind, find_kind
from rsconn.study.claims.claim_words import WORDINGS, describe_sides


def plot_claim(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return the picture of one claim.

    Parameters
    ----------
    table : DataFrame
        The rows of one claim in claim_pictures.
    simulated : bool
        Whether to mark the figure.
    """
    people = table[table["kind"].isin(["person", "density", "mean", "line", "value"])]
    estimate = table[table["kind"] == "estimate"].iloc[0]
    estimated = math.isfinite(estimate["ci_low"])  # several levels have an estimate without an interval
    if people.empty and not estimated:
        return plot_nothing("Not testable here: nothing was estimated.", simulated=simulated)
    with use_style():
        figure = make_figure(4.5, 3.1, simulated=simulated)
        if estimated:
            left, right = figure.subplots(1, 2, width_ratios=(2.1, 1))
            _draw_estimate(right, estimate)
        else:
            left = figure.subplots()
        _draw_people(left, people, estimate)
    return figure


def _draw_people(axes: Axes, people: pd.DataFrame, labels: pd.Series) -> None:
    draw_grid(axes)
    axes.set_ylabel(wrap(labels["y_label"], 1.9))
    if labels["shape"] == "slope":
        _draw_slope(axes, people)
        axes.set_xlabel(wrap(labels["x_label"], 2))
        return
    for value in people.loc[people["kind"] == "value", "y"]:
        axes.axhline(value, color=FAINT_INK, linewidth=1.2, linestyle=(0, (5, 3)))
    sides = list(dict.fromkeys(people["side"].dropna()))
    labels = []
    for position, side in enumerate(sides):
        cell = people[people["side"] == side]
        place = int(cell["colour"].iloc[0]) % len(GROUP_COLOURS)
        draw_cell(axes, position, cell, GROUP_COLOURS[place], GROUP_MARKERS[place], column="y")
        labels.append(
            f"{wrap(cell['label'].iloc[0], 1, 8.5)}\nn = {int(cell.loc[cell['kind'] == 'mean', 'n'].sum())}"
        )
    axes.set_xticks(range(len(sides)), labels)
    axes.set_xlim(-0.6, max(len(sides), 1) - 0.4)
    axes.tick_params(axis="x", length=0)


def _draw_slope(axes: Axes, people: pd.DataFrame) -> None:
    lines, points = people[people["kind"] == "line"], people[people["kind"] == "person"]
    several = len(set(lines["side"])) > 1
    for _, line in lines.groupby("side", sort=False):
        bounds = [line[name].to_numpy(dtype=float) for name in ("x", "ci_low", "ci_high")]
        colour = GROUP_COLOURS[int(line["colour"].iloc[0]) % len(GROUP_COLOURS)] if several else INK
        axes.fill_between(
            *bounds, color=colour if several else RULE, alpha=0.2 if several else None, linewidth=0
        )
        axes.plot(line["x"], line["y"], color=colour, linewidth=1.4)
    for colour, members in points.groupby("colour"):
        place = int(colour) % len(GROUP_COLOURS)
        axes.plot(
            members["x"], members["y"], linestyle="none", marker=GROUP_MARKERS[place], markersize=4.8,
            markerfacecolor=GROUP_COLOURS[place], markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip


def _draw_estimate(axes: Axes, estimate: pd.Series) -> None:
    """Draw the estimate, its 95 % (thick) and family-wise (thin) interval, zero, and the bounds."""
    colour = VERDICT_COLOURS.get(estimate["verdict"], INK)
    _draw_bounds(axes, estimate)
    axes.axhline(0, color=FAINT_INK, linewidth=0.9)
    axes.vlines(0, estimate["ci_family_low"], estimate["ci_family_high"], color=colour, linewidth=1)
    axes.vlines(0, estimate["ci_low"], estimate["ci_high"], color=colour, linewidth=3)
    axes.plot(0, estimate["y"], marker="s", color=colour, markersize=7)
    names = ("y", "ci_low", "ci_high", "ci_family_low", "ci_family_high", "sesoi_low", "sesoi_high")
    values = np.array([estimate[name] for name in names if math.isfinite(estimate[name])] + [0.0])
    margin = 0.08 * max(np.ptp(values), 1e-12)
    axes.set_ylim(values.min() - margin, values.max() + margin)
    axes.set_xlim(-1, 1)
    axes.set_xticks([0], [f"{estimate['estimate_label']}\n{wrap(estimate['label'], 1.1, 8.5)}"])
    axes.tick_params(axis="x", length=0)
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)


def _draw_bounds(axes: Axes, estimate: pd.Series) -> None:
    low, high, expect = estimate["sesoi_low"], estimate["sesoi_high"], estimate["expect"]
    if not math.isfinite(high):
        return
    if expect in {"equivalent", "unrelated"}:
        axes.axhspan(low, high, facecolor=ZONE, edgecolor="none")
    bounds = {"greater": [high], "positive": [high], "less": [low], "negative": [low]}.get(
        expect, [low, high]
    )
    for bound in bounds:
        axes.axhline(bound, color=FAINT_INK, linewidth=1.2, linestyle=(0, (2, 1.2)))


PICTURE_COLUMNS = (
    "claim", "kind", "shape", "side", "label", "colour", "participant_id", "x", "y", "density", "n",
    "ci_low", "ci_high", "ci_family_low", "ci_family_high", "sesoi_low", "sesoi_high",
    "x_label", "y_label", "estimate_label", "expect", "verdict",
)  # fmt: skip
# first place in the palette for sides that are not groups, so that no sex looks like a group
OTHER_SIDES = 2


def tabulate_pictures(
    claims: pd.DataFrame,
    definitions: Mapping[str, Mapping[str, Any]],
    designs: Mapping[str, Any],
    labels: Mapping[str, str],
    places: Mapping[str, int],
) -> pd.DataFrame:
    """Return the pictures of all claims, one below the other.

    Parameters
    ----------
    claims : DataFrame
        group/claims.tsv.
    definitions : mapping
        Claim id to its definition.
    designs : mapping
        Claim id to a `study.claims.designs.Design`: `people` (ids), `covariates` and `model`; a model of None (not
        testable) leaves the picture without people.
    labels : mapping
        Outcome or predictor name to its axis label.
    places : mapping
        participant_id to the place of the person's group in the config, which is its colour.

    Returns
    -------
    DataFrame
        Kinds person, density and mean (contrasts; as measured), value (what a mean is compared with), person and
        line (slopes; both measures adjusted for the covariates, so that the line has the claim's slope), and
        estimate (one row per claim).
    """
    parts = []
    for _, claim in claims.iterrows():
        definition, design = definitions[str(claim["id"])], designs.get(str(claim["id"]))
        estimate = _tabulate_estimate(claim, definition).assign(**_label_axes(definition, design, labels))
        model = getattr(design, "model", None)
        people = pd.DataFrame() if model is None else _tabulate_people(definition, design, places)
        parts.append(pd.concat([people, estimate], ignore_index=True).assign(claim=claim["id"]))
    together = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return together.reindex(columns=list(PICTURE_COLUMNS))


def _label_axes(
    definition: Mapping[str, Any], design: Any, labels: Mapping[str, str]
) -> dict[str, str | None]:
    outcome, predictor = str(definition["outcome"]), definition.get("predictor")
    y_label = labels.get(outcome, outcome) + (", change" if definition.get("paired") else "")
    if not predictor:
        return {"x_label": None, "y_label": y_label}
    adjusted = ", adjusted" if getattr(design, "covariates", ()) else ""
    x_adjusted = adjusted if find_kind(definition) is ClaimKind.SLOPE else ""
    return {"x_label": labels.get(predictor, predictor) + x_adjusted, "y_label": y_label + adjusted}


def _tabulate_people(definition: Mapping[str, Any], design: Any, places: Mapping[str, int]) -> pd.DataFrame:
    if design.model.kind == "slope":
        tabulate = _tabulate_slope if design.model.cells is None else _tabulate_slopes
        return tabulate(design, places)
    kind = find_kind(definition)
    if kind is ClaimKind.MEAN:
        return _tabulate_mean(design, float(definition["than"]))
    first, second = describe_sides(definition)
    if design.model.kind == "paired":
        return _tabulate_side(design, np.ones(len(design.people), dtype=bool), "a", f"{first} − {second}")
    cells = design.model.list_cells()
    if kind is ClaimKind.CHANGES_COMPARED:
        first, second = describe_sides(definition, "between")
    names = (first, second) if len(cells) == 2 else design.cell_names
    parts = [
        _tabulate_side(design, cell, side, name).assign(colour=colour)
        for cell, side, name, colour in zip(
            cells, design.cell_names, names, _pick_colours(design, cells, places), strict=True
        )
    ]
    return pd.concat(parts, ignore_index=True)


def _tabulate_mean(design: Any, value: float) -> pd.DataFrame:
    """Return everybody as measured, and the value that the mean is compared with."""
    everybody = np.ones(len(design.people), dtype=bool)
    rows = _tabulate_side(design, everybody, "a", "everybody", above=value)
    return pd.concat([rows, pd.DataFrame([{"kind": "value", "y": value}])], ignore_index=True)


def _tabulate_side(
    design: Any, chosen: np.ndarray, side: str, label: str, *, above: float = 0.0
) -> pd.DataFrame:
    people = pd.DataFrame({
        "participant_id": np.asarray(design.people, dtype=object)[chosen],
        "y": np.asarray(design.model.outcome, dtype=float)[chosen] + above,
    })  # fmt: skip
    rows = tabulate_cell(people, "y").rename(columns={"value": "y"})
    return rows.assign(side=side, label=label, colour=0)


def _pick_colours(design: Any, cells: Sequence[np.ndarray], places: Mapping[str, int]) -> tuple[int, ...]:
    """Return each cell's group where the cells tell groups apart, else other colours."""
    people = np.asarray(design.people)
    groups = [{places.get(str(person)) for person in people[cell]} for cell in cells]
    found = [group.pop() if len(group) == 1 else None for group in groups]
    known = tuple(place for place in found if place is not None)
    if len(known) < len(cells) or len(set(known)) < 2:
        return tuple(range(OTHER_SIDES, OTHER_SIDES + len(cells)))
    return known


def _tabulate_slope(design: Any, places: Mapping[str, int]) -> pd.DataFrame:
    """Return an added-variable plot: by Frisch-Waugh-Lovell its line has the slope of the claim's model.

    The residuals keep the measures' means, so that the axes stay in their units.
    """
    model = design.model
    x, y = (_adjust(values, model.nuisance) for values in (model.tested, model.outcome))
    grid, fitted, low, high = compute_line(x, y, n_parameters=model.nuisance.shape[1] + 1)
    people = [str(person) for person in design.people]
    colours = [places.get(person, OTHER_SIDES) for person in people]
    points = pd.DataFrame({"kind": "person", "participant_id": people, "colour": colours, "x": x, "y": y})
    line = pd.DataFrame({"kind": "line", "x": grid, "y": fitted, "ci_low": low, "ci_high": high, "n": x.size})
    return pd.concat([points, line], ignore_index=True).assign(side="a")


def _tabulate_slopes(design: Any, places: Mapping[str, int]) -> pd.DataFrame:
    """Return each side's people and line; the outcome is adjusted for the covariates by the claim's own model.

    Its residuals are uncorrelated with the predictor on either side, so that the lines have the model's slopes.
    """
    model, n_basis = design.model, design.n_basis
    covariates = model.nuisance[:, n_basis:]
    coefficients = np.linalg.lstsq(model.design, model.outcome, rcond=None)[0][1 + n_basis :]
    adjusted = model.outcome - (covariates - covariates.mean(axis=0)) @ coefficients
    cells, parts = model.list_cells(), []
    for cell, side, colour in zip(
        cells, design.cell_names, _pick_colours(design, cells, places), strict=True
    ):
        x, y = model.nuisance[cell, n_basis - 1], adjusted[cell]
        grid, fitted, low, high = compute_line(x, y, n_parameters=2 + covariates.shape[1])
        points = {"kind": "person", "participant_id": np.asarray(design.people)[cell], "x": x, "y": y}
        line = {"kind": "line", "x": grid, "y": fitted, "ci_low": low, "ci_high": high, "n": x.size}
        both = pd.concat([pd.DataFrame(points), pd.DataFrame(line)], ignore_index=True)
        parts.append(both.assign(side=side, colour=colour))
    return pd.concat(parts, ignore_index=True)


def _adjust(values: Any, nuisance: Any) -> np.ndarray:
    """Return what a least-squares fit of the nuisance (constant included) leaves of values, plus their mean."""
    fitted = nuisance @ np.linalg.lstsq(nuisance, values, rcond=None)[0]
    return np.asarray(values - fitted + np.mean(values), dtype=np.float64)


def _tabulate_estimate(claim: pd.Series, definition: Mapping[str, Any]) -> pd.DataFrame:
    kind, slope = find_kind(definition), bool(definition.get("predictor"))
    bound = abs(float(claim["sesoi_estimate"])) if pd.notna(claim["sesoi_estimate"]) else math.nan
    row = {
        "kind": "estimate", "label": WORDINGS[kind].unit(definition), "y": claim["estimate"], "n": claim["n"],
        "ci_low": claim["ci_low"], "ci_high": claim["ci_high"],
        "ci_family_low": claim["ci_family_low"], "ci_family_high": claim["ci_family_high"],
        "sesoi_low": -bound, "sesoi_high": bound, "estimate_label": WORDINGS[kind].estimate,
        "shape": "slope" if slope else "contrast", "expect": definition["expect"], "verdict": claim["verdict"],
    }  # fmt: skip
    return pd.DataFrame([row])
