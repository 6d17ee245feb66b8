"""ROI sets as written: regions one by one, labels of an atlas, columns of given series, all or by pattern."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from pydantic import model_validator

from rsconn.errors import SettingsError, TableError
from rsconn.label_tables import LabelRow, read_labels
from rsconn.naming import NOT
from rsconn.published_tables import read_numbers
from rsconn.settings.fields import (
    Label,
    LocalPath,
    OneOrMore,
    Settings,
    Text,
    find_base,
    read_yaml,
    show_path,
)
from rsconn.settings.problems import describe_value, suggest, validate
from rsconn.settings.rois import Alternative, AtlasRegion, Circular, Roi, RoiSet, Surfaces

ALL = "all"
# What label tables call what lies outside of every region.
_NOTHING = frozenset({"background", "unknown", "???", "unlabeled", "unlabelled", "medial_wall"})
_SERIES = "_timeseries.tsv"
# Tables of confounds and of what rsconn or others cleaned are called series too.
_OTHER_SERIES = ("_desc-confounds_", "_desc-denoised_")


class Atlas(Settings):
    """A label image and the table that names its labels."""

    image: LocalPath
    labels_tsv: LocalPath


def expand_atlas(atlas: Atlas, patterns: Sequence[str]) -> list[Roi]:
    """Return one region per label that a pattern matches, in the table's order.

    Parameters
    ----------
    atlas : Atlas
        Image and table.
    patterns : sequence of str
        Names, names with ``*`` and ``?``, or ``all``; ``!`` before one leaves out what it matches. Names hold with the
        atlas's prefix too.

    Raises
    ------
    SettingsError
        The table cannot be read, or a pattern matches nothing.
    """
    try:
        labels = [label for label in read_labels(atlas.labels_tsv) if _is_region(label)]
    except TableError as error:
        raise SettingsError(f"labels_tsv: {error}") from None
    chosen = _choose([(label.name, *label.texts) for label in labels], patterns, f"{atlas.labels_tsv.name}")
    names = make_names([labels[place].name for place in chosen])
    return [
        Roi(
            name=name,
            source=f"{atlas.image.name}, label {labels[place].number}",
            atlas=AtlasRegion(image=atlas.image, labels_tsv=None, label=labels[place].number),
            network=labels[place].network,
            hemisphere=labels[place].hemisphere,
        )
        for name, place in zip(names, chosen, strict=True)
    ]


def _is_region(label: LabelRow) -> bool:
    return label.number != 0 and label.name.casefold() not in _NOTHING


def expand_columns(columns: Sequence[str], patterns: Sequence[str]) -> list[Roi]:
    """Return one region per column of the series that a pattern matches.

    Raises
    ------
    SettingsError
        A pattern matches nothing.

    Examples
    --------
    >>> [(roi.name, roi.column) for roi in expand_columns(["L IPL", "X", "X"], ["L*", "X"])]
    [('L_IPL', 'L IPL'), ('X', 'X#1'), ('X_2', 'X#2')]
    """
    chosen = _choose([(column,) for column in columns], patterns, "the series")
    total, counts = Counter(columns), Counter[str]()
    texts = []
    for column in columns:
        counts[column] += 1
        texts.append(column if total[column] == 1 else f"{column}#{counts[column]}")
    names = make_names([columns[place] for place in chosen])
    return [Roi(name=name, column=texts[place]) for name, place in zip(names, chosen, strict=True)]


def _choose(names: Sequence[tuple[str, ...]], patterns: Sequence[str], where: str) -> list[int]:
    """Return the places of the names that a pattern matches, less those that one with ``!`` before it does."""
    wanted = [pattern for pattern in patterns if not pattern.startswith(NOT)] or [ALL]
    chosen = set().union(*(_match(names, pattern, where) for pattern in wanted))
    unwanted = [pattern.removeprefix(NOT) for pattern in patterns if pattern.startswith(NOT)]
    return sorted(chosen.difference(*(_match(names, pattern, where) for pattern in unwanted)))


def _match(names: Sequence[tuple[str, ...]], pattern: str, where: str) -> set[int]:
    found = {
        place
        for place, texts in enumerate(names)
        if pattern == ALL or any(fnmatchcase(text, pattern) for text in texts)
    }
    if not found:
        hint = suggest(pattern, [texts[0] for texts in names], what="there are")
        raise SettingsError(f"labels: {pattern!r} matches nothing in {where}; {hint}")
    return found


def make_names(labels: Iterable[str]) -> list[str]:
    """Return names of regions: safe, without the hyphen that parts the regions of an edge, and each once.

    Examples
    --------
    >>> make_names(["G_and_S-frontomargin", "7 (left)", "7 (left)"])
    ['G_and_S_frontomargin', '7_left', '7_left_2']
    """
    counts: Counter[str] = Counter()
    names = []
    for label in labels:
        name = re.sub(r"[^A-Za-z0-9.+]+", "_", label).strip("_.+") or "region"
        counts[name] += 1
        names.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return names


def list_series_columns(folders: Sequence[Path], filters: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the columns of the given series, of the first file that the filters let through.

    Raises
    ------
    SettingsError
        There is none, or files of two parcellations.
    """
    first: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"**/*{_SERIES}")):
            if not path.name.startswith(".") and _is_asked(path.name, filters):
                first.setdefault(_get_entity(path.name, "seg") or _get_entity(path.name, "atlas") or "", path)
    if not first:
        raise SettingsError(
            f"columns: no *{_SERIES} that input.filters let through in {show_path(folders[0])}, their names are needed"
        )
    if len(first) > 1:
        raise SettingsError(
            f"columns: series of {', '.join(sorted(first))} found; choose with input.filters: "
            f"{{seg: {min(first)}}}"
        )
    try:
        return read_numbers(next(iter(first.values())))[0]
    except TableError as error:
        raise SettingsError(f"columns: {error}") from None


def _is_asked(name: str, filters: Mapping[str, Sequence[str]]) -> bool:
    if any(mark in name for mark in _OTHER_SERIES):
        return False
    for entity, wanted in filters.items():
        found = _get_entity(name, entity)
        kept = [value for value in wanted if not value.startswith(NOT)]
        if found and ((kept and found not in kept) or NOT + found in wanted):
            return False
    return True


def _get_entity(name: str, entity: str) -> str:
    found = re.search(rf"(?:^|_){re.escape(entity)}-([A-Za-z0-9+]+)", name)
    return found[1] if found else ""


class RoiFile(Settings):
    """A ROI set as written: regions one by one, the labels of an atlas, the columns of given series."""

    name: Label | None = None
    space: str | None = None
    circular: Circular | None = None
    surfaces: Surfaces | None = None
    rois: tuple[Roi, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    atlas: Atlas | None = None
    labels: OneOrMore[Text] = ()
    columns: OneOrMore[Text] = ()

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if self.atlas is None and self.labels:
            raise ValueError("labels: go with atlas: {image, labels_tsv}; for given series use columns")
        if self.atlas is not None and not self.labels:
            raise ValueError("labels: missing; all, names, or patterns such as LH_Default_* needed")
        if not (self.rois or self.atlas or self.columns):
            if "rois" in self.model_fields_set:
                raise ValueError("rois: a list of 0 found, at least 1 needed")
            raise ValueError("rois: missing; this key is required, or atlas with labels, or columns")
        return self


def read_roi_set(
    path: Path, *, space: str | None = None, list_columns: Callable[[], Sequence[str]] = tuple
) -> RoiSet:
    """Return the ROI set of a file; a set without a name is called by the file's stem.

    Parameters
    ----------
    path : Path
        YAML file. Paths in it are counted from its folder, or the nearest parent that holds a Snakefile.
    space : str, optional
        The space of a bare list, which cannot name one.
    list_columns : callable, optional
        Returns the columns of the given series, for `columns`.

    Raises
    ------
    SettingsError
        For one mistake in the file.
    ProblemsError
        For several.
    """
    content = read_yaml(path, option="rois")
    if isinstance(content, list):
        content = {"space": space, "rois": content}
    elif not isinstance(content, dict):
        raise SettingsError(
            f"{show_path(path)}: {describe_value(content)} found, a list of ROIs or the key rois needed"
        )
    file = validate(RoiFile, content, path, base=find_base(path))
    return expand_roi_file(file, path, file.name or _make_label(path.stem), list_columns)


def _make_label(text: str) -> str:
    return "".join(re.findall(r"[A-Za-z0-9]", text)) or "rois"


def expand_roi_file(
    file: RoiFile, path: Path, name: str, list_columns: Callable[[], Sequence[str]] = tuple
) -> RoiSet:
    """Return the set that a file, or the config itself, describes: the regions it lists, then those it asks for.

    Raises
    ------
    SettingsError, ProblemsError
        As `read_roi_set`.
    """
    try:
        regions = [*file.rois]
        if file.atlas is not None:
            regions += expand_atlas(file.atlas, file.labels)
        if file.columns:
            regions += expand_columns(list_columns(), file.columns)
    except SettingsError as error:
        raise SettingsError(f"{show_path(path)}: {error}") from None
    kept = {key: getattr(file, key) for key in ("space", "circular", "surfaces", "alternatives")}
    return validate(RoiSet, {"name": name, "rois": tuple(regions), **kept}, path, base=find_base(path))
