"""The deviation log: what differs from the claims and thresholds that were registered before the analysis."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import rsconn
from rsconn.errors import SettingsError
from rsconn.provenance import hash_json
from rsconn.settings.claims import hash_claims
from rsconn.settings.config import Config

if TYPE_CHECKING:
    from rsconn.settings.config import Config

# Of the input, what is taken from the data; the tables by their names.
_INPUT = (
    "participants",
    "phenotype",
    "filters",
    "values",
    "decimal",
    "denoised",
    "t_r",
    "accept_space_mismatch",
)
# Where the data lie, how jobs are cut and how many cores there are is nobody's degree of freedom.
_NOT_REGISTERED = frozenset(
    {"path", "input", "output_dir", "batch_size", "claims", "claims_path", "rois_path", "registered"}
)
_MISSING = object()


def register(config: Config) -> dict[str, Any]:
    """Return what to register of a study, as JSON values: its claims, its thresholds and the hash of each.

    Parameters
    ----------
    config : Config
        As it stands before the data are looked at.

    Returns
    -------
    dict
        ``rsconn`` (version), ``claims_sha256``, ``claims`` (in their order), ``thresholds_sha256``,
        ``thresholds`` (every other setting that can change a number, among them the ROIs, denoising, censoring,
        quality, scores, covariates, inference, and which values of the tables count as others or as missing).
        Files are registered by name, not by place.
    """
    thresholds = _read_thresholds(config)
    return {
        "rsconn": rsconn.__version__,
        "claims_sha256": hash_claims(config.claims),
        "claims": [claim.model_dump(mode="json") for claim in config.claims],
        "thresholds_sha256": hash_json(thresholds),
        "thresholds": thresholds,
    }


def list_deviations(registered: Mapping[str, Any], config: Config) -> list[str]:
    """Return one line per difference between what was registered and what is set now; empty if there is none.

    Parameters
    ----------
    registered : mapping
        From `register`, by way of a file.
    config : Config
        As it stands now.

    Raises
    ------
    SettingsError
        If `registered` is not what `register` returns, or was edited by hand, so that its hashes do not fit.
    """
    check_registered(registered)
    now = register(config)
    lines = []
    if registered["thresholds_sha256"] != now["thresholds_sha256"]:
        lines += _compare_settings(registered["thresholds"], now["thresholds"])
    if registered["claims_sha256"] != now["claims_sha256"]:
        lines += _compare_claims(registered["claims"], now["claims"])
    return lines


def check_registered(registered: Mapping[str, Any]) -> None:
    """Raise a SettingsError unless this is an unaltered registration."""
    keys = {"claims": "claims_sha256", "thresholds": "thresholds_sha256"}
    if not isinstance(registered, Mapping):
        raise SettingsError("registered: a registration needed, such as rsconn writes")
    absent = [key for pair in keys.items() for key in pair if key not in registered]
    if absent:
        raise SettingsError(
            f"registered: no {absent[0]!r} found; a registration such as rsconn writes needed"
        )
    for content, digest in keys.items():
        found = hash_json(registered[content])
        if found != registered[digest]:
            raise SettingsError(
                f"registered: its {content} have the SHA-256 {found[:12]}..., its {digest} says "
                f"{str(registered[digest])[:12]}...; the file was changed after it was written"
            )


def _read_thresholds(config: Config) -> dict[str, Any]:
    names = [name for name in type(config).model_fields if name not in _NOT_REGISTERED]
    thresholds = {name: _simplify(getattr(config, name)) for name in names}
    thresholds["input"] = {name: _simplify(getattr(config.input, name)) for name in _INPUT}
    return thresholds


def _simplify(value: Any) -> Any:
    """Return JSON values; paths by their names, so that a study may move."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _simplify(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_simplify(item) for item in value]
    return value


def _compare_settings(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    return [f"{prefix}{key}: registered {old}, now {new}" for key, old, new in _compare(before, now)]


def _compare_claims(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    old, new = ({claim["id"]: claim for claim in claims} for claims in (before, now))
    lines = [f"claim {name}: registered, now missing" for name in old if name not in new]
    lines += [f"claim {name}: not registered" for name in new if name not in old]
    for name in old:
        if name in new:
            lines += _compare_settings(old[name], new[name], prefix=f"claim {name}: ")
    return lines or ["claims: registered in another order"]


def _compare(before: Any, now: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield the dotted name and both values of every difference; lists of named things go by name."""
    before, now = _index(before), _index(now)
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*before, *now]):
            dotted = f"{key}.{name}" if key else str(name)
            yield from _compare(before.get(name, _MISSING), now.get(name, _MISSING), dotted)
    elif before != now:
        yield key, _show(before), _show(now)


def _index(value: Any) -> Any:
    """Turn a list of things with names into a mapping from name to thing."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(item, Mapping) and "name" in item for item in value)
    ):
        return {item["name"]: item for item in value}
    return value


def _show(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    return "null" if value is None else repr(value)


def find_deviations(config: Config) -> list[str]:
    """Return what differs from the config's registration; empty if nothing does, or nothing is registered.

    Parameters
    ----------
    config : Config
        The config.

    Raises
    ------
    SettingsError
        If the registration cannot be read, or was edited.
    """
    if config.registered is None:
        return []
    try:
        content = json.loads(config.registered.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{config.registered}: not a readable registration ({error}); registered"
        ) from None
    return list_deviations(content, config)
