"""What the tests of file readers share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, LabelAxis, ScalarAxis, SeriesAxis


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20220401)


VOLUME_AFFINE = np.array([[-4.0, 0, 0, 20], [0, 4, 0, -24], [0, 0, 4, -16], [0, 0, 0, 1]])


@dataclass
class DenseFiles:
    """A small dense series and what its grayordinates are, written with nibabel: two cortices and two nuclei."""

    folder: Path
    n_vertices: int = 300

    def __post_init__(self):
        rng = np.random.default_rng(3)
        self.vertices = {}
        for side, x in (("left", -40), ("right", 40)):
            directions = rng.normal(size=(self.n_vertices, 3))
            directions /= np.linalg.norm(directions, axis=1)[:, None]
            self.vertices[side] = (directions * 25 + [x, 0, 0]).astype(np.float32)
        # without a medial wall: every seventh vertex
        self.cortex = np.arange(self.n_vertices) % 7 != 0
        self.left = BrainModelAxis.from_mask(self.cortex, name="CORTEX_LEFT")
        self.right = BrainModelAxis.from_mask(self.cortex, name="CORTEX_RIGHT")
        volume = np.zeros((10, 12, 8), int)
        volume[2:4, 3:9, 2:6], volume[6:8, 3:9, 2:6] = 1, 2
        self.volume = volume
        self.nuclei = self.make_nucleus(1, "THALAMUS_LEFT") + self.make_nucleus(2, "THALAMUS_RIGHT")
        self.models = self.left + self.right + self.nuclei

    def make_nucleus(self, number, name, affine=VOLUME_AFFINE):
        return BrainModelAxis.from_mask(self.volume == number, name=name, affine=affine)

    def save(self, name, data, along, models=None, dtype=np.float32):
        path = self.folder / name
        header = (along, self.models if models is None else models)
        image = nib.Cifti2Image(np.asarray(data), header=header)
        image.set_data_dtype(dtype)
        nib.save(image, path)
        return path

    def save_series(self, name="run_bold.dtseries.nii", *, n=11, t_r=0.72, models=None, dtype=np.float32):
        models = self.models if models is None else models
        data = np.random.default_rng(n).normal(900, 40, (n, len(models)))
        return self.save(name, data.astype(np.float32), SeriesAxis(0, t_r, n), models, dtype)

    def save_scalars(self, name, maps, models=None):
        names = [f"map {number}" for number in range(len(maps))]
        return self.save(name, np.asarray(maps, np.float32), ScalarAxis(names), models)

    def save_labels(self, name, keys, table, models=None):
        colours = {key: (text, (1.0, 0.0, 0.0, 1.0)) for key, text in table.items()}
        return self.save(
            name, np.atleast_2d(keys).astype(np.float32), LabelAxis(["atlas"], [colours]), models
        )

    def save_surfaces(self, encoding="GIFTI_ENCODING_B64GZ", endian="GIFTI_ENDIAN_LITTLE"):
        files = {}
        for side, points in self.vertices.items():
            faces = np.array([[0, 1, 2]], np.int32)
            arrays = [
                nib.gifti.GiftiDataArray(data, intent=intent, encoding=encoding, endian=endian)
                for data, intent in ((faces, "NIFTI_INTENT_TRIANGLE"), (points, "NIFTI_INTENT_POINTSET"))
            ]
            files[side] = str(self.folder / f"{side}.surf.gii")
            nib.save(nib.GiftiImage(darrays=arrays), files[side])
        return files


@pytest.fixture
def dense(tmp_path) -> DenseFiles:
    """Small CIFTI files."""
    return DenseFiles(tmp_path)
