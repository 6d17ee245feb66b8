"""fMRIPrep's table of confounds, whatever its generation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsconn.errors import DatasetError, TableError, describe_unreadable, is_pointer
from rsconn.files.sidecars import read_json_object
from rsconn.published_tables import read_numbers
from rsconn.signal.regressors import Confounds

# fMRIPrep 1.0 and 1.1 -> the names since 1.2.
_OLD_NAMES = {
    "CSF": "csf",
    "WhiteMatter": "white_matter",
    "GlobalSignal": "global_signal",
    "stdDVARS": "std_dvars",
    "non-stdDVARS": "dvars",
    "vx-wisestdDVARS": "vx_wise_std_dvars",
    "FramewiseDisplacement": "framewise_displacement",
    "X": "trans_x",
    "Y": "trans_y",
    "Z": "trans_z",
    "RotX": "rot_x",
    "RotY": "rot_y",
    "RotZ": "rot_z",
}
_OLD_NUMBERED = {
    "aCompCor": "a_comp_cor_",
    "tCompCor": "t_comp_cor_",
    "Cosine": "cosine",
    "NonSteadyStateOutlier": "non_steady_state_outlier",
    "AROMAAggrComp": "aroma_motion_",
}
_NUMBERED = re.compile(r"^([A-Za-z]+?)(\d+)$")


def read_confounds(tsv: Path, json: Path | None) -> Confounds:
    """Read a confounds table and its sidecar.

    Parameters
    ----------
    tsv : Path
        ``*_desc-confounds_timeseries.tsv``, ``*_desc-confounds_regressors.tsv`` or ``*_confounds.tsv``.
    json : Path or None
        The sidecar, which tells aCompCor components of white matter from those of CSF.

    Raises
    ------
    TableError
        If the table has no header, a column twice, cells that are no numbers, or no row; or the sidecar is no
        JSON.
    """
    try:
        raw_names, values = read_numbers(tsv)
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(describe_unreadable(tsv, error)) from None
    _check_header(tsv, raw_names)
    names = tuple(rename_old_column(name) for name in raw_names)
    _check_table(tsv, names, values)
    return Confounds(names, values, _read_metadata(json))


def rename_old_column(name: str) -> str:
    """Return the name that fMRIPrep 1.2 and later give a column.

    Examples
    --------
    >>> rename_old_column("FramewiseDisplacement"), rename_old_column("aCompCor03")
    ('framewise_displacement', 'a_comp_cor_03')
    """
    numbered = _NUMBERED.match(name)
    if numbered and numbered[1] in _OLD_NUMBERED:
        # the first releases wrote aCompCor0
        return _OLD_NUMBERED[numbered[1]] + numbered[2].zfill(2)
    return _OLD_NAMES.get(name, name)


def _check_header(tsv: Path, names: tuple[str, ...]) -> None:
    try:
        float(names[0])
    except ValueError:
        return
    raise TableError(
        f"{tsv}: the first line is numbers ({names[0]} ...); a header with column names was needed"
    )


def _check_table(tsv: Path, names: tuple[str, ...], values: np.ndarray) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{tsv}: column {twice[0]!r} occurs twice; column names must differ")
    if not len(values):
        if is_pointer(tsv):
            raise TableError(describe_unreadable(tsv))
        raise TableError(f"{tsv}: a header and no rows; one row per volume was needed")
    if values.shape[1] != len(names):
        raise TableError(f"{tsv}: rows have {values.shape[1]} cells, the header has {len(names)}")


def _read_metadata(json: Path | None) -> dict[str, Mapping[str, Any]]:
    if json is None:
        return {}
    try:
        content = read_json_object(json)
    except DatasetError as error:
        raise TableError(str(error)) from None
    return {rename_old_column(key): value for key, value in content.items() if isinstance(value, Mapping)}


# NAME#2 asks for the second column that is called NAME.
_NUMBERED_NAME = re.compile(r"^(.+)#([1-9]\d*)$")
_SHOWN_NAMES = 5


def read_parcellated(path: Path, columns: Sequence[str]) -> np.ndarray:
    """Read the asked-for columns of a parcellated series.

    Parameters
    ----------
    path : Path
        Table with one row per volume and one column per region (XCP-D, giga_connectome, plain).
    columns : sequence of str
        Column names; ``NAME#2`` is the second of those called ``NAME``.

    Returns
    -------
    float64 array (n_volumes, n_columns)
        In the order asked for, whatever the file's. ``n/a`` is NaN; a region without coverage is NaN
        throughout.

    Raises
    ------
    TableError
        If a column is missing, or its name occurs more than once and the number is not given.
    """
    try:
        names, values = read_numbers(path)
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(describe_unreadable(path, error)) from None
    if not len(values):
        if is_pointer(path):
            raise TableError(describe_unreadable(path))
        raise TableError(f"{path}: a header and no rows; one row per volume was needed")
    if values.shape[1] != len(names):
        raise TableError(f"{path}: rows have {values.shape[1]} cells, the header has {len(names)}")
    return values[:, [find_column(names, column, str(path)) for column in columns]]


def find_column(names: Sequence[str], column: str, source: str) -> int:
    """Return the position of a column.

    Raises
    ------
    TableError
        See `read_parcellated`.

    Examples
    --------
    >>> find_column(["PRC", "FP", "PRC"], "FP", "a.tsv"), find_column(["PRC", "FP", "PRC"], "PRC#2", "a.tsv")
    (1, 2)
    """
    places = [index for index, name in enumerate(names) if name == column]
    if len(places) == 1:
        return places[0]
    if len(places) > 1:
        raise TableError(
            f"{source}: column {column!r} occurs {len(places)} times; ask for one of them as {column}#1 to "
            f"{column}#{len(places)} (rois: column)"
        )
    return _find_numbered(names, column, source)


def _find_numbered(names: Sequence[str], column: str, source: str) -> int:
    numbered = _NUMBERED_NAME.match(column)
    places = [index for index, name in enumerate(names) if numbered and name == numbered[1]]
    if numbered and len(places) >= int(numbered[2]):
        return places[int(numbered[2]) - 1]
    if places and numbered:
        raise TableError(
            f"{source}: column {numbered[1]!r} occurs {len(places)} times; {column!r} asked for "
            "(rois: column)"
        )
    near = difflib.get_close_matches(column, names, n=_SHOWN_NAMES, cutoff=0.5) or list(names[:_SHOWN_NAMES])
    raise TableError(
        f"{source}: no column {column!r} among {len(names)}; there are {', '.join(near)} ... (rois: column)"
    )
