"""The simulated head: voxel grid, tissue shares, the places that carry the planted coupling, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from rsconn.simulate.truth import PLACES, ROI_CENTERS_MM

FIELD_OF_VIEW_MM = (195.0, 231.0, 195.0)
CORNER_MM = (
    -98.0,
    -134.0,
    -80.0,
)  # outer corner; with 3 mm voxels the first centre is (-96.5, -132.5, -78.5)
BLOB_SD_MM = 7.0
MIRRORED = ("LAI", "rACC")  # the seeds have a partner on the other side, coupled equally in everybody
HEAD_SEED = (0, 3)
N_BACKGROUND = 24
N_TISSUE_SOURCES = 3


@dataclass(frozen=True)
class Anatomy:
    """What does not differ between people. Voxel arrays hold the voxels of `voxels` only.

    Attributes
    ----------
    shape : (int, int, int)
    affine : float64 array (4, 4)
        Voxel to MNI mm.
    voxels : int array (n_voxels,)
        Flat indices in file order (x fastest) of the brain and a rim round it.
    brain, gray, white, csf : float32 array (n_voxels,)
        Shares of the voxel, 0..1.
    reference : float32 array (n_voxels,)
        Mean image without drop-out; about 10000 in grey matter.
    dropout : float32 array (n_voxels,)
        Signal is multiplied by exp(-severity x dropout).
    gradient : float32 array (3, n_voxels)
        Relative change of the reference per mm along x, y, z.
    sources : mapping of str to float32 array (n_sources, n_voxels)
        Spatial patterns: ``blobs`` (ROIs, then mirrored ROIs), ``background``, ``white``, ``csf``, ``drift``,
        ``spin`` (signal lost when the head moves).
    white_core, csf_core : bool array (n_voxels,)
        Where the confounds are measured: deep white matter, ventricles.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    voxels: np.ndarray
    brain: np.ndarray
    gray: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    reference: np.ndarray
    dropout: np.ndarray
    gradient: np.ndarray
    sources: Mapping[str, np.ndarray]
    white_core: np.ndarray
    csf_core: np.ndarray

    def restrict(self, keep: np.ndarray) -> Anatomy:
        """Return the anatomy of some voxels only, where `keep` (bool, (n_voxels,)) is true."""
        names = ("voxels", "brain", "gray", "white", "csf", "reference", "dropout", "white_core", "csf_core")
        return replace(
            self,
            **{name: getattr(self, name)[keep] for name in names},
            gradient=self.gradient[:, keep],
            sources={name: patterns[:, keep] for name, patterns in self.sources.items()},
        )

    def compute_positions(self) -> np.ndarray:
        """Return the voxels' MNI positions, float64 (n_voxels, 3), in mm."""
        return _compute_positions(self.voxels, self.shape, self.affine)


def make_grid(voxel_mm: float) -> tuple[tuple[int, int, int], np.ndarray]:
    """Return shape and affine of an isotropic grid over the template's field of view.

    Examples
    --------
    >>> make_grid(3.0)[0]
    (65, 77, 65)
    """
    shape = tuple(round(extent / voxel_mm) for extent in FIELD_OF_VIEW_MM)
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = np.array(CORNER_MM) + voxel_mm / 2
    return (shape[0], shape[1], shape[2]), affine


def make_anatomy(voxel_mm: float, *, rng: np.random.Generator | None = None) -> Anatomy:
    """Build the head from the ICBM152 templates that come with nilearn.

    Parameters
    ----------
    voxel_mm : float
        Edge of a voxel, in mm; 3 gives the 65 x 77 x 65 grid.
    rng : numpy.random.Generator or None
        Draws the background patterns. None gives the head that every simulated study shares: two ROIs that
        happen to lie in one pattern are biased towards each other, and the planted effects allow for that.

    Returns
    -------
    Anatomy
    """
    rng = np.random.default_rng(HEAD_SEED) if rng is None else rng
    shape, affine = make_grid(voxel_mm)
    tissue = _sample_templates(shape, affine, voxel_mm)
    inside = tissue["brain"] > 0.15
    voxels = np.flatnonzero(inside.ravel(order="F"))
    shares = {name: _pick(values, voxels) for name, values in tissue.items()}
    reference = _make_reference(tissue)
    gradient = np.stack([_pick(g, voxels) for g in np.gradient(reference)]) / voxel_mm
    positions = _compute_positions(voxels, shape, affine)
    return Anatomy(
        shape,
        affine,
        voxels,
        **shares,
        reference=_pick(reference, voxels),
        dropout=_make_dropout(positions),
        gradient=np.clip(gradient / _pick(reference, voxels), -0.1, 0.1),
        sources=_make_sources(shares, positions, voxels, shape, voxel_mm, rng),
        white_core=_find_core(shares["white"] - _rim(shares["brain"]), 0.9),
        csf_core=_find_core(shares["csf"] - _is_far(positions), 0.6),
    )


def _sample_templates(
    shape: tuple[int, int, int], affine: np.ndarray, voxel_mm: float
) -> dict[str, np.ndarray]:
    """Average the 1 mm templates over our voxels: shares of brain, grey, white matter and fluid."""
    from nilearn import datasets  # slow to import, and needed once per simulated study

    loaded = {
        "brain": datasets.load_mni152_brain_mask(resolution=1),
        "gray": datasets.load_mni152_gm_template(resolution=1),
        "white": datasets.load_mni152_wm_template(resolution=1),
    }
    sampled = {}
    for name, image in loaded.items():
        smooth = gaussian_filter(np.asarray(image.dataobj, dtype=np.float32), voxel_mm / 2.355)
        to_template = np.linalg.inv(image.affine) @ affine
        grid = np.indices(shape).reshape(3, -1)
        points = to_template[:3, :3] @ grid + to_template[:3, 3:]
        sampled[name] = map_coordinates(smooth, points, order=1, cval=0.0).reshape(shape)
    sampled["csf"] = np.clip(sampled["brain"] - sampled["gray"] - sampled["white"], 0.0, 1.0)
    return sampled


def _make_reference(tissue: Mapping[str, np.ndarray]) -> np.ndarray:
    mixture = 10000 * tissue["gray"] + 8300 * tissue["white"] + 12000 * tissue["csf"]
    return np.asarray(np.maximum(mixture, 600.0), dtype=np.float32)


def _make_dropout(positions: np.ndarray) -> np.ndarray:
    """Return how strongly air-filled cavities cost signal: orbitofrontal, and a little inferior temporal."""
    centers = np.array([[0.0, 40.0, -26.0], [50.0, -28.0, -30.0], [-50.0, -28.0, -30.0]])
    widths = np.array([[18.0, 14.0, 10.0], [12.0, 16.0, 8.0], [12.0, 16.0, 8.0]])
    distances = (((positions[:, None, :] - centers) / widths) ** 2).sum(axis=2)
    return np.asarray(np.exp(-distances / 2) @ np.array([1.2, 0.6, 0.6]), dtype=np.float32)


def _make_sources(
    shares: Mapping[str, np.ndarray],
    positions: np.ndarray,
    voxels: np.ndarray,
    shape: tuple[int, int, int],
    voxel_mm: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    def draw(n_patterns: int, sd_mm: float) -> np.ndarray:
        return _draw_patterns(n_patterns, sd_mm / voxel_mm, voxels, shape, rng)

    gray, white, csf = shares["gray"], shares["white"], shares["csf"]
    return {
        "blobs": _make_blobs(positions, white) * shares["brain"],
        "background": draw(N_BACKGROUND, 10.0) * np.sqrt(gray),
        "white": draw(N_TISSUE_SOURCES, 25.0) * (white + 0.25 * gray),
        "csf": draw(N_TISSUE_SOURCES, 25.0) * (1.5 * csf + 0.2 * gray),
        "drift": draw(3, 25.0),
        "spin": np.abs(draw(1, 20.0)) + _rim(shares["brain"]),
    }


def _make_blobs(positions: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return what each ROI's series, and each mirrored seed's, is multiplied by."""
    centers = np.array(list(ROI_CENTERS_MM.values()))
    mirrored = np.array([ROI_CENTERS_MM[name] for name in MIRRORED]) * [-1.0, 1.0, 1.0]
    distances = ((positions[None] - np.concatenate([centers, mirrored])[:, None]) ** 2).sum(axis=2)
    blobs = np.exp(-distances / (2 * BLOB_SD_MM**2))
    for row, name in enumerate(ROI_CENTERS_MM):
        if name in PLACES:
            place = PLACES[name]
            plateau = 0.5 ** ((distances[row] / place.radius_mm**2) ** 2)
            blobs[row] = place.strength * plateau * np.clip(1.0 - white, 0.0, 1.0)
    return np.asarray(blobs, dtype=np.float32)


def _draw_patterns(
    n_patterns: int,
    sd_voxels: float,
    voxels: np.ndarray,
    shape: tuple[int, int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw smooth random patterns with root mean square 1 over the voxels."""
    patterns = np.empty((n_patterns, len(voxels)), dtype=np.float32)
    for pattern in patterns:
        field = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sd_voxels)
        inside = field.ravel(order="F")[voxels]
        pattern[:] = inside / np.sqrt(np.mean(inside**2))
    return patterns


def _rim(brain: np.ndarray) -> np.ndarray:
    """Return how much a voxel belongs to the surface of the brain, 0..1."""
    return np.asarray(4.0 * brain * (1.0 - brain), dtype=np.float32)


def _is_far(positions: np.ndarray) -> np.ndarray:
    """Return 1 outside a box round the ventricles, 0 inside."""
    offsets = np.abs(positions - np.array([0.0, -12.0, 14.0]))
    return np.asarray((offsets >= np.array([24.0, 36.0, 24.0])).any(axis=1), dtype=np.float32)


def _find_core(likeness: np.ndarray, threshold: float) -> np.ndarray:
    """Return the voxels above the threshold, or the best 12 where a coarse grid has fewer."""
    lowest = np.partition(likeness, -12)[-12]
    return np.asarray(likeness >= min(threshold, lowest))


def _compute_positions(voxels: np.ndarray, shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    index = np.array(np.unravel_index(voxels, shape, order="F"), dtype=float)
    return np.asarray(index.T @ affine[:3, :3].T + affine[:3, 3])


def _pick(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    return np.asarray(values.ravel(order="F")[voxels], dtype=np.float32)
