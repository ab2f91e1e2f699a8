"""What becomes latents, and what does not."""

import numpy as np
import pytest

import bitquilt as bq

BITS = np.random.default_rng(0).integers(0, 2, (5, 3, 4, 2)).astype(np.uint8)


class Elsewhere:
    """An array on a GPU."""

    def __dlpack__(self, **options):
        raise AssertionError("not to be asked")

    def __dlpack_device__(self):
        return (2, 0)


class Speaks:
    """An array of another library."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def strided():
    wide = np.zeros((5, 6, 8, 4), np.uint8)
    wide[:, ::2, ::2, 1::2] = BITS
    return wide[:, ::2, ::2, 1::2]


def read_only():
    array = BITS.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        BITS,
        BITS == 1,
        BITS.astype(np.int64) * 2 - 1,
        BITS.astype(np.float32),
        (BITS * 2.0 - 1).astype(np.float16),
        BITS.astype(">i4"),
        np.asfortranarray(BITS),
        strided(),
        read_only(),
        BITS[::-1][::-1],
        Speaks(BITS),
        Speaks(BITS == 1),
    ],
    ids=lambda array: type(array).__name__ + str(getattr(array, "dtype", "")),
)
def test_arrays_of_every_kind_are_the_same_latents(array):
    latents = bq.Latents(array, layout="nhwc")
    assert latents.levels == [(3, 4, 2)]
    assert np.array_equal(latents.bits, BITS)


def test_channels_first_and_batches():
    assert np.array_equal(bq.Latents(BITS.transpose(0, 3, 1, 2), layout="nchw").bits, BITS)
    batches = (BITS[first : first + 2] for first in range(0, 5, 2))
    assert np.array_equal(bq.Latents(batches, layout="nhwc").bits, BITS)
    assert np.array_equal(bq.Latents(BITS[..., 0]).bits[..., 0], BITS[..., 0])


@pytest.mark.parametrize(
    "array, layout, words",
    [
        (BITS, None, ["4 axes", "layout"]),
        (BITS, "hwc", ["hwc", "nhwc"]),
        (BITS[0], "nhwc", []),
        (BITS + 1, "nhwc", ["found 2"]),
        (BITS * 0.5, "nhwc", ["0.5"]),
        (BITS.astype(np.float32) * np.nan, "nhwc", ["nan"]),
        (BITS.astype(complex), "nhwc", ["complex"]),
        (BITS.astype(object), "nhwc", ["object"]),
        (np.where(BITS == 1, 1, np.where(np.arange(2) == 0, 0, -1)), "nhwc", ["-1"]),
        (np.zeros((5, 0, 4)), None, ["0x4"]),
        (np.zeros((1, 2048, 2048), np.uint8), None, ["1048576"]),
        ([], None, ["found none"]),
        ([BITS, BITS[:, :2]], "nhwc", ["one shape"]),
        ([[1, 0]], None, ["list"]),
        (3, None, ["int"]),
        ({"bits": BITS}, None, ["dict"]),
        ("bits", None, ["path"]),
        (Elsewhere(), None, ["CPU", ".cpu()"]),
    ],
)
def test_what_is_no_latents_is_refused_with_what_was_expected(array, layout, words):
    if layout == "nhwc" and getattr(array, "ndim", 0) == 3:
        # Three axes are [N, H, W] whatever is said.
        assert len(bq.Latents(array, layout=layout)) == 3
        return
    with pytest.raises(bq.InputError) as refused:
        bq.Latents(array, layout=layout)
    for word in words:
        assert word in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_streams_of_batches_and_labels_are_gathered_packed(tmp_path):
    def pairs(count, kind=tuple):
        return (kind((BITS[first : first + 2], np.arange(first, min(first + 2, 5)))) for first in range(0, count, 2))

    for kind in [tuple, list]:
        latents = bq.Latents(pairs(5, kind), layout="nhwc")
        assert np.array_equal(latents.bits, BITS) and latents.labels.tolist() == list(range(5))
    pyramid = bq.Latents.pyramid(([BITS[i : i + 1, :1, :1], BITS[i : i + 1]] for i in range(5)), layout="nhwc")
    assert pyramid == bq.Latents.pyramid([BITS[:, :1, :1], BITS], layout="nhwc")
    for stream, words in [
        ([BITS, BITS * 2.0 - 1], "-1"),
        ([BITS * 2.0 - 1, BITS], "found 0"),
        ([(BITS, [1, 2])], "5 labels"),
        ([(BITS, np.arange(5)), BITS], "10 labels"),
        ([BITS, BITS[:, :2]], "3x4x2 and 2x4x2"),
    ]:
        with pytest.raises(bq.InputError, match=words):
            bq.Latents(stream, layout="nhwc")
    with pytest.raises(bq.InputError, match="one or the other"):
        bq.Latents(pairs(5), layout="nhwc", labels=range(5))
    with pytest.raises(bq.MemoryLimit, match="latents 3x4x2.*available"):
        bq.Latents((BITS for _ in range(1000)), layout="nhwc", memory="14kB")
    assert len(bq.Latents((BITS for _ in range(1000)), layout="nhwc", memory="15kB")) == 5000


def test_an_array_in_a_file_is_read_piece_by_piece(tmp_path):
    import tracemalloc

    # 16 MB of floats, a hundred times what is held.
    shape = (4000, 32, 32)
    written = np.memmap(tmp_path / "codes", np.float32, "w+", shape=shape)
    written[:] = np.random.default_rng(0).integers(0, 2, shape) * 2 - 1
    written.flush()
    mapped = np.memmap(tmp_path / "codes", np.float32, "r", shape=shape)
    tracemalloc.start()
    latents = bq.Latents(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(latents.bits[..., 0] == 1, mapped == 1)
    # CHUNK values, each a byte, in a handful of copies: 4,000 latents of 1,024 bits are less than one chunk as bytes.
    assert peak < 6 * shape[0] * 1024


def test_labels_are_one_integer_for_each():
    assert bq.Latents(BITS, layout="nhwc", labels=[5, 4, 3, 2, 1]).labels.tolist() == [5, 4, 3, 2, 1]
    for labels in [[1, 2], [0.5] * 5, np.zeros((5, 1), int)]:
        with pytest.raises(bq.InputError):
            bq.Latents(BITS, layout="nhwc", labels=labels)


def test_latents_are_kept_in_files_and_pickles(tmp_path):
    import pickle

    for latents in [
        bq.Latents(BITS, layout="nhwc", labels=range(5), source="noise"),
        bq.Latents.pyramid([BITS[:, :1, :1], BITS], layout="nhwc"),
    ]:
        latents.save(tmp_path / "latents.safetensors")
        for same in [bq.Latents.load(tmp_path / "latents.safetensors"), pickle.loads(pickle.dumps(latents))]:
            assert same == latents and same.source == latents.source
            assert same != latents[:4]
    with pytest.raises(FileNotFoundError):
        bq.Latents.load(tmp_path / "nowhere")
    (tmp_path / "wrong").write_text("no latents")
    with pytest.raises(bq.InputError, match="wrong"):
        bq.Latents.load(tmp_path / "wrong")


def test_pyramids_have_levels_of_as_many_latents_coarse_to_fine():
    pyramid = bq.Latents.pyramid([BITS[:, :2, :2], BITS], layout="nhwc")
    assert pyramid.levels == [(2, 2, 2), (3, 4, 2)] and pyramid.shape == (3, 4, 2)
    assert np.array_equal(pyramid.level(0), BITS[:, :2, :2]) and np.array_equal(pyramid.bits, BITS)
    for levels in [[], [BITS[:4], BITS], [BITS, BITS[:, :2]]]:
        with pytest.raises(bq.InputError):
            bq.Latents.pyramid(levels, layout="nhwc")
    with pytest.raises(bq.InputError):
        pyramid.level(2)


def test_parts_of_a_set_keep_their_labels():
    latents = bq.Latents(BITS, layout="nhwc", labels=range(5))
    for ids in [3, [0, 4], slice(1, 4), np.array([True, False, False, True, False]), slice(0, 0), -1]:
        part = latents[ids]
        expected = np.atleast_1d(np.arange(5)[ids])
        assert part.labels.tolist() == sorted(expected.tolist())
        assert np.array_equal(part.bits, BITS[sorted(expected.tolist())])
    with pytest.raises(IndexError):
        latents[5]
