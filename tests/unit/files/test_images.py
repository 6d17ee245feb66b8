"""The image reader against nibabel, and what it says about files that cannot be read."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from rsconn.errors import RunError
from rsconn.files.images import (
    Decompressor,
    check_same_grid,
    find_decompressor,
    list_decompressors,
    read_header,
    read_image,
    read_mask,
    stream_volumes,
)

SHAPE = (5, 4, 3)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2.5, -72], [0, 0, 0, 1]])


def write_image(
    path: Path, *, code="<i2", n_volumes=6, slope=None, intercept=None, version=1, t_r=2.0
) -> np.ndarray:
    """Write an image whose stored numbers are known; return them as (x, y, z, n_volumes)."""
    dtype = np.dtype(code)
    stored = np.random.default_rng(5).integers(0, 120, (*SHAPE, n_volumes)).astype(dtype)
    kind = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    header = kind.header_class(endianness=">" if code[0] == ">" else "<")
    header.set_data_dtype(dtype)
    image = kind(stored, AFFINE, header, dtype=dtype)
    image.header.set_zooms((2, 2, 2.5, t_r))
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_slope_inter(slope, intercept)
    image.set_qform(AFFINE, 4)
    image.set_sform(AFFINE, 4)
    nib.save(image, path)
    return stored


def edit_header(path: Path, **fields) -> None:
    """Overwrite header fields of an uncompressed NIfTI-1 file."""
    raw = bytearray(path.read_bytes())
    header = nib.Nifti1Header(bytes(raw[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(bytes(raw))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_volumes_are_those_of_nibabel_in_file_order(tmp_path, code, order, extension):
    path = tmp_path / f"image{extension}"
    code = order + code
    stored = write_image(path, code=code)
    header = read_header(path)
    assert (header.shape, header.n_volumes, header.t_r) == (SHAPE, 6, 2.0)
    assert header.dtype == np.dtype(code)
    volumes = [volume.copy() for volume in stream_volumes(header)]
    assert len(volumes) == 6
    for index, volume in enumerate(volumes):
        assert_array_equal(volume, stored[..., index].ravel(order="F"))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("code", ["<i2", ">f4", ">u2", "<f8"])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_both_versions_of_the_standard_are_read(tmp_path, version, code, extension):
    path = tmp_path / f"image{extension}"
    write_image(path, code=code, version=version, slope=0.25, intercept=-3.0)
    image = nib.load(path)
    data, affine = read_image(path)
    assert_allclose(data, image.get_fdata(), rtol=1e-15)
    assert_allclose(affine, image.affine)
    header = read_header(path)
    assert (header.slope, header.intercept) == (0.25, -3.0)


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf])
def test_an_invalid_slope_means_unscaled(tmp_path, slope):
    path = tmp_path / "image.nii"
    write_image(path)
    edit_header(path, scl_slope=slope, scl_inter=5.0)
    header = read_header(path)
    assert (header.slope, header.intercept) == (1.0, 0.0)


def test_the_qform_counts_where_there_is_no_sform(tmp_path):
    path = tmp_path / "image.nii"
    write_image(path)
    image = nib.load(path)
    turn = nib.eulerangles.euler2mat(0.2, -0.3, 0.1) @ np.diag([2, 2, -2.5])
    qform = nib.affines.from_matvec(turn, [10, -20, 30])
    image.set_qform(qform, 1)
    image.set_sform(None, 0)
    nib.save(image, tmp_path / "turned.nii")
    assert_allclose(read_header(tmp_path / "turned.nii").affine, qform, atol=1e-5)


@pytest.mark.parametrize(
    ("units", "stored", "seconds"), [("sec", 2.0, 2.0), ("msec", 1500.0, 1.5), ("usec", 7e5, 0.7)]
)
def test_the_time_step_is_in_seconds(tmp_path, units, stored, seconds):
    path = tmp_path / "image.nii"
    write_image(path, t_r=stored)
    edit_header(path, xyzt_units=nib.nifti1.unit_codes[units] + 2)
    assert read_header(path).t_r == pytest.approx(seconds)


def test_a_single_volume_may_be_3d(tmp_path):
    path = tmp_path / "image.nii.gz"
    nib.save(nib.Nifti1Image(np.ones(SHAPE, np.uint8), AFFINE), path)
    data, _ = read_image(path)
    assert data.shape == SHAPE
    assert read_header(path).n_volumes == 1


def test_real_run_equals_nibabel(shared_data):
    path = next(shared_data.glob("rapidtide/*/func/*_desc-preproc_bold.nii.gz"))
    header = read_header(path)
    image = nib.load(path)
    assert (header.slope, header.intercept) == (image.dataobj.slope, image.dataobj.inter)
    assert_array_equal(header.affine, image.affine)
    wanted = {0: None, 120: None, 239: None}
    for index, volume in enumerate(stream_volumes(header)):
        if index in wanted:
            wanted[index] = volume * header.slope + header.intercept
    for index, volume in wanted.items():
        assert_array_equal(volume, image.dataobj[..., index].ravel(order="F"))


HEADER_FAULTS = [
    ({"dim": [4, 5, -4, 3, 6, 1, 1, 1]}, "describe no 3-D or 4-D image"),
    ({"dim": [2, 5, 4, 3, 6, 1, 1, 1]}, "describe no 3-D or 4-D image"),
    ({"dim": [5, 5, 4, 3, 2, 3, 1, 1]}, "describe no 3-D or 4-D image"),
    ({"dim": [4, 5, 4, 3, 0, 1, 1, 1]}, "describe no 3-D or 4-D image"),
    ({"datatype": 32}, "data type 32 is no real number type of at most 64 bits"),
    ({"datatype": 1536}, "data type 1536 is no real number type of at most 64 bits"),
    ({"srow_x": [np.nan, 0, 0, 0]}, "sform affine holds NaN"),
    ({"srow_x": [0, 0, 0, 90], "qform_code": 1}, "sform affine is singular"),
    ({"sform_code": 0, "qform_code": 0}, "neither sform nor qform is set"),
    ({"srow_x": [-2, 0, 0, 80]}, "sform and qform name the same space and differ by 10.0 mm"),
    ({"sform_code": 0, "qoffset_y": np.inf}, "qform affine holds NaN or infinity"),
    ({"scl_slope": 2.0, "scl_inter": np.nan}, "scl_inter is nan"),
    ({"magic": b"ni1"}, "a .hdr/.img pair"),
    ({"magic": b"xyz"}, "not a NIfTI image"),
    ({"dim": [4, 5, 4, 3, 9, 1, 1, 1]}, "the data end inside volume 7 of 9"),
    ({"dim": [4, 5, 4, 3, 5, 1, 1, 1]}, "announces 5 volumes, the file holds more"),
    ({"dim": [4, 5000, 5000, 3000, 6, 1, 1, 1]}, "the header announces 7.5e+10 voxels per volume"),
    ({"dim": [4, 900, 900, 900, 6, 1, 1, 1]}, "the header announces 7.29e+08 voxels per volume"),
    ({"dim": [4, 200, 200, 200, 6, 1, 1, 1]}, "the data end inside volume 1 of 6"),
    ({"vox_offset": 0}, "vox_offset is 0, the data of a single file start at byte 352 or later"),
    ({"vox_offset": 348}, "vox_offset is 348"),
    ({"vox_offset": -352}, "vox_offset is -352"),
    ({"vox_offset": 352.5}, "vox_offset is 352.5"),
    ({"vox_offset": np.nan}, "vox_offset is nan"),
    ({"vox_offset": np.inf}, "vox_offset is inf"),
    ({"vox_offset": 1e30}, "beyond the end of the file"),
    ({"srow_y": [0, 1e30, 0, 0]}, "sform affine holds 1e+30, millimetres are needed"),
    ({"sform_code": 0, "pixdim": [1, np.nan, 2, 2, 2, 0, 0, 0]}, "qform affine holds NaN"),
]


@pytest.mark.parametrize(("fields", "message"), HEADER_FAULTS, ids=[message for _, message in HEADER_FAULTS])
def test_a_header_that_lies_is_named(tmp_path, fields, message):
    path = tmp_path / "image.nii"
    write_image(path)
    edit_header(path, **fields)
    with pytest.raises(RunError, match=f"image.nii: .*{re.escape(message)}"):
        list(stream_volumes(read_header(path)))


@pytest.mark.parametrize("fields", [fields for fields, message in HEADER_FAULTS if "volumes" not in message])
def test_a_header_that_lies_costs_nothing(tmp_path, fields):
    plain, path = tmp_path / "image.nii", tmp_path / "image.nii.gz"
    write_image(plain)
    edit_header(plain, **fields)
    path.write_bytes(gzip.compress(plain.read_bytes()))
    tracemalloc.start()
    with pytest.raises(RunError):
        list(stream_volumes(read_header(path)))
    assert tracemalloc.get_traced_memory()[1] < 3e6
    tracemalloc.stop()


def test_a_time_step_that_is_no_number_does_no_harm(tmp_path):
    path = tmp_path / "image.nii"
    write_image(path)
    edit_header(path, pixdim=[1, np.nan, np.inf, 1e38, np.nan, 0, 0, 0])
    header = read_header(path)
    assert np.isnan(header.t_r)
    assert_array_equal(header.affine, AFFINE)


def test_differing_sform_and_qform_of_different_spaces_are_no_fault(tmp_path):
    path = tmp_path / "image.nii"
    write_image(path)
    edit_header(path, qform_code=1, qoffset_x=0.0)
    assert_array_equal(read_header(path).affine, AFFINE)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\x1f\x8b\x08", b"\x1f\x8b" + bytes(600), b"<html>" * 200]
)
def test_a_file_that_is_no_image_is_refused(tmp_path, content):
    path = tmp_path / "image.nii.gz"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"image\.nii\.gz: "):
        read_header(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        read_header(tmp_path / "absent.nii.gz")


@pytest.fixture(params=[one.name for one in list_decompressors()] + ["zlib"])
def decompressor(request, monkeypatch):
    """Each installed gzip reader in turn, and the standard library's."""
    import zlib

    known = {one.name: one for one in list_decompressors()} | {
        "zlib": Decompressor("zlib", gzip.open, zlib.error)
    }
    monkeypatch.setattr("rsconn.files.images.find_decompressor", lambda _: known[request.param])


@pytest.mark.usefixtures("decompressor")
def test_a_truncated_stream_names_the_volume(tmp_path):
    path = tmp_path / "image.nii.gz"
    noise = np.random.default_rng(1).integers(0, 30_000, (20, 20, 20, 10)).astype(np.int16)
    nib.save(nib.Nifti1Image(noise, AFFINE), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 55 // 100])
    seen = []
    with pytest.raises(RunError, match=r"the data end inside volume [67] of 10"):
        seen.extend(volume.copy() for volume in stream_volumes(read_header(path)))


@pytest.mark.parametrize("version", [1, 2])
def test_a_plain_file_cut_short_names_the_volume(tmp_path, version):
    path = tmp_path / "image.nii"
    write_image(path, version=version)
    start = read_header(path).data_offset
    path.write_bytes(path.read_bytes()[: start + 4 * 120 + 1])
    with pytest.raises(RunError, match="the data end inside volume 5 of 6; fetch the file again"):
        next(stream_volumes(read_header(path)))


def test_a_plain_file_is_mapped_into_memory_a_volume_at_a_time(tmp_path):
    path = tmp_path / "image.nii"
    write_image(path)
    volume = next(stream_volumes(read_header(path)))
    assert isinstance(volume, np.memmap)
    assert volume.nbytes == 2 * np.prod(SHAPE)


@pytest.mark.usefixtures("decompressor")
def test_a_stream_that_ends_well_but_early_names_the_volume(tmp_path):
    write_image(tmp_path / "image.nii", n_volumes=6)
    raw = (tmp_path / "image.nii").read_bytes()
    path = tmp_path / "short.nii.gz"
    path.write_bytes(gzip.compress(raw[: 352 + 3 * 120 + 7]))
    with pytest.raises(RunError, match="the data end inside volume 4 of 6"):
        list(stream_volumes(read_header(path)))


@pytest.mark.usefixtures("decompressor")
def test_a_wrong_checksum_is_noticed_after_the_last_volume(tmp_path):
    path = tmp_path / "image.nii.gz"
    write_image(path)
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 0xFF
    path.write_bytes(bytes(raw))
    volumes = stream_volumes(read_header(path))
    with pytest.raises(RunError, match=r"corrupt at or before volume \d of 6 .*; fetch the file again"):
        list(volumes)


@pytest.mark.usefixtures("decompressor")
def test_a_compressed_file_with_more_volumes_than_announced_is_refused(tmp_path):
    write_image(tmp_path / "image.nii", n_volumes=6)
    edit_header(tmp_path / "image.nii", dim=[4, 5, 4, 3, 5, 1, 1, 1])
    path = tmp_path / "long.nii.gz"
    path.write_bytes(gzip.compress((tmp_path / "image.nii").read_bytes()))
    with pytest.raises(RunError, match="announces 5 volumes"):
        list(stream_volumes(read_header(path)))


def test_leaving_early_ends_the_reader(tmp_path):
    import threading

    path = tmp_path / "image.nii.gz"
    write_image(path, n_volumes=50)
    before = threading.active_count()
    volumes = stream_volumes(read_header(path))
    next(volumes)
    volumes.close()
    assert threading.active_count() == before


def test_a_small_file_needs_no_race(tmp_path):
    path = tmp_path / "image.nii.gz"
    write_image(path)
    assert find_decompressor(path) is list_decompressors()[0]


def test_the_fastest_reader_wins_the_race(tmp_path, monkeypatch):
    path = tmp_path / "image.nii.gz"
    write_image(path)
    times = {"slow": 2.0, "fast": 1.0}
    racers = tuple(Decompressor(name, gzip.open, OSError) for name in times)
    monkeypatch.setattr("rsconn.files.images.list_decompressors", lambda: racers)
    monkeypatch.setattr("rsconn.files.images._WORTH_A_RACE", 0)
    monkeypatch.setattr("rsconn.files.images._time_reading", lambda one, _: times[one.name])
    assert find_decompressor(path).name == "fast"


def test_masks_must_share_the_run_s_grid_and_hold_something(tmp_path):
    run, mask = tmp_path / "bold.nii.gz", tmp_path / "mask.nii.gz"
    write_image(run)
    inside = np.zeros(SHAPE, np.uint8)
    inside[1, 2, 1] = 1
    nib.save(nib.Nifti1Image(inside, AFFINE), mask)
    assert np.flatnonzero(read_mask(mask, read_header(run))).tolist() == [1 + 5 * (2 + 4 * 1)]
    nib.save(nib.Nifti1Image(inside * 0, AFFINE), mask)
    with pytest.raises(RunError, match="the mask is empty"):
        read_mask(mask, read_header(run))
    nib.save(nib.Nifti1Image(inside[:4], AFFINE), mask)
    with pytest.raises(RunError, match=r"\(4, 4, 3\) voxels, but bold.nii.gz has \(5, 4, 3\)"):
        read_mask(mask, read_header(run))
    moved = AFFINE.copy()
    moved[0, 3] += 3
    nib.save(nib.Nifti1Image(inside, moved), mask)
    with pytest.raises(RunError, match=r"lie 3\.0 mm off"):
        read_mask(mask, read_header(run))
    nib.save(nib.Nifti1Image(np.stack([inside] * 2, axis=-1), AFFINE), mask)
    with pytest.raises(RunError, match="a mask of 2 volumes"):
        read_mask(mask, read_header(run))


def test_rounding_of_an_affine_is_no_other_grid(tmp_path):
    write_image(tmp_path / "a.nii")
    header = read_header(tmp_path / "a.nii")
    write_image(tmp_path / "b.nii")
    edit_header(tmp_path / "b.nii", srow_x=[-2.0, 0, 0, 90.001])
    check_same_grid(read_header(tmp_path / "b.nii"), header)
