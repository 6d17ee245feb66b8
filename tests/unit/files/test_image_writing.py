"""Written maps, as nibabel and our own reader see them."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from rsconn.files.images import read_header, read_image
from rsconn.files.writing import write_map

AFFINE = np.array([[-2.0, 0.1, 0, 90], [0, 2, 0.2, -126], [0, 0, 2.5, -72], [0, 0, 0, 1]])


def make_header(folder):
    path = folder / "bold.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((5, 4, 3, 2), np.int16), AFFINE), path)
    return read_header(path)


def test_a_map_reads_back_with_its_grid_and_values(tmp_path):
    values = np.array([0.5, -1.25, np.nan], np.float32)
    voxels = np.array([0, 7, 59])
    path = tmp_path / "new" / "map.nii.gz"
    write_map(path, values, voxels, make_header(tmp_path))
    image = nib.load(path)
    assert (image.shape, image.get_data_dtype(), image.header["sform_code"]) == ((5, 4, 3), np.float32, 4)
    assert_allclose(image.affine, AFFINE, atol=1e-6)
    assert_allclose(image.header.get_zooms(), np.linalg.norm(AFFINE[:3, :3], axis=0), rtol=1e-6)
    expected = np.zeros(60, np.float32)
    expected[voxels] = values
    assert_array_equal(image.get_fdata().ravel(order="F"), expected)
    assert_array_equal(read_image(path)[0].ravel(order="F"), expected)


def test_equal_maps_are_equal_bytes(tmp_path):
    header = make_header(tmp_path)
    for name in "ab":
        write_map(tmp_path / f"{name}.nii.gz", np.ones(60, np.float32), np.arange(60), header)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
