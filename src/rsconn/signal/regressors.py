"""Which confounds a denoising strategy takes, from the columns that fMRIPrep wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsconn.errors import RunError

MOTION_COLUMNS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_TISSUE_COLUMNS = ("white_matter", "csf")
# Terms per signal -> endings: 1 the signal, 2 and its derivative, 4 and the squares of both.
_ENDINGS = {
    1: ("",),
    2: ("", "_derivative1"),
    4: ("", "_derivative1", "_power2", "_derivative1_power2"),
}
# fMRIPrep names components a_ (mask in the JSON) or, from 21 on and without need of the JSON, w_ and c_.
_COMPONENT = re.compile(r"^([awc])_comp_cor_(\d+)$")
_MASK_BY_PREFIX = {"w": "WM", "c": "CSF"}
_SHOWN_NAMES = 6


@dataclass(frozen=True)
class Confounds:
    """All columns of a confounds file.

    Attributes
    ----------
    names : tuple of str
        Column names, in today's spelling.
    values : float64 array (n_volumes, n_columns)
        ``n/a`` is NaN.
    metadata : dict
        Column name to what the JSON says of it; empty without a JSON.
    """

    names: tuple[str, ...]
    values: np.ndarray
    metadata: Mapping[str, Mapping[str, Any]]

    def get(self, name: str) -> np.ndarray | None:
        """Return one column (n_volumes,), or None if the file lacks it."""
        return self.values[:, self.names.index(name)] if name in self.names else None


@dataclass(frozen=True)
class Regressors:
    """Confounds chosen by a strategy.

    Attributes
    ----------
    names : tuple of str
        Column names.
    values : float64 array (n_volumes, n_regressors)
        Finite throughout.
    notes : tuple of str
        What was done about gaps, for the sidecar.
    """

    names: tuple[str, ...]
    values: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Component:
    """An aCompCor component: its column, and the share of variance it and those before it explain."""

    name: str
    mask: str
    number: int
    cumulative_variance: float


def select_confounds(
    names: Sequence[str],
    values: np.ndarray,
    metadata: Mapping[str, Mapping[str, Any]],
    *,
    motion: int = 0,
    acompcor_wm: int = 0,
    acompcor_csf: int = 0,
    acompcor_variance: float | None = None,
    wm_csf: int = 0,
    global_signal: int = 0,
) -> Regressors:
    """Choose the columns of a strategy.

    Parameters
    ----------
    names : sequence of str
        Columns of the confounds file.
    values : array (n_volumes, n_columns)
        Their values; NaN is missing.
    metadata : mapping
        Column to its JSON entry; ``Mask``, ``Retained`` and ``CumulativeVarianceExplained`` choose among
        components.
    motion : {0, 6, 12, 24}
        Realignment parameters; 12 with their derivatives, 24 with the squares of both.
    acompcor_wm, acompcor_csf : int
        Leading components of each mask, in numeric order. A file that retained fewer gives what it has,
        noted: fMRIPrep keeps as many as explain half of the variance.
    acompcor_variance : float or None
        Instead of numbers, the leading components of each mask that together explain this share of its
        variance.
    wm_csf : {0, 2, 4, 8}
        Mean white matter and CSF signals; 4 with derivatives, 8 with the squares of both.
    global_signal : {0, 1, 2, 4}
        Global signal; 2 with its derivative, 4 with the squares of both.

    Returns
    -------
    Regressors
        A missing first row, which derivatives always have, is filled with 0 and noted.

    Raises
    ------
    RunError
        If a column is missing (with what the file does have), or holds n/a below its first row.

    References
    ----------
    Behzadi et al. 2007, doi:10.1016/j.neuroimage.2007.04.042 (aCompCor); Friston et al. 1996 (24 parameters).
    """
    components = _list_components(names, metadata)
    notes: list[str] = []
    wanted = _expand(MOTION_COLUMNS, motion)
    for mask, count in (("WM", acompcor_wm), ("CSF", acompcor_csf)):
        of_mask = [component for component in components if component.mask == mask]
        wanted += _choose_components(of_mask, mask, count, acompcor_variance, notes)
    wanted += _expand(_TISSUE_COLUMNS, wm_csf) + _expand(("global_signal",), global_signal)
    _check_columns(wanted, names, components)
    chosen = values[:, [names.index(name) for name in wanted]].astype(float)
    return Regressors(tuple(wanted), _fill_first_row(wanted, chosen, notes), tuple(notes))


def _expand(signals: Sequence[str], n_columns: int) -> list[str]:
    if n_columns == 0:
        return []
    terms, rest = divmod(n_columns, len(signals))
    if rest or terms not in _ENDINGS:
        choices = ", ".join(str(terms * len(signals)) for terms in _ENDINGS)
        raise ValueError(f"{n_columns} columns of {', '.join(signals)}: choose 0, {choices}")
    return [signal + ending for ending in _ENDINGS[terms] for signal in signals]


def _list_components(names: Iterable[str], metadata: Mapping[str, Mapping[str, Any]]) -> list[_Component]:
    found = [_describe_component(name, metadata.get(name, {})) for name in names]
    kept = [component for component in found if component is not None]
    # numeric order: as text, 100 stands before 20
    return sorted(kept, key=lambda component: (component.mask, component.number))


def _describe_component(name: str, entry: Mapping[str, Any]) -> _Component | None:
    match = _COMPONENT.match(name)
    mask = (entry.get("Mask") or _MASK_BY_PREFIX.get(match[1])) if match else None
    if match is None or mask is None or entry.get("Retained") is False:
        return None
    return _Component(name, str(mask), int(match[2]), _read_share(entry.get("CumulativeVarianceExplained")))


def _read_share(value: Any) -> float:
    """Return a share; NaN for null and whatever else is none, which only a strategy by variance minds."""
    is_share = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1 + 1e-6
    return float(value) if is_share else np.nan


def _choose_components(
    components: Sequence[_Component], mask: str, count: int, variance: float | None, notes: list[str]
) -> list[str]:
    if variance is not None:
        return _choose_by_variance(components, mask, variance)
    if count and 0 < len(components) < count:
        notes.append(f"aCompCor: {len(components)} {mask} components retained by fMRIPrep, {count} asked for")
    if count and not components:
        return [f"aCompCor {mask}"]  # no such column: reported with the other missing ones
    return [component.name for component in components[:count]]


def _choose_by_variance(components: Sequence[_Component], mask: str, variance: float) -> list[str]:
    if not components:
        return [f"aCompCor {mask}"]
    shares = np.array([component.cumulative_variance for component in components])
    reached = np.flatnonzero(shares >= variance)
    if not len(reached):
        raise RunError(
            f"confounds: the {len(components)} aCompCor components of {mask} explain "
            f"{_format_share(shares[-1])} of its variance, {variance:.0%} asked for (denoising.strategy)"
        )
    return [component.name for component in components[: reached[0] + 1]]


def _format_share(share: float) -> str:
    return "an unstated share" if np.isnan(share) else f"{share:.1%}"


def _check_columns(wanted: Sequence[str], names: Sequence[str], components: Sequence[_Component]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        shown = ", ".join(missing[:_SHOWN_NAMES])
        more = f" and {len(missing) - _SHOWN_NAMES} more" if len(missing) > _SHOWN_NAMES else ""
        raise RunError(
            f"confounds: {shown}{more} missing; the file has {list_confound_kinds(names, components)}; "
            "choose another denoising.strategy"
        )


def list_confound_kinds(names: Sequence[str], components: Sequence[_Component] | None = None) -> str:
    """Say in a line which kinds of confounds a file has.

    Examples
    --------
    >>> list_confound_kinds(["trans_x", "rot_x", "csf", "cosine00"])
    '2 motion, 0 motion derivatives and squares, no aCompCor of WM, no aCompCor of CSF, csf'
    """
    known = _list_components(names, {}) if components is None else components
    expanded = {signal + ending for signal in MOTION_COLUMNS for ending in _ENDINGS[4][1:]}
    parts = [
        f"{sum(name in MOTION_COLUMNS for name in names)} motion",
        f"{sum(name in expanded for name in names)} motion derivatives and squares",
    ]
    for mask in ("WM", "CSF"):
        count = sum(component.mask == mask for component in known)
        parts.append(f"{count or 'no'} aCompCor of {mask}")
    unmasked = sum(name.startswith("a_comp_cor_") for name in names) if not known else 0
    if unmasked:
        parts.append(f"{unmasked} aCompCor whose mask no JSON tells")
    return ", ".join(parts + [name for name in (*_TISSUE_COLUMNS, "global_signal") if name in names])


def _fill_first_row(names: Sequence[str], values: np.ndarray, notes: list[str]) -> np.ndarray:
    _check_finite(names, values)
    filled = values.copy()
    gaps = np.isnan(values[0])
    filled[0, gaps] = 0.0
    if gaps.any():
        notes.append(f"first-row n/a of {gaps.sum()} derivative columns filled with 0")
    return filled


def _check_finite(names: Sequence[str], values: np.ndarray) -> None:
    for name, column in zip(names, values.T, strict=True):
        # a backward difference has no first value; nothing else may be missing
        expected = int(np.isnan(column[0]) and "_derivative1" in name)
        bad = int((~np.isfinite(column)).sum())
        if bad > expected:
            where = "every volume" if bad == len(column) else f"{bad} of {len(column)} volumes"
            raise RunError(f"confounds: {name} is not a number in {where}; choose another denoising.strategy")
