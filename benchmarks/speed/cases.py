"""What is measured: each case is one process, imports included. `python cases.py CASE JSON-arguments`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Imports stand inside the functions: a case pays for its own only.

SPHERES_MM = ((-36, 18, 2), (0, 51, 32), (9, 39, 20), (-12, 36, -21))
RADIUS_MM = 6.0
HIGH_PASS_HZ, LOW_PASS_HZ = 0.01, 0.08


def decompress(run: str, reader: str, volume_bytes: int) -> None:
    """Read every byte into one buffer, nothing else."""
    if reader == "isal":
        from isal.igzip import open as open_compressed
    elif reader == "zlib-ng":
        from zlib_ng.gzip_ng import open as open_compressed
    else:
        from gzip import open as open_compressed
    buffer = bytearray(volume_bytes)
    with open_compressed(run, "rb") as file:
        while file.readinto(buffer):
            pass


def _prepare(run, mask, rois, atlas, n_rois):
    from rsconn.files.images import read_header, read_mask
    from rsconn.files.regions import build_weights

    header = read_header(Path(run))
    return header, build_weights(_list_regions(rois, atlas, n_rois), header), read_mask(Path(mask), header)


def _list_regions(rois, atlas, n_rois):
    if rois == "labels":
        return [{"name": f"L{i}", "atlas": {"image": atlas, "label": i}} for i in range(1, n_rois + 1)]
    return [
        {"name": f"S{i}", "sphere": {"center_mm": SPHERES_MM[i % 4], "radius_mm": RADIUS_MM + 0.1 * (i // 4)}}
        for i in range(n_rois)
    ]


def stream(run) -> None:
    """Our reader alone: numpy, the reading thread and its buffers, nothing computed."""
    from rsconn.files.images import read_header, stream_volumes

    for _ in stream_volumes(read_header(Path(run))):
        pass


def read_cache(cache, n_rois=100) -> None:
    """The series of as many regions from an uncompressed array of in-mask voxels: what a cache would give."""
    import numpy as np

    from rsconn.signal.extraction import extract_timeseries
    from rsconn.signal.weights import make_label_weights

    volumes = np.load(cache, mmap_mode="r")
    labels = (1 + np.arange(volumes.shape[1]) * n_rois // volumes.shape[1]).astype(float).reshape(-1, 1, 1)
    weights = make_label_weights([str(i) for i in range(n_rois)], labels, list(range(1, n_rois + 1)))
    extract_timeseries(lambda: iter(volumes), weights, np.ones(volumes.shape[1], bool))


def series(runs, mask, confounds, t_r, rois="spheres", atlas="", n_rois=4) -> None:
    """ROI series of each run, cleaned of confounds and out-of-band frequencies, and their correlations."""
    import numpy as np

    from rsconn.files.images import stream_volumes
    from rsconn.signal.connectivity import compute_relmat
    from rsconn.signal.extraction import extract_timeseries
    from rsconn.signal.projection import NuisanceDesign, project_out

    for run in runs:
        header, weights, inside = _prepare(run, mask, rois, atlas, n_rois)
        found = extract_timeseries(
            lambda header=header: stream_volumes(header),
            weights,
            inside,
            slope=header.slope,
            intercept=header.intercept,
        )
        design = NuisanceDesign(header.n_volumes, t_r, (HIGH_PASS_HZ, LOW_PASS_HZ), np.load(confounds))
        cleaned = project_out(found.timeseries, design, np.ones(header.n_volumes, bool)).cleaned
        compute_relmat(cleaned)


def seed_maps(run, mask, confounds, t_r, n_seeds=4, n_recipes=1, atlas="", n_rois=100, fwhm=0.0) -> None:
    """Seed maps of every seed and recipe, and the series of all regions, from one pass."""
    import numpy as np

    from rsconn.files.images import stream_volumes
    from rsconn.signal.seedmaps import SeedRecipes, compute_fisher_z, extract_seed_maps

    header, weights, inside = _prepare(run, mask, "labels", atlas, n_rois)
    table = np.load(confounds)
    recipes = SeedRecipes(
        t_r,
        (HIGH_PASS_HZ, LOW_PASS_HZ),
        np.ones(header.n_volumes, bool),
        [table[:, : table.shape[1] - 2 * i] for i in range(n_recipes)],
        range(n_seeds),
        fwhm,
    )
    _, maps = extract_seed_maps(
        lambda: stream_volumes(header), weights, inside, recipes, affine=header.affine, slope=header.slope
    )
    for recipe in maps.r:
        for r in recipe:
            compute_fisher_z(r)


def job(run, mask, table, t_r, rois="labels", atlas="", n_rois=100, n_seeds=0) -> None:
    """What the workflow's jobs do with a run, by its own steps: from image and confounds to edges and seed maps."""
    import contextlib
    import tempfile

    from rsconn.rules.connect import connect
    from rsconn.rules.denoise import denoise
    from rsconn.rules.extract import extract
    from rsconn.rules.seedmap import make_seedmaps

    facts = {"participant_id": "sub-1", "session": None, "name": "sub-1_task-rest", "t_r": t_r}
    files = {
        "bold": run,
        "mask": mask,
        "confounds": table,
        "confounds_json": str(Path(table).with_suffix(".json")),
    }
    runs = [facts | files | {"entities": {"sub": "1", "task": "rest"}}]
    regions = [
        region | {"source": "", "smoothing_fwhm_mm": 0.0, "variant_of": None}
        for region in _list_regions(rois, atlas, n_rois)
    ]
    names = [region["name"] for region in regions]
    reading = {
        "set_name": "bench",
        "space": None,
        "accept_space_mismatch": False,
        "t_r": None,
        "rois": regions,
        "further_rois": [],
    }
    cleaning = {
        "denoising": {
            "mode": "projection",
            "strategy": {"name": "acompcor"},
            "terms": {"motion": 6, "acompcor_wm": 5, "acompcor_csf": 5},
            "high_pass_hz": HIGH_PASS_HZ,
            "low_pass_hz": LOW_PASS_HZ,
        },
        "censoring": {"fd_threshold_mm": None, "dvars_threshold": None},
    }
    maps = {"seeds": names[:n_seeds], "maps_smoothing_fwhm_mm": 0.0}
    connecting = {
        "set_name": "bench",
        "kind": "pearson",
        "min_coverage": 0.5,
        "edges": [names[:2]],
        "band_hz": [HIGH_PASS_HZ, LOW_PASS_HZ],
    }
    cleaning_of_series = {"set_name": "bench", "rois": names, "columns": {}, "denoised": False, "t_r": None}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        first, second, third = Path("1.json"), Path("2.json"), Path("3.json")
        if n_seeds:
            make_seedmaps(first, runs=runs, settings=reading | cleaning | maps)
        else:
            extract(first, runs=runs, settings=reading)
        denoise(second, before=[first], runs=[], settings=cleaning_of_series | cleaning)
        connect(third, before=second, settings=connecting)
        record = json.loads(third.read_text(encoding="utf-8"))[0]
        assert record["failed_stage"] is None, record["reason"]


def nilearn_series(run, mask, confounds, t_r, rois="spheres", atlas="", *, reports=False) -> None:
    """The same with nilearn's maskers, in their Butterworth way."""
    import numpy as np
    from nilearn.maskers import NiftiLabelsMasker, NiftiSpheresMasker

    options = {
        "mask_img": mask,
        "detrend": True,
        "standardize": "zscore_sample",
        "high_pass": HIGH_PASS_HZ,
        "low_pass": LOW_PASS_HZ,
        "t_r": t_r,
        "dtype": "float32",
        "reports": reports,
    }
    if rois == "labels":
        masker = NiftiLabelsMasker(atlas, **options)
    else:
        masker = NiftiSpheresMasker(SPHERES_MM, radius=RADIUS_MM, **options)
    series = masker.fit_transform(run, confounds=np.load(confounds))
    np.corrcoef(series.T)


def nilearn_seed_maps(run, mask, confounds, t_r, n_seeds=4) -> None:
    """Seed maps with nilearn's maskers and its cosine filter, the fastest of its ways."""
    import numpy as np
    from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

    options = {
        "detrend": True,
        "standardize": "zscore_sample",
        "high_pass": HIGH_PASS_HZ,
        "t_r": t_r,
        "dtype": "float32",
        "reports": False,
        "clean_args": {"filter": "cosine"},
    }
    table = np.load(confounds)
    seeds = NiftiSpheresMasker(SPHERES_MM[:n_seeds], radius=RADIUS_MM, mask_img=mask, **options)
    seed_series = seeds.fit_transform(run, confounds=table)
    voxels = NiftiMasker(mask, **options)
    voxel_series = voxels.fit_transform(run, confounds=table)
    r = voxel_series.T @ seed_series / (len(seed_series) - 1)
    voxels.inverse_transform(np.arctanh(np.clip(r, -0.999999, 0.999999)).T)


def start(module: str) -> None:
    """Import and leave."""
    __import__(module)


def find_peak_mib() -> float:
    """Peak memory of this program alone; the system's account of a child starts with its parent's memory."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


CASES = (decompress, stream, read_cache, series, seed_maps, job, nilearn_series, nilearn_seed_maps, start)

if __name__ == "__main__":
    next(case for case in CASES if case.__name__ == sys.argv[1])(**json.loads(sys.argv[2]))
    print(find_peak_mib())
