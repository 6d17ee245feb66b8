"""The door to a run's image, whichever kind it is: a volume with its brain mask, or a dense series.

In a dense series the brain models are the mask, and grayordinates stand in the place of voxels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.files.cifti import SERIES_ENDING, DenseHeader, read_dense_header, stream_dense
from rsconn.files.cifti_writing import write_dense_map
from rsconn.files.image_writing import write_map
from rsconn.files.images import ImageHeader, check_same_grid, read_header, read_mask, stream_volumes


def is_dense_series(path: Path | str | None) -> bool:
    """Say by the name whether a run's image is a dense series (CIFTI)."""
    return path is not None and str(path).endswith(SERIES_ENDING)


def read_run_header(path: Path) -> ImageHeader:
    """Read the header of a volume series or a dense series; errors as in `read_header` and `read_dense_header`."""
    return read_dense_header(path) if is_dense_series(path) else read_header(path)


def read_run_mask(path: Path | None, header: ImageHeader) -> NDArray[np.bool_]:
    """Return what is brain, flat (n_voxels,): the mask's voxels, or all grayordinates where there is no mask."""
    if isinstance(header, DenseHeader) or path is None:
        return np.ones(header.n_voxels, dtype=bool)
    return read_mask(path, header)


def check_run_mask(path: Path | None, header: ImageHeader) -> None:
    """Raise a RunError if the mask has another grid than the image; a dense series has no mask."""
    if path is not None and not isinstance(header, DenseHeader):
        check_same_grid(read_header(path), header)


def stream_run(header: ImageHeader) -> Iterator[NDArray[Any]]:
    """Yield every volume, or every time point of a dense series, as a flat array of the stored type.

    The array is a reused buffer, and the header's scaling is not applied: see `stream_volumes` and `stream_dense`.
    """
    return stream_dense(header) if isinstance(header, DenseHeader) else stream_volumes(header)


def identify_grid(header: ImageHeader) -> bytes:
    """Return what is equal for runs whose voxels, or grayordinates, are the same."""
    models = header.models.xml if isinstance(header, DenseHeader) else b""
    return repr(header.shape).encode() + header.affine.tobytes() + models


def get_map_ending(header: ImageHeader) -> str:
    """Return how the name of a map ends that is like the run's image."""
    return ".dscalar.nii" if isinstance(header, DenseHeader) else ".nii.gz"


def write_run_map(
    path: Path, values: NDArray[np.float32], voxels: NDArray[np.intp], header: ImageHeader, *, name: str
) -> None:
    """Write values (n,) at flat voxels or grayordinates, as an image of the run's kind; 0 elsewhere.

    Parameters
    ----------
    path : Path
        Where it goes; its ending is `get_map_ending`.
    values, voxels, header
        See `rsconn.files.image_writing.write_map`.
    name : str
        Of the map, which a dense file keeps.
    """
    if not isinstance(header, DenseHeader):
        write_map(path, values, voxels, header)
        return
    whole = np.zeros(header.n_voxels, np.float32)
    whole[voxels] = values
    write_dense_map(path, whole, name, header)
