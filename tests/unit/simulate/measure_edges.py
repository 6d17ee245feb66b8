"""A small analysis of a simulated run, written apart from rsconn.signal so that the two can disagree.

Run as a script it measures what the planted coupling becomes after the primary denoising, over many seeds:
``python tests/unit/simulate/measure_edges.py --seeds 20``. The constants `attenuation`, `offset` and `error_sd`
of rsconn.simulate.truth come from it.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from threadpoolctl import threadpool_limits

from rsconn.simulate.anatomy import Anatomy, make_anatomy
from rsconn.simulate.confound_table import compute_confounds
from rsconn.simulate.simulated_runs import N_NONSTEADY, T_R, SimulatedRun, simulate_run
from rsconn.simulate.simulated_study import Study, draw_study
from rsconn.simulate.truth import ROI_CENTERS_MM


def measure_run(run: SimulatedRun, anatomy: Anatomy, radius_mm: float = 6.0) -> dict[str, float]:
    """Return z of both edges after the primary denoising, dof, mean FD and the coverage of oPFC."""
    confounds = compute_confounds(run, anatomy)
    columns = confounds.columns
    fd = columns["framewise_displacement"]
    keep = (np.arange(len(fd)) >= N_NONSTEADY) & ~(fd > 0.5)
    positions = anatomy.compute_positions()
    series, coverage = {}, {}
    for name, center in ROI_CENTERS_MM.items():
        sphere = np.linalg.norm(positions - np.array(center), axis=1) <= radius_mm
        coverage[name] = float(run.mask[sphere].mean())
        series[name] = run.image[:, sphere & run.mask].mean(axis=1, dtype=float) if coverage[name] else fd * 0
    y = np.column_stack(list(series.values()))[keep]
    design = make_primary_design(columns, confounds.metadata)[keep]
    rank = np.linalg.matrix_rank(design)
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    r = np.corrcoef(residual.T)
    names = list(series)
    measured = {
        "dof": float(keep.sum() - rank),
        "mean_fd": float(np.nanmean(fd[N_NONSTEADY:])),
        "coverage": coverage["oPFC"],
    }
    for first, second in (("LAI", "dmPFC"), ("rACC", "oPFC")):
        measured[f"{first}-{second}"] = float(np.arctanh(r[names.index(first), names.index(second)]))
    return measured


def make_primary_design(columns: dict[str, np.ndarray], metadata: dict[str, dict]) -> np.ndarray:
    """Return constant, trend, 6 motion, 5 WM + 5 CSF components and the cosines outside 0.01-0.08 Hz."""
    n = len(columns["trans_x"])
    time = np.arange(n)
    motion = [columns[name] for name in ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")]
    chosen = []
    for mask in ("WM", "CSF"):
        names = [k for k in columns if k.startswith("a_comp_cor") and metadata[k]["Mask"] == mask]
        chosen += [columns[name] for name in sorted(names)[:5]]
    orders = np.arange(1, n)
    hz = orders / (2 * n * T_R)
    outside = orders[(hz < 0.01) | (hz > 0.08)]
    cosines = np.cos(np.pi * np.outer(time + 0.5, outside) / n)
    return np.column_stack([np.ones(n), time - time.mean(), *motion, *chosen, cosines])


def restrict_to_measured(anatomy: Anatomy, thin: int = 1) -> Anatomy:
    """Keep the voxels that decide edges: spheres and tissue cores (white matter thinned), and a tenth for DVARS."""
    positions = anatomy.compute_positions()
    keep = anatomy.csf_core.copy()
    keep[np.flatnonzero(anatomy.white_core)[::thin]] = True
    keep[::10] |= ~anatomy.white_core[::10]
    for center in ROI_CENTERS_MM.values():
        keep |= np.linalg.norm(positions - np.array(center), axis=1) <= 6.5
    return anatomy.restrict(keep)


def measure_study(study: Study, anatomy: Anatomy) -> dict[str, np.ndarray]:
    """Return each measure for each scanned person, with `group`, `true_*` and `index` (row in the table)."""
    rows = []
    for name, plan in study.runs.items():
        index = study.people.participant_id.index(name)
        run = simulate_run(plan, anatomy, study.plan.edges, rng=np.random.default_rng([study.seed, 2, index]))
        row = measure_run(run, anatomy)
        row |= {f"true_{edge}": value for edge, value in plan.coupling.items()}
        row |= {"index": index, "therapist": float(study.people.group[index] == "therapist")}
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def describe(measured: dict[str, np.ndarray]) -> str:
    """Return the measures of many people as text."""
    lines = [
        f"{name}: 0, 5, 50, 95, 100 % {np.percentile(measured[name], [0, 5, 50, 95, 100]).round(3)}"
        for name in ("dof", "mean_fd", "coverage")
    ]
    therapist = measured["therapist"] == 1
    for edge in ("LAI-dmPFC", "rACC-oPFC"):
        z, true = measured[edge], measured[f"true_{edge}"]
        slope, offset = np.polyfit(true, z, 1)
        error = np.std(z - slope * true - offset)
        a, b = z[therapist], z[~therapist]
        g = (a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2)
        lines.append(f"{edge}: z = {offset:.3f} + {slope:.3f} true, error SD {error:.3f}")
        lines.append(f"  means {a.mean():.3f} {b.mean():.3f}, SD {a.std():.3f} {b.std():.3f}; g {g:.3f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--effect", type=float, default=1.0)
    parser.add_argument("--save")
    arguments = parser.parse_args()
    anatomy = restrict_to_measured(make_anatomy(3.0))
    studies = [
        draw_study(seed=seed, problems=False, effect=arguments.effect) for seed in range(arguments.seeds)
    ]
    with threadpool_limits(1):
        pooled = [measure_study(study, anatomy) for study in studies]
    measured = {name: np.concatenate([one[name] for one in pooled]) for name in pooled[0]}
    if arguments.save:
        np.savez(arguments.save, **measured)
    sys.stdout.write(describe(measured) + "\n")


if __name__ == "__main__":
    main()
