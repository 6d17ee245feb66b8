"""Write files whole or not at all: a temporary name first, renamed when complete."""

from __future__ import annotations

import gzip
import json
import os
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import DatasetError, refuse_unreadable
from rsconn.files.cifti import DenseHeader
from rsconn.files.image_headers import ImageHeader

_NOTED: ContextVar[list[Path] | None] = ContextVar("noted", default=None)


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well.

    The temporary name keeps the extension, which some writers read. A reader never sees half a file, and a
    job that is killed leaves the old file in place.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
        if (noted := _NOTED.get()) is not None:
            noted.append(path)
    finally:
        temporary.unlink(missing_ok=True)


# Where each job keeps the list of what it wrote, below the results folder.
FILE_LISTS = Path("work") / "files"


@contextmanager
def keep_file_list(path: Path) -> Iterator[None]:
    """Write the names of all files that the block writes whole, once it has ended well.

    Snakemake knows a job by outputs that stand in its rule. What a job writes of single runs cannot stand there,
    since a run may fail without stopping the others; the list does. `forget_lost_files` holds it against the folder.

    Parameters
    ----------
    path : Path
        The list, JSON; the working directory is the results folder, to which names in it are relative.
    """
    noted: list[Path] = []
    token = _NOTED.set(noted)
    try:
        yield
    finally:
        _NOTED.reset(token)
    # a job may remove what it wrote before
    write_json(path, sorted({os.path.relpath(file) for file in noted if file.exists()}))


def forget_lost_files(folder: Path) -> list[Path]:
    """Remove the lists that name a file which is gone or empty, so that their jobs run again; return them.

    Parameters
    ----------
    folder : Path
        The results folder.
    """
    untrue = [
        path for path in sorted((folder / FILE_LISTS).rglob("[!.]*.json")) if not _is_true(path, folder)
    ]
    for path in untrue:
        path.unlink()
    return untrue


def _is_true(path: Path, folder: Path) -> bool:
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size for name in names)
    except (OSError, ValueError, TypeError):
        return False


_LEFTOVER = re.compile(r"\.\d+\..+")


def is_leftover(path: Path) -> bool:
    """Say whether a file is what a killed `replace_file` left behind."""
    return _LEFTOVER.fullmatch(path.name) is not None


def sweep_leftovers(folder: Path) -> int:
    """Remove what killed writers left in a results folder that nobody else writes to; return how many files."""
    hidden = folder / LOCK.parent
    leftovers = [path for path in folder.rglob(".[0-9]*") if is_leftover(path) and path.is_file()]
    mine = [path for path in leftovers if not path.is_relative_to(hidden)]
    for path in mine:
        path.unlink()
    return len(mine)


# What a run writes into its folder, beside a folder for each person.
_RESULTS = (
    "dataset_description.json", "report.html", "methods.md", "citations.bib", "provenance.json", ".bidsignore",
    "group", "figures", "work", "logs", "benchmarks",
)  # fmt: skip
LOCK = Path(".snakemake") / "rsconn.lock"


def check_results_folder(folder: Path, option: str) -> None:
    """Refuse a folder that cannot be written, or whose content a run would overwrite unless rsconn wrote it.

    What rsconn writes says so: in ``dataset_description.json``, and by the workflow's hidden folder from the
    first moment on.

    Raises
    ------
    DatasetError
        Naming the first file or folder that is in the way.
    """
    check_writable(folder, option)
    description = folder / "dataset_description.json"
    if description.exists():
        if not _is_ours(description):
            raise DatasetError(
                f"{description}: not written by rsconn, and a run would overwrite it; another folder needed ({option})"
            )
        return
    found = [folder / name for name in _RESULTS if (folder / name).exists()] or list(folder.glob("sub-*"))[:1]
    if found and not (folder / LOCK).parent.is_dir():
        raise DatasetError(
            f"{found[0]}: not written by rsconn, and a run would overwrite it; another folder needed ({option})"
        )


def _is_ours(description: Path) -> bool:
    try:
        makers = json.loads(description.read_text(encoding="utf-8"))["GeneratedBy"]
        return any(maker["Name"] == "rsconn" for maker in makers)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def can_be_written(folder: Path) -> bool:
    """Say whether files can be made in a folder, or the folder itself where it is not there yet."""
    parent = next((one for one in (folder, *folder.parents) if os.path.lexists(one)), folder)
    return parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)


def check_writable(folder: Path, option: str) -> None:
    """Check that results can be written into a folder that need not exist.

    Raises
    ------
    DatasetError
        If it, or a folder above it, is a file, a link that leads nowhere, or closed to writing.
    """
    if can_be_written(folder):
        return
    parent = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if parent.is_dir():
        found = "no permission to write there"
    elif parent.is_symlink() and not parent.exists():
        found = f"{parent} is a link that leads nowhere" if parent != folder else "a link that leads nowhere"
    else:
        found = f"{parent} is a file" if parent != folder else "a file"
    raise DatasetError(f"{folder}: {found}; a folder that can be written needed ({option})")


_ENOUGH_SPACE = 1 << 20


def check_space(folder: Path) -> None:
    """Check, once something failed, that files can still grow in a results folder.

    Raises
    ------
    SystemTroubleError
        If the disk is full, or files may not grow to a mebibyte (``ulimit -f``).
    """
    probe = folder / LOCK.parent / f".{os.getpid()}.probe"
    with refuse_unreadable(folder):
        try:
            probe.write_bytes(bytes(_ENOUGH_SPACE))
        finally:
            probe.unlink(missing_ok=True)


def check_new_files(paths: Iterable[Path], option: str, *, mark: Path | None = None) -> None:
    """Refuse to write over files, unless a file that only rsconn writes lies beside them.

    Parameters
    ----------
    paths : iterable of Path
        What will be written.
    option : str
        What on the command line named them.
    mark : Path, optional
        The file that tells rsconn's own from others'; it must hold the word ``rsconn`` in its first lines.

    Raises
    ------
    DatasetError
        Naming the first file that is there.
    """
    found = next((path for path in paths if path.exists()), None)
    if found is None or (mark is not None and _is_marked(mark)):
        return
    raise DatasetError(f"{found}: it exists already and is not overwritten; another name needed ({option})")


def _is_marked(mark: Path) -> bool:
    try:
        return b"rsconn" in mark.read_bytes()[:4096]
    except OSError:
        return False


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys and a final newline, so equal content gives equal bytes; NaN is refused."""
    write_text(
        path, json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    )


_FLOAT32, _MNI, _MILLIMETRES = 16, 4, 2
_DATA_OFFSET = 352
_LEVEL = 1  # noise does not compress: higher levels cost time for nothing


def write_map(
    path: Path,
    values: NDArray[np.float32],
    voxels: NDArray[np.intp],
    header: ImageHeader,
    *,
    space_code: int = _MNI,
) -> None:
    """Write values (n_voxels,) at flat voxel indices as a float32 image `.nii.gz`, 0 elsewhere.

    The grid is that of `header`. No time stamp is written, so that equal maps give equal bytes.
    """
    volume = np.zeros(header.n_voxels, "<f4")
    volume[voxels] = values
    content = _make_header(header, space_code) + volume.tobytes()
    with replace_file(path) as temporary:
        temporary.write_bytes(gzip.compress(content, _LEVEL, mtime=0))


def _make_header(header: ImageHeader, space_code: int) -> bytes:
    affine = header.affine
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    raw = bytearray(_DATA_OFFSET)
    struct.pack_into("<i", raw, 0, 348)
    struct.pack_into("<8h", raw, 40, 3, *header.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", raw, 70, _FLOAT32, 32)
    struct.pack_into("<8f", raw, 76, 1.0, *sizes, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", raw, 108, _DATA_OFFSET, 1.0, 0.0)
    struct.pack_into("<b", raw, 123, _MILLIMETRES)
    # The sform alone: a qform cannot hold a sheared affine.
    struct.pack_into("<2h", raw, 252, 0, space_code)
    struct.pack_into("<12f", raw, 280, *affine[:3].ravel())
    struct.pack_into("<4s", raw, 344, b"n+1\0")
    return bytes(raw)


_HEADER_BYTES, _FLOAT32, _DENSE_SCALAR, _CIFTI_CODE = 540, 16, 3006, 32


def write_dense_map(path: Path, values: NDArray[np.float32], name: str, header: DenseHeader) -> None:
    """Write one value per grayordinate (n,) as float32 ``*.dscalar.nii``.

    Parameters
    ----------
    path : Path
        Where it goes.
    values : ndarray of shape (n_grayordinates,), float32
        NaN where there is no value.
    name : str
        Of the map, inside the file.
    header : DenseHeader
        Of the series that the map was made from.
    """
    extension = _make_extension(_make_xml(name, header))
    offset = _HEADER_BYTES + len(extension)
    with replace_file(path) as temporary:
        temporary.write_bytes(
            _make_dense_header(header.n_voxels, offset) + extension + values.astype("<f4").tobytes()
        )


def _make_xml(name: str, header: DenseHeader) -> bytes:
    root = ET.Element("CIFTI", Version="2")
    matrix = ET.SubElement(root, "Matrix")
    along = ET.SubElement(
        matrix,
        "MatrixIndicesMap",
        AppliesToMatrixDimension="0",
        IndicesMapToDataType="CIFTI_INDEX_TYPE_SCALARS",
    )
    ET.SubElement(ET.SubElement(along, "NamedMap"), "MapName").text = name
    models = ET.fromstring(header.models.xml)  # noqa: S314 - made by parse_models, which had no entities
    models.set("AppliesToMatrixDimension", "1")
    matrix.append(models)
    content: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + content


def _make_extension(xml: bytes) -> bytes:
    size = -(-(len(xml) + 8) // 16) * 16  # the standard wants whole sixteens
    return struct.pack("<4b2i", 1, 0, 0, 0, size, _CIFTI_CODE) + xml.ljust(size - 8, b"\0")


def _make_dense_header(n_grayordinates: int, offset: int) -> bytes:
    raw = bytearray(_HEADER_BYTES)
    struct.pack_into("<i8s2h", raw, 0, _HEADER_BYTES, b"n+2\0\r\n\x1a\n", _FLOAT32, 32)
    struct.pack_into("<8q", raw, 16, 6, 1, 1, 1, 1, 1, n_grayordinates, 1)
    struct.pack_into("<8d", raw, 104, *[1.0] * 8)
    struct.pack_into("<q2d", raw, 168, offset, 1.0, 0.0)
    struct.pack_into("<i16s", raw, 504, _DENSE_SCALAR, b"ConnDenseScalar")
    return bytes(raw)
