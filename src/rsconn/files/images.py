"""Images: their header, their volumes one by one, and small ones (masks, atlases) as a whole.

Nothing here imports nibabel, so that the per-run path starts fast; nibabel is the oracle in the tests.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError, describe_unreadable
from rsconn.files.cifti import SERIES_ENDING, DenseHeader, read_dense_header, stream_dense
from rsconn.files.image_headers import ImageHeader, is_compressed, make_truncation_error, read_header
from rsconn.files.writing import write_dense_map, write_map
from rsconn.signal.grids import binarise_mask

__all__ = ["ImageHeader", "check_same_grid", "read_header", "read_image", "read_mask", "stream_volumes"]


def read_image(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read a small image whole: a mask, an atlas, a set of maps.

    Returns
    -------
    data : ndarray of shape (x, y, z) or (x, y, z, n_volumes), float64, Fortran order
        Image values, the header's scaling applied.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.

    Raises
    ------
    RunError
        The file is missing, no NIfTI image, truncated or corrupt.
    """
    header = read_header(path)
    data = np.empty((header.n_voxels, header.n_volumes), order="F")
    for index, volume in enumerate(stream_volumes(header)):
        data[:, index] = volume
    if (header.slope, header.intercept) != (1.0, 0.0):
        data *= header.slope
        data += header.intercept
    shape = header.shape if header.n_volumes == 1 else (*header.shape, header.n_volumes)
    return data.reshape(shape, order="F"), header.affine


def read_mask(path: Path, header: ImageHeader) -> NDArray[np.bool_]:
    """Read a run's brain mask as a flat bool array (n_voxels,) in file order; True = inside.

    Raises
    ------
    RunError
        The mask has another grid than the image, is not 3-D, is empty, or has other values than outside and inside.
    """
    mask_header = read_header(path)
    check_same_grid(mask_header, header)
    if mask_header.n_volumes != 1:
        raise RunError(f"{path}: a mask of {mask_header.n_volumes} volumes, one volume is needed")
    [mask] = [_find_inside(stored, mask_header) for stored in stream_volumes(mask_header)]
    if not mask.any():
        raise RunError(f"{path}: the mask is empty, no voxel is inside the brain")
    return mask


def _find_inside(stored: NDArray[Any], header: ImageHeader) -> NDArray[np.bool_]:
    """Return which voxels of a mask are inside; without a scaled copy of the volume where that is possible."""
    is_plain = header.intercept == 0 and header.slope > 0
    try:
        return binarise_mask(
            stored if is_plain else header.slope * stored.astype(np.float64) + header.intercept
        )
    except ValueError as problem:
        raise RunError(
            f"{header.path}: a brain mask is 0 outside and one value inside, this one {problem}; "
            "write it anew as 0 and 1"
        ) from None


def check_same_grid(one: ImageHeader, other: ImageHeader) -> None:
    """Raise a RunError unless two images have one grid: equal shape, corners within a tenth of a voxel."""
    if one.shape != other.shape:
        raise RunError(
            f"{one.path}: {one.shape} voxels, but {other.path.name} has {other.shape}; one grid is needed"
        )
    corners = np.array(
        [[x, y, z, 1] for x in (0, one.shape[0]) for y in (0, one.shape[1]) for z in (0, one.shape[2])]
    )
    apart = np.linalg.norm((one.affine - other.affine)[:3] @ corners.T, axis=0).max()
    if apart > 0.1 * np.linalg.norm(other.affine[:3, :3], axis=0).min():
        raise RunError(
            f"{one.path}: its voxels lie {apart:.1f} mm off those of {other.path.name}; one grid is needed"
        )


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
        See `rsconn.files.writing.write_map`.
    name : str
        Of the map, which a dense file keeps.
    """
    if not isinstance(header, DenseHeader):
        write_map(path, values, voxels, header)
        return
    whole = np.zeros(header.n_voxels, np.float32)
    whole[voxels] = values
    write_dense_map(path, whole, name, header)


_N_BUFFERS = 3  # one being filled, one being used, one ready


def stream_volumes(header: ImageHeader) -> Iterator[NDArray[Any]]:
    """Yield every volume as a flat array (n_voxels,) of the stored type, in file order (x fastest).

    The array is a reused buffer: it is overwritten after the next step of the iteration. The scaling of the
    header is not applied. A compressed file is read to its end, so its checksum is verified.

    Raises
    ------
    RunError
        The data end early, are corrupt, or go on for a volume or more after the last announced one.
    """
    if is_compressed(header.path):
        return _stream_compressed(header)
    return _stream_plain(header)


def ends_as_announced(header: ImageHeader) -> bool:
    """Say whether a file is as long as its header announces, without decompressing it.

    A gzip file states its length in its last four bytes; where it has several parts, or zeros after its end, these say
    nothing, and False asks for reading it through.

    Raises
    ------
    RunError
        An uncompressed file ends early, or goes on for a volume or more.
    """
    if isinstance(header, DenseHeader):  # looked at with its header
        return True
    if not is_compressed(header.path):
        _check_plain_size(header)
        return True
    with header.path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        stated = int.from_bytes(file.read(4), "little")
    volume_bytes = header.n_voxels * header.dtype.itemsize
    return (stated - header.data_offset - header.n_volumes * volume_bytes) % (1 << 32) < volume_bytes


def read_fingerprint(header: ImageHeader) -> tuple[int, bytes] | None:
    """Return the size of a gzip file with the checksum and length that end it: the same for copies; None for others."""
    if isinstance(header, DenseHeader) or not is_compressed(header.path):
        return None
    with header.path.open("rb") as file:
        size = file.seek(-8, os.SEEK_END)
        return size, file.read(8)


def _check_plain_size(header: ImageHeader) -> None:
    volume_bytes = header.n_voxels * header.dtype.itemsize
    held = header.path.stat().st_size - header.data_offset
    if held < header.n_volumes * volume_bytes:
        raise make_truncation_error(header, max(held, 0) // volume_bytes)
    _check_surplus(header, held - header.n_volumes * volume_bytes)


def _stream_plain(header: ImageHeader) -> Iterator[NDArray[Any]]:
    volume_bytes = header.n_voxels * header.dtype.itemsize
    _check_plain_size(header)
    for index in range(header.n_volumes):  # a mapping per volume: the pages read so far are let go
        yield np.memmap(
            header.path, header.dtype, "r", header.data_offset + index * volume_bytes, (header.n_voxels,)
        )


def _stream_compressed(header: ImageHeader) -> Iterator[NDArray[Any]]:
    free: SimpleQueue[NDArray[Any] | None] = SimpleQueue()
    full: SimpleQueue[NDArray[Any] | Exception | None] = SimpleQueue()
    for _ in range(_N_BUFFERS):
        free.put(np.empty(header.n_voxels, header.dtype))
    reader = Thread(target=_fill_buffers, args=(header, free, full), daemon=True)
    reader.start()
    try:
        while (item := full.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
            free.put(item)
    finally:
        free.put(None)
        reader.join()


def _fill_buffers(
    header: ImageHeader,
    free: SimpleQueue[NDArray[Any] | None],
    full: SimpleQueue[NDArray[Any] | Exception | None],
) -> None:
    """Decompress into free buffers until the end, an error, or None for a buffer (the caller has left)."""
    decompressor = find_decompressor(header.path)
    index = 0
    try:
        with decompressor.open(header.path, "rb") as file:
            _skip(file, header.data_offset)
            for index in range(header.n_volumes):
                if (buffer := free.get()) is None:
                    return
                _fill(header, file, buffer, index)
                full.put(buffer)
            _check_surplus(header, _count_surplus(header, file))
        full.put(None)
    except (EOFError, OSError, decompressor.error) as problem:
        full.put(_make_stream_error(header, problem, index))
    except Exception as problem:  # noqa: BLE001  raised again in the caller's thread
        full.put(problem)


def _skip(file: Any, n_bytes: int) -> None:
    while n_bytes > 0 and (chunk := file.read(min(n_bytes, 1 << 20))):
        n_bytes -= len(chunk)


def _fill(header: ImageHeader, file: Any, buffer: NDArray[Any], index: int) -> None:
    view = buffer.view(np.uint8)
    filled = 0
    while filled < view.size:
        count: int = file.readinto(view[filled:])
        if not count:
            raise make_truncation_error(header, index)
        filled += count


def _count_surplus(header: ImageHeader, file: Any) -> int:
    """Read on for at most a volume: the checksum is verified only at the end of the stream."""
    volume_bytes = header.n_voxels * header.dtype.itemsize
    surplus = 0
    while surplus < volume_bytes and (chunk := file.read(1 << 20)):
        surplus += len(chunk)
    return surplus


def _check_surplus(header: ImageHeader, n_bytes: int) -> None:
    if n_bytes >= header.n_voxels * header.dtype.itemsize:
        raise RunError(
            f"{header.path}: the header announces {header.n_volumes} volumes, the file holds more; mend it"
        )


def _make_stream_error(header: ImageHeader, problem: Exception, index: int) -> RunError:
    if isinstance(problem, EOFError):
        return make_truncation_error(header, index)
    if getattr(problem, "errno", None):  # the system's, not the decompressor's
        return RunError(describe_unreadable(header.path, problem))
    where = f"volume {index + 1} of {header.n_volumes}"
    return RunError(f"{header.path}: corrupt at or before {where} ({problem}); fetch the file again")


_RACE_BYTES = 1 << 20
_WORTH_A_RACE = 32 << 20


@dataclass(frozen=True)
class Decompressor:
    """A gzip implementation.

    Attributes
    ----------
    name : str
        `isal`, `zlib-ng` or `zlib`.
    open : callable
        Takes a path and a mode, as `gzip.open`.
    error : type
        What it raises for corrupt data, besides `EOFError` and `OSError`.
    """

    name: str
    open: Callable[..., Any]
    error: type[Exception]


@cache
def list_decompressors() -> tuple[Decompressor, ...]:
    """Return the installed gzip readers; the standard library's only if there is no faster one."""
    found = []
    try:
        from isal import igzip, isal_zlib
    except ImportError:
        pass
    else:
        found.append(Decompressor("isal", igzip.open, isal_zlib.error))  # type: ignore[arg-type]  # a stub says instance
    try:
        from zlib_ng import gzip_ng, zlib_ng
    except ImportError:
        pass
    else:
        found.append(Decompressor("zlib-ng", gzip_ng.open, zlib_ng.error))  # type: ignore[arg-type]
    return tuple(found) or (Decompressor("zlib", gzip.open, zlib.error),)


def find_decompressor(path: Path) -> Decompressor:
    """Return the reader to use for `path`: for a large file the winner of a race over its start."""
    installed = list_decompressors()
    if len(installed) == 1 or path.stat().st_size < _WORTH_A_RACE:
        return installed[0]
    return min(installed, key=lambda one: min(_time_reading(one, path) for _ in range(2)))


def _time_reading(decompressor: Decompressor, path: Path) -> float:
    buffer = bytearray(_RACE_BYTES)
    start = perf_counter()
    try:
        with decompressor.open(path, "rb") as file:
            file.readinto(buffer)
    except (EOFError, OSError, decompressor.error):
        return 0.0  # the reading proper will tell where and why
    return perf_counter() - start
