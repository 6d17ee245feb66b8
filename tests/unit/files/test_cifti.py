"""Dense files against nibabel, which is the oracle: header, models, series, maps, labels, what is written."""

from __future__ import annotations

import struct
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import ScalarAxis, SeriesAxis
from numpy.testing import assert_allclose, assert_array_equal

from rsconn.errors import RunError
from rsconn.files import cifti
from rsconn.files.cifti import is_dense, read_dense_header, read_vertices, stream_dense
from rsconn.files.images import read_run_header, read_run_mask, stream_run
from rsconn.files.writing import write_dense_map


def read_all(path):
    header = read_dense_header(path)
    stored = np.array([point.copy() for point in stream_dense(header)], np.float64)
    return stored * header.slope + header.intercept


def test_the_header_says_what_nibabel_says(dense):
    path = dense.save_series(n=11, t_r=0.72)
    header = read_dense_header(path)
    assert (header.n_voxels, header.n_volumes) == (len(dense.models), 11)
    assert header.t_r == pytest.approx(0.72)
    assert_array_equal(header.affine, dense.models.affine)
    assert header.models.shape == dense.models.volume_shape
    theirs = nib.load(path).header.get_axis(1)
    structures = [(name.removeprefix("CIFTI_STRUCTURE_"), part) for name, _, part in theirs.iter_structures()]
    assert [model.structure for model in header.models.models] == [name for name, _ in structures]
    for model, (_, part) in zip(header.models.models, structures, strict=True):
        assert_array_equal(model.places, part.vertex if model.is_surface else part.voxel)
        assert model.n_vertices == (300 if model.is_surface else 0)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.float64])
@pytest.mark.parametrize("block_bytes", [1, 9000, 1 << 25])
def test_a_series_comes_time_point_by_time_point(dense, monkeypatch, dtype, block_bytes):
    monkeypatch.setattr(cifti, "_BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(cifti, "_CHUNK_BYTES", 500)
    path = dense.save_series(n=13, dtype=dtype)
    assert_allclose(read_all(path), nib.load(path).get_fdata(), rtol=1e-12)


def test_a_big_endian_series_is_read(dense):
    path = dense.save_series(n=5)
    expected = nib.load(path).get_fdata()
    raw = bytearray(path.read_bytes())
    header = nib.Nifti2Header(bytes(raw[:540]), check=False)
    offset = int.from_bytes(raw[168:176], "little")
    swapped = header.as_byteswapped(">").binaryblock
    extension = b"".join(part[::-1] for part in (bytes(raw[544:548]), bytes(raw[548:552])))
    data = np.frombuffer(bytes(raw[offset:]), "<f4").astype(">f4").tobytes()
    path.write_bytes(swapped + bytes(raw[540:544]) + extension + bytes(raw[552:offset]) + data)
    assert_array_equal(read_all(path), expected)


def test_the_memory_does_not_grow_with_the_run(dense, monkeypatch):
    monkeypatch.setattr(cifti, "_BLOCK_BYTES", 64 * len(dense.models) * 4)
    monkeypatch.setattr(cifti, "_CHUNK_BYTES", 20_000)
    peaks = []
    for n in (100, 1000):
        header = read_dense_header(dense.save_series(n=n))
        tracemalloc.start()
        assert sum(point.size for point in stream_dense(header)) == n * len(dense.models)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 1.3 * (64 * len(dense.models) * 4 + 20_000)


def test_labels_and_their_names(dense):
    keys = np.arange(len(dense.models)) % 3
    path = dense.save_labels("a.dlabel.nii", keys, {0: "???", 1: "A & B", 2: "C"})
    header = read_dense_header(path)
    assert header.labels == ({"???": (0,), "A & B": (1,), "C": (2,)},)
    assert header.map_names == ("atlas",)
    assert_array_equal(read_all(path)[0], keys)


def test_every_grayordinate_is_brain(dense):
    header = read_run_header(dense.save_series())
    assert read_run_mask(None, header).all()
    assert read_run_mask(None, header).shape == (len(dense.models),)
    assert len(list(stream_run(header))) == 11


def test_a_written_map_is_what_nibabel_reads(dense, rng):
    header = read_dense_header(dense.save_series())
    values = rng.normal(size=header.n_voxels).astype(np.float32)
    values[3] = np.nan
    path = dense.folder / "map.dscalar.nii"
    write_dense_map(path, values, "Fisher z, LAI & more", header)
    image = nib.load(path)
    assert isinstance(image, nib.Cifti2Image)
    assert image.nifti_header.get_intent()[0] == "ConnDenseScalar"
    assert_array_equal(image.get_fdata(dtype=np.float32)[0], values)
    assert image.header.get_axis(1) == dense.models
    assert image.header.get_axis(0) == ScalarAxis(["Fisher z, LAI & more"])
    assert_array_equal(read_all(path)[0].astype(np.float32), values)
    before = path.read_bytes()
    write_dense_map(path, values, "Fisher z, LAI & more", header)
    assert path.read_bytes() == before


def test_dense_files_are_known_by_their_names():
    assert is_dense("a_bold.dtseries.nii")
    assert is_dense("a.dlabel.nii")
    assert not is_dense("a_bold.nii")
    assert not is_dense("a.ptseries.nii")


def damage(path, old, new):
    raw = path.read_bytes()
    assert old in raw
    grown = max(len(new) - len(old), 0)  # longer XML moves the data
    changed = bytearray(raw.replace(old, new.ljust(len(old)), 1))
    for place, width in ((168, 8), (544, 4)):  # where the data start, how long the extension is
        number = int.from_bytes(raw[place : place + width], "little") + grown
        changed[place : place + width] = number.to_bytes(width, "little")
    path.write_bytes(changed)


# What is changed in the file -> what is said
DAMAGES = {
    "starts elsewhere": ((b'IndexOffset="0"', b'IndexOffset="1"'), "starts at grayordinate 1, not 0"),
    "vertex outside": ((b'NumberOfVertices="300"', b'NumberOfVertices="200"'), "outside of its (200,)"),
    "count": ((b'IndexCount="257"', b'IndexCount="250"'), "lists 257 of 250 grayordinates"),
    "no models": (
        (b"CIFTI_INDEX_TYPE_BRAIN_MODELS", b"CIFTI_INDEX_TYPE_NOTHING_MUCH"),
        "a matrix of SERIES x NOTHING_MUCH, one of SERIES, SCALARS or LABELS x BRAIN_MODELS is needed",
    ),
    "broken XML": ((b"</Matrix>", b"</Matrax>"), "its XML cannot be read"),
    "more vertices than there are": (
        (b'SurfaceNumberOfVertices="300"', b'SurfaceNumberOfVertices="9' + b"0" * 15 + b'"'),
        "has a surface of 9000000000000000 vertices",
    ),
    "more voxels than there are": (
        (b'VolumeDimensions="10,12,8"', b'VolumeDimensions="99999,99999,99999"'),
        "a volume of 99999 x 99999 x 99999 voxels",
    ),
    "unknown encoding": (
        (b"<CIFTI", b'<?xml version="1.0" encoding="UTF-0"?><CIFTI'),
        "its XML cannot be read",
    ),
    "document type": ((b'<CIFTI Version="2.0">', b"<!DOCTYPE CIFTI>"), "a document type inside its XML"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_impossible_models_are_refused(dense, name):
    change, message = DAMAGES[name]
    path = dense.save_series()
    damage(path, *change)
    with pytest.raises(RunError, match=r"run_bold\.dtseries\.nii: .*") as told:
        read_dense_header(path)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


# Byte and format of a field of the header, what it is set to -> what is said
LIES = {
    "offset before the data": (168, "q", 4, "vox_offset is 4"),
    "negative offset": (168, "q", -1, "vox_offset is -1"),
    "huge offset": (168, "q", 1 << 62, "vox_offset is 4611686018427387904"),
    "huge series": (56, "q", 1 << 50, "the data end inside grayordinate 1 of"),
    "negative series": (56, "q", -5, "describe no CIFTI matrix"),
    "no series": (56, "q", 0, "describe no CIFTI matrix"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_one_line_before_any_allocation(dense, name):
    place, code, value, message = LIES[name]
    path = dense.save_series()
    raw = bytearray(path.read_bytes())
    struct.pack_into(f"<{code}", raw, place, value)
    path.write_bytes(raw)
    with pytest.raises(RunError) as told:
        read_dense_header(path)
    assert message in str(told.value)


@pytest.mark.parametrize("exponent", ["99999", "x", "1e3"])
def test_a_step_that_is_no_number_is_nan(dense, exponent):
    path = dense.save_series()
    damage(path, b'SeriesExponent="0"', f'SeriesExponent="{exponent}"'.encode())
    assert np.isnan(read_dense_header(path).t_r)


def test_a_matrix_that_is_not_finite_is_refused(dense):
    path = dense.save_series()
    damage(path, b"-4.0000000000", b"nan")
    with pytest.raises(RunError, match="affine holds NaN or infinity"):
        read_dense_header(path)


def test_a_volume_is_no_dense_series(tmp_path):
    path = tmp_path / "a_bold.dtseries.nii"
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "v.nii")
    path.write_bytes((tmp_path / "v.nii").read_bytes().ljust(600, b"\0"))
    with pytest.raises(RunError, match="not a CIFTI-2 file"):
        read_dense_header(path)
    nib.save(nib.Nifti2Image(np.zeros((2, 2, 2), np.float32), np.eye(4)), tmp_path / "v2.nii")
    path.write_bytes((tmp_path / "v2.nii").read_bytes())
    with pytest.raises(RunError, match="no CIFTI extension"):
        read_dense_header(path)
    with pytest.raises(RunError, match="no such image file"):
        read_dense_header(tmp_path / "absent.dtseries.nii")


def test_a_parcellated_series_is_refused(dense):
    path = dense.save("a.dtseries.nii", np.zeros((2, 3)), SeriesAxis(0, 1, 2), ScalarAxis(["a", "b", "c"]))
    with pytest.raises(RunError, match="a matrix of SERIES x SCALARS"):
        read_dense_header(path)


def test_a_truncated_series_names_the_grayordinate(dense):
    path = dense.save_series(n=10)
    size = path.stat().st_size
    header = read_dense_header(path)
    with path.open("r+b") as file:
        file.truncate(size - 3 * 40 - 4)
    with pytest.raises(
        RunError, match=f"inside grayordinate {header.n_voxels - 3} of {header.n_voxels}; fetch"
    ):
        next(stream_dense(header))
    with path.open("ab") as file:
        file.write(bytes(400))
    with pytest.raises(RunError, match=f"announces {header.n_voxels} grayordinates, the file holds more"):
        next(stream_dense(header))


@pytest.mark.parametrize("encoding", ["ASCII", "B64BIN", "B64GZ"])
@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
def test_vertices_of_a_surface(dense, encoding, endian):
    files = dense.save_surfaces(f"GIFTI_ENCODING_{encoding}", f"GIFTI_ENDIAN_{endian}")
    for side, path in files.items():
        theirs = nib.load(path).agg_data("NIFTI_INTENT_POINTSET")
        assert_allclose(read_vertices(dense.folder / path), theirs, rtol=1e-6)
        assert_allclose(theirs, dense.vertices[side], atol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('Dim0="300"', 'Dim0="3000000000000"', "3000000000000 vertices"),
        ('Dim0="300"', 'Dim0="-1"', "-1 vertices"),
        ('Dim0="300"', 'Dim0="3"', "buffer size must be a multiple"),
        ("encoding='UTF-8'", "encoding='nothing'", "unknown encoding"),
    ],
)
def test_a_surface_that_lies_is_one_line(dense, old, new, message):
    path = dense.folder / dense.save_surfaces("GIFTI_ENCODING_B64GZ", "GIFTI_ENDIAN_LITTLE")["left"]
    text = path.read_text().replace('encoding="UTF-8"', "encoding='UTF-8'")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(RunError, match=message):
        read_vertices(path)


def test_what_is_no_surface_is_refused(dense, tmp_path):
    path = tmp_path / "a.surf.gii"
    with pytest.raises(RunError, match="no such surface file"):
        read_vertices(path)
    path.write_text("<GIFTI></GIFTI>")
    with pytest.raises(RunError, match=r"no array of points\); a \*\.surf\.gii is needed"):
        read_vertices(path)
    path.write_text('<!DOCTYPE a [<!ENTITY b "c">]><GIFTI>&b;</GIFTI>')
    with pytest.raises(RunError, match="entities inside its XML"):
        read_vertices(path)
    path.write_text("no XML")
    with pytest.raises(RunError, match="no surface that can be read"):
        read_vertices(path)
