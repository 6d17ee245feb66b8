"""Write docs/reruns.md: which rules run again when an option is edited.

Every option is changed, and the parameters of every rule compared. Run: python docs/make_reruns.py [FILE]
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rsconn.rules.jobs import JOBS
from rsconn.settings.claims import Contrast
from rsconn.settings.config import Config, read_config
from rsconn.settings.edge_claims import EdgeClaim, EdgesOutcome
from rsconn.settings.rois import Alternative, AtlasRegion, Circular, MapRegion, Sphere, Surfaces, Variants

ROOT = Path(__file__).resolve().parents[1]
TITLE = """# What an edited option runs again

Made by `make reruns` (`python docs/make_reruns.py`): nothing here is written by hand. The rules named are those that
hold the option themselves; what comes after them follows, as far as their results change. `batch_size` and
`input.filters` choose and arrange the runs, whatever the rules hold. Files count too: an edited table, image or
confounds file runs again what reads it.
"""
Options = dict[str, tuple[str, ...]]


def list_options(config: Config) -> dict[str, Config]:
    """Return every option of the config, its ROI set and its claims, to the config with that option changed."""
    options: dict[str, Config] = {}
    for path, changed in change_each(config, ()):
        options[_name(path)] = changed
    return options


def find_reruns(config: Config) -> Options:
    """Return option to the rules whose parameters hold it."""
    warnings.filterwarnings("ignore", "Pydantic serializer")  # a changed value need not be a valid one
    before = {rule: job(config).to_params() for rule, job in JOBS.items()}
    return {
        option: tuple(rule for rule, job in JOBS.items() if job(changed).to_params() != before[rule])
        for option, changed in list_options(config).items()
    }


def change_each(model: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each leaf's path, and the model with that leaf changed."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        for inner, changed in _change_value(value, (*path, name)):
            yield inner, model.model_copy(update={name: changed})


def _change_value(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, BaseModel):
        yield from change_each(value, path)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for inner, changed in change_each(value[0], path):
            yield inner, (changed, *value[1:])
    elif isinstance(value, Mapping) and value and isinstance(first := next(iter(value.values())), BaseModel):
        for inner, changed in change_each(first, path):
            yield inner, {**value, next(iter(value)): changed}
    else:
        yield path, _change(value, path[-1])


def _change(value: Any, name: str) -> Any:
    """Return another value of the same kind, valid enough for a rule's parameters."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, Path):
        return value.with_name("another")
    if isinstance(value, str):
        return {"sample": "age > 1", "instrument": "ERQ"}.get(name, "another")
    if isinstance(value, Mapping):
        return {**value, "another": _NEW.get(name, "another")}
    if value == () and name in _FIRST:
        return (_FIRST[name],)
    if isinstance(value, tuple):
        return (*value, value[-1]) if value and not isinstance(value[-1], str) else (*value, "another")
    return _NEW.get(name, "another")


# The first element of a list that is empty.
_FIRST: Mapping[str, Any] = {
    "edge_claims": EdgeClaim(
        id="N1", family="networks", text="networks", outcome=EdgesOutcome(edges="all"), predictor="PT",
        expect="associated",
    ),
    "alternatives": Alternative(name="LAI_other", of="LAI", mask=Path("other.nii.gz")),
    "high_pass_hz": 0.02, "min_retained_minutes": 5.0, "smoothing_fwhm_mm": 6.0, "outlier_sd": 3.0,
}  # fmt: skip

# What an option may be where the config leaves it out.
_NEW: Mapping[str, Any] = {
    "t_r": 2.0, "dvars_threshold": 1.5, "fd_threshold_mm": 0.3, "max_mean_fd_mm": 0.3, "low_pass_hz": 0.2,
    "acompcor_variance": 0.5, "covariates": ("age",), "sesoi": 0.3, "alpha": 0.01, "denoised": True,
    "values": {"old": "new"}, "filters": ("another",), "levels": "another", "contrast": None,
    "between": Contrast(column="sex", a="F", b="M"),
    "circular": Circular(contrast="group", data="this"), "variants": Variants(radius_mm=(4.0,)),
    "surfaces": Surfaces(left=Path("left.surf.gii"), right=Path("right.surf.gii")),
    "sphere": Sphere(center_mm=(0, 0, 0)), "mask": Path("mask.nii.gz"), "map": MapRegion(image=Path("map.nii.gz")),
    "atlas": AtlasRegion(image=Path("atlas.nii.gz"), label=1), "rois_path": Path("rois.yaml"),
    "roi": (), "score": (), "truth": Path("truth.json"), "registered": Path("registered.json"),
}  # fmt: skip


def _name(path: tuple[str, ...]) -> str:
    wing = {"rois": "ROI set: ", "claims": "claims: "}.get(path[0], "")
    return wing + ".".join(path[1:] if wing and len(path) > 1 else path)


def write_page(options: Options) -> str:
    """Return the page."""
    rows = [f"| `{option}` | {', '.join(rules) or 'nothing'} |" for option, rules in options.items()]
    return "\n".join([TITLE, "| option | rules that hold it |", "|---|---|", *rows, ""])


def read_example() -> Config:
    """Return the demo study's settings, with seeds: an option of each kind."""
    config = read_config(ROOT / "config" / "config.yaml")
    return config.model_copy(update={"seeds": config.rois.names[:1]})


if __name__ == "__main__":
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reruns.md"
    page.write_text(write_page(find_reruns(read_example())), encoding="utf-8")
