"""ROI sets: spheres, masks, atlas labels, probabilistic maps and table columns, each with its source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, computed_field, model_validator

from rsconn.errors import SettingsError
from rsconn.settings.fields import (
    Count,
    Label,
    LocalPath,
    Number,
    Positive,
    SafeName,
    Settings,
    Text,
    find_twice,
)
from rsconn.settings.locations import find_base, show_path
from rsconn.settings.problems import describe_value, validate
from rsconn.settings.yaml_text import read_yaml

RoiKind = Literal["sphere", "mask", "atlas", "map", "column"]
_KINDS: tuple[RoiKind, ...] = ("sphere", "mask", "atlas", "map", "column")
# The MNI templates end within these bounds; a larger number is a voxel index or a typing error.
_MNI_LIMIT_MM = 150.0


def _check_center(center: tuple[float, ...]) -> tuple[float, ...]:
    if any(abs(coordinate) > _MNI_LIMIT_MM for coordinate in center):
        raise ValueError(f"{list(center)} found, MNI millimetres within +-{_MNI_LIMIT_MM:g} needed")
    return center


class Sphere(Settings):
    """Voxels whose centre is within `radius_mm` of `center_mm` (world millimetres)."""

    center_mm: Annotated[tuple[Number, Number, Number], AfterValidator(_check_center)]
    radius_mm: Annotated[Positive, Field(le=100)] = 6.0


def _read_label(label: Any) -> int | str:
    if isinstance(label, bool) or not isinstance(label, (int, str)) or label == "":
        raise ValueError(f"{describe_value(label)} found, a label's number or name needed")
    return int(label) if isinstance(label, str) and re.fullmatch(r"\d+", label) else label


class AtlasRegion(Settings):
    """One label of a label image: its value, or its name in `labels_tsv` (columns index, name)."""

    image: LocalPath
    labels_tsv: LocalPath | None = None
    label: Annotated[int | str, BeforeValidator(_read_label)]

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if isinstance(self.label, str) and self.labels_tsv is None:
            raise ValueError(f"label {self.label!r} is a name; labels_tsv needed to find its number")
        return self


class MapRegion(Settings):
    """One volume of a 4-D map image, counted from 0; voxels below `threshold` weigh nothing."""

    image: LocalPath
    index: Count = 0
    threshold: Number | None = None


class Circular(Settings):
    """The contrast that defined the regions, and the data it was found in (`this`: the data analysed)."""

    contrast: Text
    data: Text


class Roi(Settings):
    """One region of any kind; exactly one of sphere, mask, atlas, map and column is given."""

    name: SafeName
    source: str = ""
    sphere: Sphere | None = None
    mask: LocalPath | None = None
    atlas: AtlasRegion | None = None
    map: MapRegion | None = None
    column: Text | None = None

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        given = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'no region'} found, one of {', '.join(_KINDS)} needed")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kind(self) -> RoiKind:
        """Which kind of region it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)


class RoiSet(Settings):
    """Regions analysed together; `name` is the `seg` label of the output files."""

    name: Label
    space: str | None = None
    circular: Circular | None = None
    rois: Annotated[tuple[Roi, ...], Field(min_length=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the ROIs, in the file's order."""
        return tuple(roi.name for roi in self.rois)

    @model_validator(mode="after")
    def _check_set(self) -> Self:
        twice = find_twice(self.names)
        if twice:
            raise ValueError(f"ROI {twice[0]!r} occurs twice; names must differ")
        images = [roi.name for roi in self.rois if roi.kind != "column"]
        if images and not self.space:
            raise ValueError(
                f"space: missing; ROI {images[0]!r} is in a template; name its space, as MNI152NLin2009cAsym"
            )
        return self


def read_roi_set(path: Path, *, space: str | None = None) -> RoiSet:
    """Return the ROI set of a file; a set without a name is called by the file's stem.

    Parameters
    ----------
    path : Path
        YAML file. Paths in it are counted from its folder, or the nearest parent that holds a Snakefile.
    space : str, optional
        The space of a bare list, which cannot name one.

    Raises
    ------
    SettingsError
        For one mistake in the file.
    ProblemsError
        For several.
    """
    content = read_yaml(path, option="rois")
    label = "".join(re.findall(r"[A-Za-z0-9]", path.stem)) or "rois"
    if isinstance(content, list):
        content = {"space": space, "rois": content}
    elif not isinstance(content, dict):
        raise SettingsError(
            f"{show_path(path)}: {describe_value(content)} found, a list of ROIs or the key rois needed"
        )
    return validate(RoiSet, {"name": label} | content, path, base=find_base(path))
