"""Columns of tables, and traces as tables."""

import sys
import subprocess

import numpy as np
import pytest

import bitquilt as bq

pyarrow = pytest.importorskip("pyarrow")

BITS = np.random.default_rng(0).integers(0, 2, (7, 3, 4, 2)).astype(np.uint8)


def nested(kind, size):
    """Nested lists [N, 3, 4, 2] of one kind."""
    flat = pyarrow.array(BITS.reshape(-1), kind) if kind != pyarrow.bool_() else pyarrow.array(BITS.reshape(-1) == 1)
    for side in [2, 4, 3]:
        if size == "fixed":
            flat = pyarrow.FixedSizeListArray.from_arrays(flat, side)
        else:
            offsets = pyarrow.array(np.arange(0, len(flat) + 1, side), pyarrow.int32() if size == "list" else pyarrow.int64())
            made = pyarrow.ListArray if size == "list" else pyarrow.LargeListArray
            flat = made.from_arrays(offsets, flat)
    return flat


@pytest.mark.parametrize("size", ["fixed", "list", "large"])
@pytest.mark.parametrize("kind", [pyarrow.uint8(), pyarrow.bool_(), pyarrow.float32(), pyarrow.int64()])
def test_columns_of_every_kind_are_the_same_latents(kind, size):
    column = nested(kind, size)
    expected = bq.Latents(BITS, layout="nhwc")
    for given in [column, pyarrow.chunked_array([column[:3], column[3:]])]:
        assert bq.Latents(given, layout="nhwc") == expected
    assert bq.Latents(column[2:5], layout="nhwc") == expected[2:5]
    table = pyarrow.table({"code": column, "y": range(7)})
    latents = bq.Latents.from_table(table, "code", label="y", layout="nhwc")
    assert np.array_equal(latents.bits, BITS) and latents.labels.tolist() == list(range(7))
    batches = [table[:0], *table.to_batches(max_chunksize=2), table[:0]]
    assert bq.Latents.from_table(iter(batches), "code", label="y", layout="nhwc") == latents
    assert bq.Latents(pyarrow.chunked_array([column[:0], column]), layout="nhwc") == expected
    with pytest.raises(bq.InputError, match="found none"):
        bq.Latents.from_table(table[:0], "code", layout="nhwc")


def test_tensors_flat_lists_and_pyramids():
    tensor = pyarrow.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(BITS))
    assert np.array_equal(bq.Latents(tensor, layout="nhwc").bits, BITS)
    flat = pyarrow.table({"code": [row.reshape(-1).tolist() for row in BITS], "top": [row[:1, :1, 0].tolist() for row in BITS],
                          "fine": [row[..., 0].tolist() for row in BITS]})
    assert np.array_equal(bq.Latents.from_table(flat, "code", shape=(3, 4, 2)).bits, BITS)
    pyramid = bq.Latents.from_table(flat, ["top", "fine"])
    assert pyramid == bq.Latents.pyramid([BITS[:, :1, :1, 0], BITS[..., 0]])
    with pytest.raises(bq.InputError, match="shape"):
        bq.Latents.from_table(flat, "code")
    with pytest.raises(bq.InputError, match="3x4x3"):
        bq.Latents.from_table(flat, "code", shape=(3, 4, 3))
    with pytest.raises(bq.InputError, match="code, top, fine"):
        bq.Latents.from_table(flat, "codes")


@pytest.mark.parametrize(
    "rows, words",
    [
        ([[[0, 1]], None], "1 empty"),
        ([[[0, 1]], [[0, 1], [1, 1]]], "one length"),
        ([[[0, 2]], [[0, 1]]], "found 2"),
        ([[["a"]]], "object|<U"),
    ],
)
def test_columns_that_are_no_latents_are_refused(rows, words):
    with pytest.raises(bq.InputError, match=words):
        bq.Latents(pyarrow.array(rows))


def test_a_trace_is_a_table(index, digits):
    trace = index.trace(digits[:5])
    table = pyarrow.table(trace)
    assert table.column("sample").to_pylist() == list(range(5)) and table == trace.to_arrow()
    regions = trace.to_arrow(regions=True)
    assert len(regions) == sum(len(traced.regions) for traced in trace)
    assert regions.column("information").to_pylist()[0] == trace[0].regions[0].information
    pandas = pytest.importorskip("pandas")
    assert isinstance(trace.to_pandas(), pandas.DataFrame) and trace.to_pandas(regions=True)["latent"].tolist() == regions.column("latent").to_pylist()


def test_numpy_is_all_that_it_needs(index, tmp_path):
    without = ["pandas", "pyarrow", "torch", "PIL", "tqdm", "scipy", "IPython"]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({without}))
import numpy as np, bitquilt as bq
index = bq.open({index.path!r})
samples = index.generate(2, windows="3x3", progress=True)
assert index.verify(samples).verified and index.trace(samples).picture().pixels.size and samples._repr_png_()
try:
    index.trace(samples).to_pandas()
except ImportError:
    print("whole")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "whole\n", ran.stderr
