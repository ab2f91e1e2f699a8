"""Latents from arrays and as arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from . import _bitquilt
from ._arrays import Values, axes, integers, is_array, is_column, of_column, of_table, plain
from ._errors import InputError
from ._pictures import Picture, drawn_by
from ._requests import Ids, Path, Size, as_bytes, as_ids, as_number, there

#: Values that are turned into bits at a time: 4 MiB of bytes, and some copies of them.
CHUNK = 1 << 22


class Latents:
    """A set of binary latents: grids of bits, or pyramids of them, with ids from 0 on and labels if there are any.

    Held packed, an eighth of a byte a bit: arrays that are mapped from a file, and streams of batches, may be larger than memory.

    Parameters
    ----------
    bits
        An array [N, H, W] or [N, H, W, K] of 0 and 1, −1 and +1, or booleans: of NumPy, or of anything on the CPU that speaks
        DLPack or `__array__` (PyTorch, JAX); a column in Arrow's format (pyarrow, polars, pandas) of nested lists or tensors; or an
        iterable of such batches, or of pairs of a batch and its labels, as a data loader gives.
    layout
        "nhwc" or "nchw" for arrays of four axes, which do not say it themselves.
    labels
        An integer for each latent.
    source
        Where they come from, in words.
    memory
        What the set may take, as "4GiB" [default: what the machine can give].

    Examples
    --------
    >>> import numpy as np, bitquilt as bq
    >>> latents = bq.Latents(np.eye(3)[None].repeat(2, axis=0), labels=[7, 8])
    >>> latents
    Latents(2 of 3x3x1, labelled)
    >>> latents.bits[0, :, :, 0].tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> bq.Latents(batch for batch in np.ones((4, 5, 2, 2, 3)) * -1 if batch is not None)
    Traceback (most recent call last):
    ...
    bitquilt.InputError: an array of 4 axes: say which ones they are with layout="nhwc" or layout="nchw"
    >>> bq.Latents((batch for batch in np.ones((4, 5, 2, 2, 3)) * -1), layout="nchw")
    Latents(20 of 2x3x2)
    >>> bq.Latents((np.ones((2, 4, 4)), [digit, digit]) for digit in range(3)).labels.tolist()
    [0, 0, 1, 1, 2, 2]
    """

    _set: _bitquilt.LatentSet

    def __init__(
        self, bits: Any, *, layout: str | None = None, labels: Any = None, source: str = "", memory: Size | None = None
    ) -> None:
        if isinstance(bits, (str, os.PathLike)):
            raise InputError("expected an array, found a path: Latents.load reads a latents file")
        if isinstance(bits, Mapping) or not (is_array(bits) or is_column(bits) or isinstance(bits, Iterable)):
            raise InputError(f"expected an array or an iterable of arrays, found {type(bits).__name__}")
        gathering = _Gathering(layout, memory)
        if is_array(bits):
            gathering.add([bits])
        elif is_column(bits):
            for chunk in of_column(bits):
                gathering.add([chunk])
        else:
            for batch in bits:
                paired = isinstance(batch, (tuple, list)) and len(batch) == 2 and (is_array(batch[0]) or is_column(batch[0]))
                array, of_batch = batch if paired else (batch, None)
                for part in of_column(array) if is_column(array) else [array]:
                    gathering.add([part])
                gathering.label(of_batch)
        self._set = gathering.finish(labels, source)

    @classmethod
    def pyramid(
        cls,
        levels: Iterable[Any],
        *,
        layout: str | None = None,
        labels: Any = None,
        source: str = "",
        memory: Size | None = None,
    ) -> Latents:
        """Latents of several levels: a list of arrays, coarse to fine, of as many latents each; or an iterable of batches that are
        such lists.

        >>> import numpy as np, bitquilt as bq
        >>> bq.Latents.pyramid([np.zeros((5, 2, 2)), np.ones((5, 4, 4, 2))], layout="nhwc").levels
        [(2, 2, 1), (4, 4, 2)]
        >>> len(bq.Latents.pyramid([np.zeros((5, 2, 2)), np.ones((5, 4, 4))] for _ in range(3)))
        15
        """
        gathering = _Gathering(layout, memory)
        for batch in [levels] if isinstance(levels, (list, tuple)) else levels:
            gathering.add(batch)
        return cls._of(gathering.finish(labels, source))

    @classmethod
    def from_table(
        cls,
        table: Any,
        column: str | Sequence[str],
        *,
        label: str | None = None,
        shape: Sequence[int] | None = None,
        layout: str | None = None,
        source: str = "",
        memory: Size | None = None,
    ) -> Latents:
        """Latents of a column of a table, read batch by batch: of a Hugging Face dataset, in memory or streamed; of anything that speaks
        Arrow (pyarrow, polars, pandas, DuckDB); or of an iterable of such batches. Takes pyarrow.

        Parameters
        ----------
        column
            Nested lists or tensors; of pyramids a column for each level.
        label
            A column of integers.
        shape
            (H, W) or (H, W, K) of one latent, where the column holds flat lists.

        Examples
        --------
        >>> import pyarrow, bitquilt as bq
        >>> table = pyarrow.table({"code": [[[0, 1], [1, 0]], [[1, 1], [1, 1]]], "digit": [3, 4]})
        >>> latents = bq.Latents.from_table(table, "code", label="digit")
        >>> latents, latents.labels.tolist()
        (Latents(2 of 2x2x1, labelled), [3, 4])
        """
        names = [column] if isinstance(column, str) else list(column)
        if shape is not None and len(names) > 1:
            raise InputError("shape: says how flat lists of one level lie: hand in nested lists for a pyramid")
        gathering = _Gathering("nhwc" if shape is not None else layout, memory)
        for columns in of_table(table, names if label is None else [*names, label]):
            levels = [list(of_column(level, shape)) for level in columns[: len(names)]]
            gathering.add([parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in levels])
            if label is not None:
                gathering.label(columns[-1].to_numpy())
        return cls._of(gathering.finish(None, source))

    @classmethod
    def load(cls, path: Path) -> Latents:
        """Reads a latents file, or the latents of a samples file."""
        return cls._of(_bitquilt.LatentSet.read(there(path)))

    @classmethod
    def _of(cls, set: _bitquilt.LatentSet) -> Latents:
        made = cls.__new__(cls)
        made._set = set
        return made

    def save(self, path: Path) -> None:
        """Writes a latents file (safetensors), whole or not at all."""
        self._set.write(path)

    def __len__(self) -> int:
        return len(self._set)

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """Height, width and channels of each level, coarse to fine: one for latents of one grid."""
        return self._set.levels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the finest level."""
        return self._set.levels[-1]

    @property
    def bits(self) -> NDArray[np.uint8]:
        """The bits of the finest level, uint8 [N, H, W, K], a copy."""
        return self.level(len(self.levels) - 1)

    def level(self, number: int) -> NDArray[np.uint8]:
        """The bits of a level, 0 for the coarsest, uint8 [N, H, W, K], a copy."""
        if not 0 <= number < len(self.levels):
            raise InputError(f"expected a level of 0 to {len(self.levels) - 1}, found {number}")
        return self._set.bits(number).reshape(len(self), *self.levels[number])

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The labels, if there are any."""
        return self._set.labels

    @property
    def source(self) -> str:
        """Where the latents come from, in words."""
        return self._set.source

    def __getitem__(self, ids: int | slice | Sequence[int] | NDArray[Any]) -> Latents:
        """Some of the latents, by id, by slice, or by an array of ids or of booleans; in the order of ids.

        >>> import numpy as np, bitquilt as bq
        >>> latents = bq.Latents(np.arange(16).reshape(4, 2, 2) % 3 == 0, labels=range(4))
        >>> latents[1:].labels.tolist(), latents[[3, 0]].labels.tolist(), len(latents[2])
        ([1, 2, 3], [0, 3], 1)
        """
        every = np.arange(len(self))
        try:
            picked = np.atleast_1d(every[ids])
        except IndexError as error:
            raise IndexError(f"expected ids below {len(self)}: {error}") from None
        return Latents._of(self._set.only(np.unique(picked).tolist()))

    def drawn(self, count: int, *, without: Ids | None = None) -> NDArray[np.int64]:
        """The ids of `count` latents drawn at random, those that `build(hold_out=count)` sets aside: the same whatever their order, and
        equal latents all or none, so fewer where these do not fit.

        >>> import numpy as np, bitquilt as bq
        >>> latents = bq.Latents(np.arange(64).reshape(16, 2, 2) // 4 % 2 == 0)
        >>> latents.drawn(8).tolist() in ([0, 2, 4, 6, 8, 10, 12, 14], [1, 3, 5, 7, 9, 11, 13, 15])
        True
        """
        return np.array(self._set.drawn(as_number("count", count), as_ids(without)), np.int64)

    def measure(self, *, max_bits: int | None = None) -> dict[str, Any]:
        """What single bits are worth: entropy, dead and correlated bits, repeated latents, as `bitquilt eval codes --json` prints it. Of more
        than `max_bits` bits [default: 2048] as many are compared pair by pair.

        >>> import numpy as np, bitquilt as bq
        >>> report = bq.Latents(np.eye(4)[None].repeat(2, axis=0)).measure()
        >>> report["repeated"], report["codes"]["constant_bits"]
        (2, 16)
        """
        return dict(json.loads(self._set.measure(max_bits)))

    def picture(
        self,
        *,
        limit: int = 64,
        level: int | None = None,
        columns: int | None = None,
        scale: int | None = None,
        decode: Callable[[NDArray[np.uint8]], Any] | None = None,
    ) -> Picture:
        """The first `limit` latents as a sheet, which shows itself in a notebook.

        Of codes each site has the gray of how many of its bits are 1, unless `decode` turns latents [1, H, W, K] into images [1, height, width],
        with 3 colours last or first, of numbers from 0 to 1 or bytes. `scale`: pixels a site, or a pixel of an image, has [default: so many that
        a latent has about 64].

        >>> import numpy as np, bitquilt as bq
        >>> bq.Latents(np.eye(3)[None].repeat(2, axis=0)).picture(scale=10)
        Picture(30x62)
        """
        number = len(self.levels) - 1 if level is None else level
        if not 0 <= number < len(self.levels):
            raise InputError(f"expected a level of 0 to {len(self.levels) - 1}, found {number}")
        if scale is None:
            scale = max(1, round(64 / max(self.levels[number][:2]))) if decode is None else 2
        limit, scale = as_number("limit", limit, 1), as_number("scale", scale, 1)
        columns = None if columns is None else as_number("columns", columns, 1)
        return Picture(self._set.picture(number, limit, columns, scale, drawn_by(decode)))

    def _repr_png_(self) -> bytes:
        return self.picture()._repr_png_()

    def __repr__(self) -> str:
        labelled = "" if self.labels is None else ", labelled"
        return f"Latents({len(self):,} of {self._set.shape}{labelled})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Latents):
            return NotImplemented
        same = self.levels == other.levels and np.array_equal(self._set.packed(), other._set.packed())
        mine, theirs = self.labels, other.labels
        if mine is None or theirs is None:
            return same and mine is theirs
        return same and np.array_equal(mine, theirs)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self._set.shape, self._set.packed(), self.labels, self._set.codecs, self.source)
        return _restored, arguments


class _Gathering:
    """Latents that come batch by batch, each a list of one array a level."""

    def __init__(self, layout: str | None, memory: Size | None) -> None:
        self._layout, self._memory = layout, as_bytes(memory)
        self._shape, self._set = "", cast("_bitquilt.Gathered | None", None)
        self._values: list[Values] = []
        self._labels: list[NDArray[np.int64]] = []

    def add(self, batch: Sequence[Any]) -> None:
        """Adds a batch, an array of each level."""
        if not isinstance(batch, (list, tuple)) or not batch:
            raise InputError(f"expected an array for each level, found {type(batch).__name__}" if batch else "expected at least one level, found none")
        levels = [axes(level, self._layout) for level in batch]
        counts = {len(level) for level in levels}
        if len(counts) > 1:
            raise InputError(f"expected as many latents at each level, found {sorted(counts)}")
        shape = "+".join("x".join(map(str, level.shape[1:])) for level in levels)
        if self._set is None:
            self._shape, self._set = shape, _bitquilt.Gathered(shape, self._memory)
            self._values = [Values() for _ in levels]
        if shape != self._shape:
            raise InputError(f"expected batches of latents of one shape, found {self._shape} and {shape}")
        step = max(1, CHUNK // sum(int(np.prod(level.shape[1:])) for level in levels))
        for first in range(0, counts.pop(), step):
            parts = [level[first : first + step] for level in levels]
            rows = [values.bits(part).reshape(len(part), -1) for values, part in zip(self._values, parts)]
            self._set.push(np.packbits(rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1), axis=1, bitorder="little"))

    def label(self, labels: Any) -> None:
        """Says the labels of the batch that was added last, or that it has none."""
        if labels is not None:
            self._labels.append(integers(labels))

    def finish(self, labels: Any, source: str) -> _bitquilt.LatentSet:
        """The set; `labels` are those of all latents, where the batches had none."""
        if self._set is None:
            raise InputError("expected at least one batch of latents, found none")
        if labels is not None and self._labels:
            raise InputError("labels: the batches came with labels of their own: hand in one or the other")
        given = np.concatenate(self._labels) if self._labels else None if labels is None else integers(labels)
        return self._set.finish(given, ["codes"] * len(self._values), source)


def _restored(shape: str, packed: Any, labels: Any, codecs: list[str], source: str) -> Latents:
    gathered = _bitquilt.Gathered(shape)
    gathered.push(packed)
    return Latents._of(gathered.finish(labels, codecs, source))


def as_latents(given: Any, like: tuple[int, ...] | None = None) -> Latents:
    """Latents as they are, of an array, or of a latents file; `like` says what one latent of an index is, so that an array of one is taken
    too."""
    if isinstance(given, Latents):
        return given
    if hasattr(given, "latents") and isinstance(given.latents, Latents):
        return given.latents
    if isinstance(given, (str, os.PathLike)):
        return Latents.load(given)
    if is_array(given):
        array = plain(given)
        if like is not None and array.ndim == 4 and array.shape[1:] == like:
            return Latents(array, layout="nhwc")
        if like is not None and array.shape in (like, like[:2]) and (like[2] == 1 or array.ndim == 3):
            return Latents(array.reshape(1, *like), layout="nhwc")
        return Latents(array)
    raise InputError(f"expected Latents, Samples, an array or a latents file, found {type(given).__name__}")
