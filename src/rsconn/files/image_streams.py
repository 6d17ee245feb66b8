"""Stream an image volume by volume: one thread decompresses ahead while the caller computes.

zlib-ng and isal release the interpreter lock, so reading and computing overlap; the memory is a few volumes,
whatever the length of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError
from rsconn.files.decompressors import find_decompressor
from rsconn.files.image_headers import ImageHeader

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
    if _is_compressed(header.path):
        return _stream_compressed(header)
    return _stream_plain(header)


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _stream_plain(header: ImageHeader) -> Iterator[NDArray[Any]]:
    volume_bytes = header.n_voxels * header.dtype.itemsize
    held = header.path.stat().st_size - header.data_offset
    if held < header.n_volumes * volume_bytes:
        raise _make_truncation_error(header, max(held, 0) // volume_bytes)
    _check_surplus(header, held - header.n_volumes * volume_bytes)
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
            file.read(header.data_offset)
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


def _fill(header: ImageHeader, file: Any, buffer: NDArray[Any], index: int) -> None:
    view = buffer.view(np.uint8)
    filled = 0
    while filled < view.size:
        count: int = file.readinto(view[filled:])
        if not count:
            raise _make_truncation_error(header, index)
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


def _make_truncation_error(header: ImageHeader, index: int) -> RunError:
    return RunError(
        f"{header.path}: the data end inside volume {index + 1} of {header.n_volumes}; fetch the file again"
    )


def _make_stream_error(header: ImageHeader, problem: Exception, index: int) -> RunError:
    if isinstance(problem, EOFError):
        return _make_truncation_error(header, index)
    where = f"volume {index + 1} of {header.n_volumes}"
    return RunError(f"{header.path}: corrupt at or before {where} ({problem}); fetch the file again")
