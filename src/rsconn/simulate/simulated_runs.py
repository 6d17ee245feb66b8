"""One run: what is peculiar to a person's head and motion, and the image that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rsconn.simulate.anatomy import MIRRORED, Anatomy
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
class SimulatedRun:
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
) -> SimulatedRun:
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
    SimulatedRun
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
    return SimulatedRun(image, mask, motion)


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


FD_RADIUS_MM = 50.0


@dataclass(frozen=True)
class Motion:
    """Head position over time; translations in mm, rotations in radians.

    Attributes
    ----------
    true, measured : float64 array (n_volumes, 6)
        trans_x, trans_y, trans_z, rot_x, rot_y, rot_z as they were, and as realignment finds them.
    """

    true: np.ndarray
    measured: np.ndarray


def simulate_series(
    n_series: int,
    n_volumes: int,
    t_r: float,
    *,
    rng: np.random.Generator,
    exponent: float = 1.0,
    cutoff_hz: float | None = 0.12,
) -> np.ndarray:
    """Draw independent series whose power falls as 1/f**exponent, times a Gaussian roll-off.

    Parameters
    ----------
    n_series, n_volumes : int
    t_r : float
        Repetition time, in s.
    rng : numpy.random.Generator
    exponent : float
    cutoff_hz : float or None
        Where the haemodynamic roll-off has reached exp(-1/2); None leaves the tail.

    Returns
    -------
    float64 array (n_series, n_volumes)
        Mean 0 and SD 1 each.
    """
    n_long = 2 * n_volumes  # half of a longer series is kept, so that ends do not meet
    frequencies = np.fft.rfftfreq(n_long, t_r)[1:]
    power = frequencies**-exponent
    if cutoff_hz is not None:
        power = power * np.exp(-0.5 * (frequencies / cutoff_hz) ** 2)
    phases = rng.standard_normal((2, n_series, len(frequencies)))
    spectrum = np.zeros((n_series, len(frequencies) + 1), dtype=complex)
    spectrum[:, 1:] = np.sqrt(power) * (phases[0] + 1j * phases[1])
    series = np.fft.irfft(spectrum, n=n_long, axis=1)[:, :n_volumes]
    series -= series.mean(axis=1, keepdims=True)
    return np.asarray(series / series.std(axis=1, keepdims=True))


def couple(first: np.ndarray, noise: np.ndarray, rho: float) -> np.ndarray:
    """Return a series that shares `rho` with `first` and is otherwise `noise` (both mean 0, SD 1)."""
    return np.asarray(rho * first + np.sqrt(1.0 - rho**2) * noise)


def simulate_motion(
    n_volumes: int, t_r: float, *, restlessness: float, n_jerks: int, rng: np.random.Generator
) -> Motion:
    """Draw head motion: slow drift, breathing, jitter, and sudden jerks that are partly taken back.

    Parameters
    ----------
    n_volumes : int
    t_r : float
    restlessness : float
        Multiplies drift, breathing and jitter; 1 gives a mean FD of about 0.12 mm.
    n_jerks : int
        Sudden moves of 0.6 to 1.5 mm FD.
    rng : numpy.random.Generator

    Returns
    -------
    Motion
    """
    weights = np.array([0.6, 0.9, 1.3, 1.2, 0.7, 0.6])  # people nod (z, rot_x) more than they slide
    drift = 0.12 * simulate_series(6, n_volumes, t_r, rng=rng, exponent=2.5, cutoff_hz=None).T
    phase = 2 * np.pi * (0.27 * t_r * np.arange(n_volumes) + 0.4 * np.cumsum(rng.standard_normal(n_volumes)))
    breathing = 0.012 * np.sin(phase)[:, None]
    jitter = 0.008 * rng.standard_normal((n_volumes, 6))
    moves = restlessness * weights * (drift + breathing + jitter) + _draw_jerks(n_volumes, n_jerks, rng)
    moves -= moves[0]
    true = moves * np.array([1.0, 1.0, 1.0, *[1.0 / FD_RADIUS_MM] * 3])
    error = 0.006 * rng.standard_normal((n_volumes, 6)) * [1, 1, 1, *[1 / FD_RADIUS_MM] * 3]
    return Motion(true, true + error)


def compute_fd(parameters: np.ndarray) -> np.ndarray:
    """Return Power's framewise displacement in mm, (n_volumes,), with NaN for the first volume.

    Sum of the absolute changes of the six parameters, rotations as arcs on a sphere of 50 mm
    (Power et al. 2012, NeuroImage 59:2142).
    """
    changes = np.abs(np.diff(parameters, axis=0)) * np.array([1.0, 1.0, 1.0, *[FD_RADIUS_MM] * 3])
    return np.concatenate([[np.nan], changes.sum(axis=1)])


def _draw_jerks(n_volumes: int, n_jerks: int, rng: np.random.Generator) -> np.ndarray:
    """Return steps (n_volumes, 6) in mm of arc: a quarter of each jerk stays, the rest is brief."""
    steps = np.zeros((n_volumes, 6))
    for onset in rng.integers(5, max(n_volumes - 5, 6), size=n_jerks):
        direction = rng.standard_normal(6)
        size = rng.uniform(0.6, 1.5) * direction / np.abs(direction).sum()
        steps[onset:] += 0.25 * size
        steps[onset : onset + int(rng.integers(1, 4))] += 0.75 * size
    return steps
