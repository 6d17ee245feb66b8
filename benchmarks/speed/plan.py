"""The cases of each section of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from speed.measure import Case
from speed.samples import GRIDS, Sample

READERS = ("isal", "zlib-ng")
SECTIONS = {
    "series": "ROI series of one run",
    "maps": "Seed maps and ROI series in one pass",
    "together": "Two runs at once",
    "growth": "What time and memory grow with",
    "left": "What is left above decompression",
    "permutation": "Permutation",
}
_N_NILEARN = 3  # half a minute each, and steady


def list_samples(folder: Path, *, tiny: bool = False) -> dict[str, Sample]:
    """Name to image; with `tiny` all are small, which tries the scripts and measures nothing."""
    whole = Sample(folder, "tiny", "int16", 120, 2.0) if tiny else Sample(folder, "2mm", "int16", 300, 2.0)
    return {
        "2mm": whole,
        "float32": replace(whole, code="float32"),
        "3mm": replace(whole, grid="tiny" if tiny else "3mm"),
        "long": replace(whole, n_volumes=240 if tiny else 1200, t_r=0.72),
    }


def list_cases(section: str, samples: dict[str, Sample]) -> list[Case]:
    """Return a section's cases; each holds the decompressors that its ratios are of."""
    return {
        "series": _list_series,
        "maps": _list_maps,
        "together": _list_together,
        "growth": _list_growth,
        "left": _list_left,
    }[section](samples)


def _list_series(samples: dict[str, Sample]) -> list[Case]:
    two, long = samples["2mm"], samples["long"]
    return [
        *_list_floor("2mm", two),
        _series("2mm 1 sphere", two, n_rois=1),
        _series("2mm 4 spheres", two, n_rois=4),
        _series("2mm 100 variants", two, n_rois=100),
        _series("2mm 100 labels", two, rois="labels", n_rois=100),
        _job("2mm 100 labels, the workflow's jobs", two),
        _series("long 4 spheres", long, n_rois=4),
        _series("long 100 labels", long, rois="labels", n_rois=100),
        _nilearn("nilearn 4 spheres", two, "nilearn_series", reports=False),
        _nilearn("nilearn 4 spheres, default", two, "nilearn_series", reports=True),
        _nilearn("nilearn 100 labels", two, "nilearn_series", reports=False, rois="labels"),
        _nilearn("nilearn 100 labels, default", two, "nilearn_series", reports=True, rois="labels"),
    ]


def _list_maps(samples: dict[str, Sample]) -> list[Case]:
    two = samples["2mm"]
    return [
        *_list_floor("2mm", two),
        *(_seed_maps(f"2mm {n} seeds", two, n_seeds=n) for n in (1, 4, 16)),
        _seed_maps("2mm 4 seeds, 5 recipes", two, n_seeds=4, n_recipes=5),
        _seed_maps("2mm 4 seeds, smoothed 6 mm", two, n_seeds=4, fwhm=6.0),
        _job("2mm 4 seeds, the workflow's jobs", two, n_seeds=4),
        _seed_maps("float32 4 seeds", samples["float32"], n_seeds=4),
        _nilearn("nilearn 4 seeds, cosine", two, "nilearn_seed_maps", n_seeds=4),
    ]


def _list_together(samples: dict[str, Sample]) -> list[Case]:
    two = samples["2mm"]
    floor, labels = _list_floor("2mm", two), _series("2mm 100 labels", two, rois="labels", n_rois=100)
    return [
        case
        for one in (*floor, labels)
        for case in (one, replace(one, label=f"{one.label}, two at once", at_once=2))
    ]


def _list_growth(samples: dict[str, Sample]) -> list[Case]:
    two, wide, three, long = (samples[name] for name in ("2mm", "float32", "3mm", "long"))
    return [
        *(case for name, sample in samples.items() for case in _list_floor(name, sample)),
        _series("2mm 1 sphere", two, n_rois=1),
        _series("2mm 4 spheres", two, n_rois=4),
        *(_series(f"2mm {n} labels", two, rois="labels", n_rois=n) for n in (100, 400)),
        _series("float32 100 labels", wide, rois="labels", n_rois=100),
        _series("long 100 labels", long, rois="labels", n_rois=100),
        *(_seed_maps(f"2mm {n} seeds", two, n_seeds=n) for n in (1, 4, 16)),
        *(_series(f"3mm {n} people", three, times=n, rois="labels", n_rois=100) for n in (1, 4, 10)),
    ]


def _list_left(samples: dict[str, Sample]) -> list[Case]:
    two = samples["2mm"]
    return [
        *_list_floor("2mm", two),
        Case("start Python with numpy", "start", {"module": "numpy"}),
        Case("start rsconn's per-run path", "start", {"module": "rsconn.rules.seedmap"}),
        Case("2mm stream", "stream", {"run": str(two.run)}),
        _series("2mm 4 spheres", two, n_rois=4),
        _series("2mm 100 labels", two, rois="labels", n_rois=100),
        Case("2mm cache 100 labels", "read_cache", {"cache": str(two.cache)}),
    ]


def _list_floor(name: str, sample: Sample) -> list[Case]:
    return [_decompress(f"{name} {reader}", sample, reader) for reader in READERS]


def _decompress(label: str, sample: Sample, reader: str) -> Case:
    x, y, z = GRIDS[sample.grid][0]
    size = x * y * z * (4 if sample.code == "float32" else 2)
    return Case(label, "decompress", {"run": str(sample.run), "reader": reader, "volume_bytes": size})


def _common(sample: Sample) -> dict[str, Any]:
    return {"mask": str(sample.mask), "confounds": str(sample.confounds), "t_r": sample.t_r}


def _series(label: str, sample: Sample, *, n_rois: int, rois: str = "spheres", times: int = 1) -> Case:
    atlas = str(sample.get_atlas(n_rois)) if rois == "labels" else ""
    arguments = {"runs": [str(sample.run)] * times, "rois": rois, "atlas": atlas, "n_rois": n_rois}
    return Case(label, "series", arguments | _common(sample))


def _seed_maps(label: str, sample: Sample, **options: Any) -> Case:
    arguments = {"run": str(sample.run), "atlas": str(sample.get_atlas(100))} | options
    return Case(label, "seed_maps", arguments | _common(sample))


def _job(label: str, sample: Sample, n_seeds: int = 0) -> Case:
    arguments = {
        "run": str(sample.run),
        "mask": str(sample.mask),
        "table": str(sample.table),
        "t_r": sample.t_r,
    }
    return Case(label, "job", arguments | {"atlas": str(sample.get_atlas(100)), "n_seeds": n_seeds})


def _nilearn(label: str, sample: Sample, function: str, **options: Any) -> Case:
    if options.get("rois") == "labels":
        options["atlas"] = str(sample.get_atlas(100))
    arguments = {"run": str(sample.run)} | options | _common(sample)
    return Case(label, function, arguments, max_repeats=_N_NILEARN)
