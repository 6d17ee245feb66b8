"""Small CIFTI and GIFTI files, written with nibabel: for the tests, and for docs/make_inputs.py."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, LabelAxis, ScalarAxis, SeriesAxis

VOLUME_AFFINE = np.array([[-4.0, 0, 0, 20], [0, 4, 0, -24], [0, 0, 4, -16], [0, 0, 0, 1]])


class DenseFiles:
    """A small dense series and what its grayordinates are: two cortices and two nuclei."""

    n_vertices = 300

    def __init__(self, folder: Path):
        self.folder = folder
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

    def make_examples(self):
        """Return regions of every kind, and some that cannot be, by what they are; docs/inputs.md shows them."""
        whole, box = np.ones(self.n_vertices, bool), np.zeros((10, 12, 8), np.uint8)
        cortex = BrainModelAxis.from_mask(whole, name="CORTEX_LEFT")
        cortex = cortex + BrainModelAxis.from_mask(whole, name="CORTEX_RIGHT")
        fine = BrainModelAxis.from_mask(np.ones(2 * self.n_vertices, bool), name="CORTEX_LEFT")
        box[0:5, 4:7, 3:5] = 1
        nib.save(nib.Nifti1Image(box, VOLUME_AFFINE), self.folder / "box.nii.gz")
        keys, n = np.arange(len(self.models)) % 4, len(self.models)
        atlas = self.save_labels(
            "atlas.dlabel.nii", keys, {0: "???", 1: "L_V1", 2: "L_V2", 3: "twice", 4: "twice"}
        )
        of_cortex = self.save_labels("cortex.dlabel.nii", np.arange(600) < 100, {0: "???", 1: "L_V1"}, cortex)
        of_fine = self.save_labels("fine.dlabel.nii", np.ones(600), {1: "L_V1"}, fine)
        mask, surfaces = self.save_scalars("mask.dscalar.nii", [keys == 1]), self.save_surfaces()
        maps = self.save_scalars("maps.dscalar.nii", [keys, np.linspace(-1, 1, n)])
        on_cortex = {"center_mm": [-64.0, 4.0, 0.0], "radius_mm": 10.0}
        return {
            "label of a `.dlabel.nii`, by name": {"atlas": {"image": atlas, "label": "L_V1"}},
            "by number": {"atlas": {"image": atlas, "label": 2}},
            "by a name that is not there": {"atlas": {"image": atlas, "label": "L_V3"}},
            "by a name that two labels have": {"atlas": {"image": atlas, "label": "twice"}},
            "of an atlas with the medial wall, without voxels": {
                "atlas": {"image": of_cortex, "label": "L_V1"}
            },
            "of an atlas of another density": {"atlas": {"image": of_fine, "label": "L_V1"}},
            "mask in a `.dscalar.nii`": {"mask": mask},
            "second map of a `.dscalar.nii`, from a threshold on": {
                "map": {"image": maps, "index": 1, "threshold": 0.5}
            },
            "the same without a threshold": {"map": {"image": maps, "index": 1}},
            "mask in a volume, partly below the cortex": {"mask": self.folder / "box.nii.gz"},
            "sphere on the cortex, with `surfaces`": {"sphere": on_cortex, "surfaces": surfaces},
            "the same without `surfaces`": {"sphere": on_cortex},
            "sphere in a nucleus": {"sphere": {"center_mm": [8.0, -4.0, 0.0], "radius_mm": 6.0}},
            "sphere between the vertices": {
                "sphere": {"center_mm": [-60.0, 50.0, 0.0], "radius_mm": 2.0},
                "surfaces": surfaces,
            },
            "smoothed by 6 mm": {"mask": mask, "smoothing_fwhm_mm": 6.0},
        }
