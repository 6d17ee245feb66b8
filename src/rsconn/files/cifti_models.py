"""What the rows of a CIFTI-2 matrix are: vertices of surfaces and voxels of a volume, in brain models.

The XML inside a CIFTI file is parsed with the standard library: importing nibabel costs more than reading a run's
header. The meaning of elements and attributes is that of the CIFTI-2 standard (nitrc.org/projects/cifti).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rsconn.errors import RunError

_PREFIX = "CIFTI_STRUCTURE_"


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
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise RunError(f"{path}: its brain models cannot be used ({problem}); write the file again") from None
    return BrainModels(models, shape, affine, ET.tostring(element))


def _parse_volume(element: ET.Element | None) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    if element is None:
        return (0, 0, 0), np.eye(4)
    x, y, z = (int(size) for size in element.attrib["VolumeDimensions"].split(","))
    matrix = element.find("TransformationMatrixVoxelIndicesIJKtoXYZ")
    if matrix is None:
        raise ValueError("the volume has no matrix")
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
        limits = (model.n_vertices,) if model.is_surface else shape
        if model.offset != offset:
            raise ValueError(f"{model.structure} starts at grayordinate {model.offset}, not {offset}")
        if ((model.places < 0) | (model.places >= limits)).any():
            raise ValueError(f"{model.structure} has a grayordinate outside of its {limits}")
        offset += len(model.places)
    if offset != n_rows:
        raise ValueError(f"{offset} grayordinates, {n_rows} rows")
