"""The specification curve: every claim's estimate under every way of analysing it, and the choices behind each."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rsconn.report.figures.style import (
    FAINT_INK,
    INK,
    RULE,
    VERDICT_COLOURS,
    ZONE,
    limit_panels,
    make_figure,
    plot_nothing,
    use_style,
    write_remark,
)
from rsconn.settings.claims import Verdict
from rsconn.settings.variations import label_value
from rsconn.study.claims.claim_words import label_claim

CURVE_COLUMNS = ("claim", "curve", "label", "unit", "rank", "specification")
_NUMBERS = ("primary", "estimate", "ci_family_low", "ci_family_high", "verdict", "qc_fc")
# inches
_WIDTH, _SPAN, _LABELS, _BETWEEN = 11.0, 4.2, 1.75, 0.75
_ROW, _CURVE, _STRIP, _TITLE, _FOOT, _HEAD = 0.155, 1.7, 0.12, 0.42, 0.35, 0.45
_COLUMNS = 2
_CHOSEN = "#3D6C9E"
# A correlation with motion that is drawn black.
_MOST_MOTION = 0.6


def tabulate_curves(
    multiverse: pd.DataFrame | None, definitions: Mapping[str, Mapping[str, Any]], units: Mapping[str, str]
) -> pd.DataFrame:
    """Return the testable specifications of each claim in the order of their estimates.

    Parameters
    ----------
    multiverse : DataFrame or None
        group/multiverse.tsv; None without a multiverse.
    definitions : mapping
        Claim id to its definition.
    units : mapping
        Outcome to its unit.
    """
    if multiverse is None:
        return pd.DataFrame(columns=[*CURVE_COLUMNS, *_NUMBERS])
    names = list(multiverse.columns)
    axes = names[names.index("specification") + 1 : names.index("primary")]
    tested = multiverse[multiverse["estimate"].notna()]
    parts = [
        part.sort_values(["estimate", "specification"], kind="stable")
        .assign(
            rank=np.arange(1, len(part) + 1),
            label=label_claim(definitions[str(claim)]),
            unit=units.get(str(definitions[str(claim)]["outcome"]), ""),
        )
        .astype(dict.fromkeys(axes, object))
        for (claim, _), part in tested.groupby(["claim", "curve"], sort=False)
    ]
    table = pd.concat(parts, ignore_index=True) if parts else tested.assign(rank=0, label="", unit="")
    return table[[*CURVE_COLUMNS, *axes, *_NUMBERS]]


def plot_specification_curve(table: pd.DataFrame, *, simulated: bool = False) -> Figure:
    """Return a block per claim: estimates from smallest to largest, verdicts, and below them what was chosen."""
    if table.empty:
        return plot_nothing(
            "No multiverse was asked for, or no specification could be tested.", simulated=simulated
        )
    names = list(table.columns)
    axes = names[names.index("specification") + 1 : names.index("primary")]
    blocks = {" ".join(key): part for key, part in table.groupby(["claim", "curve"], sort=False)}
    shown, remark = limit_panels(list(blocks))
    rows = _list_levels(table, axes)
    with use_style():
        tall = _TITLE + _CURVE + 2 * _STRIP + 0.08 + _ROW * len(rows) + _FOOT
        height = _HEAD + tall * -(-len(shown) // _COLUMNS) + 0.2
        figure = make_figure(_WIDTH, height, simulated=simulated, layout=None)
        for place, name in enumerate(shown):
            line, column = divmod(place, _COLUMNS)
            corner = _LABELS + column * (_SPAN + _BETWEEN), height - _HEAD - line * tall
            # what a mark means is the same in both columns
            _draw_block(figure, blocks[name], rows, corner, named=column == 0)
        _add_key(figure, height)
        write_remark(figure, remark)
    return figure


def _list_levels(table: pd.DataFrame, axes: Sequence[str]) -> list[tuple[str, str]]:
    """Return axis and value of every row of choices, the primary analysis's value first; the same for all blocks."""
    rows = []
    for axis in axes:
        labels = np.array([label_value(value) for value in table[axis]], dtype=object)
        own = set(labels[table["primary"].to_numpy(dtype=bool)].tolist())
        levels = sorted(set(labels.tolist()), key=lambda level: (level not in own, _sort_key(level)))
        rows += [(axis, level) for level in levels if len(levels) > 1]
    return rows


def _sort_key(level: str) -> tuple[int, float, str]:
    try:
        return 0, float(level), level
    except ValueError:
        return 1, 0.0, level


def _draw_block(
    figure: Figure,
    part: pd.DataFrame,
    rows: Sequence[tuple[str, str]],
    corner: tuple[float, float],
    *,
    named: bool,
) -> None:
    """Draw curve, verdicts, motion and choices of one claim, the curve's upper left corner at a place in inches."""
    width, height = figure.get_size_inches()
    left, bottom = corner[0], corner[1] - _TITLE

    def add(tall: float, gap: float) -> Axes:
        nonlocal bottom
        bottom -= tall + gap
        return figure.add_axes((left / width, bottom / height, _SPAN / width, tall / height))

    curve = add(_CURVE, 0)
    _draw_curve(curve, part)
    verdicts = np.array([[to_rgb(VERDICT_COLOURS[Verdict(word)]) for word in part["verdict"]]])
    motion = np.clip(np.nan_to_num(np.abs(part["qc_fc"].to_numpy(dtype=float))) / _MOST_MOTION, 0, 1)
    grey = 1 - motion[None, :, None] * (1 - np.array(to_rgb(INK)))
    panels = [curve, add(_STRIP, 0.02), add(_STRIP, 0.02), add(_ROW * len(rows), 0.04)]
    for axes, picture, name in zip(panels[1:3], (verdicts, grey), ("verdict", "QC-FC"), strict=True):
        _show(axes, picture, [name] if named else [""])
    _draw_choices(panels[3], part, rows, named=named)
    panels[3].set_xlabel(f"{len(part)} specifications, from the smallest to the largest estimate", fontsize=8)
    _mark_primary(panels, part)


def _draw_curve(axes: Axes, part: pd.DataFrame) -> None:
    x = part["rank"].to_numpy(dtype=float)
    # the curve has the same room for a specification as the pictures below it
    axes.set_xlim(0.5, len(part) + 0.5)
    axes.set_ylim(_find_limits(part))
    low, high = part["ci_family_low"], part["ci_family_high"]
    axes.fill_between(x, low.to_numpy(), high.to_numpy(), color=ZONE, linewidth=0)
    axes.axhline(0, color=FAINT_INK, linewidth=0.9)
    axes.plot(x, part["estimate"].to_numpy(), color=INK, linewidth=1.4)
    axes.set_xticks([])
    axes.set_ylabel(str(part["unit"].iloc[0]) or "estimate", fontsize=8)
    claim, curve = part["claim"].iloc[0], part["curve"].iloc[0]
    mark = f" [{curve}]" if curve != "primary" else ""
    title = textwrap.shorten(f"{claim}  {part['label'].iloc[0]}", max(52 - len(mark), 20), placeholder=" ...")
    axes.set_title(title + mark, fontsize=9)


def _find_limits(part: pd.DataFrame) -> tuple[float, float]:
    """Return limits that show every estimate, zero and most intervals: a few without power would hide the rest."""
    estimates = part["estimate"].to_numpy(dtype=float)
    low, high = np.quantile(part["ci_family_low"], 0.1), np.quantile(part["ci_family_high"], 0.9)
    bottom, top = min(0.0, low, estimates.min()), max(0.0, high, estimates.max())
    room = 0.05 * max(top - bottom, 1e-12)
    return float(bottom - room), float(top + room)


def _draw_choices(axes: Axes, part: pd.DataFrame, rows: Sequence[tuple[str, str]], *, named: bool) -> None:
    known = {axis: np.array([label_value(value) for value in part[axis]]) for axis, _ in rows}
    order = list(known)
    paper = [to_rgb("#F1F4F8") if order.index(axis) % 2 == 0 else (1.0, 1.0, 1.0) for axis, _ in rows]
    chosen = np.array([known[axis] == level for axis, level in rows])
    picture = np.where(chosen[:, :, None], np.array(to_rgb(_CHOSEN)), np.array(paper)[:, None, :])
    labels = [
        f"{axis}  {level}" if place == 0 or rows[place - 1][0] != axis else level
        for place, (axis, level) in enumerate(rows)
    ]
    shown = [textwrap.shorten(label, 38, placeholder="...") for label in labels]
    _show(axes, picture, shown if named else [""] * len(rows))


def _show(axes: Axes, picture: np.ndarray, labels: Sequence[str]) -> None:
    axes.imshow(picture, aspect="auto", interpolation="none")
    axes.set_xticks([])
    axes.set_yticks(range(len(labels)), labels, fontsize=6.8)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mark_primary(panels: Sequence[Axes], part: pd.DataFrame) -> None:
    own = part[part["primary"].to_numpy(dtype=bool)]
    if own.empty:
        return
    rank = float(own["rank"].iloc[0])
    colour = VERDICT_COLOURS[Verdict.CONTRADICTED]
    panels[0].plot([rank], [own["estimate"].iloc[0]], marker="D", markersize=6, color=colour, zorder=5)
    panels[0].axvline(rank, color=colour, linewidth=0.8)
    for axes in panels[1:]:
        axes.axvline(rank - 1, color=colour, linewidth=0.8)


def _add_key(figure: Figure, height: float) -> None:
    handles = [
        Line2D([], [], color=INK, linewidth=1.4, label="estimate"),
        Patch(color=ZONE, label="family-wise interval"),
        Line2D([], [], color=VERDICT_COLOURS[Verdict.CONTRADICTED], marker="D", label="primary analysis"),
        Patch(color=_CHOSEN, label="chosen"),
        *(Patch(color=colour, label=str(verdict.value)) for verdict, colour in VERDICT_COLOURS.items()
          if verdict is not Verdict.NOT_TESTABLE),
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.01, 1 - 0.02 / height), ncols=len(handles),
        edgecolor=RULE, fontsize=8, columnspacing=1.2, handlelength=1.4,
    )  # fmt: skip
