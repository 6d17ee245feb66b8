"""What all mosaics of the brain share: where slices stand, their names, outlines, the colour bar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from rsconn.arrays import FloatArray
from rsconn.report.figures.catalogue import read_result_table
from rsconn.report.figures.style import FAINT_INK, INK, make_figure
from rsconn.report.page.wording import format_number

N_SLICES = 6
WIDTH = 9.6
ROI_COLOUR = "#0B5D1E"
LEAST_RADIUS_MM = 3.0
# statistic: line style of its outline
LINES: dict[str, object] = {
    "mass": "solid",
    "max_t": "solid",
    "size": (0, (2.4, 0.8)),
    "tfce": (0, (0.8, 0.8)),
}
ROOM = {"top": 0.52, "bottom": 0.28, "bar": 0.85}
_TITLE_POINTS = 7
# letters of a slice's name, besides its place, that do not reach the next slice
MOST_LETTERS = 18
BACKGROUND_REMARK = "Background: MNI152 2009a T1 for orientation only. Left is left. Slices in MNI mm."


def get_width() -> float:
    """Return the width in inches of one of the slices of a row."""
    return (WIDTH - ROOM["bar"] - 0.1) / N_SLICES


def measure_row(axis: str) -> float:
    """Return the height in inches of a row of slices across an axis, room for their names included."""
    right, up = DIRECTIONS[axis]
    return 0.2 + get_width() * (BOX[up][1] - BOX[up][0]) / (BOX[right][1] - BOX[right][0])


def lay_out(heights: Sequence[float], *, simulated: bool) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its rows of axes; each row leaves 0.2 inches for what names the slices."""
    height = ROOM["top"] + sum(heights) + ROOM["bottom"]
    figure = make_figure(WIDTH, height, simulated=simulated, layout=None)
    top, rows, width = height - ROOM["top"], [], get_width()
    for each in heights:
        top -= each
        frames = [
            (0.08 / WIDTH + column * width / WIDTH, top / height, width * 0.97 / WIDTH, (each - 0.2) / height)
            for column in range(N_SLICES)
        ]
        rows.append([figure.add_axes(frame) for frame in frames])
    return figure, rows


def _get_extent(axis: str) -> tuple[float, float, float, float]:
    right, up = DIRECTIONS[axis]
    return (BOX[right][0] - 0.5, BOX[right][1] + 0.5, BOX[up][0] - 0.5, BOX[up][1] + 0.5)


def show_slice(axes: Axes, axis: str, colours: NDArray[np.float64]) -> None:
    """Draw a slice across an axis; colours (n_up, n_right, 3), 0 to 1."""
    axes.set_axis_off()
    picture = np.rint(colours * 255).astype(np.uint8)
    # none: an SVG holds the pixels as they are, and the reader's screen enlarges them
    axes.imshow(picture, origin="lower", extent=_get_extent(axis), interpolation="none")


def draw_survivors(
    axes: Axes, axis: str, survivors: Mapping[str, Volume], points: NDArray[np.float64]
) -> None:
    """Outline what survives each correction in a slice at these points."""
    right, up = (AXES.index(name) for name in DIRECTIONS[axis])
    across, upward = points[0, :, right], points[:, 0, up]
    for name, volume in survivors.items():
        mask = volume.sample(points)
        if mask.any():
            _outline(axes, across, upward, mask, name)


def _outline(
    axes: Axes, across: NDArray[np.float64], upward: NDArray[np.float64], mask: NDArray[np.float64], name: str
) -> None:
    """Draw an outline in ink on a white line, so that it is seen on every colour."""
    axes.contour(across, upward, mask, levels=[0.5], colors="white", linewidths=1.9)
    axes.contour(across, upward, mask, levels=[0.5], colors=INK, linewidths=0.9, linestyles=[LINES[name]])


def draw_rois(axes: Axes, axis: str, mm: float, rois: pd.DataFrame) -> None:
    """Draw where a slice cuts the regions' spheres."""
    right, up = DIRECTIONS[axis]
    for _, roi in rois.iterrows():
        radius = roi["radius_mm"] if pd.notna(roi["radius_mm"]) else LEAST_RADIUS_MM
        inside = radius**2 - (roi[f"{axis}_mm"] - mm) ** 2
        if inside > 0:
            place = (roi[f"{right}_mm"], roi[f"{up}_mm"])
            look = {"facecolor": "none", "zorder": 5}
            axes.add_patch(Circle(place, inside**0.5, edgecolor="white", linewidth=1.6, **look))
            axes.add_patch(Circle(place, inside**0.5, edgecolor=ROI_COLOUR, linewidth=0.9, **look))


def name_slice(axes: Axes, axis: str, mm: float, through: str) -> None:
    """Write above a slice where it lies and what it goes through, and L and R at its feet."""
    text = f"{axis} = {format_number(mm, 0)}"
    if through:
        text += f"  {_shorten(through)}"
    axes.text(0.5, 1.0, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=_TITLE_POINTS)
    if axis != "x":
        for place, letter in ((0.02, "L"), (0.98, "R")):
            axes.text(
                place, 0.02, letter, transform=axes.transAxes, ha="left" if letter == "L" else "right",
                va="bottom", fontsize=_TITLE_POINTS, color=FAINT_INK,
            )  # fmt: skip


def _shorten(through: str) -> str:
    """Return what a slice goes through as far as there is room for it."""
    names = through.replace("peak of cluster", "peak").split(" and ")
    while len(names) > 1 and len(", ".join(names)) > MOST_LETTERS:
        names.pop()
    return ", ".join(names)[:MOST_LETTERS]


def name_row(figure: Figure, first: Axes, name: str) -> None:
    """Write a name above the first slice of a row."""
    box = first.get_position()
    height = figure.get_figheight()
    figure.text(box.x0, box.y1 + 0.13 / height, name, fontsize=8.5, fontweight="bold", va="bottom")


def write_head(figure: Figure, title: str, remark: str) -> None:
    """Write the title, and under it what the colours mean."""
    height = figure.get_figheight()
    figure.text(0.1 / WIDTH, 1 - 0.08 / height, title, fontsize=10.5, fontweight="bold", va="top")
    figure.text(0.1 / WIDTH, 1 - 0.3 / height, remark, fontsize=8.5, va="top", color=FAINT_INK)


def add_bar(figure: Figure, limit: float, unit: str, marks: Mapping[str, float]) -> None:
    """Draw the symmetric colour scale with its unit; lines stand at the marks and their negatives."""
    height = figure.get_figheight()
    long = min(3.0, height - 1.5)
    left = (WIDTH - ROOM["bar"] + 0.22) / WIDTH
    axes = figure.add_axes((left, 0.5 - 0.5 * long / height, 0.13 / WIDTH, long / height))
    scale = ScalarMappable(Normalize(-limit, limit), _fade(limit, marks))
    bar = figure.colorbar(scale, cax=axes)
    bar.outline.set_edgecolor(FAINT_INK)
    bar.ax.set_title(unit, fontsize=9, fontweight="bold", loc="center")
    for value in marks.values():
        for place in (-value, value):
            axes.axhline(place, color=INK, linewidth=0.9)


def _fade(limit: float, marks: Mapping[str, float]) -> LinearSegmentedColormap:
    """Return the scale as it looks on the brain's grey."""
    opaque_at = next(iter(marks.values()), limit / 3)
    values = np.linspace(-limit, limit, 257)
    grey = np.full((257, 3), 0.85)
    return LinearSegmentedColormap.from_list(
        "rsconn-bar", blend(grey, values, limit=limit, opaque_at=opaque_at), N=257
    )


# Pale to dark on both sides: blue and orange are told apart with every common colour vision deficiency.
COLD, HOT = ("#DCEBF5", "#56A0D3", "#0072B2", "#003B66"), ("#FCE8D2", "#EE9A4D", "#D55E00", "#702A00")
SCALE = LinearSegmentedColormap.from_list("rsconn-diverging", [*COLD[::-1], "#FFFFFF", *HOT])
# The brain is drawn light, so that dark colours are large values.
DARKEST, LIGHTEST = 0.42, 0.97
# mm that the pictures span, a little more than the template's brain
BOX = {"x": (-76, 76), "y": (-110, 77), "z": (-74, 86)}
# what a slice across an axis shows to the right and upwards
DIRECTIONS = {"x": ("y", "z"), "y": ("x", "z"), "z": ("x", "y")}


@dataclass(frozen=True, eq=False)
class Volume:
    """A map and where it lies.

    Attributes
    ----------
    data : array (x, y, z)
    affine : float64 array (4, 4)
        Voxel indices to MNI mm.
    """

    data: NDArray[np.floating]
    affine: FloatArray

    def sample(self, points: FloatArray) -> FloatArray:
        """Return the value of the voxel that holds each point (..., 3) in mm; 0 outside the map."""
        inverse = np.linalg.inv(self.affine)
        indices = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.intp)
        inside = ((indices >= 0) & (indices < self.data.shape)).all(axis=-1)
        values = np.zeros(points.shape[:-1])
        values[inside] = self.data[tuple(indices[inside].T)]
        return values


def read_background() -> Volume:
    """Return the MNI152 2009a symmetric T1 that nilearn carries: brain only, 1 mm, values 0 to 1."""
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    return Volume(np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine, dtype=np.float64))


def list_points(axis: str, mm: float, step: float = 1.0) -> FloatArray:
    """Return the points of a slice across an axis, shape (n_up, n_right, 3), in mm."""
    right, up = DIRECTIONS[axis]
    ranges = {name: np.arange(BOX[name][0], BOX[name][1] + step / 2, step) for name in (right, up)}
    across, upward = np.meshgrid(ranges[right], ranges[up])
    parts = {axis: np.full(across.shape, float(mm)), right: across, up: upward}
    return np.stack([parts["x"], parts["y"], parts["z"]], axis=-1)


def paint_brain(background: Volume, points: FloatArray) -> FloatArray:
    """Return the brain in light greys (..., 3) on white.

    The greys are few, so that pictures stay small.
    """
    value = background.sample(points)
    grey = DARKEST + (LIGHTEST - DARKEST) * np.clip((value - 0.2) / 0.7, 0, 1)
    grey = np.round(grey * 24) / 24
    return np.repeat(np.where(value > 0, grey, 1.0)[..., None], 3, axis=-1)


def blend(brain: FloatArray, values: FloatArray, *, limit: float, opaque_at: float) -> FloatArray:
    """Return the brain with values in colour over it: 0 cannot be seen, from `opaque_at` on nothing shines through.

    Parameters
    ----------
    brain : float array (..., 3)
        Colours, 0 to 1.
    values : float array (...)
        0 or NaN: none.
    limit : float
        Value at the end of the colour scale.
    opaque_at : float
        Absolute value that covers the brain.
    """
    values = np.nan_to_num(values)
    # in steps that the eye does not see, so that pictures stay small
    colours = SCALE(np.round(np.clip(values / limit, -1, 1) * 16) / 32 + 0.5)[..., :3]
    opacity = np.round(np.clip(np.abs(values) / opaque_at, 0, 1)[..., None] ** 1.5 * 8) / 8
    return np.asarray(brain * (1 - opacity) + colours * opacity)


AXES = ("x", "y", "z")
# What the slices of each axis span in mm, inside the brain of the MNI templates.
SPANS = {"x": (-58, 58), "y": (-92, 62), "z": (-32, 66)}
LEAST_GAP_MM = 6
STATISTICS = {
    "max_t": ("logpfwe", "largest |t|"),
    "size": ("logpsize", "cluster extent"),
    "mass": ("logpmass", "cluster mass"),
    "tfce": ("logptfce", "TFCE"),
}


def read_descriptions(folder: Path) -> list[dict[str, Any]]:
    """Return what stands in every ``<seed>_models.json`` of group/maps, by name of the file.

    Where maps are judged as families (across.tsv) their models have the families' levels and what passes those.
    """
    found = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[!.]*_models.json"))
    ]
    if (folder / "across.tsv").is_file():
        across = read_result_table(folder / "across.tsv")
        for description in found:
            for model in description["models"]:
                own = across[(across["seed"] == description["seed"]) & (across["model"] == model["name"])]
                if len(own):
                    _join_family(model, own.set_index("correction"))
    return found


def _join_family(model: dict[str, Any], own: pd.DataFrame) -> None:
    primary = own.loc[get_primary(model)]
    model["alpha_family"], model["n_maps"] = model["alpha"], int(primary["n_maps"])
    model["alpha"], model["p_across"] = float(primary["level"]), float(primary["p_across"])
    model["critical"] = {name: None if pd.isna(value) else value for name, value in own["critical"].items()}
    model["n_significant_voxels"] = own["n_voxels"].astype(int).to_dict()


def tabulate_models(descriptions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per seed and model: people, thresholds, voxels that pass, or why there is no test.

    Parameters
    ----------
    descriptions : sequence of mappings
        From `read_descriptions`.
    """
    rows = [_describe(seed, model) for seed in descriptions for model in seed["models"]]
    return pd.DataFrame(rows)


def get_primary(model: Mapping[str, Any]) -> str:
    """Return the name (`STATISTICS`) of a tested model's primary correction: of older results the first there is."""
    given = [name for name in ("mass", "size", "max_t", "tfce") if STATISTICS[name][0] in model["files"]]
    return str(model.get("primary") or given[0])


def _describe(seed: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    shared = ("n_voxels", "n_voxels_left_out", "min_people_share", "smoothing_fwhm_mm", "n_runs")
    own = (
        "method", "n_permutations", "permutation_seed", "alpha", "dof", "cluster_forming_p", "cluster_forming_t",
        "connectivity", "n_clusters", "n_voxels_lacking", "alpha_family", "n_maps", "p_across",
    )  # fmt: skip
    counts = model.get("n_per_group") or {}
    row = {
        "seed": seed["seed"],
        "model": model["name"],
        "kind": model["kind"],
        "positive": model["positive"],
        "negative": model["negative"],
        "n": model["n"],
        "n_a": counts.get("a"),
        "n_b": counts.get("b"),
        "covariates": ", ".join(model["covariates"]),
        "reason": model["reason"],
    }
    row |= {name: model.get(name) for name in own} | {name: seed.get(name) for name in shared}
    row["primary"] = get_primary(model) if "files" in model else None
    for name in STATISTICS:
        row[f"critical_{name}"] = (model.get("critical") or {}).get(name)
        row[f"n_significant_{name}"] = (model.get("n_significant_voxels") or {}).get(name)
    return row


def choose_slices(rois: pd.DataFrame, clusters: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return where a mosaic is cut: through the regions, the peaks of the largest clusters, and in between.

    Parameters
    ----------
    rois : DataFrame
        roi, x_mm, y_mm, z_mm.
    clusters : DataFrame
        cluster, peak_x, peak_y, peak_z of one model, the largest mass first.
    n : int
        Slices per axis.

    Returns
    -------
    DataFrame
        axis, mm, through (names of what the slice was chosen for; empty where it fills a gap); n rows per axis.

    Examples
    --------
    >>> rois = pd.DataFrame({"roi": ["A"], "x_mm": [-36.2], "y_mm": [18.0], "z_mm": [2.0]})
    >>> clusters = pd.DataFrame({"cluster": [1], "peak_x": [9.5], "peak_y": [20.0], "peak_z": [40.0]})
    >>> choose_slices(rois, clusters, 3).query("axis == 'x'").values.tolist()
    [['x', -36, 'A'], ['x', 10, 'peak of cluster 1'], ['x', 58, '']]
    """
    rows = []
    for axis in AXES:
        wanted = [(row["roi"], row[f"{axis}_mm"]) for _, row in rois.iterrows()]
        peaks = clusters.head(2)
        wanted += [
            (f"peak of cluster {int(row['cluster'])}", row[f"peak_{axis}"]) for _, row in peaks.iterrows()
        ]
        places = _merge_places(wanted, n)
        _fill_gaps(places, SPANS[axis], n)
        rows += [(axis, mm, " and ".join(places[mm])) for mm in sorted(places)]
    return pd.DataFrame(rows, columns=["axis", "mm", "through"])


def _merge_places(wanted: Sequence[tuple[str, float]], n: int) -> dict[int, list[str]]:
    """Return whole mm and what lies there, at most n; what is nearer than the least gap shares a slice."""
    places: dict[int, list[str]] = {}
    for name, value in wanted:
        if not np.isfinite(value):
            continue
        near = [mm for mm in places if abs(mm - value) < LEAST_GAP_MM]
        if near:
            places[min(near, key=lambda mm: abs(mm - value))].append(name)
        elif len(places) < n:
            places[round(value)] = [name]
    return places


def _fill_gaps(places: dict[int, list[str]], span: tuple[int, int], n: int) -> None:
    """Add, one after the other, the place that is farthest from all that are there."""
    candidates = np.arange(span[0], span[1] + 1)
    while len(places) < n:
        taken = np.array(sorted(places) or [10_000])
        apart = np.abs(candidates[:, None] - taken[None, :]).min(axis=1)
        places[int(candidates[apart.argmax()])] = []
