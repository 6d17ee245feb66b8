from __future__ import annotations

import numpy as np
import pytest

from rsconn.simulate.anatomy import make_grid
from rsconn.simulate.truth import PLACES, ROI_CENTERS_MM


def test_the_three_millimetre_grid_is_the_templates():
    shape, affine = make_grid(3.0)
    assert shape == (65, 77, 65)
    np.testing.assert_array_equal(affine[:3, 3], [-96.5, -132.5, -78.5])
    np.testing.assert_array_equal(affine[:3, :3], 3 * np.eye(3))


@pytest.mark.parametrize("voxel_mm", [8.0, 10.0, 12.0])
def test_coarse_grids_cover_the_same_field(voxel_mm):
    shape, affine = make_grid(voxel_mm)
    first = affine[:3, 3] - voxel_mm / 2
    last = first + voxel_mm * np.array(shape)
    np.testing.assert_allclose(first, [-98, -134, -80])
    assert (np.abs(last - [97, 97, 115]) <= voxel_mm).all()


def test_voxels_are_in_file_order(anatomy):
    assert (np.diff(anatomy.voxels) > 0).all()
    position = anatomy.compute_positions()[100]
    x, y, z = np.rint(np.linalg.inv(anatomy.affine) @ [*position, 1])[:3].astype(int)
    n_x, n_y, _ = anatomy.shape
    assert x + n_x * (y + n_y * z) == anatomy.voxels[100]


def test_the_brain_has_its_volume(anatomy):
    assert (anatomy.brain > 0.5).sum() * 6**3 / 1e6 == pytest.approx(
        1.88, abs=0.1
    )  # litres, as the template's


@pytest.mark.parametrize("name", ["LAI", "rACC"])
def test_each_seed_peaks_at_its_roi(anatomy, name):
    blob = anatomy.sources["blobs"][list(ROI_CENTERS_MM).index(name)]
    distances = np.linalg.norm(anatomy.compute_positions() - np.array(ROI_CENTERS_MM[name]), axis=1)
    assert distances[blob.argmax()] < 6.0
    assert blob[distances > 25].max() < 0.01


@pytest.mark.parametrize("name", PLACES)
def test_what_a_seed_is_coupled_to_is_a_plateau_outside_white_matter(anatomy, name):
    blob = anatomy.sources["blobs"][list(ROI_CENTERS_MM).index(name)]
    distances = np.linalg.norm(anatomy.compute_positions() - np.array(ROI_CENTERS_MM[name]), axis=1)
    radius, tissue = PLACES[name].radius_mm, anatomy.brain * np.clip(1 - anatomy.white, 0, 1)
    share = blob / (PLACES[name].strength * np.maximum(tissue, 1e-6))
    within = (distances < 0.6 * radius) & (tissue > 0.3)
    assert within.sum() > 10
    assert share[within].min() > 0.9
    edge = (np.abs(distances - radius) < 1) & (tissue > 0.3)
    assert share[edge].mean() == pytest.approx(0.5, abs=0.1)
    assert share[distances > 2 * radius].max() < 1e-4
    assert blob[anatomy.white > 0.999].max(initial=0.0) < 1e-2


def test_orbitofrontal_cortex_loses_signal_and_the_other_rois_do_not(anatomy):
    positions = anatomy.compute_positions()

    def get_dropout(name):
        return anatomy.dropout[np.linalg.norm(positions - np.array(ROI_CENTERS_MM[name]), axis=1).argmin()]

    assert get_dropout("oPFC") > 0.5
    assert max(get_dropout(name) for name in ("LAI", "dmPFC", "rACC")) < 0.05


def test_confound_cores_lie_in_their_tissue(anatomy):
    assert anatomy.white[anatomy.white_core].mean() > 0.9
    assert anatomy.csf[anatomy.csf_core].mean() > 0.5
    assert not (anatomy.white_core & anatomy.csf_core).any()
    assert anatomy.csf_core.sum() >= 12


def test_restrict_keeps_rows_together(anatomy):
    keep = np.arange(len(anatomy.voxels)) % 7 == 0
    some = anatomy.restrict(keep)
    np.testing.assert_array_equal(some.voxels, anatomy.voxels[keep])
    np.testing.assert_array_equal(some.sources["blobs"], anatomy.sources["blobs"][:, keep])
    np.testing.assert_array_equal(some.compute_positions(), anatomy.compute_positions()[keep])
