"""Arrays of other libraries as NumPy's: those that are latents, those that are labels, columns of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._errors import InputError

#: The axes of an array of latents.
LAYOUTS = ("nhw", "nhwc", "nchw")
#: Devices of DLPack whose memory this process can read: the processor's own, and what is pinned for a GPU.
READABLE = (1, 3)


def is_array(given: Any) -> bool:
    """Whether something is an array of some library."""
    return not is_column(given) and (hasattr(given, "__dlpack__") or hasattr(given, "__array__"))


def is_column(given: Any) -> bool:
    """Whether something is a column or a table in Arrow's format."""
    return hasattr(given, "__arrow_c_array__") or hasattr(given, "__arrow_c_stream__")


def plain(given: Any) -> NDArray[Any]:
    """An array as NumPy's, without a copy where that can be."""
    if isinstance(given, np.ndarray):
        return given
    device = getattr(getattr(given, "device", None), "type", None)
    if device is None and hasattr(given, "__dlpack_device__"):
        kind = int(given.__dlpack_device__()[0])
        device = "cpu" if kind in READABLE else f"a device of DLPack's kind {kind}"
    if device not in (None, "cpu"):
        raise InputError(f"expected an array on the CPU, found one on {device}: hand in array.cpu()")
    if getattr(given, "requires_grad", False):
        given = given.detach()
    try:
        return np.from_dlpack(given) if hasattr(given, "__dlpack__") else np.asarray(given)
    except (BufferError, TypeError, RuntimeError):
        # Booleans, bfloat16, and what else DLPack or NumPy does not take.
        return np.asarray(given.float() if str(getattr(given, "dtype", "")) == "torch.bfloat16" else given)


def axes(given: Any, layout: str | None) -> NDArray[Any]:
    """A view of an array as [N, H, W, K]."""
    if not is_array(given):
        raise InputError(f"expected an array, found {type(given).__name__}: np.asarray makes one of lists")
    array = plain(given)
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"layout {layout!r}: expected one of {', '.join(LAYOUTS)}")
    if array.ndim == 3:
        return array[..., None]
    if array.ndim != 4:
        raise InputError(f"expected latents [N, H, W] or [N, H, W, K], found an array of shape {array.shape}")
    if layout is None:
        raise InputError('an array of 4 axes: say which ones they are with layout="nhwc" or layout="nchw"')
    return array.transpose(0, 2, 3, 1) if layout == "nchw" else array


class Values:
    """What stands for a bit in a stream of arrays: 0 and 1, or −1 and +1, the same ones from first to last."""

    def __init__(self) -> None:
        self._zero: int | None = None

    def bits(self, array: NDArray[Any]) -> NDArray[np.uint8]:
        """The bits of an array, uint8 of the same shape."""
        if array.dtype == bool:
            return np.ascontiguousarray(array).view(np.uint8)
        if array.dtype.kind == "V" and array.dtype.name.startswith(("bfloat", "float")):
            array = array.astype(np.float32)
        if array.dtype.kind not in "iuf":
            raise InputError(f"expected 0 and 1, −1 and +1, or booleans, found an array of {array.dtype}")
        ones = array == 1
        zeros = (0, -1) if self._zero is None else (self._zero,)
        for zero in zeros:
            if array.dtype.kind == "u" and zero < 0:
                break
            others = array == zero
            if bool((ones | others).all()):
                if bool(others.any()):
                    self._zero = zero
                return np.ascontiguousarray(ones).view(np.uint8)
        other = array[~(ones | (array == zeros[0]))]
        raise InputError(f"expected 0 and 1, or −1 and +1, and no other value, found {other.flat[0]} among them")


def integers(labels: Any) -> NDArray[np.int64]:
    """Labels, an integer for each latent."""
    array = plain(labels) if is_array(labels) else np.asarray(list(labels))
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise InputError(f"expected an integer for each latent as labels, found an array {array.shape} of {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.int64)


def of_column(column: Any, shape: Sequence[int] | None = None) -> Iterator[NDArray[Any]]:
    """The values of a column in Arrow's format, chunk by chunk, [N, sides of the lists that it holds], or of `shape`."""
    import pyarrow

    chunks = pyarrow.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else pyarrow.chunked_array([pyarrow.array(column)])
    for chunk in chunks.chunks:
        # Batches without a row say nothing of how long their lists are.
        if not len(chunk):
            continue
        values, sides = _values(chunk)
        if shape is not None:
            if int(np.prod(shape)) != int(np.prod(sides)):
                raise InputError(f"expected lists of {'x'.join(map(str, shape))} values, found lists of {'x'.join(map(str, sides))}")
            sides = [int(side) for side in shape]
        elif len(sides) < 2:
            raise InputError(f"a column of {chunk.type}: say the shape of a latent, as shape=(14, 14, 2)")
        yield values.reshape(len(chunk), *sides)


def _values(array: Any) -> tuple[NDArray[Any], list[int]]:
    """The values of nested lists, flat, and the sides of these lists."""
    import pyarrow
    import pyarrow.compute

    sides: list[int] = []
    while True:
        if array.null_count:
            raise InputError(f"a column of {array.type}: expected a value in every row, found {array.null_count} empty ones")
        if isinstance(array, pyarrow.FixedShapeTensorArray):
            return _flat(array.storage.flatten()), [*sides, *array.type.shape]
        if isinstance(array, pyarrow.ExtensionArray):
            array = array.storage
        elif pyarrow.types.is_fixed_size_list(array.type):
            sides.append(array.type.list_size)
            array = array.flatten()
        elif pyarrow.types.is_list(array.type) or pyarrow.types.is_large_list(array.type):
            lengths = pyarrow.compute.list_value_length(array).unique().to_pylist()
            if len(lengths) != 1:
                raise InputError(f"a column of {array.type}: expected lists of one length, found {sorted(lengths)[:4]}")
            sides.append(int(lengths[0]))
            array = array.flatten()
        else:
            return _flat(array), sides


def _flat(values: Any) -> NDArray[Any]:
    return np.asarray(values.to_numpy(zero_copy_only=False))


def of_table(table: Any, columns: Sequence[str], batch: int = 1000) -> Iterator[list[Any]]:
    """Columns of a table, batch by batch: of a Hugging Face dataset, of anything that speaks Arrow, or of an iterable of such batches."""
    import pyarrow

    if hasattr(table, "with_format") and hasattr(table, "iter"):
        table = table.with_format("arrow").iter(batch_size=batch)
    elif hasattr(table, "__arrow_c_stream__"):
        table = pyarrow.RecordBatchReader.from_stream(table)
    for part in table:
        held = pyarrow.table(part) if not isinstance(part, pyarrow.RecordBatch) else part
        for name in columns:
            if name not in held.schema.names:
                raise InputError(f"expected a column {name!r}, found {', '.join(held.schema.names)}")
        if held.num_rows:
            yield [held.column(name) for name in columns]
