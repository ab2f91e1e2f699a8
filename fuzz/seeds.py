#!/usr/bin/env python3
"""Writes what each fuzzer begins with: small sound files of every kind, and some that are wrong in known ways.

usage: fuzz/seeds.py FOLDER      one folder for each fuzzer below it; the golden files are copied
"""

import gzip
import io
import json
import pathlib
import shutil
import struct
import sys
import zipfile

GOLDEN = pathlib.Path(__file__).parent.parent / "tests" / "golden"
out = pathlib.Path(sys.argv[1])


def seed(target, name, content):
    if isinstance(content, str):
        content = content.encode()
    folder = out / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def pixels(count):
    return bytes(i * 89 % 256 for i in range(count))


def idx(sides, content, kind=8):
    return bytes([0, 0, kind, len(sides)]) + b"".join(struct.pack(">I", side) for side in sides) + content


def npy(descr, shape, content, fortran=False, version=1):
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    width = 2 if version == 1 else 4
    text = text.ljust((-(8 + width) - len(text) - 1) % 64 + len(text)) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + content


def npz(arrays, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), array, method)
    return file.getvalue()


def safetensors(tensors, metadata):
    header, content = {"__metadata__": metadata}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(content), len(content) + len(data)]}
        content += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content


# Images.
seed("idx", "small", idx([3, 2, 2], pixels(12)))
seed("idx", "wide", idx([1, 1, 40], pixels(40)))
seed("idx", "none", idx([0, 2, 2], b""))
seed("idx", "packed", gzip.compress(idx([2, 4, 3], pixels(24)), mtime=0))
seed("idx", "labels", idx([3], pixels(3)))
seed("idx", "longer", idx([4294967295, 4294967295, 4294967295], pixels(9)))
seed("idx", "integers", idx([2, 2, 2], pixels(32), 12))
seed("cifar", "one", bytes([7]) + pixels(3072))
seed("cifar", "two", bytes([0]) + pixels(3072) + bytes([9]) + pixels(3072))
seed("cifar", "short", bytes([3]) + pixels(3071))
seed("labels", "idx", idx([3], bytes([7, 0, 255])))
seed("labels", "few", idx([2], bytes([7, 0])))
seed("labels", "packed", gzip.compress(idx([3], bytes([1, 2, 3])), mtime=0))
seed("labels", "npy", npy("<i8", "(3,)", struct.pack("<3q", -5, 0, 2**62)))
seed("labels", "big", npy(">u8", "(3,)", struct.pack(">3Q", 5, 0, 2**63)))
seed("labels", "floats", npy("<f4", "(3,)", struct.pack("<3f", 1, 2, 3)))

# Arrays.
bits = bytes(i * 5 % 7 % 2 for i in range(24))
arrays = {
    "bytes": npy("|u1", "(2, 3, 4)", bits),
    "bool": npy("|b1", "(2, 3, 4)", bits),
    "fortran": npy("|u1", "(2, 3, 4)", bits, fortran=True),
    "four": npy("|u1", "(2, 2, 3, 2)", bits),
    "four_fortran": npy("|i1", "(2, 2, 3, 2)", bits, fortran=True),
    "signs": npy("|i1", "(2, 3, 4)", bytes(1 if b else 255 for b in bits)),
    "both": npy("|i1", "(1, 1, 3)", bytes([1, 0, 255])),
    "int64": npy("<i8", "(1, 2, 2)", struct.pack("<4q", 0, 1, 1, 0)),
    "int32": npy(">i4", "(1, 2, 2)", struct.pack(">4i", -1, 1, 1, -1)),
    "half": npy("<f2", "(1, 2, 2)", struct.pack("<4e", -1, 1, 1, -1)),
    "float": npy("<f4", "(1, 2, 2)", struct.pack("<4f", 0, 1, 1, 0)),
    "double": npy(">f8", "(1, 2, 2)", struct.pack(">4d", 0, 1, 1, 0)),
    "nan": npy("<f4", "(1, 1, 2)", struct.pack("<2f", float("nan"), 1)),
    "version2": npy("|u1", "(2, 3, 4)", bits, version=2),
    "version3": npy("|u1", "(2, 3, 4)", bits, version=3),
    "one_axis": npy("<i8", "(2,)", struct.pack("<2q", 3, 4)),
    "none": npy("|u1", "(0, 3, 4)", b""),
    "huge": npy("|u1", "(4294967296, 4294967296, 4294967296)", b""),
    "hidden": npy("|u1", "(0, 4294967296, 4294967296)", b""),
    "two_shapes": npy("|u1", "(2, 3, 4), 'shape': (4294967296, 4294967296)", bits),
    "text": npy("<U3", "(1,)", bytes(12)),
    "long": npy("|u1", "(1, 1, 1000000000)", b""),
    "records": npy("|u1", "(2,)", b"ab").replace(b"'|u1'", b"[('a', '|u1')]"),
}
for name, array in arrays.items():
    seed("npy", name, array)
    seed("npz", name, npz({"codes": array}))
labels = npy("<i4", "(2,)", struct.pack("<2i", 8, -1))
seed("npz", "labels", npz({"codes": arrays["bytes"], "labels": labels}, zipfile.ZIP_DEFLATED))
seed("npz", "two", npz({"a": arrays["bytes"], "b": arrays["four"]}))
seed("npz", "telling", npz({"bits": arrays["four"], "other": arrays["bytes"]}, zipfile.ZIP_DEFLATED))
seed("npz", "empty", npz({}))
# Archives that announce more than they have, stored and deflated.
for name, count, method in (("liar", 1000, zipfile.ZIP_STORED), ("bomb", 300_000_000, zipfile.ZIP_DEFLATED)):
    array = npy("|u1", f"({count}, 3, 4)", bits)
    announced = struct.pack("<I", len(array) + 12 * count - len(bits))
    seed("npz", name, npz({"codes": array}, method).replace(struct.pack("<I", len(array)), announced))

# Codes of tokenizers: indices, packed bytes, sites in a row; as arrays and as tensors.
seed("npy", "indices", npy("<i4", "(2, 3, 4)", struct.pack("<24i", *(i % 8 for i in range(24)))))
seed("npy", "indices_flat", npy("<u2", "(2, 6)", struct.pack("<12H", *(i % 8 for i in range(12)))))
seed("npy", "index_64", npy("<u8", "(1, 6)", struct.pack("<6Q", *(2**64 - 1 - i for i in range(6)))))
seed("npy", "packed", npy("|u1", "(2, 2)", bytes([0x2F, 0x0A, 0xF0, 0x50])))
seed("npy", "sites", npy("|u1", "(2, 6, 2)", bits))
for name, dtype, shape, data in (
    ("bytes", "U8", [2, 3, 4], bits),
    ("bool", "BOOL", [2, 2, 3, 2], bits),
    ("brain", "BF16", [1, 2, 2], struct.pack("<4H", 0x3F80, 0, 0x3F80, 0)),
    ("half", "F16", [1, 2, 2], struct.pack("<4e", -1, 1, 1, -1)),
    ("int64", "I64", [1, 6], struct.pack("<6q", *range(6))),
    ("packed", "U8", [2, 2], bytes([0x2F, 0x0A, 0xF0, 0x50])),
    ("small", "F4", [2, 3, 4], bits[:12]),
):
    seed("tensors", name, safetensors({"codes": (dtype, shape, data)}, {}))
labels = ("I32", [2], struct.pack("<2i", 8, -1))
seed("tensors", "labels", safetensors({"codes": ("U8", [2, 3, 4], bits), "labels": labels}, {"format": "pt"}))
seed("tensors", "two", safetensors({"a": ("U8", [2, 2, 6], bits), "b": ("U8", [2, 3, 4], bits)}, {}))
for flavour, record in (("one", 3074), ("two", 6148)):
    seed("cifar", "hundred_" + flavour, (bytes([3, 99]) + pixels(3072)) * (record // 3074))

# The project's own files.
shape = {"format": "bitquilt.latents", "version": "1", "height": "1", "width": "6", "channels": "1"}
seed("latents", "tiny", safetensors({"bits": ("U8", [2, 1], bytes([13, 23]))}, shape))
seed("latents", "none", safetensors({"bits": ("U8", [0, 1], b"")}, shape))
seed("latents", "padding", safetensors({"bits": ("U8", [1, 1], b"\xff")}, shape))
seed("latents", "labels", safetensors({"bits": ("U8", [1, 1], b"\x01"), "labels": ("I64", [1], bytes(8))}, shape))
seed("latents", "other", safetensors({"bits": ("F32", [1, 1], bytes(4))}, shape | {"codec": "mine", "source": "\u00e9"}))
for golden in GOLDEN.glob("v*/*.safetensors"):
    if golden.name not in ("blae.safetensors", "arvm.safetensors"):
        shutil.copy(golden, out / "latents")
        (out / "samples").mkdir(exist_ok=True)
        shutil.copy(golden, out / "samples")
grid = shape | {"height": "4", "width": "4", "channels": "2"}
for name, metadata in {
    "without": {"samples.without": "0..3,7"},
    "without_all": {"samples.without": "0..24"},
    "without_many": {"samples.without": "0..99999999999"},
    "without_more": {"samples.without": "5,99999999999..18446744073709551615"},
    "no_count": {"samples.min_count": "0"},
    "twice": {"samples.windows": "3x3 3x3 5x5 seq:4 global"},
    "by_level": {"samples.min_count": "2 0:1 15:18446744073709551615"},
    "no_level": {"samples.min_count": "2 16:1"},
    "large": {"samples.windows": "9999999x9999999 seq:18446744073709551615"},
}.items():
    metadata = grid | {"samples.version": "1", "samples.windows": "3x3"} | metadata
    tensors = {"answered_by": ("U8", [1, 32], bytes([1, 0, 255, 1] * 8)), "bits": ("U8", [1, 4], bytes([9, 200, 3, 77]))}
    seed("samples", name, safetensors(tensors, metadata))
for index in ("windows", "labelled", "pyramids"):
    manifest = (GOLDEN / "v2" / f"{index}.index" / "manifest.json").read_text()
    seed("manifest", index, manifest)
    document = json.loads(manifest)
    document["files"] = document["files"][:2]
    seed("manifest", index + "_short", json.dumps(document))
    for field, value in {
        "windows": document["windows"] * 4,
        "excluded": [[0, 2**64 - 1], [5, 3]],
        "latents": 2**64 - 1,
        "label_values": [1, 0],
        "height": 2**40,
        "condition": "label",
        "database": "db",
    }.items():
        seed("manifest", f"{index}_{field}", json.dumps(document | {field: value}))

# Blocks and directory records, as schemas/context-array.md has them: of 1,000 occurrences the fifth, followed by 1; two of
# one context.
total = (1000 << 12).to_bytes(8, "little")
seed("block", "one", total + bytes([0, 0, 0, 0, 5, 4]))
seed("block", "two", total + bytes([1, 0, 0, 0, 5, 200, 1]))
seed("block", "unique", total + bytes([1, 0, 1, 0, 5, 24, 240, 12]))
seed("listed", "golden", bytes([2, 0, 251, 0, 2, 7, 2, 0x81, 2, 251, 44, 1, 251, 44, 1]))
seed("listed", "none", bytes([0]))
seed("run", "large", bytes([0, 0] + [255] * 9 + [1, 0, 0]))
seed("run", "long", bytes([0, 0] + [i * 7 % 128 for i in range(17000)]))
for number, line in enumerate((
    "4x4x2 5x5 none 0 0 17", "4x4x2 3x3 site 3 2 9", "1x6x1 seq:3 none 0 0 5", "2x9x3 global none 1000 7 40",
    "3x40x1 23x23 none 0 0 100", "16x16x2 13x13 none 1048576 1048575 300", "1x1x1 global none 0 0 0",
)):
    seed("key", str(number), line.encode() + b"\n" + pixels(64))

# Texts.
for number, text in enumerate((
    "3", "3,17,100..200", "17, 3, 100..200, 150..210", "0..18446744073709551615", "18446744073709551614", "5..5", "9..3", "1,,2",
)):
    seed("ids", str(number), text)
for number, text in enumerate(("7x7", "seq:3", "global", "101x101", "3x5", "seq:0", "2:5x5^3x3", "1:1x1", "18446744073709551615x18446744073709551615")):
    seed("window", str(number), text)
for number, text in enumerate(("14x14x2", "1x6", "1024x1024x1", "4294967296x4294967296x1", "0x1x1", "+3x3", "7x7x2+14x14+28x28")):
    seed("shape", str(number), text)
for number, text in enumerate((
    "1x6x1\nprefix=101\n0,3=1\n0,3=0", "2x2x2\n0,1,1=1\n 1 , 0 , 0 =0", "2x3x1\n01?\n?10", "2x2x2\n01 ?1\n\n0?10", "3x3\n0,0=2",
)):
    seed("fix", str(number), text)
