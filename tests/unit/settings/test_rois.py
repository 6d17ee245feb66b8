"""ROI files: every kind of region, paths, bare lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from rsconn.settings.roi_files import read_roi_set

EVERY_KIND = """
name: Kinds
space: MNI152NLin2009cAsym
circular: {contrast: group, data: Smith 2009}
rois:
  - {name: a, source: here, sphere: {center_mm: [-1, 2.5, 3]}}
  - {name: b, mask: masks/b.nii.gz}
  - {name: c, atlas: {image: /atlas/c.nii.gz, label: 12}}
  - {name: d, atlas: {image: ../d.nii.gz, labels_tsv: d.tsv, label: PCC}}
  - {name: e, map: {image: e.nii.gz, index: 3, threshold: 2.3}}
  - {name: f, column: AINS_ad#2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "my-rois.yaml").write_text(EVERY_KIND)
    return tmp_path / "study"


def test_every_kind_of_region(folder: Path) -> None:
    rois = read_roi_set(folder / "my-rois.yaml")
    a, b, c, d, e, f = rois.rois
    assert [roi.kind for roi in rois.rois] == ["sphere", "mask", "atlas", "atlas", "map", "column"]
    assert a.sphere is not None
    assert (a.sphere.center_mm, a.sphere.radius_mm) == ((-1.0, 2.5, 3.0), 6.0)
    assert b.mask == folder / "masks" / "b.nii.gz"
    assert c.atlas is not None
    assert (c.atlas.image, c.atlas.label) == (Path("/atlas/c.nii.gz"), 12)
    assert d.atlas is not None
    assert (d.atlas.image, d.atlas.labels_tsv) == (folder.parent / "d.nii.gz", folder / "d.tsv")
    assert d.atlas.label == "PCC"
    assert e.map is not None
    assert (e.map.index, e.map.threshold) == (3, 2.3)
    assert f.column == "AINS_ad#2"
    assert rois.circular is not None
    assert rois.circular.data == "Smith 2009"


def test_paths_count_from_the_nearest_snakefile(folder: Path) -> None:
    (folder.parent / "Snakefile").touch()
    mask = read_roi_set(folder / "my-rois.yaml").rois[1].mask
    assert mask == folder.parent / "masks" / "b.nii.gz"


def test_plain_values_say_their_kind(folder: Path) -> None:
    # jobs receive regions as plain values
    plain = read_roi_set(folder / "my-rois.yaml").rois[4].model_dump(mode="json")
    assert plain["kind"] == "map"
    assert plain["map"] == {"image": str(folder / "e.nii.gz"), "index": 3, "threshold": 2.3}


def test_bare_list(tmp_path: Path) -> None:
    path = tmp_path / "mist-122.yaml"
    path.write_text("- {name: A, column: A}\n- {name: B, column: B}")
    rois = read_roi_set(path)
    assert (rois.name, rois.space, rois.names) == ("mist122", None, ("A", "B"))


def test_bare_list_of_spheres_is_in_the_space_of_the_images(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("- {name: A, sphere: {center_mm: [0, 0, 0]}}")
    assert read_roi_set(path, space="MNI152NLin6Asym").space == "MNI152NLin6Asym"


def test_regions_are_frozen(folder: Path) -> None:
    rois = read_roi_set(folder / "my-rois.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        rois.rois[0].name = "other"  # type: ignore[misc]


def test_variants_are_further_rows_behind_the_regions(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        """
space: MNI
rois:
  - {name: A, sphere: {center_mm: [0, 0, 0], radius_mm: 5}, variants: {radius_mm: [4, 8.5], smoothing_fwhm_mm: [0, 6]}}
  - {name: B, mask: b.nii.gz, variants: {smoothing_fwhm_mm: 6}}
  - {name: C, sphere: {center_mm: [9, 0, 0]}, variants: {radius_mm: 8}}
"""
    )
    rows = read_roi_set(path).list_rows(3.0)
    found = [
        (row.roi.name, row.variant_of, row.roi.sphere and row.roi.sphere.radius_mm, row.smoothing_fwhm_mm)
        for row in rows
    ]
    assert found == [
        ("A", None, 5, 3),
        ("B", None, None, 3),
        ("C", None, 6, 3),
        ("A_R4S0", "A", 4, 0),
        ("A_R4S6", "A", 4, 6),
        ("A_R8.5S0", "A", 8.5, 0),
        ("A_R8.5S6", "A", 8.5, 6),
        ("B_S6", "B", None, 6),
        ("C_R8", "C", 8, 3),
    ]
    assert read_roi_set(path).names == ("A", "B", "C")


def test_regions_of_dense_series(folder: Path) -> None:
    (folder / "my-rois.yaml").write_text(
        "space: fsLR\nsurfaces: {left: l.surf.gii, right: ../r.surf.gii}\n"
        "rois: [{name: V1, atlas: {image: a.dlabel.nii, label: L_V1_ROI}}]\n"
    )
    rois = read_roi_set(folder / "my-rois.yaml")
    assert rois.surfaces is not None
    assert (rois.surfaces.left, rois.surfaces.right) == (folder / "l.surf.gii", folder.parent / "r.surf.gii")
    assert rois.rois[0].atlas is not None
    assert rois.rois[0].atlas.label == "L_V1_ROI"
