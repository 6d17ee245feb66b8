"""The cases of the page, and what is read off them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from speed.measure import Case, Cost
from speed.samples import GRIDS, Sample

READERS = ("isal", "zlib-ng")


@dataclass(frozen=True)
class Target:
    """A ratio of two costs, and what it should be at most (or, with `at_least`, at least)."""

    text: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def list_samples(folder: Path) -> dict[str, Sample]:
    whole = Sample(folder, "2mm", "int16", 300, 2.0)
    return {
        "2mm": whole,
        "float32": replace(whole, code="float32"),
        "3mm": replace(whole, grid="3mm"),
        "long": replace(whole, n_volumes=1200, t_r=0.72),
    }


def list_cases(samples: dict[str, Sample]) -> list[Case]:
    two, wide, three, long = (samples[name] for name in ("2mm", "float32", "3mm", "long"))
    cases = [
        _decompress(f"{name} {reader}", one, reader) for name, one in samples.items() for reader in READERS
    ]
    cases += [
        Case("2mm stream", "stream", {"run": str(two.run)}),
        Case("2mm cache 100 labels", "read_cache", {"cache": str(two.cache)}),
        Case("start Python with numpy", "start", {"module": "numpy"}),
        Case("start rsconn's per-run path", "start", {"module": "rsconn.steps.extract"}),
        _series("2mm 4 spheres", two, n_rois=4),
        _series("2mm 1 sphere", two, n_rois=1),
        _series("2mm 100 variants", two, n_rois=100),
        _series("2mm 100 labels", two, rois="labels", n_rois=100),
        _series("2mm 400 labels", two, rois="labels", n_rois=400),
        _series("float32 100 labels", wide, rois="labels", n_rois=100),
        _series("3mm 100 labels", three, rois="labels", n_rois=100),
        _series("long 100 labels", long, rois="labels", n_rois=100),
        _series("long 4 spheres", long, n_rois=4),
        replace(_series("2mm 100 labels, two at once", two, rois="labels", n_rois=100), at_once=2),
        *(_series(f"3mm {n} people", three, times=n, rois="labels", n_rois=100) for n in (1, 4, 10)),
        *(_seed_maps(f"2mm {n} seeds", two, n_seeds=n) for n in (1, 4, 16)),
        _seed_maps("2mm 4 seeds, 5 recipes", two, n_seeds=4, n_recipes=5),
        _seed_maps("2mm 4 seeds, smoothed 6 mm", two, n_seeds=4, fwhm=6.0),
        _seed_maps("float32 4 seeds", wide, n_seeds=4),
        _nilearn("nilearn 4 spheres", two, "nilearn_series", reports=False),
        _nilearn("nilearn 4 spheres, default", two, "nilearn_series", reports=True),
        _nilearn("nilearn 100 labels", two, "nilearn_series", reports=False, rois="labels"),
        _nilearn("nilearn 100 labels, default", two, "nilearn_series", reports=True, rois="labels"),
        _nilearn("nilearn 4 seeds, cosine", two, "nilearn_seed_maps", n_seeds=4),
    ]
    return cases


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


def _nilearn(label: str, sample: Sample, function: str, **options: Any) -> Case:
    if options.get("rois") == "labels":
        options["atlas"] = str(sample.get_atlas(100))
    return Case(label, function, {"run": str(sample.run)} | options | _common(sample))


def find_floor(costs: dict[str, Cost], sample: str) -> Cost:
    """Decompression alone by the faster of the two readers."""
    return min((costs[f"{sample} {reader}"] for reader in READERS), key=lambda cost: cost.wall_s)


def list_targets(costs: dict[str, Cost]) -> list[Target]:
    """The ratios that DESIGN section 6 asks for, as measured."""
    floor = find_floor(costs, "2mm")
    spheres, labels, seeds = (costs[name] for name in ("2mm 4 spheres", "2mm 100 labels", "2mm 4 seeds"))
    return [
        Target("4 spheres: wall / decompression", spheres.wall_s / floor.wall_s, 1.15),
        Target("100 labels: wall / decompression", labels.wall_s / floor.wall_s, 1.15),
        Target("4 spheres: processor time / decompression", spheres.cpu_s / floor.cpu_s, 1.3),
        Target("100 labels: processor time / decompression", labels.cpu_s / floor.cpu_s, 1.3),
        Target(
            "nilearn (no reports) / 4 spheres",
            _speed(costs, "nilearn 4 spheres", spheres),
            6.5,
            at_least=True,
        ),
        Target(
            "nilearn (no reports) / 100 labels",
            _speed(costs, "nilearn 100 labels", labels),
            6.5,
            at_least=True,
        ),
        Target(
            "nilearn default / 4 spheres",
            _speed(costs, "nilearn 4 spheres, default", spheres),
            15,
            at_least=True,
        ),
        Target("peak memory, 4 spheres, MiB", spheres.peak_mib, 80),
        Target("peak memory, 100 labels, MiB", labels.peak_mib, 80),
        Target("peak memory, 1,200 / 300 volumes", costs["long 100 labels"].peak_mib / labels.peak_mib, 1.1),
        Target(
            "100 variants / 1 sphere", costs["2mm 100 variants"].wall_s / costs["2mm 1 sphere"].wall_s, 1.15
        ),
        Target("4 seed maps + 100 labels: wall / decompression", seeds.wall_s / floor.wall_s, 1.5),
        Target("4 seed maps + 100 labels: peak memory, MiB", seeds.peak_mib, 200),
        Target("5 recipes / 1", costs["2mm 4 seeds, 5 recipes"].wall_s / seeds.wall_s, 1.3),
        Target(
            "nilearn's cosine way / 4 seed maps",
            _speed(costs, "nilearn 4 seeds, cosine", seeds),
            10,
            at_least=True,
        ),
        Target("two runs at once / one", costs["2mm 100 labels, two at once"].wall_s / labels.wall_s, 1.2),
    ]


def _speed(costs: dict[str, Cost], other: str, ours: Cost) -> float:
    return costs[other].wall_s / ours.wall_s
