"""The same person under two ids: equal edges to the last digit, or equal rows of continuous columns."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd

from rsconn.arrays import FloatArray
from rsconn.errors import TableError
from rsconn.study.people.used_columns import is_text, make_columns

# A column with fewer possible values says too little of who somebody is.
_LEAST_STEPS = 30
_LEAST_COLUMNS = 3
# How many pairs of strangers would agree by chance at most.
_CHANCE = 1e-3
# Means of up to so many items lie on a grid; anything finer has as many steps as there are digits.
_FINEST_GRID = 1000
_COUNTLESS = 1e6


def find_same_people(people: pd.DataFrame) -> list[str]:
    """Return a problem for each two ids whose rows agree in every continuous column.

    Continuous are columns of numbers with at least 30 steps between the smallest and the largest; three such columns
    must be known of both, and as many steps that chance agreement of any two people is unlikely.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    """
    columns = make_columns(people)
    names = [name for name, cells in columns.items() if not is_text(cells)]
    steps = {name: _count_steps(columns[name]) for name in names}
    names = [name for name in names if steps[name] >= _LEAST_STEPS]
    if len(names) < _LEAST_COLUMNS:
        return []
    table = np.column_stack([columns[name] for name in names])
    ids = people["participant_id"].astype(str).tolist()
    n_pairs = len(ids) * (len(ids) - 1) / 2
    logs = np.log([steps[name] / 1.5 for name in names])
    return [
        f"{ids[first]} and {ids[second]} have the same values of {', '.join(names[:4])}"
        f"{' and more' if len(names) > 4 else ''}: one person under two ids, or a row copied; take one of the "
        "rows out of the tables"
        for first, second in _find_equal(table)
        if ids[first] != ids[second] and _is_telling(table[first], logs, n_pairs)
    ]


def check_same_edges(edges: pd.DataFrame) -> None:
    """Refuse two people, or two sessions of one, who have the same edges to the last digit.

    Parameters
    ----------
    edges : DataFrame
        participant_id, session, edge, z.

    Raises
    ------
    TableError
        Naming the first two of them.
    """
    rows: dict[tuple[str, str | None], list[tuple[str, float]]] = defaultdict(list)
    for row in edges.itertuples():
        if np.isfinite(row.z) and row.z != 0:
            session = None if row.session is None or pd.isna(row.session) else str(row.session)
            rows[str(row.participant_id), session].append((str(row.edge), float(row.z)))
    seen: dict[tuple[tuple[str, float], ...], tuple[str, str | None]] = {}
    for key, values in rows.items():
        other = seen.setdefault(tuple(sorted(values)), key)
        if other[0] != key[0]:  # two sessions of one person are told by the check
            edge, z = values[0]
            raise TableError(
                f"{_name(other)} and {_name(key)} have the same edges to the last digit ({edge} {z:.17g}): one person "
                "under two ids, or a run copied; take one of the two out of the dataset"
            )


def _name(key: tuple[str, str | None]) -> str:
    person, session = key
    return person if session is None else f"{person} ses-{session}"


def _count_steps(cells: FloatArray) -> float:
    """Return how many values lie between the smallest and the largest on the coarsest grid that holds them all."""
    values = np.unique(cells[np.isfinite(cells)])
    if values.size < _LEAST_COLUMNS:
        return 0.0
    for parts in range(1, _FINEST_GRID + 1):
        scaled = values * parts
        near = np.round(scaled)
        if (np.abs(scaled - near) <= 1e-6 * np.maximum(1.0, np.abs(near))).all() and np.unique(
            near
        ).size == values.size:
            return float(near[-1] - near[0])
    return _COUNTLESS


def _find_equal(table: FloatArray) -> list[tuple[int, int]]:
    """Return rows (first, other) that have the same cells, n/a included; each row with the first like it."""
    seen: dict[bytes, int] = {}
    pairs = []
    for row, cells in enumerate(table):
        first = seen.setdefault(np.where(np.isnan(cells), np.inf, cells + 0.0).tobytes(), row)
        if first != row:
            pairs.append((first, row))
    return pairs


def _is_telling(cells: FloatArray, logs: FloatArray, n_pairs: float) -> bool:
    known = np.isfinite(cells)
    chance = np.log(n_pairs) - float(logs[known].sum())
    return bool(known.sum() >= _LEAST_COLUMNS and chance < np.log(_CHANCE))
