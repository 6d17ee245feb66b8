"""Named points of the brain, by which peaks and the crosshair are named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def read_landmarks() -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the 160 names and centres (n, 3), MNI mm, of Dosenbach et al. (2010), which nilearn carries.

    References
    ----------
    Dosenbach et al. (2010), Science 329:1358-1361.
    """
    from nilearn.datasets import fetch_coords_dosenbach_2010

    found = fetch_coords_dosenbach_2010()
    centers = np.column_stack([np.asarray(found.rois[axis], dtype=float) for axis in "xyz"])
    return tuple(str(label) for label in found.labels), centers
