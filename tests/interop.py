"""What a Python user relies on: arrays go in from numpy and come out through safetensors unchanged.

Run as `python3 tests/interop.py BITQUILT_BINARY`, with numpy and safetensors installed.
"""

import gzip
import itertools
import json
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy
import safetensors
import safetensors.numpy

BINARY = "bitquilt"

DTYPES = ["bool", "u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8", "i1", "<i2", ">i2", "<i4", ">i4",
          "<i8", ">i8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


class Interop(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.random = numpy.random.default_rng(7)

    def bitquilt(self, *arguments):
        run = subprocess.run([BINARY, *map(str, arguments)], cwd=self.folder, capture_output=True,
                             text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def imported(self, *arguments):
        """Imports, and reads the latents as a user would: bits [N, H, W, K], labels, metadata."""
        self.bitquilt("import", *arguments, "-o", "out.safetensors", "--force")
        path = self.folder / "out.safetensors"
        tensors = safetensors.numpy.load_file(path)
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        shape = [int(metadata[side]) for side in ("height", "width", "channels")]
        length = int(numpy.prod(shape))
        self.assertEqual(tensors["bits"].dtype, numpy.uint8)
        self.assertEqual(tensors["bits"].shape[1], -(-length // 8))
        bits = numpy.unpackbits(tensors["bits"], axis=1, bitorder="little")
        self.assertFalse(bits[:, length:].any(), "padding bits must be 0")
        self.assertEqual(metadata["format"], "bitquilt.latents")
        self.assertEqual(metadata["version"], "1")
        return bits[:, :length].reshape(-1, *shape), tensors.get("labels"), metadata

    def codes(self, *shape):
        return self.random.integers(0, 2, shape)

    def test_every_dtype_and_order_of_codes_comes_out_unchanged(self):
        codes = self.codes(5, 3, 7, 2)
        for dtype, layout, fortran in itertools.product(DTYPES, ["nhwc", "nchw"], [False, True]):
            with self.subTest(dtype=dtype, layout=layout, fortran=fortran):
                array = codes if layout == "nhwc" else codes.transpose(0, 3, 1, 2)
                order = numpy.asfortranarray if fortran else numpy.ascontiguousarray
                numpy.save(self.folder / "codes.npy", order(array.astype(dtype)))
                bits, labels, metadata = self.imported("codes.npy", "--layout", layout)
                numpy.testing.assert_array_equal(bits, codes)
                self.assertIsNone(labels)
                self.assertEqual(metadata["codec"], "codes")
                self.assertEqual(metadata["source"], f"codes.npy, layout {layout}")

    def test_codes_of_minus_one_and_one_are_the_same_bits(self):
        codes = self.codes(4, 5, 3)
        for dtype in ["i1", ">i2", "<i8", "<f2", ">f4", "<f8"]:
            with self.subTest(dtype=dtype):
                numpy.save(self.folder / "codes.npy", (2 * codes - 1).astype(dtype))
                bits, _, _ = self.imported("codes.npy", "--layout", "nhw")
                numpy.testing.assert_array_equal(bits[..., 0], codes)

    def test_a_transposed_array_read_in_its_own_layout_gives_the_same_file(self):
        codes = self.codes(3, 4, 6, 5).astype("u1")
        numpy.save(self.folder / "codes.npy", codes)
        first, _, _ = self.imported("codes.npy", "--layout", "nhwc")
        numpy.save(self.folder / "codes.npy", codes.transpose(0, 3, 1, 2))
        second, _, _ = self.imported("codes.npy", "--layout", "nchw")
        numpy.testing.assert_array_equal(first, second)
        numpy.testing.assert_array_equal(first, codes)

    def test_an_archive_keeps_its_labels(self):
        codes, labels = self.codes(6, 9, 9), numpy.array([3, -1, 4, 1, 5, 2**40])
        for save, dtype in itertools.product([numpy.savez, numpy.savez_compressed], ["<i8", ">i8"]):
            with self.subTest(save=save.__name__, dtype=dtype):
                save(self.folder / "codes.npz", codes=codes, labels=labels.astype(dtype))
                bits, found, _ = self.imported("codes.npz")
                numpy.testing.assert_array_equal(bits[..., 0], codes)
                self.assertEqual(found.dtype, numpy.int64)
                numpy.testing.assert_array_equal(found, labels)

    def test_labels_of_every_integer_type_are_read(self):
        codes, labels = self.codes(3, 2, 2), numpy.array([7, 0, 100])
        numpy.save(self.folder / "codes.npy", codes)
        for dtype in ["u1", ">u2", "<u4", ">u8", "i1", "<i2", ">i4", "<i8"]:
            with self.subTest(dtype=dtype):
                numpy.save(self.folder / "labels.npy", labels.astype(dtype))
                _, found, _ = self.imported("codes.npy", "--labels", "labels.npy")
                numpy.testing.assert_array_equal(found, labels)

    def test_idx_images_are_thresholded_as_numpy_would(self):
        images = self.random.integers(0, 256, (10, 9, 11), dtype=numpy.uint8)
        labels = self.random.integers(0, 10, 10, dtype=numpy.uint8)
        idx = struct.pack(">IIII", 0x803, *images.shape) + images.tobytes()
        (self.folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx))
        idx = struct.pack(">II", 0x801, 10) + labels.tobytes()
        (self.folder / "train-labels-idx1-ubyte").write_bytes(idx)
        for threshold in [0.2, 0.4, 0.5, 0.6, 0.8, 1.0]:
            with self.subTest(threshold=threshold):
                arguments = ["train-images-idx3-ubyte.gz", "--threshold", threshold]
                bits, found, metadata = self.imported(*arguments)
                numpy.testing.assert_array_equal(bits[..., 0], images >= round(threshold * 255, 6))
                numpy.testing.assert_array_equal(found, labels)
                self.assertEqual(metadata["codec"], "threshold")

    def test_json_report_counts_what_numpy_counts(self):
        codes = self.codes(5, 4, 4).astype("u1")
        numpy.save(self.folder / "codes.npy", codes)
        out = self.bitquilt("import", "codes.npy", "-o", "a.safetensors", "--json")
        report = json.loads(out)
        self.assertAlmostEqual(report.pop("ones"), codes.mean())
        self.assertEqual(report, {"latents": 5, "height": 4, "width": 4, "channels": 1, "shape": "4x4x1",
                                  "labels": False, "source": "codes.npy",
                                  "output": "a.safetensors"})


if __name__ == "__main__":
    BINARY = str(Path(sys.argv.pop(1)).resolve())
    unittest.main()
