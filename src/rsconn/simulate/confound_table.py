"""The confounds of a simulated run: fMRIPrep's columns, computed from the image as fMRIPrep does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rsconn.simulate.anatomy import Anatomy
from rsconn.simulate.simulated_runs import N_NONSTEADY, T_R, SimulatedRun, compute_fd

MOTION_NAMES = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
HIGH_PASS_S = 128.0
FD_OUTLIER_MM = 0.5
DVARS_OUTLIER = 1.5


@dataclass(frozen=True)
class ConfoundTable:
    """Columns of the TSV, (n_volumes,) each with NaN for ``n/a``, and the JSON sidecar."""

    columns: Mapping[str, np.ndarray]
    metadata: Mapping[str, Mapping[str, Any]]


def compute_confounds(run: SimulatedRun, anatomy: Anatomy, *, n_components: int = 10) -> ConfoundTable:
    """Measure every confound on the simulated image.

    Columns, order and sidecar follow fMRIPrep 20.2 (CSF components come first, then white matter, then
    combined), but at most `n_components` are kept per mask, and only the next two are listed as dropped.

    Parameters
    ----------
    run : SimulatedRun
    anatomy : Anatomy
    n_components : int

    Returns
    -------
    ConfoundTable
    """
    steady = np.arange(len(run.image)) >= N_NONSTEADY
    cosines = _make_cosines(len(run.image), T_R)
    columns: dict[str, np.ndarray] = {}
    metadata: dict[str, Mapping[str, Any]] = {}
    for name, voxels in (
        ("global_signal", run.mask),
        ("csf", anatomy.csf_core),
        ("white_matter", anatomy.white_core),
    ):
        columns |= _expand(name, run.image[:, voxels].mean(axis=1, dtype=float))
        metadata[name] = {"Method": "Mean"}
    dvars = _compute_dvars(run.image[:, run.mask])
    fd = compute_fd(run.motion.measured)
    columns |= {
        "std_dvars": dvars / np.median(dvars[N_NONSTEADY + 1 :]),
        "dvars": dvars,
        "framewise_displacement": fd,
        "rmsd": _compute_rmsd(run.motion.measured),
    }
    _add_components(columns, metadata, run, anatomy, cosines, n_components)
    columns |= {f"cosine{index:02d}": cosine for index, cosine in enumerate(cosines.T)}
    columns |= _make_spikes("non_steady_state_outlier", ~steady)
    for name, values in zip(MOTION_NAMES, run.motion.measured.T, strict=True):
        columns |= _expand(name, values)
    columns |= _make_spikes("motion_outlier", (fd > FD_OUTLIER_MM) | (columns["std_dvars"] > DVARS_OUTLIER))
    return ConfoundTable(columns, metadata)


def compute_components(image: np.ndarray, cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return principal components of voxels after high-pass filtering and scaling to unit variance.

    Parameters
    ----------
    image : array (n_volumes, n_voxels)
        Steady volumes only.
    cosines : array (n_volumes, n_cosines)

    Returns
    -------
    components : float64 array (n_volumes, n_volumes)
        Unit norm, by falling variance (aCompCor: Behzadi et al. 2007, NeuroImage 37:90).
    singular_values : float64 array (n_volumes,)
    """
    trend = np.column_stack([np.ones(len(image)), cosines])
    basis = np.linalg.qr(trend)[0]
    values = image.astype(float)
    values -= basis @ (basis.T @ values)
    values /= np.maximum(values.std(axis=0), 1e-12)
    powers, vectors = np.linalg.eigh(values @ values.T)
    return vectors[:, ::-1], np.sqrt(np.maximum(powers[::-1], 0.0))


def _add_components(
    columns: dict[str, np.ndarray],
    metadata: dict[str, Mapping[str, Any]],
    run: SimulatedRun,
    anatomy: Anatomy,
    cosines: np.ndarray,
    n_components: int,
) -> None:
    masks = {
        "CSF": anatomy.csf_core,
        "WM": anatomy.white_core,
        "combined": anatomy.csf_core | anatomy.white_core,
    }
    kept = dropped = 0
    for mask, voxels in masks.items():
        steady = run.image[N_NONSTEADY:, voxels]
        components, singular = compute_components(steady, cosines[N_NONSTEADY:])
        shares = singular**2 / (singular**2).sum()
        for index in range(min(n_components + 2, len(singular))):
            retained = index < n_components
            name = f"a_comp_cor_{kept:02d}" if retained else f"dropped_{dropped}"
            metadata[name] = {
                "CumulativeVarianceExplained": round(float(shares[: index + 1].sum()), 10),
                "Mask": mask,
                "Method": "aCompCor",
                "Retained": retained,
                "SingularValue": round(float(singular[index]), 10),
                "VarianceExplained": round(float(shares[index]), 10),
            }
            if retained:
                columns[name] = np.concatenate([np.zeros(N_NONSTEADY), components[:, index]])
            kept, dropped = kept + retained, dropped + (not retained)


def _expand(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return a signal with its derivative (first row n/a) and the squares of both."""
    derivative = np.concatenate([[np.nan], np.diff(values)])
    return {
        name: values,
        f"{name}_derivative1": derivative,
        f"{name}_derivative1_power2": derivative**2,
        f"{name}_power2": values**2,
    }


def _make_cosines(n_volumes: int, t_r: float) -> np.ndarray:
    """Return the DCT-II regressors slower than 128 s, unit norm, (n_volumes, k)."""
    n_cosines = int(np.floor(2 * n_volumes * t_r / HIGH_PASS_S))
    times = (np.arange(n_volumes) + 0.5) / n_volumes
    orders = np.arange(1, n_cosines + 1)
    return np.asarray(np.sqrt(2.0 / n_volumes) * np.cos(np.pi * times[:, None] * orders))


def _compute_dvars(image: np.ndarray) -> np.ndarray:
    """Return the root mean square change between volumes, (n_volumes,), NaN first."""
    changes = [np.sqrt(np.mean((later - earlier) ** 2)) for earlier, later in pairwise(image)]
    return np.array([np.nan, *changes], dtype=float)


def _compute_rmsd(parameters: np.ndarray) -> np.ndarray:
    """Return the root mean square displacement between volumes over a sphere of 80 mm, NaN first.

    Jenkinson 1999 (FMRIB TR99MJ1) for small rotations: sqrt(80^2 / 5 * 2 * |rotation|^2 + |translation|^2).
    """
    changes = np.diff(parameters, axis=0) ** 2
    squared = 80.0**2 / 5.0 * 2.0 * changes[:, 3:].sum(axis=1) + changes[:, :3].sum(axis=1)
    return np.concatenate([[np.nan], np.sqrt(squared)])


def _make_spikes(name: str, volumes: np.ndarray) -> dict[str, np.ndarray]:
    rows = np.flatnonzero(volumes)
    spikes = np.eye(len(volumes))[rows]
    return {f"{name}{index:02d}": spike for index, spike in enumerate(spikes)}
