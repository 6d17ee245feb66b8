"""The forest of all claims against their smallest effect of interest."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from rsconn.report.figures.style import (
    FAINT_INK,
    INK,
    RULE,
    VERDICT_COLOURS,
    VERDICT_SYMBOLS,
    ZONE,
    make_figure,
    plot_nothing,
    use_style,
)
from rsconn.report.page.wording import format_number
from rsconn.settings.claim_kinds import find_kind
from rsconn.settings.claims import Verdict
from rsconn.study.claims.claim_words import (
    BOUNDED,
    WORDINGS,
    describe_condition,
    describe_sides,
    get_direction,
    get_effect_kind,
    label_claim,
)

EFFECT_LABELS = {
    "g": "Hedges g, signed so that right is the claimed direction",
    "partial_r": "Partial correlation, signed so that right is the claimed direction",
    "f": "Cohen's f of several levels; it has no direction",
}
# inches
ROW_HEIGHT, HEAD_HEIGHT, FOOT_HEIGHT = 0.28, 0.5, 0.75
AXES_WIDTH, TEXT_WIDTH, LETTER_WIDTH = 4.2, 4.0, 0.072
LINE_LENGTH = 66  # letters


def plot_claims_forest(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return all claims: effect size with its 95 % interval, the smallest effect of interest, the verdict.

    Each scale has a panel: Hedges g, partial r, Cohen's f.
    """
    if table.empty:
        return plot_nothing("No claim was configured.", simulated=simulated)
    kinds = [kind for kind in EFFECT_LABELS if (table["effect_kind"] == kind).any()]
    layouts = [_lay_out_rows(table[table["effect_kind"] == kind]) for kind in kinds]
    with use_style():
        lines = [line for _, row in table.iterrows() for line in _write_label(row).splitlines()]
        left = LETTER_WIDTH * max(map(len, lines)) + 0.2
        width = left + AXES_WIDTH + TEXT_WIDTH
        height = HEAD_HEIGHT + sum(_measure(rows) for rows in layouts)
        # every size is known in inches, so the rows stay equally high in both panels
        figure = make_figure(width, height, simulated=simulated, layout=None)
        top = height - HEAD_HEIGHT
        for kind, rows in zip(kinds, layouts, strict=True):
            box = (left / width, (top - ROW_HEIGHT * len(rows)) / height, AXES_WIDTH / width)
            axes = figure.add_axes((*box, ROW_HEIGHT * len(rows) / height))
            _draw_forest(axes, rows, EFFECT_LABELS[kind], kind.removeprefix("partial_"))
            _draw_rules(axes, rows, left)
            top -= _measure(rows)
        _add_legend(figure)
    return figure


def _measure(rows: Sequence[pd.Series | str]) -> float:
    return ROW_HEIGHT * len(rows) + FOOT_HEIGHT


def _lay_out_rows(claims: pd.DataFrame) -> list[pd.Series | str]:
    """Return the rows from top to bottom: a family's name, then its claims."""
    rows: list[pd.Series | str] = []
    for family, members in claims.groupby("family", sort=False):
        rows.append(str(family))
        rows.extend(member for _, member in members.iterrows())
    return rows


def _draw_forest(axes: Axes, rows: Sequence[pd.Series | str], label: str, symbol: str) -> None:
    low, high = _find_limits([row for row in rows if not isinstance(row, str)])
    axes.set_xlim(low, high)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.axvline(0, color=FAINT_INK, linewidth=0.9)
    ticks = []
    for position, row in enumerate(rows):
        if isinstance(row, str):
            ticks.append((position, f"{row[:1].upper()}{row[1:]}"))
        else:
            _draw_claim(axes, position, row, symbol)
            ticks.append((position, _write_label(row)))
    axes.set_yticks([position for position, _ in ticks], [text for _, text in ticks])
    for text, row in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontweight("bold" if isinstance(row, str) else "normal")
        text.set_linespacing(1.0)
        text.set_fontsize(7.5 if "\n" in text.get_text() else 8.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)


def _draw_rules(axes: Axes, rows: Sequence[pd.Series | str], left: float) -> None:
    """Draw a line across the whole figure above each family."""
    ends = (0.15 - left) / AXES_WIDTH, 1 + (TEXT_WIDTH - 0.15) / AXES_WIDTH
    for position, row in enumerate(rows):
        if isinstance(row, str):
            axes.axhline(position - 0.5, *ends, color=RULE, linewidth=0.8, clip_on=False)


def _write_label(row: pd.Series) -> str:
    return textwrap.fill(f"{row['label']}   {row['id']}", LINE_LENGTH)


def _draw_claim(axes: Axes, position: float, row: pd.Series, symbol: str) -> None:
    colour = VERDICT_COLOURS.get(row["verdict"], INK)
    _draw_bound(axes, position, row)
    if math.isfinite(row["aligned_effect"]):
        axes.hlines(position, row["aligned_low"], row["aligned_high"], color=colour, linewidth=2)
        axes.plot(row["aligned_effect"], position, marker="s", color=colour, markersize=6)
    edge = axes.get_xlim()[1]
    texts = (
        (0.12, _write_effect(row, symbol), INK, "normal"),
        (1.8, _write_size(row), FAINT_INK, "normal"),
        (2.65, f"{VERDICT_SYMBOLS.get(row['verdict'], '')} {row['verdict']}", colour, "bold"),
    )
    width = edge - axes.get_xlim()[0]
    for inches, text, ink, weight in texts:
        axes.text(
            edge + inches / AXES_WIDTH * width,
            position,
            text,
            color=ink,
            fontweight=weight,
            va="center",
            fontsize=8.5,
        )


def _draw_bound(axes: Axes, position: float, row: pd.Series) -> None:
    """Draw the zone of no relevant effect, or the least effect that would matter in the claimed direction."""
    bound = row["sesoi"]
    if not math.isfinite(bound):
        return
    if row["bounded"]:
        axes.add_patch(
            Rectangle(
                (-bound, position - 0.42), 2 * bound, 0.84, facecolor=ZONE, edgecolor=FAINT_INK, linewidth=0.5
            )
        )
    else:
        directed = row["expect"] not in {"different", "associated"} or row["effect_kind"] == "f"
        sides = (bound,) if directed else (bound, -bound)
        axes.vlines(
            sides, position - 0.42, position + 0.42, color=FAINT_INK, linewidth=1.4, linestyle=(0, (2, 1.2))
        )


def _find_limits(claims: Sequence[pd.Series]) -> tuple[float, float]:
    values = [
        row[name] for row in claims for name in ("aligned_low", "aligned_high", "sesoi", "aligned_effect")
    ]
    values += [-row["sesoi"] for row in claims]
    finite = np.array([value for value in values if math.isfinite(value)] or [-1.0, 1.0])
    margin = 0.06 * (finite.max() - finite.min())
    return float(min(finite.min() - margin, -margin)), float(max(finite.max() + margin, margin))


def _write_effect(row: pd.Series, symbol: str) -> str:
    if not math.isfinite(row["effect_size"]):
        return f"{symbol}   not estimated"
    signed = [format_number(row[name], 2) for name in ("aligned_effect", "aligned_low", "aligned_high")]
    return f"{symbol} {signed[0]}  [{signed[1]}, {signed[2]}]"


def _write_size(row: pd.Series) -> str:
    parts = str(row["n_per_group"]).split(";")
    sizes = [part.partition("=")[2] for part in parts if "=" in part]
    if sizes:
        return "n " + " + ".join(sizes)
    return f"n {int(row['n'])}" if math.isfinite(row["n"]) else ""


def _add_legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], marker="s", markersize=6, linewidth=2, color=INK, label="effect, 95 % interval"),
        Line2D(
            [],
            [],
            color=FAINT_INK,
            linewidth=1.4,
            linestyle=(0, (2, 1.2)),
            label="smallest effect of interest",
        ),
        Patch(facecolor=ZONE, edgecolor=FAINT_INK, linewidth=0.5, label="zone of no relevant effect"),
    ]
    figure.legend(handles=handles, loc="upper left", ncols=3)


def count_verdicts(claims: pd.DataFrame) -> pd.DataFrame:
    """Return how many claims of each family, and of all (`family` is ``all``), have each verdict.

    Returns
    -------
    DataFrame
        family, n_claims and one column per verdict (spaces as underscores).
    """
    families = [*dict.fromkeys(claims["family"]), "all"]
    rows = []
    for family in families:
        verdicts = claims.loc[claims["family"].eq(family) | (family == "all"), "verdict"]
        counts = {name.replace(" ", "_"): int((verdicts == name).sum()) for name in Verdict}
        rows.append({"family": family, "n_claims": len(verdicts), **counts})
    return pd.DataFrame(rows)


def tabulate_forest(
    claims: pd.DataFrame,
    definitions: Mapping[str, Mapping[str, Any]],
    designs: Mapping[str, Any],
    units: Mapping[str, str],
) -> pd.DataFrame:
    """Return each claim's effect size turned so that the claimed direction is positive.

    Parameters
    ----------
    claims : DataFrame
        group/claims.tsv.
    definitions : mapping
        Claim id to its definition (outcome, predictor, contrast, expect, sample).
    designs : mapping
        Claim id to its `study.claims.designs.Design`, which knows the covariates used; may lack claims.
    units : mapping
        Unit of each outcome and predictor.

    Returns
    -------
    DataFrame
        One row per claim, in the order of the claims. `kind` is a `settings.claim_kinds.ClaimKind`, `about` says what
        the estimate is of. `aligned_*` are effect_size and its interval times
        `direction`; `effect_kind` is ``g``, ``partial_r`` or ``f``; `bounded` says that the claim asks for an effect
        within plus or minus `sesoi`.
    """
    rows = []
    for _, claim in claims.iterrows():
        definition = definitions[str(claim["id"])]
        direction, kind = get_direction(str(definition["expect"])), find_kind(definition)
        bounds = (direction * claim["effect_ci_low"], direction * claim["effect_ci_high"])
        rows.append({
            "id": claim["id"],
            "family": claim["family"],
            "label": label_claim(definition),
            "kind": str(kind),
            "about": WORDINGS[kind].about(definition),
            "outcome": definition["outcome"],
            "predictor": definition.get("predictor"),
            "side_a": describe_sides(definition)[0] or None,
            "side_b": describe_sides(definition)[1] or None,
            "unit": _name_unit(definition, units),
            "covariates": ", ".join(getattr(designs.get(str(claim["id"])), "covariates", ())) or None,
            "sample": describe_condition(str(definition.get("sample") or "")) or None,
            "effect_kind": get_effect_kind(definition),
            "expect": definition["expect"],
            "bounded": str(definition["expect"]) in BOUNDED,
            "direction": direction,
            "effect_size": claim["effect_size"],
            "aligned_effect": direction * claim["effect_size"],
            "aligned_low": min(bounds),
            "aligned_high": max(bounds),
            "sesoi": claim["sesoi"],
            "n": claim["n"],
            "n_per_group": claim["n_per_group"],
            "verdict": claim["verdict"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def _name_unit(definition: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Return the unit of a claim's estimate, such as ``points`` or ``Fisher z per point``."""
    outcome = units.get(str(definition["outcome"]), "units")
    if not definition.get("predictor"):
        return outcome
    predictor = units.get(str(definition["predictor"]), "units")
    return f"{outcome} per {predictor.removesuffix('s')}"


def index_claims(claims: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the claims' definitions by id."""
    return {str(claim["id"]): claim for claim in claims}
