"""ROI sets: spheres, masks, atlas labels, probabilistic maps and table columns, each with its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, computed_field, model_validator

from rsconn.analysis.specification import RoiVariant
from rsconn.errors import SettingsError
from rsconn.naming import format_edge
from rsconn.settings.fields import (
    Count,
    Label,
    LocalPath,
    NotNegative,
    Number,
    OneOrMore,
    Positive,
    SafeName,
    Settings,
    Text,
    find_twice,
)
from rsconn.settings.problems import describe_value, raise_problems, suggest

RoiKind = Literal["sphere", "mask", "atlas", "map", "column"]
_KINDS: tuple[RoiKind, ...] = ("sphere", "mask", "atlas", "map", "column")
# The MNI templates end within these bounds; a larger number is a voxel index or a typing error.
_MNI_LIMIT_MM = 150.0


def _check_center(center: tuple[float, ...]) -> tuple[float, ...]:
    if any(abs(coordinate) > _MNI_LIMIT_MM for coordinate in center):
        raise ValueError(f"{list(center)} found, MNI millimetres within +-{_MNI_LIMIT_MM:g} needed")
    return center


Radius = Annotated[Positive, Field(le=100)]


class Sphere(Settings):
    """Voxels whose centre is within `radius_mm` of `center_mm` (world millimetres)."""

    center_mm: Annotated[tuple[Number, Number, Number], AfterValidator(_check_center)]
    radius_mm: Radius = 6.0


def _read_label(label: Any) -> int | str:
    if isinstance(label, bool) or not isinstance(label, (int, str)) or label == "":
        raise ValueError(f"{describe_value(label)} found, a label's number or name needed")
    return int(label) if isinstance(label, str) and re.fullmatch(r"-?\d+", label) else label


class AtlasRegion(Settings):
    """One label of a label image: its value, or its name in `labels_tsv` (columns index, name) or in a dlabel file."""

    image: LocalPath
    labels_tsv: LocalPath | None = None
    label: Annotated[int | str, BeforeValidator(_read_label)]

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        has_own_table = self.image.name.endswith(".dlabel.nii")
        if isinstance(self.label, str) and self.labels_tsv is None and not has_own_table:
            raise ValueError(f"label {self.label!r} is a name; labels_tsv needed to find its number")
        return self


class MapRegion(Settings):
    """One volume of a 4-D map image, counted from 0; voxels below `threshold` weigh nothing."""

    image: LocalPath
    index: Count = 0
    threshold: Number | None = None


class Surfaces(Settings):
    """Where the vertices of dense series (CIFTI) lie: a ``*.surf.gii`` for each hemisphere, which spheres need."""

    left: LocalPath
    right: LocalPath


class Circular(Settings):
    """The contrast that defined the regions, and the data it was found in (`this`: the data analysed)."""

    contrast: Text
    data: Text


class Variants(Settings):
    """Further versions of a region, extracted in the same pass: every radius with every smoothing.

    A list left out keeps the region's own value. No edge is made of variants; their series lie beside the
    regions' own, for analyses that ask how much a radius or a kernel matters.
    """

    radius_mm: OneOrMore[Radius] = ()
    smoothing_fwhm_mm: OneOrMore[NotNegative] = ()

    @model_validator(mode="after")
    def _check_lists(self) -> Self:
        for key, values in (("radius_mm", self.radius_mm), ("smoothing_fwhm_mm", self.smoothing_fwhm_mm)):
            twice = find_twice(values)
            if twice:
                raise ValueError(f"{key}: {twice[0]:g} occurs twice")
        if not self.radius_mm and not self.smoothing_fwhm_mm:
            raise ValueError("no size found; radius_mm or smoothing_fwhm_mm, or both, needed")
        return self

    @property
    def sizes(self) -> tuple[tuple[float | None, float | None], ...]:
        """Pairs of radius and smoothing, None for the region's own."""
        return tuple(product(self.radius_mm or (None,), self.smoothing_fwhm_mm or (None,)))


class Roi(Settings):
    """One region of any kind; exactly one of sphere, mask, atlas, map and column is given."""

    name: SafeName
    source: str = ""
    sphere: Sphere | None = None
    mask: LocalPath | None = None
    atlas: AtlasRegion | None = None
    map: MapRegion | None = None
    column: Text | None = None
    variants: Variants | None = None
    network: str = ""
    hemisphere: str = ""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'no region'} found, one of {', '.join(_KINDS)} needed")
        return self

    @model_validator(mode="after")
    def _check_variants(self) -> Self:
        if self.variants is not None and self.column is not None:
            raise ValueError("variants: a column is a series already; a region of an image needed")
        if self.variants is not None and self.variants.radius_mm and self.sphere is None:
            raise ValueError("variants.radius_mm: only a sphere has a radius; smoothing_fwhm_mm alone needed")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kind(self) -> RoiKind:
        """Which kind of region it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)


class Alternative(Roi):
    """Another place or shape for a region (`of`), which only the multiverse uses."""

    of: SafeName

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if self.variants is not None:
            raise ValueError("variants: an alternative takes the radii and kernels of the multiverse section")
        return self


@dataclass(frozen=True)
class RoiRow:
    """One row of weights: a region, or one of its variants.

    Attributes
    ----------
    roi : Roi
        The region; a variant has its own name (``LAI_R8S6``) and radius.
    smoothing_fwhm_mm : float
        Gaussian with which the image is smoothed for this row; 0 for none.
    variant_of : str or None
        Name of the region that a variant belongs to; None for the region itself.
    """

    roi: Roi
    smoothing_fwhm_mm: float
    variant_of: str | None = None


class RoiSet(Settings):
    """Regions analysed together; `name` is the `seg` label of the output files. Empty in a study of scores only."""

    name: Label
    space: str | None = None
    circular: Circular | None = None
    surfaces: Surfaces | None = None
    rois: tuple[Roi, ...] = ()
    alternatives: tuple[Alternative, ...] = ()

    def get(self, name: str) -> Roi:
        """Return the region or alternative of that name."""
        return next(roi for roi in (*self.rois, *self.alternatives) if roi.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the ROIs, in the file's order."""
        return tuple(roi.name for roi in self.rois)

    def list_rows(self, smoothing_fwhm_mm: float = 0.0) -> tuple[RoiRow, ...]:
        """Return the regions in the file's order, smoothed as the config says, and then their variants.

        Examples
        --------
        >>> sphere = Sphere(center_mm=(0, 51, 32))
        >>> sizes = Variants(radius_mm=(4, 8), smoothing_fwhm_mm=(6,))
        >>> rois = RoiSet(name="A", space="MNI", rois=(Roi(name="dmPFC", sphere=sphere, variants=sizes),))
        >>> [row.roi.name for row in rois.list_rows()]
        ['dmPFC', 'dmPFC_R4S6', 'dmPFC_R8S6']
        """
        own = tuple(RoiRow(roi, smoothing_fwhm_mm) for roi in self.rois)
        return own + tuple(row for roi in self.rois for row in _list_variants(roi, smoothing_fwhm_mm))

    @model_validator(mode="after")
    def _check_set(self) -> Self:
        names = [*(row.roi.name for row in self.list_rows()), *(roi.name for roi in self.alternatives)]
        twice = find_twice(names)
        if twice:
            raise ValueError(f"ROI {twice[0]!r} occurs twice; names must differ")
        for roi in self.alternatives:
            if roi.of not in self.names:
                raise ValueError(
                    f"alternatives: {roi.name!r} is of {roi.of!r}, which is no ROI; "
                    f"{suggest(roi.of, self.names, what='ROIs')}"
                )
        images = [roi.name for roi in self.rois if roi.kind != "column"]
        if images and not self.space:
            raise ValueError(
                f"space: missing; ROI {images[0]!r} is in a template; name its space, as MNI152NLin2009cAsym"
            )
        return self


def _list_variants(roi: Roi, smoothing_fwhm_mm: float) -> tuple[RoiRow, ...]:
    return tuple(
        RoiRow(
            change_size(roi, radius, fwhm), smoothing_fwhm_mm if fwhm is None else fwhm, variant_of=roi.name
        )
        for radius, fwhm in (roi.variants.sizes if roi.variants else ())
    )


def change_size(roi: Roi, radius: float | None, fwhm: float | None) -> Roi:
    """Return a region with another radius (mm) or kernel (FWHM, mm), under the name of that variant."""
    changed: dict[str, Any] = {"name": RoiVariant(radius, fwhm).name(roi.name), "variants": None}
    if radius is not None and roi.sphere is not None:
        changed["sphere"] = roi.sphere.model_copy(update={"radius_mm": radius})
    return roi.model_copy(update=changed)


@dataclass(frozen=True)
class Edge:
    """One pair of ROIs."""

    first: str
    second: str

    @property
    def name(self) -> str:
        """The edge's name, such as ``LAI-dmPFC``."""
        return format_edge(self.first, self.second)


def list_all_edges(rois: Sequence[str]) -> tuple[Edge, ...]:
    """Return every pair, in the order of the ROI set.

    Raises
    ------
    SettingsError
        If two pairs would have one name, because ROI names have hyphens.
    """
    edges = tuple(Edge(first, second) for first, second in combinations(rois, 2))
    names = [edge.name for edge in edges]
    twice = find_twice(names)
    if twice:
        raise SettingsError(
            f"edges: two pairs of ROIs would be called {twice[0]!r}; rename a ROI that has a hyphen"
        )
    return edges


def find_named_edges(texts: Iterable[str], rois: Sequence[str]) -> tuple[Edge, ...]:
    """Return the edges among some texts, such as the outcomes and predictors of claims, each once.

    Examples
    --------
    >>> find_named_edges(["A-B", "PT", "A-B"], ["A", "B"])
    (Edge(first='A', second='B'),)
    """
    known = set(rois)
    named = [
        text
        for text in dict.fromkeys(texts)
        if any(
            text[at] == "-" and text[:at] in known and text[at + 1 :] in known for at in range(1, len(text))
        )
    ]
    return parse_edges(named, rois)


def parse_edges(names: Sequence[str], rois: Sequence[str]) -> tuple[Edge, ...]:
    """Return the edges that the names mean.

    A ROI name may have hyphens itself: the name is split where both sides are ROIs.

    Raises
    ------
    SettingsError, ProblemsError
        If a name has no such split, or more than one, or a pair occurs twice.

    Examples
    --------
    >>> parse_edges(["A-B-C"], ["A-B", "C"])
    (Edge(first='A-B', second='C'),)
    """
    edges: list[Edge] = []
    problems: list[str] = []
    for name in names:
        try:
            edge = _parse_edge(name, rois)
            _check_new(edge, edges)
            edges.append(edge)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise_problems(problems)
    return tuple(edges)


def _parse_edge(name: str, rois: Sequence[str]) -> Edge:
    splits = [(name[:at], name[at + 1 :]) for at, character in enumerate(name) if character == "-"]
    pairs = [pair for pair in splits if pair[0] in rois and pair[1] in rois]
    if len(pairs) > 1:
        shown = " or ".join(f"{first} with {second}" for first, second in pairs)
        raise SettingsError(f"edges: {name!r} can mean {shown}; rename a ROI that has a hyphen")
    if not pairs:
        raise SettingsError(f"edges: {name!r} {_explain_unknown(splits, rois)}")
    if pairs[0][0] == pairs[0][1]:
        raise SettingsError(f"edges: {name!r} joins a ROI with itself; two ROIs needed")
    return Edge(*pairs[0])


def _explain_unknown(splits: Sequence[tuple[str, str]], rois: Sequence[str]) -> str:
    if not splits:
        return "is no pair of ROIs; two names joined by a hyphen needed, such as LAI-dmPFC"
    best = min(splits, key=lambda pair: sum(part not in rois for part in pair))
    unknown = next(part for part in best if part not in rois)
    return f"names no ROI {unknown!r}; {suggest(unknown, rois, what='ROIs')}"


def _check_new(edge: Edge, edges: Sequence[Edge]) -> None:
    for other in edges:
        if {other.first, other.second} == {edge.first, edge.second}:
            raise SettingsError(f"edges: {edge.name!r} is the pair {other.name!r} again; each pair once")
