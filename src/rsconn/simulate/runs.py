"""One run: what is peculiar to a person's head and motion, and the image that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rsconn.simulate.anatomy import MIRRORED, Anatomy
from rsconn.simulate.timecourses import (
    FD_RADIUS_MM,
    Motion,
    compute_fd,
    couple,
    simulate_motion,
    simulate_series,
)
from rsconn.simulate.truth import ROI_CENTERS_MM, EdgePlan

T_R = 2.0
N_NONSTEADY = 2
NONSTEADY_GAIN = (0.18, 0.05)  # share by which the first volumes are brighter, before magnetisation settles

# SD of each source at its strongest voxel, as a share of the voxel's mean.
SIGNAL_SD = 0.008
BACKGROUND_SD = 0.00055
TISSUE_SD = 0.004
GLOBAL_SD = 0.001
DRIFT_SD = 0.002
THERMAL_SD = 50.0  # image units: where drop-out takes signal, tSNR falls with it
MOTION_SHARE = 0.15  # displacement that realignment and interpolation leave in the image
SPIN_SHARE = 0.010  # signal lost per mm of movement between volumes
MIRROR_RHO = 0.6
LOW_SIGNAL = 0.35  # a voxel with less than this share of its signal is outside the person's mask


@dataclass(frozen=True)
class RunPlan:
    """What distinguishes one run from another.

    Attributes
    ----------
    coupling : mapping of edge to float
        True Fisher z.
    n_volumes : int
    restlessness : float
        Scale of continuous head motion.
    n_jerks : int
    dropout : float
        Severity of orbitofrontal signal loss; about 1.
    physiology : float
        Scale of the fluid, white-matter and global signals; about 1.
    """

    coupling: Mapping[str, float]
    n_volumes: int
    restlessness: float
    n_jerks: int
    dropout: float
    physiology: float


@dataclass(frozen=True)
class Run:
    """A simulated run before it is written.

    Attributes
    ----------
    image : float32 array (n_volumes, n_voxels)
        Volumes in rows, voxels as in `Anatomy.voxels`.
    mask : bool array (n_voxels,)
        The person's brain mask.
    motion : Motion
    """

    image: np.ndarray
    mask: np.ndarray
    motion: Motion


def draw_run_plan(coupling: Mapping[str, float], n_volumes: int, *, rng: np.random.Generator) -> RunPlan:
    """Draw an ordinary run: mean FD 0.08 to 0.25 mm, at most four jerks, moderate drop-out."""
    return RunPlan(
        coupling,
        n_volumes,
        restlessness=float(np.clip(rng.lognormal(0.35, 0.35), 0.6, 2.4)),
        n_jerks=min(int(rng.poisson(1.2)), 4),
        dropout=float(np.clip(rng.lognormal(-0.05, 0.12), 0.7, 1.15)),
        physiology=float(np.clip(rng.lognormal(0.0, 0.2), 0.6, 1.6)),
    )


def simulate_run(
    plan: RunPlan, anatomy: Anatomy, edges: tuple[EdgePlan, ...], *, rng: np.random.Generator
) -> Run:
    """Simulate the image of one run as low-rank sources, motion and thermal noise.

    y[t, v] = level[v] * (1 + sources[t] @ patterns[:, v]) + noise; level: reference after drop-out.

    Parameters
    ----------
    plan : RunPlan
    anatomy : Anatomy
    edges : tuple of EdgePlan
        Which ROIs each entry of `plan.coupling` joins.
    rng : numpy.random.Generator

    Returns
    -------
    Run
    """
    motion = simulate_motion(
        plan.n_volumes, T_R, restlessness=plan.restlessness, n_jerks=plan.n_jerks, rng=rng
    )
    signal_left = np.exp(-plan.dropout * anatomy.dropout)
    level = anatomy.reference * signal_left
    series, patterns = _make_sources(plan, anatomy, edges, motion, rng)
    image = series.astype(np.float32) @ patterns
    image += 1.0
    image *= level
    for volume in range(plan.n_volumes):  # one at a time: the noise of all would double the memory
        image[volume] += np.float32(THERMAL_SD) * rng.standard_normal(len(level), dtype=np.float32)
    n_bright = min(N_NONSTEADY, plan.n_volumes)
    image[:n_bright] *= 1.0 + np.array(NONSTEADY_GAIN, dtype=np.float32)[:n_bright, None]
    mask = (anatomy.brain > rng.uniform(0.4, 0.6)) & (signal_left > LOW_SIGNAL)
    return Run(image, mask, motion)


def simulate_roi_series(
    plan: RunPlan, edges: tuple[EdgePlan, ...], *, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the true series of each ROI, (n_volumes,), mean 0 and SD 1, coupled as the plan says."""
    drawn = simulate_series(len(ROI_CENTERS_MM), plan.n_volumes, T_R, rng=rng)
    series = dict(zip(ROI_CENTERS_MM, drawn, strict=True))
    for edge in edges:
        rho = float(np.tanh(plan.coupling[edge.name]))
        series[edge.second] = couple(series[edge.first], series[edge.second], rho)
    return series


def _make_sources(
    plan: RunPlan,
    anatomy: Anatomy,
    edges: tuple[EdgePlan, ...],
    motion: Motion,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return series (n_volumes, n_sources) and patterns (n_sources, n_voxels), as shares of the mean."""
    patterns = anatomy.sources
    whole = np.maximum(anatomy.gray + 0.4 * anatomy.white, 0.2)[None]
    moved, fd = _compute_motion_series(motion)
    blocks = [
        (SIGNAL_SD * _make_blob_series(plan, edges, rng), patterns["blobs"]),
        (BACKGROUND_SD * _draw(plan, len(patterns["background"]), 1.0, rng), patterns["background"]),
        (TISSUE_SD * plan.physiology * _draw(plan, len(patterns["white"]), 0.6, rng), patterns["white"]),
        (TISSUE_SD * plan.physiology * _draw(plan, len(patterns["csf"]), 0.6, rng), patterns["csf"]),
        (GLOBAL_SD * plan.physiology * _draw(plan, 1, 1.0, rng), whole),
        (DRIFT_SD * _draw(plan, len(patterns["drift"]), 3.0, rng), patterns["drift"]),
        (MOTION_SHARE * moved, anatomy.gradient),
        (-SPIN_SHARE * fd, patterns["spin"]),
    ]
    series = np.concatenate([block[0] for block in blocks], axis=1)
    return series, np.concatenate([block[1] for block in blocks]).astype(np.float32)


def _make_blob_series(plan: RunPlan, edges: tuple[EdgePlan, ...], rng: np.random.Generator) -> np.ndarray:
    series = simulate_roi_series(plan, edges, rng=rng)
    own = simulate_series(len(MIRRORED), plan.n_volumes, T_R, rng=rng)
    mirrored = [couple(series[name], noise, MIRROR_RHO) for name, noise in zip(MIRRORED, own, strict=True)]
    return np.stack([*series.values(), *mirrored], axis=1)


def _draw(plan: RunPlan, n_series: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    cutoff_hz = 0.12 if exponent >= 1.0 else None  # pulse and breathing alias over the whole spectrum
    series = simulate_series(n_series, plan.n_volumes, T_R, rng=rng, exponent=exponent, cutoff_hz=cutoff_hz)
    return series.T


def _compute_motion_series(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Return the head's displacement (n_volumes, 3) and its framewise displacement (n_volumes, 1), in mm."""
    moved = motion.true[:, :3] + FD_RADIUS_MM * motion.true[:, 3:]
    fd = np.nan_to_num(compute_fd(motion.true))
    return moved, np.minimum(fd, 3.0)[:, None]
