"""What is written is read back: tables, JSON, maps and records."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rsconn.files.bids import Run
from rsconn.files.image_headers import ImageHeader
from rsconn.files.images import read_image
from rsconn.files.run_records import RunRecord, read_records, write_records
from rsconn.files.tables import read_tsv, write_tsv
from rsconn.files.writing import write_json, write_map
from rsconn.published_tables import read_numbers

few = settings(max_examples=30, deadline=None, derandomize=True)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=12)
numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=False), st.integers(-(2**53), 2**53))


@few
@given(cells=st.lists(texts, min_size=1, max_size=6))
def test_texts_of_a_table(cells):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tsv"
        write_tsv(path, {"x": cells, "y": list(range(len(cells)))})
        table = read_tsv(path)
    assert table["y"] == [str(number) for number in range(len(cells))]
    assert table["x"] == [cell if cell.strip() else table["x"][place] for place, cell in enumerate(cells)]


@few
@given(values=st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=6))
def test_numbers_of_a_table_to_the_last_bit(values):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tsv"
        write_tsv(path, {"x": values, "y": values})
        names, back = read_numbers(path)
    assert names == ("x", "y")
    np.testing.assert_array_equal(back[:, 0], values)


@few
@given(
    content=st.recursive(st.one_of(texts, st.booleans(), st.none(), st.integers()), st.lists, max_leaves=6)
)
def test_json(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        write_json(path, {"x": content})
        assert json.loads(path.read_text(encoding="utf-8")) == {"x": content}


@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    sizes=st.tuples(*[st.floats(0.5, 5)] * 3),
    seed=st.integers(0, 99),
)
def test_maps_and_their_places(shape, sizes, seed):
    rng = np.random.default_rng(seed)
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = rng.uniform(-90, 90, 3)
    n_voxels = math.prod(shape)
    voxels = np.flatnonzero(rng.random(n_voxels) < 0.6)
    values = rng.normal(size=len(voxels)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii.gz"
        header = ImageHeader(path, shape, 1, np.dtype("f4"), 1.0, 0.0, affine, 0.0, 352)
        write_map(path, values, voxels, header)
        data, back = read_image(path)
        oracle = nib.load(path)
        np.testing.assert_array_equal(oracle.get_fdata(), data)
        np.testing.assert_allclose(oracle.affine, affine, rtol=1e-6)
    expected = np.zeros(n_voxels)
    expected[voxels] = values
    np.testing.assert_array_equal(data.ravel(order="F"), expected)
    np.testing.assert_allclose(back, affine, rtol=1e-6)


@few
@given(reason=texts, value=st.one_of(numbers.filter(math.isfinite), texts))
def test_records(reason, value):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work" / "extract" / "batch-001.json"
        bold = Path(folder).resolve() / "data" / "a b.nii.gz"
        run = Run("sub-1", None, "sub-1_task-x", {"sub": "1"}, bold=bold, datasets={"d": str(bold.parent)})
        record = RunRecord(run, "extract", reason, {"x": value})
        write_records(path, [record])
        assert read_records([path]) == [record]
        assert folder not in path.read_text(encoding="utf-8")
