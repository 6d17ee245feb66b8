"""Places of regions of every kind, against what was put into the images."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from rsconn.report.figures.roi_positions import locate_rois

AFFINE = np.array([[-2.0, 0, 0, 20], [0, 2, 0, -10], [0, 0, 3, 5], [0, 0, 0, 1]])


def save(path, data):
    nib.save(nib.Nifti1Image(data, AFFINE), path)
    return str(path)


def test_regions_of_every_kind(tmp_path):
    box = np.zeros((8, 9, 10), dtype=np.uint8)
    box[2:4, 3:5, 4:6] = 1
    atlas = np.zeros((8, 9, 10), dtype=np.int16)
    atlas[1, 1, 1], atlas[5, 6, 7] = 3, 8
    maps = np.zeros((8, 9, 10, 2), dtype=np.float32)
    maps[2, 2, 2, 1], maps[4, 2, 2, 1] = 1, 3
    labels = save(tmp_path / "atlas.nii.gz", atlas)
    rois = [
        {"name": "S", "kind": "sphere", "sphere": {"center_mm": [1, 2, 3], "radius_mm": 6}, "source": "x"},
        {"name": "L8", "kind": "atlas", "atlas": {"image": labels, "label": 8, "labels_tsv": None}},
        {"name": "M", "kind": "mask", "mask": save(tmp_path / "mask.nii.gz", box)},
        {
            "name": "P",
            "kind": "map",
            "map": {"image": save(tmp_path / "maps.nii.gz", maps), "index": 1, "threshold": None},
        },
        {"name": "L3", "kind": "atlas", "atlas": {"image": labels, "label": 3, "labels_tsv": None}},
        {"name": "C", "kind": "column", "column": "c"},
    ]
    places = {place["name"]: place for place in locate_rois(rois)}
    assert [place["name"] for place in locate_rois(rois)] == [roi["name"] for roi in rois]
    assert (places["S"]["center_mm"], places["S"]["radius_mm"]) == ([1, 2, 3], 6)
    assert places["M"]["center_mm"] == pytest.approx([15, -3, 18.5])
    assert 4 / 3 * np.pi * places["M"]["radius_mm"] ** 3 == pytest.approx(8 * 12)
    assert places["L8"]["center_mm"] == pytest.approx([10, 2, 26])
    assert places["L3"]["center_mm"] == pytest.approx([18, -8, 8])
    # three quarters of the weight lie in the second voxel
    assert places["P"]["center_mm"] == pytest.approx([20 - 2 * 3.5, -6, 11])
    assert places["C"]["center_mm"] is None
