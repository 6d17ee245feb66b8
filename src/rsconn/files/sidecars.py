"""JSON beside the data: inheritance, repetition time, dataset description."""

from __future__ import annotations

import itertools
import json
import math
import re
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rsconn.errors import DatasetError, RunError, describe_unreadable, is_pointer
from rsconn.files.bids_tree import FoundFile

# Headers are wrong by these values in files of known writers (fMRIPrep 23.2.0 and multi-echo), whatever the
# TR.
_HEADER_FAULTS_S = (0.0, 1.0)
_LARGEST_T_R_S = 30.0
_T_R_TOLERANCE_S = 1e-3
_LARGEST_INTEGER = 1 << 53


class Sidecars:
    """JSON sidecars of one dataset, read when asked for and once each.

    Parameters
    ----------
    dataset : Path
        Root of the dataset; inheritance ends there.
    files : iterable of FoundFile
        The dataset's JSON files of one kind.
    """

    def __init__(self, dataset: Path, files: Iterable[FoundFile]) -> None:
        self._dataset = dataset
        self._by_folder: dict[str, list[FoundFile]] = {}
        self._contents: dict[Path, dict[str, Any]] = {}
        for file in files:
            self._by_folder.setdefault(file.folder, []).append(file)

    def read(self, file: FoundFile) -> dict[str, Any]:
        """Return what BIDS inheritance says about a file.

        A sidecar applies if it lies in the file's folder or above and all of its entities are the file's. The
        nearer folder wins, and in one folder the sidecar with more entities.

        Raises
        ------
        DatasetError
            If a sidecar is not a JSON object.
        """
        merged: dict[str, Any] = {}
        for folder in self._list_folders(Path(file.folder)):
            applying = [
                other
                for other in self._by_folder.get(folder, [])
                if other.entities.items() <= file.entities.items()
            ]
            for other in sorted(applying, key=lambda found: len(found.entities)):
                merged.update(self._read_once(other.path))
        return merged

    def _list_folders(self, folder: Path) -> list[str]:
        inside = [parent for parent in (folder, *folder.parents) if parent.is_relative_to(self._dataset)]
        return [str(parent) for parent in reversed(inside)]

    def _read_once(self, path: Path) -> dict[str, Any]:
        if path not in self._contents:
            self._contents[path] = read_json_object(path)
        return self._contents[path]


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises
    ------
    DatasetError
        If the file cannot be read or holds something else.
    """
    try:
        content = _parse_json(path.read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise DatasetError(f"{path}: not readable as JSON: nested too deeply") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) or is_pointer(path):
            raise DatasetError(describe_unreadable(path, error)) from None
        raise DatasetError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: a JSON object was needed, found {type(content).__name__}")
    return content


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is written twice: JSON would keep the last one without a word."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is written twice")
    return content


def _parse_json(text: str) -> Any:
    content = json.loads(text, object_pairs_hook=_read_pairs)
    if not _SURROGATE.search(text):
        return content
    # half of a pair is no character and could not be written anywhere: a question mark takes its place
    return json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))


def get_t_r(metadata: Mapping[str, Any]) -> float | None:
    """Return the repetition time that a sidecar states, in seconds; None if it states none.

    ``RepetitionTime``, 1 / ``SamplingFrequency`` as some parcellated datasets have it, or the step of an even
    ``VolumeTiming``. Whether the number is a plausible one is for `is_plausible_t_r`.

    Raises
    ------
    ValueError
        If it is no number, or the volumes are not evenly spaced.

    Examples
    --------
    >>> get_t_r({"RepetitionTime": 2}), get_t_r({"SamplingFrequency": 0.5}), get_t_r({})
    (2.0, 2.0, None)
    """
    t_r, frequency = (_get_number(metadata, key) for key in ("RepetitionTime", "SamplingFrequency"))
    if t_r is None and frequency is not None:
        return 1 / frequency if frequency else 0.0
    if t_r is None and metadata.get("VolumeTiming") is not None:
        return _get_step(metadata["VolumeTiming"])
    return t_r


def _get_step(timing: Any) -> float:
    """Return the step of even volume timing, s."""
    if not isinstance(timing, list) or len(timing) < 2 or not all(_is_number(time) for time in timing):
        raise ValueError("VolumeTiming is no list of times in seconds; RepetitionTime was needed")
    steps = [float(later) - float(time) for time, later in itertools.pairwise(timing)]
    if max(steps) - min(steps) > 2 * _T_R_TOLERANCE_S:
        raise ValueError(
            f"VolumeTiming has volumes {min(steps):g} to {max(steps):g} s apart and there is no RepetitionTime; "
            "filters and drifts need even steps: leave the run out (input.filters)"
        )
    return (float(timing[-1]) - float(timing[0])) / len(steps)


def _get_number(metadata: Mapping[str, Any], key: str) -> float | None:
    value = metadata.get(key)
    if value is None:
        return None
    if not _is_number(value):
        raise ValueError(f"{key} is {reprlib.repr(value)}; a number was needed")
    return float(value)


def _is_number(value: Any) -> bool:
    """Say whether a JSON value is a finite number; JSON has NaN by custom, and integers of any length."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < _LARGEST_INTEGER


def is_plausible_t_r(t_r: float) -> bool:
    """Say whether a repetition time can be one in seconds; 2000 is in milliseconds.

    Examples
    --------
    >>> is_plausible_t_r(2.0), is_plausible_t_r(2000.0), is_plausible_t_r(0.0)
    (True, False, False)
    """
    return 0 < t_r <= _LARGEST_T_R_S


def settle_t_r(
    subject: str, *, sidecar_t_r: float | None, header_t_r: float | None, configured_t_r: float | None = None
) -> tuple[float, str | None]:
    """Decide on a run's repetition time.

    The config wins, then the sidecar. A header of 0 or 1 s is a known writer's fault and only noted; any
    other disagreement is an error. Without a sidecar's value the header's is taken and noted, unless it is 0
    or 1 s.

    Parameters
    ----------
    subject : str
        Name of the run, for messages.
    sidecar_t_r, header_t_r : float or None
        Seconds; None or NaN where nothing is stated.
    configured_t_r : float or None
        ``input.t_r``.

    Returns
    -------
    t_r : float
        Seconds.
    warning : str or None
        What the ledger should keep.

    Raises
    ------
    RunError
        If the sources disagree, or none of them can be believed.

    Examples
    --------
    >>> settle_t_r("sub-01", sidecar_t_r=2.0, header_t_r=2.0)
    (2.0, None)
    """
    header = None if header_t_r is None or not math.isfinite(header_t_r) else header_t_r
    if configured_t_r is not None:
        return configured_t_r, _describe_overruled(subject, configured_t_r, sidecar_t_r, header)
    if sidecar_t_r is None:
        return _settle_by_header(subject, header)
    if not is_plausible_t_r(sidecar_t_r):
        raise RunError(
            f"{subject}: JSON says TR {sidecar_t_r:g} s, image header {_show(header)}; a TR lies between 0 and "
            f"{_LARGEST_T_R_S:g} s; set input.t_r to the right one"
        )
    if header is None or _agree(header, sidecar_t_r):
        return sidecar_t_r, None
    if header in _HEADER_FAULTS_S:
        return (
            sidecar_t_r,
            f"{subject}: image header says TR {header:g} s, JSON says {sidecar_t_r:g} s; JSON used",
        )
    raise RunError(
        f"{subject}: image header says TR {header:g} s, JSON says {sidecar_t_r:g} s; "
        "set input.t_r to the right one"
    )


def _settle_by_header(subject: str, header: float | None) -> tuple[float, str | None]:
    if header is None or header in _HEADER_FAULTS_S or not is_plausible_t_r(header):
        raise RunError(
            f"{subject}: no RepetitionTime in any JSON sidecar, and the image header says {_show(header)}; "
            "set input.t_r"
        )
    return (
        header,
        f"{subject}: no RepetitionTime in any JSON sidecar; TR {header:g} s taken from the image header",
    )


def _show(t_r: float | None) -> str:
    return "nothing" if t_r is None else f"{t_r:g} s"


def _describe_overruled(
    subject: str, configured: float, sidecar: float | None, header: float | None
) -> str | None:
    stated = {"JSON": sidecar, "image header": header}
    others = [
        f"{where} says {t_r:g} s" for where, t_r in stated.items() if t_r and not _agree(t_r, configured)
    ]
    return f"{subject}: input.t_r {configured:g} s used; {', '.join(others)}" if others else None


def _agree(first: float, second: float) -> bool:
    # headers hold float32
    return abs(first - second) <= _T_R_TOLERANCE_S


def read_dataset_description(folder: Path) -> dict[str, Any]:
    """Read ``dataset_description.json``; an empty dict if there is none.

    Raises
    ------
    DatasetError
        If the file is not a JSON object.
    """
    path = folder / "dataset_description.json"
    return read_json_object(path) if path.is_file() else {}


def list_makers(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the programs that made a dataset, name and version, whatever the shape in which they are told.

    Examples
    --------
    >>> list_makers({"GeneratedBy": [{"Name": "fMRIPrep", "Version": "23.1.0"}, "xcp_d"]})
    ('fMRIPrep 23.1.0', 'xcp_d')
    >>> list_makers({"GeneratedBy": None, "PipelineDescription": {"Name": "fMRIPrep", "Version": "1.5.0"}})
    ('fMRIPrep 1.5.0',)
    """
    told = description.get("GeneratedBy") or description.get("PipelineDescription") or []
    makers = told if isinstance(told, list) else [told]
    return tuple(name for maker in makers if (name := _name_maker(maker)))


def _name_maker(maker: Any) -> str:
    if not isinstance(maker, Mapping):
        return maker.strip() if isinstance(maker, str) else ""
    return " ".join(str(maker[key]) for key in ("Name", "Version") if maker.get(key))


def describe_origin(folder: Path) -> dict[str, Any]:
    """Return a dataset's name and what made it, as far as it says so.

    Parameters
    ----------
    folder : Path
        The dataset.
    """
    description = read_dataset_description(folder)
    return {
        "Name": str(description.get("Name") or folder.name),
        "GeneratedBy": list(list_makers(description)),
    }
