"""Read CIFTI-2 files: dense series time point by time point, dense scalars and labels map by map.

In such a file (NIfTI-2 with an XML extension) all time points of a grayordinate lie side by side, not all
grayordinates of a time point. So the reader gathers a block of time points at once, and reads the file once per block:
its memory is that of the block, whatever the length of the run. Nothing here imports nibabel.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError
from rsconn.files.image_headers import (
    LARGEST_VOLUME,
    ImageHeader,
    check_affine,
    parse_dtype,
    parse_scaling,
)

SERIES_ENDING = ".dtseries.nii"
_DENSE_ENDINGS = (SERIES_ENDING, ".dscalar.nii", ".dlabel.nii")
_HEADER_BYTES, _CIFTI_CODE = 540, 32
_BLOCK_BYTES, _CHUNK_BYTES = 16 << 20, 1 << 20
_SECONDS = {"SECOND": 1.0}


@dataclass(frozen=True)
class DenseHeader(ImageHeader):
    """Header of a dense file: grayordinates in the place of voxels.

    `shape` is (n_grayordinates, 1, 1), `n_volumes` the time points or maps, and `affine` that of the volume that the
    file's voxels are in.

    Attributes
    ----------
    models : BrainModels
        What the grayordinates are.
    map_names : tuple of str
        Names of scalar or label maps; empty for a series.
    labels : tuple of dict
        For each label map, name to key, names that occur more than once with all of their keys.
    """

    models: BrainModels
    map_names: tuple[str, ...] = ()
    labels: tuple[dict[str, tuple[int, ...]], ...] = ()


def is_dense(path: Path | str) -> bool:
    """Say by the name whether a file is a dense CIFTI file: ``.dtseries.nii``, ``.dscalar.nii`` or ``.dlabel.nii``."""
    return str(path).endswith(_DENSE_ENDINGS)


def read_dense_header(path: Path) -> DenseHeader:
    """Read the header of a dense series, of dense scalars or of dense labels.

    Raises
    ------
    RunError
        The file is missing, is no CIFTI-2 file, has other dimensions than (time or maps) x grayordinates, is too
        small for what its header announces, or its brain models cannot be used.
    """
    raw, order, offset, xml = _read_start(path)
    columns, rows = _parse_dimensions(path, raw, order)
    along, models = _parse_matrix(path, xml, rows)
    [datatype] = struct.unpack_from(order + "h", raw, 12)
    slope, intercept = parse_scaling(path, *struct.unpack_from(order + "2d", raw, 176))
    names, labels = _parse_maps(path, along)
    header = DenseHeader(
        path=path,
        shape=(rows, 1, 1),
        n_volumes=columns,
        dtype=parse_dtype(path, datatype, order),
        slope=slope,
        intercept=intercept,
        affine=check_affine(path, "volume's", models.affine),
        t_r=_parse_t_r(along),
        data_offset=offset,
        models=models,
        map_names=names,
        labels=labels,
    )
    _check_size(header)
    return header


def _read_start(path: Path) -> tuple[bytes, str, int, bytes]:
    """Return the NIfTI-2 header, its byte order, where the data start, and the XML."""
    try:
        with path.open("rb") as file:
            raw = file.read(_HEADER_BYTES)
            order = _find_order(path, raw)
            [offset] = struct.unpack_from(order + "q", raw, 168)
            if not _HEADER_BYTES < offset <= path.stat().st_size:
                raise RunError(
                    f"{path}: vox_offset is {offset}, the data lie between byte {_HEADER_BYTES} and the end of the "
                    "file; mend the header"
                )
            return raw, order, offset, _read_xml(path, file.read(max(offset - _HEADER_BYTES, 0)), order)
    except FileNotFoundError:
        raise RunError(f"{path}: no such image file") from None
    except OSError as problem:
        raise RunError(f"{path}: the header cannot be read ({problem}); fetch the file again") from None


def _find_order(path: Path, raw: bytes) -> str:
    for order in "<>":
        if len(raw) == _HEADER_BYTES and struct.unpack_from(order + "i", raw)[0] == _HEADER_BYTES:
            return order
    raise RunError(f"{path}: not a CIFTI-2 file (NIfTI-2, uncompressed), or cut off inside its header")


def _read_xml(path: Path, extensions: bytes, order: str) -> bytes:
    start = 4
    while start + 8 <= len(extensions):
        size, code = struct.unpack_from(order + "2i", extensions, start)
        if code == _CIFTI_CODE:
            return extensions[start + 8 : start + size].rstrip(b"\0")
        start += max(size, 8)
    raise RunError(f"{path}: no CIFTI extension, so its rows have no places; a CIFTI-2 file is needed")


def _parse_dimensions(path: Path, raw: bytes, order: str) -> tuple[int, int]:
    dim = struct.unpack_from(order + "8q", raw, 16)
    if dim[0] != 6 or dim[1:5] != (1, 1, 1, 1) or min(dim[5:7]) < 1:
        raise RunError(f"{path}: header dimensions {list(dim)} describe no CIFTI matrix of two dimensions")
    return int(dim[5]), int(dim[6])


def _parse_matrix(path: Path, xml: bytes, rows: int) -> tuple[ET.Element, BrainModels]:
    """Return what the columns are (a series, scalars or labels), and the models of the rows."""
    if b"<!DOCTYPE" in xml:  # which could declare entities that expand without end
        raise RunError(f"{path}: a document type inside its XML, CIFTI has none")
    try:
        root = ET.fromstring(xml)  # noqa: S314 - no entities, see above
    except (ET.ParseError, LookupError, ValueError) as problem:  # an encoding that is none is a LookupError
        raise RunError(f"{path}: its XML cannot be read ({problem}); fetch the file again") from None
    of_dimension = {
        number: element
        for element in root.iter("MatrixIndicesMap")
        for number in element.attrib.get("AppliesToMatrixDimension", "").split(",")
    }
    along, models = of_dimension.get("0"), of_dimension.get("1")
    if along is None or models is None or not _get_type(models).endswith("BRAIN_MODELS"):
        found = " x ".join(_get_type(element) for element in (along, models))
        raise RunError(
            f"{path}: a matrix of {found}, one of SERIES, SCALARS or LABELS x BRAIN_MODELS is needed"
        )
    return along, parse_models(models, rows, path)


def _get_type(element: ET.Element | None) -> str:
    text = "" if element is None else element.attrib.get("IndicesMapToDataType", "")
    return text.removeprefix("CIFTI_INDEX_TYPE_") or "nothing"


def _parse_t_r(along: ET.Element) -> float:
    facts = along.attrib
    try:
        scale = _SECONDS.get(facts.get("SeriesUnit", ""), math.nan) * 10.0 ** int(
            facts.get("SeriesExponent", 0)
        )
        return scale * float(facts["SeriesStep"])
    except (ArithmeticError, KeyError, ValueError):
        return math.nan


def _parse_maps(
    path: Path, along: ET.Element
) -> tuple[tuple[str, ...], tuple[dict[str, tuple[int, ...]], ...]]:
    maps = along.findall("NamedMap")
    tables = [element.find("LabelTable") for element in maps]
    try:
        labels = tuple(_parse_labels(table) for table in tables if table is not None)
    except (KeyError, ValueError) as problem:
        raise RunError(
            f"{path}: a label without a whole number for its Key ({problem}); write the file again"
        ) from None
    return tuple(element.findtext("MapName") or "" for element in maps), labels


def _parse_labels(table: ET.Element) -> dict[str, tuple[int, ...]]:
    keys: dict[str, tuple[int, ...]] = {}
    for label in table.findall("Label"):
        name = label.text or ""
        keys[name] = (*keys.get(name, ()), int(label.attrib["Key"]))
    return keys


def stream_dense(header: DenseHeader) -> Iterator[NDArray[Any]]:
    """Yield every time point (or map) as a flat array (n_grayordinates,) of the stored type.

    The array is a reused buffer: it is overwritten after some further steps of the iteration. The scaling of the
    header is not applied.

    Raises
    ------
    RunError
        The data end early.
    """
    _check_size(header)
    point_bytes = header.n_voxels * header.dtype.itemsize
    length = min(max(_BLOCK_BYTES // point_bytes, 1), header.n_volumes)
    block = np.empty((length, header.n_voxels), header.dtype)
    for start in range(0, header.n_volumes, length):
        filled = block[: header.n_volumes - start]
        _gather(header, start, filled)
        yield from filled


def _gather(header: DenseHeader, start: int, block: NDArray[Any]) -> None:
    """Fill (n_points, n_grayordinates) with the time points from `start` on; reads the file in chunks."""
    row_bytes = header.n_volumes * header.dtype.itemsize
    n_rows = max(_CHUNK_BYTES // row_bytes, 1)
    chunk = np.empty((n_rows, header.n_volumes), header.dtype)
    with header.path.open("rb", buffering=0) as file:
        file.seek(header.data_offset)
        for first in range(0, header.n_voxels, n_rows):
            rows = chunk[: header.n_voxels - first]
            _fill(header, file, rows)
            block[:, first : first + len(rows)] = rows[:, start : start + len(block)].T


def _fill(header: DenseHeader, file: Any, rows: NDArray[Any]) -> None:
    view = rows.reshape(-1).view(np.uint8)
    filled = 0
    while filled < view.size:
        count = file.readinto(view[filled:])
        if not count:
            raise _make_truncation_error(header)
        filled += count


def _check_size(header: DenseHeader) -> None:
    needed = header.n_voxels * header.n_volumes * header.dtype.itemsize
    held = header.path.stat().st_size - header.data_offset
    if held < needed:
        raise _make_truncation_error(header)
    if held >= needed + header.n_volumes * header.dtype.itemsize:
        raise RunError(
            f"{header.path}: the header announces {header.n_voxels} grayordinates, the file holds more; mend it"
        )


def _make_truncation_error(header: DenseHeader) -> RunError:
    row_bytes = header.n_volumes * header.dtype.itemsize
    held = max(header.path.stat().st_size - header.data_offset, 0)
    return RunError(
        f"{header.path}: the data end inside grayordinate {held // row_bytes + 1} of {header.n_voxels}; "
        "fetch the file again"
    )


_PREFIX = "CIFTI_STRUCTURE_"
# Sixty times the surfaces of the finest template (fsaverage, 164 thousand).
_MOST_VERTICES = 10_000_000


@dataclass(frozen=True, eq=False)
class BrainModel:
    """One structure's share of the grayordinates.

    Attributes
    ----------
    structure : str
        Without its prefix, such as ``CORTEX_LEFT``.
    offset : int
        Number of its first grayordinate.
    n_vertices : int
        Vertices of the whole surface; 0 for voxels.
    places : ndarray of int
        Vertex numbers (n,), or voxel indices (n, 3).
    """

    structure: str
    offset: int
    n_vertices: int
    places: NDArray[np.intp]

    @property
    def is_surface(self) -> bool:
        """Whether its grayordinates are vertices."""
        return self.n_vertices > 0

    @property
    def grayordinates(self) -> NDArray[np.intp]:
        """Numbers of its grayordinates, shape (n,)."""
        return np.arange(self.offset, self.offset + len(self.places))


@dataclass(frozen=True, eq=False)
class BrainModels:
    """All grayordinates of a file.

    Attributes
    ----------
    models : tuple of BrainModel
        In the file's order.
    shape : tuple of int
        Voxels of the volume along x, y, z; (0, 0, 0) if the file has none.
    affine : ndarray of shape (4, 4)
        Voxel indices to millimetres.
    xml : bytes
        The element as the file has it, which says the same in a map that is written.
    """

    models: tuple[BrainModel, ...]
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    xml: bytes

    @property
    def n_grayordinates(self) -> int:
        """Rows of the matrix."""
        return sum(len(model.places) for model in self.models)

    @property
    def surfaces(self) -> tuple[BrainModel, ...]:
        """The models of vertices."""
        return tuple(model for model in self.models if model.is_surface)

    @property
    def volumes(self) -> tuple[BrainModel, ...]:
        """The models of voxels."""
        return tuple(model for model in self.models if not model.is_surface)

    def map_voxels(self) -> NDArray[np.intp]:
        """Return the grayordinate of every voxel of the volume, flat with x fastest; -1 where there is none."""
        numbers = np.full(int(np.prod(self.shape)), -1, dtype=np.intp)
        for model in self.volumes:
            numbers[np.ravel_multi_index(tuple(model.places.T), self.shape, order="F")] = model.grayordinates
        return numbers

    def find(self, other: BrainModels) -> NDArray[np.intp]:
        """Return the number here of each grayordinate of another file (n_other,); -1 where this file lacks it.

        Raises
        ------
        ValueError
            A surface has another number of vertices there, or the voxels another grid.
        """
        found = np.full(other.n_grayordinates, -1, dtype=np.intp)
        for model in other.surfaces:
            found[model.grayordinates] = self._map_vertices(model)[model.places]
        if self.volumes and other.volumes:
            _check_volume(self, other)
            numbers = self.map_voxels()
            for model in other.volumes:
                places = np.ravel_multi_index(tuple(model.places.T), self.shape, order="F")
                found[model.grayordinates] = numbers[places]
        return found

    def _map_vertices(self, model: BrainModel) -> NDArray[np.intp]:
        """Return the grayordinate of every vertex of the same surface here; -1 where there is none."""
        numbers = np.full(model.n_vertices, -1, dtype=np.intp)
        for own in self.surfaces:
            if own.structure != model.structure:
                continue
            if own.n_vertices != model.n_vertices:
                raise ValueError(
                    f"{model.structure} has {model.n_vertices} vertices, the series {own.n_vertices}; "
                    "files of one surface density (den-) are needed"
                )
            numbers[own.places] = own.grayordinates
        return numbers


def _check_volume(one: BrainModels, other: BrainModels) -> None:
    if one.shape != other.shape or not np.allclose(one.affine, other.affine, rtol=0, atol=1e-3):
        raise ValueError(
            f"its voxels lie on another grid ({other.shape}) than those of the series ({one.shape}); "
            "one grid is needed"
        )


def parse_models(element: ET.Element, n_rows: int, path: Path) -> BrainModels:
    """Return the brain models of a ``MatrixIndicesMap``.

    Parameters
    ----------
    element : Element
        Of type ``CIFTI_INDEX_TYPE_BRAIN_MODELS``.
    n_rows : int
        Rows that the header announces.
    path : Path
        The file, for messages.

    Raises
    ------
    RunError
        The models contradict each other or the header.
    """
    try:
        shape, affine = _parse_volume(element.find("Volume"))
        models = tuple(_parse_model(child) for child in element.findall("BrainModel"))
        _check_models(models, shape, n_rows)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as problem:
        raise RunError(f"{path}: its brain models cannot be used ({problem}); write the file again") from None
    return BrainModels(models, shape, affine, ET.tostring(element))


def _parse_volume(element: ET.Element | None) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    if element is None:
        return (0, 0, 0), np.eye(4)
    x, y, z = (int(size) for size in element.attrib["VolumeDimensions"].split(","))
    matrix = element.find("TransformationMatrixVoxelIndicesIJKtoXYZ")
    if matrix is None:
        raise ValueError("the volume has no matrix")
    if min(x, y, z) < 1 or x * y * z > LARGEST_VOLUME:
        raise ValueError(f"a volume of {x} x {y} x {z} voxels")
    affine = np.array((matrix.text or "").split(), dtype=np.float64).reshape(4, 4)
    # millimetres: a matrix in metres has exponent 0
    affine[:3] *= 10.0 ** (int(matrix.attrib.get("MeterExponent", "-3")) + 3)
    return (x, y, z), affine


def _parse_model(element: ET.Element) -> BrainModel:
    facts = element.attrib
    is_surface = facts["ModelType"] == "CIFTI_MODEL_TYPE_SURFACE"
    places = _parse_numbers(element.find("VertexIndices" if is_surface else "VoxelIndicesIJK"))
    model = BrainModel(
        structure=facts["BrainStructure"].removeprefix(_PREFIX),
        offset=int(facts["IndexOffset"]),
        n_vertices=int(facts["SurfaceNumberOfVertices"]) if is_surface else 0,
        places=places if is_surface else places.reshape(-1, 3),
    )
    if len(model.places) != int(facts["IndexCount"]):
        raise ValueError(
            f"{model.structure} lists {len(model.places)} of {facts['IndexCount']} grayordinates"
        )
    return model


def _parse_numbers(element: ET.Element | None) -> NDArray[np.intp]:
    if element is None:
        raise ValueError("a brain model lists no vertices or voxels")
    return np.array((element.text or "").split(), dtype=np.intp)


def _check_models(models: Iterable[BrainModel], shape: tuple[int, int, int], n_rows: int) -> None:
    offset = 0
    for model in models:
        if model.n_vertices > _MOST_VERTICES:
            raise ValueError(f"{model.structure} has a surface of {model.n_vertices} vertices")
        limits = (model.n_vertices,) if model.is_surface else shape
        if model.offset != offset:
            raise ValueError(f"{model.structure} starts at grayordinate {model.offset}, not {offset}")
        if ((model.places < 0) | (model.places >= limits)).any():
            raise ValueError(f"{model.structure} has a grayordinate outside of its {limits}")
        offset += len(model.places)
    if offset != n_rows:
        raise ValueError(f"{offset} grayordinates, {n_rows} rows")


_DTYPES = {"NIFTI_TYPE_FLOAT32": "f4", "NIFTI_TYPE_FLOAT64": "f8"}


def read_vertices(path: Path) -> NDArray[np.float64]:
    """Return the coordinates (n_vertices, 3) of a surface, mm.

    Raises
    ------
    RunError
        The file is missing, no GIFTI surface, or stored in a way that is not read here.
    """
    try:
        return _read_points(_parse(path.read_bytes()))
    except FileNotFoundError:
        raise RunError(f"{path}: no such surface file") from None
    except (ET.ParseError, LookupError, OSError, ValueError, binascii.Error, zlib.error) as problem:
        raise RunError(f"{path}: no surface that can be read ({problem}); a *.surf.gii is needed") from None


def _parse(content: bytes) -> ET.Element:
    # the document type of GIFTI declares no entities; ones that expand without end would
    if b"<!ENTITY" in content:
        raise ValueError("entities inside its XML, GIFTI has none")
    return ET.fromstring(content)  # noqa: S314 - no entities, see above


def _read_points(root: ET.Element) -> NDArray[np.float64]:
    for array in root.iter("DataArray"):
        if array.attrib.get("Intent") == "NIFTI_INTENT_POINTSET":
            return _decode(array)
    raise ValueError("it has no array of points")


def _decode(array: ET.Element) -> NDArray[np.float64]:
    facts = array.attrib
    text, encoding = array.findtext("Data") or "", facts["Encoding"]
    columns_first = facts.get("ArrayIndexingOrder") == "ColumnMajorOrder"
    n_points = int(facts["Dim0"])
    if not 0 < n_points <= _MOST_VERTICES:
        raise ValueError(f"{n_points} vertices")
    if encoding == "ASCII":
        values = np.array(text.split(), dtype=np.float64)
    else:
        byte_order = "<" if facts["Endian"] == "LittleEndian" else ">"
        dtype = np.dtype(byte_order + _DTYPES[facts["DataType"]])
        raw = _decode_binary(text, encoding, n_points * 3 * dtype.itemsize)
        values = np.frombuffer(raw, dtype).astype(np.float64)
    points = values.reshape((n_points, 3), order="F" if columns_first else "C")
    if not np.isfinite(points).all():
        raise ValueError("a vertex lies at NaN or infinity")
    return np.ascontiguousarray(points)


def _decode_binary(text: str, encoding: str, n_bytes: int) -> bytes:
    """Return at most a byte more than announced, however much the text would unpack to."""
    raw = base64.b64decode(text)
    if encoding == "GZipBase64Binary":
        return zlib.decompressobj().decompress(raw, n_bytes + 1)
    if encoding != "Base64Binary":
        raise ValueError(f"encoding {encoding}")
    return raw
