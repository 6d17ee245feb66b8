"""Pictures of where a map says something: what survives correction, and how many people each voxel rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from rsconn.errors import DatasetError
from rsconn.report.figures.style import FAINT_INK, INK, use_style, write_remark
from rsconn.report.maps.map_viewer import get_models, read_volume
from rsconn.report.maps.mosaics import (
    BACKGROUND_REMARK,
    BOX,
    HOT,
    N_SLICES,
    ROI_COLOUR,
    SCALE,
    STATISTICS,
    WIDTH,
    Volume,
    add_bar,
    blend,
    draw_rois,
    get_primary,
    get_width,
    lay_out,
    list_points,
    measure_row,
    name_slice,
    paint_brain,
    show_slice,
    write_head,
)
from rsconn.report.maps.seed_mosaics import MapPicture
from rsconn.study.maps.found_regions import PlantedPlace, compare_planted, tabulate_planted

GLASS_HEIGHT = 2.35
# what each view of the glass brain shows to the right and upwards, and which half of the brain
VIEWS = {"l": ("y", "z", -1), "y": ("x", "z", 0), "r": ("y", "z", 1), "z": ("x", "y", 0)}
_PLANTED_COLOUR = "#7A1FA2"
_DASHES: dict[str, Any] = {"color": _PLANTED_COLOUR, "linestyle": (0, (3, 2))}
_STEP_MM = 2.0
# dark where nobody has signal, pale where nearly everybody has
COVERAGE_SCALE = LinearSegmentedColormap.from_list("rsconn-coverage", [*HOT[::-1]])


def plot_found(
    picture: MapPicture,
    background: Volume,
    slices: pd.DataFrame,
    rois: pd.DataFrame,
    *,
    places: Sequence[PlantedPlace] = (),
    simulated: bool = False,
) -> Figure:
    """Return t where the primary correction lets it pass, on a glass brain and on slices; nothing is shown elsewhere.

    Parameters
    ----------
    picture, background, slices, rois
        See `rsconn.report.maps.seed_mosaics.plot_map`.
    places : sequence of PlantedPlace
        Where a simulated study planted what this model should find.
    """
    kept = Volume(picture.t.data * mark_survivors(picture.survivors, picture.t), picture.t.affine)
    with use_style():
        figure, (row,) = lay_out([GLASS_HEIGHT + measure_row("z")], simulated=simulated)
        for axes in row:
            left, bottom, width, _ = axes.get_position().bounds
            axes.set_position((left, bottom, width, (measure_row("z") - 0.2) / figure.get_figheight()))
        _draw_glass(figure, kept, picture.limit, places)
        for axes, (_, cut) in zip(row, slices[slices["axis"] == "z"].iterrows(), strict=True):
            points = list_points("z", cut["mm"])
            colours = blend(
                paint_brain(background, points), kept.sample(points), limit=picture.limit, opaque_at=1e-6
            )
            show_slice(axes, "z", colours)
            draw_rois(axes, "z", cut["mm"], rois)
            _draw_places(axes, ("x", "y", "z"), places, cut["mm"])
            name_slice(axes, "z", cut["mm"], cut["through"])
        title = f"{picture.title}, where the primary correction lets it pass"
        passed = f"{np.count_nonzero(kept.data)} voxels"
        write_head(figure, title, f"{passed}.      blue: {picture.negative}      orange: {picture.positive}")
        add_bar(figure, picture.limit, "t", {})
        _add_key(figure, planted=bool(places))
        write_remark(figure, BACKGROUND_REMARK)
    return figure


def mark_survivors(survivors: Mapping[str, Volume], like: Volume) -> NDArray[np.float64]:
    """Return 1 where any correction lets a voxel pass, 0 elsewhere, in the shape of a map."""
    marked = np.zeros(like.data.shape, bool)
    for volume in survivors.values():
        marked |= volume.data > 0
    return marked.astype(np.float64)


def project_map(volume: Volume, view: str) -> NDArray[np.float64]:
    """Return the value of largest size along each line of sight of a view of the glass brain.

    Parameters
    ----------
    volume : Volume
    view : {'l', 'y', 'r', 'z'}
        From the left (left half only), from behind, from the right, from above.

    Returns
    -------
    float64 array (n_up, n_right)
        On a grid of 2 mm over `BOX`; 0 where nothing lies.
    """
    right, up, half = VIEWS[view]
    through = next(axis for axis in "xyz" if axis not in (right, up))
    best: NDArray[np.float64] | None = None
    low, high = BOX[through]
    for mm in np.arange(low if half <= 0 else 0, (high if half >= 0 else 0) + 0.1, _STEP_MM):
        values = volume.sample(list_points(through, float(mm), _STEP_MM))
        best = values if best is None else np.where(np.abs(values) > np.abs(best), values, best)
    assert best is not None  # noqa: S101 - every view has lines of sight
    return best


def plot_coverage(
    n_people: Volume, n_all: int, least: int, background: Volume, slices: pd.DataFrame, rois: pd.DataFrame,
    *, title: str, simulated: bool = False,
) -> Figure:  # fmt: skip
    """Return slices coloured by how many people have signal, where not everybody has; drop-out is seen here.

    Parameters
    ----------
    n_people : Volume
        Count per voxel.
    n_all : int
        People with a map.
    least : int
        Voxels of fewer people are not tested; a line in the colour bar says so.
    background, slices, rois
        See `rsconn.report.maps.seed_mosaics.plot_map`.
    """
    axes_shown = ("x", "z")
    with use_style():
        figure, rows = lay_out([measure_row(axis) for axis in axes_shown], simulated=simulated)
        for axis, row in zip(axes_shown, rows, strict=True):
            for axes, (_, cut) in zip(row, slices[slices["axis"] == axis].iterrows(), strict=True):
                _draw_coverage(axes, axis, cut["mm"], n_people, n_all, background)
                draw_rois(axes, axis, cut["mm"], rois)
                name_slice(axes, axis, cut["mm"], cut["through"])
        remark = f"grey: all {n_all} people.   Below {least} (line in the colour bar) a voxel is not tested"
        write_head(figure, title, remark)
        _add_coverage_bar(figure, n_all, least)
        write_remark(figure, BACKGROUND_REMARK)
    return figure


def _draw_coverage(
    axes: Axes, axis: str, mm: float, n_people: Volume, n_all: int, background: Volume
) -> None:  # fmt: skip
    points = list_points(axis, mm)
    brain, count = paint_brain(background, points), n_people.sample(points)
    inside = background.sample(points) > 0
    lacking = inside & (count < n_all)
    steps = np.round(count / n_all * 20) / 20
    show_slice(axes, axis, np.where(lacking[..., None], COVERAGE_SCALE(steps)[..., :3], brain))


def _add_coverage_bar(figure: Figure, n_all: int, least: int) -> None:
    height = figure.get_figheight()
    long = min(2.2, height - 1.5)
    frame = ((WIDTH - 0.63) / WIDTH, 0.5 - 0.5 * long / height, 0.13 / WIDTH, long / height)
    bar = figure.colorbar(ScalarMappable(Normalize(0, n_all), COVERAGE_SCALE), cax=figure.add_axes(frame))
    bar.outline.set_edgecolor(FAINT_INK)
    bar.ax.axhline(least, color=INK, linewidth=0.9)
    bar.ax.set_title("people", fontsize=9, fontweight="bold", loc="center")


def _draw_glass(figure: Figure, kept: Volume, limit: float, places: Sequence[PlantedPlace]) -> None:
    from nilearn.plotting import plot_glass_brain

    height = figure.get_figheight()
    bottom = height - 0.55 - GLASS_HEIGHT
    frame = (0.0, bottom / height, N_SLICES * get_width() / WIDTH, (GLASS_HEIGHT - 0.1) / height)
    display = plot_glass_brain(None, display_mode="lyrz", figure=figure, axes=frame, annotate=True)
    for view, panel in display.axes.items():
        axes, (right, up, half) = panel.ax, VIEWS[view]
        limits = axes.get_xlim(), axes.get_ylim()
        values = project_map(kept, view)
        colours = np.zeros((*values.shape, 4))
        colours[..., :3] = SCALE(np.round(np.clip(values / limit, -1, 1) * 16) / 32 + 0.5)[..., :3]
        colours[..., 3] = values != 0
        side = _STEP_MM / 2
        extent = (BOX[right][0] - side, BOX[right][1] + side, BOX[up][0] - side, BOX[up][1] + side)
        picture = np.rint(colours * 255).astype(np.uint8)
        axes.imshow(picture, origin="lower", extent=extent, interpolation="none", zorder=-1)
        axes.set_xlim(limits[0])
        axes.set_ylim(limits[1])
        seen = [place for place in places if half * place.center_mm[0] >= 0]
        _draw_places(axes, (right, up, ""), seen, None)


def _draw_places(
    axes: Axes, directions: tuple[str, str, str], places: Sequence[PlantedPlace], mm: float | None
) -> None:
    """Draw where something was planted: whole spheres, or where a slice cuts them."""
    right, up, through = directions
    for place in places:
        center = dict(zip("xyz", place.center_mm, strict=True))
        square = place.radius_mm**2 - (0.0 if mm is None else (center[through] - mm) ** 2)
        if square > 0:
            where = (center[right], center[up])
            axes.add_patch(Circle(where, square**0.5, fill=False, linewidth=1.2, zorder=6, **_DASHES))


def _add_key(figure: Figure, *, planted: bool) -> None:
    circle: dict[str, Any] = {"color": "none", "marker": "o", "markerfacecolor": "none", "markersize": 7}
    handles = [Line2D([], [], markeredgecolor=ROI_COLOUR, label="study's regions", **circle)]
    if planted:
        handles.append(Line2D([], [], label="planted here (simulated)", linewidth=1.2, **_DASHES))
    height = figure.get_figheight()
    figure.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(1 - 0.05 / WIDTH, 1 - 0.02 / height), ncols=len(handles),
        fontsize=7.5, handlelength=2.6, columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip


def read_planted_places(path: Path) -> tuple[PlantedPlace, ...]:
    """Return the places of a simulated study's truth file; none if nothing was planted.

    Raises
    ------
    DatasetError
        The file is no truth file of ``rsconn simulate``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            PlantedPlace(
                str(entry["seed"]), str(entry["model"]), str(entry["direction"]), str(entry["region"]),
                tuple(map(float, entry["center_mm"])), float(entry["radius_mm"]),  # type: ignore[arg-type]
            )
            for entry in content["maps"]
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path}: not readable as what was planted ({error!r}); the truth.json of `rsconn simulate` needed (truth)"
        ) from None


def compare_maps(
    folder: Path, descriptions: Sequence[Mapping[str, Any]], places: Sequence[PlantedPlace]
) -> pd.DataFrame:
    """Return one row per planted place that a model was to find, and correction.

    Parameters
    ----------
    folder : Path
        group/maps.
    descriptions : sequence of mappings
        From `report.maps.mosaics.read_descriptions`.
    places : sequence of PlantedPlace
        From `read_planted_places`.
    """
    rows = []
    for description in descriptions:
        for model in get_models(description):
            wanted = [p for p in places if (p.seed, p.model) == (description["seed"], model["name"])]
            for place in wanted:
                rows += _compare(folder, model, place)
    return tabulate_planted(rows)


def _compare(folder: Path, model: Mapping[str, Any], place: PlantedPlace) -> list[dict[str, Any]]:
    volume = read_volume(folder / model["files"]["t"])
    tested = np.argwhere(volume.data != 0)
    points = tested @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    index = tuple(tested.T)
    primary = get_primary(model)
    p = {
        # the maps are float32: a p of exactly alpha must not be lost to rounding
        words: 10.0 ** -(read_volume(folder / model["files"][kind]).data[index].astype(np.float64) + 1e-5)
        for _, (kind, words) in sorted(STATISTICS.items(), key=lambda item: item[0] != primary)
        if kind in model["files"]
    }
    sign = 1 if place.direction == model["positive"] else -1
    t = volume.data[index].astype(np.float64)
    return compare_planted(place, sign, t, p, points, model["alpha"])
